"""Marks as files that other systems take: a long table, Canvas's gradebook, Moodle's gradebook.

A mark is what nbgrader counts: automatic scores, manual scores in their place, extra credit, less the late penalty,
and never below zero. Where there is no mark the cell is empty (in Moodle's file ``-``) and never 0, and the table
says why.

``csv``
    A row for each lesson and learner. It has the columns of nbgrader's own export, with their names, in their order
    and with their contents, so that whatever reads that reads this. Behind them stand ``needs_manual_grade`` and
    ``status``. nbgrader writes 0.0 for work that was not handed in; here that is empty.

``canvas``
    What *How do I import grades in the Gradebook?* asks for
    (https://community.canvaslms.com/t5/Instructor-Guide/How-do-I-import-grades-in-the-Gradebook/ta-p/807): the columns
    Student, ID, SIS User ID, SIS Login ID and Section in this order, then one for each lesson; the second row gives the
    points possible. What the importer makes of them is in ``lib/gradebook_importer.rb`` of Canvas's source
    (https://github.com/instructure/canvas-lms). It takes a row for the learner with that ID, else that login, and it
    reads an ID as far as there are digits in it; so the gradebook's ``lms_user_id`` is written only where it is a
    number and nobody else's, and the login is the learner's id in the gradebook. A lesson goes to the assignment of
    the same title, and a new one is made where there is none. Totals are Canvas's own and have no columns here. A row
    whose first cell contains "Points Possible" sets the points of all assignments, whoever it is about; a learner of
    that name has no name in the file.

``moodle``
    What *Grade import* describes (https://docs.moodle.org/en/Grade_import), read by Moodle's
    ``grade/import/csv/classes/load_data.php`` (https://github.com/moodle/moodle): columns that identify the learner,
    then one for each lesson, decimal points, and ``-`` for no grade, which both a new and an existing grade item take.
    A row whose identifying cell is blank goes to the learner of the row before, and one whose cell fits nobody stops
    the whole import; so a column that identifies is there only if every row has it and no two rows share it. Names are
    not needed and are left out: PHP's reader takes a backslash before a closing quotation mark for an escape, and a
    name could run on into the marks.

All three are UTF-8 without a byte order mark, with the commas, quotation marks and CRLF of RFC 4180, which Canvas and
Moodle read as well as Python's ``csv`` does.

Spreadsheets take a cell that begins with ``=``, ``+``, ``-`` or ``@`` for a formula, and learners may have chosen their
names themselves. Such a text is written with an apostrophe in front, as OWASP advises
(https://owasp.org/www-community/attacks/CSV_Injection), and line ends and other control characters become spaces. What
identifies a learner to Canvas or Moodle cannot be changed without becoming somebody else's or nobody's: a learner with
such an id is left out of their files, and the command says so.
"""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from nbgrader.api import Assignment, Grade, Gradebook, Student, SubmittedAssignment, SubmittedNotebook
from sqlalchemy import Select, case, func, select

from autograder.batch.course import Course, open_course
from autograder.batch.record import Record
from autograder.course.folders import write_atomically
from autograder.errors import CourseError

__all__ = ["Marks", "export", "read_marks"]

NBGRADER_COLUMNS = (
    "assignment",
    "duedate",
    "timestamp",
    "student_id",
    "last_name",
    "first_name",
    "email",
    "raw_score",
    "late_submission_penalty",
    "score",
    "max_score",
)
"""Those of ``nbgrader.plugins.export.CsvExportPlugin``."""

CANVAS_COLUMNS = ("Student", "ID", "SIS User ID", "SIS Login ID", "Section")

POINTS_POSSIBLE = "Points Possible"

MOODLE_LIMIT = 100
"""Moodle takes no higher grade, unless its administrator allows unlimited grades."""

