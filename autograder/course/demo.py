"""A class of twelve made-up learners, taken through everything an instructor does, with every mark checked.

``make grade-demo`` makes a course in a scratch folder, releases lesson 05, hands in twelve notebooks, and runs
nbgrader's own ``autograde``, ``generate_feedback`` and ``export``. What each answer deserves is worked out beside
nbgrader, here in this process, from the exercises' definitions; the demonstration fails if a mark differs, or if a
feedback page does not say what was diagnosed.
"""

from __future__ import annotations

import csv
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from html import unescape
from math import isclose
from pathlib import Path
from tempfile import TemporaryDirectory

import nbformat
from nbgrader.api import Gradebook
from rich.console import Console
from rich.table import Table

from autograder.checking import evaluate
from autograder.course.build import build, check_id, grade_id
from autograder.course.folders import COURSE, notebook_path
from autograder.errors import CourseError
from autograder.exercises import Exercise, exercises, find

__all__ = ["grade_demo"]

LESSON = "05_backpropagation"
EXERCISE = "05.backprop_batch"
"""The exercise in which the learners differ."""

TIMEOUT = 15
"""Seconds after which a cell counts as an endless loop here: long enough for any cell of the lesson."""

RIGHT = """\
import numpy as np

def backprop(X, Y, W1, b1, W2, b2):
    A1 = 1 / (1 + np.exp(-(X @ W1.T + b1)))
    A2 = 1 / (1 + np.exp(-(A1 @ W2.T + b2)))
    dA2 = (A2 - Y) / len(X)
    dZ2 = dA2 * A2 * (1 - A2)
    dW2 = dZ2.T @ A1
    db2 = dZ2.sum(axis=0)
    dA1 = dZ2 @ W2
    dZ1 = dA1 * A1 * (1 - A1)
    dW1 = dZ1.T @ X
    db1 = dZ1.sum(axis=0)
    return dW1, db1, dW2, db2
"""

NUMERICAL = """\
import numpy as np
from chainrule_lib import numerical_gradient

def backprop(X, Y, W1, b1, W2, b2):
    def loss(W1, b1, W2, b2):
        A1 = 1 / (1 + np.exp(-(X @ W1.T + b1)))
        A2 = 1 / (1 + np.exp(-(A1 @ W2.T + b2)))
        return np.sum((A2 - Y) ** 2) / (2 * len(X))
    return (
        numerical_gradient(lambda W: loss(W, b1, W2, b2), W1),
        numerical_gradient(lambda b: loss(W1, b, W2, b2), b1),
        numerical_gradient(lambda W: loss(W1, b1, W, b2), W2),
        numerical_gradient(lambda b: loss(W1, b1, W2, b), b2),
    )
"""

FORGOT_SLOPE = ("dZ1 = dA1 * A1 * (1 - A1)", "dZ1 = dA1")
FORGOT_MEAN = ("dA2 = (A2 - Y) / len(X)", "dA2 = A2 - Y")
TRANSPOSED = ("dW2 = dZ2.T @ A1", "dW2 = A1.T @ dZ2")
SYNTAX_ERROR = ("len(X)", "len(X")
ENDLESS = ("    A1 =", "    while True:\n        pass\n    A1 =")


@dataclass(frozen=True)
class Learner:
    """One of the class.

    Parameters
    ----------
    name, story : for the table
    slips : what is written instead in ``RIGHT``: (right, wrong) pairs of text
    code : the answer to ``EXERCISE`` before the slips
    answered : the share of the lesson's exercises that is answered, from the first one on
    mistakes : the names of the mistakes that the check should find
    points : what ``EXERCISE`` deserves where that takes no computing, and the answer cannot be run in this process
    told : words that the feedback page must contain
    renamed, deleted : the notebook has another name; the exercise's check was deleted
    """

    name: str
    story: str
    slips: tuple[tuple[str, str], ...] = ()
    code: str = RIGHT
    answered: float = 1.0
    mistakes: tuple[str, ...] = ()
    points: float | None = None
    told: str = ""
    renamed: bool = False
    deleted: bool = False

    @property
    def answer(self) -> str:
        """The code of the answer to ``EXERCISE``."""
        code = self.code
        for right, wrong in self.slips:
            code = code.replace(right, wrong, 1)
        return code


