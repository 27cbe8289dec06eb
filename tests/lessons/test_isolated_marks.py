"""Isolated execution gives the marks that nbgrader's own gives, in every lesson, and shows what it shows.

nbgrader's ``Execute`` is nbclient in a kernel; the notebooks it ran are those of the other tests of this folder.
"""

from collections.abc import Callable, Iterator
from copy import deepcopy
from itertools import groupby
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbformat import NotebookNode
from nbgrader.utils import determine_grade, is_solution

from autograder.course.folders import LESSONS, notebook_path
from autograder.execution.notebook import Limits, run_notebook
from autograder.execution.parents import Parents
from autograder.execution.preprocessor import is_check
from autograder.execution.withholding import NOT_DRAWN


@pytest.fixture(scope="module")
def _parents() -> Iterator[dict[str, Parents]]:
    kept: dict[str, Parents] = {}
    yield kept
    for parents in kept.values():
        parents.close()


@pytest.fixture
def isolated(lesson: str, _parents: dict[str, Parents]) -> Callable[[NotebookNode], NotebookNode]:
    """Runs a copy of a notebook in two processes."""

    def run(notebook: NotebookNode) -> NotebookNode:
        if lesson not in _parents:
            _parents[lesson] = Parents(lesson)
        parents, copy = _parents[lesson], deepcopy(notebook)
        limits = Limits(cell=120)
        execution = run_notebook(copy, parents.student, parents.grading, 1, is_check, limits=limits)
        assert execution.faults == {}
        return copy

    return run


def marks(notebook: NotebookNode) -> dict[str, float]:
    """Points by check, as nbgrader takes them from the outputs."""
    return {cell.metadata.nbgrader.grade_id: determine_grade(cell)[0] for cell in notebook.cells if is_check(cell)}


def verdicts(notebook: NotebookNode) -> list[str]:
    """What was said of each check, for whoever reads a failure."""
    found = [cell.metadata.chainrule for cell in notebook.cells if "chainrule" in cell.metadata]
    return [f"{each.get('verdict')}: {each.get('message')}" for each in found if each.get("verdict") != "correct"]


def shown(cell: NotebookNode) -> list[tuple[str, ...]]:
    """The types of a cell's outputs; a kernel cuts what is printed in a row into pieces."""
    types = [(each.output_type, each.get("name", ""), *sorted(each.get("data", {}))) for each in cell.outputs]
    return [kind for kind, _ in groupby(types)]


def test_a_solved_lesson_has_the_same_marks_and_outputs(
    lesson: str, solved: Callable[[str], Any], isolated: Callable[[NotebookNode], NotebookNode]
):
    reference = solved(lesson).notebook
    found = isolated(reference)
    assert marks(found) == marks(reference), verdicts(found)
    for ours, theirs in zip(found.cells, reference.cells, strict=True):
        if ours.cell_type == "code" and NOT_DRAWN not in str(ours.outputs):
            assert shown(ours) == shown(theirs), ours.source
            assert ours.execution_count == theirs.execution_count


def test_an_untouched_lesson_has_the_same_marks(
    lesson: str, as_released: Callable[[str], NotebookNode], isolated: Callable[[NotebookNode], NotebookNode]
):
    reference = as_released(lesson)
    assert marks(isolated(reference)) == marks(reference)


def test_a_half_solved_lesson_has_the_same_marks(
    lesson: str,
    solved: Callable[[str], Any],
    run_released: Callable[[Path, Path], NotebookNode],
    isolated: Callable[[NotebookNode], NotebookNode],
    tmp_path: Path,
):
    """Every other answer is there; to save time, only imports, answers and checks are run."""
    answers = {cell.id: cell.source for cell in solved(lesson).notebook.cells if is_solution(cell)}
    notebook = nbformat.read(notebook_path(LESSONS, lesson), as_version=nbformat.NO_CONVERT)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    notebook.cells = [cell for cell in code if "nbgrader" in cell.metadata or "import check" in cell.source]
    for cell in [cell for cell in notebook.cells if is_solution(cell)][::2]:
        cell.source = answers[cell.id]
    nbformat.write(notebook, tmp_path / "half.ipynb")
    reference = run_released(tmp_path / "half.ipynb", tmp_path)
    assert 0 < sum(marks(reference).values()) < sum(cell.metadata.nbgrader.points for cell in code if is_check(cell))
    assert marks(isolated(notebook)) == marks(reference)
