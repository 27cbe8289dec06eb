"""Automatic differentiation: every rule of the table in both modes and twice, how the modes nest, what is refused."""

import doctest
import gc
import math
import weakref
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import chainrule_lib
from chainrule_lib import SigmoidNetwork, autodiff, gradient_check, jacobian, numerical_gradient
from chainrule_lib.autodiff import Dual, Tape, grad, jvp, relu, sigmoid, value_and_grad, vjp
from chainrule_lib.autodiff_rules import DEFINED, RULES, getitem, scatter

Array = np.ndarray
few = settings(max_examples=15)
shapes = hnp.array_shapes(min_dims=0, max_dims=2, max_side=3)
seeds = st.integers(0, 2**32 - 1)


def random_array(shape: tuple[int, ...], seed: int, low: float = 0.3, high: float = 2.0) -> Array:
    """Numbers of both signs, away from 0, where some functions have a kink or a pole."""
    random = np.random.default_rng(seed)
    return random.uniform(low, high, shape) * random.choice([-1, 1], shape)


def positive(x: Any) -> Any:
    return x * x + 0.1


# --- Every rule against numerical derivatives -------------------------------------------------------------------------


def assert_all_derivatives(f: Callable[[Any], Any], x: Array, seed: int, method: Any = "complex") -> None:
    """Both modes, and the four ways to a second derivative, agree with numerical derivatives of f."""
    y = np.asarray(f(x))
    J = jacobian(f, x, method=method)
    u, v = random_array(y.shape, seed + 1), random_array(x.shape, seed + 2)
    close = {"rtol": 1e-11, "atol": 1e-11} if method == "complex" else {"rtol": 1e-6, "atol": 1e-6}

    value, pull_back = vjp(f, x)
    np.testing.assert_allclose(value, y, rtol=1e-13)
    assert np.shape(pull_back(u)) == x.shape
    np.testing.assert_allclose(pull_back(u), np.tensordot(u, J, y.ndim), **close)
    value, tangent = jvp(f, x, v)
    np.testing.assert_allclose(value, y, rtol=1e-13)
    assert np.shape(tangent) == y.shape
    np.testing.assert_allclose(tangent, np.tensordot(J, v, x.ndim), **close)

    def loss(x: Any) -> Any:
        return np.sum(u * f(x) ** 2)

    expected = np.tensordot(jacobian(grad(loss), x, method=method), v, x.ndim)  # the Hessian times v
    forward_over_reverse = jvp(grad(loss), x, v)[1]
    reverse_over_reverse = grad(lambda x: np.sum(grad(loss)(x) * v))(x)
    reverse_over_forward = grad(lambda x: jvp(loss, x, v)[1])(x)
    for second in (forward_over_reverse, reverse_over_reverse, reverse_over_forward):
        np.testing.assert_allclose(second, expected, **close)
    w = random_array(x.shape, seed + 3)
    forward_over_forward = jvp(lambda x: jvp(loss, x, v)[1], x, w)[1]
    np.testing.assert_allclose(forward_over_forward, np.sum(w * expected), **close)


class Case(NamedTuple):
    """A function of the table, and how it is called with arrays that it can be differentiated at."""

    function: Callable[..., Any]
    call: Callable[..., Any]


