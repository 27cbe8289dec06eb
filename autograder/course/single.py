"""``chainrule check``: one notebook graded as the grader would, without a course, a gradebook or a student's name."""

from __future__ import annotations

import io
import re
import secrets
import shutil
import stat
import warnings
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode
from nbformat.reader import NotJSONError
from nbformat.v4 import upgrade
from nbgrader.utils import determine_grade
from rich.console import Console
from rich.table import Table
from rich.text import Text

from autograder.course.build import check_id, grade_id, graded_cells
from autograder.course.submissions import restore
from autograder.errors import CourseError
from autograder.execution.notebook import Limits, run_notebook
from autograder.execution.parents import Resources, warm_parents
from autograder.execution.preprocessor import is_check
from autograder.exercises import Exercise, exercises
from autograder.isolation.report import warning

__all__ = ["Grading", "Row", "check_notebook", "read_notebook", "shown", "why_unreadable"]

LARGEST = 256 << 20
"""Bytes of a notebook that is read; the largest lesson, with all its pictures, has a hundredth of that."""

_CHECKED = re.compile(r"""\bcheck\(\s*["'](\d\d\.\w+)["']""")


@dataclass(frozen=True)
class Row:
    """One exercise: points, and what the check found."""

    id: str
    title: str
    score: float
    points: float
    verdict: str
    message: str
    mistakes: tuple[str, ...]
    seconds: float


@dataclass(frozen=True)
class Grading:
    """What came of a notebook.

    Parameters
    ----------
    path, lesson : what was graded, as what
    rows : an entry for each exercise of the lesson
    seed : repeats the checks exactly
    unconfined : layers of the confinement that the kernel lacks; not empty only if that was allowed
    changes, faults : what had to be put right in the notebook, and cells that took their process down, in sentences
    """

    path: str
    lesson: str
    rows: tuple[Row, ...]
    seed: int
    unconfined: tuple[str, ...]
    changes: tuple[str, ...]
    faults: tuple[str, ...]

    @property
    def score(self) -> float:
        """Points in all."""
        return sum(row.score for row in self.rows)

    @property
    def points(self) -> float:
        """Points there are."""
        return sum(row.points for row in self.rows)

    def to_dict(self) -> dict[str, Any]:
        """The report as plain data."""
        return {**asdict(self), "score": self.score, "points": self.points}


def check_notebook(
    path: Path,
    lesson: str | None = None,
    seed: int | None = None,
    limits: Limits | None = None,
    resources: Resources | None = None,
) -> Grading:
    """Grade one notebook.

    Parameters
    ----------
    path : the notebook; where no other one is in its folder, the files there are there for its cells too
    lesson : such as ``"05_backpropagation"``; None to tell it from the notebook
    seed : of the checks; None for a fresh one
    limits, resources : what it may use; None for the usual

    Raises
    ------
    CourseError
        The notebook cannot be read, is of no lesson, or cannot be run here.
    """
    nb = read_notebook(path)
    lesson = lesson or _lesson(nb, path)
    asked = _of(lesson)
    released = {name: cell for each in asked for name, cell in graded_cells(each).items()}
    changes = restore(nb, released)
    parents = warm_parents(lesson, resources or Resources())
    seed = secrets.randbits(32) if seed is None else seed
    execution = run_notebook(
        nb,
        parents.student,
        parents.grading,
        seed=seed,
        is_check=is_check,
        files=_files(path),
        limits=limits or Limits(),
    )
    seconds = {
        nb.cells[index].metadata.get("nbgrader", {}).get("grade_id"): s for index, s in execution.seconds.items()
    }
    return Grading(
        path=str(path),
        lesson=lesson,
        rows=_rows(nb, asked, seconds),
        seed=seed,
        unconfined=execution.unconfined,
        changes=tuple(changes),
        faults=tuple(f"Cell {index + 1}: {fault}" for index, fault in execution.faults.items()),
    )


def _files(path: Path) -> Path | None:
    """The folder of files that belong to a notebook; None where others lie there, whose files they may be."""
    folder = path.resolve().parent
    return folder if len(list(folder.glob("*.ipynb"))) == 1 else None


