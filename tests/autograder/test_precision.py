"""The truth is computed from the loss, and finite differences are told from formulas."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from autograder import Exercise, evaluate, exercises
from autograder.checking import precision
from autograder.checking.values import copied, leaves
from autograder.exercises.formulas import apply, needs

GRADIENTS = [exercise for exercise in exercises() if exercise.loss is not None]
BY_GRADIENT = pytest.mark.parametrize("exercise", GRADIENTS, ids=lambda exercise: exercise.id)

QUARTICS = {"00.polynomial", "01.power_of_line"}

KINKED = {"09.cnn_backward"}
"""Exercises whose loss has kinks near the points it is tried at."""
"""Five points are exact for polynomials of degree 4 and below: there the stencil is the derivative, up to round-off."""

STENCILS = {
    "forward": {0: -1.0, 1: 1.0},
    "central": {-1: -1 / 2, 1: 1 / 2},
    "five points": {-2: 1 / 12, -1: -8 / 12, 1: 8 / 12, 2: -1 / 12},
}


def _difference(exercise: Exercise, environment: dict[str, Any], variable: str, stencil: str, step: float) -> Any:
    """The gradient of the exercise's loss with respect to one value, by a finite-difference stencil."""
    assert exercise.loss is not None
    items = environment[variable]
    several = isinstance(items, list)
    found = []
    for number, array in enumerate(items if several else [items]):
        gradient = np.empty(np.shape(array))
        for index in np.ndindex(gradient.shape):
            total = 0.0
            for shift, weight in STENCILS[stencil].items():
                here = np.array(array, dtype=float)
                here[index] += shift * step
                put = [*items[:number], here, *items[number + 1 :]] if several else here[()]
                total += weight * float(np.sum(apply(exercise.loss, {**environment, variable: put})))
            gradient[index] = total / step
        found.append(gradient)
    return found if several else found[0]


def _is_differenceable(exercise: Exercise) -> bool:
    """Whether the inputs determine the loss, so that a learner could difference it."""
    return {*map(exercise.variable, exercise.returns), *needs(exercise.loss or (lambda: 0))} <= set(exercise.inputs)


def _numerical_answer(exercise: Exercise, stencil: str, step: float) -> Callable[..., Any]:
    """Someone's answer that differences the loss."""

    def answer(*inputs: Any) -> Any:
        environment = dict(zip(exercise.inputs, inputs, strict=True))
        return [_difference(exercise, environment, exercise.variable(name), stencil, step) for name in exercise.returns]

    return answer


@BY_GRADIENT
def test_the_reference_agrees_with_the_complex_step_of_its_loss(exercise: Exercise) -> None:
    for seed in range(10):
        for case in exercise.cases(seed):
            derived = exercise.derive(case)
            assert exercise.loss is not None
            for name in exercise.returns:
                truth = precision.gradient(exercise.loss, derived, exercise.variable(name))
                for (leaf, mine), (_, right) in zip(leaves(name, derived[name]), leaves(name, truth), strict=True):
                    assert mine.shape == right.shape
                    np.testing.assert_allclose(mine, right, rtol=0, atol=1e-12 * precision.size(right), err_msg=leaf)


@BY_GRADIENT
def test_the_loss_is_the_truth_where_the_derivation_is_wrong_in_a_single_entry(exercise: Exercise) -> None:
    rng = np.random.default_rng(5)
    for case in exercise.cases(4):
        derived = exercise.derive(case)
        right = precision.truth(exercise, derived)
        for name in exercise.returns:
            wrong = copied(derived[name])
            arrays = [array for _, array in leaves(name, wrong)]
            largest = max(map(precision.size, arrays))
            if isinstance(wrong, float):
                wrong += 1e-9 * largest
            else:
                array = arrays[rng.integers(len(arrays))]
                array[tuple(map(rng.integers, array.shape))] += 1e-9 * largest
            found = precision.truth(exercise, {**derived, name: wrong})
            for (leaf, mine), (_, other) in zip(leaves(name, found[name]), leaves(name, right[name]), strict=True):
                np.testing.assert_allclose(mine, other, rtol=0, atol=1e-12 * largest, err_msg=leaf)


