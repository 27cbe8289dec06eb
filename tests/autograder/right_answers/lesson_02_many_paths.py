"""Right answers to lesson 02 in the styles people write: sums over paths, tapes, dual numbers, loops, einsum, texts."""

from __future__ import annotations

import math
from collections import Counter
from itertools import product

import numpy as np
import sympy

# --- 02.partials ------------------------------------------------------------------------------------------------------


def partials_in_one_line(x, y):
    return 2 * x * y**3 + 5, 3 * x**2 * y**2


def partials_of_terms(x, y):
    """Each term c x^p y^q by itself, as a dictionary in another order."""
    terms = [(1, 2, 3), (5, 1, 0)]
    along_x = sum(c * p * x ** (p - 1) * y**q for c, p, q in terms)
    along_y = sum(c * q * x**p * y ** (q - 1) for c, p, q in terms if q)
    return {"df_dy": along_y, "df_dx": along_x}


def partials_with_sympy(x, y):
    a, b = sympy.symbols("a b")
    f = a**2 * b**3 + 5 * a
    return [float(sympy.diff(f, moved).subs({a: x, b: y})) for moved in (a, b)]


def partials_in_single_precision(x, y):
    x, y = np.float32(x), np.float32(y)
    return np.array([5 + (x + x) * y * y * y, (x * x + x * x + x * x) * y * y])


# --- 02.paths and 02.cost ---------------------------------------------------------------------------------------------


def paths_as_a_dictionary():
    return {"used_twice": "c", "how_many": "c", "against_each_other": "a"}


def paths_as_a_list_of_capitals():
    return ["C", "C", "A"]


def paths_in_brackets():
    return {"against_each_other": "(a)", "how_many": " c. ", "used_twice": "c)"}


def cost_as_a_list():
    return [180_000, 24_080_000]


def cost_by_counting_entries():
    def price(left, right):
        return left[0] * right[1] * left[1], (left[0], right[1])

    J3, J2, J1 = (1, 200), (200, 300), (300, 400)
    row, row_shape = price(J3, J2)
    matrix, matrix_shape = price(J2, J1)
    return {
        "from_the_left": row + price(row_shape, J1)[0],
        "from_the_right": matrix + price(J3, matrix_shape)[0],
    }


def cost_in_floats():
    return {"from_the_right": np.float64(2.408e7), "from_the_left": 1.8e5}


# --- 02.diamond -------------------------------------------------------------------------------------------------------


def diamond_in_one_line(x):
    e = np.exp(np.sin(x))
    return 2 * x * e, x**2 * np.cos(x) * e, (2 * x + x**2 * np.cos(x)) * e


def diamond_with_the_math_module(x):
    u, v = x * x, math.sin(x)
    first = math.exp(v) * 2 * x
    second = u * math.exp(v) * math.sqrt(1 - v * v) * (1 if math.cos(x) > 0 else -1)
    return {"dy_dx": first + second, "through_v": second, "through_u": first}


def diamond_over_all_paths(x):
    """Every path from x to y as a product of its arrows."""
    arrows = {
        ("x", "u"): 2 * x,
        ("x", "v"): np.cos(x),
        ("u", "y"): np.exp(np.sin(x)),
        ("v", "y"): x**2 * np.exp(np.sin(x)),
    }
    paths = [arrows["x", middle] * arrows[middle, "y"] for middle in "uv"]
    return [*paths, sum(paths)]


def diamond_with_a_tape(x):
    u, v = x**2, np.sin(x)
    gradients = Counter({"y": 1.0})
    contributions = {}
    for output, source, local in (
        ("y", "u", np.exp(v)),
        ("y", "v", u * np.exp(v)),
        ("u", "x", 2 * x),
        ("v", "x", np.cos(x)),
    ):
        contributions[output] = gradients[output] * local
        gradients[source] += contributions[output]
    return contributions["u"], contributions["v"], gradients["x"]


def diamond_as_a_product_rule(x):
    f, df = x**2, 2 * x
    g, dg = np.exp(np.sin(x)), np.exp(np.sin(x)) * np.cos(x)
    return (df * g, f * dg, df * g + f * dg)


