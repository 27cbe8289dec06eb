"""Numerical derivatives: the order of each method, what is perturbed and restored, the gradient check's verdicts."""

import math
import warnings
from collections.abc import Callable
from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from chainrule_lib import (
    SigmoidNetwork,
    directional_derivative,
    gradient_check,
    jacobian,
    numerical_gradient,
    relative_error,
    sigmoid,
    sigmoid_derivative,
)
from chainrule_lib.numerical import Method

METHODS: tuple[Method, ...] = get_args(Method)
# The errors that the docstring of numerical_gradient derives, with room for the constants it leaves out.
EXPECTED_ERROR = {"forward": 1e-6, "central": 1e-8, "richardson": 1e-10, "complex": 1e-14}

arrays = hnp.arrays(float, hnp.array_shapes(min_dims=0, max_dims=3, max_side=4), elements=st.floats(-3, 3))
methods = st.sampled_from(METHODS)


@given(x=arrays, method=methods)
def test_the_gradient_of_a_sum_of_sigmoids_has_any_shape_of_x(x: np.ndarray, method: Method) -> None:
    before = x.copy()
    gradient = numerical_gradient(lambda x: np.sum(sigmoid(x)), x, method=method)
    assert gradient.shape == x.shape
    np.testing.assert_allclose(gradient, sigmoid_derivative(x), atol=EXPECTED_ERROR[method] * max(1, x.size))
    np.testing.assert_array_equal(x, before)


@pytest.mark.parametrize("method", METHODS)
def test_the_default_step_reaches_the_derived_error_for_large_x_too(method: Method) -> None:
    for x in (0.0, 1.0, 1e4):
        slope = numerical_gradient(lambda x: x * x * x, x, method=method)
        assert slope == pytest.approx(3 * x * x, rel=EXPECTED_ERROR[method], abs=EXPECTED_ERROR[method])


@pytest.mark.parametrize(("method", "order"), [("forward", 1), ("central", 2), ("richardson", 4)])
def test_halving_a_large_step_divides_the_error_by_2_to_the_order(method: Method, order: int) -> None:
    errors = [abs(numerical_gradient(math.exp, 1.0, method=method, step=step) - math.e) for step in (0.1, 0.05)]
    assert math.log2(errors[0] / errors[1]) == pytest.approx(order, abs=0.1)


def test_a_complex_step_has_no_round_off_at_any_small_step() -> None:
    for step in (1e-8, 1e-30, 1e-200):
        assert numerical_gradient(np.exp, 1.0, method="complex", step=step) == pytest.approx(math.e, rel=1e-15)


def test_a_python_float_goes_in_and_a_python_float_comes_out() -> None:
    for method in ("forward", "central", "richardson"):
        slope = numerical_gradient(math.sin, 0.5, method=method)  # math.sin refuses arrays
        assert type(slope) is float
        assert slope == pytest.approx(math.cos(0.5), abs=1e-7)
    assert numerical_gradient(math.sin, np.array(0.5)).shape == ()
    assert numerical_gradient(lambda x: 0.0, np.empty((0, 3))).shape == (0, 3)


def test_x_itself_is_perturbed_and_restored_so_a_loss_may_read_it_elsewhere() -> None:
    W = np.array([[0.1, -0.2, 0.3]])
    np.testing.assert_allclose(numerical_gradient(lambda _: np.sum(W**2), W), [[0.2, -0.4, 0.6]], atol=1e-9)
    assert W.tolist() == [[0.1, -0.2, 0.3]]


@pytest.mark.parametrize("method", METHODS)
def test_x_is_restored_even_if_f_raises(method: Method) -> None:
    x, calls = np.array([0.1, 0.7]), []  # the first call is at x, the second perturbs x[0]

    def f(x: np.ndarray) -> Any:
        calls.append(x.copy())
        if len(calls) == 2:
            raise ZeroDivisionError
        return np.sum(x)

    with pytest.raises(ZeroDivisionError):
        numerical_gradient(f, x, method=method)
    assert calls[1][0] != 0.1
    assert x.tolist() == [0.1, 0.7]


