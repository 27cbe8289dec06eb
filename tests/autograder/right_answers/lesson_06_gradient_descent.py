"""Right answers to lesson 06 in the styles people write: loops, other algebra, objects with a memory, containers."""

from __future__ import annotations

import math
from collections import deque
from typing import Any

import numpy as np
import sympy as sp

from autograder.exercises import find
from chainrule_lib import Adam, GradientDescent, Momentum, SigmoidNetwork


def update_with_loops(W, b, dW, db, learning_rate):
    W_new = [
        [w - learning_rate * g for w, g in zip(row, slopes, strict=True)] for row, slopes in zip(W, dW, strict=True)
    ]
    return W_new, [v - learning_rate * g for v, g in zip(b, db, strict=True)]


def update_on_copies(W, b, dW, db, learning_rate):
    W, b = W.copy(), b.copy()
    for parameter, gradient in ((W, dW), (b, db)):
        parameter += -learning_rate * gradient
    return {"b_new": b, "W_new": W}


def update_with_the_library(W, b, dW, db, learning_rate):
    return GradientDescent(learning_rate).step([W, b], [dW, db])


def update_as_one_long_vector(W, b, dW, db, learning_rate):
    theta = np.concatenate([W.ravel(), b]) - learning_rate * np.concatenate([dW.ravel(), db])
    return theta[: W.size].reshape(W.shape), theta[W.size :, None]


def descend_in_plain_python(x, y, w, b, learning_rate, steps):
    for _ in range(steps):
        dw = db = 0.0
        for xs, ys in zip(x, y, strict=True):
            error = w * xs + b - ys
            dw += error * xs / len(x)
            db += error / len(x)
        w, b = w - learning_rate * dw, b - learning_rate * db
    return w, b


def descend_with_a_matrix(x, y, w, b, learning_rate, steps):
    X = np.column_stack([x, np.ones_like(x)])
    theta = np.array([w, b])
    while steps > 0:
        theta = theta - learning_rate / len(x) * X.T @ (X @ theta - y)
        steps -= 1
    return theta


def descend_by_recursion(x, y, w, b, learning_rate, steps):
    if steps == 0:
        return {"w_new": w, "b_new": b}
    too_low = y - (b + x * w)
    return descend_by_recursion(
        x, y, w + learning_rate * (too_low * x).mean(), b + learning_rate * too_low.mean(), learning_rate, steps - 1
    )


def descend_in_closed_form(x, y, w, b, learning_rate, steps):
    """The descent on a quadratic is linear: powers of I − ηH around the minimum."""
    X = np.column_stack([x, np.ones_like(x)])
    H = X.T @ X / len(x)
    minimum = np.linalg.lstsq(X, y, rcond=None)[0]
    power = np.linalg.matrix_power(np.eye(2) - learning_rate * H, steps)
    return tuple(minimum + power @ (np.array([w, b]) - minimum))


def rate_as_a_dictionary():
    return {"motion": "c", "third": -8}


def rate_in_order():
    return ["(C)", (1 - 10 * 0.3) ** 3]


def rate_by_running():
    w = 1.0
    for _ in range(3):
        w -= 0.3 * 10 * w
    return {"third": np.float64(w), "motion": "c."}


def stability_as_a_tuple(w, lam, eta, k):
    dL_dw = lam * w
    w_next = w - eta * dL_dw
    r = 1 - eta * lam
    return dL_dw, -(dL_dw**2), w_next, r, w * r**k, 2 / lam


def stability_derived_by_sympy(w, lam, eta, k):
    x, step = sp.symbols("x step", positive=True)
    slope = sp.diff(lam * x**2 / 2, x).subs(x, w)
    moved = lam * (w - step * slope) ** 2 / 2
    factor = sp.simplify((w - eta * slope) / w)
    limit = sp.solve(sp.Eq(1 - step * lam, -1), step)[0]
    return {
        "eta_max": limit,
        "w_k": factor**k * w,
        "r": factor,
        "w_next": sp.expand(w - eta * slope),
        "dL_deta": sp.diff(moved, step).subs(step, 0),
        "dL_dw": slope,
    }


def stability_as_text(w, lam, eta, k):
    return [
        "dL/dw = lam * w",
        "-lam^2 * w^2",
        "(1 - eta*lam) * w",
        "(w - eta*lam*w) / w",
        "w * (1 - eta*lam)**k",
        "2 * lam**(-1)",
    ]


def rates_with_the_condition_number(H):
    eigenvalues = sorted(np.linalg.eigvals(H).real)
    a, b = eigenvalues[0], eigenvalues[-1]
    kappa = b / a
    return 2 / b, 2 / (a + b), (kappa - 1) / (kappa + 1)


