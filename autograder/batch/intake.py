"""What has been handed in to an assignment and is due to be graded, as nbgrader sees it, read for the workers."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from glob import escape, glob
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import cloudpickle
from nbgrader.api import Assignment as AssignmentRow
from nbgrader.api import (
    Base,
    BaseCell,
    GradeCell,
    MissingEntry,
    Notebook,
    SolutionCell,
    SourceCell,
    TaskCell,
)
from nbgrader.converters import Autograde
from nbgrader.utils import find_all_files
from sqlalchemy import create_engine, insert, select
from traitlets.log import get_logger
from traitlets.utils.importstring import import_item

from autograder.batch.course import Course
from autograder.batch.work import Assignment, Remarks, Submission
from autograder.errors import CourseError
from autograder.execution.preprocessor import instructor_cells
from autograder.execution.seeds import submission_secret

__all__ = ["Due", "HandedIn", "Intake", "Unfit"]

LARGEST = 100 << 20
"""Bytes of a submission, all its files together: several are on their way to workers at any time."""

_ANYBODY = "AnyLearnerWhatsoever"
"""Stands for a learner where the rest of a path is to be taken literally."""


@dataclass(frozen=True)
class Due:
    """A submission that is to be graded.

    Parameters
    ----------
    student : as nbgrader calls the learner
    folder : what was handed in
    """

    student: str
    folder: Path


@dataclass(frozen=True)
class HandedIn:
    """A submission as it was read.

    Parameters
    ----------
    submission : for a worker
    timestamp : when it was handed in; None where nothing says so
    sentence : why a person should look at it although it is graded; empty where nobody has to
    remarks : what was put right
    """

    submission: Submission
    timestamp: datetime | None
    sentence: str
    remarks: tuple[str, ...]


class Unfit(Exception):
    """A submission cannot be handed to a worker; the message is a sentence that says why."""


class Intake:
    """The submissions to an assignment of a course.

    Raises
    ------
    CourseError
        The gradebook does not know the assignment.
    """

    def __init__(self, course: Course, lesson: str) -> None:
        self.course = course
        self.lesson = lesson
        try:
            self.converter = Autograde(config=course.config, coursedir=course.directory)
            listed = self.converter.autograde_preprocessors
            self.preprocessors = [import_item(each) if isinstance(each, str) else each for each in listed]
        except Exception as error:  # of a setting that is of the wrong type, or names what cannot be imported
            raise CourseError(
                f"{course.root / 'nbgrader_config.py'} has a setting that does not work: {error}"
            ) from error
        with course.gradebook() as book:
            try:
                assignment = book.find_assignment(lesson)
            except MissingEntry as error:
                known = ", ".join(sorted(each.name for each in book.assignments)) or "none yet"
                raise CourseError(
                    f"The gradebook has no assignment {lesson!r}; it has: {known}. chainrule release adds lessons."
                ) from error
            self.notebooks = sorted(notebook.name for notebook in assignment.notebooks)
            self.students = {student.id for student in book.students}

    def assignment(self, one_core: bool) -> bytes:
        """What every worker has to know, pickled.

        Raises
        ------
        CourseError
            The instructor's notebooks cannot be read.
        """
        source = self.course.folder("source", ".", self.lesson)
        return cloudpickle.dumps(
            Assignment(
                name=self.lesson,
                config=self.course.config,
                sanitize=self.converter.sanitize_preprocessors,
                autograde=self.converter.autograde_preprocessors,
                gradebook=self._gradebook(),
                files=self.given(),
                instructor={name: instructor_cells(source / f"{name}.ipynb") for name in self.notebooks},
                one_core=one_core,
            )
        )

    def given(self) -> dict[str, bytes]:
        """The instructor's files by path, which take the place of the learners'."""
        source = self.course.folder("source", ".", self.lesson)
        kept = set(map(os.path.normpath, self.converter.exclude_overwriting.get(self.lesson, [])))
        return {path: (source / path).read_bytes() for path in self._files(source) if path not in kept}

    def _gradebook(self) -> bytes:
        """A gradebook that holds this assignment alone.

        nbgrader's ``Gradebook`` would ask another process for the version of its tables, which takes two seconds.
        """
        with TemporaryDirectory() as folder, self.course.gradebook() as book:
            path = Path(folder) / "gradebook.db"
            row = book.find_assignment(self.lesson)
            notebooks = select(Notebook.id).where(Notebook.assignment_id == row.id)
            cells = select(BaseCell.id).where(BaseCell.notebook_id.in_(notebooks))
            wanted = [(AssignmentRow, AssignmentRow.id == row.id), (Notebook, Notebook.assignment_id == row.id)]
            wanted += [(kind, kind.__table__.c.id.in_(cells)) for kind in (BaseCell, GradeCell, SolutionCell, TaskCell)]
            wanted += [(SourceCell, SourceCell.notebook_id.in_(notebooks))]
            engine = create_engine(f"sqlite:///{path}")
            Base.metadata.create_all(engine)
            with engine.begin() as copy:
                for kind, condition in wanted:
                    rows = book.db.execute(select(kind.__table__).where(condition)).mappings().all()
                    if rows:
                        copy.execute(insert(kind.__table__), [dict(each) for each in rows])
            engine.dispose()
            return path.read_bytes()

    def submitted(self) -> list[Due]:
        """Everything that was handed in, in the order of the learners' names."""
        where = str(self.course.folder("submitted", _ANYBODY, self.lesson))
        pattern = escape(where).replace(_ANYBODY, "*")
        named = re.compile(re.escape(where).replace(_ANYBODY, "(?P<student>.*)"), re.DOTALL)
        excluded = self.course.directory.student_id_exclude.split(",")
        found = [(named.fullmatch(path), Path(path)) for path in sorted(glob(pattern)) if Path(path).is_dir()]
        return [Due(match["student"], path) for match, path in found if match and match["student"] not in excluded]

    def is_graded(self, due: Due) -> bool:
        """Whether what was handed in last has been graded, by whomever."""
        graded = self.course.folder("autograded", due.student, self.lesson)
        if not graded.exists():
            return False
        new, old = self._timestamp(due.folder), self._timestamp(graded)
        return new is None or old is None or new <= old

    def _timestamp(self, folder: Path) -> datetime | None:
        """When a submission was handed in; None where nothing says so that can be read."""
        try:
            return self.course.directory.get_existing_timestamp(str(folder))
        except Exception:  # nbgrader's own report of a damaged one fails
            return None

    def read(self, due: Due) -> HandedIn:
        """What a learner has handed in.

        Raises
        ------
        Unfit
            It cannot be graded.
        CourseError
            The learner's secret cannot be kept.
        """
        if not self.converter.create_student and due.student not in self.students:
            raise Unfit(f"No learner {due.student!r} is in the gradebook, and the course creates none on its own.")
        try:
            timestamp = self.course.directory.get_existing_timestamp(str(due.folder))
        except Exception as error:  # nbgrader's own report of a damaged one fails
            raise Unfit("timestamp.txt does not hold a date and time.") from error
        try:
            paths, remarks = self._notebooks(due)
            sentence = self._ambiguous(paths)
            files = self._files(due.folder)
            size = sum((due.folder / path).stat().st_size for path in files) + sum(
                path.stat().st_size for path in paths
            )
            if size > LARGEST:
                raise Unfit(f"The files have {size / 1e6:.0f} MB, and {LARGEST / 1e6:.0f} MB are allowed.")
            submission = Submission(
                due.student,
                {path.stem: path.read_bytes() for path in paths if path.stem in self.notebooks},
                {path: (due.folder / path).read_bytes() for path in files},
                submission_secret(self.course.root, self.lesson, due.student),
            )
        except OSError as error:
            raise Unfit(f"{error.filename or due.folder} cannot be read: {error.strerror or error}.") from error
        return HandedIn(submission, timestamp, sentence, remarks)

    def _notebooks(self, due: Due) -> tuple[list[Path], tuple[str, ...]]:
        """The notebooks in a submission, after the course's own hook has put them in order, and what that said."""
        paths = sorted(map(str, due.folder.glob("*.ipynb")))
        remarks = Remarks()
        hook: Any = self.converter.pre_convert_hook
        if hook:
            with remarks.of(get_logger()):
                try:
                    hook(assignment=self.lesson, student=due.student, notebooks=paths)
                except Exception as error:  # nbgrader goes on likewise
                    remarks.said.append(f"The course's pre_convert_hook failed: {error}")
        return [Path(path) for path in paths if _is_file(Path(path))], tuple(remarks.said)

    def _ambiguous(self, paths: Iterable[Path]) -> str:
        """A sentence where there are more notebooks than are due; raises ``Unfit`` where none is."""
        due = ", ".join(f"{name}.ipynb" for name in self.notebooks)
        others = ", ".join(sorted(path.name for path in paths if path.stem not in self.notebooks))
        if not any(path.stem in self.notebooks for path in paths):
            raise Unfit(f"There is no notebook {due}, but {others}." if others else f"There is no notebook {due}.")
        return f"Beside {due} there is {others}; what has the right name was graded." if others else ""

    def _files(self, folder: Path) -> list[str]:
        """The paths of a folder's files that are no notebooks, as nbgrader finds them."""
        found = find_all_files(str(folder), [*self.course.directory.ignore, "*.ipynb"])
        return sorted(os.path.relpath(path, folder) for path in found if _is_file(Path(path)))


def _is_file(path: Path) -> bool:
    """Whether it is a file and no link to one: that could be anybody's."""
    return path.is_file() and not path.is_symlink()