def diamond_in_single_precision(x):
    x = np.float32(x)
    e = np.exp(np.sin(x))
    return [np.float32(2) * x * e, x * x * e * np.cos(x), e * x * (np.float32(2) + x * np.cos(x))]


# --- 02.quotient_lines ------------------------------------------------------------------------------------------------


def quotient_in_the_textbook_s_form(u, v, du_dx, dv_dx):
    return 1 / v, -u / v**2, du_dx / v, -u * dv_dx / v**2, (v * du_dx - u * dv_dx) / v**2


def quotient_as_texts(u, v, du_dx, dv_dx):
    return {
        "dy_dx": "dy/dx = du_dx/v - u*dv_dx/v^2",
        "through_v": "-u*v^(-2)*dv_dx",
        "through_u": "du_dx/v",
        "dy_dv": "-u/v^2",
        "dy_du": "1/v",
    }


def quotient_differentiated_by_sympy(u, v, du_dx, dv_dx):
    t = sympy.Symbol("t")
    y = (u + t * du_dx) / (v + t * dv_dx)
    y_u, y_v = sympy.diff(u / v, u), sympy.diff(u / v, v)
    return [y_u, y_v, y_u * du_dx, y_v * dv_dx, sympy.simplify(sympy.diff(y, t).subs(t, 0))]


def quotient_with_powers(u, v, du_dx, dv_dx):
    dy_du, dy_dv = v**-1, -u * v ** (-2)
    return dy_du, dy_dv, dy_du * du_dx, dy_dv * dv_dx, dy_du * du_dx + dy_dv * dv_dx


def quotient_as_equations(u, v, du_dx, dv_dx):
    name = sympy.Symbol
    return (
        sympy.Eq(name("dy_du"), 1 / v),
        sympy.Eq(name("dy_dv"), -(u / v) / v),
        sympy.Eq(name("through_u"), du_dx / v),
        sympy.Eq(name("through_v"), -(u / v) * dv_dx / v),
        sympy.Eq(name("dy_dx"), (du_dx - (u / v) * dv_dx) / v),
    )


# --- 02.direction -----------------------------------------------------------------------------------------------------


def direction_with_loops(a, x, v):
    z = sum(float(a[i]) * float(x[i]) for i in range(len(a)))
    gradient = [math.cos(z) * float(entry) for entry in a]
    return gradient, sum(entry * float(speed) for entry, speed in zip(gradient, v, strict=True))


def direction_by_the_line(a, x, v):
    """The slope as the derivative of sin(a · x + t a · v)."""
    slope = math.cos(np.dot(a, x))
    return {"slope": slope * np.dot(a, v), "gradient": slope * a}


def direction_with_einsum_and_columns(a, x, v):
    gradient = (np.cos(np.einsum("i,i->", a, x)) * a).reshape(-1, 1)
    return gradient, v.reshape(1, -1) @ gradient


def direction_with_sines(a, x, v):
    gradient = np.sin(np.pi / 2 + (a * x).sum()) * a
    return (gradient, np.tensordot(v, gradient, axes=1))


def direction_in_single_precision(a, x, v):
    a, x, v = (np.float32(array) for array in (a, x, v))
    gradient = np.cos(a @ x) * a
    return [gradient, v @ gradient]


# --- 02.jacobian_shapes -----------------------------------------------------------------------------------------------


def shapes_in_order(d, h, c):
    return (h, d), (h, h), (c, h), (c, d), (c, c), (1, c), (1, d)


def shapes_from_outputs_and_inputs(d, h, c):
    size = {"x": d, "z": h, "a": h, "s": c, "p": c, "L": 1}
    names = ["dz_dx", "da_dz", "ds_da", "ds_dx", "dp_ds", "dL_dp", "dL_dx"]
    return {name: (size[name[1]], size[name[-1]]) for name in names}


def shapes_of_real_arrays(d, h, c):
    W, V, tanh, softmax, log = (np.zeros(shape) for shape in ((h, d), (c, h), (h, h), (c, c), (1, c)))
    found = [W, tanh, V, V @ tanh @ W, softmax, log, log @ softmax @ V @ tanh @ W]
    return [array.shape for array in found]


