"""A check of an answer in another process says word for word what the check of the same answer here says."""

from __future__ import annotations

import collections
import itertools
import os
import sys
import time
import types
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple, NoReturn

import numpy as np
import pytest
import sympy

from autograder import Exercise, evaluate, exercises
from autograder.execution.boundary import StudentGone, StudentTimeout
from autograder.exercises import find
from tests.autograder.test_right_answers import ANSWERS

SEED = 7
Across = Any


def compare(across: Across, id: str, *answers: Any) -> None:
    """Check all answers here and there."""
    names = [f"answer_{number}" for number in range(len(answers))]
    peer = across(dict(zip(names, answers, strict=True)))
    for name, answer in zip(names, answers, strict=True):
        here, there = evaluate(id, answer, SEED), evaluate(id, peer.fetch(name), SEED)
        assert there.to_dict() == here.to_dict(), name
        assert there.to_text() == here.to_text(), name


@pytest.mark.parametrize("exercise", exercises(), ids=lambda exercise: exercise.id)
def test_right_and_wrong_answers(across: Across, exercise: Exercise) -> None:
    mistakes = list(exercise.mistakes)
    wrong = [exercise.answer(name) for name in (*mistakes[:1], *mistakes[-1:])]
    compare(across, exercise.id, *ANSWERS.get(exercise.id, []), exercise.reference, *wrong, None, ...)


# --- Answers as they come ---------------------------------------------------------------------------------------------

ID = "05.backprop_batch"
EXERCISE = find(ID)
INPUTS = ", ".join(EXERCISE.inputs)


def written(body: str, parameters: str = INPUTS) -> Any:
    """A learner's function with this body, from a cell whose source can be looked up."""
    import linecache

    source = f"def backprop({parameters}):\n" + "".join(f"    {line}\n" for line in body.splitlines())
    name = f"<cell {hash(source)}>"
    linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
    namespace: dict[str, Any] = {"np": np, "reference": EXERCISE.reference, "warnings": warnings, "sys": sys, "os": os}
    exec(compile(source, name, "exec"), namespace)
    return namespace["backprop"]


FIRST = EXERCISE.inputs[0]

BODIES = {
    "docstring": '"""Nothing yet."""',
    "pass": "pass",
    "dots": "...",
    "returns dots": "return ...",
    "not implemented": "raise NotImplementedError",
    "returns None": "x = 1",
    "raises": f"values = reference({INPUTS})\nreturn values[99]",
    "divides": "return 1 / 0",
    "key": "return {}['dW']",
    "assertion": "assert False, 'why'",
    "custom": "class Mine(ValueError):\n    pass\nraise Mine('several\\nlines <b>')",
    "linear algebra": "return np.linalg.inv(np.zeros((2, 2)))",
    "shapes": "return np.ones((2, 3)) @ np.ones((2, 3))",
    "exits": "sys.exit('bye')",
    "recursion": f"return backprop({INPUTS})",
    "generator": "yield 1",
    "prints": f"print('hello <b>', {FIRST}.shape)\nprint('oops', file=sys.stderr)\nreturn reference({INPUTS})",
    "floods": f"for n in range(2000): print('x' * 100)\nreturn reference({INPUTS})",
    "warns": f"warnings.warn('careful')\nnp.log(np.zeros(2))\nreturn reference({INPUTS})",
    "complex warning": f"np.array([1j]).astype(float)\nreturn reference({INPUTS})",
    "silences numpy": f"np.seterr(all='ignore')\nnp.log(np.zeros(2))\nreturn reference({INPUTS})",
    "mutates": f"{FIRST}[0] = 5\nreturn reference({INPUTS})",
    "mutates all": "\n".join(f"{name} *= 2" for name in EXERCISE.inputs) + f"\nreturn reference({INPUTS})",
    "unsteady": f"global calls\ncalls = globals().get('calls', 0) + 1\nreturn [v + calls for v in reference({INPUTS})]",
    "one value": f"return reference({INPUTS})[0]",
    "text": "return 'text'",
    "texts": f"return ['a'] * {len(EXERCISE.returns)}",
    "objects": f"return [object()] * {len(EXERCISE.returns)}",
    "object array": f"return [v.astype(object) for v in reference({INPUTS})]",
    "lists": f"return [v.tolist() for v in reference({INPUTS})]",
    "dictionary": f"return dict(zip({EXERCISE.returns!r}, reference({INPUTS})))",
    "ordered": f"import collections\nreturn collections.OrderedDict(zip({EXERCISE.returns!r}, reference({INPUTS})))",
    "wrong names": "return dict(a=1, b=2)",
    "nan": f"return [v * np.nan for v in reference({INPUTS})]",
    "single": f"return [np.float32(v) for v in reference({INPUTS})]",
    "half": f"return [np.float16(v) for v in reference({INPUTS})]",
    "long": f"return [np.longdouble(v) for v in reference({INPUTS})]",
    "fortran": f"return [np.asfortranarray(v) for v in reference({INPUTS})]",
    "matrix": f"return [np.matrix(v) for v in reference({INPUTS})]",
    "masked": f"return [np.ma.array(v) for v in reference({INPUTS})]",
    "complex": f"return [v + 1j for v in reference({INPUTS})]",
    "too many": "return np.zeros(200_000)",
    "too many in a list": "return [0.0] * 200_000",
    "set": "return {1, 2}",
    "lambda": "return lambda: 1",
    "type": "return float",
    "map": f"return map(abs, reference({INPUTS}))",
    "zip": f"return list(zip(reference({INPUTS})))",
}