UNARY = [
    Case(np.negative, lambda x: -x),
    Case(np.square, np.square),
    Case(np.sqrt, lambda x: np.sqrt(positive(x))),
    Case(np.exp, np.exp),
    Case(np.expm1, np.expm1),
    Case(np.log, lambda x: np.log(positive(x))),
    Case(np.log1p, lambda x: np.log1p(positive(x))),
    Case(np.sin, np.sin),
    Case(np.cos, np.cos),
    Case(np.tan, lambda x: np.tan(x / 3)),
    Case(np.arctan, lambda x: np.arctan(x / 3)),
    Case(np.tanh, np.tanh),
    Case(sigmoid, sigmoid),
    Case(relu, relu),
    Case(np.absolute, lambda x: np.log(abs(x))),
]
BINARY = [
    Case(np.add, lambda a, b: a + b),
    Case(np.subtract, lambda a, b: a - b),
    Case(np.multiply, lambda a, b: a * b),
    Case(np.divide, lambda a, b: a / b),
    Case(np.power, lambda a, b: positive(a) ** b),
    Case(np.maximum, np.maximum),
    Case(np.minimum, np.minimum),
]
STRUCTURAL = [
    np.where,
    np.matmul,
    np.sum,
    np.mean,
    np.reshape,
    np.transpose,
    np.swapaxes,
    np.broadcast_to,
    getitem,
    scatter,
]


DEFINITIONS = [
    Case(np.max, lambda x: np.max(x, axis=-1)),
    Case(np.max, lambda x: x.max(axis=(0, 2), keepdims=True)),
    Case(np.min, lambda x: np.min(x)),
    Case(np.var, lambda x: np.var(x, axis=0)),
    Case(np.dot, lambda x: np.dot(x, np.ones((4, 2))) + np.dot(2.0, x)[:, :, :2]),
    Case(np.dot, lambda x: np.dot([1.0, -2.0], x[:, 1])),
    Case(np.outer, lambda x: np.outer(x[0], x[1, 2])),
    Case(np.ravel, np.ravel),
    Case(np.concatenate, lambda x: np.concatenate([x, np.ones((2, 1, 4)), x[:, :2] * 2], axis=-2)),
    Case(np.concatenate, lambda x: np.concatenate((x[0], x[1, 1:]))),
    Case(np.stack, lambda x: np.stack([x[0] * x[1], x[0], np.ones((3, 4))], axis=-1)),
    Case(np.stack, lambda x: np.stack([x[0, 0, 0], 3.0, x[0, 1, 2]])),
]


def named(cases: list[Case]) -> Any:
    return pytest.mark.parametrize("case", cases, ids=lambda case: case.function.__name__)


def test_every_function_of_the_table_is_tested_here() -> None:
    assert {case.function for case in UNARY + BINARY} | set(STRUCTURAL) == set(RULES)
    assert {case.function for case in DEFINITIONS} == set(DEFINED)


@named(UNARY)
@few
@given(shape=shapes, seed=seeds)
def test_a_function_of_one_argument(case: Case, shape: tuple[int, ...], seed: int) -> None:
    method = "central" if case.function is np.absolute else "complex"  # |z| of a complex z is another function
    assert_all_derivatives(case.call, random_array(shape, seed), seed, method)


def check_both_operands(f: Callable[..., Any], shapes: tuple[tuple[int, ...], ...], seed: int) -> None:
    a, b = random_array(shapes[0], seed), random_array(shapes[1], seed + 10)
    assert_all_derivatives(lambda a: f(a, b), a, seed)
    assert_all_derivatives(lambda b: f(a, b), b, seed)
    both = np.concatenate([a.ravel(), b.ravel()])
    assert_all_derivatives(lambda x: f(x[: a.size].reshape(a.shape), x[a.size :].reshape(b.shape)), both, seed)


@named(BINARY)
@few
@given(shapes=hnp.mutually_broadcastable_shapes(num_shapes=2, max_dims=2, max_side=3), seed=seeds)
def test_operands_of_different_shapes_get_gradients_of_their_own_shapes(
    case: Case, shapes: hnp.BroadcastableShapes, seed: int
) -> None:
    check_both_operands(case.call, shapes.input_shapes, seed)


@few
@given(shapes=hnp.mutually_broadcastable_shapes(num_shapes=3, max_dims=2, max_side=3), seed=seeds)
def test_where_sends_the_gradient_to_the_operand_that_was_chosen(shapes: hnp.BroadcastableShapes, seed: int) -> None:
    *operands, condition_shape = shapes.input_shapes
    condition = random_array(condition_shape, seed + 20) > 0
    check_both_operands(lambda a, b: np.where(condition, a, b), tuple(operands), seed)