def rates_by_singular_values(H):
    s = np.linalg.svd(H, compute_uv=False)
    best = 1 / np.mean([s[0], s[-1]])
    return {"factor": best * s[0] - 1, "eta_best": best, "eta_max": [2 / s[0]]}


def rates_by_norms(H):
    b, a = np.linalg.norm(H, 2), 1 / np.linalg.norm(np.linalg.inv(H), 2)
    best = 2 / (a + b)
    return np.array([2 / b, best, np.linalg.norm(np.eye(len(H)) - best * H, 2)])


def momentum_with_the_library(theta, velocity, gradients, learning_rate, momentum):
    optimizer = Momentum(learning_rate, momentum)
    # A first step without a gradient would need the velocity: it is what a gradient of −v/η gives.
    (theta,) = optimizer.step([theta - velocity], [-velocity / learning_rate])
    for g in gradients:
        before = theta
        (theta,) = optimizer.step([theta], [g])
    return theta, theta - before


def momentum_entry_by_entry(theta, velocity, gradients, learning_rate, momentum):
    thetas, velocities = [], []
    for position, v, slopes in zip(theta, velocity, gradients.T, strict=True):
        for slope in slopes:
            v = momentum * v - learning_rate * slope
            position += v
        thetas.append(position)
        velocities.append(v)
    return {"theta_new": thetas, "velocity_new": velocities}


def momentum_as_pytorch_writes_it(theta, velocity, gradients, learning_rate, momentum):
    buffer = -velocity / learning_rate
    for g in gradients:
        buffer = momentum * buffer + g
        theta = theta - learning_rate * buffer
    return theta, -learning_rate * buffer


def momentum_from_the_last_two_positions(theta, velocity, gradients, learning_rate, momentum):
    path = deque([theta - velocity, theta], maxlen=2)
    for g in gradients:
        path.append(path[1] + momentum * (path[1] - path[0]) - learning_rate * g)
    return path[1], path[1] - path[0]


def adam_entry_by_entry(theta, g, m, v, t, learning_rate, beta1, beta2, epsilon):
    result: tuple[list[float], ...] = ([], [], [])
    for p, d, first, second in zip(theta, g, m, v, strict=True):
        first += (1 - beta1) * (d - first)
        second += (1 - beta2) * (d * d - second)
        step = first / (1 - math.pow(beta1, t)) / (math.sqrt(second / (1 - math.pow(beta2, t))) + epsilon)
        for values, value in zip(result, (p - learning_rate * step, first, second), strict=True):
            values.append(value)
    return result


def adam_with_one_rate(theta, g, m, v, t, learning_rate, beta1, beta2, epsilon):
    """The form of section 2 of the paper, which gathers the corrections in the rate, with ε scaled to match."""
    m, v = beta1 * m + (1 - beta1) * g, beta2 * v + (1 - beta2) * np.square(g)
    root = np.sqrt(1 - beta2**t)
    rate = learning_rate * root / (1 - beta1**t)
    return {"theta_new": theta - rate * m / (np.sqrt(v) + epsilon * root), "m_new": m, "v_new": v}


def adam_with_the_library(theta, g, m, v, t, learning_rate, beta1, beta2, epsilon):
    optimizer = Adam(learning_rate, beta1, beta2, epsilon)
    optimizer._t, optimizer._m, optimizer._v = t - 1, [m], [v]
    (theta,) = optimizer.step([theta], [g])
    return theta, optimizer._m[0], optimizer._v[0]


def repaired_with_new_names(theta, gradients, learning_rate, beta1, beta2, epsilon):
    m, v = np.zeros_like(theta), np.zeros_like(theta)
    for t, g in enumerate(gradients, start=1):
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g**2
        m_hat = m / (1 - beta1**t)
        scale = np.sqrt(v / (1 - beta2**t)) + epsilon
        theta = theta - learning_rate * m_hat / scale
    return theta


def repaired_with_the_library(theta, gradients, learning_rate, beta1, beta2, epsilon):
    optimizer = Adam(learning_rate, beta1, beta2, epsilon)
    for g in gradients:
        (theta,) = optimizer.step([theta], [g])
    return theta


def repaired_as_weighted_sums(theta, gradients, learning_rate, beta1, beta2, epsilon):
    """m̂ and v̂ as what they are: means with weights that add up to 1."""
    for t in range(1, len(gradients) + 1):
        ages = np.arange(t)[::-1]
        m_hat = np.average(gradients[:t], axis=0, weights=beta1**ages)
        v_hat = np.average(gradients[:t] ** 2, axis=0, weights=beta2**ages)
        theta = theta - learning_rate * m_hat / (v_hat**0.5 + epsilon)
    return (theta,)


