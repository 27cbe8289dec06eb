"""The formulas of lesson 10: in symbols where that is exact, else at random points against library and checks."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import sympy

from autograder.exercises import find
from chainrule_lib import (
    categorical_cross_entropy,
    categorical_cross_entropy_from_logits,
    numerical_gradient,
    relu,
    softmax,
    softmax_jacobian,
)

CLASSES = 4
z = sympy.symbols(f"z1:{CLASSES + 1}", real=True)
p = sympy.symbols(f"p1:{CLASSES + 1}", positive=True)
y = sympy.symbols(f"y1:{CLASSES + 1}", positive=True)
EXPONENTIALS = [sympy.exp(zk) for zk in z]
SOFTMAX = [e / sum(EXPONENTIALS) for e in EXPONENTIALS]
CROSS_ENTROPY = -sum(yk * sympy.log(pk) for yk, pk in zip(y, p, strict=True))


def rng() -> np.random.Generator:
    return np.random.default_rng(1010)


def by_complex_step(loss: Any, at: Any) -> Any:
    return numerical_gradient(loss, at, method="complex")


def equal(left: Any, right: Any) -> None:
    assert sympy.simplify(left - right) == 0, f"{left} is not {right}"


# --- Part 1 -----------------------------------------------------------------------------------------------------------


def the_softmax_is_the_library_s() -> None:
    logits = rng().normal(0, 3, size=(5, CLASSES))
    for row in logits:
        at = dict(zip(z, map(float, row), strict=True))
        assert np.allclose([float(pk.subs(at)) for pk in SOFTMAX], softmax(row), rtol=1e-12)


def a_number_added_to_all_logits_cancels() -> None:
    c = sympy.Symbol("c", real=True)
    shifted = [sympy.exp(zk + c) for zk in z]
    for k in range(CLASSES):
        equal(shifted[k] / sum(shifted), SOFTMAX[k])
    assert np.allclose(softmax([1.0, 2.0, -3.0]), softmax([800.0, 801.0, 796.0]), rtol=1e-12)


def one_term_contains_a_probability() -> None:
    for k in range(CLASSES):
        equal(sympy.diff(CROSS_ENTROPY, p[k]), -y[k] / p[k])
        assert sympy.simplify(sympy.diff(CROSS_ENTROPY, p[k]) - y[k] / p[k]) != 0


def own_and_other_slopes_of_the_softmax() -> None:
    for j, k in itertools.product(range(CLASSES), repeat=2):
        claimed = SOFTMAX[k] * (1 - SOFTMAX[k]) if j == k else -SOFTMAX[j] * SOFTMAX[k]
        equal(sympy.diff(SOFTMAX[j], z[k]), claimed)
    logits = rng().normal(size=CLASSES)
    P = softmax(logits)
    assert np.allclose(softmax_jacobian(logits), np.diag(P * (1 - P)) + (np.diag(P**2) - np.outer(P, P)), rtol=1e-12)


def over_all_paths_probability_minus_label() -> None:
    total = {y[-1]: 1 - sum(y[:-1])}
    for k in range(CLASSES):
        own = -y[k] / p[k] * p[k] * (1 - p[k])
        others = sum((-y[j] / p[j]) * (-p[j] * p[k]) for j in range(CLASSES) if j != k)
        equal(own + others, -y[k] + p[k] * sum(y))
        equal((-y[k] + p[k] * sum(y)).subs(total), (p[k] - y[k]).subs(total))
        # And it is the derivative of the loss as a function of the logits.
        loss = CROSS_ENTROPY.subs(dict(zip(p, SOFTMAX, strict=True)))
        equal(sympy.diff(loss, z[k]).subs(total), (SOFTMAX[k] - y[k]).subs(total))


def the_entries_add_up_to_zero() -> None:
    equal(sum(pk - yk for pk, yk in zip(p, y, strict=True)).subs({p[-1]: 1 - sum(p[:-1]), y[-1]: 1 - sum(y[:-1])}), 0)
    logits, label = rng().normal(size=5), np.eye(5)[2]
    slopes = by_complex_step(lambda v: categorical_cross_entropy_from_logits(v, label), logits)
    assert abs(slopes.sum()) < 1e-15
    assert np.abs(slopes).min() > 1e-3


def batch() -> tuple[Any, Any]:
    random = rng()
    return random.normal(size=(6, 4)), np.eye(4)[random.integers(4, size=6)]


def the_loss_of_a_batch_is_the_library_s() -> None:
    Z, Y = batch()
    P = softmax(Z)
    total = -sum(Y[s, k] * np.log(P[s, k]) for s in range(6) for k in range(4)) / 6
    assert np.isclose(total, categorical_cross_entropy(P, Y), rtol=1e-12)
    assert np.isclose(total, categorical_cross_entropy_from_logits(Z, Y), rtol=1e-12)


def the_gradient_of_a_batch() -> None:
    Z, Y = batch()
    measured = by_complex_step(lambda Z: categorical_cross_entropy_from_logits(Z, Y), Z)
    assert np.allclose((softmax(Z) - Y) / 6, measured, rtol=1e-12, atol=1e-16)
    assert np.allclose(find("10.output_error").reference(Z, Y), measured, rtol=1e-12, atol=1e-16)


# --- Part 2 -----------------------------------------------------------------------------------------------------------


def network() -> tuple[Any, list[Any], list[Any], Any]:
    """X, weights, biases and labels of a network with three layers."""
    random = rng()
    weights = [random.normal(size=(d_out, d_in)) for d_in, d_out in itertools.pairwise([5, 7, 6, 4])]
    biases = [random.normal(size=len(W)) for W in weights]
    return random.normal(size=(8, 5)), weights, biases, np.eye(4)[random.integers(4, size=8)]


def pre_activations(X: Any, weights: Any, biases: Any) -> list[Any]:
    """Z_1 to Z_K, unit by unit."""
    found, A = [], X
    for W, b in zip(weights, biases, strict=True):
        Z = np.array(
            [[sum(w * a for w, a in zip(row, x, strict=True)) + c for row, c in zip(W, b, strict=True)] for x in A]
        )
        found.append(Z)
        A = np.where(Z > 0, Z, 0)
    return found


def layers_of_any_depth() -> None:
    X, weights, biases, _ = network()
    Zs = pre_activations(X, weights, biases)
    activations, logits = find("10.forward").reference(X, weights, biases)
    assert activations[0] is X
    for A, Z in zip(activations[1:], Zs[:-1], strict=True):
        assert np.allclose(A, relu(Z), rtol=1e-12)
    assert np.allclose(logits, Zs[-1], rtol=1e-12)
    assert np.allclose(softmax(logits).sum(axis=1), 1)


def the_mean_square_of_a_sum_of_independent_terms() -> None:
    """E[w_i w_j] is v where i = j, else 0, so E[z²] = v Σ a_i², and Σ a_i² is d times the mean square."""
    d, v = 5, sympy.Symbol("v", positive=True)
    a, w = sympy.symbols(f"a1:{d + 1}"), sympy.symbols(f"w1:{d + 1}")
    square = sympy.expand(sum(ai * wi for ai, wi in zip(a, w, strict=True)) ** 2)
    mean = square.subs({wi**2: v for wi in w}).subs(dict.fromkeys(w, 0))
    equal(mean, d * v * sum(ai**2 for ai in a) / d)


def relu_halves_the_mean_square() -> None:
    """For any density that is symmetric about 0; here the normal one with variance s², and a uniform one."""
    t, s = sympy.Symbol("t", real=True), sympy.Symbol("s", positive=True)
    normal = sympy.exp(-(t**2) / (2 * s**2)) / (s * sympy.sqrt(2 * sympy.pi))
    positive_part = sympy.integrate(t**2 * normal, (t, 0, sympy.oo))
    equal(positive_part, sympy.integrate(t**2 * normal, (t, -sympy.oo, sympy.oo)) / 2)
    equal(sympy.integrate(t**2 / (2 * s), (t, 0, s)), sympy.integrate(t**2 / (2 * s), (t, -s, s)) / 2)
    points = np.linspace(-3, 3, 7)
    assert np.isclose(np.sum(relu(points) ** 2), np.sum(points**2) / 2)


def the_variance_that_keeps_the_mean_square() -> None:
    d, v = sympy.symbols("d v", positive=True)
    assert sympy.solve(sympy.Eq(d * v / 2, 1), v) == [2 / d]
    N = rng().normal(size=(50, 80))
    weights, _ = find("10.initialize").reference([N])
    assert np.allclose(weights[0] ** 2, N**2 * 2 / 80, rtol=1e-12)


def losses_from(k: int, weights: Any, biases: Any, Y: Any) -> Any:
    """The loss of the network cut at Z_k (k counts from 1), as a function of Z_k."""

    def loss(Z: Any) -> Any:
        for W, b in zip(weights[k:], biases[k:], strict=True):
            Z = relu(Z) @ W.T + b
        return categorical_cross_entropy_from_logits(Z, Y)

    return loss


def back_through_relu() -> None:
    X, weights, biases, Y = network()
    Zs = pre_activations(X, weights, biases)
    D = [by_complex_step(losses_from(k, weights, biases, Y), Z) for k, Z in enumerate(Zs, start=1)]
    for k in (0, 1):
        mask = (Zs[k] > 0).astype(float)
        assert 0 < mask.mean() < 1
        assert np.allclose((D[k + 1] @ weights[k + 1]) * mask, D[k], rtol=1e-10, atol=1e-16)


def total_loss(X: Any, weights: Any, biases: Any, Y: Any, strength: float) -> Any:
    """The library's cross-entropy of the network, and the penalty entry by entry."""
    Z = X @ weights[0].T + biases[0]
    penalty = strength / 2 * sum(w**2 for W in weights for w in np.ravel(W))
    return losses_from(1, weights, biases, Y)(Z) + penalty


