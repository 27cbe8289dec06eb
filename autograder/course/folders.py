"""Where the course keeps its things, and how a file is written there: whole or not at all."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterable
from pathlib import Path

from autograder.errors import CourseError

__all__ = ["COURSE", "LESSONS", "SOLUTIONS", "course_folder", "lesson_sources", "notebook_path", "write_atomically"]

COURSE = Path(__file__).resolve().parent
_REPOSITORY = COURSE.parents[1]
SOLUTIONS = _REPOSITORY / "solutions"
LESSONS = _REPOSITORY / "lessons"

_LESSON_NAME = re.compile(r"\d\d_\w+|glossary")


def lesson_sources(lessons: Iterable[str] | None, solutions: Path | None) -> dict[str, Path]:
    """The Markdown source of each of these lessons by name, in course order; of all lessons when none are named.

    Raises
    ------
    CourseError
        The folder is missing or holds no lesson, or a name is not among its lessons.
    """
    folder = solutions or SOLUTIONS
    if not folder.is_dir():
        raise CourseError(f"There is no folder {folder}: --solutions takes the folder with the lesson sources (*.md).")
    known = {path.stem: path for path in sorted(folder.glob("*.md")) if _LESSON_NAME.fullmatch(path.stem)}
    if not known:
        raise CourseError(f"{folder} holds no lesson source; expected files such as 05_backpropagation.md.")
    wanted = list(known) if lessons is None else list(lessons)
    if unknown := [lesson for lesson in wanted if lesson not in known]:
        raise CourseError(f"There is no lesson {unknown[0]!r} in {folder}; the lessons are: {', '.join(known)}.")
    return {lesson: path for lesson, path in known.items() if lesson in wanted}


def course_folder(course: Path | None) -> Path:
    """The folder of the nbgrader course, absolute.

    Raises
    ------
    CourseError
        It is missing or no nbgrader course.
    """
    folder = (course or COURSE).resolve()
    if not (folder / "nbgrader_config.py").is_file():
        raise CourseError(
            f"{folder} is no nbgrader course: it has no nbgrader_config.py. "
            "--course takes the folder autograder/course or a copy of it."
        )
    return folder


def notebook_path(folder: Path, lesson: str) -> Path:
    """Where a folder of lessons keeps one: every lesson has a folder of its own, as nbgrader wants it."""
    return folder / lesson / f"{lesson}.ipynb"


def write_atomically(path: Path, text: str) -> None:
    """Write a file through a temporary one beside it, so that nobody ever finds half of it.

    Raises
    ------
    CourseError
        The folder cannot be written to.
    """
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", encoding="utf-8", newline="\n", dir=path.parent, delete=False) as file:
            temporary = Path(file.name)
            file.write(text)
        temporary.chmod(0o644)
        os.replace(temporary, path)
    except OSError as error:
        if temporary:
            temporary.unlink(missing_ok=True)
        reason = error.strerror or error
        raise CourseError(f"Cannot write {path}: {reason}. Choose a folder that you may write to.") from error
