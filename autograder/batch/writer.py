"""The one writer: puts what workers found into nbgrader's gradebook, and the graded notebooks into its folder.

Several submissions are one transaction. Their folders are made complete beside their place, the transaction is
committed, and each folder is moved into its place: whoever is killed in between grades the same submission again, with
the same seeds and the same rows.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp

from nbgrader.api import Gradebook, SubmittedAssignment, SubmittedNotebook
from nbgrader.preprocessors import AssignLatePenalties
from sqlalchemy import select

from autograder.batch.course import Course
from autograder.batch.intake import Due, HandedIn, Intake
from autograder.batch.record import FOLDER, KEPT
from autograder.batch.work import Graded, Outcome, write_files
from autograder.errors import CourseError

__all__ = ["Finished", "Writer"]

PATIENCE = 60.0
"""Seconds for which a gradebook that somebody else is writing to is tried again."""


@dataclass(frozen=True)
class Finished:
    """A submission that was graded and is to be written down."""

    due: Due
    handed_in: HandedIn
    outcome: Outcome


class Writer:
    """Writes to the gradebook and the folders of a course; there is one at a time."""

    def __init__(self, course: Course, intake: Intake) -> None:
        self.course = course
        self.lesson = intake.lesson
        self.converter = intake.converter
        self.given = intake.given()
        self.staging = course.root / FOLDER / "staging"
        shutil.rmtree(self.staging, ignore_errors=True)  # what a killed run has left
        late = [each for each in intake.preprocessors if issubclass(each, AssignLatePenalties)]
        self.penalties = late[0](config=course.config) if late else None

    def write(self, finished: Sequence[Finished]) -> list[float]:
        """Write some submissions down, all or none of them; their scores.

        Parameters
        ----------
        finished : the submissions

        Raises
        ------
        CourseError
            The gradebook or the folder cannot be written to. Nothing is changed then.
        """
        try:
            staged = [self._staged(each) for each in finished]
            scores = self._in_gradebook(finished)
            for each, folder in zip(finished, staged, strict=True):
                self._put_in_place(folder, each.due.student)
        except OSError as error:
            raise CourseError(
                f"{error.filename or self.course.root} cannot be written: {error.strerror or error}. {KEPT}"
            ) from error
        finally:
            shutil.rmtree(self.staging, ignore_errors=True)
        return scores

    def _staged(self, finished: Finished) -> Path:
        """The folder of a graded submission, complete, beside the place where it is going to be."""
        self.staging.mkdir(parents=True, exist_ok=True)
        folder = Path(mkdtemp(dir=self.staging))
        folder.chmod(0o755)
        notebooks = {f"{name}.ipynb": each.text.encode() for name, each in finished.outcome.notebooks.items()}
        write_files(folder, {**finished.handed_in.submission.files, **self.given, **notebooks})
        return folder

    def _put_in_place(self, folder: Path, student: str) -> None:
        """Move a complete folder to where nbgrader looks for it, in place of an older one."""
        place = self.course.folder("autograded", student, self.lesson)
        place.parent.mkdir(parents=True, exist_ok=True)
        if place.exists():
            old = Path(mkdtemp(dir=self.staging)) / "old"
            place.rename(old)
            shutil.rmtree(old.parent, ignore_errors=True)
        folder.rename(place)
        self.converter.set_permissions(self.lesson, student)

    def _in_gradebook(self, finished: Sequence[Finished]) -> list[float]:
        """One transaction, tried again while others write."""
        until = time.monotonic() + PATIENCE
        while True:
            try:
                with self.course.gradebook() as book, _one_transaction(book):
                    return self._rows(book, finished)
            except CourseError as error:
                if time.monotonic() > until:
                    raise CourseError(f"{error} {KEPT}") from error
            time.sleep(1)

    def _rows(self, book: Gradebook, finished: Sequence[Finished]) -> list[float]:
        """The rows of some submissions, as nbgrader's ``autograde`` leaves them; their scores.

        Rows are written when all of them are complete: many at once, and none of them twice.
        """
        for each in finished:
            book.update_or_create_student(each.due.student)
        book.db.flush()
        with book.db.no_autoflush:
            submissions = [self._submission(book, each) for each in finished]
        book.db.flush()
        for submission, each in zip(submissions, finished, strict=True):
            for notebook in submission.notebooks:
                if notebook.name in each.outcome.notebooks:
                    self._penalize(submission, notebook)
        book.db.flush()
        wanted = select(SubmittedAssignment.id, SubmittedAssignment.score).where(
            SubmittedAssignment.id.in_([submission.id for submission in submissions])
        )
        scores = {row.id: float(row.score) for row in book.db.execute(wanted)}
        return [scores[submission.id] for submission in submissions]

    def _submission(self, book: Gradebook, finished: Finished) -> SubmittedAssignment:
        """A submission with what was found in its notebooks."""
        timestamp = finished.handed_in.timestamp
        times = {"timestamp": timestamp} if timestamp else {}
        submission = book.update_or_create_submission(self.lesson, finished.due.student, **times)
        for notebook in submission.notebooks:
            graded = finished.outcome.notebooks.get(notebook.name)
            if graded is None:
                _not_handed_in(notebook)
            else:
                _graded(notebook, graded)
        return submission

    def _penalize(self, submission: SubmittedAssignment, notebook: SubmittedNotebook) -> None:
        """What a late notebook loses, by the course's own plugin; nbgrader has this in ``AssignLatePenalties``."""
        if self.penalties is None:
            return
        notebook.late_submission_penalty = None
        if submission.total_seconds_late > 0:
            self.penalties.init_plugin()
            penalty = self.penalties.plugin_inst.late_submission_penalty(
                submission.student_id, notebook.score, submission.total_seconds_late
            )
            if penalty is not None:
                notebook.late_submission_penalty = self.penalties._check_late_penalty(notebook, penalty)


@contextmanager
def _one_transaction(book: Gradebook) -> Iterator[None]:
    """Let nbgrader's methods, each of which commits, add to one transaction that is committed at the end."""
    commit: Callable[[], None] = book.db.commit
    book.db.commit = lambda: None
    try:
        yield
    finally:
        book.db.commit = commit
    book.db.commit()


def _not_handed_in(notebook: SubmittedNotebook) -> None:
    """A notebook that is missing from a submission has no points, and nobody has to look at it."""
    for grade in notebook.grades:
        grade.auto_score = 0
        grade.needs_manual_grade = False


def _graded(notebook: SubmittedNotebook, graded: Graded) -> None:
    """Automatic scores and comments; what a person has given stays, and is to be looked at again."""
    released = notebook.notebook
    names = {cell.id: cell.name for cell in (*released.grade_cells, *released.solution_cells, *released.task_cells)}
    for grade in notebook.grades:
        name = names.get(grade.cell_id, "")  # no name: a cell that was taken out since
        if name in graded.scores:
            grade.auto_score = graded.scores[name]
            grade.needs_manual_grade = grade.manual_score is not None or grade.auto_score is None
    for comment in notebook.comments:
        name = names.get(comment.cell_id, "")
        if name in graded.comments:
            comment.auto_comment = graded.comments[name]
