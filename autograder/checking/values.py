"""Values in and out of an answer: nested numbers copied, flattened and brought to the expected shape.

A value is a number, an array, or a list of values (the weights of a network of any depth). What an answer returns is
taken as generously as is harmless: lists for arrays, a dictionary with the right names for a tuple,
``(n, 1)`` or ``(1, n)`` for ``(n,)``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autograder.errors import BoundaryError

Array = NDArray[Any]


class Unusable(Exception):
    """What came back cannot be read as the numbers asked for; the message completes "Your function returned ..."."""


NOISE, TINY = 1e-4, 1e-290
"""Entries that differ by no more than this, for their size or at all, are as good as the same."""


def copied(value: Any) -> Any:
    """A deep copy of arrays and lists; anything else (numbers, functions) as it is."""
    if isinstance(value, list | tuple):
        return type(value)(copied(item) for item in value)
    return np.copy(value) if isinstance(value, np.ndarray) else value


def mapped(function: Callable[[Array], Any], value: Any) -> Any:
    """``function`` applied to every array of floating-point numbers in ``value``, floats included."""
    if isinstance(value, list | tuple):
        return type(value)(mapped(function, item) for item in value)
    if isinstance(value, np.ndarray):
        return function(value)
    if isinstance(value, float | complex):
        return function(np.asarray(value))[()]
    return value


def leaves(name: str, value: Any) -> Iterator[tuple[str, Array]]:
    """The arrays in ``value`` with their names: ``W``, or ``W[0]``, ``W[1]`` where it is a list."""
    if isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from leaves(f"{name}[{index}]", item)
    else:
        yield name, np.asarray(value)


def is_constant(given: Sequence[Mapping[str, Any]]) -> bool:
    """Whether an answer is one and the same number in every entry of every case: then no step of it was ever taken."""
    entries = [array.ravel() for values in given for name, value in values.items() for _, array in leaves(name, value)]
    return len(np.unique(np.concatenate(entries))) <= 1


def idle(given: Sequence[Mapping[str, Any]], right: Sequence[Mapping[str, Any]]) -> set[str]:
    """The values handed in that are one number in every entry of every case, where the right ones are not.

    No step shows in such a value: zeros follow from zeros, and from a slip that leaves nothing but zeros.
    """
    return {name for name in given[0] if _is_one_number(name, given) and not _is_one_number(name, right)}


def _is_one_number(name: str, values: Sequence[Mapping[str, Any]]) -> bool:
    """Whether a value has the same entries throughout, or as good as the same."""
    arrays = [array.ravel() for each in values if name in each for _, array in leaves(name, each[name])]
    entries = np.concatenate(arrays) if arrays else np.empty(0)
    if entries.dtype.kind not in "biuf":
        return False
    if len(np.unique(entries)) <= 1:
        return True
    with np.errstate(invalid="ignore", over="ignore"):
        return bool(np.ptp(entries) <= NOISE * np.max(np.abs(entries)) + TINY)


def same(first: Any, second: Any) -> bool:
    """Whether two inputs hold the same numbers, bit for bit, in the same structure."""
    if isinstance(first, list | tuple):
        return isinstance(second, list | tuple) and len(first) == len(second) and all(map(same, first, second))
    if isinstance(first, np.ndarray):
        return isinstance(second, np.ndarray) and (
            _is_copy(first, second) or np.array_equal(first, second, equal_nan=True)
        )
    if isinstance(first, float):
        return isinstance(second, float) and first == second
    return first is second


def _is_copy(first: Array, second: Array) -> bool:
    """Whether two arrays have the same bytes; most that are compared do, and this tells it in no time."""
    alike = (first.dtype, first.shape) == (second.dtype, second.shape)
    return alike and not first.dtype.hasobject and first.tobytes() == second.tobytes()


def described(value: Any) -> str:
    """A value's kind and shape in a few words, for messages."""
    if isinstance(value, np.ndarray):
        return f"shape {value.shape}" if value.ndim else "a number"
    if isinstance(value, list | tuple):
        return f"a {type(value).__name__} of {len(value)}"
    if callable(value):
        return "a function"
    return f"{value!r}"


def read_answer(returned: Any, names: Sequence[str], templates: Sequence[Any]) -> dict[str, Any]:
    """The returned values by name, each an array (or list of arrays) of real numbers.

    Parameters
    ----------
    returned : whatever the answer gave back
    names : the values asked for, in order
    templates : the right values, for structure and shape

    Raises
    ------
    Unusable
        A value is missing or not numeric. A numeric value of another shape is returned as it is.
    """
    if returned is None:
        raise Unusable("None. Is a `return` missing at the end?")
    try:
        by_name = _by_name(returned, names)
        if by_name is None:
            by_name = _in_order(returned, names, templates)
        return {name: _read(by_name[name], template, name) for name, template in zip(names, templates, strict=True)}
    except Unusable:
        raise
    except Exception:  # an object of the learner's own may raise anything when it is looked at
        raise Unusable(f"{_kind(returned)}, which cannot be read as numbers.") from None


