"""Values as plain data, and back: what crosses the boundary between a learner's process and a check.

None, booleans, floats, text, bytes and whole numbers of 64 bits go as they are. Everything else is a list that begins
with a number, its tag: a list of two numbers is ``[1, 2.0, 3.0]``, a tuple of them ``[2, 2.0, 3.0]``. An array is its
type, shape, order and bytes; the bytes of a large one lie in shared memory, from where the reader copies them before it
looks at anything.

A value of a class derived from one of these types (``np.matrix``, ``defaultdict``, a float with a name) is reduced to
that type by the type's own methods, unless its class adds behaviour. What is none of this is left to the two
functions that a ``Writer`` and a ``Reader`` are made with; see ``autograder.execution.lending``.

A reader believes nothing: what is not exactly of this form is a ``BadMessage``.
"""

from __future__ import annotations

import math
import mmap
import sys
from collections import namedtuple
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from keyword import iskeyword
from operator import itemgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autograder.execution.failures import ValueTooLarge
from autograder.execution.special import SPECIAL
from autograder.isolation.channel import ITEMS, BadMessage

__all__ = ["DEEPEST", "NotData", "Reader", "Writer", "no_data"]

DEEPEST = 32
"""Lists in lists that are read and written."""

LARGEST_INLINE = 1 << 16
"""Bytes of an array from which on it goes through shared memory."""

LARGEST_NUMBER = 1 << 16
"""Bytes of a whole number."""

LARGEST_TABLE = 20_000
"""Entries of a dictionary or a set: with keys chosen for it, time grows with the square of their number."""

LARGEST_ARRAY = 1 << 28
"""Entries of an array, where an axis without any counts as one: ``zeros((0, 2**40)).sum(0)`` is large as well."""

MOST_RECORDS = 10_000
"""Named tuples in a message: each may need a class of its own."""

(LIST, TUPLE, DICT, SET, FROZENSET, RANGE, SLICE, ELLIPSIS, NUMBER, COMPLEX) = range(1, 11)
(ARRAY, SCALAR, TEXTS, OBJECTS, RECORD, SYMBOL, UFUNC, LENT, CHANGEABLE) = range(11, 20)

PLAIN = frozenset({type(None), bool, float, str, bytes})
_PLAIN_OR_INT = PLAIN | {int}
_WHOLE = frozenset({int})

DTYPES: dict[str, np.dtype[Any]] = {
    name: np.dtype(name) for name in (np.dtype(order + kind).str for kind in "?bhilqBHILQefdgFDG" for order in "<>")
}
"""The types of arrays that cross, by their names: numbers of every size and byte order, and booleans."""

_ALIGNMENT = 64


class NotData(TypeError):
    """Something that is no data is to be written where only data can go."""


def no_data(thing: Any) -> list[Any]:
    """Lends nothing: for a ``Writer`` of data alone."""
    raise NotData(f"A value of type {type(thing).__name__} is no data.")


