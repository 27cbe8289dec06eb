"""Whether a slip explains an answer: alone, or beside one named mistake.

Slips are many (see ``autograder.exercises.slips``), so they are not tried like mistakes. A slip in one step moves that
step and what rests on it, nothing else: only slips in a step that every wrong value rests on come into question. For
these the values up to the first one handed in are computed again, in one case, and nearly all differ there.

Slips that give a step the same values are one: the first of them in the order of the sentences is offered. Slips in
different steps, or with different values there, that all give the learner's numbers are possibilities.
"""

from __future__ import annotations

import itertools
import sys
import types
import warnings
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from autograder.checking.values import copied, is_constant
from autograder.exercises.formulas import Environment, Formula, apply, needs
from autograder.exercises.kinds import Class, Method
from autograder.exercises.kinds.classes import Trials
from autograder.exercises.model import Exercise, Mistake

MOST_OFFERED = 3
"""Possibilities that are told. More would help nobody."""

TRIED_BESIDE_A_MISTAKE = 3_000
CALLS_BESIDE_A_MISTAKE = 300_000
"""Slips tried together with named mistakes, and the functions that are called for them (fewer slips are tried where a
derivation makes many calls), so that feedback stays immediate: about 0.1 s. It is no time, since the same answer should
get the same feedback on a busy machine."""

TRIED_IN_A_CLASS = 1_200
"""Slips tried in a class, where each of them is a class of its own."""

Agrees = Callable[[Any, Any], bool]
Values = Sequence[Mapping[str, Any]]


def alone(exercise: Exercise, cases: Values, given: Values, first: int, agrees: Agrees) -> list[tuple[str, ...]]:
    """The slips that explain an answer by themselves; none where it is one number throughout, which is no computation.

    Parameters
    ----------
    cases, given : the inputs of each case, and the learner's values, as for ``autograder.checking.diagnosis.explain``
    first : the number of the case to begin with, in which something is wrong
    agrees : whether a learner's value is the one computed
    """
    if is_constant(given):
        return []
    search = _Search(exercise, cases, given, first, agrees)
    with _quietly():
        return search.offered((), search.fitting((), itertools.count()))