Values = collections.namedtuple("Values", EXERCISE.returns)  # type: ignore[misc]
Swapped = collections.namedtuple("Swapped", EXERCISE.returns[::-1])  # type: ignore[misc]


class Callable_:
    def __call__(self, *inputs: Any) -> Any:
        return EXERCISE.reference(*inputs)


class NotCallable:
    pass


class RaisesAtEverything:
    def __float__(self) -> NoReturn:
        raise ValueError("no number")

    def __len__(self) -> NoReturn:
        raise ValueError("no length")

    def __array__(self, *arguments: Any, **options: Any) -> NoReturn:
        raise ValueError("no array")


class Masquerade(float):
    def __float__(self) -> NoReturn:
        raise ValueError("asked")


def returning(make: Callable[[tuple[Any, ...]], Any]) -> Any:
    """A function that returns the right values in another form."""

    def backprop(*inputs: Any) -> Any:
        return make(EXERCISE.reference(*inputs))

    return backprop


FORMS: dict[str, Callable[[tuple[Any, ...]], Any]] = {
    "named tuple": lambda values: Values(*values),
    "named tuple in another order": lambda values: Swapped(*values[::-1]),
    "object with attributes": lambda values: type("Bag", (), {})(),
    "namespace": lambda values: types.SimpleNamespace(**dict(zip(EXERCISE.returns, values, strict=True))),
    "raises at everything": lambda values: RaisesAtEverything(),
    "list of such": lambda values: [RaisesAtEverything()] * len(values),
    "float in disguise": lambda values: [Masquerade(1)] * len(values),
    "symbols": lambda values: [sympy.Symbol("x")] * len(values),
    "deque": lambda values: collections.deque(values),
    "nested": lambda values: [[values]],
    "iterator": iter,
    "chain": lambda values: itertools.chain(values),
}