class Writer:
    """Writes the values of one message.

    Parameters
    ----------
    outbox : shared memory for large arrays
    lend : writes an object that is no data, as the items of a list behind its tag
    changeables : objects of the other side's, by ``id``, which are written as references
    by_name : whether numpy's functions and SymPy's symbols go by name, to a side that may import them

    ``mutables`` has the lists, dictionaries, sets and arrays in the order in which they were met: the reader meets its
    own in the same order.
    """

    def __init__(
        self,
        outbox: mmap.mmap | None,
        lend: Callable[[Any], list[Any]],
        *,
        changeables: dict[int, tuple[int, int]] | None = None,
        by_name: bool = False,
    ) -> None:
        self.outbox = outbox
        self.lend = lend
        self.changeables = changeables
        self.by_name = by_name
        self.mutables: list[Any] = []
        self.items_left = ITEMS // 2
        self._offset = 0

    def write(self, value: Any, depth: int = 0) -> Any:
        """A value as plain data.

        Raises
        ------
        ValueTooLarge
        """
        kind: Any = type(value)
        if kind in PLAIN:
            return value
        if self.changeables and id(value) in self.changeables and depth:
            return [CHANGEABLE, *self.changeables[id(value)]]
        if kind not in _WRITERS:
            kind = _base(kind)
            if kind is None:
                return self._other(value)
        if depth > DEEPEST:
            raise ValueTooLarge(f"A value is nested more than {DEEPEST} times, far deeper than anything asked for.")
        return _WRITERS[kind](self, value, depth + 1)

    def _other(self, value: Any) -> Any:
        """What is no data."""
        if self.by_name:
            name = getattr(value, "__name__", None) if isinstance(value, np.ufunc) else None
            if name is not None and getattr(np, name, None) is value:
                return [UFUNC, name]
            sympy: Any = sys.modules.get("sympy")
            if sympy is not None and type(value) is sympy.Symbol:
                return [SYMBOL, value.name]
        return [LENT, *self.lend(value)]

    def _several(self, values: Sequence[Any], depth: int) -> list[Any]:
        """The values of a list."""
        self.items_left -= len(values)
        if self.items_left < 0:
            raise ValueTooLarge("A value consists of far more numbers than are asked for.")
        if PLAIN.issuperset(map(type, values)):
            return list(values)
        write = self.write
        return [write(value, depth) for value in values]

    def _int(self, value: int, depth: int) -> Any:
        value = int.__int__(value)
        if -(1 << 63) <= value < 1 << 64:
            return value
        size = value.bit_length() // 8 + 1
        if size > LARGEST_NUMBER:
            raise ValueTooLarge("A whole number has far more digits than any that is asked for.")
        return [NUMBER, value.to_bytes(size, "little", signed=True)]

    def _float(self, value: float, depth: int) -> float:
        return float.__float__(value)

    def _complex(self, value: complex, depth: int) -> list[Any]:
        return [COMPLEX, complex.__complex__(value).real, complex.__complex__(value).imag]

    def _text(self, value: str, depth: int) -> str:
        return str.__str__(value)

    def _bytes(self, value: bytes, depth: int) -> bytes:
        return bytes(memoryview(value))

    def _list(self, value: list[Any], depth: int) -> list[Any]:
        self.mutables.append(value)
        return [LIST, *self._several([*list.__iter__(value)], depth)]

    def _tuple(self, value: tuple[Any, ...], depth: int) -> list[Any]:
        items = [*tuple.__iter__(value)]
        if type(value) is not tuple and (names := _record_fields(type(value))) and len(names) == len(items):
            self.items_left -= len(names)
            return [RECORD, type(value).__name__[:100], list(names), self._several(items, depth)]
        return [TUPLE, *self._several(items, depth)]

    def _dict(self, value: dict[Any, Any], depth: int) -> list[Any]:
        self.mutables.append(value)
        _check_table(dict.__len__(value))
        return [DICT, self._several([*dict.keys(value)], depth), self._several([*dict.values(value)], depth)]

    def _set(self, value: set[Any], depth: int) -> list[Any]:
        self.mutables.append(value)
        _check_table(set.__len__(value))
        return [SET, *self._several([*set.__iter__(value)], depth)]

    def _frozenset(self, value: frozenset[Any], depth: int) -> list[Any]:
        _check_table(frozenset.__len__(value))
        return [FROZENSET, *self._several([*frozenset.__iter__(value)], depth)]

    def _range(self, value: range, depth: int) -> list[Any]:
        return [RANGE, *self._several((value.start, value.stop, value.step), depth)]

    def _slice(self, value: slice, depth: int) -> list[Any]:
        return [SLICE, *self._several((value.start, value.stop, value.step), depth)]

    def _ellipsis(self, value: Any, depth: int) -> list[Any]:
        return [ELLIPSIS]

    def _scalar(self, value: np.generic, depth: int) -> Any:
        if value.dtype.str not in DTYPES:
            return self._other(value)
        return [SCALAR, value.dtype.str, value.tobytes()]

    def _array(self, value: NDArray[Any], depth: int) -> list[Any]:
        if type(value) is not np.ndarray:
            value = np.ndarray.view(value, np.ndarray)
        if value.dtype.str not in DTYPES:
            return self._other_array(value, depth)
        if _entries(value.shape) > LARGEST_ARRAY:
            raise ValueTooLarge(f"An array has {value.size:,} numbers, far more than are asked for.")
        self.mutables.append(value)
        order = "F" if value.flags.f_contiguous and not value.flags.c_contiguous else "C"
        return [ARRAY, value.dtype.str, list(value.shape), order, self._content(value, order)]

    def _content(self, value: NDArray[Any], order: Any) -> bytes | int:
        """An array's bytes, or where they lie in shared memory."""
        if value.nbytes >= LARGEST_INLINE and self.outbox is not None:
            start, end = self._offset, self._offset + value.nbytes
            if end > len(self.outbox):
                raise ValueTooLarge(
                    f"An array has {value.size:,} numbers ({value.nbytes:,} bytes), more than can be handed over."
                )
            self._offset = end + -end % _ALIGNMENT
            room = np.frombuffer(self.outbox, value.dtype, value.size, start)
            np.copyto(room.reshape(value.shape, order=order), value)
            return start
        return value.tobytes(order)

    def _other_array(self, value: NDArray[Any], depth: int) -> list[Any]:
        """An array of texts or of objects; any other stays where it is."""
        if value.dtype.kind not in "UO":
            return [LENT, *self.lend(value)]
        if _entries(value.shape) > ITEMS // 2:
            raise ValueTooLarge(f"An array has {value.size:,} entries, far more than are asked for.")
        items = self._several(value.ravel().tolist(), depth)
        return [TEXTS if value.dtype.kind == "U" else OBJECTS, list(value.shape), items]