def beside_a_mistake(
    exercise: Exercise, cases: Values, given: Values, first: int, agrees: Agrees
) -> list[tuple[str, ...]]:
    """Pairs of a named mistake and a slip that explain an answer, most likely ones first and within a budget."""
    if is_constant(given) or isinstance(exercise.kind, Class):
        return []
    search = _Search(exercise, cases, given, first, agrees)
    budget = iter(range(min(TRIED_BESIDE_A_MISTAKE, CALLS_BESIDE_A_MISTAKE // search.calls())))
    found: list[tuple[str, ...]] = []
    with _quietly():
        for name in sorted(exercise.mistakes, key=lambda name: len(search.wrong((name,)) or exercise.steps)):
            found += search.offered((name,), search.fitting((name,), budget))
            if len(found) >= MOST_OFFERED:
                break
    return found[:MOST_OFFERED]


def _quietly() -> warnings.catch_warnings[None]:
    """Without the warnings of formulas that are not meant to be computed."""
    return warnings.catch_warnings(action="ignore")


class _Search:
    """Slips of an exercise beside the values that a learner handed in.

    A list of ``names`` stands for the mistakes that are made beside the slip.
    """

    def __init__(self, exercise: Exercise, cases: Values, given: Values, first: int, agrees: Agrees) -> None:
        self.exercise = exercise
        self.cases = cases
        self.given = given
        self._first = first
        self._agrees = agrees

    def fitting(self, names: tuple[str, ...], budget: Iterator[int]) -> list[Mistake]:
        """The slips that give the learner's values on every case; each one tried takes one from the budget."""
        if isinstance(self.exercise.kind, Class):
            return [slip for slip in self._fitting_in_a_class() if self._gives_all(slip, names)]
        environment = self._environment(names)
        wrong = self.wrong(names)
        if not environment or not wrong:
            return []
        formulas = self.exercise.formulas(*names)
        reached = {step.name: self._reached(step.name, formulas) for step in self.exercise.steps}
        found = []
        for slip in self.exercise.slips.values():
            if slip.step in formulas or not wrong <= reached[slip.step]:
                continue
            if next(budget, None) is None:
                break
            if self._gives(slip, formulas, environment, reached[slip.step]) and self._gives_all(slip, names):
                found.append(slip)
        return found

    def _case(self, number: int) -> Environment:
        """The inputs of a case, which no changed formula can change."""
        keep = copied if isinstance(self.exercise.kind, Class) else _kept
        return {name: keep(value) for name, value in self.cases[number].items()}

    def _environment(self, names: tuple[str, ...]) -> Environment:
        """The values of the case to begin with, with these mistakes; empty where they cannot be computed."""
        try:
            environment = self.exercise.derive(self._case(self._first), *names)
        except Exception:
            return {}
        return {name: _kept(value) for name, value in environment.items()}

    def wrong(self, names: tuple[str, ...]) -> set[str]:
        """The values handed in that these mistakes do not give in that case; empty where nothing is computed."""
        environment = self._environment(names)
        given = self.given[self._first]
        return {name for name in given if environment and not self._agrees(given[name], environment[name])}

    def calls(self) -> int:
        """The functions that one derivation calls: what it costs, the same on every machine."""
        calls = 1

        def count(frame: types.FrameType, event: str, argument: Any) -> None:
            nonlocal calls
            calls += event in ("call", "c_call")

        before = sys.getprofile()
        sys.setprofile(count)
        try:
            self.exercise.derive(self._case(self._first))
        finally:
            sys.setprofile(before)
        return calls

    def _reached(self, name: str, formulas: Mapping[str, Formula]) -> set[str]:
        """A step and those that rest on it."""
        reached = {name}
        for step in self.exercise.steps:
            if reached.intersection(needs(formulas.get(step.name, step.formula))):
                reached.add(step.name)
        return reached

    def _gives(
        self, slip: Mistake, formulas: Mapping[str, Formula], environment: Environment, reached: Collection[str]
    ) -> bool:
        """Whether a slip gives the learner's values in that case; ``environment`` has those without it."""
        moved = {name: _kept(value) if isinstance(value, list) else value for name, value in environment.items()}
        given = self.given[self._first]
        for step in self.exercise.steps:
            if step.name in reached:
                formula = slip.formula if step.name == slip.step else formulas.get(step.name, step.formula)
                try:
                    moved[step.name] = apply(formula, moved)
                except Exception:  # a formula that cannot be computed on these shapes explains nothing
                    return False
                if step.name in given and not self._is(given[step.name], moved[step.name]):
                    return False
        return True

    def _gives_all(self, slip: Mistake, names: tuple[str, ...]) -> bool:
        """Whether a slip gives the learner's values in every case."""
        for number, given in enumerate(self.given):
            try:
                environment = self.exercise.derive(self._case(number), *names, slip.name)
            except Exception:
                return False
            if not all(self._is(given[name], environment[name]) for name in given):
                return False
        return True

    def _is(self, given: Any, computed: Any) -> bool:
        """Whether a learner's value is the one computed, which may be anything that a changed formula gives."""
        try:
            # A method that fails is told by what it raised, and not by a slip that would make it fail as well.
            failed = isinstance(self.exercise.kind, Class) and not np.all(np.isfinite(computed))
            return not failed and _is_real(computed) and self._agrees(given, computed)
        except Exception:  # such as a list of arrays in the place of an array
            return False

    def _fitting_in_a_class(self) -> Iterator[Mistake]:
        """The slips in a part of a class that give what the part's own probe gives with the learner's."""
        wrong = self.wrong(())
        steps = {step.name: step for step in self.exercise.steps if isinstance(step, Method)}
        given = self.given[self._first]
        likely = (slip for slip in self.exercise.slips.values() if slip.step in wrong)
        for slip in itertools.islice(likely, TRIED_IN_A_CLASS):
            try:
                made = self.exercise.kind.make(self.exercise, {slip.step: slip.formula})
            except TypeError:  # these parts make no class
                continue
            value = Trials(self.exercise, made).one(steps[slip.step], self._case(self._first))
            if self._is(given[slip.step], value):
                yield slip

    def offered(self, names: tuple[str, ...], found: Sequence[Mistake]) -> list[tuple[str, ...]]:
        """What is told of the slips that fit: one for the same values of a step, the plainest first, at most three."""
        kept: list[tuple[Mistake, list[Any]]] = []
        for slip in found:
            values = self._values(slip, names)
            if not any(slip.step == other.step and self._same(values, its) for other, its in kept):
                kept.append((slip, values))
        order = [step.name for step in self.exercise.steps]
        explanations = []
        for slip, _ in kept[:MOST_OFFERED]:
            places = {name: order.index(self.exercise.mistakes[name].step) for name in names}
            places[slip.name] = order.index(slip.step)
            explanations.append(tuple(sorted(places, key=places.__getitem__)))
        return explanations

    def _values(self, slip: Mistake, names: tuple[str, ...]) -> list[Any]:
        """What a slip gives in its step, in every case."""
        return [
            self.exercise.derive(self._case(number), *names, slip.name)[slip.step] for number in range(len(self.cases))
        ]

    def _same(self, first: Sequence[Any], second: Sequence[Any]) -> bool:
        try:
            return all(map(self._agrees, first, second))
        except Exception:  # values that are no numbers
            return False


def _kept(value: Any) -> Any:
    """A value that a formula cannot change: arrays are not to be written on, lists are copies."""
    if isinstance(value, list):
        return [_kept(item) for item in value]
    if isinstance(value, np.ndarray):
        value = value.view()
        value.flags.writeable = False
    return value


def _is_real(value: Any) -> bool:
    """Whether a value is a real number, an array of such, or a list of them."""
    if isinstance(value, list | tuple):
        return all(map(_is_real, value))
    return np.asarray(value).dtype.kind in "biuf"
