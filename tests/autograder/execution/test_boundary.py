"""A check uses what is in a learner's process as if it were its own, and nothing that process does can deceive it."""

from __future__ import annotations

import contextlib
import copy
import inspect
import io
import math
import os
import select
import socket
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, NoReturn

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autograder.answers import calls, has_no_body
from autograder.errors import BoundaryError
from autograder.execution import boundary, lending
from autograder.execution.boundary import (
    ModuleName,
    Peer,
    ProtocolError,
    StandIn,
    StudentError,
    StudentGone,
    StudentTimeout,
    ValueTooLarge,
)
from autograder.isolation.channel import Channel, ChannelClosed

REQUEST, REPLY, OFFER, VALUE, RAISED = (
    boundary.REQUEST,
    boundary.REPLY,
    boundary.OFFER,
    boundary.VALUE,
    boundary.RAISED,
)

Across = Any


# --- What a learner may write -----------------------------------------------------------------------------------------


class Dual:
    """A dual number."""

    def __init__(self, value: float, tangent: float = 0.0) -> None:
        self.value, self.tangent = value, tangent
        self._hidden = "seen"

    def __add__(self, other: Any) -> Any:
        if not isinstance(other, Dual | float | int):
            return NotImplemented
        other = other if isinstance(other, Dual) else Dual(other)
        return Dual(self.value + other.value, self.tangent + other.tangent)

    __radd__ = __add__

    def __imul__(self, other: Any) -> Any:
        self.value *= other
        return self

    def __neg__(self) -> Any:
        return Dual(-self.value, -self.tangent)

    def sin(self) -> Any:
        return Dual(math.sin(self.value), math.cos(self.value) * self.tangent)

    def __call__(self, x: float, *, scale: float = 1) -> float:
        return self.value * x * scale

    @property
    def failing(self) -> NoReturn:
        raise ValueError("not today")


class Layer:
    def __init__(self, W: Any) -> None:
        self.W = W

    def step(self, rate: float) -> None:
        self.W -= rate


class Liar:
    """Says yes to everything."""

    def __eq__(self, other: object) -> bool:
        return True

    __ne__ = __lt__ = __gt__ = __le__ = __ge__ = __contains__ = __eq__  # type: ignore[assignment]
    __hash__ = None  # type: ignore[assignment]

    def __bool__(self) -> bool:
        return True

    def __float__(self) -> Any:
        return "4"

    def __index__(self) -> Any:
        return self

    def __str__(self) -> Any:
        return 4

    def __len__(self) -> int:
        return 10**12

    def __array__(self, *arguments: Any, **options: Any) -> Any:
        return self

    def __iter__(self) -> Any:
        return self

    def __next__(self) -> int:
        return 4

    def __getattr__(self, name: str) -> Any:
        return self

    @property
    def __class__(self) -> Any:  # type: ignore[override]
        return float


class OwnError(ValueError):
    pass


