"""A vanilla recurrent network, backpropagation through time, and clipping.

The same weights are used at every time step t = 1 ... T, starting from the initial state h_0:

    z_t = W_xh x_t + W_hh h_(t-1) + b_h
    h_t = tanh(z_t)
    y_t = W_hy h_t + b_y

with x_t (d_in,), z_t and h_t (hidden,), y_t (d_out,). Backpropagation through time is the chain rule on these
equations, from t = T down to 1. The state h_t reaches the loss on two paths, through y_t and through z_(t+1), and
both add up:

    dh_t = W_hyᵀ dy_t + W_hhᵀ dz_(t+1)      (at t = T the first term only, at t = 0 the second only)
    dz_t = dh_t * tanh'(z_t)                tanh'(z_t) = 1 - h_t²
    dW_hh = Σ_t dz_t h_(t-1)ᵀ               every step uses W_hh, so its gradient is a sum over the steps
    dW_xh = Σ_t dz_t x_tᵀ,   db_h = Σ_t dz_t,   dW_hy = Σ_t dy_t h_tᵀ,   db_y = Σ_t dy_t,   dx_t = W_xhᵀ dz_t

where dh_t means ∂L/∂h_t (Werbos, Proceedings of the IEEE 78, 1990, doi 10.1109/5.58337). On the way from T to t the
gradient is multiplied by W_hhᵀ and tanh' at every step: a product of T - t Jacobians, which vanishes or explodes
(Bengio, Simard, Frasconi, IEEE Transactions on Neural Networks 5, 1994, doi 10.1109/72.279181; Pascanu, Mikolov,
Bengio, ICML 2013, arXiv 1211.5063).

A sequence is (T, d_in), a batch of sequences of one length is (n, T, d_in).
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from chainrule_lib._arrays import (
    Array,
    as_list,
    as_numbers,
    check_whole_number,
    misfit,
    positive_number,
    random_numbers,
)
from chainrule_lib.activations import tanh, tanh_derivative


class RNNParameters(NamedTuple):
    """The parameters of a recurrent network, in the order in which every function here takes and returns them.

    Attributes:
        W_xh: from input to state, (hidden, d_in).
        W_hh: from state to state, (hidden, hidden).
        b_h: (hidden,).
        W_hy: from state to output, (d_out, hidden).
        b_y: (d_out,).
    """

    W_xh: Array
    W_hh: Array
    b_h: Array
    W_hy: Array
    b_y: Array

    @classmethod
    def random(cls, d_in: int, hidden: int, d_out: int, *, gain: float = 1.0, seed: int = 0) -> "RNNParameters":
        """Random parameters: W_hh = gain * Q with a random orthogonal Q, the others N(0, 1/columns), biases 0.

        All singular values of W_hh are then equal to the gain, so a step back in time multiplies the length of a
        gradient by the gain, and by tanh' ≤ 1: below 1 it must vanish, above 1 it can explode
        (Saxe, McClelland, Ganguli, ICLR 2014, arXiv 1312.6120).

        Args:
            d_in: inputs at every step.
            hidden: entries of the state.
            d_out: outputs at every step.
            gain: the singular values of W_hh; positive and finite.
            seed: the same seed gives the same parameters.

        Returns:
            New parameters.

        Raises:
            ValueError: a size is no positive whole number, the gain is not positive and finite, or seed < 0.
        """
        for name, size in (("d_in", d_in), ("hidden", hidden), ("d_out", d_out)):
            check_whole_number(size, name, 1)
        gain = positive_number(gain, "gain")
        random = random_numbers(seed)
        Q, R = np.linalg.qr(random.normal(size=(hidden, hidden)))
        Q = Q * np.sign(np.diag(R))  # without the signs, some orthogonal matrices would be likelier than others
        W_xh = random.normal(0, d_in**-0.5, size=(hidden, d_in))
        W_hy = random.normal(0, hidden**-0.5, size=(d_out, hidden))
        return cls(W_xh, gain * Q, np.zeros(hidden), W_hy, np.zeros(d_out))


class RNNCache(NamedTuple):
    """What a forward pass was given and what it computed: all that the backward pass needs.

    What was given is not copied: a parameter changed in place between the two passes makes its gradient wrong.

    Attributes:
        parameters: the parameters used.
        X: the inputs, (T, d_in) or (n, T, d_in).
        h0: the initial state as it was given, (hidden,) or (n, hidden).
        Z: the input of tanh at t = 1 ... T, (T, hidden) or (n, T, hidden).
        H: the states at t = 0 ... T, (T + 1, hidden) or (n, T + 1, hidden); `H[..., t, :]` is h_t.
        Y: the outputs at t = 1 ... T, (T, d_out) or (n, T, d_out); `Y[..., t - 1, :]` is y_t.
    """

    parameters: RNNParameters
    X: Array
    h0: Array
    Z: Array
    H: Array
    Y: Array


class RNNGradients(NamedTuple):
    """The gradients of a loss L, each in the shape of what it belongs to.

    Attributes:
        parameters: ∂L/∂W_xh, ∂L/∂W_hh, ∂L/∂b_h, ∂L/∂W_hy and ∂L/∂b_y, under the names of what they belong to, so that
            they go to an optimizer as they are.
        dX: ∂L/∂x_t at every step.
        dh0: ∂L/∂h_0; where a batch shares one (hidden,) initial state, summed over the batch.
        dH: ∂L/∂h_t at t = 0 ... T for every sequence.
    """

    parameters: RNNParameters
    dX: Array
    dh0: Array
    dH: Array

    @property
    def norms_by_step(self) -> Array:
        """The Euclidean norm of ∂L/∂h_t at t = 0 ... T, (T + 1,) or (n, T + 1): how far back in time L is felt."""
        return np.asarray(np.linalg.norm(self.dH, axis=-1))


def rnn_forward(x: ArrayLike, parameters: Sequence[ArrayLike], h0: ArrayLike | None = None) -> RNNCache:
    """The forward pass through all time steps.

    Args:
        x: one sequence (T, d_in) or a batch (n, T, d_in).
        parameters: an `RNNParameters`, or W_xh, W_hh, b_h, W_hy and b_y in this order.
        h0: the initial state, (hidden,), or one for each sequence of a batch, (n, hidden); zeros where none is given.

    Returns:
        The cache; `Y` are the outputs, and `H[..., -1, :]` is the last state, from which a next piece can go on.

    Raises:
        TypeError: something holds no numbers.
        ValueError: the shapes do not fit; the message names both.
    """
    W_xh, W_hh, b_h, W_hy, b_y = weights = _checked_parameters(parameters)
    X = as_numbers(x, "x")
    d_in, hidden = W_xh.shape[1], len(W_hh)
    if X.ndim not in (2, 3) or X.shape[-1] != d_in:
        raise misfit("x", X, "W_xh", W_xh, f"(T, {d_in}) or (n, T, {d_in})")
    *batch, T, _ = X.shape
    if T == 0:
        raise ValueError(f"x has shape {X.shape}: expected at least one time step.")
    start = np.zeros(hidden) if h0 is None else as_numbers(h0, "h0")
    if start.shape not in ((hidden,), (*batch, hidden)):
        raise misfit("h0", start, "x", X, f"({hidden},)" if not batch else f"({hidden},) or ({batch[0]}, {hidden})")

    from_inputs = X @ W_xh.T + b_h  # this does not wait for the states: all steps at once
    Zs: list[Array] = []
    Hs: list[Array] = [np.broadcast_to(start, (*batch, hidden))]
    for t in range(1, T + 1):
        Zs.append(from_inputs[..., t - 1, :] + Hs[t - 1] @ W_hh.T)
        Hs.append(np.asarray(tanh(Zs[t - 1])))
    H = np.stack(Hs, axis=-2)
    return RNNCache(weights, X, start, np.stack(Zs, axis=-2), H, H[..., 1:, :] @ W_hy.T + b_y)


def rnn_backward(cache: RNNCache, dY: ArrayLike, *, truncation: int | None = None) -> RNNGradients:
    """Backpropagation through time: from ∂L/∂y_t at every step to the gradients of everything before.

    A loss of the last output alone has a dY that is zero at every other step.

    **Truncation.** With `truncation=k` the loss at step t is sent back through k steps, t, t-1, ..., t-k+1, and no
    further: the state h_(t-k) before them counts as a constant, unless it is h_0 itself. With k = 1 every step is on
    its own; k ≥ T leaves nothing out. The cost is that of k steps, however long the sequence (BPTT(h) of Williams,
    Peng, Neural Computation 2, 1990, doi 10.1162/neco.1990.2.4.490). The coarser habit of cutting a long sequence into
    pieces needs no truncation here: run each piece with the last state of the piece before as its h0, and add the
    gradients of the pieces.

    Args:
        cache: of the forward pass, from `rnn_forward`.
        dY: ∂L/∂y_t at every step, in the shape of the outputs, (T, d_out) or (n, T, d_out).
        truncation: k, the steps through which the loss of a step is sent back; all of them where none is given.

    Returns:
        The gradients of L; those of the parameters are sums over the steps and over the batch.

    Raises:
        TypeError: dY holds no numbers.
        ValueError: dY does not have the shape of the outputs, or truncation is no positive whole number.
    """
    dY = as_numbers(dY, "dY")
    if dY.shape != cache.Y.shape:
        raise misfit("dY", dY, "the output", cache.Y, f"{cache.Y.shape}")
    W_xh, W_hh, _, W_hy, _ = cache.parameters
    slope = tanh_derivative(cache.Z)
    dH_from_Y = (dY @ W_hy).astype(np.result_type(dY, W_hy, slope))
    if truncation is None:
        dH = _through_time(dH_from_Y, slope, W_hh)
    else:
        check_whole_number(truncation, "truncation", 1)
        dH = _through_k_steps(dH_from_Y, slope, W_hh, truncation)
    dZ = dH[..., 1:, :] * slope
    gradients = RNNParameters(
        W_xh=_sum_of_outer_products(dZ, cache.X),
        W_hh=_sum_of_outer_products(dZ, cache.H[..., :-1, :]),
        b_h=_sum_over_steps(dZ),
        W_hy=_sum_of_outer_products(dY, cache.H[..., 1:, :]),
        b_y=_sum_over_steps(dY),
    )
    dh0 = dH[..., 0, :].copy()
    return RNNGradients(gradients, dZ @ W_xh, dh0 if cache.h0.shape == dh0.shape else dh0.sum(axis=0), dH)


def _through_time(dH_from_Y: Array, slope: Array, W_hh: Array) -> Array:
    """∂L/∂h_t at t = 0 ... T, from the share of it that comes through y_t."""
    dH = _with_initial_state(dH_from_Y)
    for t in range(dH.shape[-2] - 1, 0, -1):
        dH[..., t - 1, :] += (dH[..., t, :] * slope[..., t - 1, :]) @ W_hh
    return dH


def _through_k_steps(dH_from_Y: Array, slope: Array, W_hh: Array, k: int) -> Array:
    """The part of ∂L/∂h_t that comes through the outputs t ... t+k-1, for h_0 the outputs 1 ... k.

    One round takes what every output sends to the state j steps before it one step further back, all at once.
    """
    dH = np.zeros_like(_with_initial_state(dH_from_Y))
    travelling = dH_from_Y
    for _ in range(min(k, dH_from_Y.shape[-2])):
        steps = travelling.shape[-2]
        dH[..., 1 : steps + 1, :] += travelling
        one_step_back = (travelling * slope[..., :steps, :]) @ W_hh
        dH[..., 0, :] += one_step_back[..., 0, :]
        travelling = one_step_back[..., 1:, :]
    return dH


def _with_initial_state(dH_from_Y: Array) -> Array:
    """With a row of zeros for h_0, which has no output."""
    return np.concatenate([np.zeros_like(dH_from_Y[..., :1, :]), dH_from_Y], axis=-2)


def _sum_over_steps(dZ: Array) -> Array:
    """Over the steps, and over the sequences of a batch."""
    return dZ.reshape(-1, dZ.shape[-1]).sum(axis=0)


def _sum_of_outer_products(dZ: Array, inputs: Array) -> Array:
    """Σ dz_t inputs_tᵀ over the steps, and over the sequences of a batch."""
    return dZ.reshape(-1, dZ.shape[-1]).T @ inputs.reshape(-1, inputs.shape[-1])


def _checked_parameters(parameters: Sequence[ArrayLike]) -> RNNParameters:
    """The five arrays, each in a shape that fits the others."""
    values = as_list(parameters, "parameters", "arrays")
    if len(values) != len(RNNParameters._fields):
        raise ValueError(f"There are {len(values)} parameters: expected W_xh, W_hh, b_h, W_hy and b_y.")
    checked = RNNParameters(*map(as_numbers, values, RNNParameters._fields))
    W_xh, W_hh, b_h, W_hy, b_y = checked
    if W_xh.ndim != 2:
        raise ValueError(f"W_xh has shape {W_xh.shape}: expected (hidden, d_in).")
    hidden = len(W_xh)
    if W_hh.shape != (hidden, hidden):
        raise misfit("W_hh", W_hh, "W_xh", W_xh, f"({hidden}, {hidden})")
    if b_h.shape != (hidden,):
        raise misfit("b_h", b_h, "W_xh", W_xh, f"({hidden},)")
    if W_hy.ndim != 2 or W_hy.shape[1] != hidden:
        raise misfit("W_hy", W_hy, "W_hh", W_hh, f"(d_out, {hidden})")
    if b_y.shape != W_hy.shape[:1]:
        raise misfit("b_y", b_y, "W_hy", W_hy, f"{W_hy.shape[:1]}")
    return checked


def gradient_norm(gradients: Sequence[ArrayLike]) -> float:
    """√ Σ g², over all entries of all gradients together.

    Args:
        gradients: a list of arrays of any shapes, such as `RNNGradients.parameters`.

    Returns:
        The norm.

    Raises:
        TypeError: something holds no real numbers, or gradients is one array instead of a list of arrays.
        ValueError: an entry is not finite.
    """
    largest, length = _norm_in_two_factors(_finite_gradients(gradients))
    return largest * length


def clip_by_norm(gradients: Sequence[ArrayLike], max_norm: float) -> list[Array]:
    """g * max_norm / ‖g‖ where the norm of all gradients together is larger than max_norm, else g.

    All gradients are scaled by the same number, so their direction stays (Pascanu, Mikolov, Bengio, ICML 2013, arXiv
    1211.5063, algorithm 1). PyTorch's `clip_grad_norm_` divides by ‖g‖ + 1e-6 instead.

    Args:
        gradients: a list of arrays of any shapes.
        max_norm: the largest norm allowed, positive and finite.

    Returns:
        New arrays, in the shapes of the gradients.

    Raises:
        TypeError: something holds no real numbers, or gradients is one array instead of a list of arrays.
        ValueError: an entry is not finite, or max_norm is not positive and finite.
    """
    max_norm = positive_number(max_norm, "max_norm")
    arrays = _finite_gradients(gradients)
    largest, length = _norm_in_two_factors(arrays)
    if largest * length <= max_norm:
        return [g.copy() for g in arrays]
    return [np.asarray(g / largest * (max_norm / length)) for g in arrays]


def clip_by_value(gradients: Sequence[ArrayLike], limit: float) -> list[Array]:
    """Every entry moved into [-limit, limit] by itself; that turns the direction of the gradient.

    Args:
        gradients: a list of arrays of any shapes.
        limit: the largest size of an entry, positive and finite.

    Returns:
        New arrays, in the shapes of the gradients.

    Raises:
        TypeError: something holds no real numbers, or gradients is one array instead of a list of arrays.
        ValueError: an entry is not finite, or limit is not positive and finite.
    """
    limit = positive_number(limit, "limit")
    return [np.asarray(np.clip(g, -limit, limit)) for g in _finite_gradients(gradients)]


def _finite_gradients(gradients: Any) -> list[Array]:
    """The gradients as arrays. No clipping repairs an inf or a nan, so they are refused."""
    if isinstance(gradients, np.ndarray):
        raise TypeError(
            f"gradients is one array of shape {gradients.shape}: expected a list of arrays, as in [dW, db]."
        )
    arrays = [as_numbers(g, f"gradients[{i}]") for i, g in enumerate(as_list(gradients, "gradients", "arrays"))]
    for i, g in enumerate(arrays):
        if np.iscomplexobj(g):
            raise TypeError(f"gradients[{i}] is complex: expected real numbers.")
        if not np.all(np.isfinite(g)):
            raise ValueError(f"gradients[{i}] has entries that are not finite: expected finite numbers.")
    return arrays


def _norm_in_two_factors(arrays: list[Array]) -> tuple[float, float]:
    """The largest entry's size, and the norm divided by it: no square overflows, however far gradients explode."""
    largest = max((float(np.abs(g).max(initial=0.0)) for g in arrays), default=0.0)
    squares = sum(float(np.sum((g / largest) ** 2)) for g in arrays) if largest else 0.0
    return largest, squares**0.5
