"""How a class did in a lesson: the page that an instructor opens before the next lecture.

Marks come from nbgrader's gradebook, with what people have changed there. What the checks found (verdicts, mistakes by
name, seconds) stands in the metadata of the graded notebooks, see ``autograder.execution``; a course without our checks
has the marks alone.
"""

from __future__ import annotations

import io
import json
import shutil
from collections import Counter, defaultdict
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from math import isfinite, nan
from pathlib import Path
from statistics import mean, median
from typing import Any

from nbgrader.api import BaseCell, Grade, Notebook
from rich.console import Console
from rich.table import Table
from rich.text import Text
from sqlalchemy import select

from autograder.batch.course import Course, open_course
from autograder.batch.export import Lesson, Marks, read_marks
from autograder.batch.intake import Intake
from autograder.batch.record import Record
from autograder.course.build import check_id
from autograder.errors import CourseError
from autograder.exercises import Exercise, exercises

__all__ = ["Check", "Found", "Report", "page", "read_report", "shown"]

Cell = tuple[str, str]
"""A graded cell, by the names of its notebook and its own."""

Made = defaultdict[tuple[str, str], list[str]]
"""Who made a mistake, by the names of the exercise and of the mistake."""

People = defaultdict[str, list[str]]
"""Why a person has to look at a learner's submission."""

SHOWN = 8
"""Mistakes in a terminal."""


@dataclass
class Check:
    """How one check came out.

    Parameters
    ----------
    name, title : of the exercise; nbgrader's name of the cell, where it is none of ours
    points : at most
    scores : of each graded submission
    verdicts : how often each
    seconds : that checking took, in each
    """

    name: str
    title: str
    points: float
    scores: list[float] = field(default_factory=list)
    verdicts: Counter[str] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)

    @property
    def is_ours(self) -> bool:
        """Whether it is an exercise of this course, whose check says who has tried."""
        return self.name != self.title

    @property
    def attempted(self) -> int:
        """How many gave an answer."""
        return len(self.scores) - self.verdicts["not attempted"]

    @property
    def right(self) -> int:
        """How many have all the points."""
        return sum(score >= self.points for score in self.scores)


@dataclass(frozen=True)
class Found:
    """A mistake that learners made.

    Parameters
    ----------
    check : the name of the exercise
    name, explanation : of the mistake, or of the slip that nobody wrote down
    students : who made it
    """

    check: str
    name: str
    explanation: str
    students: tuple[str, ...]


@dataclass(frozen=True)
class Report:
    """A class in a lesson.

    Parameters
    ----------
    lesson, points : its name and its points
    marks : by learner, of those who are graded
    missing : learners without a submission
    checks : in the order of the lesson
    mistakes : the most frequent ones first
    people : what a person has to look at, by learner
    """

    lesson: str
    points: float
    marks: dict[str, float]
    missing: tuple[str, ...]
    checks: tuple[Check, ...]
    mistakes: tuple[Found, ...]
    people: dict[str, str]

    @property
    def hardest(self) -> Check | None:
        """The exercise that the smallest share of those who tried it got right."""
        tried = [check for check in self.checks if check.attempted]
        return min(tried, key=lambda check: check.right / check.attempted, default=None)

    def lead(self) -> str:
        """What to talk about in the next lecture."""
        middle = median(self.marks.values())
        number = len(self.marks)
        said = [f"Graded: {number} submission{'s' * (number != 1)}. Half have {middle:.3g} points or more."]
        if (hardest := self.hardest) and hardest.right < hardest.attempted:
            said.append(f"The hardest: {hardest.title}, which {hardest.right} of {hardest.attempted} got right.")
        if self.mistakes:
            most = "; ".join(f"{each.name} in {each.check} ({len(each.students)})" for each in self.mistakes[:3])
            said.append(f"The most frequent mistakes: {most}.")
        return " ".join(said)

    def to_dict(self) -> dict[str, Any]:
        """The report as plain data."""
        return asdict(self)


def read_report(lesson: str, course: Path | None = None) -> Report:
    """How a class did.

    Parameters
    ----------
    lesson : an assignment of the gradebook
    course : the nbgrader course; None for ``autograder/course``

    Raises
    ------
    CourseError
        There is no such lesson, or nothing of it is graded.
    """
    opened = open_course(course)
    marks = read_marks(opened, [lesson])
    (found,) = marks.lessons
    graded = {each.id: score for each in marks.learners if (score := marks.score(found, each)) is not None}
    if not graded:
        raise CourseError(f"Nothing of {lesson} is graded yet. chainrule grade {lesson} does that.")
    checks = _checks(opened, found)
    people: People = defaultdict(list)
    _not_graded(opened, lesson, set(graded), people)
    _to_mark_by_hand(marks, found, people)
    mistakes = _read_notebooks(opened, lesson, graded, checks, people)
    missing = [each.id for each in marks.learners if marks.reasons.get((found.key, each.id)) == "no submission"]
    sentences = {student: " ".join(dict.fromkeys(said)) for student, said in sorted(people.items())}
    return Report(lesson, found.max_score, graded, tuple(missing), tuple(checks.values()), mistakes, sentences)


