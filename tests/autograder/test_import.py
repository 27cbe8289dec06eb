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
