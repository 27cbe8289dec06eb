"""The points an exercise is tried at hide no mistake.

A batch of one hides the mean, equal sizes hide a transpose, zero biases hide a regularized bias, one step in time hides
a sum over time, a symmetric kernel hides a flip.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from autograder import Exercise, exercises
from autograder.checking.values import leaves

SEEDS = range(20)
NAMED = pytest.mark.parametrize("exercise", exercises(), ids=lambda exercise: exercise.id)

SQUARE_BY_NATURE = {
    "W_hh",  # from state to state
    "dW_hh",
    "H",  # a Hessian
}
"""Inputs whose two sizes are one and the same."""

SYMMETRIC_IN_TIME = 4
"""Time steps that a recurrent network is tried on at least: two hide truncation a step too early."""


def cases(exercise: Exercise) -> Iterator[dict[str, Any]]:
    """What answers are called with."""
    for seed in SEEDS:
        yield from map(exercise.arguments, exercise.cases(seed))


def arrays(case: dict[str, Any]) -> Iterator[tuple[str, np.ndarray]]:
    """The arrays of numbers in a case, those in lists by their place."""
    for name, value in case.items():
        if callable(value) or isinstance(value, str | dict):
            continue
        listed = isinstance(value, list | tuple)
        if listed and any(callable(item) or isinstance(item, str) for item in value):
            continue
        for leaf, array in leaves(name, value):
            if array.dtype.kind in "biuf":
                yield leaf, array


@NAMED
def test_no_axis_has_length_one_and_no_matrix_is_square(exercise: Exercise) -> None:
    for case in cases(exercise):
        for name, array in arrays(case):
            assert 1 not in array.shape, f"{name} has shape {array.shape}: an axis of length 1 hides sums and means"
            if array.ndim == 2 and name.partition("[")[0] not in SQUARE_BY_NATURE:
                assert array.shape[0] != array.shape[1], f"{name} has shape {array.shape}: a square hides a transpose"


@NAMED
def test_all_numbers_are_finite(exercise: Exercise) -> None:
    for case in cases(exercise):
        assert all(np.all(np.isfinite(array)) for _, array in arrays(case))


@NAMED
def test_biases_and_upstream_gradients_are_not_zero(exercise: Exercise) -> None:
    for case in cases(exercise):
        for name, array in arrays(case):
            stem = name.partition("[")[0]
            if stem.startswith(("b", "db", "dY", "dZ", "dA", "dz", "h0", "biases", "W", "w", "kernel")) and array.ndim:
                assert np.all(array.any(axis=-1)), f"{name} has a row of zeros"


@NAMED
def test_numbers_differ_within_a_case_and_between_cases(exercise: Exercise) -> None:
    """A repeated array would let one stand for another; a repeated case would be no second witness."""
    if not exercise.inputs or exercise.kind.name == "shape":
        return
    for seed in SEEDS:
        drawn = [dict(arrays(exercise.arguments(case))) for case in exercise.cases(seed)]
        for case in drawn:
            # What is in a list may well be an input too, as the first activation is.
            floats = [
                (name, array)
                for name, array in case.items()
                if array.dtype.kind == "f" and array.size > 1 and "[" not in name
            ]
            for (first, one), (second, other) in itertools.combinations(floats, 2):
                assert not np.array_equal(one, other), f"{first} and {second} are the same numbers"
        names = set.intersection(*(set(case) for case in drawn))
        assert not names or any(
            not np.array_equal(one[name], other[name]) for one, other in itertools.pairwise(drawn) for name in names
        )


@pytest.mark.parametrize(
    "exercise",
    [exercise for exercise in exercises() if exercise.kind.name == "shape"],
    ids=lambda exercise: exercise.id,
)
def test_the_sizes_of_a_graph_all_differ(exercise: Exercise) -> None:
    for case in cases(exercise):
        # Kernels, strides and paddings are small, and may be equal.
        sizes = [case[name] for name in exercise.inputs if name not in ("k", "s", "p", "m")]
        assert len(set(sizes)) == len(sizes), case
        assert min(sizes) > 1


def of_lesson(number: str) -> list[Exercise]:
    return [exercise for exercise in exercises() if exercise.id.startswith(f"{number}.")]


@pytest.mark.parametrize("exercise", of_lesson("08"), ids=lambda exercise: exercise.id)
def test_a_recurrent_network_is_tried_over_at_least_four_steps(exercise: Exercise) -> None:
    for case in cases(exercise):
        for name in ("X", "H", "dH", "dY", "Y", "xs", "hs", "dys"):
            if name in case and exercise.kind.name != "shape" and np.ndim(case[name]) >= 2:
                steps = np.shape(case[name])[-2]
                assert steps >= SYMMETRIC_IN_TIME, f"{name} has {steps} steps"


@pytest.mark.parametrize("exercise", of_lesson("09"), ids=lambda exercise: exercise.id)
def test_a_kernel_is_symmetric_in_no_axis_and_larger_than_one_entry(exercise: Exercise) -> None:
    for case in cases(exercise):
        for name in ("w", "W", "W1", "kernel", "K"):
            if isinstance(case.get(name), np.ndarray) and exercise.kind.name not in ("shape", "derivation"):
                kernel = case[name]
                for axis in range(max(0, kernel.ndim - 2), kernel.ndim):
                    assert kernel.shape[axis] > 1
                    assert not np.allclose(kernel, np.flip(kernel, axis))
        if "stride" in case and isinstance(case.get("W", case.get("w")), np.ndarray):
            kernel = case.get("W", case.get("w"))
            assert case["stride"] < min(kernel.shape[-2:]), "windows that do not overlap hide what is added"
