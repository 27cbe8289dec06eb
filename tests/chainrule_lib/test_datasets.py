"""The data sets: shapes, seeds, what they promise about their labels, and that the digits are the real ones."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainrule_lib import digits, moons, one_hot, sequences, spirals, train_test_split, xor

RANDOM_SETS: list[Callable[..., Any]] = [lambda n, seed: xor(n, noise=0.1, seed=seed)] + [
    lambda n, seed, make=make: make(n, seed=seed) for make in (moons, spirals, sequences)
]


@pytest.mark.parametrize("make", RANDOM_SETS)
@given(n=st.integers(1, 50), seed=st.integers(0, 2**32 - 1))
def test_the_same_seed_gives_the_same_n_samples_and_another_seed_others(
    make: Callable[..., Any], n: int, seed: int
) -> None:
    (X, Y), (X_again, Y_again), (X_other, _) = make(n, seed), make(n, seed), make(n, seed + 1)
    assert len(X) == len(Y) == n
    np.testing.assert_array_equal(X, X_again)
    np.testing.assert_array_equal(Y, Y_again)
    assert not np.array_equal(X, X_other)


def test_xor_is_1_where_exactly_one_input_is_1() -> None:
    X, Y = xor()
    assert [(*x, *y) for x, y in zip(X.tolist(), Y.tolist(), strict=True)] == [
        (0, 0, 0),
        (0, 1, 1),
        (1, 0, 1),
        (1, 1, 0),
    ]


def test_moons_without_noise_lie_on_two_half_circles() -> None:
    X, Y = moons(101, noise=0.0, seed=3)
    first, second = X[Y[:, 0] == 0], X[Y[:, 0] == 1]
    assert len(first) == 51
    np.testing.assert_allclose(np.hypot(*first.T), 1)
    np.testing.assert_allclose(np.hypot(*(second - [1.0, 0.5]).T), 1)
    assert np.all(first[:, 1] >= 0)
    assert np.all(second[:, 1] <= 0.5)


@given(classes=st.integers(2, 6))
def test_spirals_without_noise_are_one_curve_turned_round_the_origin(classes: int) -> None:
    X, Y = spirals(20 * classes, classes=classes, noise=0.0)
    assert Y.shape == (20 * classes, classes)
    assert Y.sum(axis=0).tolist() == [20] * classes
    radius, angle = np.hypot(*X.T), np.arctan2(X[:, 1], X[:, 0])
    start = angle - 4 * np.pi / 3 * radius - 2 * np.pi * Y.argmax(axis=1) / classes
    np.testing.assert_allclose(np.cos(start), 1, atol=1e-9)
    assert radius.max() <= 1


@given(length=st.integers(2, 12), seed=st.integers(0, 100))
def test_the_adding_problem_marks_one_number_in_each_half_and_asks_for_their_sum(length: int, seed: int) -> None:
    X, Y = sequences(7, length=length, seed=seed)
    numbers, marks = X[..., 0], X[..., 1]
    assert X.shape == (7, length, 2)
    assert np.all(marks[:, : length // 2].sum(axis=1) == 1)
    assert np.all(marks[:, length // 2 :].sum(axis=1) == 1)
    np.testing.assert_allclose(Y, (numbers * marks).sum(axis=1, keepdims=True))


def test_the_digits_are_the_uci_test_set() -> None:
    X, Y = digits()
    assert X.shape == (1797, 64)
    assert Y.shape == (1797, 10)
    assert (X.min(), X.max()) == (0, 1)
    assert set(np.unique(X * 16)) == set(range(17))
    # Counts of the digits 0 to 9 as published with the data set.
    assert Y.sum(axis=0).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    # Its first image, a zero.
    assert Y[0].argmax() == 0
    assert (X[0] * 16).reshape(8, 8)[:3].tolist() == [
        [0, 0, 5, 13, 9, 1, 0, 0],
        [0, 0, 13, 15, 10, 15, 5, 0],
        [0, 3, 15, 2, 0, 11, 8, 0],
    ]


@given(n=st.integers(2, 60), fraction=st.floats(0.01, 0.99), seed=st.integers(0, 1000))
def test_a_split_keeps_every_sample_once_beside_its_target(n: int, fraction: float, seed: int) -> None:
    X, Y = np.arange(2.0 * n).reshape(n, 2), np.arange(float(n))
    X_train, X_test, Y_train, Y_test = train_test_split(X, Y, test_fraction=fraction, seed=seed)
    assert len(X_train) >= 1
    assert len(X_test) == min(max(1, round(fraction * n)), n - 1)
    assert sorted([*Y_train, *Y_test]) == Y.tolist()
    np.testing.assert_array_equal(np.vstack([X_train, X_test])[:, 0], 2 * np.concatenate([Y_train, Y_test]))
    np.testing.assert_array_equal(X_test, train_test_split(X, Y, test_fraction=fraction, seed=seed)[1])


def test_a_split_is_shuffled_and_the_seed_decides_how() -> None:
    X = np.arange(50.0)
    one, other = (train_test_split(X, X, seed=seed)[0].tolist() for seed in (0, 1))
    assert one != sorted(one)
    assert one != other


def test_one_hot_rows_have_their_1_at_the_label() -> None:
    assert one_hot([2, 0], 3).tolist() == [[0, 0, 1], [1, 0, 0]]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: xor(0), "n is 0: expected a whole number of at least 1"),
        (lambda: moons(2.5), "n is 2.5: expected a whole number"),  # type: ignore[arg-type]
        (lambda: moons(noise=-1), "noise is -1: expected a standard deviation"),
        (lambda: moons(noise="a"), "noise is 'a': expected a standard deviation"),  # type: ignore[arg-type]
        (lambda: xor(True), "n is True: expected a whole number of at least 1"),
        (lambda: xor(seed=-1), "seed is -1: expected a whole number of at least 0"),
        (lambda: moons(seed=-1), "seed is -1: expected a whole number"),
        (lambda: spirals(seed=-1), "seed is -1: expected a whole number"),
        (lambda: sequences(seed=0.5), r"seed is 0\.5: expected a whole number"),  # type: ignore[arg-type]
        (lambda: train_test_split([1.0, 2.0], [1.0, 2.0], seed=-1), "seed is -1: expected a whole number"),
        (lambda: spirals(classes=1), "classes is 1: expected a whole number of at least 2"),
        (lambda: sequences(length=1), "length is 1: expected a whole number of at least 2"),
        (lambda: one_hot([0, 3], 3), r"labels has shape \(2,\): expected \(n,\) with whole numbers from 0 to 2"),
        (lambda: one_hot([0], 2.5), r"classes is 2\.5: expected a whole number of at least 1"),  # type: ignore[arg-type]
        (lambda: one_hot([0], None), "classes is None: expected a whole number"),  # type: ignore[arg-type]
        (lambda: one_hot([0], 0), "classes is 0: expected a whole number of at least 1"),
        (lambda: one_hot([[0]], 3), r"labels has shape \(1, 1\)"),
        (lambda: train_test_split([1.0, 2.0], [1.0]), r"X has shape \(2,\), Y has shape \(1,\): expected the same n"),
        (lambda: train_test_split([1.0, 2.0], [1.0, 2.0], test_fraction=1), "test_fraction is 1: expected a number"),
        (
            lambda: train_test_split([1.0, 2.0], [1.0, 2.0], test_fraction="a"),  # type: ignore[arg-type]
            "test_fraction is 'a': expected a number",
        ),
    ],
)
def test_impossible_sizes_are_refused(call: Callable[[], Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
