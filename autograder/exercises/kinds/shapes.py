"""Shapes along a graph: a function of the sizes that returns the shape of every array.

A shape travels through checking as an array of a fixed length, so that shapes with different numbers of axes can be
compared: the sizes, then -1 for every axis that is not there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from autograder.exercises.drawing import Array
from autograder.exercises.formulas import Environment, Formula
from autograder.exercises.kind import Kind, NotAnAnswer
from autograder.exercises.model import Exercise

AXES = 6
"""Axes that a shape has at most."""


def shape(*sizes: int) -> Array:
    """A shape as the formulas of an exercise give it: ``shape(n, h)``; ``shape()`` is a number's."""
    return np.array([*sizes, *[-1] * (AXES - len(sizes))], dtype=float)


def sizes_of(coded: Any) -> tuple[int, ...]:
    """A shape as Python writes it."""
    return tuple(int(size) for size in np.ravel(coded) if size != -1)


class Shapes(Kind):
    """A function of sizes that returns shapes: tuples, in order or in a dictionary by name."""

    name = "shape"
    shows = "shapes"

    def make(self, exercise: Exercise, formulas: Mapping[str, Formula]) -> Callable[..., Any]:
        """A function that returns a dictionary of tuples."""
        numbers = super().make(exercise, formulas)

        def answer(*inputs: Any) -> dict[str, tuple[int, ...]]:
            values = numbers(*inputs)
            several = values if len(exercise.returns) > 1 else (values,)
            return {name: sizes_of(value) for name, value in zip(exercise.returns, several, strict=True)}

        answer.__name__ = exercise.function
        answer.__signature__ = numbers.__signature__  # type: ignore[attr-defined]
        return answer

    def compute(
        self,
        exercise: Exercise,
        formulas: Mapping[str, Formula],
        environment: Environment,
        passed: Callable[[Any], Any] = lambda value: value,
    ) -> None:
        """As for functions, but nothing is done to a size on its way: sizes are exact."""
        super().compute(exercise, formulas, environment)

    def attempt(self, exercise: Exercise, answer: Any) -> Callable[..., Any]:
        """The function with its tuples made arrays."""
        function = super().attempt(exercise, answer)

        def coded(*inputs: Any) -> Any:
            returned = function(*inputs)
            return None if returned is None or returned is Ellipsis else _coded(exercise, returned)

        return coded


def _coded(exercise: Exercise, returned: Any) -> dict[str, Array]:
    """What a learner returned, by name, as arrays."""
    names = exercise.returns
    if isinstance(returned, np.ndarray):
        returned = list(returned)
    if len(names) == 1 and not isinstance(returned, Mapping):
        returned = {names[0]: returned}
    if not isinstance(returned, Mapping):
        if not isinstance(returned, list | tuple) or len(returned) != len(names):
            raise NotAnAnswer(f"{len(names)} shapes are asked for, by name or in this order: {', '.join(names)}.")
        returned = dict(zip(names, returned, strict=True))
    if missing := [name for name in names if name not in returned]:
        raise NotAnAnswer(f"There is no shape for {', '.join(missing)}. Asked for are {', '.join(names)}.")
    return {name: _one(name, returned[name]) for name in names}


def _one(name: str, given: Any) -> Array:
    """One shape as an array."""
    if isinstance(given, np.ndarray) and given.ndim < 2:
        given = given.tolist()
    if isinstance(given, int | np.integer):
        given = (given,)
    whole = isinstance(given, list | tuple) and all(
        isinstance(size, int | np.integer) and not isinstance(size, bool) and size >= 0 for size in given
    )
    if not whole or len(given) > AXES:
        raise NotAnAnswer(
            f"The shape of {name} is {str(given)[:80]}; expected a tuple of whole numbers such as (n, d), (n,) for a "
            "vector and () for a single number."
        )
    return shape(*(int(size) for size in given))