def test_float32_lists_and_read_only_arrays_are_differentiated_as_float64_copies() -> None:
    values = [0.5, -1.25]
    read_only = np.array(values)
    read_only.flags.writeable = False
    for x in (values, np.array(values, dtype=np.float32), read_only):
        gradient = numerical_gradient(lambda x: np.sum(x**3), x)
        assert gradient.dtype == np.float64
        np.testing.assert_allclose(gradient, [0.75, 4.6875], rtol=1e-9)


def test_non_contiguous_arrays_are_restored_too() -> None:
    base = np.arange(12.0).reshape(3, 4)
    view = base[:, ::2].T
    np.testing.assert_allclose(numerical_gradient(lambda x: np.sum(x**2), view), 2 * view, rtol=1e-8, atol=1e-8)
    np.testing.assert_array_equal(base, np.arange(12.0).reshape(3, 4))


@given(x=hnp.arrays(float, st.integers(1, 4), elements=st.floats(-2, 2)), method=methods)
def test_a_jacobian_has_the_shape_of_the_values_then_the_shape_of_x(x: np.ndarray, method: Method) -> None:
    A = np.arange(1.0, 1 + 3 * x.size).reshape(3, x.size)
    np.testing.assert_allclose(jacobian(lambda x: A @ x**2, x, method=method), A * 2 * x, atol=1e-5)
    np.testing.assert_allclose(jacobian(lambda x: np.outer(x, x)[:, :1], x, method=method).shape, (x.size, 1, x.size))


@pytest.mark.parametrize("method", METHODS)
def test_the_jacobian_of_the_identity_is_the_identity_though_f_returns_the_perturbed_array(method: Method) -> None:
    np.testing.assert_allclose(jacobian(lambda x: x, np.array([0.3, 0.4]), method=method), np.eye(2), atol=1e-7)


@given(data=st.data(), x=arrays, method=methods)
def test_a_directional_derivative_is_the_gradient_s_product_with_the_direction(
    data: st.DataObject, x: np.ndarray, method: Method
) -> None:
    v = data.draw(hnp.arrays(float, x.shape, elements=st.floats(-100, 100).filter(lambda v: v == 0 or abs(v) > 1e-3)))
    slope = directional_derivative(lambda x: np.sum(sigmoid(x)), x, v, method=method)
    expected = np.sum(sigmoid_derivative(x) * v)
    # Round-off in f is divided by the step in t, which is the shorter the longer v is.
    size = max(1.0, float(np.max(np.abs(v), initial=0)))
    assert slope == pytest.approx(expected, abs=EXPECTED_ERROR[method] * max(1, x.size) * size)


@pytest.mark.parametrize(("method", "calls"), [("forward", 2), ("complex", 2), ("central", 3), ("richardson", 5)])
def test_a_directional_derivative_costs_the_values_of_one_entry_however_many_there_are(
    method: Method, calls: int
) -> None:
    points = []

    def f(x: np.ndarray) -> Any:
        points.append(x)
        return np.sum(x * x)

    assert directional_derivative(f, np.ones(50), np.ones(50), method=method) == pytest.approx(100, rel=1e-6)
    assert len(points) == calls


@pytest.mark.parametrize("function", [numerical_gradient, jacobian])
def test_integers_are_refused_with_what_to_do(function: Callable[..., Any]) -> None:
    for x in (np.array([1, 2]), [1, 2], 3, np.array([True])):
        with pytest.raises(TypeError, match=r"x holds integers, .* expected floats, such as 2.0 for 2"):
            function(np.sum, x)


