"""Both sides of every displayed formula of lesson 06: in symbols where that is exact, else at random points."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import sympy as sp

from autograder.exercises import find
from chainrule_lib import (
    Adam,
    GradientDescent,
    Momentum,
    SigmoidNetwork,
    binary_cross_entropy,
    directional_derivative,
    jacobian,
    numerical_gradient,
    sigmoid,
)
from chainrule_lib.widgets.descent import descent_values, long_run_factor


def rng() -> np.random.Generator:
    return np.random.default_rng(60)


def bowl(random: np.random.Generator, d: int) -> Any:
    """A symmetric matrix with positive eigenvalues."""
    rotation = np.linalg.qr(random.normal(size=(d, d)))[0]
    return rotation @ np.diag(random.uniform(0.5, 4.0, size=d)) @ rotation.T


def descended(gradient: Callable[[Any], Any], w: Any, eta: float, steps: int) -> Any:
    """Where the library's gradient descent leads."""
    optimizer = GradientDescent(eta)
    for _ in range(steps):
        (w,) = optimizer.step([w], [gradient(w)])
    return w


# --- A worked example and part 1 --------------------------------------------------------------------------------------


def the_worked_example_has_this_slope() -> None:
    w = sp.Symbol("w")
    assert sp.expand(sp.diff((w - 3) ** 2, w) - 2 * (w - 3)) == 0
    assert sp.diff((w - 3) ** 2, w).subs(w, 0) == -6


def a_step_of_the_worked_example_is_the_library_s_and_halves_the_distance() -> None:
    for w in rng().uniform(-4, 8, size=5):
        new = w - 0.25 * 2 * (w - 3)
        assert new == pytest.approx(float(descended(lambda w: 2 * (w - 3), np.array(w), 0.25, 1)), rel=1e-14)
        assert new - 3 == pytest.approx((w - 3) / 2, rel=1e-12)


def the_slope_in_a_direction_is_a_sum_over_paths_and_a_cosine() -> None:
    e, t1, t2, d1, d2 = sp.symbols("e t1 t2 d1 d2", real=True)
    loss = t1**2 * t2 + sp.sin(t2) + 3 * t1
    along = loss.subs({t1: t1 + e * d1, t2: t2 + e * d2}, simultaneous=True)
    paths = sp.diff(loss, t1) * d1 + sp.diff(loss, t2) * d2
    assert sp.simplify(sp.diff(along, e).subs(e, 0) - paths) == 0

    random = rng()
    A = random.normal(size=(4, 4))

    def smooth(theta: Any) -> Any:
        return np.sum(np.sin(A @ theta)) + np.sum(theta**2)

    theta = random.normal(size=4)
    g = numerical_gradient(smooth, theta, method="complex")
    for _ in range(20):
        d = random.normal(size=4)
        d /= np.linalg.norm(d)
        cosine = g @ d / np.linalg.norm(g)
        measured = directional_derivative(smooth, theta, d)
        assert measured == pytest.approx(np.sum(g * d), rel=1e-6, abs=1e-8)
        assert np.sum(g * d) == pytest.approx(np.linalg.norm(g) * np.cos(np.arccos(cosine)), rel=1e-12)
        assert measured >= -np.linalg.norm(g) * (1 + 1e-8)  # and −g itself reaches it:
    assert directional_derivative(smooth, theta, -g / np.linalg.norm(g)) == pytest.approx(-np.linalg.norm(g), rel=1e-6)


def the_update_rule_is_the_library_s_and_the_exercise_s() -> None:
    random = rng()
    W, b, dW, db = (random.normal(size=shape) for shape in ((3, 2), 3, (3, 2), 3))
    eta = 0.3
    by_library = GradientDescent(eta).step([W, b], [dW, db])
    by_exercise = find("06.update").reference(W, b, dW, db, eta)
    for theta, gradient, one, other in zip((W, b), (dW, db), by_library, by_exercise, strict=True):
        np.testing.assert_allclose(one, theta - eta * gradient, rtol=1e-14)
        np.testing.assert_allclose(other, theta - eta * gradient, rtol=1e-14)


def line_loss(w: Any, b: Any, x: Any, y: Any) -> Any:
    return sum((w * x[s] + b - y[s]) ** 2 for s in range(len(x))) / (2 * len(x))


