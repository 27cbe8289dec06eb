"""Repair: a function that is handed out with mistakes in it, to be found and put right.

The exercise is one about a function; ``code`` is what the learner gets, and ``planted`` names the mistakes that it
makes. Only the steps with a planted mistake earn points. Handed in as it was given, it counts as not attempted.
"""

from __future__ import annotations

from dataclasses import dataclass

from autograder.exercises.kind import Kind
from autograder.exercises.model import Exercise


@dataclass(frozen=True)
class Fix(Kind):
    """A function to repair.

    Parameters
    ----------
    planted : the mistakes of the exercise that the code makes, one or more
    code : the source that learners get: defines the exercise's function, and is wrong in just these ways
    """

    planted: tuple[str, ...] = ()
    code: str = ""
    name = "fix"

    def scored(self, exercise: Exercise) -> tuple[str, ...]:
        """The steps that were wrong at the beginning."""
        return tuple(step.name for step in exercise.steps if step.mistakes.keys() & set(self.planted))

    def given(self, exercise: Exercise) -> str:
        """The function to repair."""
        return self.code.strip()
