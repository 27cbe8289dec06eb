"""What is not graded, and why: a file for each lesson in the course folder, whole or not there at all.

Everything that is graded stands in nbgrader's gradebook and in its folders; this file is for the rest.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

from autograder.course.folders import write_atomically
from autograder.errors import CourseError

__all__ = ["FOLDER", "KEPT", "Record", "record_path"]

FOLDER = "grading"
"""In the course folder."""

KEPT = "What was graded before is kept; the same command does the rest."
"""Said whenever grading stops before its end."""


@dataclass
class Record:
    """What has to be remembered from one run to the next.

    Parameters
    ----------
    people : a sentence for each submission that needs a person, by learner
    aside : submissions that took their workers down and are not tried again: the digest of each, by learner
    regrading : the learners that an unfinished regrade still has to come to; None where there is none
    """

    people: dict[str, str] = field(default_factory=dict)
    aside: dict[str, str] = field(default_factory=dict)
    regrading: list[str] | None = None

    @classmethod
    def read(cls, root: Path, lesson: str) -> Record:
        """The record of a lesson; an empty one where there is none.

        Raises
        ------
        CourseError
            The file is damaged.
        """
        path = record_path(root, lesson)
        if not path.is_file():
            return cls()
        try:
            return cls(**json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError) as error:
            raise CourseError(
                f"{path} does not hold what chainrule grade wrote there. Delete it, and grade again."
            ) from error

    def write(self, root: Path, lesson: str) -> None:
        """Keep it; raises a ``CourseError`` where the folder cannot be written to."""
        write_atomically(record_path(root, lesson), json.dumps(asdict(self), indent=2) + "\n")


def record_path(root: Path, lesson: str) -> Path:
    """Where the record of a lesson is kept."""
    return root / FOLDER / f"{lesson}.json"
