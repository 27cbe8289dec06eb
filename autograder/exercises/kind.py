"""What a learner hands in: a function, unless an exercise says otherwise.

An exercise is a table of steps; its kind says what the table is about. A kind makes the answer that follows from a set
of formulas (the reference, or what somebody with certain mistakes hands in), computes the steps' values, and reads a
learner's answer as a function of the exercise's inputs. Judging, diagnosis and marks work on values and are the same
for all kinds. The other kinds are in ``autograder.exercises.kinds``.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal

from autograder.errors import NotAnAnswer
from autograder.exercises.formulas import Environment, Formula, apply

if TYPE_CHECKING:
    from autograder.exercises.model import Exercise


class Attempt:
    """An answer that can be right in parts: ``failed`` has a sentence for every value that could not be had.

    Such a value is not finite. ``notes`` has sentences about the answer as a whole.
    """

    def __init__(self) -> None:
        self.failed: dict[str, str] = {}
        self.notes: list[str] = []


class Kind:
    """A function of the inputs that returns the values asked for.

    ``name`` is what the kind is called; ``shows`` says what feedback sets beside the right ones: the values, their
    shapes, or only whether they are right (where a value would give the answer away).
    """

    name = "function"
    shows: Literal["values", "shapes", "verdicts"] = "values"

    def signature(self, exercise: Exercise) -> str:
        """What is to be written, such as ``backprop(X, Y) -> dW1, db1``."""
        return f"{exercise.function}({', '.join(exercise.inputs)}) -> {', '.join(exercise.returns)}"

    def make(self, exercise: Exercise, formulas: Mapping[str, Formula]) -> Callable[..., Any]:
        """The answer of somebody who uses these formulas, by step, and the right ones in all other steps."""

        def answer(*inputs: Any) -> Any:
            environment = dict(zip(exercise.inputs, inputs, strict=True))
            self.compute(exercise, formulas, environment)
            values = tuple(environment[name] for name in exercise.returns)
            return values if len(values) > 1 else values[0]

        answer.__name__ = exercise.function
        answer.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
            [inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD) for name in exercise.inputs]
        )
        return answer

    def compute(
        self,
        exercise: Exercise,
        formulas: Mapping[str, Formula],
        environment: Environment,
        passed: Callable[[Any], Any] = lambda value: value,
    ) -> None:
        """Add every step's value to the environment, with these formulas instead of the right ones.

        Every value goes through ``passed`` on its way to the steps behind it. Where a formula cannot be computed its
        exception is raised, and the environment holds the steps before it.
        """
        for step in exercise.steps:
            environment[step.name] = passed(apply(formulas.get(step.name, step.formula), environment))

    def attempt(self, exercise: Exercise, answer: Any) -> Callable[..., Any]:
        """The answer as a function of the inputs that returns the values asked for, in order or by name.

        Raises
        ------
        NotAnAnswer
            It cannot be used as such. The returned function may raise it too.
        """
        require_callable(exercise, answer, "A function is asked for")
        require_inputs(exercise, answer)
        return answer

    def scored(self, exercise: Exercise) -> tuple[str, ...]:
        """The steps that earn the points. A wrong one of the others costs its share all the same."""
        return tuple(step.name for step in exercise.steps)

    def given(self, exercise: Exercise) -> str:
        """The answer cell as learners get it; empty where the author's cell without its solution will do."""
        return ""

    def called_with(self, exercise: Exercise) -> str:
        """What the answer is called with, where that is not a case's inputs; empty where it is."""
        return ""

    def advice(self, exception: BaseException) -> str:
        """A sentence for somebody whose answer raised this; empty if there is nothing to add."""
        return ""


def require_callable(exercise: Exercise, answer: Any, asked: str) -> None:
    """Refuse a value where something that can be called is asked for."""
    if not callable(answer):
        raise NotAnAnswer(
            f"{asked}, and this is a value of type {type(answer).__name__}. Hand in {exercise.function} itself, "
            f"without calling it: check({exercise.id!r}, {exercise.function})."
        )


def require_inputs(exercise: Exercise, answer: Callable[..., Any]) -> None:
    """Refuse a function that cannot be called with the exercise's inputs, by position."""
    try:
        parameters = inspect.signature(answer)
    except Exception:  # some callables written in C do not tell, and a learner's own may raise anything
        return
    try:
        parameters.bind(*exercise.inputs)
    except TypeError:
        taken, asked = ", ".join(parameters.parameters) or "nothing", ", ".join(exercise.inputs)
        raise NotAnAnswer(
            f"Your function takes {taken}; it is called with {len(exercise.inputs)} "
            f"argument{'s' * (len(exercise.inputs) > 1)}: {asked}.",
            "raised",
        ) from None
