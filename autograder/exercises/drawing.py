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
    """A seeded source of sizes and arrays.

    Parameters
    ----------
    seed : anything ``numpy.random.default_rng`` takes
    square : make all sizes equal, to tell by value what different sizes show as a shape error
    """

    def __init__(self, seed: int | Sequence[int], square: bool = False) -> None:
        self.rng = np.random.default_rng(seed)
        self.square = square

    def sizes(self, count: int) -> list[int]:
        """``count`` sizes, all different and from 2 up (all 3 with ``square``)."""
        if self.square:
            return [3] * count
        return [int(size) for size in self.rng.permutation(np.arange(2, max(7, count + 3)))[:count]]

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
