"""Values cross as they are; what is no value of the agreed form is refused, and costs neither time nor memory."""

from __future__ import annotations

import collections
import enum
import math
import mmap
from collections.abc import Callable
from typing import Any, NamedTuple, NoReturn

import msgpack
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autograder.execution import values
from autograder.execution.failures import ValueTooLarge
from autograder.execution.values import DTYPES, Reader, Writer
from autograder.isolation.channel import BadMessage


def refuse(thing: Any) -> NoReturn:
    raise TypeError(f"{type(thing).__name__} is no data")


def never(items: list[Any]) -> NoReturn:
    raise BadMessage("nothing is lent here")


def crossed(value: Any, memory: mmap.mmap | None = None) -> Any:
    """A value as it arrives on the other side."""
    written = Writer(memory, refuse).write(value)
    packed = msgpack.packb(written, unicode_errors="surrogatepass")
    return Reader(memory, never).read(msgpack.unpackb(packed, unicode_errors="surrogatepass"))


def read(written: Any, memory: mmap.mmap | None = None) -> Any:
    return Reader(memory, never).read(written)


class Lies(float):
    def __float__(self) -> float:
        raise ValueError("asked")


class Tagged(np.ndarray):
    def __array_finalize__(self, other: Any) -> None:
        self.tag = "x"


class Gradients(NamedTuple):
    dW: float
    db: list[float]


class Colour(enum.IntEnum):
    RED = 1


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        0,
        -1,
        2**63,
        -(2**63) - 1,
        2**1000,
        -(2**1000),
        1.5,
        -0.0,
        math.inf,
        2 + 3j,
        complex("-inf+infj"),
        "text",
        "lone \udc80",
        "\x00",
        b"\xff",
        [],
        [1, [2.0, ["x"]]],
        (),
        (1, (2,)),
        {"a": 1, 2: [3], (4, 5): None, None: 1},
        {1, 2.5},
        {"x"},  # alone: sets of texts have another order in each of pytest's processes, and no name in common
        frozenset({1, (2, 3)}),
        range(2, 20, 3),
        slice(1, None, 2),
        ...,
        {"weights": [(1, 2), {"b": ...}]},
    ],
    ids=repr,
)
def test_a_value_arrives_as_it_is(value: Any) -> None:
    arrived = crossed(value)
    assert repr(arrived) == repr(value)
    assert type(arrived) is type(value)


def test_nan_arrives() -> None:
    assert math.isnan(crossed(math.nan))


@pytest.mark.parametrize("name", sorted(DTYPES))
@pytest.mark.parametrize("shape", [(), (3,), (2, 3), (2, 0), (2, 3, 4)])
def test_arrays_of_every_type_arrive(name: str, shape: tuple[int, ...]) -> None:
    array = np.arange(math.prod(shape)).reshape(shape).astype(name)
    arrived = crossed(array)
    assert (arrived.dtype.str, arrived.shape) == (name, shape)
    assert np.array_equal(arrived, array)
    assert arrived.base is None
    assert arrived.flags.writeable
    if not shape:
        scalar = crossed(array[()])
        assert type(scalar) is type(array[()])
        assert scalar == array[()]


def test_arrays_keep_their_order_and_their_values_however_they_lie() -> None:
    square = np.arange(12.0).reshape(3, 4)
    for array in (
        square,
        square.T,
        square[:, ::2],
        square[::-1],
        np.broadcast_to(1.5, (2, 3)),
        np.asfortranarray(square),
    ):
        arrived = crossed(array)
        assert np.array_equal(arrived, array)
        assert arrived.base is None
    assert crossed(square.T).flags.f_contiguous


def test_large_arrays_go_through_shared_memory() -> None:
    memory = mmap.mmap(-1, 4 << 20)
    arrays = [np.random.default_rng(n).normal(size=(100, 300 + n)) for n in range(4)] + [np.ones((200, 300)).T]
    written = Writer(memory, refuse).write(arrays)
    assert len(msgpack.packb(written)) < 1000
    arrived = read(written, memory)
    memory[:] = b"\xff" * len(memory)  # as the other side may do at any time
    assert all(np.array_equal(one, other) for one, other in zip(arrays, arrived, strict=True))


def test_a_value_too_large_says_so() -> None:
    memory = mmap.mmap(-1, 1 << 20)
    loop: list[Any] = []
    loop.append(loop)
    for value in (np.ones(1 << 18), [0.0] * (1 << 20 | 1), loop, 2 ** (1 << 20), dict.fromkeys(range(30_000))):
        with pytest.raises(ValueTooLarge):
            Writer(memory, refuse).write(value)
    with pytest.raises(ValueTooLarge, match="4,294,967,296 numbers"):
        Writer(memory, refuse).write(np.broadcast_to(0.0, (1 << 16, 1 << 16)))