@few
@given(shapes=hnp.mutually_broadcastable_shapes(signature=np.matmul.signature, max_dims=1, max_side=3), seed=seeds)
def test_matrix_products_of_vectors_matrices_and_stacks_of_them(shapes: hnp.BroadcastableShapes, seed: int) -> None:
    check_both_operands(np.matmul, shapes.input_shapes, seed)


@pytest.mark.parametrize("function", [np.sum, np.mean])
@few
@given(data=st.data(), shape=shapes, keepdims=st.booleans(), seed=seeds)
def test_sums_and_means_over_any_axes(
    function: Callable[..., Any], data: st.DataObject, shape: tuple[int, ...], keepdims: bool, seed: int
) -> None:
    axes = st.none() | hnp.valid_tuple_axes(len(shape))
    if shape:
        axes |= st.integers(-len(shape), len(shape) - 1)
    axis = data.draw(axes)
    x = random_array(shape, seed)
    assert_all_derivatives(lambda x: function(x, axis=axis, keepdims=keepdims), x, seed)
    traced = Tape().variable(x)
    method = getattr(traced, function.__name__)
    np.testing.assert_array_equal(method(axis, keepdims=keepdims).value, function(x, axis, keepdims=keepdims))


@pytest.mark.parametrize(
    "f",
    [
        lambda x: x.reshape(3, 8),
        lambda x: x.reshape((-1, 6)),
        lambda x: np.reshape(x, (4, 3, 2)),
        lambda x: x.T,
        lambda x: np.transpose(x),
        lambda x: x.transpose(),
        lambda x: x.transpose(2, 0, 1),
        lambda x: np.transpose(x, (-2, 2, 0)),
        lambda x: np.swapaxes(x, 0, -1),
        lambda x: np.broadcast_to(x[:, :1], (5, 2, 3, 4)),
    ],
)
def test_changes_of_shape(f: Callable[[Any], Any]) -> None:
    assert_all_derivatives(f, random_array((2, 3, 4), 0), 0)


@named(DEFINITIONS)
@few
@given(seed=seeds)
def test_a_function_made_of_others(case: Case, seed: int) -> None:
    method = "central" if case.function in (np.max, np.min, np.var) else "complex"  # numpy's are not analytic
    assert_all_derivatives(case.call, random_array((2, 3, 4), seed), seed, method)


@few
@given(data=st.data(), shape=hnp.array_shapes(min_dims=1, max_dims=3, max_side=3), seed=seeds)
def test_indexing_by_slices_numbers_ellipses_and_new_axes(
    data: st.DataObject, shape: tuple[int, ...], seed: int
) -> None:
    key = data.draw(hnp.basic_indices(shape, allow_newaxis=True))
    assert_all_derivatives(lambda x: getitem(x, key), random_array(shape, seed), seed)


def test_indexing_a_number_by_nothing_and_by_a_new_axis() -> None:
    assert_all_derivatives(lambda x: x[()], np.array(0.7), 0)
    assert_all_derivatives(lambda x: x[None, ...], np.array(0.7), 0)


@pytest.mark.parametrize("key", [[2, 0, 2, 2], ([0, 1, 0], [1, 1, 1]), np.array([True, False, True])])
def test_entries_that_are_taken_twice_get_both_gradients(key: Any) -> None:
    assert_all_derivatives(lambda x: x[key], random_array((3, 2), 0), 0)
    assert_all_derivatives(lambda e: scatter(e, [2, 0, 2], (3, 2)), random_array((3, 2), 0), 0)