def the_loss_of_a_line_is_half_the_mean_square_of_its_errors() -> None:
    random = rng()
    x, y = random.normal(size=(2, 6))
    w, b = random.normal(size=2)
    assert line_loss(w, b, x, y) == pytest.approx(np.mean((w * x + b - y) ** 2) / 2, rel=1e-13)
    # The exercise descends on this very loss.
    step = find("06.descend").reference(x, y, w, b, 1.0, 1)
    moved = numerical_gradient(lambda p: line_loss(p[0], p[1], x, y), np.array([w, b]), method="complex")
    np.testing.assert_allclose(np.array([w, b]) - step, moved, rtol=1e-11)


def the_gradients_of_a_line_are_means_of_errors() -> None:
    w, b = sp.symbols("w b")
    x, y = sp.symbols("x0:4"), sp.symbols("y0:4")
    loss = line_loss(w, b, x, y)
    e = [w * x[s] + b - y[s] for s in range(4)]
    assert sp.expand(sp.diff(loss, w) - sum(e[s] * x[s] for s in range(4)) / 4) == 0
    assert sp.expand(sp.diff(loss, b) - sum(e) / 4) == 0


# --- Part 2: the learning rate ----------------------------------------------------------------------------------------


def k_steps_multiply_by_a_power() -> None:
    w, lam, eta = sp.symbols("w lam eta")
    position = w
    for k in range(1, 6):
        position = position - eta * lam * position
        assert sp.expand(position - (1 - eta * lam) ** k * w) == 0
        by_exercise = find("06.stability").reference(w, lam, eta, k)
        assert sp.expand(by_exercise[4] - (1 - eta * lam) ** k * w) == 0
    assert float(descended(lambda w: 1.7 * w, np.array(2.0), 0.3, 9)) == pytest.approx(2 * (1 - 0.3 * 1.7) ** 9)


def the_factor_is_below_one_just_below_the_limit() -> None:
    for lam, share in itertools.product((0.3, 1.0, 10.0), (-0.4, 0.01, 0.3, 0.5, 0.8, 0.99, 1.01, 1.5, 3.0)):
        eta = share * 2 / lam
        assert (abs(1 - eta * lam) < 1) == (0 < eta < 2 / lam)
        if eta > 0:
            left = abs(float(descended(lambda w, lam=lam: lam * w, np.array(1.0), eta, 300)))
            assert (left < 1) == (eta < 2 / lam)
    assert find("06.stability").reference(1.0, 0.7, 0.1, 2)[5] == pytest.approx(2 / 0.7)


def a_bowl_has_the_gradient_H_w() -> None:
    random = rng()
    for d in (2, 3, 5):
        H, w = bowl(random, d), random.normal(size=d)
        measured = numerical_gradient(lambda w, H=H: w @ H @ w / 2, w, method="complex")
        np.testing.assert_allclose(measured, H @ w, rtol=1e-11)


def the_steepest_direction_sets_the_limit() -> None:
    random = rng()
    for d in (2, 4):
        H = bowl(random, d)
        b = np.linalg.eigvalsh(H).max()
        for share, comes_to_rest in ((0.97, True), (1.03, False)):
            w = descended(lambda w, H=H: H @ w, random.normal(size=d), share * 2 / b, 1500)
            assert (np.linalg.norm(w) < 1e-6) == comes_to_rest
        assert find("06.rates").reference(H)[0] == pytest.approx(2 / b, rel=1e-12)


def the_best_rate_evens_out_the_slowest_directions() -> None:
    a, b = sp.symbols("a b", positive=True)
    eta = sp.Symbol("eta")
    (best,) = sp.solve(sp.Eq(1 - eta * a, -(1 - eta * b)), eta)
    kappa = b / a
    assert sp.simplify(best - 2 / (a + b)) == 0
    assert sp.simplify((1 - best * a) - (b - a) / (b + a)) == 0
    assert sp.simplify((b - a) / (b + a) - (kappa - 1) / (kappa + 1)) == 0

    random = rng()
    for d in (2, 3, 5):
        curvatures = np.linalg.eigvalsh(bowl(random, d))
        rates = np.linspace(0.001, 2 / curvatures.max(), 20_001)
        slowest = np.abs(1 - rates[:, None] * curvatures).max(axis=1)
        low, high = curvatures.min(), curvatures.max()
        assert rates[slowest.argmin()] == pytest.approx(2 / (low + high), abs=2e-4)
        assert slowest.min() == pytest.approx((high - low) / (high + low), abs=2e-3)


