"""Both sides of every displayed formula of lesson 02: in symbols where that is exact, else at random points."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import sympy as sp

from autograder.exercises import find
from chainrule_lib import (
    directional_derivative,
    jacobian,
    numerical_gradient,
    sigmoid,
    sigmoid_derivative,
    softmax,
    softmax_jacobian,
    tanh,
)

T = sp.Symbol("t", real=True)
H, K, L = sp.symbols("h k l", real=True)


def rng() -> np.random.Generator:
    return np.random.default_rng(20)


def landscape(u: sp.Expr, v: sp.Expr) -> sp.Expr:
    """The f of part 1."""
    return u**2 * v + 3 * v


def bumpy(u: sp.Expr, v: sp.Expr) -> sp.Expr:
    """A function that is no polynomial, for what holds for any."""
    return sp.sin(u * v) + u * sp.exp(v / 2)


# --- A worked example and part 1 --------------------------------------------------------------------------------------


def the_worked_example_has_these_parts() -> None:
    x = sp.Symbol("x")
    u, v = 3 * x + 1, x**2
    assert sp.expand(u * v) == 3 * x**3 + x**2
    assert (u.subs(x, 2), v.subs(x, 2)) == (7, 4)


def the_worked_example_is_the_sum_of_two_paths() -> None:
    x, u, v = sp.symbols("x u v")
    inner = {u: 3 * x + 1, v: x**2}
    dy_du, dy_dv = (sp.diff(u * v, name).subs(inner) for name in (u, v))
    du_dx, dv_dx = (sp.diff(inner[name], x) for name in (u, v))
    assert sp.expand(dy_du * du_dx + dy_dv * dv_dx - sp.diff((u * v).subs(inner), x)) == 0
    assert [part.subs(x, 2) for part in (dy_du, sp.sympify(du_dx), dy_dv, dv_dx)] == [4, 3, 7, 4]
    assert sp.diff((u * v).subs(inner), x).subs(x, 2) == 4 * 3 + 7 * 4 == 40


def a_partial_derivative_is_the_limit_with_the_other_variable_still() -> None:
    u, v = sp.symbols("u v", real=True)
    for f in (landscape, bumpy):
        quotient = (f(u + H, v) - f(u, v)) / H
        assert sp.simplify(sp.limit(quotient, H, 0) - sp.diff(f(u, v), u)) == 0
    assert sp.expand(sp.diff(landscape(u, v), u) - 2 * u * v) == 0
    assert sp.expand(sp.diff(landscape(u, v), v) - (u**2 + 3)) == 0


def a_move_is_one_variable_after_the_other() -> None:
    f = sp.Function("f")
    u, v = sp.symbols("u v")
    left = f(u + K, v + L) - f(u, v)
    assert sp.expand(left - ((f(u + K, v + L) - f(u, v + L)) + (f(u, v + L) - f(u, v)))) == 0


def the_total_change_is_right_up_to_second_order() -> None:
    u, v = sp.symbols("u v", real=True)
    for f in (landscape, bumpy):
        moved = f(u + K * H, v + L * H) - f(u, v)
        predicted = sp.diff(f(u, v), u) * K * H + sp.diff(f(u, v), v) * L * H
        error = sp.series(moved - predicted, H, 0, 2).removeO()
        assert sp.simplify(error) == 0
        assert sp.simplify(sp.diff(moved - predicted, H, 2).subs(H, 0)) != 0  # it is an approximation


def two_paths_add() -> None:
    u, v, x = sp.symbols("u v x", real=True)
    for f in (landscape, bumpy):
        inner = {u: sp.sin(x), v: sp.exp(x)}
        paths = [sp.diff(f(u, v), name).subs(inner) * sp.diff(inner[name], x) for name in (u, v)]
        assert sp.simplify(sum(paths) - sp.diff(f(u, v).subs(inner), x)) == 0
    # The exercise on a diamond speaks of the same rule.
    through_u, through_v, slope = find("02.diamond").reference(0.7)
    y = numerical_gradient(lambda t: t**2 * np.exp(np.sin(t)), 0.7, method="complex")
    np.testing.assert_allclose([through_u + through_v, slope], y, rtol=1e-13)


def the_product_rule_is_a_sum_over_two_paths() -> None:
    u, v = sp.Function("u")(T), sp.Function("v")(T)
    assert sp.expand(sp.diff(u * v, T) - (v * sp.diff(u, T) + u * sp.diff(v, T))) == 0


def the_paths_of_two_diamonds_are_a_product_of_sums() -> None:
    a1, a2, b1, b2 = sp.symbols("a1 a2 b1 b2")
    assert sp.expand((a1 + b1) * (a2 + b2)) == a1 * a2 + a1 * b2 + b1 * a2 + b1 * b2


# --- Part 2 -----------------------------------------------------------------------------------------------------------


def the_landscape_has_this_gradient() -> None:
    x0, x1 = sp.symbols("x0 x1")
    f = x0**2 * x1 + 3 * x1
    assert f == landscape(x0, x1)
    assert [sp.expand(sp.diff(f, x)) for x in (x0, x1)] == [2 * x0 * x1, x0**2 + 3]
    measured = numerical_gradient(lambda x: x[0] ** 2 * x[1] + 3 * x[1], np.array([0.7, -1.3]), method="complex")
    np.testing.assert_allclose(measured, [2 * 0.7 * -1.3, 0.7**2 + 3], rtol=1e-14)


def the_slope_in_a_direction_is_the_gradient_times_it() -> None:
    random = rng()
    a, x, v = (random.normal(size=4) for _ in range(3))

    def f(x: np.ndarray) -> np.ndarray:
        return np.sin(a @ x)

    gradient = numerical_gradient(f, x, method="complex")
    slope = directional_derivative(f, x, v, method="complex")
    np.testing.assert_allclose(sum(gradient[i] * v[i] for i in range(4)), slope, rtol=1e-13)
    np.testing.assert_allclose(gradient @ v, slope, rtol=1e-13)
    expected = find("02.direction").reference(a, x, v)
    np.testing.assert_allclose(expected[0], gradient, rtol=1e-13)
    np.testing.assert_allclose(expected[1], slope, rtol=1e-13)


def a_unit_vector_s_slope_is_the_gradient_s_length_times_a_cosine() -> None:
    gradient = rng().normal(size=2)
    own_angle = np.arctan2(gradient[1], gradient[0])
    for alpha in np.linspace(0, np.pi, 7):
        v = np.array([np.cos(own_angle + alpha), np.sin(own_angle + alpha)])
        np.testing.assert_allclose(gradient @ v, np.linalg.norm(gradient) * np.cos(alpha), atol=1e-14)


# --- Part 3 -----------------------------------------------------------------------------------------------------------


def two_outputs(x: np.ndarray) -> np.ndarray:
    return np.array([x[0] * x[1], np.sin(x[1]) + x[2] ** 2])


def the_small_layer_has_two_outputs_and_three_inputs() -> None:
    x = sp.symbols("x0:3")
    y = sp.Matrix([x[0] * x[1], sp.sin(x[1]) + x[2] ** 2])
    point = [0.3, -0.8, 1.4]
    values = np.array(y.subs(dict(zip(x, point, strict=True))), dtype=float).ravel()
    np.testing.assert_allclose(values, two_outputs(np.array(point)), rtol=1e-14)


def the_jacobian_has_a_row_for_every_output() -> None:
    x = sp.symbols("x0:3")
    y = [x[0] * x[1], sp.sin(x[1]) + x[2] ** 2]
    entries = sp.Matrix([[sp.diff(y[i], x[j]) for j in range(3)] for i in range(2)])
    assert entries == sp.Matrix([[x[1], x[0], 0], [0, sp.cos(x[1]), 2 * x[2]]])
    assert jacobian(two_outputs, np.array([0.3, -0.8, 1.4])).shape == (2, 3)


def the_jacobian_turns_a_small_move_into_a_small_move() -> None:
    x, move = np.array([0.3, -0.8, 1.4]), np.array([1.0, -2.0, 0.5])
    J = jacobian(two_outputs, x, method="complex")
    errors = []
    for h in (1e-2, 1e-3):
        moved = two_outputs(x + h * move) - two_outputs(x)
        entries = [sum(J[i, j] * h * move[j] for j in range(3)) for i in range(2)]
        np.testing.assert_allclose(entries, J @ (h * move), rtol=1e-13)
        errors.append(np.max(np.abs(moved - entries)) / h)
    assert 0 < errors[1] < 0.11 * errors[0]


def the_jacobian_of_a_linear_map_is_its_matrix() -> None:
    random = rng()
    W, b, x = random.normal(size=(2, 3)), random.normal(size=2), random.normal(size=3)
    np.testing.assert_allclose(jacobian(lambda x: W @ x + b, x, method="complex"), W, rtol=1e-14)


def the_jacobian_of_an_entrywise_function_is_diagonal() -> None:
    z = rng().normal(size=4)
    measured = jacobian(sigmoid, z, method="complex")
    for i in range(4):
        for j in range(4):
            np.testing.assert_allclose(measured[i, j], sigmoid_derivative(z)[i] if i == j else 0, rtol=1e-13)


def softmax_is_exponentials_divided_by_their_sum() -> None:
    z = rng().normal(size=4)
    S = sum(np.exp(z[k]) for k in range(4))
    np.testing.assert_allclose([np.exp(z[i]) / S for i in range(4)], softmax(z), rtol=1e-14)


def the_jacobian_of_softmax_is_full() -> None:
    z = sp.symbols("z0:3", real=True)
    S = sum(sp.exp(entry) for entry in z)
    p = [sp.exp(entry) / S for entry in z]
    for i in range(3):
        for j in range(3):
            stated = p[i] - p[i] ** 2 if i == j else -p[i] * p[j]
            assert sp.simplify(sp.diff(p[i], z[j]) - stated) == 0
        assert sp.expand(p[i] - p[i] ** 2 - p[i] * (1 - p[i])) == 0
    at = rng().normal(size=3)
    np.testing.assert_allclose(softmax_jacobian(at), np.diag(softmax(at)) - np.outer(softmax(at), softmax(at)))
    g = rng().normal(size=3)
    np.testing.assert_allclose(find("02.softmax_fix").reference(at, g), g @ softmax_jacobian(at), rtol=1e-12)


# --- Parts 4 and 5 ----------------------------------------------------------------------------------------------------


def inner(x: np.ndarray) -> np.ndarray:
    return np.array([x[0] * x[1], np.sin(x[0]), x[1] ** 2])


def outer(u: np.ndarray) -> np.ndarray:
    return np.array([u[0] * u[2], u[1] + np.exp(u[2])])


def an_entry_is_a_sum_over_the_paths_through_the_middle() -> None:
    x = np.array([0.7, 0.4])
    whole = jacobian(lambda x: outer(inner(x)), x, method="complex")
    J_g, J_f = jacobian(inner, x, method="complex"), jacobian(outer, inner(x), method="complex")
    for i in range(2):
        for j in range(2):
            np.testing.assert_allclose(sum(J_f[i, k] * J_g[k, j] for k in range(3)), whole[i, j], rtol=1e-13)


def the_jacobian_of_a_composition_is_a_product() -> None:
    x = np.array([0.7, 0.4])
    J_g, J_f = jacobian(inner, x, method="complex"), jacobian(outer, inner(x), method="complex")
    whole = jacobian(lambda x: outer(inner(x)), x, method="complex")
    np.testing.assert_allclose(J_f @ J_g, whole, rtol=1e-13)
    assert (J_g @ J_f).shape != whole.shape
    random = rng()
    W, V = random.normal(size=(4, 2)), random.normal(size=(3, 4))
    layers = jacobian(lambda x: V @ np.tanh(W @ x), x, method="complex")
    np.testing.assert_allclose(find("02.layer_jacobian").reference(x, W, V), layers, rtol=1e-12)


def the_classifier_of_the_exercise_on_shapes_has_these_jacobians() -> None:
    d, h, c = 4, 3, 2
    random = rng()
    x, W, V = random.normal(size=d), random.normal(size=(h, d)), random.normal(size=(c, h))

    def loss(p: np.ndarray) -> np.ndarray:
        return -np.log(p[:1])

    z = W @ x
    a = tanh(z)
    s = V @ a
    found = {
        "dz_dx": jacobian(lambda x: W @ x, x),
        "da_dz": jacobian(tanh, z),
        "ds_da": jacobian(lambda a: V @ a, a),
        "ds_dx": jacobian(lambda x: V @ np.tanh(W @ x), x),
        "dp_ds": jacobian(softmax, s),
        "dL_dp": jacobian(loss, softmax(s)),
        "dL_dx": jacobian(lambda x: loss(softmax(V @ np.tanh(W @ x))), x),
    }
    assert {name: J.shape for name, J in found.items()} == find("02.jacobian_shapes").reference(d, h, c)
    product = found["dL_dp"] @ found["dp_ds"] @ found["ds_da"] @ found["da_dz"] @ found["dz_dx"]
    np.testing.assert_allclose(product, found["dL_dx"], atol=1e-8)


def a_diagonal_matrix_scales_rows_on_the_left_and_columns_on_the_right() -> None:
    random = rng()
    s, M = random.normal(size=3), random.normal(size=(3, 3))
    for i in range(3):
        for j in range(3):
            np.testing.assert_allclose((np.diag(s) @ M)[i, j], s[i] * M[i, j], rtol=1e-14)
            np.testing.assert_allclose((M @ np.diag(s))[i, j], M[i, j] * s[j], rtol=1e-14)


def brackets_do_not_change_a_product() -> None:
    random = rng()
    J3, J2, J1 = random.normal(size=(1, 200)), random.normal(size=(200, 300)), random.normal(size=(300, 400))
    np.testing.assert_allclose((J3 @ J2) @ J1, J3 @ (J2 @ J1), rtol=1e-9, atol=1e-9)


def a_product_takes_m_n_d_multiplications() -> None:
    def counted(m: int, n: int, d: int) -> int:
        return sum(1 for _ in range(m) for _ in range(d) for _ in range(n))

    for sizes in ((2, 3, 5), (1, 4, 7)):
        assert counted(*sizes) == np.prod(sizes)
    left = 1 * 200 * 300 + 1 * 300 * 400
    right = 200 * 300 * 400 + 1 * 200 * 400
    assert find("02.cost").reference() == {"from_the_left": left, "from_the_right": right}


def the_block_with_a_shortcut_has_these_products() -> None:
    random = rng()
    x, g, v = (random.normal(size=4) for _ in range(3))
    W, V = random.normal(size=(3, 4)), random.normal(size=(4, 3))
    J = jacobian(lambda x: x + V @ np.tanh(W @ x), x, method="complex")
    vjp, jvp = find("02.shortcut_block").reference(x, W, V, g, v)
    np.testing.assert_allclose(vjp, g @ J, rtol=1e-12)
    np.testing.assert_allclose(jvp, J @ v, rtol=1e-12)


FORMULAS: dict[str, Callable[[], None]] = {
    r"u = 3x + 1, \qquad v = x^2, \qquad y = u \cdot v.": the_worked_example_has_these_parts,
    r"\frac{dy}{dx} = \frac{\partial y}{\partial u} \cdot \frac{du}{dx} + \frac{\partial y}{\partial v} \cdot "
    r"\frac{dv}{dx} = 4 \cdot 3 + 7 \cdot 4 = 40": the_worked_example_is_the_sum_of_two_paths,
    r"\frac{\partial f}{\partial u}(u, v) = \lim_{h \to 0} \frac{f(u + h, v) - f(u, v)}{h}": (
        a_partial_derivative_is_the_limit_with_the_other_variable_still
    ),
    r"f(u + k, v + l) - f(u, v) = \bigl( f(u + k, v + l) - f(u, v + l) \bigr) + \bigl( f(u, v + l) - f(u, v) "
    r"\bigr)": a_move_is_one_variable_after_the_other,
    r"f(u + k, v + l) - f(u, v) \approx \frac{\partial f}{\partial u} \, k + \frac{\partial f}{\partial v} \, l": (
        the_total_change_is_right_up_to_second_order
    ),
    r"\frac{dy}{dx} = \frac{\partial y}{\partial u} \, \frac{du}{dx} + \frac{\partial y}{\partial v} \, "
    r"\frac{dv}{dx} \qquad \text{for } y = f(u, v)": two_paths_add,
    r"\frac{d(uv)}{dx} = v \, \frac{du}{dx} + u \, \frac{dv}{dx}": the_product_rule_is_a_sum_over_two_paths,
    r"(a_1 + b_1)(a_2 + b_2) = a_1 a_2 + a_1 b_2 + b_1 a_2 + b_1 b_2": the_paths_of_two_diamonds_are_a_product_of_sums,
    r"f(x) = x_0^2 x_1 + 3 x_1 \qquad \nabla f = \Bigl( \frac{\partial f}{\partial x_0}, \frac{\partial f}{\partial "
    r"x_1} \Bigr) = (2 x_0 x_1, \; x_0^2 + 3)": the_landscape_has_this_gradient,
    r"\frac{d}{dt} f(x + t v) \Big|_{t = 0} = \sum_i \frac{\partial f}{\partial x_i} \, v_i = \nabla f \cdot v": (
        the_slope_in_a_direction_is_the_gradient_times_it
    ),
    r"\nabla f \cdot v = \lvert \nabla f \rvert \, \cos \alpha \qquad \text{with } \alpha \text{ the angle between } "
    r"v \text{ and } \nabla f": a_unit_vector_s_slope_is_the_gradient_s_length_times_a_cosine,
    r"y_0 = x_0 x_1 \qquad y_1 = \sin x_1 + x_2^2": the_small_layer_has_two_outputs_and_three_inputs,
    r"J = \begin{pmatrix} \dfrac{\partial y_0}{\partial x_0} & \dfrac{\partial y_0}{\partial x_1} & "
    r"\dfrac{\partial y_0}{\partial x_2} \\ \dfrac{\partial y_1}{\partial x_0} & \dfrac{\partial y_1}{\partial x_1} & "
    r"\dfrac{\partial y_1}{\partial x_2} \end{pmatrix} = \begin{pmatrix} x_1 & x_0 & 0 \\ 0 & \cos x_1 & 2 x_2 "
    r"\end{pmatrix}": the_jacobian_has_a_row_for_every_output,
    r"\Delta y \approx J \, \Delta x \qquad \text{entry by entry: } \Delta y_i \approx \sum_j J_{ij} \, "
    r"\Delta x_j": the_jacobian_turns_a_small_move_into_a_small_move,
    r"\frac{\partial z_i}{\partial x_j} = W_{ij}": the_jacobian_of_a_linear_map_is_its_matrix,
    r"\frac{\partial \sigma(z_i)}{\partial z_j} = \begin{cases} \sigma'(z_i) & \text{if } i = j \\ 0 & \text{if } i "
    r"\ne j \end{cases}": the_jacobian_of_an_entrywise_function_is_diagonal,
    r"p_i = \frac{e^{z_i}}{S} \qquad S = \sum_k e^{z_k}": softmax_is_exponentials_divided_by_their_sum,
    r"\frac{\partial p_i}{\partial z_j} = \begin{cases} p_i - p_i^2 = p_i (1 - p_i) & \text{if } i = j \\ -p_i p_j & "
    r"\text{if } i \ne j \end{cases}": the_jacobian_of_softmax_is_full,
    r"\frac{\partial y_i}{\partial x_j} = \sum_k \frac{\partial y_i}{\partial u_k} \, \frac{\partial u_k}{\partial "
    r"x_j}": an_entry_is_a_sum_over_the_paths_through_the_middle,
    r"J_{f \circ g}(x) = J_f(u) \, J_g(x) \qquad \text{with } u = g(x)": the_jacobian_of_a_composition_is_a_product,
    r"z = W x \qquad a = \tanh(z) \qquad s = V a \qquad p = \operatorname{softmax}(s) \qquad L = -\log p_0": (
        the_classifier_of_the_exercise_on_shapes_has_these_jacobians
    ),
    r"\bigl( \operatorname{diag}(s) \, M \bigr)_{kj} = s_k M_{kj} \qquad \bigl( M \, \operatorname{diag}(s) "
    r"\bigr)_{ik} = M_{ik} s_k": a_diagonal_matrix_scales_rows_on_the_left_and_columns_on_the_right,
    r"\underbrace{J_3}_{1 \times 200} \; \underbrace{J_2}_{200 \times 300} \; \underbrace{J_1}_{300 \times 400} = "
    r"(J_3 J_2) J_1 = J_3 (J_2 J_1)": brackets_do_not_change_a_product,
    r"m \cdot n \cdot d": a_product_takes_m_n_d_multiplications,
    r"y = x + V \tanh(W x)": the_block_with_a_shortcut_has_these_products,
}
