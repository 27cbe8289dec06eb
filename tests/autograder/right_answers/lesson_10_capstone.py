"""Right answers to lesson 10 in the styles people write: loops, einsum, other algebra, other containers."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import sympy

# --- 10.softmax_lines -------------------------------------------------------------------------------------------------


def lines_as_the_lesson_writes_them(p1, y1):
    p2, y2 = 1 - p1, 1 - y1
    own, other = p1 * (1 - p1), -p1 * p2
    first = -y1 / p1 * own + y2 / p2 * p1 * p2
    return -y2 / p2, own, other, first, -first


def lines_simplified(p1, y1):
    return [(y1 - 1) / (1 - p1), p1 - p1**2, p1**2 - p1, p1 - y1, y1 - p1]


def lines_as_texts_by_name(p1, y1):
    return {
        "dL_dz2": "dL/dz2 = y1 - p1",
        "dL_dz1": "p1 - y1",
        "dp2_dz1": "-p1*(1 - p1)",
        "dp1_dz1": "p1 - p1^2",
        "dL_dp2": "(1 - y1)/(p1 - 1)",
    }


def lines_differentiated_by_sympy(p1, y1):
    """Through the logits z1 = log(p1/p2), z2 = 0, whose softmax is p1, p2."""
    z1, z2, q = sympy.symbols("z1 z2 q")
    p = [sympy.exp(z) / (sympy.exp(z1) + sympy.exp(z2)) for z in (z1, z2)]
    here = {z1: sympy.log(p1 / (1 - p1)), z2: 0}
    loss = -y1 * sympy.log(p[0]) - (1 - y1) * sympy.log(p[1])
    return (
        sympy.diff(-(1 - y1) * sympy.log(q), q).subs(q, 1 - p1),
        sympy.simplify(sympy.diff(p[0], z1).subs(here)),
        sympy.simplify(sympy.diff(p[1], z1).subs(here)),
        sympy.simplify(sympy.diff(loss, z1).subs(here)),
        sympy.simplify(sympy.diff(loss, z2).subs(here)),
    )


# --- 10.output_error --------------------------------------------------------------------------------------------------


def error_with_loops(Z, Y):
    n, c = Z.shape
    dZ = [[0.0] * c for _ in range(n)]
    for i in range(n):
        total = sum(math.exp(z) for z in Z[i])
        for k in range(c):
            dZ[i][k] = (math.exp(Z[i, k]) / total - Y[i, k]) / n
    return dZ


def error_with_the_largest_taken_off(Z, Y):
    e = np.exp(Z - Z.max(axis=1, keepdims=True))
    P = e / e.sum(axis=1, keepdims=True)
    P[np.arange(len(Z)), Y.argmax(axis=1)] -= 1
    return P / len(Z)


def error_through_the_jacobians(Z, Y):
    P = np.exp(Z) / np.exp(Z).sum(axis=1)[:, None]
    J = np.einsum("ni,ij->nij", P, np.eye(P.shape[1])) - np.einsum("ni,nj->nij", P, P)
    return {"dZ": np.einsum("ni,nij->nj", -Y / P / len(Z), J)}


def error_by_logarithms(Z, Y):
    log_P = Z - np.log(np.sum(np.exp(Z), axis=1, keepdims=True))
    return (np.exp(log_P) - Y) * (1 / Z.shape[0])


def error_in_columns(Z, Y):
    e = np.exp(Z.T)
    return ((e / e.sum(axis=0) - Y.T) / Z.shape[0]).T


def error_in_single_precision(Z, Y):
    e = np.exp(np.float32(Z))
    return (e / e.sum(axis=1, keepdims=True) - np.float32(Y)) / np.float32(len(Z))


# --- 10.deep_shapes ---------------------------------------------------------------------------------------------------


def shapes_in_order(n, d, h1, h2, c):
    return (h2, h1), (h2,), (n, h1), (n, c), (), (n, h2), (h2, h1), (h2,), (n, h1)


def shapes_of_real_arrays(n, d, h1, h2, c):
    X, W1, W2, W3 = np.ones((n, d)), np.ones((h1, d)), np.ones((h2, h1)), np.ones((c, h2))
    A1 = X @ W1.T
    Z2 = A1 @ W2.T
    P = Z2 @ W3.T
    dZ2 = P @ W3
    made = {"W2": W2, "b2": W2[:, 0], "A1": A1, "P": P, "L": P.sum(), "dZ2": dZ2, "dW2": dZ2.T @ A1}
    made |= {"db2": dZ2.sum(axis=0), "dA1": dZ2 @ W2}
    return {name: np.shape(array) for name, array in made.items()}


def shapes_as_lists_and_numbers(n, d, h1, h2, c):
    like = {"dZ2": [n, h2], "dW2": [h2, h1], "db2": h2, "dA1": [n, h1]}
    return {"W2": like["dW2"], "b2": (h2,), "A1": like["dA1"], "P": [n, c], "L": [], **like}


# --- 10.initialize ----------------------------------------------------------------------------------------------------


def first_weights_with_loops(normals):
    weights, biases = [], []
    for N in normals:
        d_out, d_in = N.shape
        s = math.sqrt(2 / d_in)
        weights.append([[s * N[i, j] for j in range(d_in)] for i in range(d_out)])
        biases.append([0.0] * d_out)
    return weights, biases


def first_weights_as_a_dictionary(normals):
    return {
        "biases": [np.zeros(N.shape[0]) for N in normals],
        "weights": [N / (N.shape[-1] / 2) ** 0.5 for N in normals],
    }


def first_weights_by_variance(normals):
    weights = tuple(np.multiply(N, np.power(2.0 / N[0].size, 0.5)) for N in normals)
    return weights, tuple(0 * W[:, 0] for W in weights)


def first_weights_on_copies(normals):
    weights = [N.copy() for N in normals]
    for W in weights:
        W *= 2**0.5
        W /= np.sqrt(W.shape[1])
    return [weights, [np.zeros((len(W), 1)) for W in weights]]


def first_weights_in_single_precision(normals):
    weights = [N.astype(np.float32) * np.sqrt(2 / N.shape[1]).astype(np.float32) for N in normals]
    return weights, [np.zeros(len(N), dtype=np.float32) for N in normals]


# --- 10.equal_weights -------------------------------------------------------------------------------------------------


def equal_weights_as_a_dictionary():
    return {"zeros": "b", "rows": "d"}


def equal_weights_as_a_list():
    return ["B", "D"]


def equal_weights_in_brackets():
    return {"rows": "(d)", "zeros": " b. "}


# --- 10.forward -------------------------------------------------------------------------------------------------------


def forward_with_a_flag(X, weights, biases):
    activations, A = [], X
    for k in range(len(weights)):
        activations.append(A)
        A = A @ weights[k].T + biases[k]
        if k < len(weights) - 1:
            A = np.maximum(A, 0)
    return activations, A


def forward_sample_by_sample(X, weights, biases):
    kept = [[] for _ in weights]
    logits = []
    for x in X:
        for k, (W, b) in enumerate(zip(weights, biases, strict=True)):
            kept[k].append(x)
            z = W @ x + b
            x = np.where(z > 0, z, 0)
        logits.append(z)
    return [np.array(layer) for layer in kept], np.array(logits)


def forward_with_einsum(X, weights, biases):
    activations = [X]
    for W, b in zip(weights[:-1], biases[:-1], strict=True):
        Z = np.einsum("nd,hd->nh", activations[-1], W) + b
        activations.append(Z * (Z > 0))
    return {"logits": np.einsum("nd,hd->nh", activations[-1], weights[-1]) + biases[-1], "activations": activations}


def forward_by_recursion(X, weights, biases):
    if len(weights) == 1:
        return [X], np.dot(X, weights[0].T) + biases[0]
    A = np.clip(np.dot(X, weights[0].T) + biases[0], 0, None)
    above, logits = forward_by_recursion(A, weights[1:], biases[1:])
    return [X, *above], logits


def forward_with_the_bias_as_a_weight(X, weights, biases):
    activations = []
    for W, b in zip(weights, biases, strict=True):
        activations.append(X)
        Z = np.c_[X, np.ones(len(X))] @ np.c_[W, b].T
        X = (Z + abs(Z)) / 2
    return tuple(activations), Z.tolist()


# --- 10.fix_hidden ----------------------------------------------------------------------------------------------------


def repaired(X, A1, dZ2, W1, W2, strength):
    dZ1 = dZ2 @ W2
    dZ1 = dZ1 * (A1 > 0)
    return dZ1.T @ X + strength * W1, dZ1.sum(axis=0)


def repaired_in_place_on_its_own_array(X, A1, dZ2, W1, W2, strength):
    dZ1 = dZ2 @ W2
    dZ1[A1 <= 0] = 0
    dW1 = strength * W1
    dW1 += dZ1.T @ X
    return {"dW1": dW1, "db1": np.ones(len(X)) @ dZ1}


def repaired_with_loops(X, A1, dZ2, W1, W2, strength):
    dW1, db1 = [list(strength * row) for row in W1], [0.0] * len(W1)
    for s in range(len(X)):
        for j in range(len(W1)):
            if A1[s, j] > 0:
                d = sum(dZ2[s, k] * W2[k, j] for k in range(len(W2)))
                db1[j] += d
                for i in range(X.shape[1]):
                    dW1[j][i] += d * X[s, i]
    return dW1, db1


def repaired_with_einsum(X, A1, dZ2, W1, W2, strength):
    D = np.einsum("nc,ch,nh->nh", dZ2, W2, np.sign(A1))
    return np.einsum("nh,nd->hd", D, X) + W1 * strength, np.einsum("nh->h", D)


# --- 10.backward ------------------------------------------------------------------------------------------------------


def _probabilities(Z: Any) -> Any:
    e = np.exp(Z - Z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def backward_into_lists_made_before(activations, logits, Y, weights, strength):
    K = len(weights)
    dWs, dbs = [None] * K, [None] * K
    D = (_probabilities(logits) - Y) / Y.shape[0]
    for k in range(K - 1, -1, -1):
        dWs[k] = D.T @ activations[k] + strength * weights[k]
        dbs[k] = D.sum(0)
        if k:
            D = (D @ weights[k]) * np.where(activations[k] > 0, 1.0, 0.0)
    return dWs, dbs


def backward_reversed_at_the_end(activations, logits, Y, weights, strength):
    dWs, dbs, D = [], [], (_probabilities(logits) - Y) / len(Y)
    for A, W in zip(activations[::-1], weights[::-1], strict=True):
        dWs.append(np.einsum("no,ni->oi", D, A) + strength * W)
        dbs.append(np.einsum("no->o", D))
        D = (D @ W) * np.sign(A)  # of the input too, where it is not used any more
    return {"dWs": dWs[::-1], "dbs": dbs[::-1]}


def backward_by_recursion(activations, logits, Y, weights, strength):
    def down(k, D):
        if k < 0:
            return [], []
        A = activations[k]
        dWs, dbs = down(k - 1, np.where(A > 0, np.dot(D, weights[k]), 0))
        return [*dWs, np.dot(D.T, A) + strength * weights[k]], [*dbs, np.sum(D, axis=0)]

    return down(len(weights) - 1, (_probabilities(logits) - Y) / len(Y))


def backward_sample_by_sample(activations, logits, Y, weights, strength):
    dWs, dbs = [strength * W for W in weights], [np.zeros(len(W)) for W in weights]
    for s in range(len(Y)):
        d = (_probabilities(logits[s : s + 1])[0] - Y[s]) / len(Y)
        for k in reversed(range(len(weights))):
            a = activations[k][s]
            dWs[k] = dWs[k] + np.outer(d, a)
            dbs[k] = dbs[k] + d
            d = (weights[k].T @ d) * (a > 0)
    return dWs, dbs


def backward_with_the_mean_at_the_end(activations, logits, Y, weights, strength):
    n, D = len(Y), _probabilities(logits) - Y
    dWs, dbs = [], []
    for k in reversed(range(len(weights))):
        dWs = [D.T @ activations[k] / n + weights[k] * strength, *dWs]
        dbs = [D.mean(axis=0), *dbs]
        D = (D @ weights[k]) * (activations[k] > 0)
    return tuple(dWs), tuple(dbs)


# --- 10.step_order ----------------------------------------------------------------------------------------------------


def step_as_a_text():
    return "q l f p a j e h g d"


def step_with_updates_as_soon_as_possible():
    return ["q", "l", "f", "a", "p", "h", "e", "j", "d", "g"]


def step_without_spaces():
    return "qlfajpehdg"


# --- 10.train_epoch ---------------------------------------------------------------------------------------------------


def epoch_with_while(X, Y, weights, biases, gradients, order, batch_size, learning_rate):
    weights, biases, start = list(weights), list(biases), 0
    while start < len(X):
        rows = order[start : start + batch_size]
        dWs, dbs = gradients(X[rows], Y[rows], weights, biases)
        for k in range(len(weights)):
            weights[k] = weights[k] - learning_rate * dWs[k]
            biases[k] = biases[k] - learning_rate * dbs[k]
        start += batch_size
    return weights, biases


def epoch_with_array_split(X, Y, weights, biases, gradients, order, batch_size, learning_rate):
    X, Y = X[order], Y[order]
    cuts = range(batch_size, len(X), batch_size)
    for x, y in zip(np.split(X, cuts), np.split(Y, cuts), strict=True):
        steps = gradients(x, y, weights, biases)
        weights, biases = (
            [p - g * learning_rate for p, g in zip(params, grads, strict=True)]
            for params, grads in zip((weights, biases), steps, strict=True)
        )
    return {"new_biases": biases, "new_weights": weights}


def epoch_on_copies_in_place(X, Y, weights, biases, gradients, order, batch_size, learning_rate):
    weights, biases = [W.copy() for W in weights], [b.copy() for b in biases]
    for start in range(0, len(order), batch_size):
        rows = order[start : start + batch_size]
        dWs, dbs = gradients(X[rows], Y[rows], weights, biases)
        for p, g in zip(weights + biases, dWs + dbs, strict=True):
            p -= learning_rate * g
    return weights, biases


def epoch_by_recursion(X, Y, weights, biases, gradients, order, batch_size, learning_rate):
    if len(order) == 0:
        return weights, biases
    rows, rest = order[:batch_size], order[batch_size:]
    dWs, dbs = gradients(X[rows], Y[rows], weights, biases)
    weights = [np.add(W, -learning_rate * dW) for W, dW in zip(weights, dWs, strict=True)]
    biases = [np.add(b, -learning_rate * db) for b, db in zip(biases, dbs, strict=True)]
    return epoch_by_recursion(X, Y, weights, biases, gradients, rest, batch_size, learning_rate)


# --- 10.relu_layer ----------------------------------------------------------------------------------------------------


class LayerThatKeepsThePreActivation:
    def __init__(self, W, b):
        self.W, self.b = W.copy(), b.copy()

    def forward(self, X):
        self.X, self.Z = X, X @ self.W.T + self.b
        return np.maximum(self.Z, 0)

    def backward(self, dA):
        dZ = np.where(self.Z > 0, dA, 0)
        self.dW, self.db = dZ.T @ self.X, dZ.sum(0)
        return dZ @ self.W

    def step(self, rate):
        self.W -= rate * self.dW
        self.b -= rate * self.db


class LayerWithACacheInADictionary:
    def __init__(self, W, b):
        self.params = {"W": W, "b": b}

    W = property(lambda self: self.params["W"])
    b = property(lambda self: self.params["b"])

    def forward(self, X):
        Z = np.einsum("nd,hd->nh", X, self.W) + self.b
        self.cache = SimpleNamespace(X=X.copy(), mask=(Z > 0).astype(float))
        return Z * self.cache.mask

    def backward(self, dA):
        dZ = dA.copy()
        dZ *= self.cache.mask
        self.dW, self.db = np.einsum("nh,nd->hd", dZ, self.cache.X), np.einsum("nh->h", dZ)
        return np.einsum("nh,hd->nd", dZ, self.W)

    def step(self, rate):
        self.params = {"W": self.W - self.dW * rate, "b": self.b - self.db * rate}


class LayerThatWorksSampleBySample:
    def __init__(self, W, b):
        self.W, self.b = W, b

    def forward(self, X):
        self.X = X
        self.A = np.array([[max(0.0, w @ x + bias) for w, bias in zip(self.W, self.b, strict=True)] for x in X])
        return self.A

    def backward(self, dA):
        self.dW, self.db, dX = np.zeros_like(self.W), np.zeros_like(self.b), []
        for x, a, da in zip(self.X, self.A, dA, strict=True):
            dz = da * (a > 0)
            self.dW += np.outer(dz, x)
            self.db += dz
            dX.append(self.W.T @ dz)
        return dX

    def step(self, rate):
        self.W = self.W + -rate * self.dW
        self.b = self.b + -rate * self.db


# --- 10.lab -----------------------------------------------------------------------------------------------------------


def findings_as_a_dictionary():
    return {"A": "e", "B": "a", "C": "c", "D": "b", "E": "f", "F": "d"}


def findings_as_a_list():
    return list("EACBFD")


def findings_in_brackets():
    return {"F": "(d)", "E": "f.", "D": " b", "C": "C", "B": "a)", "A": "e"}


ANSWERS = {
    "10.softmax_lines": [
        lines_as_the_lesson_writes_them,
        lines_simplified,
        lines_as_texts_by_name,
        lines_differentiated_by_sympy,
    ],
    "10.output_error": [
        error_with_loops,
        error_with_the_largest_taken_off,
        error_through_the_jacobians,
        error_by_logarithms,
        error_in_columns,
        error_in_single_precision,
    ],
    "10.deep_shapes": [shapes_in_order, shapes_of_real_arrays, shapes_as_lists_and_numbers],
    "10.initialize": [
        first_weights_with_loops,
        first_weights_as_a_dictionary,
        first_weights_by_variance,
        first_weights_on_copies,
        first_weights_in_single_precision,
    ],
    "10.equal_weights": [equal_weights_as_a_dictionary, equal_weights_as_a_list, equal_weights_in_brackets],
    "10.forward": [
        forward_with_a_flag,
        forward_sample_by_sample,
        forward_with_einsum,
        forward_by_recursion,
        forward_with_the_bias_as_a_weight,
    ],
    "10.fix_hidden": [
        repaired,
        repaired_in_place_on_its_own_array,
        repaired_with_loops,
        repaired_with_einsum,
    ],
    "10.backward": [
        backward_into_lists_made_before,
        backward_reversed_at_the_end,
        backward_by_recursion,
        backward_sample_by_sample,
        backward_with_the_mean_at_the_end,
    ],
    "10.step_order": [step_as_a_text, step_with_updates_as_soon_as_possible, step_without_spaces],
    "10.train_epoch": [
        epoch_with_while,
        epoch_with_array_split,
        epoch_on_copies_in_place,
        epoch_by_recursion,
    ],
    "10.relu_layer": [
        LayerThatKeepsThePreActivation,
        LayerWithACacheInADictionary,
        LayerThatWorksSampleBySample,
    ],
    "10.lab": [findings_as_a_dictionary, findings_as_a_list, findings_in_brackets],
}
