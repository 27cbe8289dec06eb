"""A class of one honest learner and one attacker in the same notebook: lesson 00, solved, with an attack in it.

Every file in ``notebooks`` is an attack, written like a lesson: MyST Markdown with code cells. Its front matter says
what must come of it::

    points: 0            what the attacked exercise may earn: 0, or its honest mark
    says: "stopped"      a regular expression that must be found in what is said of it
    attacked: 00.two_steps
    seconds: 3           the time limit of a cell, where the attack is a loop

A cell with ``:place: start``, ``answer`` or ``end`` stands behind the imports, in place of the attacked answer, or at
the end of the notebook. Answers of the exercises before and behind stay right.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jupytext
import nbformat
import pytest
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_notebook

from autograder.course.build import check_id, grade_id, source_notebook
from autograder.course.folders import lesson_sources
from autograder.course.single import Grading, check_notebook
from autograder.execution.notebook import Limits
from autograder.execution.parents import Resources

LESSON = "00_welcome"
ATTACKED = "00.two_steps"
FOLDER = Path(__file__).with_name("notebooks")


@dataclass(frozen=True)
class Attack:
    """One file of ``notebooks``."""

    name: str
    cells: dict[str, list[str]]
    points: float = 0
    says: str = ""
    attacked: str = ATTACKED
    seconds: float = 20
    memory: int = 1 << 30
    files: dict[str, str] = field(default_factory=dict)


def read_attack(path: Path) -> Attack:
    """An attack from its file."""
    document = jupytext.read(path, fmt="md:myst")
    cells: dict[str, list[str]] = {"start": [], "answer": [], "end": []}
    for cell in document.cells:
        if cell.cell_type == "code":
            cells[cell.metadata.get("place", "answer")].append(cell.source)
    expected = {name: value for name, value in document.metadata.items() if name in Attack.__dataclass_fields__}
    return Attack(path.stem, cells, **expected)


ATTACKS = [read_attack(path) for path in sorted(FOLDER.glob("*.md"))]


@pytest.fixture(scope="session")
def honest() -> Callable[[], NotebookNode]:
    """A new copy of the solved lesson: imports, answers and checks."""
    lesson = source_notebook(LESSON, lesson_sources([LESSON], None)[LESSON])
    kept = [
        c for c in lesson.cells if c.cell_type == "code" and ("nbgrader" in c.metadata or "import check" in c.source)
    ]
    return lambda: nbformat.from_dict(new_notebook(cells=kept, metadata=lesson.metadata))


@pytest.fixture
def graded(tmp_path: Path) -> Callable[..., Grading]:
    """Grades a notebook as ``chainrule check`` does."""

    def grade(nb: NotebookNode, name: str = "homework.ipynb", seconds: float = 20, memory: int = 1 << 30) -> Grading:
        path = tmp_path / name
        nbformat.write(nb, path)
        return check_notebook(
            path, LESSON, limits=Limits(cell=seconds, notebook=90), resources=Resources(memory=memory)
        )

    return grade


def place(nb: NotebookNode, name: str) -> int:
    """Where a cell is, by nbgrader's name."""
    return [cell.metadata.get("nbgrader", {}).get("grade_id") for cell in nb.cells].index(name)


def attacked(nb: NotebookNode, attack: Attack) -> NotebookNode:
    """A notebook with an attack in it."""
    position = place(nb, grade_id(attack.attacked))
    if attack.cells["answer"]:
        *before, last = attack.cells["answer"]
        nb.cells[position].source = last
        nb.cells[position:position] = map(new_code_cell, before)
    nb.cells[1:1] = map(new_code_cell, attack.cells["start"])
    nb.cells += map(new_code_cell, attack.cells["end"])
    return nb


def said(grading: Grading, id: str) -> str:
    """All that is said of an exercise, and of the notebook."""
    (row,) = (row for row in grading.rows if row.id == id)
    return "\n".join([row.verdict, row.message, *grading.faults, *grading.changes])


def scores(grading: Grading) -> dict[str, Any]:
    """Points by exercise."""
    return {row.id: row.score for row in grading.rows}


__all__ = ["ATTACKS", "Attack", "attacked", "check_id", "place", "re", "said", "scores"]
