"""Stand-ins: what a check holds in the place of a learner's function, class or object, which stays where it is.

A stand-in's class is made for the learner's type: it has the same name, so that sentences read the same, and those
special methods of ``autograder.execution.special`` that the type has, so that ``2 * x`` fails for the same reason.
Attributes are asked for one by one; no special one is, but the few that ``inspect.signature`` and messages need. A
stand-in can be told from data: it is never equal to any, has no truth value that a learner chooses, and what it
converts to is a number, a text or an array, and not an object that pretends to be one.
"""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NoReturn, Protocol

import numpy as np

from autograder.answers import made_calls, no_body
from autograder.execution.failures import ValueTooLarge
from autograder.execution.special import CONVERSIONS
from autograder.execution.values import NotData

__all__ = ["Described", "Facts", "StandIn", "learn", "reach", "stand_in_class"]

LONGEST = 10_000_000
"""The largest length that is believed: ``list(x)`` sets so much memory aside before it asks for the first item."""


@dataclass(frozen=True)
class Facts:
    """What is known of a function or class without calling it."""

    name: str = ""
    doc: str | None = None
    signature: inspect.Signature | None = None
    has_no_body: bool = False
    class_number: int | None = None  # of a class: as in ``Described``


@dataclass(frozen=True)
class Described:
    """A learner's type: its name, its special methods, and the numbers of itself and the classes it is derived from."""

    name: str
    special: tuple[str, ...]
    derived_from: frozenset[int]


class Other(Protocol):
    """The other side, as a stand-in uses it."""

    @property
    def is_usable(self) -> bool:
        """Whether it can still be asked."""

    def request(self, operation: str, target: int, arguments: Sequence[Any], options: Mapping[str, Any]) -> Any:
        """Have something done there and give what comes of it, or raise it."""

    def describe(self, target: int) -> Facts:
        """What is known of an object there."""

    def dropped(self, target: int) -> None:
        """Nobody here holds the object any more."""


class StandIn:
    """An object of the other side. Its class is one that ``stand_in_class`` made."""

    __slots__ = ("__facts", "__other", "__target", "__weakref__")
    __described = Described("object", (), frozenset())

    def __init__(self, other: Other, target: int) -> None:
        object.__setattr__(self, "_StandIn__other", other)
        object.__setattr__(self, "_StandIn__target", target)
        object.__setattr__(self, "_StandIn__facts", None)

    def __del__(self) -> None:
        self.__other.dropped(self.__target)

    def __getattr__(self, name: str) -> Any:
        __tracebackhide__ = True
        if name in _KNOWN:
            value = _KNOWN[name](known(self))
            if value is not None:
                return value
        if _is_special(name):
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        return self.__other.request("get", self.__target, [name], {})

    def __setattr__(self, name: str, value: Any) -> None:
        if _is_special(name):
            raise AttributeError(f"{name} of a learner's object cannot be set from outside its process.")
        self.__other.request("set", self.__target, [name, value], {})

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"{name} of a learner's object cannot be deleted from outside its process.")

    def __repr__(self) -> str:
        if self.__other.is_usable:
            text = self.__other.request("text", self.__target, ["repr"], {})
            if type(text) is str:
                return text
        return f"<{type(self).__name__} in another process>"

    def __str__(self) -> str:
        text = self.__other.request("text", self.__target, ["str"], {})
        if type(text) is not str:
            raise TypeError(f"__str__ returned non-string (type {type(text).__name__})")
        return text

    def __instancecheck__(self, instance: Any) -> bool:
        """Whether ``instance`` stands for an object of the class that this one stands for."""
        return self.__subclasscheck__(type(instance))

    def __subclasscheck__(self, kind: Any) -> bool:
        number = known(self).class_number
        return isinstance(kind, type) and issubclass(kind, StandIn) and number in kind.__described.derived_from

    def __reduce_ex__(self, protocol: Any) -> NoReturn:
        raise TypeError(f"A learner's {type(self).__name__} cannot be copied or pickled from outside its process.")


def reach(stand_in: Any) -> tuple[Other, int]:
    """Where the object is, and its number there. (No method: a learner's attribute may have any public name.)"""
    return stand_in._StandIn__other, stand_in._StandIn__target


