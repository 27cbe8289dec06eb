"""Right answers to lesson 05 in the styles people write: loops, einsum, other algebra, other containers."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import sympy as sp

from autograder.exercises import find


def _sigma(z: float) -> float:
    return 1 / (1 + math.exp(-z))


def _logistic(z: Any) -> Any:
    return 0.5 * (1 + np.tanh(np.asarray(z) / 2))


def delta_with_a_loop(z2, y):
    result = []
    for k in range(len(z2)):
        a = _sigma(z2[k])
        result.append((a - y[k]) * a * (1 - a))
    return result


def delta_with_exponentials(z2, y):
    e = np.exp(-z2)
    return (1 / (1 + e) - y) * e / (1 + e) ** 2


def delta_with_tanh_as_a_dictionary(z2, y):
    a = _logistic(z2)
    return {"dz2": -(y - a) * (a - a**2)}


def layer_with_loops(a1, dz2):
    dW2 = [[0.0] * len(a1) for _ in dz2]
    for k in range(len(dz2)):
        for j in range(len(a1)):
            dW2[k][j] = float(dz2[k] * a1[j])
    return dW2, [float(d) for d in dz2]


def layer_with_einsum(a1, dz2):
    return np.einsum("k,j->kj", dz2, a1), dz2.copy()


def layer_with_columns(a1, dz2):
    column = dz2.reshape(-1, 1)
    return column @ a1.reshape(1, -1), column


def hidden_with_loops(W2, dz2, z1):
    outputs, hidden = W2.shape
    dz1 = np.zeros(hidden)
    for j in range(hidden):
        for k in range(outputs):
            dz1[j] += W2[k, j] * dz2[k]
        dz1[j] *= _sigma(z1[j]) * (1 - _sigma(z1[j]))
    return dz1


def hidden_with_einsum(W2, dz2, z1):
    return np.einsum("kj,k,j->j", W2, dz2, np.exp(-z1) / (1 + np.exp(-z1)) ** 2)


def hidden_with_a_jacobian(W2, dz2, z1):
    a1 = _logistic(z1)
    jacobian = W2 @ np.diag(a1 * (1 - a1))
    return (dz2[None, :] @ jacobian,)


class Gradients(NamedTuple):
    db1: Any
    dW1: Any
    db2: Any
    dW2: Any


def sample_as_columns(x, y, W1, b1, W2, b2):
    x, y, b1, b2 = (v.reshape(-1, 1) for v in (x, y, b1, b2))
    a1 = _logistic(W1 @ x + b1)
    a2 = _logistic(W2 @ a1 + b2)
    dz2 = (a2 - y) * a2 * (1 - a2)
    dz1 = W2.T @ dz2 * a1 * (1 - a1)
    return dz1 @ x.T, dz1, dz2 @ a1.T, dz2


def sample_named_in_another_order(x, y, W1, b1, W2, b2):
    a1 = _logistic(W1 @ x + b1)
    a2 = _logistic(W2 @ a1 + b2)
    dz2 = (a2 - y) * a2 * (1 - a2)
    dz1 = (dz2 @ W2) * a1 * (1 - a1)
    return Gradients(dW1=dz1[:, None] * x, db1=dz1, dW2=dz2[:, None] * a1, db2=dz2)


def sample_in_plain_python(x, y, W1, b1, W2, b2):
    x, y, W1, b1, W2, b2 = (v.tolist() for v in (x, y, W1, b1, W2, b2))
    a1 = [_sigma(sum(w * v for w, v in zip(row, x, strict=True)) + b) for row, b in zip(W1, b1, strict=True)]
    a2 = [_sigma(sum(w * v for w, v in zip(row, a1, strict=True)) + b) for row, b in zip(W2, b2, strict=True)]
    dz2 = [(a - t) * a * (1 - a) for a, t in zip(a2, y, strict=True)]
    dz1 = [sum(W2[k][j] * dz2[k] for k in range(len(dz2))) * a1[j] * (1 - a1[j]) for j in range(len(a1))]
    return [[d * v for v in x] for d in dz1], dz1, [[d * v for v in a1] for d in dz2], dz2


def batch_sample_by_sample(X, Y, W1, b1, W2, b2):
    total = [np.zeros_like(p) for p in (W1, b1, W2, b2)]
    for x, y in zip(X, Y, strict=True):
        for sum_, part in zip(total, sample_as_columns(x, y, W1, b1, W2, b2), strict=True):
            sum_ += part.reshape(sum_.shape)
    return [t / len(X) for t in total]


def batch_with_einsum(X, Y, W1, b1, W2, b2):
    A1 = _logistic(np.einsum("nd,hd->nh", X, W1) + b1)
    A2 = _logistic(np.einsum("nh,ch->nc", A1, W2) + b2)
    D2 = np.einsum("nc,nc->nc", A2 - Y, A2 * (1 - A2))
    D1 = np.einsum("nc,ch,nh->nh", D2, W2, A1 * (1 - A1))
    n = X.shape[0]
    return {
        "dW2": np.einsum("nc,nh->ch", D2, A1) / n,
        "db2": np.einsum("nc->c", D2) / n,
        "dW1": np.einsum("nh,nd->hd", D1, X) / n,
        "db1": np.einsum("nh->h", D1) / n,
    }


def batch_in_columns_with_keepdims(X, Y, W1, b1, W2, b2):
    X, Y, n = X.T, Y.T, len(X)
    A1 = _logistic(W1 @ X + b1[:, None])
    A2 = _logistic(W2 @ A1 + b2[:, None])
    D2 = (A2 - Y) * (A2 - A2 * A2) * (1 / n)
    D1 = (W2.T @ D2) * (A1 - A1 * A1)
    return D1 @ X.T, np.sum(D1, axis=1, keepdims=True), D2 @ A1.T, np.sum(D2, axis=1, keepdims=True)


def batch_in_single_precision(X, Y, W1, b1, W2, b2):
    return batch_in_columns_with_keepdims(*(np.float32(v) for v in (X, Y, W1, b1, W2, b2)))


def batch_with_a_tape(X, Y, W1, b1, W2, b2):
    """Closures recorded on the way forward, run backwards."""
    tape, gradients = [], {}
    values = {"X": X, "W1": W1, "b1": b1, "W2": W2, "b2": b2}

    def add(name, gradient):
        gradients[name] = gradients.get(name, 0) + gradient

    def affine(out, inp, W, b):
        values[out] = values[inp] @ values[W].T + values[b]

        def backward():
            add(W, gradients[out].T @ values[inp])
            add(b, gradients[out].sum(axis=0))
            add(inp, gradients[out] @ values[W])

        tape.append(backward)

    def squash(out, inp):
        values[out] = _logistic(values[inp])
        tape.append(lambda: add(inp, gradients[out] * values[out] * (1 - values[out])))

    affine("Z1", "X", "W1", "b1")
    squash("A1", "Z1")
    affine("Z2", "A1", "W2", "b2")
    squash("A2", "Z2")
    gradients["A2"] = (values["A2"] - Y) / len(X)
    for backward in reversed(tape):
        backward()
    return tuple(gradients[name] for name in ("W1", "b1", "W2", "b2"))


def deep_by_recursion(X, Y, weights, biases):
    def descend(A, layer):
        """Gradients of this layer and those above, and dL/dA of this layer's input."""
        if layer == len(weights):
            return [], [], (A - Y) / len(Y)
        out = _logistic(A @ weights[layer].T + biases[layer])
        dWs, dbs, dout = descend(out, layer + 1)
        dZ = dout * out * (1 - out)
        return [dZ.T @ A, *dWs], [dZ.sum(0), *dbs], dZ @ weights[layer]

    dWs, dbs, _ = descend(X, 0)
    return dWs, dbs