CLASS = (
    Learner("ada", "everything right"),
    Learner("boris", "no σ′ in the hidden layer", (FORGOT_SLOPE,), mistakes=("forgot_hidden_slope",)),
    Learner("chidi", "no mean over the batch", (FORGOT_MEAN,), mistakes=("forgot_mean",)),
    Learner("dalia", "dW2 transposed", (TRANSPOSED,), mistakes=("dW2_transposed",)),
    Learner(
        "emil",
        "no mean, and no σ′ in the hidden layer",
        (FORGOT_MEAN, FORGOT_SLOPE),
        mistakes=("forgot_mean", "forgot_hidden_slope"),
    ),
    Learner("fatima", "finite differences instead of backpropagation", code=NUMERICAL, told="A numerical derivative"),
    Learner("goran", "the first half of the lesson", answered=0.5, told="Not attempted"),
    Learner("hana", "handed in as released", answered=0.0, told="Not attempted"),
    Learner("ivo", "a syntax error", (SYNTAX_ERROR,), points=0, told="SyntaxError"),
    Learner("jun", "an endless loop", (ENDLESS,), points=0, told="stopped while it was still running"),
    Learner("kofi", "right, with the check deleted", deleted=True),
    Learner("lena", "right, in a renamed notebook", renamed=True),
)


def grade_demo(keep: Path | None = None) -> int:
    """Grade the class, print what came of it, and return the exit status: 1 if a mark is not what it should be.

    Parameters
    ----------
    keep : a new or empty folder to leave the course in; None for a scratch folder

    Raises
    ------
    CourseError
        ``keep`` holds something already, or one of nbgrader's commands failed.
    """
    console = Console()
    with _course(keep) as course:
        console.print(f"Releasing {LESSON}, and grading {len(CLASS)} notebooks with nbgrader: a minute or two ...")
        _grade(course)
        table, faults = _report(course)
    console.print(table)
    if faults:
        console.print("\n".join(["Not as it should be:", *faults]), markup=False)
        return 1
    console.print(f"Every mark is what the answers deserve, out of {sum(e.points for e in _lesson())} points.")
    return 0


@contextmanager
def _course(keep: Path | None) -> Iterator[Path]:
    """A new course, in a folder to keep or in one that is gone afterwards."""
    with TemporaryDirectory() as scratch:
        folder = (keep or Path(scratch)).resolve()
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if any(folder.iterdir()):
                raise CourseError(f"{folder} is not empty; --keep takes a new folder for the demonstration's course.")
            shutil.copy(COURSE / "nbgrader_config.py", folder)
        except OSError as error:
            raise CourseError(f"Cannot make a course in {folder}: {error.strerror}.") from error
        yield folder


def _nbgrader(course: Path, *arguments: str) -> None:
    """Run one of nbgrader's own commands in the course, with the course's own settings and nobody else's."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CHAINRULE_")}
    environment |= {"CHAINRULE_LESSONS": str(course / "release"), "JUPYTER_CONFIG_DIR": str(course / "jupyter")}
    outcome = subprocess.run(
        [sys.executable, "-m", "nbgrader", *arguments],
        cwd=course,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if outcome.returncode:
        raise CourseError(f"'nbgrader {' '.join(arguments)}' failed:\n{outcome.stdout}")


def _grade(course: Path) -> None:
    """From the lesson's source to the exported marks, as an instructor goes."""
    (source,) = build([LESSON], course=course)
    _nbgrader(course, "generate_assignment", LESSON)
    for learner in CLASS:
        _hand_in(learner, course, source)
    _nbgrader(course, "autograde", LESSON, f"--Execute.timeout={TIMEOUT}")
    _nbgrader(course, "generate_feedback", LESSON)
    _nbgrader(course, "export")


def _report(course: Path) -> tuple[Table, list[str]]:
    """The class with its marks, and what is wrong with them."""
    table = Table("learner", "what was handed in", "points", "deserved", "diagnosis", title=LESSON)
    exported = _exported(course)
    faults: list[str] = []
    for learner in CLASS:
        deserved, diagnosis = _deserved(learner)
        marks = _marks(course, learner)
        total = sum(marks.values())
        found = [*_compare(deserved, marks), *_unsaid(learner, diagnosis, course)]
        if not isclose(exported[learner.name], total):
            found.append(f"the exported total is {exported[learner.name]:g}, not {total:g}")
        faults += [f"{learner.name}: {fault}" for fault in found]
        row = (learner.name, learner.story, f"{total:g}", f"{sum(deserved.values()):g}", ", ".join(diagnosis))
        table.add_row(*row, style="bold red" if found else None)
    return table, faults


