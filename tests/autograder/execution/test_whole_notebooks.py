"""Whole notebooks in a student process: what one cell sets holds for the next, as in a kernel."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from nbclient import NotebookClient
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_notebook

from autograder.execution.notebook import run_notebook
from autograder.execution.parents import Parents


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
    kernel = new_notebook(cells=[new_code_cell(cell) for cell in cells])
    NotebookClient(kernel, allow_errors=True, resources={"metadata": {"path": str(tmp_path)}}).execute()
    expected = shown(kernel.cells)
    assert [cell[0][2] for cell in expected if cell and cell[0][0] == "error"] == [
        "overflow encountered in exp",
        "divide by zero encountered in divide",
        "look",
    ]
    assert shown(run(parents, *cells)) == expected


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
        "del f",
        "assert f() == 8",
    ]
    *found, last = run(parents, *cells)
    errors = [
        (cell.source, output.evalue) for cell in found for output in cell.outputs if output.output_type == "error"
    ]
    assert errors == [(cells[15], "after all")]
    assert [output.evalue for output in last.outputs] == ["name 'f' is not defined"]
