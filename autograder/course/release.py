"""From lesson sources to the notebooks that learners open, by nbgrader's own ``generate_assignment``.

nbgrader clears the solutions, locks the checks and enters the assignment into the course's gradebook. It writes to a
scratch folder; from there each lesson is put in its place whole.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from nbgrader.converters import GenerateAssignment
from nbgrader.coursedir import CourseDirectory
from nbgrader.utils import capture_log
from traitlets.config import Config, PyFileConfigLoader

from autograder.course.build import build
from autograder.course.folders import course_folder, notebook_path, write_atomically
from autograder.errors import CourseError
from autograder.exercises import exercises

__all__ = ["release"]

_CONFIG = "nbgrader_config.py"
_REASON = re.compile(r"^\s*(?:\w+\.)*\w+(?:Error|Exception): (.+)$", re.MULTILINE)


def release(
    lessons: Sequence[str] | None = None,
    course: Path | None = None,
    check: bool = False,
    solutions: Path | None = None,
    lessons_dir: Path | None = None,
) -> list[Path]:
    """Release these lessons, or all, and return the paths of the notebooks written.

    Parameters
    ----------
    lessons : names such as ``"05_backpropagation"``; None for all
    course : the nbgrader course that releases them
    check : write nothing; only compare the released lessons with what their sources generate
    solutions : the folder of lesson sources
    lessons_dir : where released lessons go; None for what the course is configured for

    Raises
    ------
    CourseError
        A folder is missing or read-only, a lesson is unknown, nbgrader refuses a lesson, or, with ``check``, a
        released lesson differs, is missing or has no source.
    """
    folder = course_folder(course)
    destination = lessons_dir or Path(_config(folder).CourseDirectory.release_directory)
    if check:
        _compare(lessons, folder, solutions, destination)
        return []
    sources = build(lessons, solutions, folder)
    written = []
    for lesson, text in _generate(folder, [path.stem for path in sources]).items():
        written.append(notebook_path(destination, lesson))
        write_atomically(written[-1], text)
    return written


def _compare(lessons: Sequence[str] | None, course: Path, solutions: Path | None, destination: Path) -> None:
    """Compare released lessons byte by byte with what a course of the same configuration would release now."""
    with TemporaryDirectory() as scratch:
        shutil.copy(course / _CONFIG, scratch)
        sources = build(lessons, solutions, output=Path(scratch) / "source")
        generated = _generate(Path(scratch), [path.stem for path in sources], record=False)
    released = {path.stem: path.read_bytes() for path in destination.glob("*/*.ipynb")}
    faults = [
        f"{lesson} is missing" if lesson not in released else f"{lesson} differs from its source"
        for lesson, text in generated.items()
        if released.get(lesson) != text.encode()
    ]
    if lessons is None:
        faults += [f"{lesson} has no source" for lesson in sorted(released.keys() - generated.keys())]
    if faults:
        raise CourseError(f"In {destination}: {'; '.join(faults)}. 'chainrule release' makes the lessons anew.")


def _config(course: Path) -> Config:
    """The course's own configuration. A person's settings elsewhere have no say in what is released."""
    return PyFileConfigLoader(_CONFIG, path=str(course)).load_config()


def _generate(course: Path, lessons: Iterable[str], record: bool = True) -> dict[str, str]:
    """The released notebook of each lesson.

    With ``record``, nbgrader enters those with exercises into the gradebook; the glossary, which has none, is no
    assignment.
    """
    config = _config(course)
    graded = {exercise.lesson for exercise in exercises()}
    with TemporaryDirectory() as scratch:
        config.CourseDirectory.release_directory = scratch
        for lesson in lessons:
            config.GenerateAssignment.no_database = not (record and lesson in graded)
            config.SaveCells.enabled = record and lesson in graded
            config.CourseDirectory.assignment_id = lesson
            converter = GenerateAssignment(coursedir=CourseDirectory(config=config), config=config)
            outcome = capture_log(converter)
            if not outcome["success"]:
                reasons = _REASON.findall(outcome.get("log", "")) or [outcome["error"].strip().splitlines()[-1]]
                raise CourseError(
                    f"nbgrader could not release {lesson}: {reasons[-1]}. "
                    f"'nbgrader generate_assignment --force {lesson}', run in {course}, tells more."
                )
        return {path.stem: path.read_text(encoding="utf-8") for path in sorted(Path(scratch).glob("*/*.ipynb"))}
