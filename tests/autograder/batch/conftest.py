"""A class of two assignments, for the tests of batch grading, and its gradebook as plain rows."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from nbgrader.api import Gradebook

from autograder.exercises import Exercise

LESSON = "05_backpropagation"
PROJECT = "project"

Rows = dict[str, Any]


def cell(kind: str, source: str, name: str, **properties: Any) -> NotebookNode:
    """A cell that nbgrader keeps track of."""
    plain = {"schema_version": 3, "grade": False, "solution": False, "locked": False, "task": False}
    new_cell = new_code_cell if kind == "code" else new_markdown_cell
    return new_cell(source, id=name, metadata={"nbgrader": {**plain, "grade_id": name, **properties}})


def project() -> dict[str, NotebookNode]:
    """An assignment of two notebooks, as an instructor without our exercises writes them."""
    return {
        "first": new_notebook(
            cells=[
                cell("code", "### BEGIN SOLUTION\nx = 2\n### END SOLUTION", "x", solution=True),
                cell("code", "assert x == 2", "test-x", grade=True, locked=True, points=2),
                cell("code", "open('given.txt').read()", "reads", locked=True),
                cell("markdown", "Why?", "why", grade=True, solution=True, points=3),
                cell("code", "# your plot", "plot", grade=True, solution=True, points=1),
            ]
        ),
        "second": new_notebook(
            cells=[
                cell("markdown", "Write a program.", "program", task=True, locked=True, points=4),
                cell("code", "y = 1", "y", solution=True),
                cell("code", "assert y > 1\n0.5", "test-y", grade=True, locked=True, points=2),
            ]
        ),
    }


@pytest.fixture(scope="session")
def class_of_six(
    tmp_path_factory: pytest.TempPathFactory,
    _released_once: Path,
    two_exercises: list[Exercise],
    written: Callable[..., str],
    nbgrader: Callable[..., Any],
) -> Path:
    """A course with two released assignments and six learners' submissions, none of them graded."""
    course = shutil.copytree(_released_once, tmp_path_factory.mktemp("class") / "course")
    with (course / "nbgrader_config.py").open("a") as config:
        config.write("\nc.LateSubmissionPlugin.penalty_method = 'zero'\nc.Execute.timeout = 2\n")
    (course / "source" / PROJECT).mkdir()
    for name, nb in project().items():
        nbformat.write(nb, course / "source" / PROJECT / f"{name}.ipynb")
    (course / "source" / PROJECT / "given.txt").write_text("given\n")
    made = nbgrader(course, "generate_assignment", PROJECT)
    assert made.returncode == 0, made.stderr
    with Gradebook(f"sqlite:///{course / 'gradebook.db'}") as book:
        book.update_or_create_assignment(LESSON, duedate=datetime(2026, 1, 2))
    released = nbformat.read(course / "release" / LESSON / f"{LESSON}.ipynb", as_version=nbformat.NO_CONVERT)
    answers = {
        "ada": [None, None],
        "boris": [None, "return 0, 0"],
        "chidi": ["while True: pass", None],
        "dalia": ["return dz2 *", None],
        "emil": [],
        "fatima": [None, None],
    }
    for student, bodies in answers.items():
        nb = nbformat.from_dict(released)
        for exercise, body in zip(two_exercises, bodies, strict=False):
            answer = next(each for each in nb.cells if each.id == exercise.id.replace(".", "-"))
            answer.source = written(exercise, body)
        hand_in(course, student, LESSON, {LESSON: nb}, "2026-01-03" if student == "fatima" else "2026-01-01")
    answered = project()
    answered["first"].cells[3].source = "Because."
    answered["second"].cells[1].source = "y = 2"
    hand_in(course, "ada", PROJECT, answered)
    hand_in(course, "boris", PROJECT, {"first": answered["first"]})
    hand_in(course, "emil", PROJECT, project())
    (course / "submitted" / "ada" / PROJECT / "given.txt").write_text("changed\n")
    (course / "submitted" / "ada" / PROJECT / "data").mkdir()
    (course / "submitted" / "ada" / PROJECT / "data" / "own.csv").write_text("1,2\n")
    return course


def hand_in(
    course: Path, student: str, assignment: str, notebooks: dict[str, NotebookNode], day: str = "2026-01-01"
) -> Path:
    """Put a submission where nbgrader collects them."""
    folder = course / "submitted" / student / assignment
    folder.mkdir(parents=True)
    for name, nb in notebooks.items():
        nbformat.write(nb, folder / f"{name}.ipynb")
    (folder / "timestamp.txt").write_text(f"{day} 10:00:00 UTC")
    return folder


@pytest.fixture
def course(class_of_six: Path, tmp_path: Path) -> Path:
    """A copy of the class, for one test."""
    return shutil.copytree(class_of_six, tmp_path / "course")


@pytest.fixture(scope="session")
def graded_by_nbgrader(
    class_of_six: Path, tmp_path_factory: pytest.TempPathFactory, nbgrader: Callable[..., Any]
) -> Path:
    """The class after ``nbgrader autograde``."""
    course = shutil.copytree(class_of_six, tmp_path_factory.mktemp("nbgrader") / "course")
    for assignment in (LESSON, PROJECT):
        outcome = nbgrader(course, "autograde", assignment)
        assert outcome.returncode == 0, outcome.stderr
    return course


def grade(course: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """``chainrule grade`` in a process of its own, as an instructor runs it."""
    return subprocess.run(command(course, *arguments), capture_output=True, text=True, env=os.environ | environment)


def command(course: Path, *arguments: str) -> list[str]:
    """The command line of ``chainrule grade``."""
    return [sys.executable, "-m", "autograder.cli", "grade", *arguments, "--course", str(course)]


def rows(url: str | Path) -> Rows:
    """Everything in a gradebook that grading writes, without the keys that are drawn by chance."""
    found: Rows = {}
    with Gradebook(url if isinstance(url, str) else f"sqlite:///{url}") as book:
        for student in book.students:
            for submission in student.submissions:
                found[f"{student.id} {submission.name}"] = (submission.timestamp, submission.score)
                for nb in submission.notebooks:
                    where = f"{student.id} {submission.name} {nb.name}"
                    found[where] = (nb.late_submission_penalty, nb.score, nb.needs_manual_grade, nb.failed_tests)
                    for grade in nb.grades:
                        found[f"{where} {grade.name}"] = (
                            grade.auto_score,
                            grade.manual_score,
                            grade.extra_credit,
                            grade.needs_manual_grade,
                        )
                    for comment in nb.comments:
                        found[f"{where} {comment.name} comment"] = (comment.auto_comment, comment.manual_comment)
    return found