_WRITERS: dict[type, Callable[[Writer, Any, int], Any]] = {
    int: Writer._int,
    float: Writer._float,
    complex: Writer._complex,
    str: Writer._text,
    bytes: Writer._bytes,
    list: Writer._list,
    tuple: Writer._tuple,
    dict: Writer._dict,
    set: Writer._set,
    frozenset: Writer._frozenset,
    range: Writer._range,
    slice: Writer._slice,
    type(...): Writer._ellipsis,
    np.ndarray: Writer._array,
    **{np.dtype(kind).type: Writer._scalar for kind in "?bhilqBHILQefdgFDG"},
}

_BASES = (int, float, complex, str, bytes, list, tuple, dict, set, frozenset, np.ndarray)


def _check_table(size: int) -> None:
    if size > LARGEST_TABLE:
        raise ValueTooLarge(f"A dictionary or set has {size:,} entries, far more than are asked for.")


@lru_cache(maxsize=1000)
def _base(kind: Any) -> type | None:
    """The type that values of a derived class are reduced to; None where they are no data."""
    base = next((each for each in kind.__mro__ if each in _BASES), None)
    if issubclass(kind, np.ma.MaskedArray):  # numbers without their mask are other numbers
        return None
    if base is None or not all(_adds_nothing(each) for each in kind.__mro__[: kind.__mro__.index(base)]):
        return None
    return base


def _adds_nothing(kind: type) -> bool:
    """Whether a derived class only holds data, so that nothing is lost with it."""
    if kind.__module__.partition(".")[0] in ("numpy", "collections", "builtins"):
        return True
    known = _RECORD_NAMES.union(_record_fields(kind))
    own = (name for name in kind.__dict__ if name not in known)
    return not any(name in SPECIAL or not (name.startswith("__") and name.endswith("__")) for name in own)


_RECORD_NAMES = frozenset(namedtuple("_Sample", []).__dict__)


def _record_fields(kind: type) -> tuple[str, ...]:
    """The fields of a named tuple; empty for anything else."""
    fields = getattr(kind, "_fields", ())
    if issubclass(kind, tuple) and type(fields) is tuple and all(_is_name(field) for field in fields):
        return fields
    return ()


def _is_name(text: Any) -> bool:
    return type(text) is str and text.isidentifier() and not iskeyword(text) and not text.startswith("_")