def known(stand_in: Any) -> Facts:
    """What is known of the object without calling it; asked for once."""
    if stand_in._StandIn__facts is None:
        other, target = reach(stand_in)
        learn(stand_in, other.describe(target))
    facts: Facts = stand_in._StandIn__facts
    return facts


def learn(stand_in: Any, facts: Facts) -> None:
    """Take note of what is known of the object; nothing where that was known before."""
    if stand_in._StandIn__facts is None:
        object.__setattr__(stand_in, "_StandIn__facts", facts)


_KNOWN: dict[str, Callable[[Facts], Any]] = {
    "__name__": lambda facts: facts.name or None,
    "__qualname__": lambda facts: facts.name or None,
    "__signature__": lambda facts: facts.signature,
}


def _is_special(name: str) -> bool:
    """Names that are Python's, IPython's for displaying (a check's output is no learner's), or those of the slots."""
    return (name.startswith("__") and name.endswith("__")) or name.startswith(("_StandIn__", "_repr_", "_ipython_"))


def stand_in_class(described: Described) -> type[StandIn]:
    """The class of stand-ins for objects of a type."""
    members: dict[str, Any] = {
        "__slots__": (),
        "__doc__": property(lambda self: known(self).doc),
        "_StandIn__described": described,
    }
    for name in described.special:
        members[name] = _MADE[name] if name in _MADE else _forwarded(name)
    if "__len__" in described.special:
        members["__bool__"] = _without_truth
    return type(described.name, (StandIn,), members)


def _forwarded(name: str) -> Callable[..., Any]:
    """A special method that is called over there."""

    def method(self: StandIn, *arguments: Any, **options: Any) -> Any:
        __tracebackhide__ = True
        other, target = reach(self)
        return other.request("special", target, [name, *arguments], options)

    method.__name__ = name
    return method


def _converting(name: str, wanted: type) -> Callable[[StandIn], Any]:
    """A special method that has to give exactly a number of this type, whatever an object pretends to be."""
    forwarded = _forwarded(name)

    def method(self: StandIn) -> Any:
        __tracebackhide__ = True
        value = forwarded(self)
        if isinstance(value, np.number):
            value = value.item()
        if type(value) is not wanted:
            raise TypeError(f"{name} returned non-{wanted.__name__} (type {type(value).__name__})")
        return value

    method.__name__ = name
    return method


_length = _converting("__len__", int)


def _believable_length(self: StandIn) -> int:
    """A length that ``list(x)`` can set memory aside for, which it does before it asks for the first item."""
    length: int = _length(self)
    if length > LONGEST:
        raise ValueTooLarge(f"An object of type {type(self).__name__} says that it has {length:,} items.")
    return length


def _array(self: StandIn, dtype: Any = None, copy: bool | None = None) -> np.ndarray[Any, Any]:
    """``__array__``, which numpy calls in several ways."""
    other, target = reach(self)
    value = other.request("special", target, ["__array__"], {})
    if type(value) is not np.ndarray:
        raise TypeError("object __array__ method not producing an array")
    return value if dtype is None else value.astype(dtype)


def _without_truth(self: StandIn) -> NoReturn:
    """Truth is not asked for: an object would say of itself what suits it."""
    raise TypeError(f"A check cannot take the truth value of a learner's {type(self).__name__}.")


_MADE: dict[str, Any] = {
    **{name: _converting(name, wanted) for name, wanted in CONVERSIONS.items()},
    "__len__": _believable_length,
    "__array__": _array,
    "__bool__": _without_truth,
    "__array_ufunc__": None,
    "__array_priority__": 1000.0,
}


@no_body.register
def _(answer: StandIn) -> bool:
    return known(answer).has_no_body


@made_calls.register(StandIn)
def _(answer: Any, arguments: Sequence[tuple[Any, ...]]) -> list[Callable[[], Any]]:
    other, target = reach(answer)
    done: list[Any] = []

    def call(number: int) -> Any:
        __tracebackhide__ = True
        if number == 0 and len(arguments) > 1:
            with contextlib.suppress(NotData, ValueTooLarge):  # then each goes by itself
                done[:] = other.request("calls", target, arguments, {})
        return done[number].give() if number < len(done) else answer(*arguments[number])

    return [partial(call, number) for number in range(len(arguments))]
