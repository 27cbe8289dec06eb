"""Losses: how far the outputs A of a network are from the targets Y, as one number L, and the gradients of that number.

The convention of the course, for every loss here: **mean over the samples, sum over the outputs**. So

    half squared error         L = 1/(2n) Σ_samples Σ_outputs (A - Y)²
    binary cross-entropy       L = -1/n  Σ_samples Σ_outputs [Y log A + (1 - Y) log(1 - A)]
    categorical cross-entropy  L = -1/n  Σ_samples Σ_classes  Y log P

Shapes: a batch is (n, outputs); a single sample is (outputs,) or one number and counts as n = 1. The targets have the
shape of the predictions. A gradient has the shape of what it belongs to.

The cross-entropies come in two forms. From probabilities they are the formula above. From logits (`..._from_logits`)
the last σ or softmax is part of the loss: nothing overflows, and its derivative cancels, so that the gradient with
respect to the logits is just (A - Y)/n (Bishop, Pattern Recognition and Machine Learning, 2006, §5.2).

All functions accept complex predictions, which is what a complex-step derivative needs.
"""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from chainrule_lib._arrays import Array, as_numbers, minus_the_largest, number_or_array
from chainrule_lib.activations import sigmoid, softmax


def _predictions_and_targets(predictions: ArrayLike, targets: ArrayLike, name: str) -> tuple[Array, Array, int]:
    """Both as arrays of one shape, with the number of samples n."""
    A = as_numbers(predictions, name)
    Y = as_numbers(targets, "Y")
    if A.shape != Y.shape:
        raise ValueError(f"{name} has shape {A.shape}, Y has shape {Y.shape}: expected the same shape for both.")
    if A.ndim > 2 or A.size == 0:
        raise ValueError(f"{name} has shape {A.shape}: expected (n, outputs) or (outputs,), with at least one entry.")
    return A, Y, len(A) if A.ndim == 2 else 1


def _check_probabilities(A: Array, name: str) -> None:
    if np.any(A.real < 0) or np.any(A.real > 1):
        raise ValueError(f"{name} has entries outside 0 to 1: expected probabilities. Of logits, use ..._from_logits.")


def _check_distributions(Y: Array) -> None:
    if Y.ndim == 0 or np.any(Y.real < 0) or not np.allclose(Y.sum(axis=-1), 1):
        raise ValueError(
            "Y has rows that do not sum to 1, or entries below 0: expected probabilities, or one-hot labels as one_hot "
            "makes them."
        )


def _weighted(Y: Array, terms: Array) -> Array:
    """Y times the terms; a term of weight 0 is absent, be it infinite."""
    return Y * np.where(Y == 0, 0, terms)


def _times_log(Y: Array, A: Array) -> Array:
    """Y log A with 0 log 0 = 0; where Y > 0 and A = 0 it is -inf, as it should be."""
    with np.errstate(divide="ignore"):
        return _weighted(Y, np.log(A))


def _log_1_plus_exp(z: Array) -> Array:
    """log(1 + e^z), which is -log σ(-z), as max(z, 0) + log(1 + e^(-|z|)): nothing overflows."""
    return np.where(z.real > 0, z, 0) + np.log1p(np.exp(np.where(z.real > 0, -z, z)))


def _quotient(Y: Array, A: Array) -> Array:
    """Y / A with 0/0 = 0: a term of the loss that is absent has no slope."""
    with np.errstate(divide="ignore"):
        return np.where(Y == 0, 0, Y / np.where(Y == 0, 1, A))


def half_squared_error(A: ArrayLike, Y: ArrayLike) -> Any:
    """L = 1/(2n) Σ (A - Y)², over all samples and outputs. The ½ is there to cancel the 2 of the derivative.

    Args:
        A: outputs, (n, outputs), or (outputs,) or a number for one sample.
        Y: targets, the shape of A.

    Returns:
        The loss, one number.

    Raises:
        TypeError: A or Y holds no numbers.
        ValueError: the shapes differ, or there are no samples.
    """
    A, Y, n = _predictions_and_targets(A, Y, "A")
    return np.sum((A - Y) ** 2).item() / (2 * n)


def half_squared_error_gradient(A: ArrayLike, Y: ArrayLike) -> Any:
    """dL/dA = (A - Y)/n for the half squared error.

    Args:
        A: outputs, (n, outputs), or (outputs,) or a number for one sample.
        Y: targets, the shape of A.

    Returns:
        The gradient, in the shape of A.

    Raises:
        TypeError: A or Y holds no numbers.
        ValueError: the shapes differ, or there are no samples.
    """
    A, Y, n = _predictions_and_targets(A, Y, "A")
    return number_or_array(np.asarray((A - Y) / n))


def binary_cross_entropy(A: ArrayLike, Y: ArrayLike) -> Any:
    """L = -1/n Σ [Y log A + (1 - Y) log(1 - A)], over all samples and outputs.

    0 log 0 counts as 0; a prediction that was certain and wrong costs inf.

    Args:
        A: probabilities, (n, outputs), or (outputs,) or a number for one sample.
        Y: targets between 0 and 1, the shape of A.

    Returns:
        The loss, one number, in nats.

    Raises:
        TypeError: A or Y holds no numbers.
        ValueError: the shapes differ, there are no samples, or A or Y leaves 0 to 1.
    """
    A, Y, n = _predictions_and_targets(A, Y, "A")
    _check_probabilities(A, "A")
    _check_probabilities(Y, "Y")
    return -np.sum(_times_log(Y, A) + _times_log(1 - Y, 1 - A)).item() / n