def deep_with_a_loop_and_tuples(X, Y, weights, biases):
    activations = [X]
    for W, b in zip(weights, biases, strict=True):
        activations.append(_logistic(activations[-1] @ W.T + b))
    dWs, dbs = [None] * len(weights), [None] * len(weights)
    dA = (activations[-1] - Y) / X.shape[0]
    for layer in range(len(weights) - 1, -1, -1):
        out = activations[layer + 1]
        dZ = dA * out * (1 - out)
        dWs[layer] = np.einsum("no,ni->oi", dZ, activations[layer])
        dbs[layer] = dZ.sum(axis=0, keepdims=True)
        dA = dZ @ weights[layer]
    return tuple(dWs), tuple(dbs)


def deep_as_lists_of_lists(X, Y, weights, biases):
    dWs, dbs = deep_by_recursion(X, Y, weights, biases)
    return {"dWs": [dW.tolist() for dW in dWs], "dbs": [db.tolist() for db in dbs]}


def cross_entropy_with_loops(Z2, Y):
    return [[(_sigma(z) - y) / len(Y) for z, y in zip(*rows, strict=True)] for rows in zip(Z2, Y, strict=True)]


def cross_entropy_by_the_long_way(Z2, Y):
    A2 = _logistic(Z2)
    dA2 = -Y / A2 + (1 - Y) / (1 - A2)
    return dA2 * A2 * (1 - A2) / Z2.shape[0]


def cross_entropy_in_single_precision(Z2, Y):
    return np.float32((_logistic(Z2) - Y) / len(Z2))


def decay_with_loops(dW, db, W, b, strength):
    total = [[dW[k][j] + strength * W[k][j] for j in range(W.shape[1])] for k in range(W.shape[0])]
    return total, list(db)


def decay_as_a_dictionary(dW, db, W, b, strength):
    return {"db_total": db, "dW_total": np.add(dW, np.multiply(W, strength))}