def read_notebook(path: Path) -> NotebookNode:
    """A notebook of any format and origin, in format 4.5 and without outputs.

    Raises
    ------
    CourseError
        It is no notebook, or too large for one.
    """
    try:
        status = path.stat()
        size = status.st_size
        if not stat.S_ISREG(status.st_mode):
            raise CourseError(f"{path} is no file that holds a notebook.")
        if size > LARGEST:
            raise CourseError(f"{path} has {size / 1e6:.0f} MB; a notebook may have {LARGEST / 1e6:.0f} MB at most.")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what is odd about it is put right below
            nb = nbformat.read(path, as_version=4)
            nb = upgrade(nb, from_minor=nb.nbformat_minor)
        if not isinstance(nb.cells, list):
            raise TypeError
        for cell in nb.cells:
            if not isinstance(cell.get("source"), str):
                cell.source = ""
            if cell.cell_type == "code":
                cell.outputs, cell.execution_count = [], None
        nb.metadata.pop("widgets", None)
    except CourseError:
        raise
    except OSError as error:
        raise CourseError(f"{path} cannot be read: {error.strerror or error}.") from error
    except Exception as error:  # json and nbformat raise errors of their own, with no common class
        raise CourseError(f"{path} is no notebook that can be read: {why_unreadable(error)}.") from error
    return nb


def why_unreadable(error: Exception) -> str:
    """Why a notebook cannot be read, for people: most of nbformat's own errors speak of its attributes and keys."""
    if isinstance(error, NotJSONError):
        return "it is not JSON, or only the beginning of it"
    if isinstance(error, RecursionError):
        return "it is nested far too deeply"
    said = " ".join(str(error).split())
    return said.rstrip(".")[:100] if said.startswith("Unsupported") else "its parts are not those of a notebook"


def _lesson(nb: NotebookNode, path: Path) -> str:
    """The lesson most of whose exercises a notebook mentions."""
    lessons = {each.id: each.lesson for each in exercises()}
    names = {name: each.lesson for each in exercises() for name in (grade_id(each.id), check_id(each.id))}
    found = Counter(_mentioned(nb, lessons, names))
    if path.stem in lessons.values():
        found[path.stem] += 1
    if not found:
        raise CourseError(f"{path} holds no exercise of the course; --lesson says which lesson it is.")
    return found.most_common(1)[0][0]


def _mentioned(nb: NotebookNode, lessons: dict[str, str], names: dict[str, str]) -> Iterable[str]:
    """The lesson of every check that a notebook calls, and of every cell that nbgrader has a name for."""
    for cell in nb.cells:
        for id in _CHECKED.findall(str(cell.source)):
            if id in lessons:
                yield lessons[id]
        claims = cell.metadata.get("nbgrader")
        name = claims.get("grade_id") if isinstance(claims, dict) else None
        if isinstance(name, str) and name in names:
            yield names[name]


def _of(lesson: str) -> list[Exercise]:
    """The exercises of a lesson."""
    found = [each for each in exercises() if each.lesson == lesson]
    if not found:
        known = ", ".join(dict.fromkeys(each.lesson for each in exercises()))
        raise CourseError(f"There is no lesson {lesson!r} with exercises; the lessons are: {known}.")
    return found


def _rows(nb: NotebookNode, asked: Iterable[Exercise], seconds: dict[str, float]) -> tuple[Row, ...]:
    """The rows of a notebook that was run, in its order."""
    checked = {check_id(each.id): each for each in asked}
    checks = [cell for cell in nb.cells if is_check(cell)]
    return tuple(_row(cell, checked[cell.metadata.nbgrader.grade_id], seconds) for cell in checks)


def _row(cell: NotebookNode, exercise: Exercise, seconds: dict[str, float]) -> Row:
    """The row of a check that was run: points as nbgrader takes them from its outputs."""
    score, points = determine_grade(cell)
    found = cell.metadata.get("chainrule", {})
    return Row(
        id=exercise.id,
        title=exercise.title,
        score=score,
        points=points,
        verdict=found.get("verdict", "not run"),
        message=found.get("message", ""),
        mistakes=tuple(found.get("mistakes", ())),
        seconds=seconds.get(cell.metadata.nbgrader.grade_id, 0.0),
    )


def shown(grading: Grading) -> str:
    """The report for a terminal: a line per exercise, and what was out of the ordinary."""
    table = Table(title=f"{grading.lesson}: {grading.score:g} of {grading.points:g} points", title_justify="left")
    table.add_column("exercise")
    table.add_column("points", justify="right")
    table.add_column("verdict")
    table.add_column("what was found", overflow="fold")
    for row in grading.rows:
        said = ", ".join(row.mistakes) or ("" if row.verdict == "correct" else row.message)
        table.add_row(f"{row.id}\n{row.title}", f"{row.score:g} of {row.points:g}", row.verdict, Text(said))
    console = Console(file=io.StringIO(), width=shutil.get_terminal_size((100, 24)).columns)
    console.print(table)
    for sentence in (*grading.changes, *grading.faults):
        console.print(sentence, markup=False)
    if grading.unconfined:
        console.print(f"Warning: {warning(grading.unconfined)}", markup=False)
    console.print(f"Seed {grading.seed}: --seed {grading.seed} repeats these checks.", markup=False)
    return console.file.getvalue().rstrip()  # type: ignore[attr-defined]