@few
@given(seed=seeds)
def test_a_function_that_uses_everything(seed: int) -> None:
    W = random_array((3, 2), seed + 5)

    def f(X: Any) -> Any:
        H = np.tanh(X @ W.T + X[:, :1])
        scores = np.exp(H - H.mean(axis=1, keepdims=True))
        shares = scores / scores.sum(axis=1, keepdims=True)
        return 2 ** np.where(H > 0, shares, 1 - shares) - 1 / (2 + sigmoid(H)) ** 3

    assert_all_derivatives(f, random_array((4, 2), seed), seed)


# --- The chain rule ---------------------------------------------------------------------------------------------------


def test_a_value_that_is_used_twice_gets_the_sum_of_both_paths() -> None:
    assert grad(lambda x: x * x)(3.0) == 6.0
    assert grad(lambda x: x + x + x)(3.0) == 3.0

    def diamond(x: Any) -> Any:
        shared = x * 2
        return np.sin(shared) * shared

    assert grad(diamond)(0.7) == pytest.approx(2 * (math.cos(1.4) * 1.4 + math.sin(1.4)), rel=1e-15)


def test_a_value_is_complete_before_its_gradient_is_sent_on() -> None:
    def f(x: Any) -> Any:  # a is used by b and, long after, by the last line
        a = x * 3
        b = a * a
        c = np.exp(b * 0.1)
        return c * a + b

    assert grad(f)(0.5) == pytest.approx(numerical_gradient(f, 0.5, method="complex"), rel=1e-15)


@pytest.mark.parametrize(
    ("f", "derivative"),
    [
        (lambda x: 3 + x, 1),
        (lambda x: 3 - x, -1),
        (lambda x: 3 * x, 3),
        (lambda x: 3 / x, -3 / 4),
        (lambda x: 3**x, 9 * math.log(3)),
        (lambda x: np.float64(3) * x, 3),
        (lambda x: np.array(3.0) - x, -1),
        (lambda x: sum([x, x * x]), 5),
        (lambda x: x if x > 0 else -x, 1),
    ],
)
def test_plain_numbers_may_stand_on_the_left(f: Callable[[Any], Any], derivative: float) -> None:
    assert grad(f)(2.0) == jvp(f, 2.0, 1.0)[1] == pytest.approx(derivative, rel=1e-15)


def test_arrays_may_stand_on_the_left_too() -> None:
    x, A = np.array([0.5, -2.0]), np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    for f in (lambda x: A @ x, lambda x: A * x, lambda x: A - x, lambda x: A / x, lambda x: A**x, lambda x: [1, 2] * x):
        assert_all_derivatives(f, x, 0)


def test_an_operation_in_place_gives_a_new_value_and_leaves_the_old_one_recorded() -> None:
    def f(x: Any) -> Any:
        total = x * x
        square = total
        total += np.sin(x)
        total *= x
        return total + 0 * square

    assert_all_derivatives(f, np.array([0.3, -1.2]), 0)


def test_ties_and_kinks_follow_the_conventions_of_the_field() -> None:
    assert grad(relu)(0.0) == 0.0
    assert grad(abs)(0.0) == 0.0
    assert grad(lambda x: np.maximum(x, 2.0))(2.0) == 0.5
    assert grad(lambda x: np.maximum(x, x))(2.0) == 1.0
    assert grad(lambda x: np.maximum(2.0, x))(2.0) == 0.5
    assert grad(np.max)(np.array([1.0, 3.0, 3.0])).tolist() == [0.0, 0.5, 0.5]


def test_powers_have_finite_slopes_where_a_formula_would_divide_by_zero() -> None:
    assert grad(lambda x: x**0)(0.0) == 0.0
    assert grad(lambda x: x**1)(0.0) == 1.0
    assert grad(lambda n: 0.0**n)(2.0) == 0.0
    assert grad(lambda x: x**3)(-2.0) == 12.0