def decay_on_a_copy(dW, db, W, b, strength):
    dW = dW.copy()
    dW += strength * W
    return dW, db.reshape(-1, 1)


def zero_as_a_capital():
    return "B"


def zero_with_a_bracket():
    return "b)"


def zero_by_name():
    return {"prediction": "b"}


def _labels(*lines):
    exercise = find("05.order_backward")
    return [{line: label for label, line in exercise.kind.labels.items()}[name, 1] for name in lines]


def order_weights_as_soon_as_possible():
    return " ".join(_labels("dz2", "dW2", "da1", "W2", "dz1", "dW1", "W1"))


def order_gradient_first_updates_last():
    return _labels("dz2", "da1", "dz1", "dW1", "dW2", "W1", "W2")


def order_without_spaces():
    return "".join(_labels("dz2", "da1", "dW2", "dz1", "dW1", "W2", "W1"))


def repaired_with_einsum(X, Y, W1, b1, W2, b2):
    A1 = _logistic(X @ W1.T + b1)
    A2 = _logistic(A1 @ W2.T + b2)
    dZ2 = (A2 - Y) / X.shape[0] * A2 * (1 - A2)
    dZ1 = np.einsum("nc,ch,nh->nh", dZ2, W2, A1 - A1**2)
    return dZ1.T @ X, np.einsum("nh->h", dZ1), dZ2.T @ A1, np.einsum("nc->c", dZ2)


def repaired_sample_by_sample(X, Y, W1, b1, W2, b2):
    n = len(X)
    dW1, db1, dW2, db2 = np.zeros_like(W1), np.zeros_like(b1), np.zeros_like(W2), np.zeros_like(b2)
    for x, y in zip(X, Y, strict=True):
        a1 = _logistic(W1 @ x + b1)
        a2 = _logistic(W2 @ a1 + b2)
        d2 = (a2 - y) * a2 * (1 - a2) / n
        d1 = (W2.T @ d2) * a1 * (1 - a1)
        dW1, db1, dW2, db2 = dW1 + np.outer(d1, x), db1 + d1, dW2 + np.outer(d2, a1), db2 + d2
    return {"dW1": dW1, "db1": db1, "dW2": dW2, "db2": db2}


def repaired_with_a_column_of_ones(X, Y, W1, b1, W2, b2):
    ones = np.ones((len(X), 1))
    A1 = _logistic(X @ W1.T + b1)
    A2 = _logistic(A1 @ W2.T + b2)
    dZ2 = (A2 - Y) * A2 * (1 - A2) / len(X)
    dZ1 = (dZ2 @ W2) * A1 * (1 - A1)
    return dZ1.T @ X, (dZ1.T @ ones)[:, 0], dZ2.T @ A1, (dZ2.T @ ones)[:, 0]


def entropy_lines_as_texts(a, y):
    return "dl/da = -y/a + (1 - y)/(1 - a)", "a - a^2", "a - y"


def entropy_lines_by_sympy(a, y):
    loss = -y * sp.log(a) - (1 - y) * sp.log(1 - a)
    return {"dl_dz": sp.simplify(sp.diff(loss, a) * a * (1 - a)), "da_dz": a * (1 - a), "dl_da": sp.diff(loss, a)}


def entropy_lines_multiplied_out(a, y):
    first = (a - y) / (a - a**2)
    return [first, a - a**2, sp.expand(first * (a - a**2))]


ANSWERS = {
    "05.output_delta": [delta_with_a_loop, delta_with_exponentials, delta_with_tanh_as_a_dictionary],
    "05.output_layer": [layer_with_loops, layer_with_einsum, layer_with_columns],
    "05.hidden_delta": [hidden_with_loops, hidden_with_einsum, hidden_with_a_jacobian],
    "05.backprop_sample": [sample_as_columns, sample_named_in_another_order, sample_in_plain_python],
    "05.backprop_batch": [
        batch_sample_by_sample,
        batch_with_einsum,
        batch_in_columns_with_keepdims,
        batch_in_single_precision,
        batch_with_a_tape,
    ],
    "05.backprop_deep": [deep_by_recursion, deep_with_a_loop_and_tuples, deep_as_lists_of_lists],
    "05.cross_entropy_delta": [
        cross_entropy_with_loops,
        cross_entropy_by_the_long_way,
        cross_entropy_in_single_precision,
    ],
    "05.weight_decay": [decay_with_loops, decay_as_a_dictionary, decay_on_a_copy],
    "05.zero_weights": [zero_as_a_capital, zero_with_a_bracket, zero_by_name],
    "05.order_backward": [order_weights_as_soon_as_possible, order_gradient_first_updates_last, order_without_spaces],
    "05.repair_batch": [repaired_with_einsum, repaired_sample_by_sample, repaired_with_a_column_of_ones],
    "05.cross_entropy_lines": [entropy_lines_as_texts, entropy_lines_by_sympy, entropy_lines_multiplied_out],
}