DECIMALS = 5
"""As many as Moodle keeps; Canvas shows two."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_NUMBER = re.compile(r"[0-9]{1,20}")
_FORMULA = re.compile(r"\s*[=+\-@＝＋－＠]")

Row = Sequence[object]


@dataclass(frozen=True)
class Lesson:
    """An assignment of the gradebook."""

    key: str
    name: str
    duedate: datetime | None
    max_score: float


@dataclass(frozen=True)
class Learner:
    """A student of the gradebook."""

    id: str
    last_name: str | None
    first_name: str | None
    email: str | None
    lms_user_id: str | None

    @property
    def name(self) -> str:
        """Last name first; the id of somebody who has no name."""
        return ", ".join(part for part in (self.last_name, self.first_name) if part) or self.id


@dataclass(frozen=True)
class Mark:
    """What a submission is worth.

    Parameters
    ----------
    timestamp : when it was handed in
    raw : the sum of its grades; None where nothing has been graded yet
    penalty : for being late
    needs_manual_grade : somebody has yet to look at a part of it
    """

    timestamp: datetime | None
    raw: float | None
    penalty: float
    needs_manual_grade: bool

    @property
    def score(self) -> float | None:
        """What counts, as nbgrader exports it."""
        return None if self.raw is None else max(0.0, self.raw - self.penalty)


@dataclass(frozen=True)
class Marks:
    """All marks of some lessons, with everybody in the gradebook.

    Parameters
    ----------
    lessons, learners : in nbgrader's order
    marks : by the key of a lesson and the id of a learner
    reasons : why there is no mark, by the same
    """

    lessons: list[Lesson]
    learners: list[Learner]
    marks: dict[tuple[str, str], Mark]
    reasons: dict[tuple[str, str], str]

    def score(self, lesson: Lesson, learner: Learner) -> float | None:
        """The mark; None where there is none."""
        mark = self.marks.get((lesson.key, learner.id))
        return mark.score if mark else None


@dataclass(frozen=True)
class Table:
    """The rows of a file, the first of which is its header, and what has to be said about it."""

    rows: list[Row]
    remarks: list[str]


def export(lessons: Sequence[str], layout: str, course: Path | None, output: Path | None) -> list[str]:
    """Write the marks of a course to a file.

    Parameters
    ----------
    lessons : which; none for all in the gradebook
    layout : ``"csv"``, ``"canvas"`` or ``"moodle"``
    course : the course folder; None for ``autograder/course``
    output : the file; None for ``grades-<layout>.csv`` in the working directory

    Returns
    -------
    What to tell: which file, what is in it, what is not, and why.

    Raises
    ------
    CourseError
        A lesson is not in the gradebook, there is none, or the file cannot be written.
    """
    found = read_marks(open_course(course), lessons)
    table = LAYOUTS[layout](found)
    path = output or Path(f"grades-{layout}.csv")
    write_atomically(path, _written(table.rows))
    told = f"{path}: {_count(len(found.lessons), 'lesson')}, {_count(len(found.learners), 'learner')}."
    return [told, *(_summary(found, lesson) for lesson in found.lessons), *table.remarks]


def _written(rows: Iterable[Row]) -> str:
    """The text of a file."""
    file = io.StringIO(newline="")
    csv.writer(file, lineterminator="\r\n").writerows(rows)
    return file.getvalue()


def _summary(found: Marks, lesson: Lesson) -> str:
    """How many marks a lesson has, and why the others are missing."""
    marks = [mark for (key, _), mark in found.marks.items() if key == lesson.key and mark.raw is not None]
    reasons = Counter(reason for (key, _), reason in found.reasons.items() if key == lesson.key)
    told = [f"{lesson.name}: {_count(len(marks), 'mark')} out of {_number(lesson.max_score)} points"]
    told += [f"{count} empty ({reason})" for reason, count in sorted(reasons.items())]
    if waiting := sum(mark.needs_manual_grade for mark in marks):
        told.append(f"{waiting} may still change (needs a manual grade)")
    return ", ".join(told) + "."


def read_marks(course: Course, names: Sequence[str]) -> Marks:
    """All that is exported, by a fixed number of queries: nbgrader's own attributes take several for every mark."""
    with course.gradebook() as book:
        lessons = _lessons(book, names)
        columns = (Student.id, Student.last_name, Student.first_name, Student.email, Student.lms_user_id)
        learners = [Learner(*row) for row in book.db.execute(select(*columns))]
        learners.sort(key=lambda each: (each.last_name or "", each.first_name or "", each.id))  # databases differ in it
        marks = _marks(book, [lesson.key for lesson in lessons])
    return Marks(lessons, learners, marks, _reasons(course, lessons, learners, marks))


