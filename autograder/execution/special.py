"""The special methods that reach across the boundary, and those that do not.

A stand-in has those of ``SPECIAL`` that the learner's type has. Never forwarded are comparisons, truth, hashing and
membership, for ``assert f(2) == 4`` must not ask ``f(2)`` whether it is 4. A stand-in is equal to itself alone.
"""

from __future__ import annotations

__all__ = ["CONVERSIONS", "MARKS", "SPECIAL"]

_ARITHMETIC = ("add", "sub", "mul", "matmul", "truediv", "floordiv", "mod", "divmod", "pow")
_BINARY = (*_ARITHMETIC, "lshift", "rshift", "and", "xor", "or")
_UNARY = ("neg", "pos", "abs", "invert", "round", "trunc", "floor", "ceil")

CONVERSIONS: dict[str, type] = {
    "__float__": float,
    "__int__": int,
    "__complex__": complex,
    "__index__": int,
    "__len__": int,
}
"""Methods whose result is of just this type, or else a TypeError as Python's own."""

SPECIAL: tuple[str, ...] = (
    *(f"__{name}__" for name in _BINARY),
    *(f"__r{name}__" for name in _BINARY),
    *(f"__i{name}__" for name in _BINARY if name != "divmod"),
    *(f"__{name}__" for name in _UNARY),
    *CONVERSIONS,
    "__call__",
    "__getitem__",
    "__setitem__",
    "__delitem__",
    "__iter__",
    "__next__",
    "__reversed__",
    "__enter__",
    "__exit__",
    "__array__",
)

MARKS = ("__bool__", "__array_ufunc__", "__array_priority__")
"""What a type has to be known for without being asked: that it has a truth value of its own, and that numpy's arrays
leave operators to it."""