def test_comparisons_and_shapes_are_those_of_the_value() -> None:
    x = Tape().variable(np.array([[1.0, -2.0, 3.0]]))
    assert (x > 0).tolist() == (np.zeros(3) < x).tolist() == [[True, False, True]]
    assert (x == x.value).all()
    assert (x.shape, x.ndim, x.size, len(x), np.shape(x)) == ((1, 3), 2, 3, 1, (1, 3))
    assert [row.value.tolist() for row in x] == [[1.0, -2.0, 3.0]]
    assert np.argmax(x) == 2
    assert bool(Dual(0.0, 1.0)) is False
    assert repr(Tape().variable(0.5)) == "Variable(0.5)"


def test_a_condition_that_is_itself_traced_is_taken_by_its_value() -> None:
    assert grad(lambda x: np.where(x, x * x, 5.0))(3.0) == 6.0
    assert grad(lambda x: np.where(x, 1.0, 5.0))(3.0) == 0.0
    assert jvp(lambda x: np.where(x, 1.0, 5.0), 3.0, 1.0) == (1.0, 0.0)


# --- Forward and reverse mode, by hand and nested ---------------------------------------------------------------------


def test_a_dual_number_is_the_value_and_the_derivative() -> None:
    y = np.sin(Dual(0.5, 1.0)) * 2
    assert (type(y.value), type(y.tangent)) == (float, float)
    assert (y.value, y.tangent) == (2 * math.sin(0.5), 2 * math.cos(0.5))
    epsilon = Dual(0.0, 1.0)
    assert repr(epsilon * epsilon) == "Dual(0.0, 0.0)"
    assert repr((3 + epsilon) ** 2) == "Dual(9.0, 6.0)"


def test_dual_numbers_of_dual_numbers_give_second_derivatives() -> None:
    y = Dual(Dual(2.0, 1.0), Dual(1.0, 0.0)) ** 3 * Dual(1.0, 0.0)
    assert (y.value.value, y.value.tangent, y.tangent.value, y.tangent.tangent) == (8.0, 12.0, 12.0, 12.0)


def test_the_gradient_at_a_dual_number_is_the_gradient_and_the_hessian_times_the_tangent() -> None:
    result = grad(lambda x: np.sum(x**3))(Dual([1.0, 2.0], [1.0, 10.0]))
    assert result.value.tolist() == [3.0, 12.0]
    assert result.tangent.tolist() == [6.0, 120.0]


def test_an_inner_derivative_does_not_take_the_outer_tangent_for_its_own() -> None:
    for derivative in (grad, lambda f: lambda x: jvp(f, x, 1.0)[1]):
        for inner in (grad, lambda f: lambda x: jvp(f, x, 1.0)[1]):
            assert derivative(lambda x, d=inner: x * d(lambda y: x + y)(1.0))(3.0) == 1.0
            assert derivative(lambda x, d=inner: d(lambda y: x * x * y)(1.0))(3.0) == 6.0
    assert value_and_grad(lambda x: grad(lambda y: x)(1.0) + 2 * x)(3.0) == (6.0, 2.0)
    assert grad(lambda x: (Dual(x, 1.0) * x).tangent)(3.0) == 1.0
    assert grad(lambda x: (Dual(x, 1.0) ** 2).tangent)(3.0) == 2.0


def test_derivatives_of_every_order_come_from_repeating_grad() -> None:
    f: Any = np.sin
    for expected in (math.cos(0.5), -math.sin(0.5), -math.cos(0.5), math.sin(0.5), math.cos(0.5)):
        f = grad(f)
        assert f(0.5) == pytest.approx(expected, rel=1e-14)


def test_both_modes_give_the_same_bilinear_form() -> None:
    """uᵀ (J v) = (uᵀ J) v: the test of an adjoint that needs no numerical derivative."""
    W = random_array((4, 3), 1)
    x, v, u = (random_array(shape, seed) for seed, shape in enumerate([(5, 3), (5, 3), (5, 4)]))

    def layer(x: Any) -> Any:
        return sigmoid(x @ W.T)

    assert np.sum(u * jvp(layer, x, v)[1]) == pytest.approx(np.sum(vjp(layer, x)[1](u) * v), rel=1e-14)