class Reader:
    """Reads the values of one message, which may be hostile.

    Parameters
    ----------
    inbox : shared memory with large arrays
    borrow : reads the items behind the tag of an object that is no data
    changeables : the objects of ours that a reference means
    by_name : whether numpy's functions and SymPy's symbols are looked up by name

    ``mutables`` has the lists, dictionaries, sets and arrays in order; ``shared`` has, for some of the arrays by their
    places there, what they are copies of in shared memory, until the other side writes there again.
    """

    def __init__(
        self,
        inbox: mmap.mmap | None,
        borrow: Callable[[list[Any]], Any],
        *,
        changeables: Callable[[Any, Any], Any] | None = None,
        by_name: bool = False,
    ) -> None:
        self.inbox = inbox
        self.borrow = borrow
        self.changeables = changeables
        self.by_name = by_name
        self.mutables: list[Any] = []
        self.shared: dict[int, NDArray[Any]] = {}
        self._shared_left = 0 if inbox is None else len(inbox)
        self._records_left = MOST_RECORDS

    def read(self, written: Any, depth: int = 0) -> Any:
        """The value.

        Raises
        ------
        BadMessage
        """
        kind = type(written)
        if kind in _PLAIN_OR_INT:
            return written
        if kind is not list or not written or type(written[0]) is not int or depth > DEEPEST + 2:
            raise BadMessage("A value is not of the agreed form.")
        try:
            return _READERS[written[0]](self, written[1:], depth + 1)
        except BadMessage:
            raise
        except Exception as error:
            raise BadMessage(f"A value cannot be read ({type(error).__name__}).") from None

    def _several(self, items: Any, depth: int) -> list[Any]:
        if type(items) is not list:
            raise BadMessage("Values are not in a list.")
        if _PLAIN_OR_INT.issuperset(map(type, items)):
            return items
        read = self.read
        return [read(item, depth) for item in items]

    def _list(self, items: list[Any], depth: int) -> list[Any]:
        made: list[Any] = []
        self.mutables.append(made)
        made.extend(self._several(items, depth))
        return made

    def _tuple(self, items: list[Any], depth: int) -> tuple[Any, ...]:
        return tuple(self._several(items, depth))

    def _dict(self, items: list[Any], depth: int) -> dict[Any, Any]:
        made: dict[Any, Any] = {}
        self.mutables.append(made)
        keys, values = items
        _check(len(keys) == len(values) <= LARGEST_TABLE)
        made.update(zip(self._several(keys, depth), self._several(values, depth), strict=True))
        _check(len(made) == len(keys))
        return made

    def _set(self, items: list[Any], depth: int) -> set[Any]:
        made: set[Any] = set()
        self.mutables.append(made)
        _check(len(items) <= LARGEST_TABLE)
        made.update(self._several(items, depth))
        _check(len(made) == len(items))
        return made

    def _frozenset(self, items: list[Any], depth: int) -> frozenset[Any]:
        _check(len(items) <= LARGEST_TABLE)
        return frozenset(self._several(items, depth))

    def _range(self, items: list[Any], depth: int) -> range:
        start, stop, step = self._several(items, depth)
        _check(type(start) is type(stop) is type(step) is int)
        return range(start, stop, step)

    def _slice(self, items: list[Any], depth: int) -> slice:
        start, stop, step = self._several(items, depth)
        return slice(start, stop, step)

    def _ellipsis(self, items: list[Any], depth: int) -> Any:
        _check(not items)
        return ...

    def _number(self, items: list[Any], depth: int) -> int:
        (digits,) = items
        _check(type(digits) is bytes and len(digits) <= LARGEST_NUMBER)
        return int.from_bytes(digits, "little", signed=True)

    def _complex(self, items: list[Any], depth: int) -> complex:
        real, imaginary = items
        _check(type(real) is type(imaginary) is float)
        return complex(real, imaginary)

    def _scalar(self, items: list[Any], depth: int) -> Any:
        name, content = items
        _check(type(content) is bytes)
        return self._filled(DTYPES[name], (), "C", content)[()]

    def _array(self, items: list[Any], depth: int) -> NDArray[Any]:
        name, shape, order, content = items
        _check(order in ("C", "F"))
        made = self._filled(DTYPES[name], _shape(shape), order, content)
        self.mutables.append(made)
        return made

    def _filled(self, dtype: np.dtype[Any], shape: tuple[int, ...], order: Any, content: Any) -> NDArray[Any]:
        """An array of its own with a copy of this content."""
        count = math.prod(shape)
        size = count * dtype.itemsize
        if type(content) is bytes:
            _check(len(content) == size)
            source: Any = content
            start = 0
        else:
            _check(type(content) is int and self.inbox is not None)
            source, start = self.inbox, content
            self._shared_left -= size
            _check(0 <= start <= len(source) - size and self._shared_left >= 0)
        if not count:
            return np.empty(shape, dtype, order)
        written: NDArray[Any] = np.ndarray(shape, dtype, source, start, order=order)
        made = written.copy("K")
        if source is self.inbox:
            self.shared[len(self.mutables)] = written
        if dtype.kind == "b":
            np.not_equal(made.view(np.uint8), 0, out=made)  # a byte that is neither 0 nor 1 is no boolean
        return made

    def _texts(self, items: list[Any], depth: int) -> NDArray[Any]:
        shape, texts = items
        _check(type(texts) is list and all(type(text) is str for text in texts))
        _check(sum(map(len, texts)) <= 1_000_000 and max(map(len, texts), default=0) * len(texts) <= 10_000_000)
        return np.array(texts, dtype=str).reshape(_shape(shape))

    def _objects(self, items: list[Any], depth: int) -> NDArray[Any]:
        shape, objects = items
        objects = self._several(objects, depth)
        made = np.empty(len(objects), dtype=object)
        for index, each in enumerate(objects):
            made[index] = each
        return made.reshape(_shape(shape))

    def _record(self, items: list[Any], depth: int) -> tuple[Any, ...]:
        name, fields, values = items
        self._records_left -= 1
        _check(self._records_left >= 0 and type(fields) is list and len(fields) == len(values) <= 100)
        _check(_is_name(name.lstrip("_")) and len(name) <= 100)
        _check(all(_is_name(field) and len(field) <= 100 for field in fields) and len({*fields}) == len(fields))
        return _record_class(name, tuple(fields))(self._several(values, depth))

    def _symbol(self, items: list[Any], depth: int) -> Any:
        (name,) = items
        _check(self.by_name and type(name) is str)
        import sympy  # only where a derivation is asked for

        return sympy.Symbol(name)

    def _ufunc(self, items: list[Any], depth: int) -> Any:
        (name,) = items
        _check(self.by_name)
        found = getattr(np, name)
        _check(isinstance(found, np.ufunc))
        return found

    def _lent(self, items: list[Any], depth: int) -> Any:
        return self.borrow(items)

    def _changeable(self, items: list[Any], depth: int) -> Any:
        number, index = items
        _check(self.changeables is not None)
        assert self.changeables is not None
        return self.changeables(number, index)