def updates_rounded_up():
    return 20 * math.ceil(1437 / 32)


def updates_counted():
    return sum(1 for _ in range(20) for _ in range(0, 1437, 32))


def updates_as_text():
    return "900"


def _training_labels(*names: str) -> list[str]:
    labels = {line: label for label, line in find("06.order_training").kind.labels.items()}
    return [labels[name, 1] for name in names]


def training_forward_then_backward():
    return " ".join(_training_labels("batch", "A1", "A2", "dZ2", "dW2", "dZ1", "dW1", "W2", "W1", "accuracy"))


def training_with_the_hidden_layer_first():
    return _training_labels("batch", "A1", "A2", "dZ2", "dZ1", "dW1", "W1", "dW2", "W2", "accuracy")


def training_updated_as_soon_as_possible():
    names = ("batch", "A1", "A2", "dZ2", "dZ1", "dW2", "W2", "dW1", "W1", "accuracy")
    return ", ".join(_training_labels(*names)).upper()


def _logistic(z: Any) -> Any:
    return 0.5 * (1 + np.tanh(np.asarray(z) / 2))


def epoch_sample_by_sample(X, y, w, b, shuffled, batch_size, learning_rate, strength):
    for start in range(0, len(shuffled), batch_size):
        batch = shuffled[start : start + batch_size]
        dw, db = np.zeros_like(w), 0.0
        for s in batch:
            error = 1 / (1 + math.exp(-(float(X[s] @ w) + b))) - y[s]
            dw += error * X[s]
            db += error
        dw = dw / len(batch) + strength * w
        db = db / len(batch)
        w = w - learning_rate * dw
        b = b - learning_rate * db
    return w, b


def epoch_with_shrinking_weights(X, y, w, b, shuffled, batch_size, learning_rate, strength):
    X, y = X[shuffled], y[shuffled]
    while len(y):
        rows, targets, X, y = X[:batch_size], y[:batch_size], X[batch_size:], y[batch_size:]
        error = _logistic(rows @ w + b) - targets
        w, b = (
            (1 - learning_rate * strength) * w - learning_rate * np.mean(error[:, None] * rows, axis=0),
            b - learning_rate * error.mean(),
        )
    return {"w_new": w, "b_new": np.array([b])}


def epoch_with_a_network_of_the_library(X, y, w, b, shuffled, batch_size, learning_rate, strength):
    network = SigmoidNetwork([len(w), 1], loss="binary_cross_entropy")
    network.weights, network.biases = [w[None, :]], [np.array([b])]
    for batch in np.split(shuffled, range(batch_size, len(shuffled), batch_size)):
        _, gradients = network.gradients(X[batch], y[batch, None])
        dw = gradients.dWs[0] + strength * network.weights[0]
        network.weights, network.biases = (
            [network.weights[0] - learning_rate * dw],
            [network.biases[0] - learning_rate * gradients.dbs[0]],
        )
    return network.weights[0][0], network.biases[0][0]


ANSWERS = {
    "06.update": [update_with_loops, update_on_copies, update_with_the_library, update_as_one_long_vector],
    "06.descend": [descend_in_plain_python, descend_with_a_matrix, descend_by_recursion, descend_in_closed_form],
    "06.predict_rate": [rate_as_a_dictionary, rate_in_order, rate_by_running],
    "06.stability": [stability_as_a_tuple, stability_derived_by_sympy, stability_as_text],
    "06.rates": [rates_with_the_condition_number, rates_by_singular_values, rates_by_norms],
    "06.momentum": [
        momentum_with_the_library,
        momentum_entry_by_entry,
        momentum_as_pytorch_writes_it,
        momentum_from_the_last_two_positions,
    ],
    "06.adam_step": [adam_entry_by_entry, adam_with_one_rate, adam_with_the_library],
    "06.fix_adam": [repaired_with_new_names, repaired_with_the_library, repaired_as_weighted_sums],
    "06.predict_updates": [updates_rounded_up, updates_counted, updates_as_text],
    "06.order_training": [
        training_forward_then_backward,
        training_with_the_hidden_layer_first,
        training_updated_as_soon_as_possible,
    ],
    "06.epoch": [
        epoch_sample_by_sample,
        epoch_with_shrinking_weights,
        epoch_with_a_network_of_the_library,
    ],
}