HANDED_IN = {
    "a number": 5,
    "a text": "dW",
    "an array": np.ones(3),
    "an object": NotCallable(),
    "a class": NotCallable,
    "a callable object": Callable_(),
    "too few parameters": written("return 1", FIRST),
    "too many parameters": written("return 1", f"{INPUTS}, more, still"),
    "no parameters": written("return 1", ""),
    "keyword parameters only": written("return 1", f"*, {INPUTS}"),
    "any parameters": written("return reference(*inputs)", "*inputs"),
    "defaults": written(f"return reference({INPUTS})", f"{INPUTS}, rate=0.1"),
    "a partial function": partial(lambda _, *inputs: EXERCISE.reference(*inputs), 1),
    "a builtin function": max,
    "a numpy function": np.tanh,
    "a method": Callable_().__call__,
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_functions_as_they_come(across: Across, body: str) -> None:
    compare(across, ID, written(body))


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_values_in_other_forms(across: Across, form: Callable[[tuple[Any, ...]], Any]) -> None:
    compare(across, ID, returning(form))


@pytest.mark.parametrize("answer", HANDED_IN.values(), ids=HANDED_IN)
def test_what_is_handed_in(across: Across, answer: Any) -> None:
    compare(across, ID, answer)


def test_derivations(across: Across) -> None:
    id = next(each.id for each in exercises() if each.kind.name == "derivation" and len(each.returns) > 1)
    exercise = find(id)
    count = len(exercise.returns)
    compare(
        across,
        id,
        lambda *symbols: sympy.Matrix(exercise.reference(*symbols)),
        lambda *symbols: np.array(exercise.reference(*symbols)),
        lambda *symbols: tuple(map(str, exercise.reference(*symbols))),
        lambda *symbols: [sympy.Eq(sympy.Symbol("t"), line) for line in exercise.reference(*symbols)],
        lambda *symbols: {name: sympy.Symbol("unknown") for name in exercise.returns},
        lambda *symbols: [object()] * count,
        lambda *symbols: [np.exp(symbols[0])] * count,
        lambda *symbols: [sympy.Derivative(symbols[0] ** 2, symbols[0])] * count,
        lambda *symbols: [symbols[0]] * count,
        lambda *symbols: None,
        lambda *symbols: symbols[0] / 0,
    )


def test_predictions_and_orders(across: Across) -> None:
    for kind in ("predict", "order"):
        for exercise in [each for each in exercises() if each.kind.name == kind][:4]:
            right = exercise.reference()
            awkward = [right, [right], np.array(right) if isinstance(right, str) else right, lambda right=right: right]
            if isinstance(right, str):
                awkward += [right.split(), np.array(right.split()), right.upper()]
            compare(across, exercise.id, *awkward, "?", "zz", 5, 1e9, [], {}, {"a": "b"}, object(), NotCallable)


def test_classes(across: Across) -> None:
    class Half:
        def __init__(self, value: float, tangent: float = 0.0) -> None:
            self.value, self.tangent = value, tangent

        def __add__(self, other: Any) -> Any:
            return Half(self.value + getattr(other, "value", other), self.tangent + getattr(other, "tangent", 0))

        def __neg__(self) -> Any:
            self.value = -self.value
            return self

        def __mul__(self, other: Any) -> float:
            return self.value

        def __sub__(self, other: Any) -> Any:
            return self - other

        def __truediv__(self, other: Any) -> NoReturn:
            raise NotImplementedError

        def __pow__(self, n: int) -> NoReturn:
            raise KeyError("a <b>")

        def sin(self) -> Any:
            return NotImplemented

        def exp(self) -> Any:
            return type(self)("text", [])

    class Untouched:
        def __init__(self, *parts: Any) -> None:
            raise NotImplementedError

    class Empty:
        pass

    class DualTuple(NamedTuple):
        value: float
        tangent: float = 0.0

        def __add__(self, other: Any) -> Any:  # type: ignore[override]
            return DualTuple(self.value + getattr(other, "value", other), self.tangent + getattr(other, "tangent", 0))

    class Priority(Half):
        __array_ufunc__ = None
        __radd__ = Half.__add__

    for id in ("07.dual_class", "10.relu_layer"):
        here, there = evaluate(id, DualTuple, SEED), evaluate(id, across({"Dual": DualTuple}).fetch("Dual"), SEED)
        assert (there.verdict, there.score) == (here.verdict, here.score)
        compare(across, id, Half, Untouched, Empty, Priority, Half(1.0), lambda *_: 5, 5, None)


def test_nothing_is_earned_by_dying_or_by_silence(across: Across) -> None:
    for body in ("os._exit(0)", "import time\ntime.sleep(30)"):
        for exercise, answer in (
            (ID, written(body, "*_")),
            ("07.dual_class", type("Dual", (), {"__init__": written(body, "*_")})),
            (
                "07.dual_class",
                type("Dual", (), {"__init__": written("pass", "*_"), "__getattr__": written(body, "*_")}),
            ),
            ("07.dual_lines", written(body, "*_")),
        ):
            peer = across({"answer": answer})
            given = peer.fetch("answer")
            peer.deadline = time.monotonic() + 0.3
            with pytest.raises((StudentGone, StudentTimeout)):
                evaluate(exercise, given, SEED)
