"""The forward pass of the article's network of two sigmoid layers, and what any number of such layers is checked for.

It is apart from `chainrule_lib.network`, which has the intermediate values and the backward pass too: lesson 04 uses
the one and asks for the others.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from chainrule_lib._arrays import Array, as_list, as_numbers, misfit, number_or_array
from chainrule_lib.activations import sigmoid


def as_layers(weights: Sequence[ArrayLike], biases: Sequence[ArrayLike]) -> tuple[list[Array], list[Array]]:
    """W and b of every layer as arrays that fit each other.

    Every W must take what the layer before gives, every b must fit its W. The last W may be one row, (d_in,).
    """
    Ws = [as_numbers(W, f"W{k}") for k, W in enumerate(as_list(weights, "weights", "arrays"), start=1)]
    bs = [as_numbers(b, f"b{k}") for k, b in enumerate(as_list(biases, "biases", "arrays"), start=1)]
    if len(Ws) != len(bs) or not Ws:
        raise ValueError(f"There are {len(Ws)} weights and {len(bs)} biases: expected one of each for every layer.")
    for k, (W, b) in enumerate(zip(Ws, bs, strict=True), start=1):
        is_last = k == len(Ws)
        if W.ndim != 2 and not (is_last and W.ndim == 1):
            raise ValueError(f"W{k} has shape {W.shape}: expected (d_out, d_in){' or (d_in,)' * is_last}.")
        if k > 1 and W.shape[-1] != len(Ws[k - 2]):
            width = len(Ws[k - 2])
            expected = f"(d_out, {width})" + f" or ({width},)" * is_last
            raise misfit(f"W{k}", W, f"W{k - 1}", Ws[k - 2], expected)
        if b.shape != W.shape[:-1]:
            raise misfit(f"b{k}", b, f"W{k}", W, f"{W.shape[:-1]}")
    return Ws, bs


def fitting_layers(
    x: ArrayLike, weights: Sequence[ArrayLike], biases: Sequence[ArrayLike]
) -> tuple[Array, list[Array], list[Array]]:
    """The input, W and b of every layer as arrays that fit each other; raises as `chainrule_lib.forward_cache` says."""
    X = as_numbers(x, "x")
    Ws, bs = as_layers(weights, biases)
    d_in = Ws[0].shape[-1]
    if X.ndim not in (1, 2) or X.shape[-1] != d_in:
        raise misfit("x", X, "W1", Ws[0], f"({d_in},) or (n, {d_in})")
    return X, Ws, bs


def forward_pass(x: ArrayLike, W1: ArrayLike, b1: ArrayLike, W2: ArrayLike, b2: ArrayLike) -> Any:
    """The output of the article's two-layer network, a2 = σ(W2 σ(W1 x + b1) + b2).

    The article's formula, z = W2 σ(W1 x + b1) + b2, stops before the second σ; its code, and this function, passes the
    output through σ too. So the result is σ(z), and z is what `forward_cache` calls `Zs[-1]`.

    Args:
        x: one sample (d_in,) or a batch (n, d_in).
        W1: (hidden, d_in).
        b1: (hidden,).
        W2: (d_out, hidden), or (hidden,) for a single output.
        b2: (d_out,), or a number where W2 is (hidden,).

    Returns:
        a2: (d_out,) for a sample, (n, d_out) for a batch; where W2 is (hidden,), a number or (n,).

    Raises:
        TypeError: an argument holds no numbers.
        ValueError: the shapes do not fit; the message names both.

    Example:
        >>> forward_pass([0.5, 0.3], [[0.1, 0.2], [0.3, 0.4]], [0.5, 0.6], [0.7, 0.8], 0.9)
        0.871843204787514
    """
    A, Ws, bs = fitting_layers(x, [W1, W2], [b1, b2])
    for W, b in zip(Ws, bs, strict=True):
        A = np.asarray(sigmoid(A @ W.T + b))
    return number_or_array(A)
