"""Which mistakes explain an answer: the fewest wrong steps of the derivation that give exactly its values.

The idea of an error model with a minimal number of corrections is that of Singh, Gulwani and Solar-Lezama (PLDI 2013,
doi 10.1145/2491956.2462195). Here a program is a derivation, so the search is over values, not over source code: go
through the steps in order, take the right formula or one of the step's mistakes, and turn back as soon as a value the
learner handed in does not come out. First with one mistake allowed, then two, then (up to ``TRIPLE_FORMULAS``) three.
In between come slips, changes of a formula that nobody wrote down (``autograder.checking.slip_search``): one where no
named mistake explains the answer alone, one beside a mistake where no two mistakes do.

Only an explanation that gives the learner's values on every case counts; where several do, all are returned.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from autograder.checking import slip_search
from autograder.checking.precision import SAFETY, SINGLE, coarseness, size
from autograder.checking.values import Array, copied, fitted, leaves
from autograder.exercises.formulas import Environment, apply, needs
from autograder.exercises.kinds import Class
from autograder.exercises.model import Exercise

EPS = float(np.finfo(float).eps)

COARSEST = SAFETY * EPS * SINGLE
"""Relative difference that no precision explains."""

Explanation = tuple[str, ...]
"""Names of mistakes made together, in the order of the derivation."""

MOST = 3
"""Wrong steps looked for at once."""

TRIPLE_FORMULAS = 20_000
"""Formulas after which the search for three mistakes gives up, so that feedback stays immediate: about 0.1 s. It is no
time, since the same answer should get the same marks on a busy machine."""

CLASSES = 400
"""Classes made for one count of mistakes at most: each goes through every probe."""

AGREE = 1e-12
"""Relative difference up to which an answer has the values of an explanation. Round-off stays below and the difference
of a mistaken loss above; two different formulas on random numbers come this close once in a trillion."""


def explain(
    exercise: Exercise,
    cases: Sequence[Mapping[str, Any]],
    given: Sequence[Mapping[str, Any]],
    holds: Callable[[Explanation], bool] = lambda explanation: True,
) -> list[Explanation]:
    """The shortest explanations of an answer, none if there is no explanation.

    Values that agree with the right ones have none, however small an error was found in them: two mistakes that cancel
    would do, and nobody made them.

    Parameters
    ----------
    cases : the inputs of each case
    given : the learner's values in each case, by the name of the step they belong to
    holds : what an explanation has to satisfy beside giving these values
    """

    wrong = [not gives(exercise, (), case, values) for case, values in zip(cases, given, strict=True)]
    if not any(wrong):
        return []

    def mistakes(count: int) -> list[Explanation]:
        budget = iter(range(TRIPLE_FORMULAS)) if count == MOST else itertools.count()
        return [
            explanation
            for explanation in _candidates(exercise, dict(cases[0]), given[0], count, budget)
            if all(gives(exercise, explanation, case, values) for case, values in zip(cases, given, strict=True))
        ]

    searches: tuple[Callable[[], list[Explanation]], ...] = (
        lambda: mistakes(1),
        lambda: slip_search.alone(exercise, cases, given, wrong.index(True), agrees),
        lambda: mistakes(2),
        lambda: slip_search.beside_a_mistake(exercise, cases, given, wrong.index(True), agrees),
        lambda: mistakes(MOST),
    )
    return next(filter(None, ([*filter(holds, search())] for search in searches)), [])


def _candidates(
    exercise: Exercise, case: Environment, given: Mapping[str, Any], count: int, budget: Iterator[int]
) -> Iterator[Explanation]:
    """Explanations with exactly ``count`` mistakes that give this case's values."""
    if isinstance(exercise.kind, Class):
        return _sets(exercise, case, given, count)
    return _paths(exercise, case, given, count, budget)


def _sets(exercise: Exercise, case: Environment, given: Mapping[str, Any], count: int) -> Iterator[Explanation]:
    """Explanations of a class: its parts work on one another, so every set of mistakes is made and tried as a whole.

    Each mistake's own traces tell which sets are worth it: together they have to reach everything that is wrong.
    """
    right = exercise.derive(case)
    wrong = {name for name in given if not agrees(given[name], right[name])}
    reached = {name: set(rows(exercise, name, case)) & wrong for name in exercise.mistakes}
    worth = (
        names
        for names in itertools.combinations([name for name in reached if reached[name]], count)
        if len({exercise.mistakes[name].step for name in names}) == count
        and set.union(*(reached[name] for name in names)) == wrong
    )
    for names in itertools.islice(worth, CLASSES):
        if gives(exercise, names, case, given):
            yield names