def binary_cross_entropy_gradient(A: ArrayLike, Y: ArrayLike) -> Any:
    """dL/dA = (A - Y) / (A (1 - A) n), written as [(1 - Y)/(1 - A) - Y/A] / n so that a right 0 or 1 has a slope.

    Args:
        A: probabilities, (n, outputs), or (outputs,) or a number for one sample.
        Y: targets between 0 and 1, the shape of A.

    Returns:
        The gradient, in the shape of A; infinite where a prediction was certain and wrong.

    Raises:
        TypeError: A or Y holds no numbers.
        ValueError: the shapes differ, there are no samples, or A or Y leaves 0 to 1.
    """
    A, Y, n = _predictions_and_targets(A, Y, "A")
    _check_probabilities(A, "A")
    _check_probabilities(Y, "Y")
    return number_or_array(np.asarray((_quotient(1 - Y, 1 - A) - _quotient(Y, A)) / n))


def binary_cross_entropy_from_logits(Z: ArrayLike, Y: ArrayLike) -> Any:
    """The binary cross-entropy of A = σ(Z), as L = 1/n Σ [Y log(1 + e^(-Z)) + (1 - Y) log(1 + e^Z)].

    Finite for every finite Z, where the formula in A would take log 0; a logit of ±inf costs 0 where it is right.

    Args:
        Z: logits, (n, outputs), or (outputs,) or a number for one sample.
        Y: targets between 0 and 1, the shape of Z.

    Returns:
        The loss, one number, in nats.

    Raises:
        TypeError: Z or Y holds no numbers.
        ValueError: the shapes differ, there are no samples, or Y leaves 0 to 1.
    """
    Z, Y, n = _predictions_and_targets(Z, Y, "Z")
    _check_probabilities(Y, "Y")
    return np.sum(_weighted(Y, _log_1_plus_exp(-Z)) + _weighted(1 - Y, _log_1_plus_exp(Z))).item() / n


def binary_cross_entropy_from_logits_gradient(Z: ArrayLike, Y: ArrayLike) -> Any:
    """dL/dZ = (σ(Z) - Y)/n: the σ'(Z) of the chain rule cancels the A(1 - A) under dL/dA.

    Args:
        Z: logits, (n, outputs), or (outputs,) or a number for one sample.
        Y: targets between 0 and 1, the shape of Z.

    Returns:
        The gradient, in the shape of Z.

    Raises:
        TypeError: Z or Y holds no numbers.
        ValueError: the shapes differ, there are no samples, or Y leaves 0 to 1.
    """
    Z, Y, n = _predictions_and_targets(Z, Y, "Z")
    _check_probabilities(Y, "Y")
    return number_or_array(np.asarray((sigmoid(Z) - Y) / n))


def categorical_cross_entropy(P: ArrayLike, Y: ArrayLike) -> Any:
    """L = -1/n Σ Y log P, over all samples and classes.

    Args:
        P: probabilities, (n, classes), or (classes,) for one sample.
        Y: one-hot labels or probabilities, the shape of P.

    Returns:
        The loss, one number, in nats; inf where a true class was given probability 0.

    Raises:
        TypeError: P or Y holds no numbers.
        ValueError: the shapes differ, there are no samples, P leaves 0 to 1, or a row of Y is no distribution.
    """
    P, Y, n = _predictions_and_targets(P, Y, "P")
    _check_probabilities(P, "P")
    _check_distributions(Y)
    return -np.sum(_times_log(Y, P)).item() / n


def categorical_cross_entropy_gradient(P: ArrayLike, Y: ArrayLike) -> Array:
    """dL/dP = -Y / (P n), each entry of P taken as a variable of its own.

    Args:
        P: probabilities, (n, classes), or (classes,) for one sample.
        Y: one-hot labels or probabilities, the shape of P.

    Returns:
        The gradient, in the shape of P.

    Raises:
        TypeError: P or Y holds no numbers.
        ValueError: the shapes differ, there are no samples, P leaves 0 to 1, or a row of Y is no distribution.
    """
    P, Y, n = _predictions_and_targets(P, Y, "P")
    _check_probabilities(P, "P")
    _check_distributions(Y)
    return -_quotient(Y, P) / n


def categorical_cross_entropy_from_logits(Z: ArrayLike, Y: ArrayLike) -> Any:
    """The categorical cross-entropy of P = softmax(Z), as L = 1/n Σ_samples [log Σ_j e^(Z_j) - Σ_k Y_k Z_k].

    The largest logit of a row is subtracted first, so that no exponential overflows. A logit may be -inf, a class ruled
    out: it costs 0 unless it is the true one.

    Args:
        Z: logits, (n, classes), or (classes,) for one sample.
        Y: one-hot labels or probabilities, the shape of Z.

    Returns:
        The loss, one number, in nats.

    Raises:
        TypeError: Z or Y holds no numbers.
        ValueError: the shapes differ, there are no samples, or a row of Y is no distribution.
    """
    Z, Y, n = _predictions_and_targets(Z, Y, "Z")
    _check_distributions(Y)
    shifted = minus_the_largest(Z)
    log_sum = np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return np.sum(_weighted(Y, log_sum - shifted)).item() / n


def categorical_cross_entropy_from_logits_gradient(Z: ArrayLike, Y: ArrayLike) -> Array:
    """dL/dZ = (softmax(Z) - Y)/n: the softmax's Jacobian times -Y/P leaves nothing else, because Y sums to 1.

    Args:
        Z: logits, (n, classes), or (classes,) for one sample.
        Y: one-hot labels or probabilities, the shape of Z.

    Returns:
        The gradient, in the shape of Z; each row sums to 0.

    Raises:
        TypeError: Z or Y holds no numbers.
        ValueError: the shapes differ, there are no samples, or a row of Y is no distribution.
    """
    Z, Y, n = _predictions_and_targets(Z, Y, "Z")
    _check_distributions(Y)
    return (softmax(Z) - Y) / n
