"""The laboratory of lesson 10: networks that all learn to read digits, though not all of their gradients are right.

Every network has three layers, tanh in the two hidden ones, and the same loss

    L = categorical cross-entropy of softmax(Z3), mean over the samples, + λ/2 Σ_k Σ W_k²

with weight decay on the weights and not on the biases. They start with the same parameters and see the same batches in
the same order. They differ in the backward pass alone: one is right, each of the others makes one mistake. Which is
which is decided by a shuffle and is to be found out by measuring: `loss` is right in all of them, so `gradients` can be
compared with its numerical derivative.

That training goes well is no evidence for the gradients: directions that are only roughly downhill train too, even
those sent back through random weights (Lillicrap, Cownden, Tweed, Akerman, Nature Communications 7, 2016,
doi 10.1038/ncomms13276).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from chainrule_lib._arrays import Array, as_numbers, check_whole_number, random_numbers
from chainrule_lib.activations import softmax, tanh
from chainrule_lib.losses import categorical_cross_entropy_from_logits

SIZES = (64, 28, 20, 10)
"""Pixels, hidden units of the first and the second layer, digits."""

LEARNING_RATE = 0.3
BATCH_SIZE = 32

Parameters = dict[str, Array]
"""W1, b1, W2, b2, W3, b3 by name."""


@dataclass(frozen=True)
class _Habits:
    """How a network computes its gradients; the defaults are right."""

    error: Callable[[Array, Array], Array] = lambda P, Y: (P - Y) / len(Y)
    slope: Callable[[int, Array], Any] = lambda layer, A: 1 - A**2
    bias: Callable[[Array], Array] = lambda dZ: dZ.sum(axis=0)
    bias_decay: float = 0.0
    look_ahead: float = 0.0
    rate: float = LEARNING_RATE


_HABITS = (
    _Habits(),
    _Habits(slope=lambda layer, A: 1.0 if layer == 1 else 1 - A**2),
    _Habits(bias=lambda dZ: dZ.mean(axis=0)),
    _Habits(look_ahead=LEARNING_RATE),
    _Habits(bias_decay=1.0),
    _Habits(error=lambda P, Y: P - Y, rate=LEARNING_RATE / BATCH_SIZE),
)


class LabNetwork:
    """A network under investigation.

    Attributes:
        name: its letter.
        strength: λ of the weight decay.
        parameters: W1, b1, W2, b2, W3, b3 by name, W_k (d_out, d_in) and b_k (d_out,); `train` replaces them.
    """

    def __init__(self, name: str, habits: _Habits, *, strength: float = 1e-3, seed: int = 0) -> None:
        self.name = name
        self.strength = strength
        self._habits = habits
        random = random_numbers(seed)
        self.parameters: Parameters = {}
        for k, (d_in, d_out) in enumerate(pairwise(SIZES), start=1):
            self.parameters[f"W{k}"] = random.normal(0, d_in**-0.5, size=(d_out, d_in))
            self.parameters[f"b{k}"] = np.zeros(d_out)

    def __repr__(self) -> str:
        return f"network {self.name}"

    def loss(self, X: ArrayLike, Y: ArrayLike, parameters: Mapping[str, Any] | None = None) -> Any:
        """The loss on the samples X with one-hot labels Y, weight decay included.

        Args:
            X: images, (n, 64).
            Y: labels, (n, 10).
            parameters: where to evaluate it, by name as in `parameters`; the network's own where none are given.

        Returns:
            One number.

        Raises:
            TypeError: an argument holds no numbers.
            ValueError: the shapes do not fit.
        """
        parameters = self.parameters if parameters is None else parameters
        penalty = sum(np.sum(as_numbers(parameters[f"W{k}"], f"W{k}") ** 2) for k in range(1, len(SIZES)))
        logits = _forward(_images(X), parameters)[-1]
        return categorical_cross_entropy_from_logits(logits, Y) + self.strength / 2 * penalty

    def gradients(self, X: ArrayLike, Y: ArrayLike, parameters: Mapping[str, Any] | None = None) -> Parameters:
        """What this network takes for the gradients of its loss.

        Args:
            X: images, (n, 64).
            Y: labels, (n, 10).
            parameters: where, as in `loss`.

        Returns:
            An array for every parameter, by its name and in its shape.

        Raises:
            TypeError: an argument holds no numbers.
            ValueError: the shapes do not fit.
        """
        parameters = self.parameters if parameters is None else parameters
        X, Y, habits = _images(X), as_numbers(Y, "Y"), self._habits
        if Y.shape != (len(X), SIZES[-1]):
            raise ValueError(f"Y has shape {Y.shape}, X has shape {X.shape}: expected Y of shape ({len(X)}, 10).")
        *activations, logits = _forward(X, parameters)
        dZ = habits.error(softmax(logits), Y)
        found: Parameters = {}
        for k in range(len(SIZES) - 1, 0, -1):
            W, b = (as_numbers(parameters[f"{letter}{k}"], f"{letter}{k}") for letter in "Wb")
            found[f"b{k}"] = habits.bias(dZ) + habits.bias_decay * self.strength * b
            found[f"W{k}"] = dZ.T @ activations[k - 1] + self.strength * W
            if k > 1:
                dA = dZ @ (W - habits.look_ahead * found[f"W{k}"])
                dZ = dA * habits.slope(k - 1, activations[k - 1])
        return {name: found[name] for name in self.parameters}

    def train(self, X: ArrayLike, Y: ArrayLike, *, epochs: int = 30, seed: int = 0) -> list[float]:
        """Gradient descent with the network's own gradients, in shuffled batches of 32.

        Args:
            X: images, (n, 64).
            Y: labels, (n, 10).
            epochs: how often every image is used.
            seed: of the order of the images.

        Returns:
            The loss after every epoch.

        Raises:
            TypeError: X or Y holds no numbers.
            ValueError: the shapes do not fit, or epochs or seed is no such whole number.
        """
        X, Y = _images(X), as_numbers(Y, "Y")
        check_whole_number(epochs, "epochs", 1)
        random, history = random_numbers(seed), []
        for _ in range(epochs):
            order = random.permutation(len(X))
            for start in range(0, len(X), BATCH_SIZE):
                batch = order[start : start + BATCH_SIZE]
                gradients = self.gradients(X[batch], Y[batch])
                self.parameters = {
                    name: value - self._habits.rate * gradients[name] for name, value in self.parameters.items()
                }
            history.append(self.loss(X, Y))
        return history

    def accuracy(self, X: ArrayLike, Y: ArrayLike) -> float:
        """The share of images whose digit is recognized.

        Args:
            X: images, (n, 64).
            Y: labels, (n, 10).

        Returns:
            Between 0 and 1.

        Raises:
            TypeError: X or Y holds no numbers.
            ValueError: the shapes do not fit.
        """
        logits = _forward(_images(X), self.parameters)[-1]
        return float(np.mean(logits.argmax(axis=1) == as_numbers(Y, "Y").argmax(axis=1)))


def networks(seed: int = 1) -> dict[str, LabNetwork]:
    """Fresh networks A to F for the laboratory, one of them right, each other with one mistake.

    Args:
        seed: of the shuffle that deals out the letters; lesson 10 asks about the networks of the default.

    Returns:
        The networks by their letters.

    Raises:
        ValueError: the seed is no whole number, or negative.
    """
    dealt = random_numbers(seed).permutation(len(_HABITS))
    return {letter: LabNetwork(letter, _HABITS[i]) for letter, i in zip("ABCDEF", dealt, strict=True)}


def _images(X: ArrayLike) -> Array:
    X = as_numbers(X, "X")
    if X.ndim != 2 or X.shape[1] != SIZES[0] or len(X) == 0:
        raise ValueError(f"X has shape {X.shape}: expected images of 64 pixels in rows, (n, 64), n > 0.")
    return X


def _forward(X: Array, parameters: Mapping[str, Any]) -> list[Array]:
    """X, the activations of the hidden layers, and the logits."""
    values = [X]
    for k in range(1, len(SIZES)):
        W, b = as_numbers(parameters[f"W{k}"], f"W{k}"), as_numbers(parameters[f"b{k}"], f"b{k}")
        Z = values[-1] @ W.T + b
        values.append(Z if k == len(SIZES) - 1 else tanh(Z))
    return values