# --- Part 3: better steps ---------------------------------------------------------------------------------------------


def momentum_is_the_library_s_and_the_exercise_s() -> None:
    random = rng()
    theta, v, (eta, mu) = random.normal(size=3), np.zeros(3), (0.2, 0.8)
    gradients = random.normal(size=(5, 3))
    by_exercise = find("06.momentum").reference(theta, v, gradients, eta, mu)
    optimizer, by_library = Momentum(eta, mu), theta
    for g in gradients:
        v = mu * v - eta * g
        theta = theta + v
        (by_library,) = optimizer.step([by_library], [g])
    np.testing.assert_allclose(by_library, theta, rtol=1e-13)
    np.testing.assert_allclose(by_exercise, [theta, v], rtol=1e-13)


def the_velocity_on_a_steady_slope_is_a_geometric_series() -> None:
    eta, g, mu = sp.symbols("eta g mu")
    v = sp.Integer(0)
    for k in range(1, 7):
        v = mu * v - eta * g
        series = -eta * g * sum(mu**i for i in range(k))
        assert sp.expand(v - series) == 0
        assert sp.simplify(series - -eta * g * (1 - mu**k) / (1 - mu)) == 0


def momentum_at_its_best_has_the_factor_with_roots() -> None:
    for a, b in ((1.0, 4.0), (1.0, 100.0), (0.3, 7.0)):
        root_a, root_b, root = np.sqrt(a), np.sqrt(b), np.sqrt(b / a)
        eta, mu = (2 / (root_a + root_b)) ** 2, ((root_b - root_a) / (root_b + root_a)) ** 2
        wanted = (root - 1) / (root + 1)
        # A double eigenvalue, of which round-off keeps half of the digits.
        assert max(long_run_factor(a, eta, mu), long_run_factor(b, eta, mu)) == pytest.approx(wanted, abs=1e-6)
        rates, shares = np.meshgrid(eta * np.linspace(0.6, 1.4, 17), np.clip(mu + np.linspace(-0.1, 0.1, 17), 0, 0.999))
        others = [
            max(long_run_factor(a, rate, share), long_run_factor(b, rate, share))
            for rate, share in zip(rates.ravel(), shares.ravel(), strict=True)
        ]
        assert min(others) >= wanted - 1e-6  # no other rate and share nearby do better
    heavy = descent_values(20.0, (2 / (1 + np.sqrt(20))) ** 2, ((np.sqrt(20) - 1) / (np.sqrt(20) + 1)) ** 2, 3)
    assert heavy.factors == pytest.approx(((np.sqrt(20) - 1) / (np.sqrt(20) + 1),) * 2, abs=1e-6)


def a_running_mean_is_a_weighted_sum() -> None:
    beta = sp.Symbol("beta")
    gs = sp.symbols("g1:7")
    m = sp.Integer(0)
    for t in range(1, 7):
        m = beta * m + (1 - beta) * gs[t - 1]
        assert sp.expand(m - (1 - beta) * sum(beta ** (t - i) * gs[i - 1] for i in range(1, t + 1))) == 0


def the_weights_of_a_running_mean_add_up_to_this() -> None:
    beta = sp.Symbol("beta")
    for t in range(1, 8):
        assert sp.expand((1 - beta) * sum(beta ** (t - i) for i in range(1, t + 1)) - (1 - beta**t)) == 0


