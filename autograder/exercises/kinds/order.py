"""Parsons problems: shuffled lines of a derivation or a program to be put in order, wrong ones among them.

(Parsons and Haden, ACE 2006.) Every line computes one value and names the lines that have to come before it, so every
order that computes is right, not only the author's. A learner hands in the labels, such as ``"c a f b"``.

Through checking travel, for each value, the number of the line chosen for it (0 for none), and for the order the
number of the first pair of lines that stand the wrong way round (0 for none).
"""

from __future__ import annotations

import random
import re
import string
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from autograder.exercises.formulas import Formula, constant
from autograder.exercises.kind import Attempt, Kind, NotAnAnswer
from autograder.exercises.model import Exercise, Step

ORDER = "order"
"""The step that stands for the order of the lines."""


@dataclass(frozen=True)
class Line:
    """A line to be put in its place.

    Parameters
    ----------
    name : what it computes
    text : the line as learners see it, in Markdown: code between backticks, or a formula between dollars
    after : names of the lines that have to come before it
    wrong : a mistake's name -> (another line for the same value, why it is not the one)
    """

    name: str
    text: str
    after: tuple[str, ...] = ()
    wrong: Mapping[str, tuple[str, str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Order(Kind):
    """An order of lines, handed in as a text of labels or a list of them.

    ``lines`` stand in a right order; ``labels`` maps a label to the line's name and the number of its wording, 1 for
    the right one.
    """

    lines: tuple[Line, ...] = ()
    labels: Mapping[str, tuple[str, int]] = field(default_factory=dict)
    name = "order"
    shows = "verdicts"

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """Which line has to come after which, those first that are needed first."""
        place = {line.name: index for index, line in enumerate(self.lines)}
        found = [(line.name, needed) for line in self.lines for needed in line.after]
        return sorted(found, key=lambda pair: (place[pair[1]], place[pair[0]]))

    def signature(self, exercise: Exercise) -> str:
        """Such as ``backward_order = "c a f b"``."""
        return f'{exercise.function} = "...", the labels of the lines you need, first line first'

    def given(self, exercise: Exercise) -> str:
        """An assignment of ``...``."""
        return f'{exercise.function} = ...  # the labels in quotes, first line first, such as "b a c"'

    def make(self, exercise: Exercise, formulas: Mapping[str, Formula]) -> Callable[..., Any]:
        """A function without arguments that returns the labels."""

        def answer() -> str:
            environment: dict[str, Any] = {}
            self.compute(exercise, formulas, environment)
            names = [line.name for line in self.lines]
            if environment[ORDER]:
                early, late = self.pairs[int(environment[ORDER]) - 1]
                names.remove(early)
                names.insert(names.index(late), early)
            label = {line: label for label, line in self.labels.items()}
            return " ".join(label[name, int(environment[name])] for name in names if environment[name])

        answer.__name__ = exercise.function
        return answer

    def attempt(self, exercise: Exercise, answer: Any) -> Callable[..., Any]:
        """The labels as numbers. A function without arguments that returns the labels will do too."""
        return Arrangement(self, answer)

    def read_labels(self, given: Any) -> list[str]:
        """The labels in a text or a list."""
        if given is None or given is Ellipsis:
            return []
        if isinstance(given, str):
            given = re.findall(r"\w+", given)
            if len(given) == 1 and len(given[0]) > 1:
                given = list(given[0])  # written without spaces
        if isinstance(given, np.ndarray) and given.ndim == 1:
            given = given.tolist()
        if not isinstance(given, Sequence):
            raise NotAnAnswer(f"The order is {str(given)[:40]!r}; expected a text of labels such as 'c a b'.")
        labels = [str(label).strip().lower() for label in given]
        known = f"the lines are {', '.join(self.labels)}"
        for label in labels:
            if label not in self.labels:
                raise NotAnAnswer(f"There is no line {label[:20]!r}; {known}.")
            if labels.count(label) > 1:
                raise NotAnAnswer(f"Line {label} stands there twice; each is used once at most.")
        return labels


class Arrangement(Attempt):
    """The labels that a learner put in order, as numbers."""

    def __init__(self, kind: Order, answer: Any) -> None:
        super().__init__()
        self.kind = kind
        self.answer = answer

    def __call__(self) -> dict[str, Any]:
        """For each value the number of the line chosen for it, and the number of the first pair the wrong way round."""
        kind = self.kind
        labels = kind.read_labels(self.answer() if callable(self.answer) else self.answer)
        if not labels:
            raise NotImplementedError  # nothing has been put in order yet
        chosen = [kind.labels[label] for label in labels]
        place = {name: index for index, (name, _) in enumerate(chosen)}
        if len(place) < len(chosen):
            twice = next(name for name in place if [other for other, _ in chosen].count(name) > 1)
            both = [label for label in labels if kind.labels[label][0] == twice]
            raise NotAnAnswer(f"The lines {' and '.join(both)} compute the same value; only one of them is right.")
        missing = [line.name for line in kind.lines if line.name not in place]
        self.notes = [f"No line of yours computes {', '.join(missing)}."] if missing else []
        numbers = {line.name: 0 for line in kind.lines} | dict(chosen) | {ORDER: self._disorder(place)}
        return {name: np.asarray(float(number)) for name, number in numbers.items()}

    def _disorder(self, place: Mapping[str, int]) -> int:
        """The number of the first pair the wrong way round, 0 for none; -1 where there is hardly anything to order."""
        if 2 * len(place) < len(self.kind.lines):
            return -1
        wrong = (
            number
            for number, (name, needed) in enumerate(self.kind.pairs, start=1)
            if name in place and needed in place and place[name] < place[needed]
        )
        return next(wrong, 0)


def order(
    id: str,
    *,
    lines: tuple[Line, ...],
    misplaced: Mapping[str, tuple[str, str, str]] | None = None,
    question: str = "Put the lines in an order that computes. Some of them are wrong and stay out.",
    **fields: Any,
) -> Exercise:
    """An exercise that asks for an order.

    Parameters
    ----------
    lines : in a right order
    misplaced : a mistake's name -> (the line that stands too early, the line it has to come after, why); every other
        pair of lines that depend on each other gets a mistake with a general sentence
    question : what the lines are, in Markdown; they are listed under it
    fields : those of ``Exercise``
    """
    wordings = [(line.name, 1, line.text) for line in lines]
    wordings += [(line.name, n, text) for line in lines for n, (text, _) in enumerate(line.wrong.values(), start=2)]
    random.Random(id).shuffle(wordings)
    labels = {label: (name, n) for label, (name, n, _) in zip(string.ascii_lowercase, wordings, strict=False)}
    kind = Order(lines, labels)
    steps = [
        Step(
            line.name,
            constant(1.0),
            mistakes={
                f"{line.name}_left_out": (constant(0), f"No line of yours computes {line.name}."),
                **{name: (constant(n), why) for n, (name, (_, why)) in enumerate(line.wrong.items(), start=2)},
            },
        )
        for line in lines
    ]
    named = {(early, needed): (name, why) for name, (early, needed, why) in (misplaced or {}).items()}
    if unknown := named.keys() - set(kind.pairs):
        raise ValueError(f"{id}: no line comes after another as in {sorted(unknown)}.")
    disorders = {}
    for n, (early, needed) in enumerate(kind.pairs, start=1):
        general = (
            f"{early}_before_{needed}",
            f"The line for {early} stands above the one for {needed}, whose value it needs.",
        )
        name, why = named.get((early, needed), general)
        disorders[name] = (constant(float(n)), why)
    steps.append(Step(ORDER, constant(0.0), share=float(len(lines)), mistakes=disorders))
    listed = "\n".join(f"- **{label}**: {text}" for label, (_, _, text) in zip(labels, wordings, strict=True))
    return Exercise(
        id=id,
        inputs=(),
        returns=tuple(step.name for step in steps),
        draw=lambda draw: {},
        steps=tuple(steps),
        kind=kind,
        question=f"{question}\n\n{listed}",
        **fields,
    )
