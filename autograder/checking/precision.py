"""How far a right answer may be from the truth, and how close a finite difference comes.

The truth is the complex step (Squire and Trapp 1998, doi 10.1137/S003614459631241X): f(x + ih) = f(x) + ih f'(x) - ...,
so f'(x) = Im f(x + ih) / h with an error of order h² and no subtraction. With h = 1e-30 the truncation error is far
below the last digit, and only the round-off of evaluating f remains.

A gradient has many entries, and a loss would be evaluated once for each. So the derivation's gradient g is taken where
the complex step confirms it in a random direction v, g·v = Im f(x + ihv) / h, for which one evaluation is enough; where
it does not, the truth is found from the loss alone, entry by entry.

The tolerance is not a constant but a measurement (Monte Carlo arithmetic: Parker 1997, UCLA CSD-970002). However an
analytic gradient is written, each of its operations rounds with a relative error of at most ε/2. So the reference
derivation is evaluated a few times with its inputs and every step's value changed by a random relative ε; the largest
movement of a gradient shows what one rounding error a step does to it, conditioning included. ``SAFETY`` times that
covers answers that take many small operations where the derivation takes one (a sum of n terms, written as a loop,
rounds n times) and those that go another way round.

What values cannot tell: a complex step (it is as exact as a formula), a difference of so high an order that only
round-off is left of its error, and one that was rounded to single precision afterwards, where no case of the exercise
is amplified (see ``Exercise.amplify``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autograder.checking.values import Array, copied, leaves, mapped
from autograder.exercises.formulas import Environment, Formula, apply
from autograder.exercises.kinds import Class, Derivation
from autograder.exercises.model import Exercise

STEP = 1e-30
"""Complex step: h² is below the last digit of any number in sight, and f'(x)·h is no subnormal number."""

CONFIRMED = 1e-14
"""Error of a derivation's slope in a random direction, relative to the sum of its terms' sizes, up to which the loss
confirms it. Round-off makes 1e-16 of it, rarely 5e-15; a wrong entry shows whatever its place, for a direction at right
angles to the error is not drawn at random."""

SAFETY = 100.0
"""Roundings of one step's size that a right answer may add up; see the module's text."""

LEAST = SAFETY * float(np.finfo(float).eps) / 4
"""Relative error that every tolerance allows: that of a value which is rounded once."""

SINGLE = float(np.finfo(np.float32).eps / np.finfo(float).eps)
"""How much coarser the roundings of float32 are than those of float64."""

VALUE = 1e-5
"""Relative tolerance of a value that is no gradient. No finite difference hides there, so a step in single precision
(SAFETY times its rounding of 1.2e-7) and the usual small constant inside a logarithm or a denominator pass."""

FORMULA = 1e-13
"""Relative tolerance of a formula's or a class's values. SymPy writes its floats with 15 digits."""

DIFFERENCE = 1e-3
"""Relative error up to which an unexplained answer is taken for a finite difference. A forward difference errs by h/2
times f''/f', where f''/f' can reach tens; the smallest mistake of the catalogue (weights updated too early) errs
8e-3."""

CENTRAL_STEP = float(np.finfo(float).eps ** (1 / 3))
"""Step of the central difference shown beside a learner's entry: where truncation h² and round-off ε/h balance."""


def truth(exercise: Exercise, environment: Environment) -> Environment:
    """The right value of everything the exercise asks for, by name.

    The loss decides on a gradient, by complex step; a value is that of the derivation.
    """
    loss = exercise.loss
    if loss is None:
        return {name: environment[name] for name in exercise.returns}
    return {name: _decided(loss, environment, exercise.variable(name), environment[name]) for name in exercise.returns}


def _decided(loss: Formula, environment: Environment, variable: str, derived: Any) -> Any:
    """A gradient as it was derived, where the loss confirms it; else by the loss alone."""
    confirmed = _is_confirmed(loss, environment, variable, derived)
    return derived if confirmed else gradient(loss, environment, variable)


def _is_confirmed(loss: Formula, environment: Mapping[str, Any], variable: str, derived: Any) -> bool:
    """Whether a gradient has the slope of the loss in a random direction."""
    rng = np.random.default_rng(0)
    directions = []

    def step(array: Array) -> Any:
        directions.append(rng.standard_normal(array.shape))
        return array + 1j * STEP * directions[-1]

    moved = {**environment, variable: mapped(step, environment[variable])}
    gradients = [array for _, array in leaves("", derived)]
    if [array.shape for array in gradients] != [direction.shape for direction in directions]:
        return False
    terms = [array * direction for array, direction in zip(gradients, directions, strict=True)]
    slope = np.sum(apply(loss, moved)).imag / STEP
    error = abs(slope - sum(np.sum(each) for each in terms))
    return bool(error <= CONFIRMED * sum(np.sum(np.abs(each)) for each in terms))


