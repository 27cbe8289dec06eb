"""Activation functions, each beside its derivative.

Every function takes a number, a list or an array z of any shape and works entry by entry, except softmax, which works
along the last axis. A number in gives a Python number out; an array in gives a new array of the same shape.

All are written without overflow for any finite float and stay analytic for complex z, so that the complex step
(`chainrule_lib.numerical`) can differentiate them; where a formula has branches, the real part chooses.

The derivatives are given as functions of z, the input of the activation, not of its output a.
"""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from chainrule_lib._arrays import Array, as_numbers, minus_the_largest, number_or_array


def _exp_of_minus_magnitude(z: Array) -> Array:
    """e^(-|z|) with |z| read as ±z by the sign of the real part: at most 1 in size, so it cannot overflow."""
    return np.exp(np.where(z.real < 0, z, -z))


def sigmoid(z: ArrayLike) -> Any:
    """σ(z) = 1 / (1 + e^(-z)).

    For a negative z it is computed as e^z / (1 + e^z), which is the same number without an e^(-z) that overflows:
    sigmoid(-1000) is 0.0, without a warning.

    Args:
        z: any shape.

    Returns:
        σ(z), the shape of z, between 0 and 1.

    Raises:
        TypeError: z holds no numbers.
    """
    z = as_numbers(z, "z")
    e = _exp_of_minus_magnitude(z)
    return number_or_array(np.where(z.real < 0, e, 1) / (1 + e))


def sigmoid_derivative(z: ArrayLike) -> Any:
    """dσ/dz = σ(z)(1 - σ(z)).

    Computed as e^(-|z|) / (1 + e^(-|z|))², the same number: 1 - σ(z) loses its digits where σ(z) is close to 1.

    Args:
        z: any shape; the input of σ, not its output.

    Returns:
        σ'(z), the shape of z, between 0 and 1/4.

    Raises:
        TypeError: z holds no numbers.
    """
    e = _exp_of_minus_magnitude(as_numbers(z, "z"))
    return number_or_array(e / (1 + e) ** 2)


def tanh(z: ArrayLike) -> Any:
    """tanh(z) = (e^z - e^(-z)) / (e^z + e^(-z)) = 2σ(2z) - 1.

    Args:
        z: any shape.

    Returns:
        tanh(z), the shape of z, between -1 and 1.

    Raises:
        TypeError: z holds no numbers.
    """
    return number_or_array(np.asarray(np.tanh(as_numbers(z, "z"))))


def tanh_derivative(z: ArrayLike) -> Any:
    """d tanh/dz = 1 - tanh²(z) = 1/cosh²(z).

    Computed as (2e / (1 + e²))² with e = e^(-|z|), the same number: 1 - tanh²(z) loses its digits where tanh(z) is
    close to ±1.

    Args:
        z: any shape; the input of tanh, not its output.

    Returns:
        tanh'(z), the shape of z, between 0 and 1.

    Raises:
        TypeError: z holds no numbers.
    """
    e = _exp_of_minus_magnitude(as_numbers(z, "z"))
    return number_or_array(np.asarray((2 * e / (1 + e * e)) ** 2))


def relu(z: ArrayLike) -> Any:
    """relu(z) = max(z, 0).

    Args:
        z: any shape.

    Returns:
        relu(z), the shape of z.

    Raises:
        TypeError: z holds no numbers.
    """
    z = as_numbers(z, "z")
    return number_or_array(np.where(z.real < 0, 0, z))


def relu_derivative(z: ArrayLike) -> Any:
    """d relu/dz = 1 where z > 0, else 0; nan where z is nan, as everywhere.

    At the kink z = 0 there is no derivative; 0 is the convention of the field (a subgradient: Goodfellow, Bengio,
    Courville, Deep Learning, 2016, §6.3).

    Args:
        z: any shape.

    Returns:
        relu'(z), the shape of z.

    Raises:
        TypeError: z holds no numbers.
    """
    return number_or_array(np.asarray(np.heaviside(as_numbers(z, "z").real, 0.0)))


def softmax(z: ArrayLike) -> Array:
    """softmax(z)_i = e^(z_i) / Σ_j e^(z_j), along the last axis.

    The largest entry is subtracted first: that changes no quotient and keeps every exponential at most 1.

    Args:
        z: logits, (k,) or (n, k).

    Returns:
        Probabilities in the shape of z; each row sums to 1.

    Raises:
        TypeError: z holds no numbers.
        ValueError: z is a single number, or its last axis is empty.
    """
    z = as_numbers(z, "z")
    if z.ndim == 0 or z.shape[-1] == 0:
        raise ValueError(f"z has shape {z.shape}: softmax needs at least one entry along its last axis.")
    e = np.exp(minus_the_largest(z))
    return e / e.sum(axis=-1, keepdims=True)


def softmax_jacobian(z: ArrayLike) -> Array:
    """∂p_i/∂z_j = p_i (δ_ij - p_j), with p = softmax(z).

    Every probability depends on every logit, so the derivative is a matrix for each sample and not a number for each
    entry (Bishop, Pattern Recognition and Machine Learning, 2006, eq. 4.106).

    Args:
        z: logits, (k,) or (n, k).

    Returns:
        The Jacobian, (k, k) or (n, k, k); it is symmetric and its rows sum to 0.

    Raises:
        TypeError: z holds no numbers.
        ValueError: z is a single number, or its last axis is empty.
    """
    p = softmax(z)
    return p[..., :, None] * (np.eye(p.shape[-1], dtype=p.dtype) - p[..., None, :])
