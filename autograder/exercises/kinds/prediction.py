"""Predictions: a choice or a number, before anything is run, with an explanation for each wrong one.

A choice travels through checking as its number among the options (from 1; 0 where there is none yet), a number as
itself. A number is right, or one of the expected wrong ones, within a relative tolerance.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from autograder.exercises.formulas import Formula, constant
from autograder.exercises.kind import Kind, NotAnAnswer
from autograder.exercises.model import Exercise, Step

Value = str | float
"""An option's letter, or a number."""


@dataclass(frozen=True)
class Question:
    """One question of a prediction.

    Parameters
    ----------
    name : under which it is answered where there are several
    text : the question, in Markdown
    right : the right option's letter, or the number; a function without arguments may compute the number
    wrong : another option or number -> (the mistake's name, why it is not so)
    options : letter -> text; empty where a number is asked for
    tolerance : relative, for numbers
    """

    name: str
    text: str
    right: Value | Callable[[], float]
    wrong: Mapping[Value, tuple[str, str]]
    options: Mapping[str, str] = field(default_factory=dict)
    tolerance: float = 0.05

    def __post_init__(self) -> None:
        if not self.options:
            return
        if unknown := ({self.right} | set(self.wrong)) - set(self.options):
            raise ValueError(f"Question {self.name} has no options {sorted(map(str, unknown))}.")
        if untold := set(self.options) - set(self.wrong) - {self.right}:
            raise ValueError(f"Question {self.name} does not explain the options {sorted(untold)}.")

    def coded(self, value: Value) -> float:
        """An expected answer as the number that stands for it."""
        return list(self.options).index(str(value)) + 1.0 if self.options else float(value)

    def told(self, number: float) -> Value:
        """The answer a number stands for."""
        return list(self.options)[int(number) - 1] if self.options else number

    def correct(self) -> float:
        """The right answer as a number."""
        return self.coded(self.right() if callable(self.right) else self.right)

    def read(self, given: Any) -> float:
        """A learner's answer as a number; an expected number, right or wrong, where it is near enough to one."""
        if given is None or given is Ellipsis:
            return 0.0 if self.options else float("nan")
        if self.options:
            letter = str(given).strip().strip("().").lower()
            if letter not in self.options:
                raise NotAnAnswer(
                    f"The answer to {self.name} is {str(given)[:40]!r}; expected one of the choices "
                    f"{', '.join(repr(option) for option in self.options)}."
                )
            return self.coded(letter)
        try:
            number = float(given)
        except (TypeError, ValueError):
            raise NotAnAnswer(f"The answer to {self.name} is {str(given)[:40]!r}; expected a number.") from None
        expected = [self.correct(), *(float(value) for value in self.wrong)]
        near = [value for value in expected if abs(number - value) <= self.tolerance * abs(value)]
        return min(near, key=lambda value: abs(number - value), default=number)

    def markdown(self) -> str:
        """The question with its options."""
        return "\n".join([self.text, "", *(f"- **{letter}**: {text}" for letter, text in self.options.items())]).strip()


@dataclass(frozen=True)
class Prediction(Kind):
    """The answers to some questions: the answer to a single one as it is, several in a dictionary by name."""

    questions: tuple[Question, ...] = ()
    name = "predict"
    shows = "verdicts"

    def signature(self, exercise: Exercise) -> str:
        """Such as ``rate_prediction = "a", "b" or "c"``."""
        if len(self.questions) > 1:
            return f"{exercise.function} = {{{', '.join(f'{question.name!r}: ...' for question in self.questions)}}}"
        return f"{exercise.function} = {' or '.join(map(repr, self.questions[0].options)) or 'a number'}"

    def given(self, exercise: Exercise) -> str:
        """An assignment of ``...``, or of a dictionary with one for each question."""
        asked = (
            'a letter in quotes, such as "a"' if any(question.options for question in self.questions) else "a number"
        )
        if len(self.questions) == 1:
            return f"{exercise.function} = ...  # {asked}"
        lines = "".join(f'    "{question.name}": ...,\n' for question in self.questions)
        return f"{exercise.function} = {{  # for each question {asked}\n{lines}}}"

    def make(self, exercise: Exercise, formulas: Mapping[str, Formula]) -> Callable[..., Any]:
        """A function without arguments that returns the prediction."""

        def answer() -> Any:
            environment: dict[str, Any] = {}
            self.compute(exercise, formulas, environment)
            told = {question.name: question.told(environment[question.name]) for question in self.questions}
            return told if len(told) > 1 else told[self.questions[0].name]

        answer.__name__ = exercise.function
        return answer

    def attempt(self, exercise: Exercise, answer: Any) -> Callable[..., Any]:
        """A prediction is handed in as a value; a function without arguments that returns one will do too."""

        def read() -> Any:
            given = answer() if callable(answer) else answer
            if isinstance(given, np.ndarray):
                given = given.tolist()
            if len(self.questions) == 1 and isinstance(given, list | tuple) and len(given) == 1:
                given = given[0]
            if len(self.questions) == 1 and not isinstance(given, Mapping):
                given = {self.questions[0].name: given}
            if isinstance(given, list | tuple) and len(given) == len(self.questions):
                given = {question.name: value for question, value in zip(self.questions, given, strict=True)}
            if not isinstance(given, Mapping):
                raise NotAnAnswer(
                    f"{len(self.questions)} answers are asked for, in a dictionary by name: {self.signature(exercise)}."
                )
            if all(given.get(question.name) in (None, Ellipsis) for question in self.questions):
                raise NotImplementedError  # nothing has been predicted yet
            return {question.name: np.asarray(question.read(given.get(question.name))) for question in self.questions}

        return read


def prediction(
    id: str,
    *,
    question: str = "",
    right: Value | Callable[[], float] = "",
    wrong: Mapping[Value, tuple[str, str]] | None = None,
    options: Mapping[str, str] | None = None,
    tolerance: float = 0.05,
    questions: tuple[Question, ...] = (),
    **fields: Any,
) -> Exercise:
    """An exercise that asks for a prediction: with one question, or with several ``questions``.

    The other arguments are those of ``Question`` and ``Exercise``.
    """
    questions = questions or (Question("prediction", question, right, wrong or {}, options or {}, tolerance),)
    steps = tuple(
        Step(
            asked.name,
            _without_inputs(asked.correct),
            mistakes={name: (constant(asked.coded(value)), why) for value, (name, why) in asked.wrong.items()},
        )
        for asked in questions
    )
    return Exercise(
        id=id,
        inputs=(),
        returns=tuple(asked.name for asked in questions),
        draw=lambda draw: {},
        steps=steps,
        kind=Prediction(questions),
        question="\n\n".join(
            f"{asked.markdown()}" if len(questions) == 1 else f"**{asked.name}:** {asked.markdown()}"
            for asked in questions
        ),
        **fields,
    )


def _without_inputs(method: Formula) -> Formula:
    """A method as a formula, which has no parameter."""
    return lambda: method()
