"""The formulas of lesson 08: at random points, by the complex step through loops of their own, and in the library."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import sympy as sp

from autograder.exercises import find
from chainrule_lib import (
    RNNParameters,
    clip_by_norm,
    clip_by_value,
    gradient_norm,
    jacobian,
    numerical_gradient,
    rnn_backward,
    rnn_forward,
    tanh_derivative,
)

T, D, HIDDEN, OUT, K = 7, 3, 4, 2, 3


class Network:
    """A network with random numbers and a forward pass written out, in which any state or z can be replaced."""

    def __init__(self, seed: int) -> None:
        random = np.random.default_rng(seed)
        shapes = [(HIDDEN, D), (HIDDEN, HIDDEN), (HIDDEN,), (OUT, HIDDEN), (OUT,)]
        self.P = RNNParameters(*(random.normal(0, 0.6, size=shape) for shape in shapes))
        self.X, self.R = random.normal(size=(T, D)), random.normal(size=(T, OUT))
        self.h0 = random.uniform(-0.8, 0.8, size=HIDDEN)
        self.cache = rnn_forward(self.X, self.P, self.h0)
        self.dY = self.cache.Y - self.R
        self.gradients = rnn_backward(self.cache, self.dY)
        self.dZ = self.gradients.dH[1:] * (1 - self.cache.H[1:] ** 2)

    def outputs(self, P: Any = None, h0: Any = None, put: dict[str, Any] | None = None) -> list[Any]:
        """y_1 ... y_T; ``put`` replaces a state ("h3") or an input of tanh ("z3")."""
        P, put = P or self.P, put or {}
        h, found = put.get("h0", self.h0 if h0 is None else h0), []
        for t in range(1, T + 1):
            z = put.get(f"z{t}", P.W_xh @ self.X[t - 1] + P.W_hh @ h + P.b_h)
            h = put.get(f"h{t}", np.tanh(z))
            found.append(P.W_hy @ h + P.b_y)
        return found

    def loss(self, **changes: Any) -> Any:
        return sum(np.sum((y - r) ** 2) for y, r in zip(self.outputs(**changes), self.R, strict=True)) / 2

    def at(self, name: str) -> Any:
        """The value of a state or of an input of tanh."""
        return self.cache.H[int(name[1:])] if name[0] == "h" else self.cache.Z[int(name[1:]) - 1]

    def by(self, name: str) -> Any:
        """∂L by a state, an input of tanh, or a parameter."""
        if name in RNNParameters._fields:
            return measured(lambda value: self.loss(P=self.P._replace(**{name: value})), getattr(self.P, name))
        return measured(lambda value: self.loss(put={name: value}), self.at(name))


def measured(f: Callable[[Any], Any], at: Any) -> Any:
    return numerical_gradient(f, at, method="complex")


@cache
def network(seed: int = 0) -> Network:
    return Network(seed)


def same(left: Any, right: Any) -> None:
    np.testing.assert_allclose(left, right, rtol=1e-10, atol=1e-12)


def _one_unit() -> None:
    w_xh, w_hh, b, h, x = 0.5, 0.8, 0.1, 0.3, [1.0, -1.0, 0.5, 2.0]
    P = RNNParameters(*map(np.array, ([[w_xh]], [[w_hh]], [b], [[1.0]], [0.0])))
    states = rnn_forward(np.reshape(x, (4, 1)), P, [h]).H[1:, 0]
    for t in range(4):
        h = np.tanh(w_xh * x[t] + w_hh * h + b)
        same(states[t], h)


def _forward() -> None:
    net = network()
    same(net.cache.Y, net.outputs())
    case = find("08.one_step").cases(0)[0]
    z = case["W_xh"] @ case["x"] + case["W_hh"] @ case["h_before"] + case["b_h"]
    h, y = find("08.one_step").reference(*find("08.one_step").arguments(case).values())
    same(h, np.tanh(z))
    same(y, case["W_hy"] @ np.tanh(z) + case["b_y"])


def _loss() -> None:
    net = network()
    by_entry = sum((net.cache.Y[t, k] - net.R[t, k]) ** 2 for t in range(T) for k in range(OUT)) / 2
    same(net.loss(), by_entry)
    exercise = find("08.bptt")
    case = exercise.cases(0)[0]
    P = [case[name] for name in RNNParameters._fields]
    Y = rnn_forward(case["X"], P, case["h0"]).Y
    assert exercise.loss is not None
    same(exercise.loss(*exercise.arguments(case).values()), np.sum((Y - case["targets"]) ** 2) / 2)


def _output() -> None:
    net = network()
    same(measured(lambda Y: np.sum((Y - net.R) ** 2) / 2, net.cache.Y), net.cache.Y - net.R)


def _slope_of_tanh() -> None:
    z = sp.Symbol("z", real=True)
    assert sp.simplify(sp.diff(sp.tanh(z), z) - (1 - sp.tanh(z) ** 2)) == 0
    points = np.linspace(-3, 3, 13)
    same(tanh_derivative(points), 1 - np.tanh(points) ** 2)


def _two_paths() -> None:
    for seed in range(3):
        net = network(seed)
        for t in range(1, T):
            dz_next = net.by(f"z{t + 1}")
            for i in range(HIDDEN):
                through_output = sum(net.dY[t - 1, k] * net.P.W_hy[k, i] for k in range(OUT))
                through_next = sum(dz_next[j] * net.P.W_hh[j, i] for j in range(HIDDEN))
                same(net.by(f"h{t}")[i], through_output + through_next)
        same(net.gradients.dH[1:], [net.by(f"h{t}") for t in range(1, T + 1)])


def _through_tanh() -> None:
    net = network(1)
    for t in range(1, T + 1):
        for i in range(HIDDEN):
            same(net.by(f"z{t}")[i], net.by(f"h{t}")[i] * (1 - net.cache.H[t, i] ** 2))


def _sums_over_time() -> None:
    net = network(2)
    dz, H, X = [net.by(f"z{t}") for t in range(1, T + 1)], net.cache.H, net.X
    steps = range(1, T + 1)
    W_hh = [[sum(dz[t - 1][j] * H[t - 1, i] for t in steps) for i in range(HIDDEN)] for j in range(HIDDEN)]
    W_xh = [[sum(dz[t - 1][j] * X[t - 1, i] for t in steps) for i in range(D)] for j in range(HIDDEN)]
    b_h = [sum(dz[t - 1][j] for t in steps) for j in range(HIDDEN)]
    for name, formula in (("W_hh", W_hh), ("W_xh", W_xh), ("b_h", b_h)):
        same(net.by(name), formula)
        same(getattr(net.gradients.parameters, name), formula)


def _output_layer() -> None:
    net = network(3)
    steps = range(1, T + 1)
    W_hy = [[sum(net.dY[t - 1, k] * net.cache.H[t, i] for t in steps) for i in range(HIDDEN)] for k in range(OUT)]
    b_y = [sum(net.dY[t - 1, k] for t in steps) for k in range(OUT)]
    for name, formula in (("W_hy", W_hy), ("b_y", b_y)):
        same(net.by(name), formula)
        same(getattr(net.gradients.parameters, name), formula)


def _initial_state() -> None:
    net = network(4)
    dz_1 = net.by("z1")
    formula = [sum(dz_1[j] * net.P.W_hh[j, i] for j in range(HIDDEN)) for i in range(HIDDEN)]
    same(net.by("h0"), formula)
    same(net.gradients.dh0, formula)


def _loss_of_a_batch() -> None:
    exercise = find("08.mend_the_batch")
    assert exercise.loss is not None
    for case in exercise.cases(1):
        P = [case[name] for name in RNNParameters._fields]
        Y, R = rnn_forward(case["X"], P, case["h0"]).Y, case["targets"]
        n, steps, outputs = Y.shape
        total = sum((Y[s, t, k] - R[s, t, k]) ** 2 for s in range(n) for t in range(steps) for k in range(outputs)) / (
            2 * n
        )
        same(exercise.loss(*exercise.arguments(case).values()), total)


def _jacobian_of_a_step() -> None:
    net = network(5)
    for t in range(1, T + 1):
        x = net.X[t - 1]
        step = jacobian(
            lambda h, x=x: np.tanh(net.P.W_xh @ x + net.P.W_hh @ h + net.P.b_h), net.cache.H[t - 1], method="complex"
        )
        same(step, np.diag(1 - net.cache.H[t] ** 2) @ net.P.W_hh)


def _of_the_last_output(net: Network) -> list[Any]:
    """∂L/∂h_t at t = 0 ... T, for a loss that depends on the last output alone."""
    weights = np.array([1.3, -0.7])
    return [measured(lambda h, t=t: weights @ net.outputs(put={f"h{t}": h})[-1], net.cache.H[t]) for t in range(T + 1)]


def _one_step_back() -> None:
    net = network(6)
    dh = _of_the_last_output(net)
    for t in range(1, T + 1):
        same(dh[t - 1], net.P.W_hh.T @ ((1 - net.cache.H[t] ** 2) * dh[t]))


def _gain() -> None:
    random = np.random.default_rng(8)
    for _ in range(5):
        W = random.normal(size=(HIDDEN, HIDDEN))
        gain = np.linalg.norm(W, 2)
        _, largest, right = np.linalg.svd(W)
        assert np.isclose(gain, largest[0])
        assert np.isclose(np.linalg.norm(W @ right[0]) / np.linalg.norm(right[0]), gain)  # it is reached
        v = random.normal(size=(HIDDEN, 2000))
        ratios = np.linalg.norm(W @ v, axis=0) / np.linalg.norm(v, axis=0)
        assert 0.8 * gain < ratios.max() <= gain * (1 + 1e-12)
        assert np.isclose(np.linalg.norm(W.T, 2), gain)
        same(find("08.gradient_norms").reference(v[:, 0], np.zeros((5, HIDDEN)), W)[1], gain)


def _bound() -> None:
    for seed in range(5):
        net = network(seed)
        gain = np.linalg.norm(net.P.W_hh, 2)
        norms = [np.linalg.norm(dh) for dh in _of_the_last_output(net)]
        for k in range(T + 1):
            assert norms[T - k] <= gain**k * norms[T] * (1 + 1e-12)
    # It is reached where all slopes are 1 and the matrix stretches every direction alike.
    P, upstream = RNNParameters.random(D, HIDDEN, OUT, gain=1.3, seed=1), np.zeros((T, OUT))
    upstream[-1] = 1.0
    norms = rnn_backward(rnn_forward(np.zeros((T, D)), P), upstream).norms_by_step
    same(norms, norms[T] * 1.3 ** np.arange(T, -1, -1))


def _truncation() -> None:
    net = network(7)
    H, slope = net.cache.H, 1 - net.cache.H[1:] ** 2
    alone = np.zeros((T + 1, T + 1, HIDDEN))  # alone[s, t]: what the loss of step t sends to z_s
    for t in range(1, T + 1):
        dz = (net.P.W_hy.T @ net.dY[t - 1]) * slope[t - 1]
        for s in range(t, 0, -1):
            alone[s, t] = dz
            loss_t = measured(
                lambda z, s=s, t=t: np.sum((net.outputs(put={f"z{s}": z})[t - 1] - net.R[t - 1]) ** 2) / 2,
                net.cache.Z[s - 1],
            )
            same(dz, loss_t)
            dz = (net.P.W_hh.T @ dz) * slope[s - 2] if s > 1 else dz
    truncated = rnn_backward(net.cache, net.dY, truncation=K)
    exercise = find("08.truncated")
    _, dW_hh, db_h = exercise.reference(net.X, H, net.dY, net.P.W_hh, net.P.W_hy, K)
    windows = []
    for s in range(1, T + 1):
        same(net.by(f"z{s}"), sum(alone[s, t] for t in range(s, T + 1)))
        windows.append(sum(alone[s, t] for t in range(s, min(s + K - 1, T) + 1)))
    same(truncated.dH[1:] * slope, windows)
    same(db_h, sum(windows))
    same(dW_hh, sum(np.outer(dz, h) for dz, h in zip(windows, H[:-1], strict=True)))


def _gradients_to_clip() -> list[Any]:
    random = np.random.default_rng(9)
    return [random.normal(0, scale, size=shape) for scale, shape in ((0.1, (3, 2)), (2.0, (4,)), (0.5, (2, 2)))]


def _clipping_by_norm() -> None:
    g = _gradients_to_clip()
    norm = np.sqrt(sum(np.sum(part**2) for part in g))
    same(gradient_norm(g), norm)
    for c in (0.1, 1.0, 100.0):
        clipped = find("08.clip").reference(g, c)[1]
        for part, by_exercise, by_library in zip(g, clipped, clip_by_norm(g, c), strict=True):
            same(by_exercise, part * min(1, c / norm))
            same(by_library, part * min(1, c / norm))


def _clipping_by_value() -> None:
    g = _gradients_to_clip()
    for c in (0.1, 1.0, 100.0):
        clipped = find("08.clip").reference(g, c)[2]
        for part, by_exercise, by_library in zip(g, clipped, clip_by_value(g, c), strict=True):
            by_entry = np.reshape([max(-c, min(c, entry)) for entry in part.ravel()], part.shape)
            same(by_exercise, by_entry)
            same(by_library, by_entry)


FORMULAS: dict[str, Callable[[], None]] = {
    r"z_t = w_{xh} x_t + w_{hh} h_{t-1} + b \qquad h_t = \tanh(z_t)": _one_unit,
    r"z_t = W_{xh} x_t + W_{hh} h_{t-1} + b_h \qquad h_t = \tanh(z_t) \qquad y_t = W_{hy} h_t + b_y": _forward,
    r"L = \frac12 \sum_t \sum_k (y_t[k] - r_t[k])^2": _loss,
    r"\frac{\partial L}{\partial y_t[k]} = y_t[k] - r_t[k]": _output,
    r"\frac{d}{dz} \tanh(z) = 1 - \tanh^2(z) = 1 - h^2": _slope_of_tanh,
    r"\frac{\partial L}{\partial h_t[i]} = \sum_k \frac{\partial L}{\partial y_t[k]} W_{hy}[k,i] "
    r"+ \sum_j \frac{\partial L}{\partial z_{t+1}[j]} W_{hh}[j,i]": _two_paths,
    r"\frac{\partial L}{\partial z_t[i]} = \frac{\partial L}{\partial h_t[i]} \cdot (1 - h_t[i]^2)": _through_tanh,
    r"\frac{\partial L}{\partial W_{hh}[j,i]} = \sum_t \frac{\partial L}{\partial z_t[j]} \, h_{t-1}[i] \qquad "
    r"\frac{\partial L}{\partial W_{xh}[j,i]} = \sum_t \frac{\partial L}{\partial z_t[j]} \, x_t[i] \qquad "
    r"\frac{\partial L}{\partial b_h[j]} = \sum_t \frac{\partial L}{\partial z_t[j]}": _sums_over_time,
    r"\frac{\partial L}{\partial W_{hy}[k,i]} = \sum_t \frac{\partial L}{\partial y_t[k]} \, h_t[i] \qquad "
    r"\frac{\partial L}{\partial b_y[k]} = \sum_t \frac{\partial L}{\partial y_t[k]}": _output_layer,
    r"\frac{\partial L}{\partial h_0[i]} = \sum_j \frac{\partial L}{\partial z_1[j]} W_{hh}[j,i]": _initial_state,
    r"L = \frac{1}{2n} \sum_s \sum_t \sum_k (y_{s,t}[k] - r_{s,t}[k])^2": _loss_of_a_batch,
    r"\frac{\partial h_t}{\partial h_{t-1}} = \operatorname{diag}(1 - h_t^2) \, W_{hh}": _jacobian_of_a_step,
    r"\frac{\partial L}{\partial h_{t-1}} = W_{hh}^\top \left( (1 - h_t^2) \odot "
    r"\frac{\partial L}{\partial h_t} \right)": _one_step_back,
    r"\lVert W_{hh} \rVert = \max_{v \ne 0} \frac{\lVert W_{hh} v \rVert}{\lVert v \rVert}": _gain,
    r"\left\lVert \frac{\partial L}{\partial h_{T-k}} \right\rVert \le \lVert W_{hh} \rVert^k "
    r"\left\lVert \frac{\partial L}{\partial h_T} \right\rVert": _bound,
    r"\frac{\partial L}{\partial z_s} = \sum_{t=s}^{T} D_{s,t} \qquad \text{truncated:} \quad "
    r"\sum_{t=s}^{\min(s+k-1,\,T)} D_{s,t}": _truncation,
    r"g \leftarrow g \cdot \min \left( 1, \frac{c}{\lVert g \rVert} \right)": _clipping_by_norm,
    r"g_i \leftarrow \max(-c, \min(c, g_i))": _clipping_by_value,
}
