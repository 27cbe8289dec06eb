"""Optimizers: how gradients become new parameters.

Every optimizer has one method, `step(params, grads)`. It takes the parameters θ and the gradients g = ∂L/∂θ as two
lists of arrays of equal shapes and **returns a new list of new arrays**; nothing it is given is changed or kept. What
it remembers from step to step (a velocity, moments) is its own, starts at zero, and belongs to parameters of one set
of shapes: for another network, make another optimizer.

All parameters move at once, with gradients of the same age.
"""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike

from chainrule_lib._arrays import Array, as_list, as_numbers, is_number, positive_number


class Optimizer(Protocol):
    """Anything with this `step` can train a network."""

    def step(self, params: Sequence[ArrayLike], grads: Sequence[ArrayLike]) -> list[Array]:
        """New parameters from the old ones and their gradients."""
        ...


def _fraction(value: Any, name: str) -> float:
    if not (is_number(value) and 0 <= float(value) < 1):
        raise ValueError(f"{name} is {value!r}: expected a number from 0 up to, but not including, 1.")
    return float(value)


def _paired(params: Sequence[ArrayLike], grads: Sequence[ArrayLike]) -> tuple[list[Array], list[Array]]:
    """Both lists as arrays, each gradient in the shape of its parameter."""
    thetas = [as_numbers(param, f"params[{i}]") for i, param in enumerate(as_list(params, "params", "arrays"))]
    gs = [as_numbers(grad, f"grads[{i}]") for i, grad in enumerate(as_list(grads, "grads", "arrays"))]
    if len(thetas) != len(gs):
        raise ValueError(f"There are {len(thetas)} parameters and {len(gs)} gradients: expected one for each.")
    for i, (theta, g) in enumerate(zip(thetas, gs, strict=True)):
        if theta.shape != g.shape:
            raise ValueError(
                f"grads[{i}] has shape {g.shape}, params[{i}] has shape {theta.shape}: "
                "a gradient has the shape of its parameter."
            )
    return thetas, gs


def _remembered(memory: list[Array] | None, thetas: list[Array]) -> list[Array]:
    """The memory of the steps before, zeros before the first."""
    if memory is None:
        return [np.zeros_like(theta) for theta in thetas]
    before, now = [m.shape for m in memory], [theta.shape for theta in thetas]
    if before != now:
        raise ValueError(
            f"params has shapes {now}, in the steps before it had {before}: make a new optimizer for new parameters."
        )
    return memory


class GradientDescent:
    """θ ← θ - η g, with the learning rate η (Cauchy, 1847)."""

    def __init__(self, learning_rate: float) -> None:
        """Choose the length of the steps.

        Args:
            learning_rate: η, positive and finite.

        Raises:
            ValueError: it is not.
        """
        self.learning_rate = positive_number(learning_rate, "learning_rate")

    def step(self, params: Sequence[ArrayLike], grads: Sequence[ArrayLike]) -> list[Array]:
        """One step downhill.

        Args:
            params: θ, arrays of any shapes.
            grads: ∂L/∂θ, one for each parameter, in its shape.

        Returns:
            New parameters, as new arrays.

        Raises:
            TypeError: something holds no numbers, or is no list.
            ValueError: the two lists do not fit each other.
        """
        thetas, gs = _paired(params, grads)
        return [np.asarray(theta - self.learning_rate * g) for theta, g in zip(thetas, gs, strict=True)]


