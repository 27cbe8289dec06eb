"""The two warm parents of a lesson, and what their children may read.

They are kept from notebook to notebook, for one lesson at a time: whoever grades a class starts them once.
"""

from __future__ import annotations

import atexit
from dataclasses import dataclass
from pathlib import Path

from autograder.errors import CourseError
from autograder.execution.withholding import hidden_files
from autograder.exercises import exercises, withheld
from autograder.exercises.kinds import Derivation
from autograder.isolation.confinement import Policy, readable_installation
from autograder.isolation.forking import FORKS
from autograder.isolation.fresh import FreshParent
from autograder.isolation.warm import Parent, WarmParent

__all__ = ["Parents", "Resources", "warm_parents"]

_PACKAGE = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Resources:
    """What the processes of a notebook may use, see ``Policy``; memory in bytes."""

    memory: int = 2 << 30
    cpu_seconds: int = 600
    namespaces: bool = False
    allow_unconfined: bool = False


class Parents:
    """The warm parents of students' and of grading processes, for one lesson."""

    def __init__(self, lesson: str, resources: Resources = Resources()) -> None:
        names = withheld(lesson)
        symbolic = any(each.lesson == lesson and isinstance(each.kind, Derivation) for each in exercises())
        preload = ["sympy"] if symbolic else []  # a quarter of a second, which every notebook would pay
        start: type[WarmParent] | type[FreshParent] = WarmParent if FORKS else FreshParent
        self.student: Parent = start(
            "autograder.execution.student",
            {"withheld": list(names), "lesson": lesson, "preload": preload},
            Policy(
                readable=readable_installation(),
                hidden=(_PACKAGE, *hidden_files(names)),
                memory=resources.memory,
                cpu_seconds=resources.cpu_seconds,
                namespaces=resources.namespaces,
            ),
            resources.allow_unconfined,
        )
        self.grading: Parent = start(
            "autograder.execution.grading",
            {"lesson": lesson, "preload": preload},
            Policy(
                readable=readable_installation(),
                hidden=(_PACKAGE / "course",),
                memory=2 * resources.memory,
                cpu_seconds=2 * resources.cpu_seconds,
            ),
            resources.allow_unconfined,
        )

    def wait(self) -> None:
        """Wait until both have imported everything.

        Raises
        ------
        CourseError
            One of them does not start.
        """
        self.student.wait()
        self.grading.wait()

    def close(self) -> None:
        """End both, with all their children."""
        self.student.close()
        self.grading.close()


_kept: dict[tuple[str, Resources], Parents] = {}


def warm_parents(lesson: str, resources: Resources = Resources()) -> Parents:
    """The parents for a lesson; those of another one are closed first.

    Raises
    ------
    CourseError
        One of them does not start.
    """
    if (lesson, resources) not in _kept:
        close_parents()
        _kept[lesson, resources] = Parents(lesson, resources)
    parents = _kept[lesson, resources]
    try:
        parents.wait()
    except CourseError:
        close_parents()
        raise
    return parents


@atexit.register
def close_parents() -> None:
    """Close all that are kept."""
    while _kept:
        _kept.popitem()[1].close()
