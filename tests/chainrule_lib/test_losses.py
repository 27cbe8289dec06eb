"""The losses: the course's convention (mean over samples, sum over outputs), and gradients by the complex step."""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import chainrule_lib as cl
from chainrule_lib import numerical_gradient, sigmoid, softmax, softmax_jacobian

Loss = Callable[[Any, Any], Any]

shapes = st.one_of(hnp.array_shapes(min_dims=1, max_dims=1, max_side=5), hnp.array_shapes(min_dims=2, max_dims=2))
logits = shapes.flatmap(lambda shape: hnp.arrays(float, shape, elements=st.floats(-8, 8)))
seeds = st.integers(0, 2**32 - 1)

Targets = Callable[[int, tuple[int, ...]], np.ndarray]


def between_0_and_1(seed: int, shape: tuple[int, ...]) -> np.ndarray:
    return np.random.default_rng(seed).random(size=shape)


def distributions(seed: int, shape: tuple[int, ...]) -> np.ndarray:
    return softmax(np.random.default_rng(seed).normal(size=shape))


# A loss, its gradient, what makes its predictions from logits, and what draws its targets.
LOSSES = [
    (cl.half_squared_error, cl.half_squared_error_gradient, np.asarray, between_0_and_1),
    (cl.binary_cross_entropy, cl.binary_cross_entropy_gradient, sigmoid, between_0_and_1),
    (
        cl.binary_cross_entropy_from_logits,
        cl.binary_cross_entropy_from_logits_gradient,
        np.asarray,
        between_0_and_1,
    ),
    (cl.categorical_cross_entropy, cl.categorical_cross_entropy_gradient, softmax, distributions),
    (
        cl.categorical_cross_entropy_from_logits,
        cl.categorical_cross_entropy_from_logits_gradient,
        np.asarray,
        distributions,
    ),
]


@pytest.mark.parametrize(("loss", "gradient", "predict", "targets"), LOSSES)
@given(Z=logits, seed=seeds)
def test_each_gradient_agrees_with_the_complex_step_of_its_loss(
    loss: Loss, gradient: Loss, predict: Callable[[Any], Any], targets: Targets, Z: np.ndarray, seed: int
) -> None:
    A, Y = predict(Z), targets(seed, Z.shape)
    expected = numerical_gradient(lambda a: loss(a, Y), A, method="complex")
    np.testing.assert_allclose(gradient(A, Y), expected, rtol=1e-11, atol=1e-14)


@pytest.mark.parametrize(("loss", "gradient", "predict", "targets"), LOSSES)
@given(Z=hnp.arrays(float, st.tuples(st.integers(2, 5), st.integers(2, 4)), elements=st.floats(-8, 8)), seed=seeds)
def test_a_batch_has_the_mean_of_its_samples_losses(
    loss: Loss, gradient: Loss, predict: Callable[[Any], Any], targets: Targets, Z: np.ndarray, seed: int
) -> None:
    A, Y = predict(Z), targets(seed, Z.shape)
    n = len(A)
    assert loss(A, Y) == pytest.approx(np.mean([loss(a, y) for a, y in zip(A, Y, strict=True)]), rel=1e-12)
    np.testing.assert_allclose(gradient(A, Y), [gradient(a, y) / n for a, y in zip(A, Y, strict=True)], rtol=1e-12)


def test_half_squared_error_is_a_sum_over_outputs_and_a_mean_over_samples() -> None:
    A, Y = [[1.0, 2.0, 0.0], [0.0, 0.0, 3.0]], [[0.0, 0.0, 0.0], [0.0, 0.0, 0.0]]
    assert cl.half_squared_error(A, Y) == (1 + 4 + 9) / (2 * 2)
    assert cl.half_squared_error(A[0], Y[0]) == (1 + 4) / 2
    assert cl.half_squared_error(3, 1) == 2.0
    assert cl.half_squared_error_gradient(3, 1) == 2.0


@given(Z=logits, seed=seeds)
def test_the_two_forms_of_the_cross_entropies_agree(Z: np.ndarray, seed: int) -> None:
    Y, P = between_0_and_1(seed, Z.shape), distributions(seed, Z.shape)
    assert cl.binary_cross_entropy_from_logits(Z, Y) == pytest.approx(cl.binary_cross_entropy(sigmoid(Z), Y), rel=1e-9)
    assert cl.categorical_cross_entropy_from_logits(Z, P) == pytest.approx(
        cl.categorical_cross_entropy(softmax(Z), P), rel=1e-9, abs=1e-14
    )