@pytest.mark.parametrize(
    ("f", "message"),
    [
        (lambda x: x, r"value of f has shape \(2,\): expected one number"),
        (lambda x: None, "value of f is None: expected numbers. Does it end with a return"),
        (lambda x: np.sum(x) * math.nan, "value of f is nan: a derivative needs finite values"),
        (lambda x: math.inf, "value of f is inf"),
        (lambda x: np.sum(x) * 1j, "The function is complex at a real x"),
    ],
)
def test_a_value_that_is_not_one_finite_number_is_refused(f: Callable[..., Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        numerical_gradient(f, np.array([0.5, 0.5]))


def test_a_function_that_drops_the_imaginary_part_is_refused_by_the_complex_step() -> None:
    with pytest.raises(ValueError, match=r"drops the imaginary part .* Use method='central'"):
        numerical_gradient(lambda x: np.sum(np.abs(x)), np.array([0.5]), method="complex")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"method": "backward"}, "method is 'backward': expected one of 'central', 'forward', 'complex', 'richardson'"),
        ({"step": 0.0}, "step is 0.0: expected a positive, finite number"),
        ({"step": -1e-5}, "step is -1e-05: expected a positive"),
        ({"step": 1e-20}, "A step of 1.0e-20 rounds away next to 5.0e-01: choose a larger step"),
    ],
)
def test_impossible_methods_and_steps_are_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        numerical_gradient(np.sum, np.array([0.5]), **arguments)


def test_an_unknown_method_is_refused_in_a_direction_too() -> None:
    with pytest.raises(ValueError, match="method is 'backward': expected one of 'central'"):
        directional_derivative(np.sum, np.ones(3), np.ones(3), method="backward")  # type: ignore[arg-type]


@pytest.mark.parametrize("method", METHODS)
def test_a_function_whose_shape_depends_on_x_has_no_jacobian(method: Method) -> None:
    def f(x: np.ndarray) -> np.ndarray:
        return np.append(x, x) if x[0] == 0.5 else x

    with pytest.raises(ValueError, match=r"value has shape \(2,\) at x and \(1,\) next to it"):
        jacobian(f, np.array([0.5]), method=method)


def test_x_must_be_real_and_finite() -> None:
    with pytest.raises(TypeError, match="x holds complex numbers: expected real ones"):
        numerical_gradient(np.sum, np.array([1j]))
    with pytest.raises(ValueError, match="x has entries that are not finite"):
        numerical_gradient(np.sum, np.array([np.nan]))
    with pytest.raises(ValueError, match=r"v has shape \(2,\), x has shape \(3,\)"):
        directional_derivative(np.sum, np.ones(3), np.ones(2))


@given(a=arrays)
def test_relative_error_is_0_for_equals_2_for_opposites_and_1_against_zero(a: np.ndarray) -> None:
    zero = np.where(a == 0, 0.0, 1.0)
    assert np.all(np.asarray(relative_error(a, a)) == 0)
    np.testing.assert_array_equal(relative_error(a, 0 * a), zero)
    np.testing.assert_array_equal(relative_error(a, -a), 2 * zero)


def test_relative_error_below_the_floor_is_relative_to_the_floor() -> None:
    assert relative_error(0.0, 0.0) == 0.0
    assert relative_error(1e-12, 2e-12) == 0.5
    assert relative_error(1e-12, 2e-12, floor=1e-6) == pytest.approx(1e-6)
    with pytest.raises(ValueError, match=r"a has shape \(2,\), b has shape \(3,\)"):
        relative_error([1, 2], [1, 2, 3])


@given(a=st.floats(allow_nan=False, allow_infinity=False), b=st.floats(allow_nan=False, allow_infinity=False))
def test_the_relative_error_of_any_finite_floats_lies_between_0_and_2(a: float, b: float) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        error = relative_error(a, b)
        assert 0 <= error <= 2
        assert (error == 0) == (a == b)


def test_the_relative_error_of_huge_opposites_is_2_and_to_infinity_there_is_none() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert relative_error(1e308, -1e308) == 2.0
        assert relative_error(5e-324, 0.0) == 1.0
        assert relative_error(math.inf, math.inf) == 0.0
        assert np.isnan(relative_error([math.inf, math.inf, math.nan], [1.0, -math.inf, math.nan])).all()


# --- gradient_check ---

W, b = np.array([[0.1, -0.4], [0.3, 0.2], [-0.5, 0.6]]), np.array([0.3, -0.1, 0.2])
X = np.array([[0.5, -1.0], [2.0, 0.25]])


