"""The formulas of lesson 05: every derivative against the complex step, on random networks of other sizes."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np

from chainrule_lib import (
    SigmoidNetwork,
    binary_cross_entropy,
    half_squared_error,
    numerical_gradient,
    sigmoid,
)
from chainrule_lib.network import forward_cache

rng = np.random.default_rng(5)
D, H, C, N = 4, 3, 2, 5
P = {
    "W1": rng.normal(size=(H, D)),
    "b1": rng.normal(size=H),
    "W2": rng.normal(size=(C, H)),
    "b2": rng.normal(size=C),
}


def _one(x: Any, y: Any, **changed: Any) -> SimpleNamespace:
    """One sample's forward pass, with some of its values replaced."""
    v = SimpleNamespace(**{**P, "x": x, "y": y, **changed})
    for name, value in (
        ("z1", lambda: v.W1 @ v.x + v.b1),
        ("a1", lambda: sigmoid(v.z1)),
        ("z2", lambda: v.W2 @ v.a1 + v.b2),
        ("a2", lambda: sigmoid(v.z2)),
        ("L", lambda: np.sum((v.a2 - v.y) ** 2) / 2),
    ):
        setattr(v, name, changed[name] if name in changed else value())
    return v


SAMPLE = _one(rng.normal(size=D), rng.uniform(size=C))


def _many(X: Any, Y: Any, **changed: Any) -> SimpleNamespace:
    """A batch's forward pass, with some of its values replaced."""
    v = SimpleNamespace(**{**P, "X": X, "Y": Y, **changed})
    for name, value in (
        ("Z1", lambda: v.X @ v.W1.T + v.b1),
        ("A1", lambda: sigmoid(v.Z1)),
        ("Z2", lambda: v.A1 @ v.W2.T + v.b2),
        ("A2", lambda: sigmoid(v.Z2)),
        ("L", lambda: np.sum((v.A2 - v.Y) ** 2) / (2 * len(v.Y))),
    ):
        setattr(v, name, changed[name] if name in changed else value())
    return v


BATCH = _many(rng.normal(size=(N, D)), rng.uniform(size=(N, C)))


def _d(run: Callable[..., SimpleNamespace], at: SimpleNamespace, name: str, data: tuple[str, str]) -> Any:
    """dL/d(name) by complex step, everything behind it moving along."""
    inputs = [getattr(at, key) for key in data]
    return numerical_gradient(lambda value: run(*inputs, **{name: value}).L, getattr(at, name), method="complex")


def d1(name: str) -> Any:
    return _d(_one, SAMPLE, name, ("x", "y"))


def dn(name: str) -> Any:
    return _d(_many, BATCH, name, ("X", "Y"))


def _close(left: Any, right: Any) -> None:
    assert np.shape(left) == np.shape(right)
    assert np.allclose(left, right, rtol=1e-11, atol=1e-14)


s, b = SAMPLE, BATCH


def _forward() -> None:
    cache = forward_cache(s.x, [s.W1, s.W2], [s.b1, s.b2])
    _close(cache.Zs[0], s.z1)
    _close(cache.Zs[1], s.z2)
    _close(sigmoid(cache.Zs[1]), s.a2)


def _loss() -> None:
    _close(s.L, sum((s.a2[k] - s.y[k]) ** 2 for k in range(C)) / 2)
    _close(half_squared_error(s.a2, s.y), s.L)


def _da2() -> None:
    _close(d1("a2"), s.a2 - s.y)


def _dz2() -> None:
    _close(d1("z2"), (s.a2 - s.y) * s.a2 * (1 - s.a2))
    _close(d1("z2"), d1("a2") * s.a2 * (1 - s.a2))


def _loss_of_z2() -> None:
    _close(s.L, np.sum((sigmoid(s.z2) - s.y) ** 2) / 2)


def _z2_entry() -> None:
    _close(s.z2, [sum(s.W2[k, j] * s.a1[j] for j in range(H)) + s.b2[k] for k in range(C)])