def test_a_vjp_can_be_pulled_back_again_without_adding_up() -> None:
    x = np.array([1.0, 2.0])
    value, pull_back = vjp(lambda x: x * x, x)
    x[:] = 100.0  # the caller's array, changed between the forward and the backward pass
    assert value.tolist() == [1.0, 4.0]
    assert pull_back([1, 0]).tolist() == pull_back([1, 0]).tolist() == [2.0, 0.0]
    assert pull_back([0, 1]).tolist() == [0.0, 4.0]


def test_what_is_returned_belongs_to_the_caller() -> None:
    x, u = np.ones((2, 3)), np.ones((2, 3))
    for gradient in (grad(np.sum)(x), vjp(lambda x: x, x)[1](u), *vjp(lambda x: x, x)[:1], *jvp(lambda x: x, x, u)):
        gradient += 1  # writable, and neither x nor u
        assert np.all(gradient == 2)
    assert np.all(x == 1)
    assert np.all(u == 1)


def test_what_does_not_depend_on_x_has_the_derivative_zero() -> None:
    assert grad(lambda x: 5)(3.0) == 0.0
    assert grad(lambda x: x[0] * 2)({0: 3.0, 1: np.ones(2)})[1].tolist() == [0.0, 0.0]
    assert jvp(lambda x: np.ones(2), 3.0, 1.0)[1].tolist() == [0.0, 0.0]
    assert grad(lambda x: x.value * 2)(3.0) == 0.0  # the plain value is a constant


# --- Functions of several parameters ----------------------------------------------------------------------------------


class Layer(NamedTuple):
    W: Any
    b: Any


def test_the_gradient_has_the_structure_of_the_parameters() -> None:
    def loss(p: Any, X: Array) -> Any:
        return np.sum(np.tanh(X @ p["layers"][0].W.T + p["layers"][0].b) * p["scale"])

    X = random_array((5, 3), 0)
    p = {"layers": [Layer(random_array((2, 3), 1), [0.1, -0.2][0]), (1.0,)], "scale": 2.0}
    value, gradient = value_and_grad(loss)(p, X)
    assert value == pytest.approx(loss(p, X), rel=1e-15)
    assert isinstance(gradient["layers"][0], Layer)
    assert type(gradient["layers"][0].b) is type(gradient["scale"]) is float
    assert gradient["layers"][1] == (0.0,)
    v = {"layers": [Layer(np.ones((2, 3)), 0.5), (7.0,)], "scale": -1.0}
    product = np.sum(gradient["layers"][0].W) + 0.5 * gradient["layers"][0].b - gradient["scale"]
    assert jvp(loss, p, v, X)[1] == pytest.approx(product, rel=1e-13)
    # The loss is scale · T(W, b), so its slope by the scale is T, and the slope of that in the direction v:
    hessian_times_v = jvp(lambda p: grad(loss)(p, X), p, v)[1]
    assert hessian_times_v["scale"] == pytest.approx((product + gradient["scale"]) / 2, rel=1e-13)


def test_a_gradient_goes_straight_into_a_gradient_check() -> None:
    X, Y = random_array((6, 4), 0), random_array((6, 2), 1)

    def loss(p: Any) -> Any:
        return np.mean((relu(X @ p["W1"].T + p["b1"]) @ p["W2"].T - Y) ** 2)

    p = {"W1": random_array((3, 4), 2), "b1": random_array((3,), 3), "W2": random_array((2, 3), 4)}
    assert gradient_check(loss, p, grad(loss)(p)).ok


