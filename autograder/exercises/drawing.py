"""Random test points that do not hide mistakes.

A case separates a right answer from a wrong one only if nothing in it happens to cancel: all sizes differ and exceed 1
(equal sizes hide transposes, a batch of one hides the mean), biases are not zero, pre-activations are moderate (a
saturated σ hides its derivative). ``Draw`` makes such values the easy ones to ask for.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


class Draw:
    """A seeded source of sizes and arrays for one case of several.

    Parameters
    ----------
    seed : anything ``numpy.random.default_rng`` takes; the same for all cases of a check
    case : the number of the case, from 0; neighbouring cases differ in sizes and in signs
    square : make all sizes equal, to tell by value what different sizes show as a shape error
    """

    def __init__(self, seed: int | Sequence[int], case: int = 0, square: bool = False) -> None:
        # The children that SeedSequence(seed).spawn would give, without those of the cases before.
        shared, own = (np.random.SeedSequence(seed, spawn_key=(key,)) for key in (0, case + 1))
        self.rng = np.random.default_rng(own)
        self._shared = np.random.default_rng(shared)
        self._case = case
        self._square = square
        self._numbers = 0

    def sizes(self, count: int) -> list[int]:
        """``count`` sizes, all different and from 2 up (all 3 with ``square``); in the next case each is another."""
        if self._square:
            return [3] * count
        pool = np.roll(self._shared.permutation(np.arange(2, max(7, count + 3))), self._case)
        return [int(size) for size in pool[:count]]

    def number(self, low: float, high: float) -> float:
        """A number of either sign, between ``low`` and ``high`` in size.

        Over four cases every number, and every product of two numbers, has each sign twice: no sign can be lost in all.
        """
        self._numbers += 1
        pattern = (1, 2, 3)[self._numbers % 3]  # rows of a 4 x 4 Hadamard matrix
        turned = bin(self._case & pattern).count("1") + int(self._shared.integers(2))
        return float(self.rng.uniform(low, high)) * (-1) ** turned

    def turn(self, *values: int) -> int:
        """One of these values, and in the next case the next one: each of them is in a check of as many cases."""
        return values[(self._case + int(self._shared.integers(len(values)))) % len(values)]

    def uniform(self, low: float, high: float, *shape: int) -> Array:
        """Numbers between ``low`` and ``high``; a float without a shape."""
        return self.rng.uniform(low, high, shape) if shape else self.rng.uniform(low, high)  # type: ignore[return-value]

    def normal(self, *shape: int) -> Array:
        """Standard normal numbers."""
        return self.rng.normal(size=shape)

    def nonzero(self, *shape: int) -> Array:
        """Numbers of either sign, at least 0.3 and at most 1.2 in size: biases, kernels, upstream gradients."""
        size = self.rng.uniform(0.3, 1.2, shape)
        return np.where(self.rng.random(shape) < 0.5, -size, size)

    def weights(self, d_out: int, d_in: int) -> Array:
        """A (d_out, d_in) weight matrix that keeps pre-activations moderate."""
        return self.nonzero(d_out, d_in) * 1.5 / np.sqrt(d_in)

    def integer(self, low: int, high: int) -> int:
        """A whole number from ``low`` up to and including ``high``."""
        return int(self.rng.integers(low, high, endpoint=True))