def _local_of_layer() -> None:
    for k in range(C):
        _close(numerical_gradient(lambda W2, k=k: (W2 @ s.a1 + s.b2)[k], s.W2, method="complex")[k], s.a1)
        _close(numerical_gradient(lambda b2, k=k: (s.W2 @ s.a1 + b2)[k], s.b2, method="complex")[k], 1.0)


def _output_layer() -> None:
    dz2 = d1("z2")
    _close(d1("W2"), [[dz2[k] * s.a1[j] for j in range(H)] for k in range(C)])
    _close(d1("b2"), dz2)


def _da1() -> None:
    dz2 = d1("z2")
    _close(d1("a1"), [sum(dz2[k] * s.W2[k, j] for k in range(C)) for j in range(H)])


def _dz1() -> None:
    _close(d1("z1"), d1("a1") * s.a1 * (1 - s.a1))


def _hidden_layer() -> None:
    dz1 = d1("z1")
    _close(d1("W1"), [[dz1[j] * s.x[i] for i in range(D)] for j in range(H)])
    _close(d1("b1"), dz1)


def _step(rate: float) -> SimpleNamespace:
    return _one(s.x, s.y, **{name: value - rate * d1(name) for name, value in P.items()})


def _update() -> None:
    from chainrule_lib import GradientDescent

    (moved,) = GradientDescent(0.3).step([s.W1], [d1("W1")])
    _close(moved, s.W1 - 0.3 * d1("W1"))


def _slope_of_the_step() -> None:
    gradients = {name: d1(name) for name in P}

    def after(rate: Any) -> Any:
        return _one(s.x, s.y, **{name: P[name] - rate * gradients[name] for name in P}).L

    _close(
        numerical_gradient(after, 0.0, method="complex"), -sum(np.sum(gradient**2) for gradient in gradients.values())
    )


def _batch() -> None:
    cache = forward_cache(b.X, [b.W1, b.W2], [b.b1, b.b2])
    _close(cache.Zs[0], b.Z1)
    _close(cache.Zs[1], b.Z2)
    for row in range(N):
        _close(b.A2[row], _one(b.X[row], b.Y[row]).a2)


def _batch_loss() -> None:
    _close(b.L, np.mean([_one(b.X[row], b.Y[row]).L for row in range(N)]))
    _close(half_squared_error(b.A2, b.Y), b.L)


def _dZ2() -> None:
    _close(dn("Z2"), (b.A2 - b.Y) / N * b.A2 * (1 - b.A2))


def _shared_output() -> None:
    dZ2 = dn("Z2")
    _close(dn("W2"), [[sum(dZ2[r, k] * b.A1[r, j] for r in range(N)) for j in range(H)] for k in range(C)])
    _close(dn("b2"), [sum(dZ2[r, k] for r in range(N)) for k in range(C)])


def _sent_back() -> None:
    dZ2 = dn("Z2")
    _close(dn("A1"), [[sum(dZ2[r, k] * b.W2[k, j] for k in range(C)) for j in range(H)] for r in range(N)])
    _close(dn("Z1"), dn("A1") * b.A1 * (1 - b.A1))


def _shared_hidden() -> None:
    dZ1 = dn("Z1")
    _close(dn("W1"), [[sum(dZ1[r, j] * b.X[r, i] for r in range(N)) for i in range(D)] for j in range(H)])
    _close(dn("b1"), [sum(dZ1[r, j] for r in range(N)) for j in range(H)])


NETWORK = SigmoidNetwork([4, 5, 3, 2], seed=5)


def _deep(weights: Any, biases: Any) -> list[Any]:
    activations = [b.X]
    for W, bias in zip(weights, biases, strict=True):
        activations.append(sigmoid(activations[-1] @ W.T + bias))
    return activations


def _deep_forward() -> None:
    _close(NETWORK.forward(b.X), _deep(NETWORK.weights, NETWORK.biases)[-1])