def loss(params: Any) -> Any:
    """Σ σ(X Wᵀ + b) of parameters in any of the accepted structures."""
    weights, biases = params.values() if isinstance(params, dict) else params
    return np.sum(sigmoid(X @ np.asarray(weights).T + biases))


def gradients() -> tuple[np.ndarray, np.ndarray]:
    slopes = sigmoid_derivative(X @ W.T + b)
    return slopes.T @ X, slopes.sum(axis=0)


@pytest.mark.parametrize("method", ["central", "richardson", "complex"])
@pytest.mark.parametrize("structure", [list, tuple, lambda pair: dict(zip(("W", "b"), pair, strict=True))])
def test_right_gradients_pass_in_every_structure(structure: Callable[..., Any], method: Method) -> None:
    check = gradient_check(loss, structure((W, b)), structure(gradients()), method=method)
    assert check.ok
    assert check.worst.error < 1e-6
    assert [p.shape for p in check.parameters] == [(3, 2), (3,)]


def test_parameters_as_lists_and_numbers_pass_too() -> None:
    dW, db = gradients()
    assert gradient_check(loss, [W.tolist(), b.tolist()], [dW.tolist(), db.tolist()]).ok
    assert gradient_check(lambda x: x**2, 1.5, 3.0).ok
    assert gradient_check(lambda p: p["w"] * p["b"], {"w": 2.0, "b": 3.0}, {"w": 3.0, "b": 2.0}).ok


def test_a_wrong_entry_is_found_and_named() -> None:
    dW, db = gradients()
    dW[2, 1] *= 1.001
    check = gradient_check(loss, {"W": W, "b": b}, {"W": dW, "b": db})
    assert not check.ok
    assert (check.worst.name, check.worst.index) == ("W", (2, 1))
    assert check.worst.error == pytest.approx(1e-3, rel=0.01)
    assert [p.ok for p in check.parameters] == [False, True]
    assert "does not agree" in str(check)
    assert "WRONG  W  (3, 2)" in repr(check)
    assert "at W[2, 1]: yours" in repr(check)
    assert "ok     b" in repr(check)


def test_a_slope_lost_in_the_round_off_of_the_loss_is_not_held_against_a_gradient() -> None:
    def nearly_flat(p: np.ndarray) -> Any:
        return np.exp(p[0]) + 1e-9 * np.sin(p[1])

    p = np.array([0.3, 0.2])
    dp = np.array([math.exp(0.3), 1e-9 * math.cos(0.2)])
    assert relative_error(dp, numerical_gradient(nearly_flat, p))[1] > 1e-6
    assert gradient_check(nearly_flat, p, dp).ok
    assert not gradient_check(nearly_flat, p, dp + np.array([0, 1e-8])).ok


@given(factor=st.sampled_from([-1.0, 0.5, 2.0, 1.0001]), scale=st.sampled_from([1e-5, 1.0, 1e5]))
def test_a_gradient_off_by_a_factor_fails_at_any_scale_of_the_loss(factor: float, scale: float) -> None:
    p = np.array([0.4, -0.7])
    dp = scale * np.cos(p)
    assert gradient_check(lambda p: scale * np.sum(np.sin(p)), p, dp).ok
    assert not gradient_check(lambda p: scale * np.sum(np.sin(p)), p, factor * dp).ok


@pytest.mark.parametrize("factor", [1.0, 2.0, 0.0])
def test_a_gradient_too_small_to_be_seen_is_said_to_be(factor: float) -> None:
    p, big = np.array([0.4, -0.7]), np.array([1.0])
    check = gradient_check(
        lambda p: 1e-10 * np.sum(np.sin(p["tiny"])) + p["big"][0],
        {"tiny": p, "big": big},
        {"tiny": factor * 1e-10 * np.cos(p), "big": big},
    )
    assert [parameter.unseen for parameter in check.parameters] == [True, False]
    assert "agrees, as far as can be seen, with the numerical one" in str(check)
    assert "small  tiny" in str(check)
    assert "ok     big" in str(check)
    assert "round-off in the loss hides a wrong gradient, a zero too; to see more, use method='complex'" in str(check)