def _paths(
    exercise: Exercise,
    environment: Environment,
    given: Mapping[str, Any],
    count: int,
    budget: Iterator[int],
    position: int = 0,
) -> Iterator[Explanation]:
    """Explanations of a derivation, with exactly ``count`` mistakes in the steps from ``position`` on.

    Every formula tried takes one from ``budget``; when it is used up, none is looked for any more.
    """
    if position == len(exercise.steps):
        if count == 0:
            yield ()
        return
    step = exercise.steps[position]
    right = [((), step.formula)]
    wrong = [((name,), formula) for name, (formula, _) in step.mistakes.items()] if count else []
    for names, formula in right + wrong:
        if next(budget, None) is None:
            return
        try:
            value = apply(formula, environment)
        except Exception:  # a formula that cannot be computed on these shapes explains nothing
            continue
        if step.name in given and not agrees(given[step.name], value):
            continue
        known = {**environment, step.name: value}
        for rest in _paths(exercise, known, given, count - len(names), budget, position + 1):
            yield names + rest


def gives(exercise: Exercise, explanation: Explanation, case: Mapping[str, Any], given: Mapping[str, Any]) -> bool:
    """Whether these mistakes give the learner's values in a case."""
    try:
        environment = exercise.derive(case, *explanation)
    except Exception:
        return False
    return all(agrees(given[step.name], environment[step.name]) for step in exercise.steps if step.name in given)


def agrees(given: Any, computed: Any) -> bool:
    """Whether two values are the same up to the round-off of the given one's precision."""
    if isinstance(given, list | tuple):
        return isinstance(computed, list | tuple) and len(given) == len(computed) and all(map(agrees, given, computed))
    try:
        if np.iscomplexobj(computed) and np.any(np.imag(computed)):  # what is given is real
            return False
        array: Array = np.asarray(np.real(computed), dtype=float)
    except (TypeError, ValueError):  # arrays of several shapes, where one is asked for
        return False
    fit = fitted(np.asarray(given), array.shape)
    if fit.shape != array.shape:
        return False
    with np.errstate(invalid="ignore"):  # of two infinities
        difference = np.abs(fit - array)
    if np.isnan(difference).any():  # nan agrees with nan, an infinity with the same one; the rest is compared as usual
        if not np.array_equal(fit[~np.isfinite(array)], array[~np.isfinite(array)], equal_nan=True):
            return False
        difference = difference[np.isfinite(array)]
    error = difference.max(initial=0.0) / size(array)
    # Nearly all candidates differ by far more than any precision; only the others are worth a closer look.
    return bool(error <= COARSEST and error <= max(AGREE, SAFETY * EPS * coarseness(fit)))


def rows(exercise: Exercise, name: str, case: Mapping[str, Any]) -> tuple[str, ...]:
    """The returned values that a mistake, made alone, changes in a case."""
    right = exercise.derive(case)
    environment = {name: copied(value) for name, value in case.items()}  # a slip may write into what it is given
    with contextlib.suppress(Exception):
        exercise.kind.compute(exercise, exercise.formulas(name), environment)
    computed = [name for name in exercise.returns if name in environment]
    changed = tuple(name for name in computed if not agrees(environment[name], right[name]))
    # Where the mistake cannot be computed on these shapes, nor can anything that rests on it.
    return changed or tuple(name for name in exercise.returns if name not in environment)


def following(
    exercise: Exercise, cases: Sequence[Mapping[str, Any]], given: Sequence[Mapping[str, Any]]
) -> dict[str, bool]:
    """For each value handed in, whether it follows from the learner's own earlier ones, in every case.

    It ends where an earlier value of the learner's has a shape with which nothing can be computed.
    """
    found: dict[str, bool] = {}
    if isinstance(exercise.kind, Class):
        return found  # its steps do not rest on one another
    for case, values in zip(cases, given, strict=True):
        environment = dict(case)
        for step in exercise.steps:
            try:
                environment[step.name] = apply(step.formula, environment)
            except Exception:
                break
            if step.name in values:
                does = agrees(values[step.name], environment[step.name])
                found[step.name] = does and found.get(step.name, True)
                if not any(np.isnan(array).any() for _, array in leaves(step.name, values[step.name])):
                    environment[step.name] = values[step.name]
    return found


def is_used(exercise: Exercise, name: str, given: Collection[str]) -> bool:
    """Whether another of the values handed in rests on this one."""
    reached = {name}
    for step in exercise.steps:
        if reached.intersection(needs(step.formula)):
            if step.name in given:
                return True
            reached.add(step.name)
    return False