@pytest.mark.parametrize(
    ("value", "base"),
    [
        (collections.OrderedDict(a=1), {"a": 1}),
        (collections.defaultdict(list, a=1), {"a": 1}),
        (collections.Counter("aab"), {"a": 2, "b": 1}),
        (np.str_("text"), "text"),
        (type("Named", (float,), {})(2.5), 2.5),
        (type("Words", (list,), {"__init__": lambda self, *items: list.extend(self, items)})(1, 2), [1, 2]),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_derived_class_that_adds_nothing_is_reduced(value: Any, base: Any) -> None:
    arrived = crossed(value)
    assert arrived == base
    assert type(arrived) is type(base)


def test_derived_arrays_are_reduced_to_their_numbers() -> None:
    for array in (
        np.matrix([[1.0, 2.0]]),
        np.array([[1.0, 2.0]]).view(Tagged),
    ):
        arrived = crossed(array)
        assert type(arrived) is np.ndarray
        assert arrived.tolist() == [[1.0, 2.0]]


@pytest.mark.parametrize(
    "value",
    [
        Lies(2),
        Colour.RED,
        object(),
        lambda: 0,
        (n for n in ()),
        np.datetime64("2026-01-01"),
        np.ma.array([1.0, 2.0], mask=[0, 1]),
    ],
)
def test_what_behaves_is_no_data(value: Any) -> None:
    with pytest.raises(TypeError, match="no data"):
        crossed(value)


def test_named_tuples_keep_their_names() -> None:
    arrived = crossed(Gradients(1.0, [2.0]))
    assert (arrived.dW, arrived.db, tuple(arrived)) == (1.0, [2.0], (1.0, [2.0]))
    assert isinstance(arrived, tuple)
    assert type(arrived).__name__ == "Gradients"


def test_arrays_of_texts_and_of_objects_arrive() -> None:
    texts = crossed(np.array([["a", "long"], ["", "σ"]]))
    assert texts.tolist() == [["a", "long"], ["", "σ"]]
    things = np.array([[1, "x"], [None, 2.5]], dtype=object)
    assert crossed(things).tolist() == things.tolist()
    ragged = np.empty(2, dtype=object)
    ragged[:] = [[1, 2], [3]]
    assert crossed(ragged).tolist() == [[1, 2], [3]]


def test_the_reader_meets_mutable_values_in_the_writers_order() -> None:
    value = [np.ones(2), {"a": [1], "b": {2}}, (np.zeros(1), [])]
    writer, reader = Writer(None, refuse), Reader(None, never)
    reader.read(writer.write(value))
    assert [type(each) for each in reader.mutables] == [type(each) for each in writer.mutables]
    assert len(reader.mutables) == 7


def test_symbols_and_numpy_functions_go_by_name_one_way_only() -> None:
    import sympy

    written = Writer(None, refuse, by_name=True).write([sympy.Symbol("x"), np.tanh])
    assert Reader(None, never, by_name=True).read(written) == [sympy.Symbol("x"), np.tanh]
    with pytest.raises(BadMessage):
        read(written)
    for name in ("load", "__name__", "array", "os", ""):
        with pytest.raises(BadMessage):
            Reader(None, never, by_name=True).read([values.UFUNC, name])


A, S = values.ARRAY, values.SCALAR


@pytest.mark.parametrize(
    "written",
    [
        [],
        [[]],
        [0],
        [99, 1],
        [True, 1],
        ["1", 1],
        {"a": 1},
        [values.LIST, {"a": 1}],
        [values.DICT, [1, 1], [2, 3]],
        [values.DICT, [[values.LIST]], [1]],
        [values.DICT, 1, 2],
        [values.DICT, [1]],
        [values.SET, 1, 1],
        [values.SET, [values.LIST]],
        [values.RANGE, 1, 2, 0],
        [values.RANGE, 1.0, 2, 3],
        [values.RANGE, 1],
        [values.NUMBER, "1"],
        [values.NUMBER, b"x" * 100_000],
        [values.COMPLEX, 1, 2],
        [values.COMPLEX, "1", "2"],
        [values.ELLIPSIS, 1],
        [A, "<f8", [2], "C", b"x" * 15],
        [A, "<f8", [2], "C", b"x" * 17],
        [A, "<f8", [-1], "C", b""],
        [A, "<f8", [2.0], "C", b"x" * 16],
        [A, "<f8", [True], "C", b"x" * 8],
        [A, "<f8", 2, "C", b"x" * 16],
        [A, "<f8", [1] * 40, "C", b"x" * 8],
        [A, "<f8", [0, 2**62], "C", b""],
        [A, "<f8", [0, 1 << 40], "C", b""],
        [A, "<f8", [2**32, 2**32], "C", b""],
        [A, "<f8", [2], "K", b"x" * 16],
        [A, "|O", [1], "C", b"x" * 8],
        [A, "<M8[s]", [1], "C", b"x" * 8],
        [A, "<U1", [2], "C", b"x" * 8],
        [A, "|V8", [1], "C", b"x" * 8],
        [A, "f8,O", [1], "C", b"x" * 16],
        [A, ["<f8"], [1], "C", b"x" * 8],
        [A, "<f8", [2], "C", None],
        [A, "<f8", [2], "C", -8],
        [A, "<f8", [1 << 20], "C", 0],
        [A, "<f8", [2], "C", (1 << 20) - 8],
        [A, "<f8", [2], "C", 2**63],
        [A, "<f8", [2], "C", True],
        [S, "<f8", b"x"],
        [S, "|O", b"x" * 8],
        [values.TEXTS, [2], ["a", 1]],
        [values.TEXTS, [3], ["a", "b"]],
        [values.TEXTS, [100], ["a" * 500_000] + ["b"] * 99],
        [values.OBJECTS, [3], [1, 2]],
        [values.OBJECTS, [2], 5],
        [values.RECORD, "name", ["a b"], [1]],
        [values.RECORD, "name", ["__class__"], [1]],
        [values.RECORD, "name", ["if"], [1]],
        [values.RECORD, "name", ["a", "a"], [1, 2]],
        [values.RECORD, "na me", ["a"], [1]],
        [values.RECORD, 5, ["a"], [1]],
        [values.SYMBOL, "x"],
        [values.UFUNC, "tanh"],
        [values.CHANGEABLE, 1, 0],
        [values.LENT, 0, 1],
        [values.SLICE, 1],
    ],
    ids=repr,
)
def test_what_contradicts_itself_is_refused(written: Any) -> None:
    with pytest.raises(BadMessage):
        read(written, mmap.mmap(-1, 1 << 20))


def test_nesting_is_bounded() -> None:
    deep: list[Any] = [values.LIST]
    for _ in range(200):
        deep = [values.LIST, deep]
    with pytest.raises(BadMessage):
        read(deep)


def test_shared_memory_is_read_once_not_a_thousand_times() -> None:
    memory = mmap.mmap(-1, 1 << 20)
    with pytest.raises(BadMessage):
        read([values.LIST, *[[A, "<f8", [1 << 16], "C", 0]] * 100], memory)


def test_booleans_are_booleans() -> None:
    array = read([A, "|b1", [4], "C", b"\x00\x01\x02\xff"])
    assert array.view(np.uint8).tolist() == [0, 1, 1, 1]
    assert read([S, "|b1", b"\x07"]).view(np.uint8) == 1


PIECES: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-3, 25)
    | st.sampled_from([2**63, 2**64 - 1, -(2**63), 1 << 20])
    | st.floats()
    | st.sampled_from(["<f8", "|b1", ">i2", "|O", "C", "F", "x", ""])
    | st.binary(max_size=16),
    lambda inner: st.lists(inner, max_size=6),
    max_leaves=20,
)


