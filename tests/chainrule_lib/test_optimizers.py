"""The optimizers: their update rules against hand computation, and no memory shared with the caller."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from chainrule_lib import Adam, GradientDescent, Momentum

ALL: list[Callable[[], Any]] = [lambda: GradientDescent(0.1), lambda: Momentum(0.1), lambda: Adam(0.1)]
arrays = hnp.arrays(float, hnp.array_shapes(min_dims=0, max_dims=2), elements=st.floats(-10, 10))


def test_gradient_descent_steps_against_the_gradient() -> None:
    (theta,) = GradientDescent(0.1).step([np.array([1.0, -2.0])], [np.array([5.0, -10.0])])
    np.testing.assert_allclose(theta, [0.5, -1.0])


def test_momentum_keeps_a_share_of_its_velocity() -> None:
    optimizer = Momentum(0.1, momentum=0.5)
    (theta,) = optimizer.step([1.0], [2.0])
    assert theta == pytest.approx(1.0 - 0.2)
    (theta,) = optimizer.step([theta], [1.0])
    assert theta == pytest.approx(0.8 + 0.5 * -0.2 - 0.1)


def test_momentum_of_zero_is_gradient_descent() -> None:
    plain, momentum = GradientDescent(0.1), Momentum(0.1, momentum=0.0)
    for g in (2.0, -1.0):
        assert plain.step([1.0], [g]) == momentum.step([1.0], [g])


def test_momentum_on_a_steady_slope_approaches_steps_of_rate_over_one_minus_momentum() -> None:
    optimizer, theta = Momentum(0.1, momentum=0.9), np.array(0.0)
    for _ in range(300):
        before, theta = theta, optimizer.step([theta], [2.0])[0]
    assert before - theta == pytest.approx(0.1 * 2.0 / (1 - 0.9), rel=1e-10)


@given(g=st.floats(1e-3, 1e3), sign=st.sampled_from([-1, 1]))
def test_adam_s_first_step_has_the_size_of_the_learning_rate_because_the_bias_is_corrected(g: float, sign: int) -> None:
    (theta,) = Adam(0.01).step([0.0], [sign * g])
    assert theta == pytest.approx(-sign * 0.01, rel=1e-4)


def test_adam_follows_its_formula_for_several_steps() -> None:
    optimizer, theta = Adam(0.1, beta1=0.8, beta2=0.95, epsilon=1e-3), np.array(1.0)
    m = v = 0.0
    expected = 1.0
    for t, g in enumerate((2.0, -1.0, 0.5), start=1):
        m, v = 0.8 * m + 0.2 * g, 0.95 * v + 0.05 * g * g
        expected -= 0.1 * (m / (1 - 0.8**t)) / (np.sqrt(v / (1 - 0.95**t)) + 1e-3)
        (theta,) = optimizer.step([theta], [g])
        assert theta == pytest.approx(expected, rel=1e-14)


@pytest.mark.parametrize("make", ALL)
@given(theta=arrays)
def test_nothing_given_is_changed_and_nothing_returned_is_kept(make: Callable[[], Any], theta: np.ndarray) -> None:
    optimizer, reference = make(), make()
    g = np.cos(theta)
    theta_before, g_before = theta.copy(), np.copy(g)
    (first,) = optimizer.step([theta], [g])
    expected = reference.step([theta_before], [g_before])[0].copy()
    np.testing.assert_array_equal(theta, theta_before)
    np.testing.assert_array_equal(g, g_before)
    np.testing.assert_array_equal(first, expected)
    assert not np.shares_memory(first, theta)
    # The second step must not see what the caller does to the arrays of the first.
    next_theta = first.copy()
    first[...] = 99
    np.testing.assert_array_equal(optimizer.step([next_theta], [g])[0], reference.step([expected], [g_before])[0])


@pytest.mark.parametrize("make", ALL)
def test_every_optimizer_descends_a_bowl(make: Callable[[], Any]) -> None:
    optimizer, theta = make(), [np.array([3.0, -2.0]), np.array(1.5)]
    for _ in range(300):
        theta = optimizer.step(theta, theta)  # the gradient of ½|θ|² is θ
    assert max(float(np.max(np.abs(t))) for t in theta) < 1e-2


@pytest.mark.parametrize("make", ALL)
def test_gradients_that_do_not_fit_their_parameters_are_refused(make: Callable[[], Any]) -> None:
    with pytest.raises(ValueError, match=r"grads\[0\] has shape \(3, 2\), params\[0\] has shape \(2, 3\)"):
        make().step([np.ones((2, 3))], [np.ones((3, 2))])
    with pytest.raises(ValueError, match="There are 2 parameters and 1 gradients"):
        make().step([1.0, 2.0], [1.0])


@pytest.mark.parametrize("make", ALL)
def test_parameters_may_come_one_by_one_but_not_as_one_number(make: Callable[[], Any]) -> None:
    thetas, gs = [np.ones(2), np.array(3.0)], [np.array([0.5, 1.0]), np.array(-2.0)]
    for one, other in zip(make().step(iter(thetas), iter(gs)), make().step(thetas, gs), strict=True):
        np.testing.assert_array_equal(one, other)
    with pytest.raises(TypeError, match=r"params is 1\.0: expected a list of arrays"):
        make().step(1.0, [1.0])
    with pytest.raises(TypeError, match="grads is None: expected a list of arrays"):
        make().step([1.0], None)


@pytest.mark.parametrize("make", ALL[1:])
def test_parameters_of_other_shapes_need_a_new_optimizer(make: Callable[[], Any]) -> None:
    optimizer = make()
    optimizer.step([np.ones(2)], [np.ones(2)])
    with pytest.raises(ValueError, match=r"params has shapes \[\(3,\)\], in the steps before .* make a new optimizer"):
        optimizer.step([np.ones(3)], [np.ones(3)])


@pytest.mark.parametrize("rate", [0, -0.1, np.inf, np.nan, "0.1", None])
@pytest.mark.parametrize("optimizer", [GradientDescent, Momentum, Adam])
def test_a_learning_rate_that_is_not_positive_and_finite_is_refused(optimizer: Callable[..., Any], rate: Any) -> None:
    with pytest.raises(ValueError, match=r"learning_rate is .*: expected a positive, finite number"):
        optimizer(rate)


def test_shares_must_lie_below_one() -> None:
    with pytest.raises(ValueError, match=r"momentum is 1\.0: expected a number from 0 up to"):
        Momentum(0.1, momentum=1.0)
    with pytest.raises(ValueError, match=r"beta2 is -0\.1: expected a number from 0 up to"):
        Adam(beta2=-0.1)
