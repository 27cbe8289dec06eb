"""Whole notebooks in a student process: what one cell sets holds for the next, as in a kernel."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from nbclient import NotebookClient
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_notebook, new_output
from nbgrader.utils import determine_grade

from autograder.execution.notebook import _as_nbgrader_reads_them, run_notebook
from autograder.execution.parents import Parents, Resources
from autograder.execution.received import Report
from autograder.isolation.forking import FORKS, LULL
from autograder.isolation.warm import Child


@pytest.fixture(scope="module")
def parents(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Parents]:
    """Of a grader that has a folder on its path which learners cannot read."""
    folder = tmp_path_factory.mktemp("grader")
    (folder / "own.py").write_text("value = 'of the grader'\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        started = Parents("00_welcome")
    started.wait()
    yield started
    started.student.close()
    started.grading.close()


def run(parents: Parents, *cells: str) -> list[NotebookNode]:
    """The cells after they were run; those that begin with an assertion are checks."""
    nb = new_notebook(cells=[new_code_cell(cell) for cell in cells])
    run_notebook(nb, parents.student, parents.grading, 0, lambda cell: cell.source.startswith("assert"))
    found: list[NotebookNode] = nb.cells
    return found


def shown(cells: list[NotebookNode]) -> list[Any]:
    """What cells show, without tracebacks, which name files."""
    return [
        [(each.output_type, each.get("text"), each.get("evalue"), dict(each.get("data", {}))) for each in cell.outputs]
        for cell in cells
    ]


def compared(parents: Parents, tmp_path: Path, *cells: str) -> tuple[list[Any], list[Any]]:
    """What cells show, and what they show in a kernel."""
    kernel = new_notebook(cells=[new_code_cell(cell) for cell in cells])
    NotebookClient(kernel, allow_errors=True, resources={"metadata": {"path": str(tmp_path)}}).execute()
    return shown(run(parents, *cells)), shown(kernel.cells)


def test_settings_that_make_later_cells_fail_stay_in_force(parents: Parents, tmp_path: Path) -> None:
    cells = [
        "import warnings\nimport numpy as np",
        "np.seterr(all='raise');",
        "np.exp(1000.0)",
        "np.seterr(all='warn')['over']",
        "warnings.simplefilter('error')",
        "np.array([1.0]) / 0",
        "warnings.warn('look')",
        "warnings.filters[0][0]",
    ]
    ours, expected = compared(parents, tmp_path, *cells)
    assert [cell[0][2] for cell in expected if cell and cell[0][0] == "error"] == [
        "overflow encountered in exp",
        "divide by zero encountered in divide",
        "look",
    ]
    assert ours == expected


def test_a_magic_that_reads_all_modules_says_nothing_of_ours(parents: Parents) -> None:
    for cell in run(
        parents, "%load_ext autoreload", "%autoreload 2", "import inspect\ninspect.getmodule(int)", "1 / 0"
    ):
        for output in cell.outputs:
            assert "autograder" not in str(output)


def test_a_module_of_the_learners_own_is_found(parents: Parents) -> None:
    *_, last = run(parents, "%%writefile own.py\nvalue = 'of the learner'", "import own\nown.value")
    assert last.outputs[0]["data"]["text/plain"] == "'of the learner'"


def test_a_check_sees_what_a_name_means_by_then(parents: Parents) -> None:
    cells = [
        "def f():\n    return 1\n\ndef change():\n    global f\n    f = lambda: 5",
        "assert f() == 1",
        "f = lambda: 2",
        "assert f() == 2\nassert f() == 2",
        "g = f",
        "assert g() == 2",
        "f = lambda x=3: x",
        "assert f() == 3",
        "f = 4",
        "assert f == 4",
        "change()",
        "assert f() == 5",
        "def f():\n    return 6",
        "assert change() is None",
        "assert f() == 5",
        "def f():\n    return 7\n\nraise ValueError('after all')",
        "assert f() == 7",
        "%timeit -n 1 -r 1 pass\nf = len",
        "assert f([1, 2]) == 2",
        "def f():\n    return 8",
        "globals()[1] = lambda: 0\nf = lambda: 9",
        "assert f() == 9\nh = change",
        "f = lambda: 10",
        "assert h() is None",
        "assert f() == 5",
        "import threading\nimport time\n\ndef f():\n    return 11\n\nthreading.Timer(0.3, change).start()",
        "assert (time.sleep(1), f())[1] == 11",
        "assert f() == 5",
        "del f",
        "assert f() == 11",
    ]
    *found, last = run(parents, *cells)
    errors = [
        (cell.source, output.evalue) for cell in found for output in cell.outputs if output.output_type == "error"
    ]
    assert errors == [(cells[15], "after all")]
    assert [output.evalue for output in last.outputs] == ["name 'f' is not defined"]


def test_what_a_function_holds_on_to_goes_with_it() -> None:
    define = """import numpy as np