@settings(max_examples=500, deadline=None)
@given(PIECES)
def test_no_plain_data_raise_anything_else(written: Any) -> None:
    memory = mmap.mmap(-1, 4096)
    with _only_bad_messages():
        read(written, memory)


@settings(max_examples=300, deadline=None)
@given(st.integers(1, 19), st.lists(PIECES, max_size=5))
def test_no_items_behind_a_tag_raise_anything_else(tag: int, items: list[Any]) -> None:
    memory = mmap.mmap(-1, 4096)
    with _only_bad_messages():
        read([tag, *items], memory)


class _only_bad_messages:
    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        return isinstance(error, BadMessage)


DATA: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary() | st.just(...),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(st.text(max_size=3) | st.integers(), inner, max_size=4)
    ),
    max_leaves=15,
)


@settings(max_examples=200, deadline=None)
@given(DATA)
def test_any_data_come_back(value: Any) -> None:
    assert repr(crossed(value)) == repr(value)


def test_reading_asks_nothing_of_a_learners_class() -> None:
    asked: list[str] = []

    class Spy(list):  # type: ignore[type-arg]
        def __repr__(self) -> str:
            asked.append("repr")
            return ""

    crossed(Spy([1, 2]))
    assert not asked


CALLABLES: list[Callable[..., Any]] = [len, np.sin, lambda: 0]


@pytest.mark.parametrize("thing", CALLABLES)
def test_functions_are_left_to_the_lender(thing: Callable[..., Any]) -> None:
    lent = Writer(None, lambda each: [1, 2, 3, each.__name__]).write([thing])
    assert lent[1][0] == values.LENT
