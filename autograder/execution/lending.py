"""Objects that stay where they are: which of ours the other side holds, and which of theirs we hold.

An object that is no data goes as a number, and comes back as the object itself. As long as the other side holds a
stand-in for it, the object is kept alive here, and has the one number; when a stand-in is gone, the next message says
so, with how often the number had come by then, so that a number that is on its way again stays good.
"""

from __future__ import annotations

import inspect
import weakref
from collections.abc import Callable, Iterator
from functools import lru_cache, partial
from types import BuiltinFunctionType, FunctionType, MethodType
from typing import Any

import numpy as np

from autograder.answers import has_no_body
from autograder.execution.special import MARKS, SPECIAL
from autograder.execution.stand_ins import Described, Facts, Other, StandIn, reach, stand_in_class
from autograder.isolation.channel import BadMessage

__all__ = ["Borrowed", "Lent", "facts", "is_plain", "may", "printable", "read_facts", "written_facts"]

YOURS, MINE = 0, 1

MOST = 200_000
"""Objects of the other side that are held at a time."""

MOST_TYPES = 2000
"""Types of the other side that are known."""

_FUNCTIONS = (FunctionType, BuiltinFunctionType, MethodType, partial, np.ufunc)
_GENERATORS: tuple[type, ...] = (np.random.Generator, np.random.RandomState)
_CALL = frozenset({"__call__"})
_NEXT = frozenset({"__iter__", "__next__"})


class Lent:
    """Our objects that the other side holds.

    Parameters
    ----------
    freely : whether any object is lent, to a side that is trusted. One that is not gets functions, to be called;
        iterators; random generators; and objects of classes that the notebook defines, for their public attributes and
        operators.
    """

    def __init__(self, freely: bool) -> None:
        self.freely = freely
        self._objects: dict[int, Any] = {}
        self._given: dict[int, int] = {}  # how often each number was sent
        self._numbers: dict[int, int] = {}  # of an object, by id
        self._types: dict[tuple[Any, ...], int] = {}
        self._type_numbers: dict[type, int] = {}
        self._described: set[int] = set()
        self._on_the_way: list[tuple[int, int]] = []  # objects of the message that is being written, with their types
        self._next = 1

    def begin(self) -> None:
        """A message is about to be written. If the one before was not sent, nothing in it is known there."""
        for number, _ in self._on_the_way:
            self._return(number, 1)
        self._on_the_way.clear()

    def sent(self) -> None:
        """The message was sent."""
        self._described.update(kind for _, kind in self._on_the_way)
        self._on_the_way.clear()

    def lend(self, thing: Any) -> list[Any]:
        """An object's number, and that of its type, described when it goes for the first time.

        Raises
        ------
        TypeError
            It must not be lent.
        """
        special = _special(type(thing)) if self.freely else _permitted(thing)
        if special is None:
            raise TypeError(
                f"A value of type {type(thing).__name__} cannot be handed to a learner's code. Numbers, texts, lists, "
                "dictionaries, arrays and functions can, and objects of classes that the notebook defines."
            )
        number = self._numbers.get(id(thing))
        if number is None:
            number, self._next = self._next, self._next + 1
            self._numbers[id(thing)] = number
            self._objects[number] = thing
            self._given[number] = 0
        self._given[number] += 1
        kind = type(thing)
        known = self._types.setdefault((kind, special), len(self._types))
        self._on_the_way.append((number, known))
        if known in self._described:
            return [MINE, number, known, None]
        derived_from = [self.type_number(each) for each in kind.__mro__[:50]]
        return [MINE, number, known, [kind.__name__[:100], sorted(special), derived_from]]

    def type_number(self, kind: type) -> int:
        """A number for a type."""
        return self._type_numbers.setdefault(kind, len(self._type_numbers))

    def find(self, number: Any) -> Any:
        """The object with this number.

        Raises
        ------
        BadMessage
            None is lent.
        """
        if type(number) is not int or number not in self._objects:
            raise BadMessage("An object is asked for that was never lent, or given back.")
        return self._objects[number]

    def take_back(self, released: Any) -> None:
        """The other side has let go of these: pairs of a number and how often it had come."""
        if type(released) is not list:
            raise BadMessage("What was let go is not in a list.")
        for pair in released:
            if type(pair) is not list or len(pair) != 2 or type(pair[1]) is not int:
                raise BadMessage("What was let go is not in pairs.")
            self.find(pair[0])
            self._return(*pair)

    def _return(self, number: int, times: int) -> None:
        """The other side holds an object so many times less."""
        if number in self._given:
            self._given[number] -= times
            if self._given[number] <= 0:
                thing = self._objects.pop(number)
                del self._given[number], self._numbers[id(thing)]