def shapes_as_lists(d, h, c):
    return {
        "dL_dx": [1, d],
        "dL_dp": [1, c],
        "dp_ds": [c, c],
        "ds_dx": [c, d],
        "ds_da": [c, h],
        "da_dz": [h, h],
        "dz_dx": [h, d],
    }


# --- 02.layer_jacobian ------------------------------------------------------------------------------------------------


def layers_with_a_diagonal_matrix(x, W, V):
    return V @ np.diag(1 - np.tanh(W @ x) ** 2) @ W


def layers_with_loops(x, W, V):
    (c, h), d = V.shape, len(x)
    J = [[0.0] * d for _ in range(c)]
    for k in range(h):
        slope = 1 / math.cosh(sum(float(W[k, j]) * float(x[j]) for j in range(d))) ** 2
        for i, j in product(range(c), range(d)):
            J[i][j] += float(V[i, k]) * slope * float(W[k, j])
    return J


def layers_with_einsum(x, W, V):
    return {"J": np.einsum("ik,k,kj->ij", V, np.cosh(W @ x) ** -2.0, W)}


def layers_by_rows(x, W, V):
    slope = 1 - np.square(np.tanh(W.dot(x)))
    return np.stack([(row * slope).dot(W) for row in V])


def layers_by_columns(x, W, V):
    slope = 1 - np.tanh(W @ x) ** 2
    columns = [V @ (slope * W[:, j]) for j in range(len(x))]
    return np.array(columns).T


def layers_as_a_sum_of_paths(x, W, V):
    a = np.tanh(W @ x)
    return sum(np.outer(V[:, k], (1 - a[k]) * (1 + a[k]) * W[k]) for k in range(len(a)))


def layers_in_single_precision(x, W, V):
    x, W, V = (np.float32(array) for array in (x, W, V))
    return (V * (1 - np.tanh(W @ x) ** 2)) @ W


# --- 02.softmax_fix ---------------------------------------------------------------------------------------------------


def softmax_repaired(z, g):
    e = np.exp(z - np.max(z))
    p = e / np.sum(e)
    return g @ (np.diag(p) - np.outer(p, p))


def softmax_without_a_matrix(z, g):
    p = np.exp(z) / np.exp(z).sum()
    return p * (g - g @ p)


def softmax_with_loops(z, g):
    e = [math.exp(entry) for entry in z]
    p = [entry / sum(e) for entry in e]
    return [sum(float(g[i]) * p[i] * ((1 - p[j]) if i == j else -p[j]) for i in range(len(p))) for j in range(len(p))]


def softmax_by_the_quotient_rule(z, g):
    """g · p = N / S with N = Σ g e^z and S = Σ e^z."""
    e = np.exp(z)
    N, S = g @ e, e.sum()
    return {"dz": (g * e * S - N * e) / S**2}


def softmax_with_the_jacobian_on_the_left(z, g):
    p = np.exp(z - z.mean())
    p /= p.sum()
    J = -p[:, None] * p
    J[np.diag_indices(len(p))] += p
    return (J @ g).reshape(-1, 1)


# --- 02.order_shortcut ------------------------------------------------------------------------------------------------


def order_as_a_text():
    return "d h f n g l k"


def order_as_a_list():
    return ["d", "h", "f", "n", "g", "l", "k"]


def order_with_the_shortcut_first():
    return "d, h, f, n, l, g, k"


def order_without_spaces():
    return "DHFNLGK"


# --- 02.shortcut_block ------------------------------------------------------------------------------------------------


def block_with_the_whole_jacobian(x, W, V, g, v):
    J = np.eye(len(x)) + V @ np.diag(1 - np.tanh(W @ x) ** 2) @ W
    return g @ J, J @ v


def block_with_transposes(x, W, V, g, v):
    slope = np.cosh(W @ x) ** -2.0
    return {"jvp": v + V @ (slope * (W @ v)), "vjp": g + W.T @ (slope * (V.T @ g))}