def adam_is_the_library_s_and_the_exercises() -> None:
    random = rng()
    theta, gradients = random.normal(size=3), random.normal(size=(5, 3))
    eta, beta1, beta2, epsilon = 0.2, 0.7, 0.9, 0.05
    optimizer, start = Adam(eta, beta1, beta2, epsilon), theta
    by_library, stepped, m, v = theta, theta, np.zeros(3), np.zeros(3)
    m_before, v_before = m, v
    for t, g in enumerate(gradients, start=1):
        (by_library,) = optimizer.step([by_library], [g])
        stepped, m_before, v_before = find("06.adam_step").reference(
            stepped, g, m_before, v_before, t, eta, beta1, beta2, epsilon
        )
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g**2
        m_hat, v_hat = m / (1 - beta1**t), v / (1 - beta2**t)
        theta = theta - eta * m_hat / (np.sqrt(v_hat) + epsilon)
        np.testing.assert_allclose(by_library, theta, rtol=1e-13)
        np.testing.assert_allclose([stepped, m_before, v_before], [theta, m, v], rtol=1e-13)
    run = find("06.fix_adam").reference(start, gradients, eta, beta1, beta2, epsilon)
    np.testing.assert_allclose(run, theta, rtol=1e-13)


def a_step_of_adam_on_a_steady_slope_has_this_size() -> None:
    for g, epsilon in itertools.product((3.0, -0.02, 1e-6), (1e-8, 0.1)):
        optimizer, theta = Adam(0.3, epsilon=epsilon), np.array(1.0)
        for _ in range(7):
            before = theta
            (theta,) = optimizer.step([theta], [np.array(g)])
            assert float(theta - before) == pytest.approx(-0.3 * g / (abs(g) + epsilon), rel=1e-8)


# --- Part 4: mini-batches ---------------------------------------------------------------------------------------------


def the_mean_over_batches_is_the_mean_over_all() -> None:
    random = rng()
    batches, m = 3, 4
    X, Y = random.normal(size=(batches * m, 5)), random.uniform(size=(batches * m, 2))
    network = SigmoidNetwork([5, 3, 2], seed=6)
    _, everything = network.gradients(X, Y)
    parts = [network.gradients(X[cut], Y[cut])[1] for cut in random.permutation(batches * m).reshape(batches, m)]
    samples = [network.gradients(X[s : s + 1], Y[s : s + 1])[1] for s in range(batches * m)]
    for layer in range(2):
        whole = everything.dWs[layer]
        np.testing.assert_allclose(sum(part.dWs[layer] for part in parts) / batches, whole, rtol=1e-12, atol=1e-15)
        np.testing.assert_allclose(sum(s.dWs[layer] for s in samples) / len(samples), whole, rtol=1e-12, atol=1e-15)


def the_exercise_descends_on_this_loss_of_a_batch() -> None:
    random = rng()
    X, y = random.normal(size=(4, 3)), np.array([1.0, 0.0, 0.0, 1.0])
    w, b, strength = random.normal(size=3), 0.4, 0.3

    def loss(p: Any) -> Any:
        a = sigmoid(X @ p[:3] + p[3])
        return -np.mean(y * np.log(a) + (1 - y) * np.log(1 - a)) + strength / 2 * np.sum(p[:3] ** 2)

    a = sigmoid(X @ w + b)
    plain = loss(np.append(w, b)) - strength / 2 * np.sum(w**2)
    assert plain == pytest.approx(binary_cross_entropy(a[:, None], y[:, None]), rel=1e-12)
    new_w, new_b = find("06.epoch").reference(X, y, w, b, np.array([2, 0, 3, 1]), 4, 1.0, strength)
    moved = np.append(w, b) - np.append(new_w, new_b)
    np.testing.assert_allclose(moved, numerical_gradient(loss, np.append(w, b), method="complex"), rtol=1e-11)
    H = jacobian(lambda p: numerical_gradient(loss, p, step=1e-4), np.append(w, b), step=1e-4)
    assert np.linalg.eigvalsh((H + H.T) / 2).min() > 0  # a bowl, so that descent is the right thing to do


