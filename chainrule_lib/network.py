"""Networks of sigmoid layers, of any depth: the forward pass with its intermediate values, and `SigmoidNetwork`.

A layer is affine, then σ:

    one sample   z = W x + b,         a = σ(z)        x (d_in,),    z and a (d_out,)
    a batch      Z = X Wᵀ + b,        A = σ(Z)        X (n, d_in),  Z and A (n, d_out)

with W (d_out, d_in) and b (d_out,). The backward pass applies the chain rule from the last layer to the first:

    dZ_k = dA_k * σ'(Z_k)
    dW_k = dZ_kᵀ A_(k-1)      summed over the samples by the matrix product
    db_k = Σ_samples dZ_k
    dA_(k-1) = dZ_k W_k

where dZ_k means ∂L/∂Z_k, and A_0 is the input X (Rumelhart, Hinton, Williams, Nature 323, 1986,
doi 10.1038/323533a0; Nielsen, Neural Networks and Deep Learning, 2015, ch. 2). Layers are counted from 1.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from chainrule_lib import losses
from chainrule_lib._arrays import (
    Array,
    as_list,
    as_numbers,
    check_whole_number,
    misfit,
    random_numbers,
)
from chainrule_lib.activations import sigmoid, sigmoid_derivative
from chainrule_lib.forward import as_layers, fitting_layers
from chainrule_lib.forward import forward_pass as forward_pass  # part of this module to whoever imports it from here
from chainrule_lib.optimizers import GradientDescent, Optimizer

LossName = Literal["half_squared_error", "binary_cross_entropy"]


class ForwardCache(NamedTuple):
    """What a forward pass computes on its way. Layer k has input As[k-1], affine output Zs[k-1], output As[k].

    Attributes:
        As: the input x, then the output of every layer.
        Zs: the affine output of every layer, before σ.
    """

    As: list[Array]
    Zs: list[Array]


class Gradients(NamedTuple):
    """The gradients of a loss L, each in the shape of what it belongs to.

    Attributes:
        dWs: ∂L/∂W of every layer, first layer first.
        dbs: ∂L/∂b of every layer.
        dX: ∂L/∂x, in the shape of the input.
    """

    dWs: list[Array]
    dbs: list[Array]
    dX: Array


def forward_cache(x: ArrayLike, weights: Sequence[ArrayLike], biases: Sequence[ArrayLike]) -> ForwardCache:
    """The forward pass through layers of σ(W x + b), with everything it computes on its way.

    Args:
        x: one sample (d_in,) or a batch (n, d_in).
        weights: W of every layer, (d_out, d_in); the last may be (d_in,) with a number for its bias, for one output.
        biases: b of every layer, (d_out,).

    Returns:
        The cache; `As[-1]` is the output of the network.

    Raises:
        TypeError: something holds no numbers, or weights or biases is no list.
        ValueError: the shapes do not fit; the message names both.
    """
    X, Ws, bs = fitting_layers(x, weights, biases)
    As, Zs = [X], []
    for W, b in zip(Ws, bs, strict=True):
        Zs.append(np.asarray(As[-1] @ W.T + b))
        As.append(np.asarray(sigmoid(Zs[-1])))
    return ForwardCache(As, Zs)


class SigmoidNetwork:
    """A fully connected network of sigmoid layers, of any depth.

    Nothing is remembered between calls: every method computes its own forward pass, so that no gradient can belong to
    an earlier input. The parameters are plain arrays in two lists, free to be read and replaced, also by nested lists.
    As in `forward_pass`, the last W may be one row: then one output is a number, and those of a batch are (n,).

    Attributes:
        weights: W of every layer, (sizes[k], sizes[k-1]); the last may be (sizes[k-1],) for one output.
        biases: b of every layer, (sizes[k],); a number where W is one row.
        loss_name: the loss that `loss`, `gradients` and `train` use.
    """

    def __init__(self, sizes: Sequence[int], *, seed: int = 0, loss: LossName = "half_squared_error") -> None:
        """Draw the weights from N(0, 1/d_in) and set the biases to 0.

        With that variance the inputs of σ start with a spread of about 1, where σ has a slope (LeCun, Bottou, Orr,
        Müller, Efficient BackProp, 1998, §4.6).

        Args:
            sizes: the number of inputs, then of units in every layer: [2, 3, 1] has two inputs, three hidden units
                and one output.
            seed: of the random weights; the same seed gives the same network.
            loss: "half_squared_error" or "binary_cross_entropy", with the definitions of `chainrule_lib.losses`.

        Raises:
            TypeError: sizes is no list.
            ValueError: fewer than two sizes, a size that is no positive whole number, an unknown loss, or seed < 0.
        """
        sizes = as_list(sizes, "sizes", "whole numbers, such as [2, 3, 1]")
        if len(sizes) < 2:
            raise ValueError(f"sizes is {sizes}: expected at least two whole numbers, such as [2, 3, 1].")
        for k, size in enumerate(sizes):
            check_whole_number(size, f"sizes[{k}]", 1)
        if loss not in ("half_squared_error", "binary_cross_entropy"):
            raise ValueError(f"loss is {loss!r}: expected 'half_squared_error' or 'binary_cross_entropy'.")
        random = random_numbers(seed)
        layers = list(pairwise(sizes))
        self.weights: list[Array] = [random.normal(0, d_in**-0.5, size=(d_out, d_in)) for d_in, d_out in layers]
        self.biases: list[Array] = [np.zeros(d_out) for _, d_out in layers]
        self.loss_name: LossName = loss

    def __repr__(self) -> str:
        Ws, bs = as_layers(self.weights, self.biases)
        sizes = [Ws[0].shape[-1], *(b.size for b in bs)]
        return f"SigmoidNetwork({sizes}, loss={self.loss_name!r})"

    def forward(self, x: ArrayLike) -> Array:
        """The output of the last layer.

        Args:
            x: one sample (d_in,) or a batch (n, d_in).

        Returns:
            (d_out,) for a sample, (n, d_out) for a batch.

        Raises:
            TypeError: x holds no numbers.
            ValueError: x does not fit the first layer.
        """
        return forward_cache(x, self.weights, self.biases).As[-1]

    def backward(self, x: ArrayLike, upstream: ArrayLike) -> Gradients:
        """Send an upstream gradient back through the network.

        For an L of your own: compute ∂L/∂A at A = forward(x), hand it over, and get ∂L/∂ of every parameter and of x.
        For the losses of this library `gradients` does both.

        Args:
            x: one sample (d_in,) or a batch (n, d_in).
            upstream: ∂L/∂A, in the shape of forward(x).

        Returns:
            The gradients of L.

        Raises:
            TypeError: an argument holds no numbers.
            ValueError: x does not fit the first layer, or upstream does not have the shape of the output.
        """
        cache = forward_cache(x, self.weights, self.biases)
        dA, A = as_numbers(upstream, "upstream"), cache.As[-1]
        if dA.shape != A.shape:
            raise misfit("upstream", dA, "the output", A, f"{A.shape}")
        return self._send_back(cache, self._rows(dA) * sigmoid_derivative(self._rows(cache.Zs[-1])))

    def loss(self, x: ArrayLike, y: ArrayLike) -> Any:
        """The network's loss on the samples x with targets y: mean over the samples, sum over the outputs.

        Args:
            x: one sample (d_in,) or a batch (n, d_in).
            y: targets, (d_out,) or (n, d_out).

        Returns:
            One number.

        Raises:
            TypeError: an argument holds no numbers.
            ValueError: the shapes do not fit.
        """
        return self._loss_and_dZ(forward_cache(x, self.weights, self.biases), y)[0]

    def gradients(self, x: ArrayLike, y: ArrayLike) -> tuple[Any, Gradients]:
        """The loss and its gradients, from one forward and one backward pass.

        Args:
            x: one sample (d_in,) or a batch (n, d_in).
            y: targets, (d_out,) or (n, d_out).

        Returns:
            The loss, and its gradients.

        Raises:
            TypeError: an argument holds no numbers.
            ValueError: the shapes do not fit.
        """
        cache = forward_cache(x, self.weights, self.biases)
        loss, dZ = self._loss_and_dZ(cache, y)
        return loss, self._send_back(cache, dZ)

    def train(
        self,
        X: ArrayLike,
        Y: ArrayLike,
        *,
        optimizer: Optimizer | None = None,
        epochs: int = 100,
        batch_size: int | None = None,
        seed: int = 0,
    ) -> list[float]:
        """Minimise the loss over mini-batches, drawn in a new random order in every epoch.

        `weights` and `biases` are replaced by new arrays; arrays taken from them before are left as they were.

        Args:
            X: samples, (n, d_in).
            Y: targets, (n, d_out).
            optimizer: what turns gradients into new parameters; GradientDescent(learning_rate=1.0) where none is given.
            epochs: how often every sample is used.
            batch_size: samples in a step; all of them where none is given.
            seed: of the order of the samples.

        Returns:
            The loss of every epoch: the mean over its samples, each at the step that used it.

        Raises:
            TypeError: X or Y holds no numbers.
            ValueError: the shapes do not fit, X is not a batch, epochs or batch_size is no positive whole number, or
                seed < 0.
        """
        X, Y = as_numbers(X, "X"), as_numbers(Y, "Y")
        if X.ndim != 2 or X.shape[:1] != Y.shape[:1] or len(X) == 0:
            raise ValueError(f"X has shape {X.shape}, Y has shape {Y.shape}: expected (n, d_in) and (n, d_out), n > 0.")
        size = len(X) if batch_size is None else batch_size
        check_whole_number(epochs, "epochs", 1)
        check_whole_number(size, "batch_size", 1)
        optimizer = GradientDescent(learning_rate=1.0) if optimizer is None else optimizer
        random = random_numbers(seed)
        history = []
        for _ in range(epochs):
            order = random.permutation(len(X))
            total = 0.0
            for start in range(0, len(X), size):
                batch = order[start : start + size]
                loss, gradients = self.gradients(X[batch], Y[batch])
                total += loss * len(batch)
                updated = optimizer.step([*self.weights, *self.biases], [*gradients.dWs, *gradients.dbs])
                self.weights, self.biases = updated[: len(self.weights)], updated[len(self.weights) :]
            history.append(total / len(X))
        return history

    def _rows(self, outputs: Array) -> Array:
        """What has the shape of the output as (n, d_out), also where that is of one sample or of a one-row W."""
        return outputs.reshape(-1, np.size(self.biases[-1]))

    def _loss_and_dZ(self, cache: ForwardCache, y: ArrayLike) -> tuple[Any, Array]:
        """The loss and its gradient with respect to the last layer's Z, in rows: where the backward pass starts."""
        A, Z, Y = cache.As[-1], cache.Zs[-1], as_numbers(y, "Y")
        if Y.shape != A.shape:
            raise misfit("Y", Y, "the output", A, f"{A.shape}")
        A, Z, Y = self._rows(A), self._rows(Z), self._rows(Y)
        if self.loss_name == "half_squared_error":
            dZ = losses.half_squared_error_gradient(A, Y) * sigmoid_derivative(Z)
            return losses.half_squared_error(A, Y), dZ
        dZ = losses.binary_cross_entropy_from_logits_gradient(Z, Y)
        return losses.binary_cross_entropy_from_logits(Z, Y), dZ

    def _send_back(self, cache: ForwardCache, dZ: Array) -> Gradients:
        """From ∂L/∂Z of the last layer, in rows, to the gradients of everything before it."""
        Ws, bs = as_layers(self.weights, self.biases)
        dWs, dbs = [], []
        for k in reversed(range(len(Ws))):
            dWs.append((dZ.T @ np.atleast_2d(cache.As[k])).reshape(Ws[k].shape))
            dbs.append(dZ.sum(axis=0).reshape(bs[k].shape))
            dA = dZ @ np.atleast_2d(Ws[k])
            if k > 0:
                dZ = dA * sigmoid_derivative(np.atleast_2d(cache.Zs[k - 1]))
        return Gradients(dWs[::-1], dbs[::-1], dA.reshape(cache.As[0].shape))