_READERS: dict[int, Callable[[Reader, list[Any], int], Any]] = {
    LIST: Reader._list,
    TUPLE: Reader._tuple,
    DICT: Reader._dict,
    SET: Reader._set,
    FROZENSET: Reader._frozenset,
    RANGE: Reader._range,
    SLICE: Reader._slice,
    ELLIPSIS: Reader._ellipsis,
    NUMBER: Reader._number,
    COMPLEX: Reader._complex,
    ARRAY: Reader._array,
    SCALAR: Reader._scalar,
    TEXTS: Reader._texts,
    OBJECTS: Reader._objects,
    RECORD: Reader._record,
    SYMBOL: Reader._symbol,
    UFUNC: Reader._ufunc,
    LENT: Reader._lent,
    CHANGEABLE: Reader._changeable,
}


def _check(holds: bool) -> None:
    if not holds:
        raise BadMessage("A value contradicts itself.")


def _entries(shape: Sequence[int]) -> int:
    """The entries of an array, where an axis without any counts as one."""
    entries = math.prod(shape)
    return entries or math.prod(size or 1 for size in shape)


def _shape(sizes: Any) -> tuple[int, ...]:
    """The shape of an array that can be made."""
    _check(type(sizes) is list and len(sizes) <= 32 and _WHOLE.issuperset(map(type, sizes)))
    _check(min(sizes, default=0) >= 0 and _entries(sizes) <= LARGEST_ARRAY)
    return tuple(sizes)


@lru_cache(maxsize=100)
def _record_class(name: str, fields: tuple[str, ...]) -> Callable[[Iterable[Any]], tuple[Any, ...]]:
    """A tuple whose values have names, and that can do nothing else."""
    read = {field: property(itemgetter(index)) for index, field in enumerate(fields)}
    return type(name, (tuple,), {"__slots__": (), "_fields": fields, **read})