def _deltas() -> tuple[list[Any], list[Any]]:
    activations = _deep(NETWORK.weights, NETWORK.biases)
    last = activations[-1]
    deltas = [(last - b.Y) / N * last * (1 - last)]
    for layer in (2, 1):
        A = activations[layer]
        deltas.insert(0, deltas[0] @ NETWORK.weights[layer] * A * (1 - A))
    return activations, deltas


def _deep_gradients() -> None:
    activations, deltas = _deltas()
    for layer, delta in enumerate(deltas):
        for which, own in (("weights", delta.T @ activations[layer]), ("biases", delta.sum(axis=0))):
            values = {"weights": list(NETWORK.weights), "biases": list(NETWORK.biases)}

            def loss(value: Any, which: str = which, layer: int = layer, values: Any = values) -> Any:
                changed = [*values[which][:layer], value, *values[which][layer + 1 :]]
                return np.sum((_deep(**(values | {which: changed}))[-1] - b.Y) ** 2) / (2 * N)

            _close(own, numerical_gradient(loss, values[which][layer], method="complex"))


def _entropy(a: Any, y: Any) -> Any:
    return -y * np.log(a) - (1 - y) * np.log(1 - a)


def _cross_entropy() -> None:
    z = np.linspace(-3, 3, 13)
    a, y = sigmoid(z), rng.uniform(size=13)
    _close(binary_cross_entropy(a.reshape(-1, 1), y.reshape(-1, 1)), np.mean(_entropy(a, y)))


def _cross_entropy_slope() -> None:
    for a, y in rng.uniform(0.1, 0.9, (20, 2)):
        measured = numerical_gradient(lambda value, y=y: _entropy(value, y), float(a), method="complex")
        _close(measured, -y / a + (1 - y) / (1 - a))
        _close(measured, (a - y) / (a * (1 - a)))


def _cross_entropy_of_a_batch() -> None:
    total = sum(_entropy(b.A2[r, k], b.Y[r, k]) for r in range(N) for k in range(C))
    _close(binary_cross_entropy(b.A2, b.Y), total / N)


def _penalty() -> None:
    from autograder.exercises import find

    loss = find("05.weight_decay").loss
    assert loss is not None
    zero = np.zeros_like(b.W1)
    total = loss(dW=zero, db=np.zeros(H), W=b.W1, b=b.b1, strength=0.3)
    _close(total, 0.3 / 2 * sum(b.W1[p, q] ** 2 for p in range(H) for q in range(D)))


def _penalty_gradient() -> None:
    _close(numerical_gradient(lambda W: 0.3 / 2 * np.sum(W**2), b.W1, method="complex"), 0.3 * b.W1)


