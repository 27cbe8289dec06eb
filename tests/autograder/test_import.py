"""Importing the checker is cheap: it happens in the first cell of every lesson."""

from __future__ import annotations

import subprocess
import sys

HEAVY = (
    "nbgrader",
    "jupyter",
    "jupyter_core",
    "dask",
    "distributed",
    "sqlalchemy",
    "IPython",
    "matplotlib",
    "ipywidgets",
)


def test_the_checker_pulls_in_none_of_the_grading_machinery() -> None:
    program = (
        "import sys, autograder; from autograder import check, evaluate, exercises; "
        "evaluate('05.backprop_batch', exercises()[-1].reference); "
        f"print(sorted(set({HEAVY!r}) & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def _printed(program: str) -> str:
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_the_package_itself_loads_nothing_of_the_checker() -> None:
    program = (
        "import sys, autograder, autograder.isolation.channel, autograder.errors; "
        "print([name for name in sys.modules if name.startswith(('numpy', 'autograder.checking', "
        "'autograder.exercises', 'autograder.feedback', 'autograder.progress'))])"
    )
    assert _printed(program) == "[]"


def test_a_name_means_the_function_whatever_was_imported_before() -> None:
    for first in (
        "import autograder",
        "import autograder.exercises, autograder.progress",
        "from autograder.exercises.model import Step",
        "from autograder.progress import record",
        "from autograder.exercises import find",
    ):
        program = (
            f"{first}\nfrom autograder import exercises, progress\nimport autograder\n"
            "print(exercises.__name__, progress.__name__, autograder.exercises is exercises, "
            "autograder.progress is progress)"
        )
        assert _printed(program) == "exercises progress True True", first


def test_every_public_name_is_there_and_no_other() -> None:
    import autograder

    assert set(autograder.__all__) <= set(dir(autograder))
    assert all(getattr(autograder, name) is not None for name in autograder.__all__)
    assert not hasattr(autograder, "no_such_name")


def test_the_process_that_runs_answers_loads_no_exercises() -> None:
    program = (
        "import sys, autograder.execution.student, autograder.isolation.forking; "
        "print([name for name in sys.modules if name.startswith(('autograder.checking', 'autograder.exercises', "
        "'autograder.feedback', 'autograder.progress', 'autograder.course', 'chainrule_lib'))])"
    )
    assert _printed(program) == "[]"