def _by_name(returned: Any, names: Sequence[str]) -> dict[str, Any] | None:
    """The values of a dictionary by the names asked for."""
    if not isinstance(returned, dict):
        return None
    if missing := [name for name in names if name not in returned]:
        given = ", ".join(map(str, returned)) or "nothing"
        raise Unusable(f"a dictionary without {', '.join(missing)}. It has {given}.")
    return {name: returned[name] for name in names}


def _in_order(returned: Any, names: Sequence[str], templates: Sequence[Any]) -> dict[str, Any]:
    """The values of a tuple, list or array, one for each name; a single one may also come bare."""
    if len(names) == 1:
        if not isinstance(templates[0], list) and _several(returned, templates[0]):
            raise Unusable(f"{len(returned)} values, where one is asked for: {names[0]}.")
        return {names[0]: returned[0] if _is_wrapped(returned, templates[0]) else returned}
    asked = ", ".join(names)
    if not isinstance(returned, list | tuple) and not (isinstance(returned, np.ndarray) and returned.ndim):
        raise Unusable(f"one value ({_kind(returned)}), where {len(names)} are asked for: {asked}.")
    if len(returned) != len(names):
        raise Unusable(f"{len(returned)} values, where {len(names)} are asked for: {asked}.")
    return dict(zip(names, returned, strict=True))


def _several(returned: Any, template: Any) -> bool:
    """Whether several values came where one is asked for, which its shape cannot be read as."""
    return type(returned) is tuple and len(returned) > 1 and len(returned) != (np.shape(template) or (1,))[0]


def _is_wrapped(returned: Any, template: Any) -> bool:
    """Whether a single value came in a tuple or list of one, as ``return dW,`` gives."""
    if not isinstance(returned, list | tuple) or len(returned) != 1:
        return False
    if isinstance(template, list | tuple):
        return len(template) != 1 or isinstance(returned[0], list | tuple)
    return np.ndim(template) == 0 or np.shape(returned[0]) == np.shape(template)


def _read(value: Any, template: Any, name: str) -> Any:
    """One value as arrays in the structure of its template."""
    if isinstance(template, list | tuple):
        if not isinstance(value, list | tuple | np.ndarray) or (isinstance(value, np.ndarray) and not value.ndim):
            raise Unusable(f"{_kind(value)} for {name}, where a list of {len(template)} arrays is asked for.")
        if len(value) != len(template):
            raise Unusable(f"{len(value)} arrays in {name}, where {len(template)} are asked for.")
        return [
            _read(item, expected, f"{name}[{index}]")
            for index, (item, expected) in enumerate(zip(value, template, strict=True))
        ]
    return fitted(_numbers(value, name), np.shape(template))


def fitted(array: Array, shape: tuple[int, ...]) -> Array:
    """``array`` in ``shape`` where the difference is harmless: a column or row for a vector, one entry for a number."""
    if array.shape != shape and len(shape) <= 1 and array.size == np.prod(shape, dtype=int):
        squeezed = tuple(size for size in array.shape if size != 1)
        if squeezed == tuple(size for size in shape if size != 1):
            return array.reshape(shape)
    return array


def _numbers(value: Any, name: str) -> Array:
    """A fresh array of real floating-point numbers."""
    if value is None or isinstance(value, str | bytes):
        raise Unusable(f"{_kind(value)} for {name}, where numbers are asked for.")
    try:
        array = np.asarray(value)
        if array.dtype.kind == "O":
            array = array.astype(float)
    except BoundaryError:
        raise
    except BaseException:
        # Anything may stand in a learner's list, and its __array__ or __float__ may raise anything.
        raise Unusable(f"{_kind(value)} for {name}, which cannot be read as an array of numbers.") from None
    if array.dtype.kind == "c" and not np.any(array.imag):
        array = array.real
    if array.dtype.kind not in "biuf":
        kind = "complex numbers" if array.dtype.kind == "c" else _kind(value)
        raise Unusable(f"{kind} for {name}, where real numbers are asked for.")
    return np.array(array, dtype=array.dtype if array.dtype.kind == "f" else float)


def _kind(value: Any) -> str:
    """A returned value's kind in words."""
    if value is None or value is Ellipsis:
        return str(value)
    if isinstance(value, str):
        return f"the text {value[:30]!r}"
    if isinstance(value, np.ndarray):
        return f"an array of shape {value.shape}"
    return f"a value of type {type(value).__name__}"