@few
@given(sizes=st.lists(st.integers(1, 5), min_size=2, max_size=5), n=st.integers(1, 6), seed=st.integers(0, 1000))
def test_reverse_mode_agrees_with_backpropagation_by_hand(sizes: list[int], n: int, seed: int) -> None:
    network = SigmoidNetwork(sizes, seed=seed)
    network.biases = [random_array(b.shape, seed) for b in network.biases]
    X, Y = random_array((n, sizes[0]), seed), random_array((n, sizes[-1]), seed + 1)

    def loss(parameters: Any) -> Any:
        Ws, bs, A = parameters
        for W, b in zip(Ws, bs, strict=True):
            A = sigmoid(A @ W.T + b)
        return 0.5 * np.sum((A - Y) ** 2) / n

    value, (dWs, dbs, dX) = value_and_grad(loss)([network.weights, network.biases, X])
    expected_value, expected = network.gradients(X, Y)
    assert value == pytest.approx(expected_value, rel=1e-14)
    for gradient, by_hand in zip([*dWs, *dbs, dX], [*expected.dWs, *expected.dbs, expected.dX], strict=True):
        np.testing.assert_allclose(gradient, by_hand, rtol=1e-11, atol=1e-15)


# --- The tape ---------------------------------------------------------------------------------------------------------


def test_a_tape_lists_the_operations_in_their_order() -> None:
    tape = Tape()
    x, w = tape.variable(3.0), tape.variable(2.0)
    y = np.tanh(w * x)
    assert [operation.function for operation in tape.operations] == [None, None, np.multiply, np.tanh]
    assert tape.parents == [{}, {}, {0: w.place, 1: x.place}, {0: 2}]
    gradients = tape.pull_back(y.place, 1.0)
    assert gradients[x.place] == pytest.approx(2 / math.cosh(6) ** 2)


def test_a_long_chain_needs_no_recursion() -> None:
    def f(x: Any) -> Any:
        for _ in range(5000):
            x = x * 1.0001
        return x

    assert grad(f)(1.0) == pytest.approx(1.0001**5000, rel=1e-12)


def test_a_tape_is_freed_with_its_last_variable() -> None:
    gc.disable()
    try:
        tape = Tape()
        x = tape.variable(np.ones(3))
        y = np.sum(np.exp(x) * x)
        gone = weakref.ref(tape)
        del tape, x
        assert gone() is not None
        del y
        assert gone() is None  # by counting references, not by looking for cycles
    finally:
        gc.enable()


# --- What is refused --------------------------------------------------------------------------------------------------

X = np.ones((3, 4))
LOST = "Variable would lose its derivative"