def make():
    large = np.ones(25_000_000)
    return lambda: large.sum()

f = make()
"""
    started = Parents("00_welcome", Resources(memory=1 << 30))
    with contextlib.closing(started):
        started.wait()
        assert shown(run(started, *[define] * 8)) == [[]] * 8


@pytest.mark.skipif(not FORKS, reason="the process is looked up among those of this system")
def test_a_grading_process_that_is_lost_before_the_first_check_costs_nothing(
    parents: Parents, monkeypatch: pytest.MonkeyPatch
) -> None:
    children = []
    make = parents.grading.child

    def noted() -> Child:
        children.append(make())
        return children[-1]

    def kill() -> None:
        os.kill(children[0].pid, signal.SIGKILL)

    monkeypatch.setattr(parents.grading, "child", noted)
    cells = ["import time\n\ndef f():\n    return 1", "time.sleep(1)", "assert f() == 1"]
    threading.Timer(0.6, kill).start()
    assert shown(run(parents, *cells)) == [[]] * 3
    assert len(children) == 2


def test_nothing_of_the_parents_shows_in_what_is_raised(parents: Parents, tmp_path: Path) -> None:
    run(parents, "import time", f"time.sleep({5 * LULL})")  # meanwhile the next process is made
    cells = [
        "import sys\nsys.exc_info()",
        "raise",
        "def f():\n    return 1\n\n1 / 0",
        "try:\n    1 / 0\nexcept ZeroDivisionError as error:\n    print(error.__context__)",
    ]
    ours, kernels = compared(parents, tmp_path, *cells)
    assert ours == kernels
    run(parents, "import time", f"time.sleep({5 * LULL})")
    *_, error, check = run(parents, *cells[2:3], "assert f() == 2, sys.exc_info()")
    for cell in (error, check):
        (output,) = cell.outputs
        assert "isolation" not in str(output)


def test_what_a_learner_forgets_or_slips_at_is_told_as_in_a_kernel(parents: Parents, tmp_path: Path) -> None:
    cells = [
        "def f(x):\n    y = x\n  return y",
        "def f(x):\n    breakpoint()\n    return x\n\nf(2)",
        "%matplotlib notebook\n3",
        "%matplotlib inline\nimport mimetypes\nmimetypes.guess_type('a.png')",
        "import os\nos.mkdir('below')",
        "%cd -q below",
        "%cd -q -",
        "os.path.exists('below'), len(_dh)",
        "# so\x0c%time 1",
        "int?",
        "x = 'a\u2028b'",
    ]
    ours, kernels = compared(parents, tmp_path, *cells)
    assert ours == kernels


def test_what_python_says_of_the_syntax_is_shown_as_often_as_in_a_kernel(parents: Parents, tmp_path: Path) -> None:
    for cell in ("x = 1\nx is 1", "import asyncio\nx = 1\nawait asyncio.sleep(0)\nx is 1"):
        (ours,), (kernels,) = compared(parents, tmp_path, cell)
        assert "SyntaxWarning" in kernels[0][1]
        assert ours[0][1].count("SyntaxWarning") == kernels[0][1].count("SyntaxWarning")


def test_a_figure_drawn_for_a_check_is_not_shown_below_the_next_cell(parents: Parents) -> None:
    cells = run(
        parents,
        "import matplotlib.pyplot as plt\n\ndef draw():\n    plt.plot([1])\n    return 1",
        "assert draw() == 1",
        "plt.get_fignums()",
        "plt.plot([2])\nNone",
    )
    assert [list(output.get("data", {})) for output in cells[2].outputs] == [["text/plain"]]
    assert cells[2].outputs[0]["data"]["text/plain"] == "[]"
    assert "image/png" in cells[3].outputs[0]["data"]


def test_a_masked_array_keeps_its_mask(parents: Parents) -> None:
    cells = [
        "import numpy as np\nmasked = np.ma.array([1.0, 2.0], mask=[False, True])",
        "assert masked.sum() == 1",
        "assert masked.sum() == 3",
    ]
    _, right, wrong = run(parents, *cells)
    assert right.outputs == []
    assert [output.output_type for output in wrong.outputs] == ["error"]


def test_a_check_whose_result_is_left_out_gives_no_points() -> None:
    left_out = new_output("execute_result", {"text/plain": "<This output was left out: it has more than 8 MB.>"})
    for outputs, share, expected in [
        ([left_out], 0.0, 0),
        ([left_out], 0.5, 0),
        ([left_out], 1.0, 2),
        ([left_out, new_output("error", ename="E", evalue="", traceback=[])], 0.5, 0),
        ([], 0.0, 0),
        ([new_output("execute_result", {"text/plain": "1"})], 0.5, 1),
        ([new_output("execute_result", {"text/plain": "nan"})], 0.5, 0),
        ([new_output("stream", text="1"), new_output("execute_result", {"text/html": "1"})], 0.5, 0),
    ]:
        results = ({"score": 2 * share, "max_score": 2},)
        report = Report(1, tuple(outputs), ("",) * len(outputs), (), {}, results)
        cell = new_code_cell(metadata={"nbgrader": {"grade": True, "solution": False, "points": 2}})
        cell.outputs = _as_nbgrader_reads_them(report)
        assert determine_grade(cell) == (expected, 2)


LATER_STATEMENTS = [
    "import numpy as np\ntotal, log, W, other = 0, [3, 1], np.ones(2), 5",
    "def add(n):\n    global total\n    total += n",
    "def sort():\n    log.sort()\n\ndef fill(a):\n    a[:] = 7\n    return a",
    "def vanish():\n    global other\n    del other",
    "assert total == 0\nadd(5)\nassert total == 5\nadd(1)\nassert [total for _ in range(2)] == [6, 6]",
    "assert total == 6",
    "assert log == [3, 1]\nsort()\nassert log == [1, 3]",
    "assert W.sum() == 2\nW[0] = 5.0\nadd(1)\nassert W[0] == 5.0, 'what the check itself has changed'",
    "assert W.sum() == 2 or True\nfill(W)\nassert W.tolist() == [7, 7]",
    "assert total == 7\ndef read():\n    return total\nbefore = total\nadd(1)\nassert read() == before + 1",
    "assert other == 5\nvanish()\ntry:\n    other\nexcept NameError:\n    pass\nelse:\n    raise ValueError",
    "assert total == 8\ntotal = 100\nadd(1)\nassert total in (100, 101), 'what the check itself has bound'",
]


def test_a_later_statement_of_a_check_sees_what_has_become_of_data(parents: Parents, tmp_path: Path) -> None:
    ours, kernels = compared(parents, tmp_path, *LATER_STATEMENTS)
    assert kernels == [[]] * len(kernels)
    assert ours == kernels


def test_what_a_check_has_fetched_again_is_gone_with_it(parents: Parents) -> None:
    cells = run(
        parents,
        "x = 1\n\ndef change(value):\n    global x\n    x = value",
        "assert x == 1\nchange(print)\nassert x is not None",
        "x = 3",
        "assert x == 3\nchange(4)\nassert x == 4",
        "del x",
        "assert x == 4",
    )
    assert shown(cells[:-1]) == [[]] * 5
    assert [output.evalue for output in cells[-1].outputs] == ["name 'x' is not defined"]
