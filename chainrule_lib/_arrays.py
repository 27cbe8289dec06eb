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


def positive_number(value: Any, name: str) -> float:
    """`value` as a float.

    Raises:
        ValueError: it is not a positive, finite number.
    """
    if not (isinstance(value, Real) and 0 < float(value) < np.inf):
        raise ValueError(f"{name} is {value!r}: expected a positive, finite number, such as 0.1.")
    return float(value)
