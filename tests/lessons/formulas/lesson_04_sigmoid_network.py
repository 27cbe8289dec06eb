"""The formulas of lesson 04, each with both sides at random points, on the library's own functions."""

import numpy as np

from chainrule_lib import (
    binary_cross_entropy,
    binary_cross_entropy_from_logits,
    forward_pass,
    half_squared_error,
    half_squared_error_gradient,
    numerical_gradient,
    sigmoid,
    sigmoid_derivative,
)
from chainrule_lib.network import forward_cache

rng = np.random.default_rng(4)
Z = np.linspace(-6, 6, 49)
X, W1, b1 = rng.normal(size=(5, 4)), rng.normal(size=(3, 4)), rng.normal(size=3)
W2, b2 = rng.normal(size=(2, 3)), rng.normal(size=2)


def _close(left: object, right: object) -> None:
    assert np.allclose(np.asarray(left), np.asarray(right), rtol=1e-12, atol=1e-14)


def _slopes(f, at: np.ndarray) -> np.ndarray:  # type: ignore[no-untyped-def]
    """The derivative of a function of one variable at several points, by complex step."""
    return np.array([numerical_gradient(f, float(point), method="complex") for point in at])


def _sigmoid() -> None:
    _close(sigmoid(Z), 1 / (1 + np.exp(-Z)))


def _forward() -> None:
    for x in X:
        z1 = W1 @ x + b1
        a1 = sigmoid(z1)
        z2 = W2 @ a1 + b2
        cache = forward_cache(x, [W1, W2], [b1, b2])
        _close(cache.Zs[0], z1)
        _close(cache.Zs[1], z2)
        _close(forward_pass(x, W1, b1, W2, b2), sigmoid(z2))


def _without_output_sigmoid() -> None:
    for x in X:
        z = W2 @ sigmoid(W1 @ x + b1) + b2
        _close(forward_pass(x, W1, b1, W2, b2), sigmoid(z))
        _close(forward_cache(x, [W1, W2], [b1, b2]).Zs[-1], z)


def _as_a_chain() -> None:
    u = 1 + np.exp(-Z)
    _close(1 / u, sigmoid(Z))


def _product_of_links() -> None:
    u = 1 + np.exp(-Z)
    measured = _slopes(lambda z: 1 / (1 + np.exp(-z)), Z)
    _close((-1 / u**2) * (-np.exp(-Z)), measured)
    _close(np.exp(-Z) / (1 + np.exp(-Z)) ** 2, measured)


def _first_fraction() -> None:
    e = np.exp(-Z)
    _close(e / (1 + e) ** 2, 1 / (1 + e) * e / (1 + e))
    _close(1 / (1 + e) * e / (1 + e), sigmoid(Z) * e / (1 + e))


def _second_fraction() -> None:
    e = np.exp(-Z)
    _close(e / (1 + e), ((1 + e) - 1) / (1 + e))
    _close(e / (1 + e), 1 - sigmoid(Z))


def _slope() -> None:
    _close(sigmoid_derivative(Z), sigmoid(Z) * (1 - sigmoid(Z)))
    _close(sigmoid_derivative(Z), _slopes(sigmoid, Z))


def _two_forms() -> None:
    _close(1 / (1 + np.exp(-Z)), np.exp(Z) / (1 + np.exp(Z)))


def _batch_entry() -> None:
    Z1 = forward_cache(X, [W1, W2], [b1, b2]).Zs[0]
    for s, j in np.ndindex(5, 3):
        _close(Z1[s, j], sum(W1[j, i] * X[s, i] for i in range(4)) + b1[j])


def _batch() -> None:
    Z1 = X @ W1.T + b1
    assert X.shape == (5, 4)
    assert W1.T.shape == (4, 3)
    assert Z1.shape == (5, 3)
    _close(forward_cache(X, [W1, W2], [b1, b2]).Zs[0], Z1)


A, Y = rng.uniform(0.1, 0.9, (5, 3)), rng.uniform(size=(5, 3))


def _squared_error() -> None:
    total = sum((A[s, k] - Y[s, k]) ** 2 for s in range(5) for k in range(3))
    _close(half_squared_error(A, Y), total / (2 * 5))


def _one_term() -> None:
    for a, y in zip(A.ravel(), Y.ravel(), strict=True):
        _close(numerical_gradient(lambda v, y=y: (v - y) ** 2, float(a), method="complex"), 2 * (a - y))


def _squared_error_gradient() -> None:
    measured = numerical_gradient(lambda values: np.sum((values - Y) ** 2) / 10, A, method="complex")
    _close(half_squared_error_gradient(A, Y), (A - Y) / 5)
    _close(measured, (A - Y) / 5)


a, y = rng.uniform(0.05, 0.95, 40), rng.uniform(size=40)
z = np.log(a / (1 - a))


def _entropy(value, target):  # type: ignore[no-untyped-def]
    return -target * np.log(value) - (1 - target) * np.log(1 - value)


def _cross_entropy() -> None:
    _close(binary_cross_entropy(a.reshape(-1, 1), y.reshape(-1, 1)), np.mean(_entropy(a, y)))


