"""An nbgrader course as Python objects: its configuration, its folders and its gradebook."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from nbgrader.api import Gradebook, InvalidEntry
from nbgrader.apps.baseapp import NbGrader
from nbgrader.coursedir import CourseDirectory
from sqlalchemy.exc import SQLAlchemyError
from traitlets.config import Config

from autograder.course.folders import course_folder
from autograder.errors import CourseError

__all__ = ["Course", "open_course"]


@dataclass(frozen=True)
class Course:
    """A course as its ``nbgrader_config.py`` describes it.

    Parameters
    ----------
    config : everything that is configured, for nbgrader's own classes
    directory : where things are, as nbgrader finds them
    """

    config: Config
    directory: CourseDirectory

    @property
    def root(self) -> Path:
        """The course folder."""
        return Path(self.directory.root)

    def folder(self, step: str, student: str, assignment: str) -> Path:
        """The folder of an assignment in a step, such as ``"submitted"``; of all students where that is ``"*"``."""
        name = getattr(self.directory, f"{step}_directory")
        return Path(self.directory.format_path(name, student, assignment))

    @cached_property
    def _gradebook(self) -> Gradebook:
        """Made once: nbgrader looks at all tables then. Closed after each use, it connects anew at the next."""
        return Gradebook(self.directory.db_url, self.directory.course_id)

    @contextlib.contextmanager
    def gradebook(self) -> Iterator[Gradebook]:
        """The gradebook, opened for a while.

        Raises
        ------
        CourseError
            The database does not answer, is locked or damaged, on opening or while it is used.
        """
        try:
            with self._gradebook as book:
                yield book
        except (SQLAlchemyError, InvalidEntry) as error:  # nbgrader makes the second of some of the first
            raise CourseError(f"The gradebook cannot be used: {_first_line(error)}") from error


def open_course(folder: Path | None = None) -> Course:
    """Read the configuration of a course, as nbgrader's own commands do.

    Parameters
    ----------
    folder : with ``nbgrader_config.py``; None for ``autograder/course``

    Raises
    ------
    CourseError
        It is no course, or its configuration cannot be read.
    """
    root = course_folder(folder)
    application = NbGrader(log_level=logging.ERROR)
    try:
        with contextlib.chdir(root):
            application.initialize([], root=str(root))
    except (Exception, SystemExit) as error:
        raise CourseError(f"{root / 'nbgrader_config.py'} cannot be read: {error}.") from error
    config = application.config
    if "root" not in config.CourseDirectory:
        config.CourseDirectory.root = str(root)
    return Course(config, CourseDirectory(config=config))


def _first_line(error: Exception) -> str:
    """What a database says is wrong, without the statement that it was asked."""
    said = str(error).strip().splitlines() or [type(error).__name__]
    return said[0].rstrip(".") + "."