class Momentum:
    """v ← μ v - η g, then θ ← θ + v: a velocity that keeps a share μ of itself.

    In a valley it averages the zigzag away; along a steady slope g it approaches steps of η g / (1 - μ)
    (Polyak, 1964, doi 10.1016/0041-5553(64)90137-5; in this form Sutskever, Martens, Dahl, Hinton, ICML 2013).
    """

    def __init__(self, learning_rate: float, momentum: float = 0.9) -> None:
        """Choose the length of the steps and the share of the velocity that stays.

        Args:
            learning_rate: η, positive and finite.
            momentum: μ, from 0 up to, but not including, 1.

        Raises:
            ValueError: one of them is not in its range.
        """
        self.learning_rate = positive_number(learning_rate, "learning_rate")
        self.momentum = _fraction(momentum, "momentum")
        self._velocity: list[Array] | None = None

    def step(self, params: Sequence[ArrayLike], grads: Sequence[ArrayLike]) -> list[Array]:
        """One step with the velocity, after the velocity has taken in the new gradients.

        Args:
            params: θ, arrays of any shapes.
            grads: ∂L/∂θ, one for each parameter, in its shape.

        Returns:
            New parameters, as new arrays.

        Raises:
            TypeError: something holds no numbers, or is no list.
            ValueError: the two lists do not fit each other, or the shapes differ from those of the steps before.
        """
        thetas, gs = _paired(params, grads)
        velocity = _remembered(self._velocity, thetas)
        self._velocity = [self.momentum * v - self.learning_rate * g for v, g in zip(velocity, gs, strict=True)]
        return [np.asarray(theta + v) for theta, v in zip(thetas, self._velocity, strict=True)]


class Adam:
    """Adam: steps scaled, entry by entry, by running means of the gradient and of its square.

        m ← β₁ m + (1 - β₁) g             m̂ = m / (1 - β₁ᵗ)
        v ← β₂ v + (1 - β₂) g²            v̂ = v / (1 - β₂ᵗ)
        θ ← θ - η m̂ / (√v̂ + ε)           t = 1, 2, ...

    m and v start at zero and are too small at first; dividing by 1 - βᵗ corrects exactly that bias
    (Kingma, Ba, Adam: A Method for Stochastic Optimization, ICLR 2015, arXiv 1412.6980, algorithm 1).
    """

    def __init__(
        self, learning_rate: float = 0.001, beta1: float = 0.9, beta2: float = 0.999, epsilon: float = 1e-8
    ) -> None:
        """Choose the length of the steps and how long the running means remember.

        Args:
            learning_rate: η, positive and finite.
            beta1: β₁ of the mean of the gradient, from 0 up to, but not including, 1.
            beta2: β₂ of the mean of its square, in the same range.
            epsilon: ε, positive and finite; it keeps the quotient finite where all gradients were 0.

        Raises:
            ValueError: one of them is not in its range.
        """
        self.learning_rate = positive_number(learning_rate, "learning_rate")
        self.beta1 = _fraction(beta1, "beta1")
        self.beta2 = _fraction(beta2, "beta2")
        self.epsilon = positive_number(epsilon, "epsilon")
        self._t = 0
        self._m: list[Array] | None = None
        self._v: list[Array] | None = None

    def step(self, params: Sequence[ArrayLike], grads: Sequence[ArrayLike]) -> list[Array]:
        """One step of Adam; its size in every entry is at first close to the learning rate, whatever the gradient's.

        Args:
            params: θ, arrays of any shapes.
            grads: ∂L/∂θ, one for each parameter, in its shape.

        Returns:
            New parameters, as new arrays.

        Raises:
            TypeError: something holds no numbers, or is no list.
            ValueError: the two lists do not fit each other, or the shapes differ from those of the steps before.
        """
        thetas, gs = _paired(params, grads)
        m_before, v_before = _remembered(self._m, thetas), _remembered(self._v, thetas)
        self._t += 1
        self._m = [self.beta1 * m + (1 - self.beta1) * g for m, g in zip(m_before, gs, strict=True)]
        self._v = [self.beta2 * v + (1 - self.beta2) * g**2 for v, g in zip(v_before, gs, strict=True)]
        m_correction, v_correction = 1 - self.beta1**self._t, 1 - self.beta2**self._t
        return [
            np.asarray(theta - self.learning_rate * (m / m_correction) / (np.sqrt(v / v_correction) + self.epsilon))
            for theta, m, v in zip(thetas, self._m, self._v, strict=True)
        ]
