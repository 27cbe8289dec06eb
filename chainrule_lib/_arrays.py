"""What every module does with the numbers it is given: turn them into an array, or say in one sentence why it cannot.

Lists, tuples and Python numbers are as welcome as arrays. Complex numbers pass, because the complex-step derivative in
`chainrule_lib.numerical` sends them through every function of this library.
"""

from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[Any]


def as_numbers(value: ArrayLike, name: str) -> Array:
    """`value` as a floating-point or complex array; integers and booleans become float64.

    Raises:
        TypeError: `value` holds something other than numbers.
        ValueError: `value` is a list of rows of different lengths.
    """
    try:
        array = np.asarray(value)
    except ValueError:
        raise ValueError(f"{name} has rows of different lengths: expected a rectangular array of numbers.") from None
    if array.dtype.kind in "iub":
        return array.astype(np.float64)
    if array.dtype.kind not in "fc":
        given = "None" if value is None else f"{type(value).__name__} of {array.dtype.name}"
        raise TypeError(f"{name} is {given}: expected numbers.")
    return array


def number_or_array(array: Array) -> Any:
    """A Python number where `array` has no dimensions, else `array`: a scalar in gives a scalar out."""
    return array.item() if array.ndim == 0 else array


def as_list(values: Any, name: str, items: str) -> list[Any]:
    """The items of anything that can be gone through, an iterator too.

    Raises:
        TypeError: `values` is a single thing.
    """
    try:
        iterator = iter(values)
    except TypeError:
        raise TypeError(f"{name} is {values!r}: expected a list of {items}.") from None
    return list(iterator)


def misfit(name: str, array: Array, other_name: str, other: Array, expected: str) -> ValueError:
    """The error for an array whose shape does not fit another's."""
    return ValueError(
        f"{name} has shape {array.shape}, {other_name} has shape {other.shape}: expected {name} of shape {expected}."
    )


def minus_the_largest(z: Array) -> Array:
    """z minus the largest entry of its last axis: softmax's exponents, none above 0."""
    # Two finite logits can be further apart than the largest float; -inf is then right, since its exponential is 0.
    with np.errstate(over="ignore"):
        return z - z.real.max(axis=-1, keepdims=True)


def is_number(value: Any) -> bool:
    """Whether `value` is one real number; True and False are none."""
    return isinstance(value, Real) and not isinstance(value, bool)


def positive_number(value: Any, name: str) -> float:
    """`value` as a float.

    Raises:
        ValueError: it is not a positive, finite number.
    """
    if not (is_number(value) and 0 < float(value) < np.inf):
        raise ValueError(f"{name} is {value!r}: expected a positive, finite number, such as 0.1.")
    return float(value)


def check_whole_number(value: Any, name: str, minimum: int) -> None:
    """Refuse what is no whole number, or less than `minimum`, with a ValueError."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < minimum:
        raise ValueError(f"{name} is {value!r}: expected a whole number of at least {minimum}.")


def random_numbers(seed: Any) -> "np.random.Generator":  # quoted, because the name alone would import numpy.random
    """NumPy's random numbers, the same for the same seed.

    Raises:
        ValueError: the seed is no whole number, or negative.
    """
    check_whole_number(seed, "seed", 0)
    return np.random.default_rng(seed)