def the_penalty_counts_weights_and_no_bias() -> None:
    X, weights, biases, Y = network()
    exercise = find("10.backward")
    for strength in (0.0, 0.3):
        case = {"X": X, "Y": Y, "weights": weights, "biases": biases, "strength": strength}
        assert exercise.loss is not None
        assert np.isclose(exercise.loss(**case), total_loss(X, weights, biases, Y, strength), rtol=1e-12)
    # The penalty of a network all of whose weights are 1 is λ/2 times their number, whatever the biases are.
    ones = [np.ones_like(W) for W in weights]
    with_penalty, without = (total_loss(X, ones, biases, Y, strength) for strength in (0.3, 0.0))
    assert np.isclose(with_penalty - without, 0.15 * sum(W.size for W in weights))


def gradients_with_weight_decay() -> None:
    X, weights, biases, Y = network()
    strength = 0.3
    Zs = pre_activations(X, weights, biases)
    inputs = [X, *(relu(Z) for Z in Zs[:-1])]
    D = [by_complex_step(losses_from(k, weights, biases, Y), Z) for k, Z in enumerate(Zs, start=1)]
    dWs, dbs = find("10.backward").reference(inputs, Zs[-1], Y, weights, strength)
    for k in range(3):

        def loss_of_W(W: Any, k: int = k) -> Any:
            return total_loss(X, [*weights[:k], W, *weights[k + 1 :]], biases, Y, strength)

        def loss_of_b(b: Any, k: int = k) -> Any:
            return total_loss(X, weights, [*biases[:k], b, *biases[k + 1 :]], Y, strength)

        formula_W, formula_b = D[k].T @ inputs[k] + strength * weights[k], sum(D[k][s] for s in range(len(X)))
        assert np.allclose(formula_W, by_complex_step(loss_of_W, weights[k]), rtol=1e-10, atol=1e-16)
        assert np.allclose(formula_b, by_complex_step(loss_of_b, biases[k]), rtol=1e-10, atol=1e-16)
        assert np.allclose(dWs[k], formula_W, rtol=1e-10, atol=1e-16)
        assert np.allclose(dbs[k], formula_b, rtol=1e-10, atol=1e-16)