class Speechless(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no words")


@dataclass
class Pair:
    dW: Any
    db: Any


def f(x: Any, y: int = 2) -> Any:
    """Adds."""
    return x + y


def unwritten(x: Any) -> None:
    """Nothing yet."""


def divides(x: float) -> float:
    zero = 0
    return x / zero


def raise_named(name: str) -> None:
    raise {
        "OwnError": OwnError("mine"),
        "SystemExit": SystemExit(3),
        "KeyboardInterrupt": KeyboardInterrupt(),
        "GeneratorExit": GeneratorExit(),
        "Speechless": Speechless(),
        "KeyError": KeyError("a"),
        "FileNotFoundError": FileNotFoundError(2, "No such file", "x"),
        "UnicodeDecodeError": UnicodeDecodeError("utf-8", b"x", 0, 1, "why"),
        "SyntaxError": SyntaxError("bad", ("file", 1, 2, "text")),
        "ExceptionGroup": ExceptionGroup("several", [ValueError()]),
        "LinAlgError": np.linalg.LinAlgError("Singular matrix"),
        "StudentGone": StudentGone("forged"),
        "AssertionError": AssertionError(),
        "StopIteration": StopIteration(5),
    }[name]


def deep(x: Any) -> Any:
    return deep(x)


def deep_callback(g: Any) -> Any:
    g(1)
    return deep_callback(g)


def loud(x: Any) -> Any:
    print("x is", x)
    warnings.warn("careful", stacklevel=1)
    np.log(np.zeros(1))
    import sys

    print("oops", file=sys.stderr)
    return x


def flood() -> int:
    for n in range(100_000):
        print("line", n)
        warnings.warn(f"warning {n}", stacklevel=1)
    return 1


def change(x: Any, things: Any) -> None:
    x[0] = 7
    things["list"].append(x)
    things["list"][0] = "new"
    things["set"].add(5)
    del things["gone"]


def changes_between(g: Callable[[Any], Any], x: Any) -> Any:
    g(np.ones_like(x))
    x += 1
    g(x + 1)
    x += 1
    return np.ones((300, 100))


def apply_to(g: Callable[..., Any], *arguments: Any) -> Any:
    return g(*arguments)


def attribute_of(thing: Any, name: str) -> Any:
    return getattr(thing, name)


def numerical(g: Callable[[Any], Any], x: Any, h: float) -> Any:
    slopes = np.zeros_like(x)
    for index in np.ndindex(x.shape):
        old = x[index]
        x[index] = old + h
        up = g(x)
        x[index] = old - h
        slopes[index] = (up - g(x)) / (2 * h)
        x[index] = old
    return slopes


def nest(value: Any, depth: int) -> Any:
    return [nest(value, depth - 1)] if depth else value


def counting(n: int) -> Iterator[int]:
    yield from range(n)


NAMESPACE: dict[str, Any] = {
    name: value for name, value in globals().items() if not name.startswith("_") and name != "Across"
} | {
    "number": 3,
    "weights": [np.ones(2), np.zeros((2, 2))],
    "np_alias": np,
    "huge": np.broadcast_to(0.0, (1 << 14, 1 << 14)),
}


@pytest.fixture
def peer(across: Across) -> Peer:
    made: Peer = across(NAMESPACE)
    return made


# --- Honest use -------------------------------------------------------------------------------------------------------


def test_names_come_as_data_or_stand_ins(peer: Peer) -> None:
    assert peer.fetch("number") == 3
    assert peer.fetch("weights")[1].shape == (2, 2)
    assert peer.fetch("np_alias") == ModuleName("numpy")
    assert isinstance(peer.fetch("f"), StandIn)
    with pytest.raises(NameError, match="nothing"):
        peer.fetch("nothing")
    with pytest.raises(ValueTooLarge, match="268,435,456 numbers"):
        peer.fetch("huge")
    assert peer.fetch("number") == 3


def test_a_function_is_called_and_known(peer: Peer) -> None:
    function = peer.fetch("f")
    assert function(1) == 3
    assert function(x=1, y=5) == 6
    assert np.array_equal(function(np.ones(3)), np.full(3, 3.0))
    assert str(inspect.signature(function)) == "(x, y=2)"
    assert (function.__name__, function.__doc__, type(function).__name__) == ("f", "Adds.", "function")
    assert callable(function)
    assert not has_no_body(function)
    assert has_no_body(peer.fetch("unwritten"))
    with pytest.raises(TypeError, match="missing 1 required"):
        function()


def test_a_function_comes_with_what_is_known_of_it(across: Across) -> None:
    def plain(x: float, y: float) -> float:
        """Adds."""
        return x + y

    def with_default(x: float, y: float = 2.0) -> float:
        return x + y

    peer = across({"plain": plain, "with_default": with_default})
    asked = []
    request = peer.request
    peer.request = lambda operation, *others: asked.append(operation) or request(operation, *others)
    function = peer.fetch("plain")
    assert str(inspect.signature(function)) == "(x, y)"
    assert (function.__name__, function.__doc__, has_no_body(function)) == ("plain", "Adds.", False)
    assert asked == ["fetch"]
    assert str(inspect.signature(peer.fetch("with_default"))) == "(x, y=2.0)"
    assert asked == ["fetch", "fetch", "describe"]


def test_objects_calculate_and_have_attributes(peer: Peer) -> None:
    made = peer.fetch("Dual")
    x = 1 + made(2.0, 3.0) + made(1, 1)
    assert (x.value, x.tangent, (-x).value) == (4.0, 4.0, -4.0)
    assert x._hidden == "seen"
    x.value = 10.0
    before = x
    x *= 2
    assert x is before
    assert (x.value, x.sin().tangent, np.sin(x).value) == (20.0, 4.0 * math.cos(20), math.sin(20))
    assert x(2, scale=3) == 120.0
    assert type(x).__name__ == "Dual"
    assert isinstance(x, made)
    assert not isinstance(3.0, made)
    assert not isinstance(peer.fetch("Layer")(1), made)
    with pytest.raises(TypeError, match=r"unsupported operand type\(s\) for \*: 'Dual' and 'int'"):
        x = made(1) * 2  # __imul__ is no __mul__
    with pytest.raises(TypeError, match=r"unsupported operand type\(s\) for \+: 'Dual' and 'str'"):
        made(1) + "a"
    with pytest.raises(AttributeError, match="'Dual' object has no attribute 'gradient'"):
        made(1).gradient  # noqa: B018
    assert not hasattr(made(1), "gradient")
    with pytest.raises(ValueError, match="not today"):
        made(1).failing  # noqa: B018


def test_methods_added_later_are_there(across: Across) -> None:
    class Grows:
        pass

    def grow() -> None:
        Grows.__len__ = lambda self: 3  # type: ignore[attr-defined]

    peer = across({"Grows": Grows, "grow": grow})
    with pytest.raises(TypeError, match="has no len"):
        len(peer.fetch("Grows")())
    peer.fetch("grow")()
    assert len(peer.fetch("Grows")()) == 3


def test_iterators_and_generators(peer: Peer) -> None:
    assert list(peer.fetch("counting")(5)) == [0, 1, 2, 3, 4]
    assert type(peer.fetch("counting")(5)).__name__ == "generator"


def test_an_object_is_one_object_and_is_given_back(peer: Peer) -> None:
    call = peer.fetch("apply_to")
    dual = peer.fetch("Dual")(1)
    assert call(peer.fetch("attribute_of"), dual, "value") == 1
    assert call(lambda x: x, dual) is dual
    lent = len(peer._borrowed._stand_ins)
    for _ in range(100):
        dual + 1
    assert len(peer._borrowed._stand_ins) <= lent + 2
    assert len(peer._borrowed.released) <= 3


def test_named_values_come_as_objects(peer: Peer) -> None:
    pair = peer.fetch("Pair")(np.ones(2), 1.0)
    assert (pair.dW.tolist(), pair.db) == ([1, 1], 1.0)


def test_callbacks_get_floats_complex_numbers_and_arrays(peer: Peer) -> None:
    call = peer.fetch("apply_to")
    seen: list[Any] = []
    for value in (1.5, 2 + 1j, np.arange(3.0), np.ones((2, 2), complex), np.float32(2)):
        result = call(lambda x: seen.append(type(x)) or x * 2, value)
        assert np.array_equal(result, value * 2)
        assert type(result) is type(value * 2)
        assert seen[-1] is type(value)
    x = np.array([1.0, 2.0, 3.0])
    assert np.allclose(peer.fetch("numerical")(lambda v: np.sum(v**3), x, 1e-4), 3 * x**2)
    assert x.tolist() == [1, 2, 3]
    assert call(np.tanh, 0.0) == 0.0
    assert call(call, call, lambda: "through and through") == "through and through"


def test_a_random_generator_moves_on_here(peer: Peer) -> None:
    ours, same = np.random.default_rng(1), np.random.default_rng(1)
    drawn = peer.fetch("apply_to")(peer.fetch("attribute_of")(ours, "normal"), 0.0, 1.0, 3)
    assert np.array_equal(drawn, same.normal(size=3))
    assert ours.normal() == same.normal()


def test_arguments_changed_in_place_are_changed_here(peer: Peer) -> None:
    x = np.zeros(3)
    inner: list[Any] = [1]
    things = {"list": inner, "set": {1}, "gone": 0}
    peer.fetch("change")(x, things)
    assert x.tolist() == [7, 0, 0]
    assert things == {"list": inner, "set": {1, 5}}
    assert inner[0] == "new"
    assert inner[1] is x


def test_what_an_object_keeps_is_changed_here_later(peer: Peer) -> None:
    for W in (np.ones(3), np.asfortranarray(np.ones((2, 3))), np.ones((4, 4))[::2], np.ones((100, 100))):
        layer = peer.fetch("Layer")(W)
        layer.step(0.25)
        layer.step(0.25)
        assert np.all(W == 0.5)
    fixed = np.ones(2)
    fixed.flags.writeable = False
    layer = peer.fetch("Layer")(fixed)
    layer.step(1)
    assert fixed.tolist() == [1, 1]


def test_large_arrays_go_there_and_back(peer: Peer) -> None:
    x = np.random.default_rng(0).normal(size=(500, 400))
    assert np.array_equal(peer.fetch("f")(x, 0), x)
    assert np.array_equal(peer.fetch("apply_to")(lambda v: v.T, x), x.T)
    with pytest.raises(ValueTooLarge):
        peer.fetch("f")(np.zeros((2000, 2000)))
    assert peer.fetch("f")(1) == 3


def test_a_large_array_is_followed_through_calls_back_that_use_the_shared_memory(peer: Peer) -> None:
    x, other = np.zeros((200, 100)), np.ones((300, 100))
    seen: list[Any] = []

    def callback(value: Any) -> Any:
        seen.append((value.sum(), x.sum()))
        return other * 2

    slopes = peer.fetch("changes_between")(callback, x)
    assert slopes.shape == (300, 100)
    assert seen == [(20_000.0, 0.0), (40_000.0, 20_000.0)]  # the second time, x has changed here as well
    assert np.all(x == 2)
    before = x.copy()
    peer.fetch("apply_to")(lambda value: other, x)
    assert np.array_equal(x, before)


def test_nothing_of_a_learners_is_displayed_by_a_check(peer: Peer) -> None:
    liar = peer.fetch("Liar")()
    assert liar.anything is not None
    for name in ("_repr_html_", "_repr_mimebundle_", "_ipython_display_", "_repr_pretty_"):
        assert not hasattr(liar, name)


def test_printing_and_warnings_happen_here(peer: Peer, capsys: pytest.CaptureFixture[str]) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert peer.fetch("loud")(4) == 4
        with np.errstate(all="ignore"):
            peer.fetch("loud")(5)
    assert capsys.readouterr() == ("x is 4\nx is 5\n", "oops\noops\n")
    told = [(each.category, str(each.message)) for each in caught]
    quiet = [(UserWarning, "careful")]
    assert told == [*quiet, (RuntimeWarning, "divide by zero encountered in log"), *quiet]
    with np.errstate(divide="raise"), pytest.raises(FloatingPointError):
        peer.fetch("loud")(6)


def test_a_flood_is_cut(peer: Peer, capsys: pytest.CaptureFixture[str]) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert peer.fetch("flood")() == 1
    assert len(caught) == 50
    assert len(capsys.readouterr().out) == 20_000


@pytest.mark.parametrize(
    ("name", "kind", "said"),
    [
        ("OwnError", ValueError, "mine"),
        ("SystemExit", StudentError, "3"),
        ("KeyboardInterrupt", StudentError, ""),
        ("GeneratorExit", StudentError, ""),
        ("Speechless", StudentError, ""),
        ("KeyError", KeyError, "'a'"),
        ("FileNotFoundError", FileNotFoundError, "[Errno 2] No such file"),
        ("UnicodeDecodeError", ValueError, "'utf-8' codec can't decode byte 0x78 in position 0: why"),
        ("SyntaxError", StudentError, "bad (file, line 1)"),
        ("ExceptionGroup", StudentError, "several (1 sub-exception)"),
        ("LinAlgError", np.linalg.LinAlgError, "Singular matrix"),
        ("StudentGone", StudentError, "forged"),
        ("AssertionError", AssertionError, ""),
        ("StopIteration", StudentError, "5"),
    ],
)
def test_exceptions_have_their_name_and_words(peer: Peer, name: str, kind: type[BaseException], said: str) -> None:
    with pytest.raises(Exception) as caught:  # noqa: PT011
        peer.fetch("raise_named")(name)
    assert type(caught.value).__name__ == name
    assert isinstance(caught.value, kind)
    assert isinstance(caught.value, Exception)
    assert str(caught.value) == said
    assert peer.fetch("number") == 3


def test_exceptions_know_the_learners_line(peer: Peer) -> None:
    with pytest.raises(ZeroDivisionError) as caught:
        peer.fetch("divides")(1.0)
    line = caught.value.learner_line  # type: ignore[attr-defined]
    assert str(line) == " in line 3 of divides: `return x / zero`"


def test_our_own_exception_comes_back_as_itself(peer: Peer) -> None:
    class Ours(Exception):
        pass

    ours = Ours("secret", object())

    def callback() -> NoReturn:
        raise ours

    with pytest.raises(Ours) as caught:
        peer.fetch("apply_to")(callback)
    assert caught.value is ours


def test_recursion_without_end_leaves_the_conversation_whole(peer: Peer) -> None:
    for name, argument in (("deep", 1), ("deep_callback", lambda x: x)):
        for _ in range(5):
            with pytest.raises(RecursionError):
                peer.fetch(name)(argument)
        assert peer.fetch("f")(1) == 3


def test_only_what_crosses_is_handed_over(peer: Peer) -> None:
    call = peer.fetch("apply_to")
    for thing in (os, Peer, peer, object(), inspect.currentframe()):
        with pytest.raises(TypeError, match="cannot be handed to a learner's code"):
            call(lambda: None, thing)
    with pytest.raises(TypeError, match="cannot be handed"):
        call(lambda: os)
    for name in ("__code__", "__globals__", "__closure__", "__defaults__", "anything"):
        with pytest.raises((AttributeError, RuntimeError)):
            peer.fetch("attribute_of")(lambda: None, name)


def test_an_object_of_the_check_shows_its_public_side(peer: Peer) -> None:
    made = type("Model", (), {"__module__": "__main__", "rate": 0.5, "_secret": 1, "double": lambda self, x: 2 * x})()
    attribute_of, call = peer.fetch("attribute_of"), peer.fetch("apply_to")
    assert attribute_of(made, "rate") == 0.5
    assert call(attribute_of(made, "double"), 4) == 8
    with pytest.raises(RuntimeError, match="cannot be done"):
        attribute_of(made, "_secret")
    assert call(lambda x: x is made, made)


def test_stand_ins_are_neither_copied_nor_changed_in_what_is_pythons(peer: Peer) -> None:
    dual = peer.fetch("Dual")(1)
    for attempt in (copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="copied"):
            attempt(dual)
    with pytest.raises(AttributeError):
        dual.__class__ = float
    with pytest.raises(AttributeError):
        del dual.value
    assert repr(dual).startswith("<")


def test_the_other_side_may_ask_between_checks_and_only_then(across: Across) -> None:
    def script(channel: Channel) -> None:
        peer = Peer(channel, {"learners": lambda x: x + 1, "cheat": lambda: peer.ask("evaluate", [1])}, trusted=True)
        assert peer.ask("evaluate", [lambda x: 2 * x], {"seed": 5}) == 15
        try:
            peer.ask("missing")
        except NameError:
            peer.ask("note", ["refused"])
        try:
            peer.fetch("evaluate")
        except RuntimeError:
            peer.ask("note", ["fetch refused"])
        while True:
            peer.serve_one()

    notes: list[str] = []
    peer = across.hostile(script, {"evaluate": lambda g, seed=1: g(5) + seed, "note": notes.append})
    for _ in range(5):
        peer.serve_one()
    assert notes == ["refused", "fetch refused"]
    assert peer.fetch("learners")(1) == 2
    with pytest.raises(RuntimeError, match="cannot be run by code that is being checked"):
        peer.fetch("cheat")()
    assert peer.fetch("learners")(1) == 2


# --- Lies -------------------------------------------------------------------------------------------------------------


def test_an_object_that_lies_convinces_nobody(peer: Peer) -> None:
    liar = peer.fetch("Liar")()
    assert liar != 4
    assert not liar == 4  # noqa: SIM201
    assert not isinstance(liar, float)
    assert 4 not in [liar]
    for attempt in (
        lambda: bool(liar),
        lambda: liar < 5,
        lambda: float(liar),
        lambda: int(liar),
        lambda: str(liar),
        lambda: range(liar),
        lambda: np.asarray(liar),
        lambda: [1, 2][liar],
        lambda: np.allclose(liar, 4.0),
    ):
        with pytest.raises(TypeError):
            attempt()
    with pytest.raises(ValueTooLarge, match="1,000,000,000,000 items"):
        list(liar)
    assert hash(liar) == object.__hash__(liar)


# --- Several calls at once --------------------------------------------------------------------------------------------


def called(function: Any, *arguments: tuple[Any, ...]) -> list[Any]:
    """What comes of calling a function with one tuple after the other."""
    return [call() for call in calls(function, arguments)]


@contextlib.contextmanager
def exchanges(peer: Peer) -> Iterator[list[str]]:
    """The operations that are asked for, and answered."""
    asked: list[str] = []
    plain = peer.request

    def request(operation: str, *arguments: Any) -> Any:
        answer = plain(operation, *arguments)
        asked.append(operation)
        return answer

    peer.request = request  # type: ignore[method-assign]
    yield asked
    del peer.request  # type: ignore[method-assign]


def test_several_calls_are_one_exchange(peer: Peer) -> None:
    function = peer.fetch("f")
    arguments = [(np.arange(3.0) + number, number) for number in range(6)]
    one_by_one = [function(*each) for each in arguments]
    with exchanges(peer) as asked:
        together = called(function, *arguments)
    assert asked == ["calls"]
    np.testing.assert_array_equal(together, one_by_one)


def test_a_value_is_that_of_its_call_whatever_later_ones_do(across: Across) -> None:
    kept = np.zeros(2)

    def add(x: Any) -> Any:
        kept[:] += x
        return [kept, kept]

    found = called(across({"add": add}).fetch("add"), (1.0,), (2.0,), (4.0,))
    assert [each[0].tolist() for each in found] == [[1, 1], [3, 3], [7, 7]]


def test_several_calls_end_with_the_first_that_raises(across: Across) -> None:
    made: list[int] = []

    def fail(number: int) -> int:
        made.append(number)
        return 1 // (2 - number)

    peer = across({"fail": fail, "made": lambda: made})
    several = calls(peer.fetch("fail"), [(number,) for number in range(6)])
    assert [several[0](), several[1]()] == [0, 1]
    with pytest.raises(ZeroDivisionError) as caught:
        several[2]()
    assert "2 - number" in str(caught.value.learner_line)  # type: ignore[attr-defined]
    assert peer.fetch("made")() == [0, 1, 2]


def test_each_of_several_calls_prints_and_warns_in_its_turn(peer: Peer, capsys: pytest.CaptureFixture[str]) -> None:
    for call in calls(peer.fetch("loud"), [(1,), (2,)]):
        with pytest.warns(UserWarning, match="careful"):
            call()
        assert len(capsys.readouterr().out) > 0


def test_each_of_several_calls_changes_its_own_arguments(peer: Peer) -> None:
    arguments = [(np.ones(3), {"list": [number], "set": {number}, "gone": 1}) for number in range(3)]
    called(peer.fetch("change"), *arguments)
    for number, (array, things) in enumerate(arguments):
        assert array.tolist() == [7, 1, 1]
        assert things["list"][0] == "new"
        assert things["list"][1] is array
        assert things["set"] == {number, 5}
        assert "gone" not in things


def test_what_is_no_data_has_a_call_of_its_own(across: Across) -> None:
    peer = across({"f": lambda x: (lambda: x) if x == 1 else x, "g": lambda call, x: call(x)})
    with exchanges(peer) as asked:
        found = called(peer.fetch("f"), (0,), (1,), (2,), (3,))
    assert asked == ["fetch", "calls", "special", "special"]
    assert [found[0], found[1](), *found[2:]] == [0, 1, 2, 3]
    seen: list[int] = []
    with exchanges(peer) as asked:
        assert called(peer.fetch("g"), (seen.append, 1), (seen.append, 2)) == [None, None]
    assert asked == ["fetch", "special", "special"]
    assert seen == [1, 2]


def test_several_calls_with_too_much_go_one_by_one(across: Across) -> None:
    peer = across({"sum": np.sum}, region=1 << 20)
    with exchanges(peer) as asked:
        assert called(peer.fetch("sum"), *[(np.ones(60_000),)] * 3) == [60_000] * 3
    assert asked == ["fetch", "special", "special", "special"]


@pytest.mark.parametrize(
    "content", [None, [], [5], [[VALUE, 1.0]], [[VALUE, 1.0, None, None, None]], [[VALUE, [0], None, None]], {}]
)
def test_several_replies_that_do_not_come_as_agreed(across: Across, content: Any) -> None:
    peer = across.hostile(serving(lambda request: [REPLY, request[1], boundary.SEVERAL, content, None, None]))
    with pytest.raises(ProtocolError, match="must not send"):
        peer.request("calls", 1, [(1.0,), (2.0,)], {})
    assert not peer.is_usable


@pytest.mark.parametrize(
    "rest",
    [
        [],
        [boundary.SEVERAL],
        [boundary.SEVERAL, [[VALUE, 1.0, None, None]]],
        [boundary.SEVERAL, [[VALUE, 1.0, None, None]], None, None, None],
    ],
)
def test_a_reply_to_several_calls_has_all_its_parts_and_no_more(across: Across, rest: list[Any]) -> None:
    peer = across.hostile(serving(lambda request: [REPLY, request[1], *rest]))
    with pytest.raises(ProtocolError, match="must not send"):
        peer.request("calls", 1, [(1.0,), (2.0,)], {})
    assert not peer.is_usable


# --- What is offered before it is asked for ---------------------------------------------------------------------------


def one() -> int:
    """The first function of a name."""
    return 1


def two() -> int:
    return 2


def offering(namespace: dict[str, Any], *offers: dict[str, Any]) -> Callable[[Channel], None]:
    """A process that offers these one after the other, and then lends what is in its namespace."""

    def script(channel: Channel) -> None:
        peer = Peer(channel, namespace, trusted=True)
        for each in offers:
            peer.offer(each)
        while True:
            peer.serve_one()

    return script


def arrived(peer: Peer) -> Peer:
    """The same, once something has come from the other side."""
    assert select.select([peer.channel], [], [], 10)[0]
    return peer


def asked_for(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names that are fetched with a request, from now on."""
    asked: list[str] = []
    request = Peer.request

    def noting(self: Peer, operation: str, target: int, arguments: Any, options: Any) -> Any:
        asked.extend(arguments if operation == "fetch" else [])
        return request(self, operation, target, arguments, options)

    monkeypatch.setattr(Peer, "request", noting)
    return asked


def test_what_is_offered_is_not_asked_for(across: Across, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = asked_for(monkeypatch)
    peer = arrived(across.hostile(offering({"f": one, "g": two}, {"f": one, "g": two})))
    found = peer.fetch("f")
    assert (found.__name__, found.__doc__, str(found.__signature__)) == ("one", "The first function of a name.", "()")
    assert peer.fetch("f") is found
    assert asked == []
    assert found() == 1


def test_what_is_offered_in_the_middle_of_something_is_read_before_it_is_asked_for(across: Across) -> None:
    def script(channel: Channel) -> None:
        peer = Peer(channel, {"x": 5.0, "f": one}, trusted=True)
        peer.serve_one()
        peer.offer({"f": two})
        peer.serve_one()
        time.sleep(30)

    peer = across.hostile(script)
    assert peer.fetch("x") == 5.0
    assert peer.fetch("x") == 5.0
    assert peer.fetch("f").__name__ == "two"


@pytest.mark.parametrize("later", [{}, {"g": two}])
def test_an_offer_takes_the_place_of_the_one_before(across: Across, later: dict[str, Any]) -> None:
    peer = arrived(across.hostile(offering({"f": two}, {"f": one}, later)))
    time.sleep(0.1)
    assert peer.fetch("f")() == 2


def test_an_offer_holds_until_something_is_done_there(across: Across, monkeypatch: pytest.MonkeyPatch) -> None:
    namespace: dict[str, Any] = {"f": one}

    def change() -> None:
        namespace["f"] = two

    namespace["change"] = change
    asked = asked_for(monkeypatch)
    peer = arrived(across.hostile(offering(namespace, dict(namespace))))
    peer.fetch("change")()
    assert asked == []
    assert peer.fetch("f")() == 2
    with pytest.raises(NameError):
        peer.fetch("g")


def test_an_offer_that_is_read_while_something_is_done_there_does_not_hold(across: Across) -> None:
    namespace: dict[str, Any] = {"f": one}

    def change() -> None:
        namespace["f"] = two

    namespace["change"] = partial(change)

    def script(channel: Channel) -> None:
        peer = Peer(channel, namespace, trusted=True)
        peer.serve_one()
        peer.offer({"f": one})
        while True:
            peer.serve_one()

    peer = across.hostile(script)
    kept = peer.fetch("change")
    arrived(peer)
    kept()
    assert peer.fetch("f")() == 2


def test_an_offer_says_anew_what_is_known_of_a_function(across: Across) -> None:
    def stub() -> None:
        """Nothing yet."""

    def script(channel: Channel) -> None:
        peer = Peer(channel, {}, trusted=True)
        peer.offer({"f": stub})
        channel.receive()
        stub.__code__ = (lambda: print("something")).__code__
        peer.offer({"g": stub})
        time.sleep(30)

    peer = arrived(across.hostile(script))
    peer.serve_one()
    peer.channel.send("go on")
    arrived(peer)
    assert not has_no_body(peer.fetch("g"))


def test_an_offer_to_nobody_raises_nothing() -> None:
    ours, theirs = socket.socketpair()
    theirs.close()
    peer = Peer(Channel(ours), {}, trusted=True)
    peer.offer({"f": one})
    assert not peer.is_usable
    peer.offer({"f": one})


def test_no_more_is_offered_than_is_taken(across: Across, monkeypatch: pytest.MonkeyPatch) -> None:
    many = {f"f{number}": one for number in range(100)}
    asked = asked_for(monkeypatch)
    peer = arrived(across.hostile(offering(many, many)))
    assert [peer.fetch(name)() for name in ("f0", "f99")] == [1, 1]
    assert asked == ["f99"]


def test_a_learners_process_takes_no_offers() -> None:
    ours, theirs = socket.socketpair()
    learners, check = Peer(Channel(ours), {}, trusted=True), Channel(theirs)
    check.send([OFFER, 0, []])
    with pytest.raises(ChannelClosed):
        learners.serve_one()
    assert not learners.is_usable


FUNCTION = [18, 1, 1, 1, ["function", ["__call__"], [0]]]
FACTS = ["f", None, [["x", 1, []]], False, None]


@pytest.mark.parametrize(
    "message",
    [
        [OFFER, 0],
        [OFFER, 0, None],
        [OFFER, 0, 5],
        [OFFER, 0, [], []],
        [OFFER, None, []],
        [OFFER, 0, [[]]],
        [OFFER, 0, ["f"]],
        [OFFER, 0, [["f"]]],
        [OFFER, 0, [["f", FUNCTION]]],
        [OFFER, 0, [["f", FUNCTION, FACTS, 1]]],
        [OFFER, 0, [[1, FUNCTION, FACTS]]],
        [OFFER, 0, [[[], FUNCTION, FACTS]]],
        [OFFER, 0, [["f", 1.0, FACTS]]],
        [OFFER, 0, [["f", FUNCTION, None]]],
        [OFFER, 0, [["f", [18, 0, 1], FACTS]]],
        [OFFER, 0, [[f"f{number}", FUNCTION, FACTS] for number in range(boundary.MOST_OFFERED + 1)]],
    ],
    ids=repr,
)
@pytest.mark.parametrize("when", ["between checks", "before a check", "in place of a reply"])
def test_an_offer_that_does_not_come_as_agreed(across: Across, message: Any, when: str) -> None:
    def script(channel: Channel) -> None:
        if when == "in place of a reply":
            channel.receive()
        channel.send(message)
        channel.receive()

    peer = across.hostile(script)
    if when != "in place of a reply":
        arrived(peer)
    if when == "between checks":
        with pytest.raises(ChannelClosed):
            peer.serve_one()
    else:
        with pytest.raises(ProtocolError):
            peer.fetch("f")
    assert not peer.is_usable


@settings(max_examples=300, deadline=None)
@given(st.recursive(st.sampled_from(["f", FUNCTION, FACTS, 1]), lambda inner: st.lists(inner, max_size=4)))
def test_no_offer_of_the_right_form_does_harm(offered: Any) -> None:
    ours, theirs = socket.socketpair()
    peer, other = Peer(Channel(ours), {}, trusted=False), Channel(theirs)
    other.send([OFFER, 0, offered])
    try:
        peer.serve_one()
    except ChannelClosed:
        assert not peer.is_usable
    else:
        assert peer.is_usable
    peer.channel.close()
    other.close()


def test_offers_without_end_do_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lending, "MOST", 1000)
    ours, theirs = socket.socketpair()
    peer, other = Peer(Channel(ours), {}, trusted=False), Channel(theirs)

    def flood() -> None:
        for number in range(2000):
            other.send([OFFER, 0, [["f", [18, 1, number, 1, ["function", ["__call__"], [0]]], FACTS]]])
            peer.serve_one()

    with pytest.raises(ChannelClosed, match="Far too many objects"):
        flood()
    peer.channel.close()
    other.close()


def test_offers_without_end_are_given_up_in_time(across: Across) -> None:
    def script(channel: Channel) -> None:
        while True:
            channel.send([OFFER, 0, []])

    peer = across.hostile(script)
    peer.deadline = time.monotonic() + 0.5
    with pytest.raises(StudentTimeout):
        peer.fetch("f")


def test_nothing_is_asked_by_a_learners_code_while_a_check_begins(across: Across) -> None:
    asked = []

    def script(channel: Channel) -> None:
        channel.send([REQUEST, 1, "ask", 0, ["evaluate"], [], None])
        refused = channel.receive()
        request = channel.receive()
        channel.send([REPLY, request[1], VALUE, refused[2] == RAISED, None, None])

    peer = arrived(across.hostile(script, {"evaluate": lambda: asked.append(1)}))
    assert peer.fetch("was_refused") is True
    assert asked == []


# --- A hostile process ------------------------------------------------------------------------------------------------


def serving(reply: Callable[[list[Any]], Any]) -> Callable[[Channel], None]:
    """A process that answers every request with this."""

    def script(channel: Channel) -> None:
        while True:
            request = channel.receive()
            answer = reply(request)
            for each in answer if isinstance(answer, tuple) else (answer,):
                channel.send(each)

    return script


FORGED: list[tuple[str, Callable[[list[Any]], Any]]] = [
    ("another number", lambda request: [REPLY, request[1] + 1, VALUE, 1, None, None]),
    ("an old number", lambda request: [REPLY, 0, VALUE, 1, None, None]),
    ("no list", lambda request: "4"),
    ("nothing in it", lambda request: []),
    ("too short", lambda request: [REPLY, request[1]]),
    ("too long", lambda request: [REPLY, request[1], VALUE, 1, None, None, None]),
    ("an unknown outcome", lambda request: [REPLY, request[1], 9, 1, None, None]),
    ("a text as outcome", lambda request: [REPLY, request[1], "VALUE", 1, None, None]),
    ("a module where none can be", lambda request: [REPLY, request[1], boundary.MODULE, ["os"], None, None]),
    ("not implemented", lambda request: [REPLY, request[1], boundary.NOT_IMPLEMENTED, None, None, None]),
    ("a value of no form", lambda request: [REPLY, request[1], VALUE, [0], None, None]),
    ("an object array", lambda request: [REPLY, request[1], VALUE, [11, "|O", [1], "C", b"x" * 8], None, None]),
    ("an object of ours that we never lent", lambda request: [REPLY, request[1], VALUE, [18, 0, 1], None, None]),
    ("a type without a description", lambda request: [REPLY, request[1], VALUE, [18, 1, 1, 1, None], None, None]),
    ("a type of nonsense", lambda request: [REPLY, request[1], VALUE, [18, 1, 1, 1, [1, 2]], None, None]),
    (
        "a type with __eq__",
        lambda request: [REPLY, request[1], VALUE, [18, 1, 1, 1, ["T", ["__eq__"], [0]]], None, None],
    ),
    (
        "a type with __class__",
        lambda request: [REPLY, request[1], VALUE, [18, 1, 1, 1, ["T", ["__class__"], [0]]], None, None],
    ),
    ("an exception without words", lambda request: [REPLY, request[1], RAISED, None, None, None]),
    ("an exception of numbers", lambda request: [REPLY, request[1], RAISED, [1, 2, 3, 4, 5, 6, 7], None, None]),
    (
        "an exception with arguments that are no data",
        lambda request: [REPLY, request[1], RAISED, ["KeyError", "KeyError", "", [[]], None, None, None], None, None],
    ),
    ("notes of nonsense", lambda request: [REPLY, request[1], VALUE, 1, 5, None]),
    ("more notes", lambda request: [REPLY, request[1], VALUE, 1, [1, 2, 3, 4], None]),
    ("what was never lent is let go", lambda request: [REPLY, request[1], VALUE, 1, [[[1, 1]], None, None], None]),
    ("a change of nothing", lambda request: [REPLY, request[1], VALUE, 1, [None, [["a", 0, 1]], None], None]),
    ("a change of no form", lambda request: [REPLY, request[1], VALUE, 1, [None, [[1, [0]]], None], None]),
    ("printing of nonsense", lambda request: [REPLY, request[1], VALUE, 1, None, [[[True, 5]], []]]),
    ("too much printing", lambda request: [REPLY, request[1], VALUE, 1, None, [[[True, "x" * 200_000]], []]]),
    ("warnings of nonsense", lambda request: [REPLY, request[1], VALUE, 1, None, [[], [["a", "b"]]]]),
    ("several replies where one is due", lambda request: [REPLY, request[1], boundary.SEVERAL, [], None, None]),
    ("several calls", lambda request: [REQUEST, 1, "calls", 0, [[2, 1.0], [2, 2.0]], [], None]),
    ("a request of no form", lambda request: [REQUEST, 1]),
    ("an unknown operation", lambda request: [REQUEST, 1, "eval", 0, ["1"], [], None]),
    ("an object never lent", lambda request: [REQUEST, 1, "call", 7, [], [], None]),
    ("a number that is none", lambda request: [REQUEST, [], "call", 7, [], [], None]),
    ("options of nonsense", lambda request: [REQUEST, 1, "ask", 0, ["x"], [1], None]),
    ("option names of nonsense", lambda request: [REQUEST, 1, "ask", 0, ["x"], [[None, 1]], None]),
]


@pytest.mark.parametrize("forged", [each for _, each in FORGED], ids=[name for name, _ in FORGED])
def test_a_forged_message_ends_that_process_and_gives_no_value(
    across: Across, forged: Callable[[list[Any]], Any]
) -> None:
    peer = across.hostile(serving(forged))
    with pytest.raises(ProtocolError, match="must not send"):
        peer.fetch("answer")
    assert not peer.is_usable
    with pytest.raises(ProtocolError):
        peer.fetch("answer")
    with pytest.raises(ChannelClosed):
        peer.serve_one()


def test_what_is_sent_ahead_of_time_is_no_answer(across: Across) -> None:
    def script(channel: Channel) -> None:
        for number in range(1, 4):
            channel.send([REPLY, number, VALUE, "right", None, None])
        time.sleep(30)

    peer = across.hostile(script)
    with pytest.raises(ChannelClosed):
        peer.serve_one()
    assert not peer.is_usable


def test_names_from_there_are_one_line_of_text(across: Across) -> None:
    described = ["<script>\n" + "x" * 50, ["__call__"], [0]]

    def reply(request: list[Any]) -> list[Any]:
        if request[2] == "describe":
            return [REPLY, request[1], VALUE, ["<b>\x00", None, [["x", 1, []]], False, None], None, None]
        return [REPLY, request[1], VALUE, [18, 1, 1, 1, described if request[1] == 1 else None], None, None]

    stand_in = across.hostile(serving(reply)).fetch("f")
    assert type(stand_in).__name__ == "<script>" + "x" * 50
    assert stand_in.__name__ == "<b>"
    raised = ["<i>Own", "os.system", "words", None, [1, "<f>", "src"], None, None]
    peer = across.hostile(serving(lambda request: [REPLY, request[1], RAISED, raised, None, None]))
    with pytest.raises(StudentError, match="words") as caught:
        peer.fetch("f")
    assert type(caught.value).__name__ == "<i>Own"


@pytest.mark.parametrize(
    "content", [["a", None, [["1x", 1, []]], False, None], ["a", None, [["x", 9, []]], False, None]]
)
def test_a_signature_that_cannot_be(across: Across, content: list[Any]) -> None:
    def reply(request: list[Any]) -> list[Any]:
        if request[2] == "describe":
            return [REPLY, request[1], VALUE, content, None, None]
        return [REPLY, request[1], VALUE, [18, 1, 1, 1, ["function", ["__call__"], [0]]], None, None]

    stand_in = across.hostile(serving(reply)).fetch("f")
    with pytest.raises(ProtocolError):
        stand_in.__signature__  # noqa: B018


KNOWN = ["f", None, [["x", 1, []]], False, None]


@pytest.mark.parametrize(
    "content",
    [
        None,
        [],
        [[18, 1, 1, 1, ["function", ["__call__"], [0]]]],
        [1.0, KNOWN],
        [[1, 2.0], KNOWN],
        [[18, 1, 1, 1, ["function", ["__call__"], [0]]], None],
        [[18, 1, 1, 1, ["function", ["__call__"], [0]]], [*KNOWN[:2], [["1x", 1, []]], *KNOWN[3:]]],
        [[18, 1, 1, 1, ["function", ["__call__"], [0]]], KNOWN, KNOWN],
    ],
)
def test_a_function_that_does_not_come_as_agreed(across: Across, content: Any) -> None:
    peer = across.hostile(serving(lambda request: [REPLY, request[1], boundary.FUNCTION, content, None, None]))
    with pytest.raises(ProtocolError, match="must not send"):
        peer.fetch("f")
    assert not peer.is_usable


def test_changes_go_nowhere_but_to_what_was_handed_over(across: Across) -> None:
    described = ["function", ["__call__"], [0]]

    def reply(request: list[Any]) -> list[Any]:
        if request[2] == "fetch":
            return [REPLY, request[1], VALUE, [18, 1, 1, 1, described], None, None]
        larger = [11, "<f8", [3], "C", b"\0" * 24]
        return [REPLY, request[1], VALUE, 1, [None, [[request[1], 0, larger]], None], None]

    function = across.hostile(serving(reply)).fetch("f")
    x = np.ones(2)
    with pytest.raises(ProtocolError, match="another kind of array"):
        function(x)
    assert x.tolist() == [1, 1]


@pytest.mark.parametrize("way", ["silence", "half a message", "one byte at a time", "calls without end", "no reading"])
def test_a_process_that_never_answers_is_given_up_in_time(across: Across, way: str) -> None:
    def script(channel: Channel) -> None:
        sock = channel._socket
        if way == "no reading":
            time.sleep(30)
        request = channel.receive()
        channel.send([REPLY, request[1], VALUE, [18, 1, 1, 1, ["function", ["__call__"], [0]]], None, None])
        request = channel.receive()
        if way == "half a message":
            sock.send(b"\0\0\1\0half")
        for number in range(1, 10**9):
            if way == "one byte at a time":
                sock.send(b"\0" if number < 3 else b"\1")
                time.sleep(0.05)
            elif way == "calls without end":
                channel.send([REQUEST, number, "call", 1, [1.0], [], None])
                channel.receive()
            else:
                time.sleep(1)

    peer = across.hostile(script)
    start = time.monotonic()
    peer.deadline = start + 0.5
    with pytest.raises(StudentTimeout, match="was stopped"):
        peer.fetch("f")(lambda x: x)
    assert time.monotonic() - start < 5
    with pytest.raises(BoundaryError):
        peer.fetch("f")


def test_calls_in_calls_are_bounded(peer: Peer) -> None:
    call = peer.fetch("apply_to")
    depths: list[int] = []

    def again(depth: int) -> Any:
        depths.append(depth)
        return call(again, depth + 1)

    with pytest.raises(RecursionError, match="nested too deeply"):
        call(again, 1)
    assert 10 <= max(depths) <= boundary.DEEPEST + 1
    assert call(lambda: "as before") == "as before"


def test_a_hostile_process_cannot_nest_calls_without_end(across: Across) -> None:
    def script(channel: Channel) -> None:
        first = channel.receive()
        channel.send([REPLY, first[1], VALUE, [18, 1, 1, 1, ["function", ["__call__"], [0]]], None, None])
        numbers = [channel.receive()[1]]
        message: list[Any] = [REQUEST]
        while message[0] == REQUEST:
            channel.send([REQUEST, len(numbers), "call", 1, [], [], None])
            message = channel.receive()
            numbers.append(message[1])
        assert message[3][0] == "RecursionError"
        numbers.pop()
        while numbers:
            channel.send([REPLY, numbers.pop(), VALUE, len(numbers), None, None])
            channel.receive()

    function = across.hostile(script).fetch("f")
    assert function(lambda: function(lambda: None)) == 0


def test_death_is_an_error_that_except_exception_does_not_catch(across: Across) -> None:
    peer = across({"die": lambda: os._exit(0), "number": 3, "f": f})
    kept = peer.fetch("f")
    with pytest.raises(StudentGone, match="has ended"), contextlib.suppress(Exception):
        peer.fetch("die")()
    for attempt in (lambda: kept(1), lambda: peer.fetch("number"), lambda: kept.x, lambda: str(kept)):
        with pytest.raises(StudentGone):
            attempt()
    assert repr(kept) == "<function in another process>"


def test_stand_ins_of_a_dead_process_do_not_reach_its_successor(across: Across) -> None:
    old, new = across(NAMESPACE), across(NAMESPACE)
    function = old.fetch("f")
    with pytest.raises(TypeError, match="has ended"):
        new.fetch("apply_to")(function, 1)


def test_a_flood_of_objects_is_stopped(across: Across, monkeypatch: pytest.MonkeyPatch) -> None:
    from autograder.execution import lending

    monkeypatch.setattr(lending, "MOST", 1000)
    described = ["object", [], [0]]
    many = [1, *[[18, 1, n, 1, described if not n else None] for n in range(5000)]]
    peer = across.hostile(serving(lambda request: [REPLY, request[1], VALUE, many, None, None]))
    with pytest.raises(ProtocolError, match="too many objects"):
        peer.fetch("f")


def test_random_bytes_raise_nothing_but_the_ends_of_a_conversation(across: Across) -> None:
    rng = np.random.default_rng(5)
    for _ in range(20):
        data = rng.bytes(int(rng.integers(1, 200)))

        def script(channel: Channel, data: bytes = data) -> None:
            channel.receive()
            channel._socket.sendall(len(data).to_bytes(4, "big") + data)

        with pytest.raises(BoundaryError):
            across.hostile(script).fetch("f")


PIECES: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-2, 20)
    | st.floats()
    | st.sampled_from(["call", "ask", "fetch", "get", "KeyError", "__call__", "x", ""])
    | st.binary(max_size=8),
    lambda inner: st.lists(inner, max_size=7),
    max_leaves=20,
)


@settings(max_examples=400, deadline=None)
@given(st.integers(0, 5), PIECES, PIECES, PIECES, st.sampled_from(["fetch", "call", "describe", "special"]))
def test_no_reply_of_the_right_form_does_harm(
    outcome: int, content: Any, notes: Any, done: Any, operation: str
) -> None:
    _answered_with([REPLY, 1, outcome, content, notes, done], operation)


@settings(max_examples=400, deadline=None)
@given(st.lists(st.lists(PIECES, min_size=4, max_size=4), max_size=4))
def test_no_several_replies_of_the_right_form_do_harm(content: list[Any]) -> None:
    ours, theirs = socket.socketpair()
    peer = Peer(Channel(ours), {}, trusted=False)
    other = Channel(theirs)
    other.send([REPLY, 1, boundary.SEVERAL, content, None, None])
    theirs.shutdown(socket.SHUT_WR)
    try:
        found = peer.request("calls", 1, [(1.0,), (2.0,)], {})
    except BoundaryError:
        assert not peer.is_usable
    else:
        assert all(isinstance(each, boundary.Came) for each in found)
    peer.channel.close()
    other.close()


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(boundary.OPERATIONS), PIECES, PIECES, PIECES, PIECES)
def test_no_request_in_between_does_harm(operation: str, target: Any, arguments: Any, options: Any, notes: Any) -> None:
    _answered_with([REQUEST, 5, operation, target, arguments, options, notes], "call")


def _answered_with(message: list[Any], operation: str) -> None:
    """What a peer makes of a message: a value, an exception of the learner's, or the end of the conversation."""
    ours, theirs = socket.socketpair()
    peer = Peer(Channel(ours), {"x": lambda *_, **__: 1}, trusted=False)
    other = Channel(theirs)
    other.send(message)
    theirs.shutdown(socket.SHUT_WR)
    with (
        warnings.catch_warnings(),
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
    ):
        warnings.simplefilter("ignore")
        try:
            peer.request(operation, 1, ["x", np.ones(2)], {})
        except BoundaryError:
            assert not peer.is_usable
        except Exception:
            assert message[0] == REPLY
            assert message[2] == RAISED
        else:
            assert message[0] == REPLY
            assert message[2] != RAISED
    peer.channel.close()
    other.close()


def test_a_loop_over_a_learners_function_cannot_be_ended_by_it(peer: Peer) -> None:
    with pytest.raises(StudentError):
        list(map(peer.fetch("raise_named"), ["StopIteration"]))


def test_a_thread_of_the_learners_cannot_join_the_conversation(peer: Peer) -> None:
    import threading

    failures: list[BaseException] = []

    def use() -> None:
        try:
            peer.fetch("number")
        except RuntimeError as error:
            failures.append(error)

    thread = threading.Thread(target=use)
    thread.start()
    thread.join()
    assert len(failures) == 1
    assert peer.fetch("number") == 3