@BY_GRADIENT
def test_the_reference_agrees_with_the_central_difference_of_its_loss(exercise: Exercise) -> None:
    for case in exercise.cases(3)[:-1]:
        derived = exercise.derive(case)
        for name in exercise.returns:
            difference = _difference(exercise, derived, exercise.variable(name), "central", 1e-5)
            for (leaf, mine), (_, close) in zip(leaves(name, derived[name]), leaves(name, difference), strict=True):
                np.testing.assert_allclose(mine, close, rtol=0, atol=1e-7 * max(1, precision.size(mine)), err_msg=leaf)


@pytest.mark.parametrize(
    "exercise", [each for each in GRADIENTS if _is_differenceable(each)], ids=lambda exercise: exercise.id
)
@pytest.mark.parametrize(
    ("stencil", "step"),
    [
        ("forward", 1e-5),
        ("forward", 1e-7),
        ("central", 1e-4),
        ("central", 1e-5),
        ("central", 1e-7),
        ("five points", 1e-3),
    ],
)
def test_a_finite_difference_is_told_from_a_formula(exercise: Exercise, stencil: str, step: float) -> None:
    answer = _numerical_answer(exercise, stencil, step)
    if stencil == "five points" and exercise.id in QUARTICS:
        assert evaluate(exercise.id, answer, seed=0).verdict in ("numerical", "correct")
        return
    # A long step may cross a kink of ReLU or of max pooling; what comes out then is no difference quotient of anything.
    verdicts = ("numerical", "wrong") if exercise.id in KINKED and step >= 1e-4 else ("numerical",)
    for seed in range(5):
        result = evaluate(exercise.id, answer, seed)
        assert result.verdict in verdicts, f"seed {seed}\n{result.to_text()}"
        assert result.score < result.max_score


@pytest.mark.parametrize(
    "exercise",
    [each for each in GRADIENTS if each.amplify and _is_differenceable(each)],
    ids=lambda exercise: exercise.id,
)
def test_a_difference_hidden_in_single_precision_is_told_where_a_case_is_amplified(exercise: Exercise) -> None:
    difference = _numerical_answer(exercise, "central", 1e-5)

    def single(value: Any) -> Any:
        return [single(item) for item in value] if isinstance(value, list) else np.float32(value)

    for seed in range(5):
        result = evaluate(exercise.id, lambda *inputs: [single(value) for value in difference(*inputs)], seed)
        assert (result.verdict, result.score) == ("numerical", 0), f"seed {seed}\n{result.to_text()}"


@pytest.mark.parametrize("exercise", [each for each in GRADIENTS if _is_differenceable(each)], ids=lambda e: e.id)
def test_a_difference_with_a_mistake_on_top_earns_no_more_than_the_difference(exercise: Exercise) -> None:
    difference = _numerical_answer(exercise, "central", 1e-5)

    def turned(value: Any) -> Any:
        return [turned(item) for item in value] if isinstance(value, list) else -np.asarray(value)

    for seed in range(3):
        result = evaluate(exercise.id, lambda *inputs: [turned(value) for value in difference(*inputs)], seed)
        assert (result.score, result.mistakes) == (0, ()), f"seed {seed}\n{result.to_text()}"


@BY_GRADIENT
def test_the_tolerance_lies_between_rounding_and_differences(exercise: Exercise) -> None:
    """A right answer may be some hundred roundings off, and no more: differences start at a few thousand."""
    for case in exercise.cases(1):
        derived = exercise.derive(case)
        for name, tolerance in precision.tolerances(exercise, case, derived).items():
            size = precision.size(dict(x for n in exercise.returns for x in leaves(n, derived[n]))[name])
            assert 1e-15 < tolerance.at(1.0) / size < 1e-11