FORMULAS = {
    r"z_1 = W_1 x + b_1 \qquad a_1 = \sigma(z_1) \qquad z_2 = W_2 a_1 + b_2 \qquad a_2 = \sigma(z_2)": _forward,
    r"L = \frac12 \sum_k (a_2[k] - y[k])^2": _loss,
    r"\frac{\partial L}{\partial a_2[k]} = a_2[k] - y[k]": _da2,
    r"\frac{\partial L}{\partial z_2[k]} = \frac{\partial L}{\partial a_2[k]} \cdot \frac{d a_2[k]}{d z_2[k]} = "
    r"(a_2[k] - y[k]) \cdot a_2[k] (1 - a_2[k])": _dz2,
    r"L = \frac12 \sum_k (\sigma(z_2[k]) - y[k])^2": _loss_of_z2,
    r"z_2[k] = \sum_j W_2[k,j] a_1[j] + b_2[k]": _z2_entry,
    r"\frac{\partial z_2[k]}{\partial W_2[k,j]} = a_1[j] \qquad \frac{\partial z_2[k]}{\partial b_2[k]} = 1": (
        _local_of_layer
    ),
    r"\frac{\partial L}{\partial W_2[k,j]} = \frac{\partial L}{\partial z_2[k]} \cdot a_1[j] \qquad "
    r"\frac{\partial L}{\partial b_2[k]} = \frac{\partial L}{\partial z_2[k]}": _output_layer,
    r"\frac{\partial L}{\partial a_1[j]} = \sum_k \frac{\partial L}{\partial z_2[k]} \cdot W_2[k,j]": _da1,
    r"\frac{\partial L}{\partial z_1[j]} = \frac{\partial L}{\partial a_1[j]} \cdot a_1[j] (1 - a_1[j])": _dz1,
    r"\frac{\partial L}{\partial W_1[j,i]} = \frac{\partial L}{\partial z_1[j]} \cdot x[i] \qquad "
    r"\frac{\partial L}{\partial b_1[j]} = \frac{\partial L}{\partial z_1[j]}": _hidden_layer,
    r"W_1 \leftarrow W_1 - \eta \frac{\partial L}{\partial W_1}": _update,
    r"\frac{dL}{d\eta} = -\sum_\theta \left( \frac{\partial L}{\partial \theta} \right)^2 \qquad \text{at } \eta = 0": (
        _slope_of_the_step
    ),
    r"Z_1 = X W_1^\top + b_1 \qquad A_1 = \sigma(Z_1) \qquad Z_2 = A_1 W_2^\top + b_2 \qquad A_2 = \sigma(Z_2)": _batch,
    r"L = \frac{1}{2n} \sum_s \sum_k (A_2[s,k] - Y[s,k])^2": _batch_loss,
    r"\frac{\partial L}{\partial Z_2[s,k]} = \frac1n (A_2[s,k] - Y[s,k]) \cdot A_2[s,k] (1 - A_2[s,k])": _dZ2,
    r"\frac{\partial L}{\partial W_2[k,j]} = \sum_s \frac{\partial L}{\partial Z_2[s,k]} \cdot A_1[s,j] \qquad "
    r"\frac{\partial L}{\partial b_2[k]} = \sum_s \frac{\partial L}{\partial Z_2[s,k]}": _shared_output,
    r"\frac{\partial L}{\partial A_1[s,j]} = \sum_k \frac{\partial L}{\partial Z_2[s,k]} \cdot W_2[k,j] \qquad "
    r"\frac{\partial L}{\partial Z_1[s,j]} = \frac{\partial L}{\partial A_1[s,j]} \cdot A_1[s,j] (1 - A_1[s,j])": (
        _sent_back
    ),
    r"\frac{\partial L}{\partial W_1[j,i]} = \sum_s \frac{\partial L}{\partial Z_1[s,j]} \cdot X[s,i] \qquad "
    r"\frac{\partial L}{\partial b_1[j]} = \sum_s \frac{\partial L}{\partial Z_1[s,j]}": _shared_hidden,
    r"Z_k = A_{k-1} W_k^\top + b_k \qquad A_k = \sigma(Z_k)": _deep_forward,
    r"D_k = (D_{k+1} W_{k+1}) \odot A_k \odot (1 - A_k)": _deep_gradients,
    r"\frac{\partial L}{\partial W_k} = D_k^\top A_{k-1} \qquad \frac{\partial L}{\partial b_k} = \sum_s D_k[s]": (
        _deep_gradients
    ),
    r"\ell = -y \log a - (1 - y) \log (1 - a) \qquad \text{with } a = \sigma(z)": _cross_entropy,
    r"\frac{d\ell}{da} = -\frac{y}{a} + \frac{1 - y}{1 - a} = \frac{a - y}{a (1 - a)}": _cross_entropy_slope,
    r"L = -\frac1n \sum_s \sum_k \left( Y[s,k] \log A_2[s,k] + (1 - Y[s,k]) \log (1 - A_2[s,k]) \right) \qquad "
    r"\text{with } A_2 = \sigma(Z_2)": _cross_entropy_of_a_batch,
    r"L_{\text{total}} = L + \frac{\lambda}{2} \sum_{p,q} W[p,q]^2": _penalty,
    r"\frac{\partial}{\partial W[k,j]} \frac{\lambda}{2} \sum_{p,q} W[p,q]^2 = \lambda W[k,j]": _penalty_gradient,
}