def _lessons(book: Gradebook, names: Sequence[str]) -> list[Lesson]:
    """The assignments of these names, or all of them."""
    columns = (Assignment.id, Assignment.name, Assignment.duedate, Assignment.max_score)
    known = [Lesson(*row) for row in book.db.execute(select(*columns))]
    known.sort(key=lambda each: (each.duedate or datetime.min, each.name))
    if not known:
        raise CourseError("The gradebook has no lessons yet. Release one with 'chainrule release', and grade it first.")
    if unknown := [name for name in names if name not in {lesson.name for lesson in known}]:
        listed = ", ".join(lesson.name for lesson in known)
        raise CourseError(f"There is no lesson {unknown[0]!r} in the gradebook; it has: {listed}.")
    return [lesson for lesson in known if not names or lesson.name in names]


def _marks(book: Gradebook, keys: list[str]) -> dict[tuple[str, str], Mark]:
    """Every submission to these assignments."""
    wanted = SubmittedAssignment.assignment_id.in_(keys)
    scored = func.count(Grade.auto_score) + func.count(Grade.manual_score)
    waiting = func.max(case((Grade.needs_manual_grade, 1), else_=0))
    grades = {
        key: (score if scores or not cells else None, bool(needed))
        for key, cells, scores, score, needed in book.db.execute(
            _by_submission(wanted, func.count(Grade.id), scored, func.sum(Grade.score), waiting).join(
                Grade, Grade.notebook_id == SubmittedNotebook.id
            )
        )
    }
    penalties = dict(book.db.execute(_by_submission(wanted, func.sum(SubmittedNotebook.late_submission_penalty))).all())
    submissions = select(
        SubmittedAssignment.id,
        SubmittedAssignment.assignment_id,
        SubmittedAssignment.student_id,
        SubmittedAssignment.timestamp,
    ).where(wanted)
    return {
        (assignment, student): Mark(timestamp, raw, penalties.get(key) or 0.0, needed)
        for key, assignment, student, timestamp in book.db.execute(submissions)
        for raw, needed in [grades.get(key, (0.0, False))]
    }


def _by_submission(wanted: Any, *columns: Any) -> Select[Any]:
    """Sums over the notebooks of each submission."""
    return (
        select(SubmittedNotebook.assignment_id, *columns)
        .join(SubmittedAssignment, SubmittedAssignment.id == SubmittedNotebook.assignment_id)
        .where(wanted)
        .group_by(SubmittedNotebook.assignment_id)
    )


def _reasons(
    course: Course, lessons: list[Lesson], learners: list[Learner], marks: dict[tuple[str, str], Mark]
) -> dict[tuple[str, str], str]:
    """Why somebody has no mark in a lesson."""
    reasons = {}
    for lesson in lessons:
        people = Record.read(course.root, lesson.name).people
        for learner in learners:
            mark = marks.get((lesson.key, learner.id))
            if mark is not None and mark.raw is not None:
                continue
            if learner.id in people:
                reason = "needs a person"
            elif mark is not None or course.folder("submitted", learner.id, lesson.name).is_dir():
                reason = "not graded yet"
            else:
                reason = "no submission"
            reasons[lesson.key, learner.id] = reason
    return reasons


def _long(found: Marks) -> Table:
    """A row for each lesson and learner."""
    rows: list[Row] = [(*NBGRADER_COLUMNS, "needs_manual_grade", "status")]
    for lesson in found.lessons:
        for learner in found.learners:
            mark = found.marks.get((lesson.key, learner.id))
            graded = mark is not None and mark.raw is not None
            rows.append(
                (
                    lesson.name,
                    lesson.duedate,
                    mark and mark.timestamp,
                    *(_text(each) for each in (learner.id, learner.last_name, learner.first_name, learner.email)),
                    *((mark.raw, mark.penalty, mark.score) if mark and graded else (None, None, None)),
                    lesson.max_score,
                    mark and mark.needs_manual_grade,
                    "graded" if graded else found.reasons[lesson.key, learner.id],
                )
            )
    return Table(rows, [])


