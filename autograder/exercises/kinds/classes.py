"""Classes to build: each method, or thing the class has to do, is a step that is tried by itself.

A step's formula is a small class with the methods that the step is about (a mixin); the reference is the class made of
all of them, the later ones taking precedence. A mistake is another such class. A probe uses the learner's class as
somebody would, and gives the numbers that come out, so that a method that is missing or fails costs its own step only::

    class Product:
        def __mul__(self, other):
            return type(self)(self.value * other.value, self.tangent * other.value + self.value * other.tangent)

    Method("product", Product, probe=lambda Dual, a, da, b, db: parts(Dual(a, da) * Dual(b, db)), shown="x * y",
           mistakes={"product_drops_a_term": (ProductWithoutATerm, "The tangent of a product has two terms ...")})
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from autograder.exercises.drawing import Array
from autograder.exercises.formulas import Environment, Formula, needs
from autograder.exercises.kind import Attempt, Kind, NotAnAnswer, require_callable
from autograder.exercises.model import Exercise, Step

MISSING, OTHER, RAISED = np.nan, np.inf, -np.inf
"""What stands for the numbers of a probe that gave none: no such method, something else than numbers, an exception. Who
left a method out is not taken for somebody whose method raises."""


class Missing:
    """The formula of somebody who leaves a method out."""


@dataclass(frozen=True)
class Method(Step):
    """A step of a class: its formula is a class that holds the methods the step is about.

    Parameters
    ----------
    probe : a function of the learner's class and of inputs by name, which gives a number, an array or several of them
    shown : what the probe does, as learners write it, such as ``"x * y"``
    """

    probe: Callable[..., Any] = field(default=lambda made: 0.0)
    shown: str = ""


def fields(made: Any, *names: str) -> tuple[Any, ...]:
    """The named attributes of what an operation gave.

    Raises
    ------
    NotAnAnswer
        It has none of that name: most likely a method returns a bare number.
    """
    missing = [name for name in names if not hasattr(made, name)]
    if missing:
        raise NotAnAnswer(
            f"gives a value of type {type(made).__name__} without .{missing[0]}, where an object of the class is "
            "expected"
        )
    return tuple(getattr(made, name) for name in names)


@dataclass(frozen=True)
class Class(Kind):
    """A class, handed in without making an object of it.

    Parameters
    ----------
    base : a class with methods that learners are given and the steps do not hold
    made : how an object is made, for the signature, such as ``"Dual(value, tangent)"``
    """

    base: type = Missing
    made: str = ""
    name = "class"

    def signature(self, exercise: Exercise) -> str:
        """Such as ``class Dual(value, tangent) with x + y, x * y``."""
        shown = [step.shown for step in exercise.steps if isinstance(step, Method) and step.shown]
        return f"class {self.made or exercise.function} with {', '.join(shown)}"

    def make(self, exercise: Exercise, formulas: Mapping[str, Formula]) -> Callable[..., Any]:
        """The class made of the right parts and these."""
        parts = [formulas.get(step.name, step.formula) for step in reversed(exercise.steps)]
        bases = [part for part in dict.fromkeys([*parts, self.base]) if part is not Missing]
        return type(exercise.function, tuple(bases), {})  # type: ignore[arg-type]

    def compute(
        self,
        exercise: Exercise,
        formulas: Mapping[str, Formula],
        environment: Environment,
        passed: Callable[[Any], Any] = lambda value: value,
    ) -> None:
        """Add what every probe gives with the class made of the right parts and these."""
        made = self.make(exercise, formulas)
        environment.update({name: passed(value) for name, value in Trials(exercise, made).of(environment).items()})

    def attempt(self, exercise: Exercise, answer: Any) -> Callable[..., Any]:
        """The class as a function of the probes' inputs, which gives what each probe gives."""
        require_callable(exercise, answer, "A class is asked for")
        return Trials(exercise, answer)


class Trials(Attempt):
    """All probes of a class, each by itself."""

    def __init__(self, exercise: Exercise, made: Any) -> None:
        super().__init__()
        self.exercise = exercise
        self.made = made

    def __call__(self, *inputs: Any) -> dict[str, Array]:
        """What the probes give for these inputs; a probe that fails has its mark in every entry."""
        found = self.of(dict(zip(self.exercise.inputs, inputs, strict=True)))
        if self.failed.keys() == found.keys() and all("NotImplementedError" in why for why in self.failed.values()):
            raise NotImplementedError  # the class is as it was handed out
        return found

    def of(self, environment: Mapping[str, Any]) -> dict[str, Array]:
        """As ``__call__``, with the inputs by name."""
        return {step.name: self.one(step, environment) for step in self.exercise.steps if isinstance(step, Method)}

    def one(self, step: Method, environment: Mapping[str, Any]) -> Array:
        """What the probe of a single step gives."""
        inputs = [environment[name] for name in needs(step.probe)[1:]]
        try:
            return _flat(step.probe(self.made, *inputs))
        except NotAnAnswer as problem:
            self.failed[step.name], mark = f"`{step.shown}` {problem}.", OTHER
        except RecursionError:
            self.failed[step.name], mark = f"`{step.shown}` calls itself without end.", RAISED
        except Exception as error:
            said = " ".join(str(error).split())[:200]
            self.failed[step.name] = f"`{step.shown}` raised {type(error).__name__}{f': {said}' if said else ''}."
            mark = MISSING if re.search("unsupported operand|has no attribute|not callable", said) else RAISED
        right = self.exercise.kind.make(self.exercise, {})
        return np.full_like(_flat(step.probe(right, *inputs)), mark)


def _flat(given: Any) -> Array:
    """What a probe gave as one row of numbers."""
    several = given if isinstance(given, list | tuple) else [given]
    rows = []
    for value in several:
        array = np.asarray(value)
        if array.dtype.kind not in "biuf":
            raise NotAnAnswer(f"gives a value of type {type(value).__name__}, where a number is expected")
        rows.append(np.ravel(array).astype(float))
    return np.concatenate(rows)