# --- Part 3 -----------------------------------------------------------------------------------------------------------


def batch_gradients_are_right_on_average() -> None:
    random = rng()
    X, Y, W = random.normal(size=(12, 3)), np.eye(4)[random.integers(4, size=12)], random.normal(size=(4, 3))

    def gradient(rows: Any) -> Any:
        return by_complex_step(lambda W: categorical_cross_entropy_from_logits(X[rows] @ W.T, Y[rows]), W)

    batches = random.permutation(12).reshape(4, 3)
    parts = [gradient(rows) for rows in batches]
    assert np.allclose(sum(parts) / 4, gradient(np.arange(12)), rtol=1e-12, atol=1e-16)
    assert not np.allclose(parts[0], parts[1], rtol=0.1)


def a_step_for_every_batch() -> None:
    """One batch: the epoch of the exercise is one step; two batches: one after the other."""
    random = rng()
    X, Y = random.normal(size=(6, 3)), random.normal(size=(6, 2))
    weights, biases = [random.normal(size=(2, 3))], [random.normal(size=2)]

    def loss(W: Any, b: Any, rows: Any) -> Any:
        return np.sum((X[rows] @ W.T + b - Y[rows]) ** 2) / (2 * len(rows))

    def gradients(x: Any, t: Any, weights: Any, biases: Any) -> Any:
        error = (x @ weights[0].T + biases[0] - t) / len(x)
        return [error.T @ x], [error.sum(axis=0)]

    order, (W, b) = np.array([5, 1, 2, 0, 4, 3]), (weights[0], biases[0])
    for rows in (order[:4], order[4:]):
        dW = by_complex_step(lambda W, b=b, rows=rows: loss(W, b, rows), W)
        db = by_complex_step(lambda b, W=W, rows=rows: loss(W, b, rows), b)
        W, b = W - 0.2 * dW, b - 0.2 * db
    trained = find("10.train_epoch").reference(X, Y, weights, biases, gradients, order, 4, 0.2)
    assert np.allclose(trained[0][0], W, rtol=1e-12)
    assert np.allclose(trained[1][0], b, rtol=1e-12)


