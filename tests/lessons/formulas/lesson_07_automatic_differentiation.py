"""Both sides of every displayed formula of lesson 07: in symbols where that is exact, else at random points."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import sympy as sp

from autograder.exercises import find
from chainrule_lib import Dual, computation_graph, grad, jacobian, jvp, numerical_gradient, vjp

A, DA, B, DB, E = sp.symbols("a da b db epsilon")


def rng() -> np.random.Generator:
    return np.random.default_rng(70)


def dual_part(expression: Any) -> tuple[sp.Expr, sp.Expr]:
    """Value and tangent of an expression in ε, by its Taylor series in ε, which ends before ε²."""
    expression = sp.sympify(expression)
    return expression.subs(E, 0), sp.diff(expression, E).subs(E, 0)


def equal(one: Any, other: Any) -> bool:
    return sp.simplify(one - other) == 0


# --- A worked example -------------------------------------------------------------------------------------------------


def worked_example(x1: Any, x2: Any) -> Any:
    return x1 * x2 + np.sin(x1)


def the_worked_example_is_three_operations() -> None:
    graph = computation_graph(worked_example, x1=2.0, x2=3.0)
    assert [node.formula for node in graph.nodes] == ["", "", "x1 * x2", "sin(x1)", "v1 + v2"]
    assert graph.nodes[graph.output].value == pytest.approx(2 * 3 + np.sin(2), rel=1e-15)


def its_partial_derivatives() -> None:
    for x1, x2 in rng().normal(size=(5, 2)):
        expected = [x2 + np.cos(x1), x1]
        assert grad(lambda x: worked_example(*x))([x1, x2]) == pytest.approx(expected, rel=1e-14)
        measured = numerical_gradient(lambda x: worked_example(*x), np.array([x1, x2]), method="complex")
        np.testing.assert_allclose(measured, expected, rtol=1e-14)


# --- Part 1 -----------------------------------------------------------------------------------------------------------


def epsilon_squared_is_zero() -> None:
    square = Dual(0.0, 1.0) * Dual(0.0, 1.0)
    assert (square.value, square.tangent) == (0.0, 0.0)
    Given = find("07.dual_class").reference
    square = Given(0.0, 1.0) * Given(0.0, 1.0)
    assert (square.value, square.tangent) == (0.0, 0.0)


def a_product_of_dual_numbers() -> None:
    x, y = A + DA * E, B + DB * E
    assert sp.expand(x * y - (A * B + (DA * B + A * DB) * E + DA * DB * E**2)) == 0
    value, tangent = dual_part(x * y)
    assert equal(value, A * B)
    assert equal(tangent, DA * B + A * DB)
    a, da, b, db = rng().normal(size=4)
    for number in (Dual, find("07.dual_class").reference):
        product = number(a, da) * number(b, db)
        assert (product.value, product.tangent) == pytest.approx((a * b, da * b + a * db), rel=1e-14)


def a_function_of_a_dual_number() -> None:
    for f in (sp.sin, sp.exp, lambda x: x**5, lambda x: 1 / x, lambda x: sp.tanh(x) * x):
        value, tangent = dual_part(f(A + DA * E))
        assert equal(value, f(A))
        assert equal(tangent, sp.diff(f(A), A) * DA)
    a, da = 0.7, -1.3
    y = np.sin(Dual(a, da))
    assert (y.value, y.tangent) == pytest.approx((np.sin(a), np.cos(a) * da), rel=1e-15)


def a_composition_of_a_dual_number() -> None:
    u = sp.Symbol("u")
    for f, g in ((sp.sin, sp.exp), (lambda x: x**2, sp.sin), (sp.exp, lambda x: 1 / (1 + x))):
        value, tangent = dual_part(g(f(A + DA * E)))
        assert equal(value, g(f(A)))
        assert equal(tangent, sp.diff(g(u), u).subs(u, f(A)) * sp.diff(f(A), A) * DA)
    y = np.exp(np.sin(Dual(0.7, -1.3)))
    assert y.tangent == pytest.approx(np.exp(np.sin(0.7)) * np.cos(0.7) * -1.3, rel=1e-15)


def a_dual_number_times_its_conjugate() -> None:
    value, tangent = dual_part((B + DB * E) * (B - DB * E))
    assert equal(value, B**2)
    assert equal(tangent, 0)
    product = Dual(1.7, 0.4) * Dual(1.7, -0.4)
    assert (product.value, product.tangent) == (1.7 * 1.7, 0.0)


def a_tangent_is_the_sum_of_slopes_times_tangents() -> None:
    def f(x: Any) -> Any:
        return np.sin(x[0] * x[1]) + x[2] / x[0]

    x, v = rng().normal(size=3), rng().normal(size=3) + 2
    slopes = numerical_gradient(f, x, method="complex")
    assert jvp(f, x, v)[1] == pytest.approx(sum(slopes[i] * v[i] for i in range(3)), rel=1e-13)


# --- Part 2 -----------------------------------------------------------------------------------------------------------


def both_modes_are_products_with_a_vector() -> None:
    random = rng()
    W1, W2, W3 = (random.normal(size=shape) for shape in ((4, 5), (3, 4), (2, 3)))
    stages: list[Callable[[Any], Any]] = [
        lambda x: np.sin(W1 @ x),
        lambda x: np.tanh(W2 @ x),
        lambda x: W3 @ (x * x),
    ]
    x, v, u = random.normal(size=5), random.normal(size=5), random.normal(size=2)
    J1 = jacobian(stages[0], x, method="complex")
    J2 = jacobian(stages[1], stages[0](x), method="complex")
    J3 = jacobian(stages[2], stages[1](stages[0](x)), method="complex")

    def whole(x: Any) -> Any:
        return stages[2](stages[1](stages[0](x)))

    J = jacobian(whole, x, method="complex")
    np.testing.assert_allclose(J @ v, J3 @ (J2 @ (J1 @ v)), rtol=1e-12)
    np.testing.assert_allclose(u @ J, ((u @ J3) @ J2) @ J1, rtol=1e-12)
    np.testing.assert_allclose(jvp(whole, x, v)[1], J @ v, rtol=1e-12)
    np.testing.assert_allclose(vjp(whole, x)[1](u), u @ J, rtol=1e-12)


def a_gradient_is_the_sum_over_all_uses() -> None:
    def f(x: Any, w: Any) -> Any:
        u = x * w
        return u * np.sin(u) + x / w

    graph = computation_graph(f, x=1.3, w=-0.8)
    for place, node in enumerate(graph.nodes[:-1]):
        uses = [edge for edge in graph.edges if edge.source == place]
        terms = [graph.nodes[edge.target].gradient * edge.local_derivative for edge in uses if edge.local_derivative]
        assert len(terms) == len(uses) > 0
        assert node.gradient == pytest.approx(sum(terms), rel=1e-14)
    expected = numerical_gradient(lambda x: f(*x), np.array([1.3, -0.8]), method="complex")
    assert [node.gradient for node in graph.nodes[:2]] == pytest.approx(list(expected), rel=1e-13)


def a_square_sends_back_twice() -> None:
    x, upstream = 1.7, -0.6
    graph = computation_graph(lambda x: (x * x) * upstream, x=x)
    to_x = [edge.contribution for edge in graph.edges if edge.source == 0]
    assert to_x == pytest.approx([upstream * x, upstream * x], rel=1e-15)
    assert graph.nodes[0].gradient == pytest.approx(2 * x * upstream, rel=1e-15)
    sweep = find("07.reverse_sweep").reference
    assert list(sweep([[], [0, 0], [1]], [[], [x, x], [upstream]], 2)) == pytest.approx([2 * x * upstream, upstream, 1])


# --- Part 3 -----------------------------------------------------------------------------------------------------------


def matrices() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    random = rng()
    return random.normal(size=(2, 4)), random.normal(size=(2, 3)), random.normal(size=(3, 4))


def a_loss_with_the_upstream_gradient_as_coefficients() -> None:
    G, A, B = matrices()
    Y = np.array([[sum(A[i, k] * B[k, j] for k in range(3)) for j in range(4)] for i in range(2)])
    np.testing.assert_allclose(Y, A @ B, rtol=1e-13)
    loss = sum(G[i, j] * Y[i, j] for i in range(2) for j in range(4))
    exercise = find("07.matmul_rule")
    assert exercise.loss is not None
    assert exercise.loss(G, A, B) == pytest.approx(loss, rel=1e-13)
    np.testing.assert_allclose(numerical_gradient(lambda Y: np.sum(G * Y), Y, method="complex"), G, rtol=1e-13)


def the_rules_of_a_matrix_product() -> None:
    G, A, B = matrices()
    dA = [[sum(G[i, j] * B[k, j] for j in range(4)) for k in range(3)] for i in range(2)]
    dB = [[sum(A[i, k] * G[i, j] for i in range(2)) for j in range(4)] for k in range(3)]
    for of, expected in (("A", dA), ("B", dB)):
        measured = numerical_gradient(
            lambda M, of=of: np.sum(G * (M @ B if of == "A" else A @ M)), {"A": A, "B": B}[of], method="complex"
        )
        np.testing.assert_allclose(expected, measured, rtol=1e-12)
    for found, expected in zip(find("07.matmul_rule").reference(G, A, B), (dA, dB), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-13)
    ours = grad(lambda factors: np.sum(G * (factors[0] @ factors[1])))([A, B])
    for found, expected in zip(ours, (dA, dB), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-13)


def a_broadcast_bias_collects_from_all_rows() -> None:
    random = rng()
    X, b, G = random.normal(size=(5, 3)), random.normal(size=3), random.normal(size=(5, 3))
    Y = X + b
    assert all(Y[i, j] == X[i, j] + b[j] for i in range(5) for j in range(3))
    upstream = numerical_gradient(lambda Y: np.sum(G * Y**2), Y, method="complex")
    expected = [sum(upstream[i, j] for i in range(5)) for j in range(3)]
    np.testing.assert_allclose(grad(lambda b: np.sum(G * (X + b) ** 2))(b), expected, rtol=1e-12)
    np.testing.assert_allclose(find("07.unbroadcast").reference(upstream, (3,)), expected, rtol=1e-13)


def the_loss_of_the_repair() -> None:
    random = rng()
    G, X, w, b = (random.normal(size=shape) for shape in ((4, 3), (4, 3), (3,), (4,)))
    Z = [[X[i, j] * w[j] + b[i] for j in range(3)] for i in range(4)]
    exercise = find("07.fix_backward")
    assert exercise.loss is not None
    assert exercise.loss(G, X, w, b) == pytest.approx(sum(G[i, j] * Z[i][j] ** 2 for i in range(4) for j in range(3)))
    expected = grad(lambda p: exercise.loss(G, *p))([X, w, b])
    for found, gradient in zip(exercise.reference(G, X, w, b), expected, strict=True):
        np.testing.assert_allclose(found, gradient, rtol=1e-12)


FORMULAS: dict[str, Callable[[], None]] = {
    r"y = x_1 x_2 + \sin x_1": the_worked_example_is_three_operations,
    r"\frac{\partial y}{\partial x_1} = x_2 + \cos x_1 \qquad \frac{\partial y}{\partial x_2} = x_1": (
        its_partial_derivatives
    ),
    r"\varepsilon^2 = 0": epsilon_squared_is_zero,
    r"(a + \dot a\,\varepsilon)(b + \dot b\,\varepsilon) = a b + (\dot a\, b + a\, \dot b)\,\varepsilon + \dot a\, "
    r"\dot b\,\varepsilon^2 = a b + (\dot a\, b + a\, \dot b)\,\varepsilon": a_product_of_dual_numbers,
    r"f(a + \dot a\,\varepsilon) = f(a) + f'(a)\,\dot a\,\varepsilon": a_function_of_a_dual_number,
    r"g(f(a + \dot a\,\varepsilon)) = g(f(a)) + g'(f(a))\, f'(a)\, \dot a\, \varepsilon": (
        a_composition_of_a_dual_number
    ),
    r"(b + \dot b\,\varepsilon)(b - \dot b\,\varepsilon) = b^2": a_dual_number_times_its_conjugate,
    r"\dot y = \sum_i \frac{\partial y}{\partial x_i}\, \dot x_i": a_tangent_is_the_sum_of_slopes_times_tangents,
    r"J v = J_3 \left( J_2 \left( J_1 v \right) \right) \qquad\qquad u^\top J = \left( \left( u^\top J_3 \right) J_2 "
    r"\right) J_1": both_modes_are_products_with_a_vector,
    r"\bar v = \sum_{w \text{ uses } v} \bar w \, \frac{\partial w}{\partial v}": a_gradient_is_the_sum_over_all_uses,
    r"\bar x = \bar y \cdot x + \bar y \cdot x = 2 x \, \bar y": a_square_sends_back_twice,
    r"L = \sum_{i,j} G[i,j] \, Y[i,j] \qquad \text{with } Y[i,j] = \sum_k A[i,k] \, B[k,j]": (
        a_loss_with_the_upstream_gradient_as_coefficients
    ),
    r"\frac{\partial L}{\partial A[i,k]} = \sum_j G[i,j] \, B[k,j] \qquad\qquad \frac{\partial L}{\partial B[k,j]} = "
    r"\sum_i A[i,k] \, G[i,j]": the_rules_of_a_matrix_product,
    r"Y[i,j] = X[i,j] + b[j] \qquad \Rightarrow \qquad \frac{\partial L}{\partial b[j]} = \sum_i \frac{\partial L}"
    r"{\partial Y[i,j]}": a_broadcast_bias_collects_from_all_rows,
    r"L = \sum_{i,j} G[i,j] \, Z[i,j]^2 \qquad \text{with } Z[i,j] = X[i,j]\, w[j] + b[i]": the_loss_of_the_repair,
}
