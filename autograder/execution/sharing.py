"""Arguments that are changed in place: the other side works on copies, and the changes follow in its messages.

Every list, dictionary, set and array that goes with a request is known on both sides by the request's number and its
place in it. The side with the copy compares it with what came, after each piece of work, and says what has changed; so
a function that changes its input does so for its caller as well. An array is followed for as long as it is alive on
both sides, since an object may keep it and change it in a later call; lists, dictionaries and sets during the request.
"""

from __future__ import annotations

import operator
import weakref
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autograder.isolation.channel import BadMessage

__all__ = ["Copies", "Originals"]

MOST_REQUESTS = 1000
"""Requests whose arrays are followed."""

MOST_ARRAYS = 256
"""Copies of arrays that are followed after their request."""

MOST_BYTES = 64 << 20
"""Bytes of them."""

_PIECE = 1 << 16


class Originals:
    """Ours, which the other side has copies of."""

    def __init__(self) -> None:
        self._active: dict[int, Sequence[Any]] = {}
        self._earlier: OrderedDict[int, dict[int, weakref.ref[Any]]] = OrderedDict()

    def keep(self, number: int, mutables: Sequence[Any]) -> None:
        """These go with the request of this number."""
        if mutables:
            self._active[number] = mutables

    def settle(self, number: int) -> None:
        """The request is done."""
        mutables = self._active.pop(number, ())
        arrays = {index: weakref.ref(each) for index, each in enumerate(mutables) if type(each) is np.ndarray}
        if arrays:
            self._earlier[number] = arrays
            if len(self._earlier) > MOST_REQUESTS:
                self._earlier.popitem(last=False)

    def active(self, number: Any, index: Any) -> Any:
        """What went with a request that is not done.

        Raises
        ------
        BadMessage
        """
        mutables = self._active.get(number, ())
        if type(index) is not int or not 0 <= index < len(mutables):
            raise BadMessage("A reference leads nowhere.")
        return mutables[index]

    def change(self, number: Any, index: Any, value: Any) -> None:
        """Give an original this content; one that is gone is not missed.

        Raises
        ------
        BadMessage
            The content does not fit.
        """
        if type(number) is not int or type(index) is not int:
            raise BadMessage("A change does not say of what.")
        if number in self._active:
            original = self.active(number, index)
        else:
            reference = self._earlier.get(number, {}).get(index)
            original = None if reference is None else reference()
        if original is not None:
            _fill(original, value)


def _fill(original: Any, value: Any) -> None:
    """Give a list, dictionary, set or array new content."""
    if isinstance(original, np.ndarray):
        if type(value) is not np.ndarray or (value.dtype, value.shape) != (original.dtype, original.shape):
            raise BadMessage("An array is changed into another kind of array.")
        if original.flags.writeable:
            np.copyto(original, value)
        return
    if not isinstance(original, type(value)):
        raise BadMessage("A value is changed into another kind of value.")
    if isinstance(original, list):
        original[:] = value
    elif isinstance(original, dict | set):
        original.clear()
        original.update(value)


class _Copy:
    """One of theirs, with what it held when it came or was last reported.

    A large array is compared with what it is a copy of in shared memory, as long as that is there (``is_shared``).
    """

    __slots__ = ("before", "index", "is_array", "is_shared", "number", "reference", "thing")

    def __init__(self, number: int, index: int, thing: Any, shared: NDArray[Any] | None) -> None:
        self.number = number
        self.index = index
        self.thing = thing
        self.reference: weakref.ref[Any] | None = None
        self.is_array = type(thing) is np.ndarray
        self.is_shared = shared is not None
        self.before: Any = shared
        if shared is None:
            self.before = thing.copy(order="K") if self.is_array else _members(thing)

    def is_changed(self, thing: Any) -> bool:
        """Whether it holds something else now; if so, that is what it holds from now on."""
        if self.is_array:
            if thing.shape != self.before.shape or thing.dtype != self.before.dtype or _same(self.before, thing):
                return False
            self.before, self.is_shared = thing.copy(order="K"), False
            return True
        now = _members(thing)
        if len(now) == len(self.before) and all(map(operator.is_, now, self.before)):
            return False
        self.before = now
        return True


def _members(thing: Any) -> tuple[Any, ...]:
    """What a list, dictionary or set consists of."""
    return (*thing.keys(), *thing.values()) if type(thing) is dict else tuple(thing)


def _same(first: NDArray[Any], second: NDArray[Any]) -> bool:
    """Whether two arrays of one shape and type have the same bytes."""
    order: Any = "F" if first.flags.f_contiguous and not first.flags.c_contiguous else "C"
    if first.nbytes <= _PIECE or not (second.flags.f_contiguous if order == "F" else second.flags.c_contiguous):
        return first.tobytes() == second.tobytes()
    word = np.uint64 if first.nbytes % 8 == 0 else np.uint8
    one, other = first.ravel(order).view(word), second.ravel(order).view(word)
    # Piece by piece, so that what is compared stays in the processor's cache.
    return all(np.array_equal(one[at : at + _PIECE], other[at : at + _PIECE]) for at in range(0, one.size, _PIECE))


class Copies:
    """Theirs, which they want to know the changes of."""

    def __init__(self) -> None:
        self._active: dict[int, list[_Copy]] = {}
        self._earlier: list[_Copy] = []

    def keep(self, number: int, mutables: Sequence[Any], shared: Mapping[int, NDArray[Any]]) -> None:
        """These came with the request of this number."""
        if mutables:
            self._active[number] = [
                _Copy(number, index, each, shared.get(index)) for index, each in enumerate(mutables)
            ]

    def secure(self) -> None:
        """The other side is about to write to the shared memory again."""
        for copies in self._active.values():
            for copy in copies:
                if copy.is_shared:
                    copy.before, copy.is_shared = copy.before.copy(order="K"), False

    def settle(self, number: int) -> None:
        """The request is all but replied to: arrays are followed as long as somebody else holds them."""
        for copy in self._active.pop(number, ()):
            if copy.is_array:
                copy.reference, copy.thing = weakref.ref(copy.thing), None
                thing = copy.reference()
                if thing is not None:
                    if copy.is_shared:
                        copy.before, copy.is_shared = thing.copy(order="K"), False
                    self._earlier.append(copy)
        if self._earlier:
            self._forget()

    def _forget(self) -> None:
        """Give up copies that are gone, and the oldest of too many."""
        kept: list[_Copy] = []
        size = 0
        for copy in reversed(self._earlier):
            size += copy.before.nbytes
            if copy.reference is not None and copy.reference() is not None:
                if len(kept) == MOST_ARRAYS or size > MOST_BYTES:
                    break
                kept.append(copy)
            else:
                size -= copy.before.nbytes
        self._earlier = kept[::-1]

    def changes(self) -> Iterator[tuple[int, int, Any]]:
        """What has changed since it came or was last reported."""
        for copies in self._active.values():
            for copy in copies:
                if copy.is_changed(copy.thing):
                    yield copy.number, copy.index, copy.thing
        for copy in self._earlier:
            thing = copy.reference() if copy.reference is not None else None
            if thing is not None and copy.is_changed(thing):
                yield copy.number, copy.index, thing

    def places(self) -> dict[int, tuple[int, int]]:
        """Where the copies of requests that are not done belong, by ``id``."""
        return {id(copy.thing): (copy.number, copy.index) for each in self._active.values() for copy in each}