FORMULAS = {
    r"p_k = \frac{e^{z_k}}{\sum_j e^{z_j}}": the_softmax_is_the_library_s,
    r"\frac{e^{z_k + c}}{\sum_j e^{z_j + c}} = \frac{e^{z_k}}{\sum_j e^{z_j}}": a_number_added_to_all_logits_cancels,
    r"\frac{\partial \ell}{\partial p_k} = -\frac{y_k}{p_k}": one_term_contains_a_probability,
    (
        r"\frac{\partial p_k}{\partial z_k} = p_k (1 - p_k) \qquad \frac{\partial p_j}{\partial z_k} = "
        r"-p_j p_k \quad \text{for } j \ne k"
    ): own_and_other_slopes_of_the_softmax,
    (
        r"\frac{\partial \ell}{\partial z_k} = -\frac{y_k}{p_k} \, p_k (1 - p_k) + \sum_{j \ne k} \left( "
        r"-\frac{y_j}{p_j} \right) (-p_j p_k) = -y_k + p_k \sum_j y_j = p_k - y_k"
    ): over_all_paths_probability_minus_label,
    r"\sum_k \frac{\partial \ell}{\partial z_k} = 0": the_entries_add_up_to_zero,
    r"L = -\frac1n \sum_s \sum_k Y[s,k] \log P[s,k]": the_loss_of_a_batch_is_the_library_s,
    r"\frac{\partial L}{\partial Z} = \frac1n (P - Y)": the_gradient_of_a_batch,
    (
        r"Z_k = A_{k-1} W_k^\top + b_k \qquad A_k = \text{relu}(Z_k) \text{ for } k < K \qquad P = "
        r"\text{softmax}(Z_K)"
    ): layers_of_any_depth,
    r"E[z^2] = d \, v \, E[a^2]": the_mean_square_of_a_sum_of_independent_terms,
    r"E[\text{relu}(z)^2] = \frac12 E[z^2]": relu_halves_the_mean_square,
    r"v = \frac{2}{d}": the_variance_that_keeps_the_mean_square,
    r"D_k = (D_{k+1} W_{k+1}) \odot [Z_k > 0]": back_through_relu,
    r"L_{\text{total}} = L + \frac{\lambda}{2} \sum_k \sum_{i,j} W_k[i,j]^2": the_penalty_counts_weights_and_no_bias,
    (
        r"\frac{\partial L_{\text{total}}}{\partial W_k} = D_k^\top A_{k-1} + \lambda W_k \qquad "
        r"\frac{\partial L_{\text{total}}}{\partial b_k} = \sum_s D_k[s]"
    ): gradients_with_weight_decay,
    (
        r"\frac{1}{m} \sum_{i=1}^m \frac{\partial L_i}{\partial \theta} = \frac{\partial L}{\partial "
        r"\theta}"
    ): batch_gradients_are_right_on_average,
    r"\theta \leftarrow \theta - \eta \frac{\partial L_i}{\partial \theta}": a_step_for_every_batch,
}