def _entropy_slopes() -> np.ndarray:
    pairs = zip(a, y, strict=True)
    return np.array([numerical_gradient(lambda v, t=t: _entropy(v, t), float(p), method="complex") for p, t in pairs])


def _two_terms() -> None:
    _close(_entropy_slopes(), -y / a + (1 - y) / (1 - a))


def _one_fraction() -> None:
    _close(_entropy_slopes(), (a - y) / (a * (1 - a)))


def _cancelled() -> None:
    _close((a - y) / (a * (1 - a)) * (a * (1 - a)), a - y)
    pairs = zip(z, y, strict=True)
    measured = [
        numerical_gradient(lambda v, t=t: _entropy(1 / (1 + np.exp(-v)), t), float(p), method="complex")
        for p, t in pairs
    ]
    _close(measured, a - y)


def _logarithms() -> None:
    _close(np.log(1 + np.exp(-Z)), np.log((np.exp(Z) + 1) / np.exp(Z)))
    _close(np.log(1 + np.exp(-Z)), np.log(1 + np.exp(Z)) - Z)


def _from_logits() -> None:
    _close(_entropy(a, y), np.log(1 + np.exp(z)) - y * z)


def _stable() -> None:
    stable = np.maximum(z, 0) - y * z + np.log(1 + np.exp(-np.abs(z)))
    _close(_entropy(a, y), stable)
    _close(binary_cross_entropy_from_logits(z.reshape(-1, 1), y.reshape(-1, 1)), np.mean(stable))


def _output_sum() -> None:
    a1 = rng.uniform(size=3)
    _close(W2[0] @ a1 + b2[0], sum(W2[0][j] * a1[j] for j in range(3)) + b2[0])


def _reaction() -> None:
    a1 = rng.uniform(size=3)
    _close(numerical_gradient(lambda v: W2[0] @ v + b2[0], a1, method="complex"), W2[0])


FORMULAS = {
    r"\sigma(z) = \frac{1}{1 + e^{-z}}": _sigmoid,
    r"z_1 = W_1 x + b_1 \qquad a_1 = \sigma(z_1) \qquad z_2 = W_2 a_1 + b_2 \qquad a_2 = \sigma(z_2)": _forward,
    r"z = W_2 \sigma(W_1 x + b_1) + b_2": _without_output_sigmoid,
    r"\sigma = \frac{1}{u} \qquad u = 1 + e^{-z}": _as_a_chain,
    r"\frac{d\sigma}{dz} = \frac{d\sigma}{du} \cdot \frac{du}{dz} = \frac{e^{-z}}{(1 + e^{-z})^2}": _product_of_links,
    r"\frac{d\sigma}{dz} = \frac{1}{1 + e^{-z}} \cdot \frac{e^{-z}}{1 + e^{-z}} = \sigma(z) \cdot "
    r"\frac{e^{-z}}{1 + e^{-z}}": _first_fraction,
    r"\frac{e^{-z}}{1 + e^{-z}} = \frac{(1 + e^{-z}) - 1}{1 + e^{-z}} = 1 - \sigma(z)": _second_fraction,
    r"\sigma'(z) = \sigma(z) (1 - \sigma(z))": _slope,
    r"\frac{1}{1 + e^{-z}} \qquad \text{and} \qquad \frac{e^{z}}{1 + e^{z}}": _two_forms,
    r"Z_1[s, j] = \sum_i W_1[j, i] X[s, i] + b_1[j]": _batch_entry,
    r"Z_1 = X W_1^\top + b_1 \qquad \text{shapes: } (n, d) \cdot (d, h) + (h,) \to (n, h)": _batch,
    r"L = \frac{1}{2n} \sum_s \sum_k (A[s, k] - Y[s, k])^2": _squared_error,
    r"\frac{d}{da} (a - y)^2 = 2 (a - y)": _one_term,
    r"\frac{\partial L}{\partial A[s, k]} = \frac{A[s, k] - Y[s, k]}{n}": _squared_error_gradient,
    r"\ell = -y \log a - (1 - y) \log(1 - a)": _cross_entropy,
    r"\frac{d\ell}{da} = -\frac{y}{a} + \frac{1 - y}{1 - a}": _two_terms,
    r"\frac{d\ell}{da} = \frac{a - y}{a (1 - a)}": _one_fraction,
    r"\frac{d\ell}{dz} = \frac{d\ell}{da} \cdot \frac{da}{dz} = \frac{a - y}{a(1 - a)} \cdot a (1 - a) = a - y": (
        _cancelled
    ),
    r"\log(1 + e^{-z}) = \log \frac{e^{z} + 1}{e^{z}} = \log(1 + e^{z}) - z": _logarithms,
    r"\ell = \log(1 + e^{z}) - y z": _from_logits,
    r"\ell = \max(z, 0) - y z + \log(1 + e^{-|z|})": _stable,
    r"z_2 = W_2[0] a_1[0] + W_2[1] a_1[1] + \dots + b_2": _output_sum,
    r"\frac{\partial z_2}{\partial a_1[j]} = W_2[j]": _reaction,
}