@given(factor=st.sampled_from([0.0, 0.5, 2.0, 1.0001]), scale=st.sampled_from([1e-10, 1e-6]))
def test_the_complex_step_sees_what_round_off_hides_from_a_difference(factor: float, scale: float) -> None:
    p = np.array([0.4, -0.7])
    right = gradient_check(lambda p: scale * np.sum(np.sin(p)), p, scale * np.cos(p), method="complex")
    assert right.ok
    assert not right.worst.unseen
    assert "far as can be seen" not in str(right)
    assert not gradient_check(lambda p: scale * np.sum(np.sin(p)), p, factor * scale * np.cos(p), method="complex").ok


@pytest.mark.parametrize("distance", [1e-2, 1e-5, 1e-8])
@given(seed=st.integers(0, 1000))
def test_the_gradients_of_a_network_that_fits_closely_pass_though_its_loss_carries_the_round_off_of_its_outputs(
    distance: float, seed: int
) -> None:
    network, random = SigmoidNetwork([3, 4, 2], seed=seed), np.random.default_rng(seed)
    X = random.normal(size=(5, 3))
    Y = network.forward(X) + distance * random.normal(size=(5, 2))
    gradients = network.gradients(X, Y)[1]
    assert gradient_check(lambda _: network.loss(X, Y), network.weights, gradients.dWs).ok


def test_one_array_as_two_parameters_is_refused_and_a_copy_passes() -> None:
    def of_two(p: Any) -> Any:
        return np.sum(p[0] ** 2) + np.sum(p[1] ** 2)

    with pytest.raises(ValueError, match=r"params\[0\] and params\[1\] share their numbers.*give a copy of one"):
        gradient_check(of_two, [W, W], [2 * W, 2 * W])
    with pytest.raises(ValueError, match="all and row share their numbers"):
        gradient_check(lambda p: of_two([*p.values()]), {"all": W, "row": W[1]}, {"all": 2 * W, "row": 2 * W[1]})
    assert gradient_check(of_two, [W, W.copy()], [2 * W, 2 * W]).ok
    theta = np.linspace(0.1, 0.6, 6)  # parts of one vector that do not overlap
    assert gradient_check(of_two, [theta[::2], theta[1::2]], [2 * theta[::2], 2 * theta[1::2]]).ok


def test_the_keys_1_and_the_string_1_are_two_parameters() -> None:
    params, grads = {1: np.array([2.0]), "1": np.array([3.0])}, {1: np.array([3.0]), "1": np.array([2.0])}
    assert gradient_check(lambda p: p[1][0] * p["1"][0], params, grads).ok
    with pytest.raises(ValueError, match="params is a dict of 1, grads is a dict of '1'"):
        gradient_check(lambda p: p[1], {1: 2.0}, {"1": 1.0})


@pytest.mark.parametrize(
    ("params", "grads", "message"),
    [
        ([W, b], [W], "params is a list of 2, grads is a list of 1: expected a gradient for every parameter"),
        ({"W": W, "b": b}, {"W": W}, "params is a dict of 'W', 'b', grads is a dict of 'W': expected a gradient"),
        ([W, b], None, "params is a list of 2, grads is None"),
        (W, [W], "params is one array, grads is a list of 1"),
        ([], [], "params is a list of 0"),
        (
            [W, b],
            [W.T, b],
            r"gradient of params\[0\] has shape \(2, 3\), params\[0\] has shape \(3, 2\): a gradient has",
        ),
        ([W, b], [W, b * np.nan], r"gradient of params\[1\] is empty or has entries that are not finite"),
    ],
)
def test_gradients_that_do_not_fit_the_parameters_are_refused(params: Any, grads: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        gradient_check(loss, params, grads)


def test_integer_parameters_and_a_loss_that_is_no_number_are_refused() -> None:
    with pytest.raises(TypeError, match="w holds integers"):
        gradient_check(lambda p: p["w"] ** 2, {"w": np.array([1, 2])}, {"w": np.array([2, 4])})
    with pytest.raises(ValueError, match=r"value of the loss has shape \(3, 2\): expected one number"):
        gradient_check(lambda p: p, W, W)
