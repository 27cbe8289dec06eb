"""Right answers to lesson 04 in the styles people write: loops, einsum, closed forms, other containers."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import sympy as sp

from chainrule_lib.activations import sigmoid


def _sigma(z: float) -> float:
    return 1 / (1 + math.exp(-z))


def _logistic(z: Any) -> Any:
    return np.exp(z) / (np.exp(z) + 1)


def stable_with_a_loop(z):
    found = []
    for v in z:
        if v >= 0:
            found.append(1 / (1 + math.exp(-v)))
        else:
            found.append(math.exp(v) / (1 + math.exp(v)))
    return found


def stable_with_masks(z):
    a = np.empty_like(z)
    positive = z >= 0
    a[positive] = 1 / (1 + np.exp(-z[positive]))
    e = np.exp(z[~positive])
    a[~positive] = e / (1 + e)
    return a


def stable_with_tanh(z):
    return 0.5 * (1 + np.tanh(z / 2))


def stable_with_a_clipped_exponent(z):
    return {"a": 1 / (1 + np.exp(-np.clip(z, -500, 500)))}


def stable_with_logaddexp(z):
    return np.exp(-np.logaddexp(0, -z))


def stable_by_symmetry(z):
    """σ(z) + σ(−z) = 1, so only the positive half is ever computed."""
    upper = 1 / (1 + np.exp(-np.abs(z)))
    return np.where(z < 0, 1 - upper, upper)


def stable_in_single_precision(z):
    e = np.exp(-np.abs(z.astype(np.float32)))
    return np.where(z < 0, e, np.float32(1)) / (1 + e)


def slope_with_a_loop(z):
    return [_sigma(v) * _sigma(-v) for v in z]


def slope_with_exponentials(z):
    e = np.exp(-z)
    return e / (1 + e) ** 2


def slope_with_cosh(z):
    return 1 / (2 + 2 * np.cosh(z))


def slope_with_tanh(z):
    return (1 - np.tanh(z / 2) ** 2) / 4


def slope_as_a_difference_of_squares(z):
    return 0.25 - (sigmoid(z) - 0.5) ** 2


def slope_as_the_diagonal_of_a_jacobian(z):
    jacobian = np.diag(sigmoid(z)) - np.diag(sigmoid(z)) ** 2
    return (jacobian.diagonal(),)


def slope_in_single_precision(z):
    a = sigmoid(np.float32(z))
    return np.subtract(a, a * a)


def sample_with_loops(x, W1, b1, W2, b2):
    z1 = [0.0] * len(b1)
    for j in range(len(b1)):
        for k in range(len(x)):
            z1[j] += W1[j, k] * x[k]
        z1[j] += b1[j]
    a1 = [_sigma(z) for z in z1]
    z2 = [b2[i] + sum(W2[i, j] * a1[j] for j in range(len(a1))) for i in range(len(b2))]
    return z1, a1, z2, [_sigma(z) for z in z2]


def sample_with_einsum_as_a_dictionary(x, W1, b1, W2, b2):
    z1 = np.einsum("hd,d->h", W1, x) + b1
    a1 = sigmoid(z1)
    z2 = np.einsum("ch,h->c", W2, a1) + b2
    return {"a2": sigmoid(z2), "z2": z2, "a1": a1, "z1": z1}


def sample_as_columns(x, W1, b1, W2, b2):
    z1 = W1 @ x[:, None] + b1[:, None]
    a1 = sigmoid(z1)
    z2 = W2 @ a1 + b2[:, None]
    return z1, a1, z2, sigmoid(z2)


def sample_with_the_bias_as_a_weight(x, W1, b1, W2, b2):
    """A constant input of 1 whose weights are the biases."""
    z1 = np.column_stack([W1, b1]) @ np.append(x, 1)
    a1 = 1 / (1 + np.exp(-z1))
    z2 = np.column_stack([W2, b2]) @ np.append(a1, 1)
    return z1, a1, z2, 1 / (1 + np.exp(-z2))


def sample_layer_by_layer(x, W1, b1, W2, b2):
    values = []
    for W, b in ((W1, b1), (W2, b2)):
        z = np.dot(W, x) + b
        x = sigmoid(z)
        values += [z, x]
    return values


def sample_in_single_precision(x, W1, b1, W2, b2):
    return sample_layer_by_layer(*(v.astype(np.float32) for v in (x, W1, b1, W2, b2)))


def batch_sample_by_sample(X, W1, b1, W2, b2):
    A1, A2 = [], []
    for x in X:
        a1 = sigmoid(W1 @ x + b1)
        A1.append(a1)
        A2.append(sigmoid(W2 @ a1 + b2))
    return A1, A2


def batch_with_einsum(X, W1, b1, W2, b2):
    A1 = sigmoid(np.einsum("nd,hd->nh", X, W1) + b1)
    A2 = sigmoid(np.einsum("nh,ch->nc", A1, W2) + b2)
    return SimpleNamespace(A2=A2, A1=A1)


def batch_in_columns(X, W1, b1, W2, b2):
    A1 = sigmoid(W1 @ X.T + b1[:, None])
    A2 = sigmoid(W2 @ A1 + b2[:, None])
    return A1.T, A2.T


def batch_by_broadcasting(X, W1, b1, W2, b2):
    A1 = _logistic((X[:, None, :] * W1).sum(axis=2) + b1)
    A2 = _logistic((A1[:, None, :] * W2).sum(axis=2) + b2)
    return {"A1": A1.tolist(), "A2": A2.tolist()}


def batch_with_the_bias_as_a_weight(X, W1, b1, W2, b2):
    A, found = X, []
    for W, b in ((W1, b1), (W2, b2)):
        A = _logistic(np.c_[np.ones(len(A)), A] @ np.c_[b, W].T)
        found.append(A)
    return found


def batch_in_single_precision(X, W1, b1, W2, b2):
    return batch_in_columns(*(np.float32(v) for v in (X, W1, b1, W2, b2)))


def error_with_loops(A, Y):
    total = 0
    for outputs, targets in zip(A, Y, strict=True):
        for a, y in zip(outputs, targets, strict=True):
            total += 0.5 * (a - y) ** 2
    return total / len(A)


def error_as_a_mean_of_sums(A, Y):
    return np.mean(np.sum((A - Y) ** 2, axis=1)) / 2


def error_with_a_norm(A, Y):
    return [0.5 * np.linalg.norm(A - Y) ** 2 / A.shape[0]]


def error_with_einsum(A, Y):
    return {"L": np.einsum("ij,ij->", A - Y, A - Y) / (2 * len(A))}


def error_with_a_trace(A, Y):
    return np.trace((A - Y) @ (A - Y).T) / 2 / len(Y)


def error_multiplied_out(A, Y):
    return np.sum(A * A / 2 - A * Y + Y * Y / 2) / len(A)


def error_in_single_precision(A, Y):
    D = np.float32(A) - np.float32(Y)
    return np.vdot(D, D) / np.float32(2 * len(D))


def error_gradient_with_loops(A, Y):
    n, c = A.shape
    dA = np.zeros((n, c))
    for i in range(n):
        for j in range(c):
            dA[i][j] = (A[i][j] - Y[i][j]) / n
    return dA


def error_gradient_from_the_other_side(A, Y):
    return -(Y - A) * (1 / A.shape[0])


def error_gradient_as_lists_of_lists(A, Y):
    n = len(A)
    return [[a / n - y / n for a, y in zip(*rows, strict=True)] for rows in zip(A.tolist(), Y.tolist(), strict=True)]


def error_gradient_with_a_matrix_of_means(A, Y):
    return {"dA": np.eye(len(A)) / len(A) @ np.subtract(A, Y)}


def error_gradient_in_place_on_a_copy(A, Y):
    dA = A.copy()
    dA -= Y
    dA *= 2
    dA /= 2 * len(dA)
    return dA


def error_gradient_in_single_precision(A, Y):
    return (np.float32(A) - np.float32(Y)) / np.float32(len(A))


def cross_entropy_with_logaddexp(Z, Y):
    return np.logaddexp(0, Z) - Y * Z


def cross_entropy_with_the_sign_of_the_target(Z, Y):
    return np.logaddexp(0, (1 - 2 * Y) * Z)


def cross_entropy_by_target_as_lists(Z, Y):
    return np.where(Y == 1, np.logaddexp(0, -Z), np.logaddexp(0, Z)).tolist()


def cross_entropy_with_loops(Z, Y):
    losses = []
    for logits, targets in zip(Z, Y, strict=True):
        row = []
        for z, y in zip(logits, targets, strict=True):
            m = z if y == 0 else -z
            row.append(m + math.log1p(math.exp(-m)) if m > 0 else math.log1p(math.exp(m)))
        losses.append(row)
    return losses


def cross_entropy_with_masks(Z, Y):
    losses = np.log1p(np.exp(-np.abs(Z)))
    losses[Z > 0] += Z[Z > 0]
    losses[Y == 1] -= Z[Y == 1]
    return losses


def cross_entropy_shifted_by_the_largest_exponent(Z, Y):
    """log(e^0 + e^z) with the larger exponent taken out, as it is done for a softmax."""
    exponents = np.stack([np.zeros_like(Z), Z])
    top = exponents.max(axis=0)
    return {"losses": top + np.log(np.exp(exponents - top).sum(axis=0)) - Y * Z}


def cross_entropy_in_single_precision(Z, Y):
    Z, Y = np.float32(Z), np.float32(Y)
    return np.maximum(Z, 0) - Y * Z + np.log1p(np.exp(-np.abs(Z)))


def cross_entropy_gradient_term_by_term(A, Y):
    return (-Y / A + (1 - Y) / (1 - A)) / len(A)


def cross_entropy_gradient_by_target(A, Y):
    return np.where(Y == 1, -1 / A, 1 / (1 - A)) / A.shape[0]


def cross_entropy_gradient_with_loops(A, Y):
    n = len(A)
    return [[(a - y) / (a * (1 - a) * n) for a, y in zip(*rows, strict=True)] for rows in zip(A, Y, strict=True)]


def cross_entropy_gradient_as_one_reciprocal(A, Y):
    """Where y = 1 the denominator is −a, where y = 0 it is 1 − a: both are 1 − y − a."""
    return 1 / (len(A) * (1 - Y - A))


def cross_entropy_gradient_with_masks(A, Y):
    yes = Y.astype(bool)
    dA = np.zeros_like(A)
    dA[yes] = -1 / A[yes]
    dA[~yes] = 1 / (1 - A[~yes])
    return {"dA": dA / len(A)}


def cross_entropy_gradient_by_way_of_the_logits(A, Y):
    """dL/dZ is (A − Y)/n, and dA/dZ is σ′."""
    dZ = (A - Y) / len(A)
    dA_dZ = 1 / (2 + 2 * np.cosh(np.log(A / (1 - A))))
    return dZ / dA_dZ


def cross_entropy_gradient_in_single_precision(A, Y):
    A, Y = A.astype("float32"), Y.astype("float32")
    return (A - Y) / (A - A**2) / np.float32(len(A))


def local_with_loops(z1, W2, b2):
    dz2_dW2, dz2_dz1 = [], []
    for z, w in zip(z1, W2, strict=True):
        a = _sigma(z)
        dz2_dW2.append(a)
        dz2_dz1.append(w * a * (1 - a))
    return dz2_dW2, 1, dz2_dz1


def local_with_exponentials_as_a_dictionary(z1, W2, b2):
    e = np.exp(-z1)
    return {"dz2_dz1": W2 * e / (1 + e) ** 2, "dz2_db2": b2 / b2, "dz2_dW2": 1 / (1 + e)}


def local_with_a_jacobian(z1, W2, b2):
    a1 = sigmoid(z1)
    jacobian = np.diag(a1) - np.diag(a1**2)
    return a1[None, :], np.ones(1), W2[None, :] @ jacobian


def local_from_the_linearity_in_the_parameters(z1, W2, b2):
    """z2 is linear in W2 and in b2: its slopes are its values for unit vectors."""

    def z2(W, b):
        return W @ sigmoid(z1) + b

    unit = np.eye(len(W2))
    dz2_dW2 = [z2(row, 0.0) for row in unit]
    return dz2_dW2, z2(np.zeros_like(W2), 1.0), np.multiply(W2, dz2_dW2) * sigmoid(-z1)


def local_in_single_precision(z1, W2, b2):
    z1, W2 = np.float32(z1), np.float32(W2)
    t = np.tanh(z1 / 2)
    return (1 + t) / 2, np.float32(1), W2 * (1 - t) * (1 + t) / 4


def lines_as_texts(z, u, a):
    return "-exp(-z)", "-u**-2", "exp(-z)/u**2", "a - a*a"


def lines_by_sympy(z, u, a):
    inner, outer = sp.diff(1 + sp.exp(-z), z), sp.diff(1 / u, u)
    return {"du_dz": inner, "da_du": outer, "da_dz": inner * outer, "with_a": sp.expand(a * (1 - a))}


def lines_with_powers_of_e(z, u, a):
    return [-(sp.E ** (-z)), -1 / (u * u), sp.exp(-z) * u ** (-2), sp.Rational(1, 4) - (a - sp.Rational(1, 2)) ** 2]


def transpose_as_a_capital():
    return "D"


def transpose_with_a_bracket():
    return "(d)"


def transpose_by_name():
    return {"prediction": "d"}


def shapes_of_arrays(n, d, h, c):
    X, W1, b1, W2 = np.zeros((n, d)), np.zeros((h, d)), np.zeros(h), np.zeros((c, h))
    Z1 = X @ W1.T + b1
    return W1.shape, b1.shape, Z1.shape, np.tanh(Z1).shape, W2.shape, (Z1 @ W2.T).shape, np.sum(Z1).shape


def shapes_as_lists(n, d, h, c):
    return [[h, d], [h], [n, h], [n, h], [c, h], [n, c], []]


def shapes_with_a_bare_number(n, d, h, c):
    return {"L": (), "Z2": (n, c), "W2": (c, h), "A1": (n, h), "Z1": (n, h), "b1": h, "W1": (h, d)}


ANSWERS = {
    "04.stable_sigmoid": [
        stable_with_a_loop,
        stable_with_masks,
        stable_with_tanh,
        stable_with_a_clipped_exponent,
        stable_with_logaddexp,
        stable_by_symmetry,
        stable_in_single_precision,
    ],
    "04.sigmoid_slope": [
        slope_with_a_loop,
        slope_with_exponentials,
        slope_with_cosh,
        slope_with_tanh,
        slope_as_a_difference_of_squares,
        slope_as_the_diagonal_of_a_jacobian,
        slope_in_single_precision,
    ],
    "04.forward_sample": [
        sample_with_loops,
        sample_with_einsum_as_a_dictionary,
        sample_as_columns,
        sample_with_the_bias_as_a_weight,
        sample_layer_by_layer,
        sample_in_single_precision,
    ],
    "04.forward_batch": [
        batch_sample_by_sample,
        batch_with_einsum,
        batch_in_columns,
        batch_by_broadcasting,
        batch_with_the_bias_as_a_weight,
        batch_in_single_precision,
    ],
    "04.squared_error": [
        error_with_loops,
        error_as_a_mean_of_sums,
        error_with_a_norm,
        error_with_einsum,
        error_with_a_trace,
        error_multiplied_out,
        error_in_single_precision,
    ],
    "04.squared_error_gradient": [
        error_gradient_with_loops,
        error_gradient_from_the_other_side,
        error_gradient_as_lists_of_lists,
        error_gradient_with_a_matrix_of_means,
        error_gradient_in_place_on_a_copy,
        error_gradient_in_single_precision,
    ],
    "04.cross_entropy": [
        cross_entropy_with_logaddexp,
        cross_entropy_with_the_sign_of_the_target,
        cross_entropy_by_target_as_lists,
        cross_entropy_with_loops,
        cross_entropy_with_masks,
        cross_entropy_shifted_by_the_largest_exponent,
        cross_entropy_in_single_precision,
    ],
    "04.cross_entropy_gradient": [
        cross_entropy_gradient_term_by_term,
        cross_entropy_gradient_by_target,
        cross_entropy_gradient_with_loops,
        cross_entropy_gradient_as_one_reciprocal,
        cross_entropy_gradient_with_masks,
        cross_entropy_gradient_by_way_of_the_logits,
        cross_entropy_gradient_in_single_precision,
    ],
    "04.local_derivatives": [
        local_with_loops,
        local_with_exponentials_as_a_dictionary,
        local_with_a_jacobian,
        local_from_the_linearity_in_the_parameters,
        local_in_single_precision,
    ],
    "04.sigmoid_lines": [lines_as_texts, lines_by_sympy, lines_with_powers_of_e],
    "04.forgotten_transpose": [transpose_as_a_capital, transpose_with_a_bracket, transpose_by_name],
    "04.shapes": [shapes_of_arrays, shapes_as_lists, shapes_with_a_bare_number],
}