def _special(kind: type) -> frozenset[str]:
    """The special methods of a type that stand-ins have, and its marks."""
    return _special_of(kind, sum(len(each.__dict__) for each in kind.__mro__))


@lru_cache(maxsize=1000)
def _special_of(kind: Any, size: int) -> frozenset[str]:
    """As above, looked up again when methods were added."""
    own: dict[str, Any] = {}
    for each in reversed(kind.__mro__):
        own |= each.__dict__
    found = {name for name in SPECIAL if own.get(name) is not None}
    marks = {
        "__bool__": own.get("__bool__") is not None,
        "__array_ufunc__": "__array_ufunc__" in own and own["__array_ufunc__"] is None,
        "__array_priority__": "__array_priority__" in own,
    }
    return frozenset(found | {name for name in MARKS if marks[name]})


def _permitted(thing: Any) -> frozenset[str] | None:
    """The special methods that the other side may use of an object; None where it must not have it."""
    if isinstance(thing, _FUNCTIONS) or (isinstance(thing, type) and thing.__module__ == "__main__"):
        return _CALL
    if _is_open(thing):
        return _special(type(thing)) - set(MARKS)
    if isinstance(thing, Iterator):
        return _NEXT
    return None


def _is_open(thing: Any) -> bool:
    """Whether also the public attributes of an object may be read by a learner's code."""
    return type(thing) in _GENERATORS or (type(thing).__module__ == "__main__" and type(type(thing)) is type)


def may(thing: Any, operation: str, name: str) -> bool:
    """Whether code that is not trusted may do this with an object that was lent to it."""
    if operation == "get":
        return _is_open(thing) and not name.startswith("_")
    return operation in ("call", "special") and name in (_permitted(thing) or ())


class Borrowed:
    """Objects of the other side that we hold stand-ins for.

    Parameters
    ----------
    other : the other side
    lent : what it holds of ours
    """

    def __init__(self, other: Other, lent: Lent) -> None:
        self.other = other
        self.lent = lent
        self.released: list[list[int]] = []
        self._stand_ins: weakref.WeakValueDictionary[int, StandIn] = weakref.WeakValueDictionary()
        self._times: dict[int, int] = {}
        self._classes: dict[int, type[StandIn]] = {}

    def lend(self, thing: Any) -> list[Any]:
        """An object that is no data, as it goes to the other side: its own object back, or one of ours.

        Raises
        ------
        TypeError
            It must not be lent.
        """
        if isinstance(thing, StandIn):
            other, number = reach(thing)
            if other is self.other:
                return [YOURS, number]
            raise TypeError("An object of a learner's process that has ended cannot be used any more.")
        return self.lent.lend(thing)

    def borrow(self, items: list[Any]) -> Any:
        """The object that is meant: ours, or a stand-in.

        Raises
        ------
        BadMessage
        """
        if len(items) == 2 and items[0] == YOURS:
            return self.lent.find(items[1])
        if len(items) != 4 or items[0] != MINE or type(items[1]) is not int:
            raise BadMessage("An object does not come as agreed.")
        _, number, kind, described = items
        made = self._class(kind, described)
        stand_in = self._stand_ins.get(number)
        if stand_in is None:
            if len(self._times) + len(self.released) > MOST:
                raise BadMessage("Far too many objects came.")
            stand_in = self._stand_ins[number] = made(self.other, number)
        self._times[number] = self._times.get(number, 0) + 1
        return stand_in

    def _class(self, number: Any, described: Any) -> type[StandIn]:
        """The class of stand-ins for a type, which is described in the first message that it comes with."""
        if type(number) is not int or (described is None and number not in self._classes):
            raise BadMessage("A type was never described.")
        if number not in self._classes:
            if len(self._classes) >= MOST_TYPES:
                raise BadMessage("Far too many types came.")
            self._classes[number] = stand_in_class(_read_description(described))
        return self._classes[number]

    def dropped(self, number: int) -> None:
        """A stand-in is gone."""
        times = self._times.pop(number, 0)
        if times:
            self.released.append([number, times])

    def to_release(self) -> list[list[int]] | None:
        """What the other side is to be told, once."""
        if not self.released:
            return None
        released, self.released = self.released, []
        return released


