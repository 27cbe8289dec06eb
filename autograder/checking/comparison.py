"""An answer's numbers beside the right ones: the same case, every array, every entry."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np

from autograder.checking import precision
from autograder.checking.values import Array, leaves
from autograder.exercises.formulas import Environment
from autograder.exercises.model import Exercise


@dataclass(frozen=True)
class Comparison:
    """A returned array beside the right one, in one case.

    ``find_limit`` gives ``limit``, and is called where it is needed.
    """

    given: Array
    right: Array
    find_limit: Callable[[], float]

    @cached_property
    def limit(self) -> float:
        """The error, relative to the largest right entry, that round-off explains."""
        return self.find_limit()

    @property
    def fits(self) -> bool:
        """Whether the shapes are equal."""
        return self.given.shape == self.right.shape

    @property
    def finite(self) -> bool:
        """Whether no entry is infinite or not a number where the right one is finite."""
        return not self.fits or bool(np.all(np.isfinite(self.given) | ~np.isfinite(self.right)))

    @cached_property
    def signed(self) -> Array:
        """Error of every entry relative to the largest right one; needs equal shapes."""
        return np.asarray((self.given - self.right) / precision.size(self.right), dtype=float)

    def within(self, limit: float) -> bool:
        """Whether every entry is right up to ``limit`` times the largest right one."""
        return self.fits and bool(np.all(np.abs(self.signed) <= limit))

    @property
    def exact(self) -> bool:
        """Whether the array is right up to round-off."""
        return self.within(precision.LEAST) or self.within(self.limit)


@dataclass(frozen=True)
class Trial:
    """One case with all that judging needs: its inputs, the derivation's values, the right answer, the tolerances."""

    exercise: Exercise
    case: Environment
    derived: Environment
    expected: Environment

    @cached_property
    def tolerance(self) -> dict[str, precision.Tolerance]:
        """The tolerance of every array asked for. It takes some time to measure, and most right answers need none."""
        return precision.tolerances(self.exercise, self.case, self.derived)

    @classmethod
    def of(cls, exercise: Exercise, case: Environment) -> Trial:
        """Work out a case."""
        derived = exercise.derive(case)
        return cls(exercise, case, derived, precision.truth(exercise, derived))

    def compare(self, given: Mapping[str, Any]) -> dict[str, Comparison]:
        """Every returned array beside the right one, by the array's name."""
        return {
            leaf: self._beside(leaf, mine, right)
            for name in self.exercise.returns
            for (leaf, mine), (_, right) in zip(
                leaves(name, given[name]), leaves(name, self.expected[name]), strict=True
            )
        }

    def same(self, first: Mapping[str, Any], second: Mapping[str, Any]) -> bool:
        """Whether two answers to this case are the same up to round-off, wrong or not."""
        return all(
            self._beside(leaf, mine, other).exact or np.array_equal(mine, other, equal_nan=True)
            for name in self.exercise.returns
            for (leaf, mine), (_, other) in zip(leaves(name, first[name]), leaves(name, second[name]), strict=True)
        )

    def _beside(self, leaf: str, mine: Array, right: Array) -> Comparison:
        return Comparison(mine, right, partial(self._limit, leaf, mine, right))

    def _limit(self, leaf: str, mine: Array, right: Array) -> float:
        coarse = precision.coarseness(mine) if self.exercise.float32 else 1.0
        return self.tolerance[leaf].at(coarse) / precision.size(right)