def _canvas(found: Marks) -> Table:
    """A row for each learner, below Canvas's two header rows."""
    learners, remarks = _identified(found.learners, "Canvas")
    numbers = [_canvas_number(learner) for learner in learners]
    own = {number for number, times in Counter(numbers).items() if number and times == 1}
    rows: list[Row] = [
        (*CANVAS_COLUMNS, *(lesson.name for lesson in found.lessons)),
        (f"    {POINTS_POSSIBLE}", "", "", "", "", *(_number(lesson.max_score) for lesson in found.lessons)),
    ]
    for learner, number in zip(learners, numbers, strict=True):
        name = "" if POINTS_POSSIBLE in learner.name else _text(learner.name)
        scores = [_number(found.score(lesson, learner)) for lesson in found.lessons]
        rows.append((name, number if number in own else "", "", learner.id, "", *scores))
    if by_login := len(learners) - len(own):
        remarks.append(
            f"Canvas looks for {_count(by_login, 'learner')} by SIS Login ID, since the gradebook has no Canvas user "
            "number of their own for them (lms_user_id)."
        )
    return Table(rows, remarks)


def _canvas_number(learner: Learner) -> str:
    """The number that Canvas knows a learner by; empty where the gradebook has none."""
    number = (learner.lms_user_id or "").strip()
    return str(int(number)) if _NUMBER.fullmatch(number) else ""


def _moodle(found: Marks) -> Table:
    """A row for each learner."""
    learners, remarks = _identified(found.learners, "Moodle")
    columns: dict[str, list[str | None]] = {"Username": [learner.id for learner in learners]}
    for title, cells in {
        "ID number": [learner.lms_user_id for learner in learners],
        "Email address": [learner.email for learner in learners],
    }.items():
        if len(set(cells)) == len(cells) and all(_is_key(cell or "") for cell in cells):
            columns[title] = cells
        else:
            remarks.append(f"There is no column {title}: not every learner has one of their own. Map from Username.")
    rows: list[Row] = [(*columns, *(lesson.name for lesson in found.lessons))]
    for learner, *keys in zip(learners, *columns.values(), strict=True):
        rows.append((*keys, *(_number(found.score(lesson, learner)) or "-" for lesson in found.lessons)))
    if any((found.score(lesson, learner) or 0) > MOODLE_LIMIT for lesson in found.lessons for learner in learners):
        remarks.append(
            f"Some marks are above {MOODLE_LIMIT}: Moodle takes them only where its administrator has allowed "
            "unlimited grades."
        )
    remarks.append(
        f"A grade item that Moodle makes for a new column counts up to {MOODLE_LIMIT}: set its maximum to the lesson's."
    )
    return Table(rows, remarks)


LAYOUTS: dict[str, Callable[[Marks], Table]] = {"csv": _long, "canvas": _canvas, "moodle": _moodle}


def _identified(learners: list[Learner], platform: str) -> tuple[list[Learner], list[str]]:
    """Those that a platform can be told of by their ids, and a sentence about each of the others."""
    kept = [learner for learner in learners if _is_key(learner.id)]
    return kept, [
        f"Left out: {learner.id!r}. A spreadsheet or {platform} takes such an id for something else, and an id that "
        "is changed is nobody's."
        for learner in learners
        if not _is_key(learner.id)
    ]


def _is_key(text: str) -> bool:
    """Whether all who read a file take it for the same text. PHP takes a 0 for nothing."""
    odd = _FORMULA.match(text) or _CONTROL.search(text) or {'"', "\\"} & set(text)
    return not odd and text.strip() not in ("", "0")


def _text(value: str | None) -> str:
    """A cell that no spreadsheet takes for a formula, on one line."""
    text = _CONTROL.sub(" ", value or "").strip()
    return f"'{text}" if _FORMULA.match(text) else text


def _number(value: float | None) -> str:
    """Fixed-point, without zeros that say nothing: neither platform reads exponents everywhere."""
    return "" if value is None else f"{value:.{DECIMALS}f}".rstrip("0").rstrip(".")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