FORMULAS: dict[str, Callable[[], None]] = {
    r"L(w) = (w - 3)^2 \qquad \frac{dL}{dw} = 2 (w - 3)": the_worked_example_has_this_slope,
    r"w_{\text{new}} = w - \eta \frac{dL}{dw}": a_step_of_the_worked_example_is_the_library_s_and_halves_the_distance,
    r"\frac{dL}{d\varepsilon} = \sum_i \frac{\partial L}{\partial \theta_i} \, d_i = \lVert g \rVert \cos\varphi "
    r"\qquad \text{at } \varepsilon = 0": the_slope_in_a_direction_is_a_sum_over_paths_and_a_cosine,
    r"\theta \leftarrow \theta - \eta \frac{\partial L}{\partial \theta}": (
        the_update_rule_is_the_library_s_and_the_exercise_s
    ),
    r"L(w, b) = \frac{1}{2n} \sum_s (w x_s + b - y_s)^2": the_loss_of_a_line_is_half_the_mean_square_of_its_errors,
    r"\frac{\partial L}{\partial w} = \frac1n \sum_s e_s x_s \qquad "
    r"\frac{\partial L}{\partial b} = \frac1n \sum_s e_s": the_gradients_of_a_line_are_means_of_errors,
    r"w_k = (1 - \eta\lambda)^k \, w_0": k_steps_multiply_by_a_power,
    r"\lvert 1 - \eta\lambda \rvert < 1 \quad \Longleftrightarrow \quad 0 < \eta < \frac{2}{\lambda}": (
        the_factor_is_below_one_just_below_the_limit
    ),
    r"L(w) = \frac12 w^\top H w \qquad \frac{\partial L}{\partial w} = H w": a_bowl_has_the_gradient_H_w,
    r"0 < \eta < \frac{2}{b}": the_steepest_direction_sets_the_limit,
    r"\eta_{\text{best}} = \frac{2}{a + b} \qquad \text{factor} = \frac{b - a}{b + a} = \frac{\kappa - 1}{\kappa + 1} "
    r"\qquad \text{with } \kappa = \frac{b}{a}": the_best_rate_evens_out_the_slowest_directions,
    r"v \leftarrow \mu v - \eta g \qquad \theta \leftarrow \theta + v": momentum_is_the_library_s_and_the_exercise_s,
    r"v_k = -\eta g \, (1 + \mu + \mu^2 + \dots + \mu^{k-1}) = -\eta g \, \frac{1 - \mu^k}{1 - \mu}": (
        the_velocity_on_a_steady_slope_is_a_geometric_series
    ),
    r"\text{factor} = \frac{\sqrt{\kappa} - 1}{\sqrt{\kappa} + 1} \qquad \text{at } \eta = \left( \frac{2}{\sqrt{a} + "
    r"\sqrt{b}} \right)^2, \quad \mu = \left( \frac{\sqrt{b} - \sqrt{a}}{\sqrt{b} + \sqrt{a}} \right)^2": (
        momentum_at_its_best_has_the_factor_with_roots
    ),
    r"m_t = \beta m_{t-1} + (1 - \beta) g_t = (1 - \beta) \sum_{i=1}^{t} \beta^{t-i} g_i": (
        a_running_mean_is_a_weighted_sum
    ),
    r"(1 - \beta) \sum_{i=1}^{t} \beta^{t-i} = 1 - \beta^t": the_weights_of_a_running_mean_add_up_to_this,
    r"m \leftarrow \beta_1 m + (1 - \beta_1) g \qquad \hat m = \frac{m}{1 - \beta_1^t}": (
        adam_is_the_library_s_and_the_exercises
    ),
    r"v \leftarrow \beta_2 v + (1 - \beta_2) g^2 \qquad \hat v = \frac{v}{1 - \beta_2^t}": (
        adam_is_the_library_s_and_the_exercises
    ),
    r"\theta \leftarrow \theta - \eta \frac{\hat m}{\sqrt{\hat v} + \varepsilon}": (
        adam_is_the_library_s_and_the_exercises
    ),
    r"-\eta \frac{g}{\lvert g \rvert + \varepsilon}": a_step_of_adam_on_a_steady_slope_has_this_size,
    r"\frac1n \sum_{s=1}^{n} g_s = \frac1B \sum_{k=1}^{B} \frac1m \sum_{s \in \text{batch } k} g_s \qquad n = B m": (
        the_mean_over_batches_is_the_mean_over_all
    ),
    r"L = -\frac1m \sum_{s \in \text{batch}} \big( y_s \log a_s + (1 - y_s) \log (1 - a_s) \big) + "
    r"\frac{\lambda}{2} \sum_i w_i^2": the_exercise_descends_on_this_loss_of_a_batch,
}