def _read_description(described: Any) -> Described:
    """A type as it was described."""
    try:
        name, special, derived_from = described
        special = tuple(special)
    except (TypeError, ValueError):
        raise BadMessage("A type is not described as agreed.") from None
    if type(name) is not str or not set(special) <= {*SPECIAL, *MARKS} or type(derived_from) is not list:
        raise BadMessage("A type is described with what does not exist.")
    if not all(type(each) is int for each in derived_from):
        raise BadMessage("A type has no number.")
    return Described(printable(name, 100) or "object", special, frozenset(derived_from))


def printable(text: str, longest: int) -> str:
    """A name that can stand in a sentence."""
    return "".join(each for each in text[:longest] if each.isprintable())


def is_plain(thing: Any) -> bool:
    """Whether it is a function of which nothing but its code and its parameters' names has to be looked at.

    Looking at it runs no learner's code.
    """
    return type(thing) is FunctionType and not (thing.__dict__ or thing.__defaults__ or thing.__kwdefaults__)


def facts(thing: Any) -> Facts:
    """What is known of a function or class without calling it; looking may run a learner's code."""
    name, doc = getattr(thing, "__name__", ""), getattr(thing, "__doc__", None)
    try:
        signature: inspect.Signature | None = inspect.signature(thing)
    except Exception:  # some callables written in C do not tell, and a learner's own may raise anything
        signature = None
    return Facts(
        name[:100] if type(name) is str else "",
        doc[:10_000] if type(doc) is str else None,
        signature,
        bool(has_no_body(thing)),
    )


def written_facts(facts: Facts, number: int | None, write: Callable[[Any], Any]) -> list[Any]:
    """The same as data; ``number`` is a class's own."""
    parameters = None
    if facts.signature is not None:
        parameters = [
            [each.name, int(each.kind), [] if each.default is each.empty else [write(each.default)]]
            for each in facts.signature.parameters.values()
        ]
    return [facts.name, facts.doc, parameters, facts.has_no_body, number]


def read_facts(written: Any, read: Callable[[Any], Any]) -> Facts:
    """What the other side says of a function or class.

    Raises
    ------
    BadMessage
    """
    try:
        name, doc, parameters, empty, number = written
        signature = None
        if parameters is not None:
            signature = inspect.Signature(
                [
                    inspect.Parameter(
                        each, inspect._ParameterKind(kind), **({"default": read(default[0])} if default else {})
                    )
                    for each, kind, default in parameters[:200]
                ]
            )
    except BadMessage:
        raise
    except Exception:
        raise BadMessage("A function is not described as agreed.") from None
    if type(name) is not str or type(doc) not in (str, type(None)) or type(empty) is not bool:
        raise BadMessage("A function is not described as agreed.")
    if type(number) not in (int, type(None)):
        raise BadMessage("A class has no number.")
    return Facts(printable(name, 100), doc, signature, empty, number)