def _lesson() -> list[Exercise]:
    """The lesson's exercises, in order."""
    return [exercise for exercise in exercises() if exercise.lesson == LESSON]


def _attempted(learner: Learner) -> list[Exercise]:
    """The exercises that the learner answered."""
    lesson = _lesson()
    return lesson[: int(len(lesson) * learner.answered)]


def _hand_in(learner: Learner, course: Path, source: Path) -> None:
    """Write the learner's answers into the released notebook, and put it where nbgrader collects from."""
    solved = {cell.id: cell.source for cell in nbformat.read(source, as_version=4).cells}
    notebook = nbformat.read(notebook_path(course / "release", LESSON), as_version=4)
    answers = {
        grade_id(exercise.id): learner.answer if exercise.id == EXERCISE else solved[grade_id(exercise.id)]
        for exercise in _attempted(learner)
    }
    for cell in notebook.cells:
        cell.source = answers.get(cell.id, cell.source)
    if learner.deleted:
        notebook.cells = [cell for cell in notebook.cells if cell.id != check_id(EXERCISE)]
    folder = course / "submitted" / learner.name / LESSON
    folder.mkdir(parents=True)
    nbformat.write(notebook, folder / f"{LESSON}{' (1)' if learner.renamed else ''}.ipynb")


def _deserved(learner: Learner) -> tuple[dict[str, float], tuple[str, ...]]:
    """What each exercise deserves, by id, and what should be diagnosed in the one where the learners differ."""
    deserved = dict.fromkeys([exercise.id for exercise in _lesson()], 0.0)
    deserved |= {exercise.id: float(exercise.points) for exercise in _attempted(learner)}
    if not deserved[EXERCISE]:
        return deserved, ("not attempted",)
    if learner.points is not None:
        deserved[EXERCISE] = learner.points
        return deserved, (learner.told,)
    names: dict[str, object] = {}
    exec(learner.answer, names)
    exercise = find(EXERCISE)
    result = evaluate(EXERCISE, names[exercise.function])
    deserved[EXERCISE] = float(exercise.points) if learner.answer == RIGHT else result.score
    return deserved, result.mistakes or (result.verdict,)


def _marks(course: Path, learner: Learner) -> dict[str, float]:
    """What nbgrader's gradebook has for each exercise, by id."""
    with Gradebook(f"sqlite:///{course / 'gradebook.db'}") as gradebook:
        grades = gradebook.find_submission_notebook(LESSON, LESSON, learner.name).grades
        scores = {grade.name: grade.score for grade in grades}
    return {exercise.id: scores[check_id(exercise.id)] for exercise in _lesson()}


def _exported(course: Path) -> dict[str, float]:
    """Each learner's total in nbgrader's table for the registry."""
    with (course / "grades.csv").open(encoding="utf-8", newline="") as file:
        return {row["student_id"]: float(row["score"]) for row in csv.DictReader(file)}


def _compare(deserved: dict[str, float], marks: dict[str, float]) -> list[str]:
    """Every mark that differs from what it should be. nbgrader reads marks of six digits."""
    return [
        f"{id} has {marks[id]:g} points and deserves {points:g}"
        for id, points in deserved.items()
        if not isclose(marks[id], points, rel_tol=1e-5)
    ]


def _unsaid(learner: Learner, diagnosis: tuple[str, ...], course: Path) -> list[str]:
    """What the learner should be told: the diagnosis meant for these slips, in the feedback page that nbgrader made."""
    page = unescape((course / "feedback" / learner.name / LESSON / f"{LESSON}.html").read_text(encoding="utf-8"))
    if learner.mistakes and diagnosis != learner.mistakes:
        return [f"the diagnosis is {', '.join(diagnosis)}, not {', '.join(learner.mistakes)}"]
    mistakes = find(EXERCISE).mistakes
    sentences = [*(mistakes[name].explanation for name in learner.mistakes), learner.told]
    return [f"the feedback does not say: {sentence}" for sentence in sentences if sentence not in page]