def _checks(course: Course, lesson: Lesson) -> dict[Cell, Check]:
    """The graded cells by notebook and name, in our order or theirs, with everybody's scores."""
    ours = {check_id(each.id): each for each in exercises()}
    wanted = (
        select(Notebook.name, BaseCell.name, Grade.max_score, Grade.score)
        .join(BaseCell, BaseCell.notebook_id == Notebook.id)
        .join(Grade, Grade.cell_id == BaseCell.id)
        .where(Notebook.assignment_id == lesson.key)
        .where(Grade.auto_score.is_not(None) | Grade.manual_score.is_not(None))
    )
    checks: dict[Cell, Check] = {}
    with course.gradebook() as book:
        several = len(book.find_assignment(lesson.name).notebooks) > 1
        for notebook, name, points, score in book.db.execute(wanted):
            title = f"{name} in {notebook}" if several else name
            exercise = ours.get(name)
            made = Check(exercise.id, exercise.title, points) if exercise else Check(title, title, points)
            checks.setdefault((notebook, name), made).scores.append(score)
    order = {name: number for number, name in enumerate(ours)}
    return dict(sorted(checks.items(), key=lambda item: (order.get(item[0][1], len(order)), item[0])))


def _not_graded(course: Course, lesson: str, graded: set[str], people: People) -> None:
    """Who has handed in something that is not graded: the reason that is on record, or that nobody has tried."""
    for student, sentence in Record.read(course.root, lesson).people.items():
        people[student].append(sentence)
    intake = Intake(course, lesson)
    for due in intake.submitted():
        if due.student not in people and not intake.is_graded(due):
            again = "Handed in again since it was graded." if due.student in graded else "Handed in and not graded yet."
            people[due.student].append(f"{again} chainrule grade {lesson} does that.")


def _to_mark_by_hand(marks: Marks, lesson: Lesson, people: People) -> None:
    """Who waits for a mark that only a person can give."""
    for (key, student), mark in marks.marks.items():
        if key == lesson.key and mark.needs_manual_grade:
            people[student].append("An answer is to be marked by hand.")


def _read_notebooks(
    course: Course, lesson: str, graded: Iterable[str], checks: dict[Cell, Check], people: People
) -> tuple[Found, ...]:
    """What the checks found, put into ``checks`` and ``people``; the mistakes."""
    made: Made = defaultdict(list)
    for student in sorted(graded):
        for path in sorted(course.folder("autograded", student, lesson).glob("*.ipynb")):
            try:
                _read_notebook(json.loads(path.read_bytes()), path.stem, student, checks, made, people)
            except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
                people[student].append(f"{path.name} in the folder autograded is damaged; grade it again.")
    known = {each.id: each for each in exercises()}
    found = [Found(id, name, _explanation(known.get(id), name), tuple(who)) for (id, name), who in made.items()]
    return tuple(sorted(found, key=lambda each: (-len(each.students), each.check, each.name)))


def _read_notebook(
    nb: dict[str, Any], notebook: str, student: str, checks: dict[Cell, Check], made: Made, people: People
) -> None:
    """What stands in the metadata of one graded notebook."""
    for cell in nb["cells"]:
        found = cell["metadata"].get("chainrule", {})
        check = checks.get((notebook, cell["metadata"].get("nbgrader", {}).get("grade_id")))
        if check is None or "verdict" not in found:
            continue
        check.verdicts[found["verdict"]] += 1
        if isfinite(seconds := float(found.get("seconds", nan))):
            check.seconds.append(seconds)
        for mistake in found.get("mistakes", ()):
            made[check.name, str(mistake)].append(student)
        if found["verdict"] == "not run" and check.is_ours:
            people[student].append(f"{check.name} could not be checked: {found.get('message', '')}")
    if faults := nb["metadata"].get("chainrule", {}).get("faults"):
        people[student] += map(str, faults.values())


def _explanation(exercise: Exercise | None, name: str) -> str:
    """What is said to somebody who made a mistake, or a slip; empty where the exercise has changed since."""
    with suppress(KeyError):
        return exercise.mistake(name).explanation if exercise else ""
    return ""


def distribution(report: Report) -> list[tuple[str, int]]:
    """How many learners have how many tenths of the points."""
    tenths = Counter(min(9, int(10 * mark / report.points)) if report.points else 0 for mark in report.marks.values())
    edges = [report.points * each / 10 for each in range(11)]
    names = [f"{low:.3g} to < {high:.3g}" for low, high in pairwise(edges)]
    names[-1] = f"{edges[9]:.3g} to {edges[10]:.3g}"
    return [(name, tenths[number]) for number, name in enumerate(names)]


def shown(report: Report) -> str:
    """The report for a terminal."""
    table = Table(title=f"{report.lesson}: {report.lead()}", title_justify="left")
    for column in ("exercise", "right", "tried", "mean points", "seconds"):
        table.add_column(column, justify="left" if column == "exercise" else "right")
    for each in report.checks:
        points = f"{mean(each.scores):.2g} of {each.points:g}"
        seconds = f"{median(each.seconds):.2g}" if each.seconds else ""
        table.add_row(Text(each.title), f"{each.right}", f"{each.attempted}", points, seconds)
    console = Console(file=io.StringIO(), width=shutil.get_terminal_size((100, 24)).columns)
    console.print(table)
    for found in report.mistakes[:SHOWN]:
        console.print(f"{len(found.students):4} {found.check} {found.name}: {found.explanation}", markup=False)
    for student, sentence in report.people.items():
        console.print(f"{student}: {sentence}", markup=False, soft_wrap=True)
    return _printable(console.file.getvalue().rstrip())  # type: ignore[attr-defined]


def page(report: Report) -> str:
    """The report as a page that needs no other file."""
    from autograder.batch.report_page import render

    return _printable(render(report))


def _printable(text: str) -> str:
    """Without what a learner's name can do to a terminal or to the direction of a text."""
    return "".join(each if each.isprintable() or each == "\n" else "\ufffd" for each in text)
