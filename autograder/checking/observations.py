"""What can be said of an error that no catalogue holds: how the wrong numbers relate to the right ones.

Each observation is a statement that was found true on every case: a factor, a sign, a transpose, an order, the place of
the only wrong row. Nothing is guessed.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from autograder.checking.diagnosis import AGREE, EPS, agrees
from autograder.checking.precision import size
from autograder.checking.values import Array

Pair = tuple[Array, Array]
"""A learner's array and the right one, of the same name, in one case."""

Sizes = Sequence[Mapping[str, int]]
"""For each case the sizes that a factor may be, by what they are ("the number of rows of X")."""


def observe(pairs: Sequence[Pair], sizes: Sizes) -> str:
    """A statement about how an array is wrong that holds in all cases; empty if there is none.

    Parameters
    ----------
    pairs : the learner's and the right array, in each case
    sizes : see ``Sizes``
    """
    if any(given.shape != right.shape for given, right in pairs):
        return _shape(pairs)
    statements = (
        _zero(pairs),
        _factor(pairs, sizes),
        _offset(pairs),
        _transposed(pairs),
        _permuted(pairs),
        _part(pairs),
    )
    return next(filter(None, statements), "")


def exchanged(names: Sequence[str], cases: Sequence[Mapping[str, Pair]]) -> str:
    """A statement about right arrays that were returned under each other's names; empty if there are none."""
    found = [
        f"{first} and {second}"
        for first, second in itertools.combinations(names, 2)
        if all(agrees(case[first][0], case[second][1]) and agrees(case[second][0], case[first][1]) for case in cases)
    ]
    return f"The values of {', '.join(found)} are right and have changed places." if found else ""


def elsewhere(name: str, pairs: Sequence[Pair], known: Sequence[Mapping[str, Any]]) -> str:
    """A statement about an array that is another value of the derivation; empty if it is none.

    Parameters
    ----------
    name : of the array
    known : in each case the inputs and the right values of all steps, by name
    """
    for other, value in known[0].items():
        if other == name or not _is_numeric(value):
            continue
        if all(agrees(given, case[other]) for (given, _), case in zip(pairs, known, strict=True)):
            return f"these are the values of {other}. Look at the line that returns them."
    return ""


def _is_numeric(value: Any) -> bool:
    return not callable(value) and not isinstance(value, list | tuple) and np.asarray(value).dtype.kind in "biuf"


def sizes_of(case: Mapping[str, Any]) -> dict[str, int]:
    """The sizes in a case's inputs, by description."""
    found: dict[str, int] = {}
    for name, value in case.items():
        shape = value.shape if isinstance(value, np.ndarray) else ()
        kinds = ("length",) if len(shape) == 1 else ("number of rows", "number of columns")
        found |= {f"the {kind} of {name}": length for kind, length in zip(kinds, shape, strict=False)}
    return found


def _shape(pairs: Sequence[Pair]) -> str:
    given, right = next((given, right) for given, right in pairs if given.shape != right.shape)
    sentence = f"shape {given.shape}, where {right.shape} is expected."
    if given.ndim < 2 or given.shape != right.shape[::-1]:
        return sentence
    transposed = all(agrees(given, right.T) for given, right in pairs)
    return f"{sentence} It is the transpose of the right one." if transposed else f"{sentence} Transposed?"


def _zero(pairs: Sequence[Pair]) -> str:
    return "zero where it should not be." if not any(np.any(given) for given, _ in pairs) else ""


def _factor(pairs: Sequence[Pair], sizes: Sizes) -> str:
    factors = [float(np.vdot(right, given) / max(float(np.vdot(right, right)), 1e-300)) for given, right in pairs]
    if not all(f and agrees(given, f * right) for f, (given, right) in zip(factors, pairs, strict=True)):
        return ""
    if np.allclose(factors, 1, rtol=1e-3):
        return f"right to about {-math.log10(max(abs(factor - 1) for factor in factors) + EPS):.0f} digits only."
    if np.allclose(factors, -1, rtol=1e-6):
        return "the right size and the wrong sign, in every entry."
    if np.allclose(factors, factors[0], rtol=1e-6):
        return f"{factors[0]:.6g} times the right one, in every entry."
    for what in sizes[0]:
        lengths = np.array([size.get(what, 0) for size in sizes], dtype=float)
        if np.allclose(factors, lengths, rtol=1e-6):
            return f"the right one times {what}."
        if np.allclose(np.multiply(factors, lengths), 1, rtol=1e-6):
            return f"the right one divided by {what}."
    if all(right.size == 1 for _, right in pairs):
        return ""  # any number is a multiple of another
    listed = ", ".join(f"{factor:.4g}" for factor in factors[:3])
    return f"a multiple of the right one, with another factor in each case ({listed}, ...)."


def _offset(pairs: Sequence[Pair]) -> str:
    offsets = [float(np.mean(given - right)) for given, right in pairs]
    alike = all(agrees(given, right + offset) for (given, right), offset in zip(pairs, offsets, strict=True))
    if alike and all(right.size > 1 for _, right in pairs) and np.allclose(offsets, offsets[0], rtol=1e-6):
        return f"the right one plus {offsets[0]:.6g}, in every entry."
    return ""


def _transposed(pairs: Sequence[Pair]) -> str:
    square = all(right.ndim == 2 and right.shape == right.shape[::-1] for _, right in pairs)
    return "transposed." if square and all(agrees(given, right.T) for given, right in pairs) else ""


def _permuted(pairs: Sequence[Pair]) -> str:
    if all(right.size > 1 and agrees(np.sort(given, axis=None), np.sort(right, axis=None)) for given, right in pairs):
        return "the right numbers in the wrong places."
    return ""


def _part(pairs: Sequence[Pair]) -> str:
    """The only wrong row, column or entry, where it is the same one in every case."""
    ndim = min(right.ndim for _, right in pairs)
    if any(right.ndim > ndim for _, right in pairs):
        return ""  # a value with one more axis in some cases, as where operands are broadcast
    for axis, what in enumerate(("entry",) if ndim == 1 else ("row", "column")[:ndim]):
        if any(right.shape[axis] < 2 for _, right in pairs):
            continue
        wrong = [_wrong_along(axis, given, right) for given, right in pairs]
        if any(len(places) != 1 for places in wrong):
            continue
        places = [int(places[0]) for places in wrong]
        if len(set(places)) == 1:
            return f"right except for {what} {places[0]} (counted from 0)."
        if all(place == right.shape[axis] - 1 for place, (_, right) in zip(places, pairs, strict=True)):
            return f"right except for the last {what}."
    return ""


def _wrong_along(axis: int, given: Array, right: Array) -> Array:
    """Indices along an axis where the arrays differ."""
    rest = tuple(other for other in range(right.ndim) if other != axis)
    same = np.abs(given - right) <= AGREE * size(right)
    return np.flatnonzero(~np.all(same, axis=rest))