@pytest.mark.parametrize(
    ("f", "error", "message"),
    [
        (lambda x: x, ValueError, r"value of f has shape \(3, 4\): expected one number"),
        (lambda x: None, TypeError, "The value of f is None: expected numbers"),
        (lambda x: "loss", TypeError, "The value of f is str of str.*: expected numbers"),
        (lambda x: x @ np.ones((2, 2)), ValueError, r"np.matmul of shape \(3, 4\) and \(2, 2\) fails"),
        (lambda x: x + np.ones((2, 2)), ValueError, r"np.add of shape \(3, 4\) and \(2, 2\) fails"),
        (lambda x: x.reshape(5, -1), ValueError, r"np.reshape of shape \(3, 4\) fails: cannot reshape"),
        (lambda x: x.sum(axis=2), ValueError, "np.sum of shape .* fails: axis 2 is out of bounds"),
        (lambda x: x[3], IndexError, "index 3 is out of bounds"),
        (lambda x: x + None, TypeError, "Argument 2 of np.add is None: expected numbers"),
        (lambda x: "2" * x, TypeError, "Argument 1 of np.multiply is str of str"),
        (lambda x: np.cumsum(x), TypeError, "np.cumsum has no derivative rule: expected one of np.absolute, np.add,"),
        (lambda x: x // 2, TypeError, "np.floor_divide has no derivative rule"),
        (lambda x: np.stack([x, x[0]]), ValueError, "all the input arrays must have same number of dimensions"),
        (
            lambda x: np.concatenate([x, x[:, :1]]),
            ValueError,
            "dimensions except for the concatenation axis must match",
        ),
        (lambda x: np.max(x, where=X > 0), TypeError, r"np.max has a derivative rule for \(x, axis=None, \*, keepdims"),
        (
            lambda x: np.dot(x, np.ones((2, 4, 3))),
            ValueError,
            r"np.dot of shape \(3, 4\) and \(2, 4, 3\): expected a @ b",
        ),
        (lambda x: np.add.reduce(x), TypeError, "np.add.reduce has no derivative rule: expected np.add by itself"),
        (lambda x: np.sum(x, where=X > 0), TypeError, r"np.sum has a derivative rule for \(x, axis=None, \*, keepdims"),
        (lambda x: np.exp(x, where=X > 0), TypeError, r"np.exp has a derivative rule for \(x\) only"),
        (lambda x: np.add(x, x, X), TypeError, "np.add would write a Variable into a plain array"),
        (lambda x: np.zeros((3, 4)).__iadd__(x), TypeError, "expected x = x \\+ y instead of x \\+= y"),
        (lambda x: np.asarray(x), TypeError, LOST),
        (lambda x: np.array([x[0], x[1]]), TypeError, LOST),
        (lambda x: math.exp(x[0, 0]), TypeError, LOST),
        (lambda x: chainrule_lib.sigmoid(x), TypeError, LOST),
        (lambda x: [x, x], TypeError, LOST),
    ],
)
def test_a_function_that_cannot_be_differentiated_is_refused_in_a_sentence(
    f: Callable[[Any], Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        grad(f)(X)


def test_a_nested_derivative_says_once_what_fails() -> None:
    with pytest.raises(ValueError, match=r"^np.matmul of shape \(3, 4\) and \(3, 4\) fails: matmul: "):
        grad(lambda x: jvp(lambda x: x @ x, x, X)[1])(X)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: grad(np.sum)(None), TypeError, "The value is None: expected numbers"),
        (lambda: grad(np.sum)("one"), TypeError, "The value is str of str.*: expected numbers"),
        (lambda: Dual("one", 1.0), TypeError, "The value is str"),
        (lambda: Dual(1.0, None), TypeError, "The tangent is None"),
        (
            lambda: Dual(1.0, [1.0, 2.0]),
            ValueError,
            r"tangent has shape \(2,\), the value has shape \(\): expected the",
        ),
        (lambda: jvp(np.sum, X, X[0]), ValueError, r"The tangent has shape \(4,\), the value has shape \(3, 4\)"),
        (
            lambda: jvp(sum, [1.0, 2.0], 1.0),
            ValueError,
            r"v is float, x has the entries \[0, 1\]: expected a direction",
        ),
        (lambda: jvp(sum, [1.0, 2.0], [1.0]), ValueError, r"v has the entries \[0\], x has the entries \[0, 1\]"),
        (lambda: jvp(sum, {"W": 1.0}, {"b": 1.0}), ValueError, r"v has the entries \['b'\], x has the entries \['W'\]"),
        (
            lambda: vjp(np.exp, X)[1](1.0),
            ValueError,
            r"upstream gradient has shape \(\), the value of f has shape \(3,",
        ),
        (lambda: vjp(np.exp, X)[1]("one"), TypeError, "The upstream gradient is str"),
        (lambda: len(Dual(1.0, 1.0)), TypeError, "unsized"),
        (lambda: list(Dual(1.0, 1.0)), TypeError, "unsized"),
    ],
)
def test_what_does_not_fit_is_refused_in_a_sentence(
    call: Callable[[], Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        call()


def test_the_examples_in_the_docstrings_are_right() -> None:
    results = doctest.testmod(autodiff)
    assert results.attempted >= 4
    assert results.failed == 0