def block_with_loops(x, W, V, g, v):
    h, d = W.shape
    vjp, jvp = [float(entry) for entry in g], [float(entry) for entry in v]
    for k in range(h):
        a = math.tanh(sum(float(W[k, j]) * float(x[j]) for j in range(d)))
        back = sum(float(g[i]) * float(V[i, k]) for i in range(d)) * (1 - a * a)
        forth = sum(float(W[k, j]) * float(v[j]) for j in range(d)) * (1 - a * a)
        for i in range(d):
            vjp[i] += back * float(W[k, i])
            jvp[i] += float(V[i, k]) * forth
    return vjp, jvp


def block_with_einsum(x, W, V, g, v):
    s = 1 - np.tanh(np.einsum("kj,j->k", W, x)) ** 2
    return g + np.einsum("i,ik,k,kj->j", g, V, s, W), v + np.einsum("ik,k,kj,j->i", V, s, W, v)


def block_with_columns(x, W, V, g, v):
    x, g, v = (array.reshape(-1, 1) for array in (x, g, v))
    a = np.tanh(W @ x)
    back = V.T @ g
    back = back - a * a * back
    return g + W.T @ back, v + V @ ((1 - a**2) * (W @ v))


def block_with_a_tape(x, W, V, g, v):
    """Closures recorded on the way forward: tangents at once, gradients backwards."""
    values, tangents, gradients, tape = {"x": x}, {"x": v}, {}, []

    def link(out, inp, f, jvp, vjp):
        values[out], tangents[out] = f(values[inp]), jvp(tangents[inp])
        tape.append((out, inp, vjp))

    link("z", "x", lambda x: W @ x, lambda t: W @ t, lambda u: W.T @ u)
    a = np.tanh(values["z"])
    link("a", "z", np.tanh, lambda t: t - t * a**2, lambda u: u - u * a**2)
    link("o", "a", lambda a: V @ a, lambda t: V @ t, lambda u: V.T @ u)
    gradients["o"] = g
    for out, inp, vjp in reversed(tape):
        gradients[inp] = vjp(gradients[out])
    return gradients["x"] + g, tangents["x"] + tangents["o"]


def block_in_single_precision(x, W, V, g, v):
    return block_with_transposes(*(np.float32(array) for array in (x, W, V, g, v)))


ANSWERS = {
    "02.partials": [
        partials_in_one_line,
        partials_of_terms,
        partials_with_sympy,
        partials_in_single_precision,
    ],
    "02.paths": [paths_as_a_dictionary, paths_as_a_list_of_capitals, paths_in_brackets],
    "02.diamond": [
        diamond_in_one_line,
        diamond_with_the_math_module,
        diamond_over_all_paths,
        diamond_with_a_tape,
        diamond_as_a_product_rule,
        diamond_in_single_precision,
    ],
    "02.quotient_lines": [
        quotient_in_the_textbook_s_form,
        quotient_as_texts,
        quotient_differentiated_by_sympy,
        quotient_with_powers,
        quotient_as_equations,
    ],
    "02.direction": [
        direction_with_loops,
        direction_by_the_line,
        direction_with_einsum_and_columns,
        direction_with_sines,
        direction_in_single_precision,
    ],
    "02.jacobian_shapes": [
        shapes_in_order,
        shapes_from_outputs_and_inputs,
        shapes_of_real_arrays,
        shapes_as_lists,
    ],
    "02.layer_jacobian": [
        layers_with_a_diagonal_matrix,
        layers_with_loops,
        layers_with_einsum,
        layers_by_rows,
        layers_by_columns,
        layers_as_a_sum_of_paths,
        layers_in_single_precision,
    ],
    "02.softmax_fix": [
        softmax_repaired,
        softmax_without_a_matrix,
        softmax_with_loops,
        softmax_by_the_quotient_rule,
        softmax_with_the_jacobian_on_the_left,
    ],
    "02.cost": [cost_as_a_list, cost_by_counting_entries, cost_in_floats],
    "02.order_shortcut": [
        order_as_a_text,
        order_as_a_list,
        order_with_the_shortcut_first,
        order_without_spaces,
    ],
    "02.shortcut_block": [
        block_with_the_whole_jacobian,
        block_with_transposes,
        block_with_loops,
        block_with_einsum,
        block_with_columns,
        block_with_a_tape,
        block_in_single_precision,
    ],
}