def gradient(loss: Formula, environment: Mapping[str, Any], variable: str) -> Any:
    """Derivative of ``loss`` with respect to one named value, entry by entry, by complex step."""
    moved = dict(environment)
    value = mapped(lambda array: array.astype(complex), environment[variable])

    def derivative(array: Array, put: Any) -> Array:
        result = np.empty(array.shape)
        for index in np.ndindex(array.shape):
            here = array.copy()
            here[index] += 1j * STEP
            moved[variable] = put(here)
            result[index] = np.sum(apply(loss, moved)).imag / STEP
        return result

    if isinstance(value, list):
        return [
            derivative(item, lambda here, i=index: [*value[:i], here, *value[i + 1 :]])
            for index, item in enumerate(value)
        ]
    return derivative(np.asarray(value), lambda here: here if here.ndim else here[()])


def central_difference(
    loss: Formula, environment: Mapping[str, Any], variable: str, position: tuple[int, ...], item: int | None
) -> float:
    """Central difference of the loss in a single entry: the number a learner can reproduce by hand."""

    def at(shift: float) -> float:
        moved = dict(environment)
        value = copied(moved[variable])
        array = np.array(value if item is None else value[item], dtype=float)
        array[position] += shift
        if item is None:
            moved[variable] = array[()]
        else:
            value[item] = array
            moved[variable] = value
        return float(np.sum(apply(loss, moved)))

    array = np.asarray(environment[variable] if item is None else environment[variable][item])
    step = CENTRAL_STEP * max(1.0, abs(float(array[position])))
    return (at(step) - at(-step)) / (2 * step)


@dataclass(frozen=True)
class Tolerance:
    """The largest error of an array that is not called wrong, in the array's own units."""

    roundoff: float
    floor: float

    def at(self, coarseness: float) -> float:
        """The tolerance for numbers with roundings ``coarseness`` times those of float64."""
        return max(self.floor, self.roundoff * coarseness)


def tolerances(exercise: Exercise, case: Mapping[str, Any], environment: Environment) -> dict[str, Tolerance]:
    """The tolerance of every array asked for, by the array's name."""
    expected = dict(leaf for name in exercise.returns for leaf in leaves(name, environment[name]))
    eps = float(np.finfo(float).eps)
    movement = dict.fromkeys(expected, 0.0)
    rng = np.random.default_rng(0)  # which way each rounding goes matters little; the same on every run helps
    for _ in range(4):
        moved = _rounded(exercise, case, eps, rng)
        for name in exercise.returns:
            for leaf, array in leaves(name, moved[name]):
                movement[leaf] = max(movement[leaf], float(np.max(np.abs(array - expected[leaf]), initial=0.0)))
    floor = _floor(exercise)
    return {
        leaf: Tolerance(max(SAFETY * movement[leaf], LEAST * size(array)), floor * size(array))
        for leaf, array in expected.items()
    }


def _floor(exercise: Exercise) -> float:
    """The relative error that is let pass whatever the derivation's conditioning."""
    if isinstance(exercise.kind, Class | Derivation):
        # They have derivatives to give, and a finite difference inside must not pass for them.
        return FORMULA
    return VALUE if exercise.loss is None and exercise.float32 else 0.0


def _rounded(exercise: Exercise, case: Mapping[str, Any], eps: float, rng: np.random.Generator) -> Environment:
    """The derivation with every value moved by a random relative rounding error."""

    def rounded(array: Array) -> Array:
        return array * (1 - eps + 2 * eps * rng.random(array.shape)) if array.dtype.kind == "f" else array

    environment = {name: mapped(rounded, value) for name, value in case.items()}
    exercise.kind.compute(exercise, {}, environment, lambda value: mapped(rounded, value))
    return environment


def size(array: Array) -> float:
    """Largest absolute finite entry of an array; tiny instead of 0, so that a tolerance is never 0."""
    largest = float(np.abs(array).max(initial=0.0))
    if not np.isfinite(largest):
        largest = float(np.abs(array[np.isfinite(array)]).max(initial=0.0))
    return max(largest, 1e-300)


def coarseness(array: NDArray[Any]) -> float:
    """How much coarser than float64 an answer's numbers are: 1, or ``SINGLE`` for single precision.

    Numbers that are all exact in float32 were computed in it, whatever type they arrive in (a list, say). Half
    precision gets no more: its three digits would let wrong answers pass.
    """
    if array.dtype.kind == "f" and array.dtype.itemsize < 8:
        return SINGLE
    exact = array.size > 0 and np.array_equal(array.astype(np.float32).astype(float), array, equal_nan=True)
    return SINGLE if exact and np.any(array != np.round(array)) else 1.0