@given(z=hnp.arrays(float, st.integers(2, 5), elements=st.floats(-8, 8)), seed=seeds)
def test_softmax_cancels_in_the_gradient_with_respect_to_the_logits(z: np.ndarray, seed: int) -> None:
    y = distributions(seed, z.shape)
    through_the_jacobian = cl.categorical_cross_entropy_gradient(softmax(z), y) @ softmax_jacobian(z)
    cancelled = cl.categorical_cross_entropy_from_logits_gradient(z, y)
    np.testing.assert_allclose(cancelled, through_the_jacobian, rtol=1e-9, atol=1e-12)
    assert cancelled.sum() == pytest.approx(0, abs=1e-14)


def test_cross_entropies_of_huge_logits_are_finite_and_without_a_warning() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert cl.binary_cross_entropy_from_logits([1000.0, -1000.0], [0, 1]) == 2000.0
        assert cl.binary_cross_entropy_from_logits([1000.0, -1000.0], [1, 0]) == 0.0
        assert cl.categorical_cross_entropy_from_logits([1000.0, -1000.0], [0, 1]) == 2000.0


def test_a_certain_prediction_costs_nothing_when_right_and_everything_when_wrong() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert cl.binary_cross_entropy([0.0, 1.0], [0, 1]) == 0.0
        assert cl.binary_cross_entropy(1.0, 0) == np.inf
        assert cl.binary_cross_entropy_gradient([0.0, 1.0], [0, 1]).tolist() == [1.0, -1.0]
        assert cl.binary_cross_entropy_gradient(1.0, 0) == np.inf
        assert cl.categorical_cross_entropy([0.0, 1.0], [0, 1]) == 0.0
        assert cl.categorical_cross_entropy([0.0, 1.0], [1, 0]) == np.inf


def test_an_infinite_logit_costs_what_its_probability_costs() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for Z, Y in (([-np.inf, 0.0], [0, 1]), ([-np.inf, 0.0], [1, 0]), ([1.0, -np.inf, 1.0], [0.5, 0, 0.5])):
            from_logits = cl.categorical_cross_entropy_from_logits(Z, Y)
            assert from_logits == pytest.approx(cl.categorical_cross_entropy(softmax(Z), Y), rel=1e-15)
        for z, y in ((-np.inf, 0), (-np.inf, 1), (np.inf, 1), (np.inf, 0)):
            assert cl.binary_cross_entropy_from_logits(z, y) == cl.binary_cross_entropy(sigmoid(z), y)
        assert cl.categorical_cross_entropy_from_logits([1e308, -1e308], [1, 0]) == 0.0


@pytest.mark.parametrize(("loss", "gradient", "predict", "targets"), LOSSES)
def test_predictions_and_targets_of_different_shapes_are_refused_naming_both(
    loss: Loss, gradient: Loss, predict: object, targets: object
) -> None:
    for function in (loss, gradient):
        with pytest.raises(ValueError, match=r"shape \(3, 2\), Y has shape \(3,\): expected the same shape"):
            function(np.full((3, 2), 0.5), np.full(3, 0.5))
        with pytest.raises(ValueError, match=r"shape \(0, 2\): expected .* at least one entry"):
            function(np.empty((0, 2)), np.empty((0, 2)))


def test_what_is_no_probability_is_refused() -> None:
    with pytest.raises(ValueError, match="A has entries outside 0 to 1"):
        cl.binary_cross_entropy([1.5], [1])
    with pytest.raises(ValueError, match="Y has entries outside 0 to 1"):
        cl.binary_cross_entropy_from_logits([1.5], [2])
    with pytest.raises(ValueError, match="Y has rows that do not sum to 1"):
        cl.categorical_cross_entropy_from_logits([[1.0, 2.0]], [[1, 1]])
    with pytest.raises(ValueError, match="Y has rows that do not sum to 1, or entries below 0"):
        cl.categorical_cross_entropy([0.5, 0.5], [2, -1])
