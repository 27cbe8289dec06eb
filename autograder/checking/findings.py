"""What a result shows beside its verdict: a row per array, the derivation's chain, the mistakes and what they
change."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

import numpy as np

from autograder.checking import precision
from autograder.checking.comparison import Comparison, Trial
from autograder.checking.diagnosis import Explanation, is_used, rows
from autograder.checking.observations import elsewhere, exchanged, observe, sizes_of
from autograder.checking.result import CheckResult, Explained, Line, Part
from autograder.exercises.formulas import Environment, needs
from autograder.exercises.kinds import Derivation
from autograder.exercises.kinds.shapes import sizes_of as sizes_of_shape
from autograder.exercises.model import Exercise

Compared = Sequence[Mapping[str, Comparison]]
"""For each case, every returned array beside the right one, by name."""


def parts(trials: Sequence[Trial], compared: Compared, failed: Collection[str]) -> tuple[Part, ...]:
    """A row for every array: from the first case in which anything is wrong, else from the first.

    Of a value that could not be had (``failed``), and of an answer whose only value must not be told, there is nothing
    to show but that it is wrong.
    """
    if trials[0].exercise.kind.shows == "verdicts" and len(compared[0]) == 1:
        return ()
    chosen = next((i for i, found in enumerate(compared) if not all(part.exact for part in found.values())), 0)
    return tuple(
        _verdict_only(leaf, part) if leaf in failed else _part(trials[chosen], leaf, part)
        for leaf, part in compared[chosen].items()
    )


def _verdict_only(leaf: str, part: Comparison) -> Part:
    return Part(leaf, part.exact, None, None, np.nan, (), np.nan, np.nan, None, None)


def _part(trial: Trial, leaf: str, part: Comparison) -> Part:
    """One row: the worst entry, the learner's beside the right one and the central difference."""
    if trial.exercise.kind.shows == "verdicts":
        return _verdict_only(leaf, part)
    if trial.exercise.kind.shows == "shapes":
        return replace(
            _verdict_only(leaf, part), shape=sizes_of_shape(part.given), expected_shape=sizes_of_shape(part.right)
        )
    if not part.fits:
        return Part(leaf, False, part.given.shape, part.right.shape, np.nan, (), np.nan, np.nan, None, None)
    error = np.abs(part.signed)
    worst: tuple[int, ...] = ()
    if error.ndim and error.size:
        flat = np.argmax(np.where(np.isnan(error), np.inf, error))
        worst = tuple(int(index) for index in np.unravel_index(flat, error.shape))
    return Part(
        name=leaf,
        right=part.exact,
        shape=None if isinstance(trial.exercise.kind, Derivation) else part.given.shape,
        expected_shape=None if isinstance(trial.exercise.kind, Derivation) else part.right.shape,
        error=float(error[worst]) if error.size else 0.0,
        worst=worst,
        yours=float(part.given[worst]) if error.size else np.nan,
        expected=float(part.right[worst]) if error.size else np.nan,
        difference=_difference(trial, leaf, worst),
        signed=part.signed,
    )


def _difference(trial: Trial, leaf: str, entry: tuple[int, ...]) -> float | None:
    """The loss's central difference in one entry of a returned array; None where there is no loss."""
    if trial.exercise.loss is None:
        return None
    name, _, item = leaf.partition("[")
    index = int(item.rstrip("]")) if item else None
    variable = trial.exercise.variable(name)
    return precision.central_difference(trial.exercise.loss, trial.derived, variable, entry, index)


def diagnosed(exercise: Exercise, case: Environment, found: Sequence[Explanation], result: CheckResult) -> CheckResult:
    """The result with what explains it. Several explanations of the same length are all offered as possibilities."""
    explained = tuple(tuple(_explained(exercise, name, case) for name in names) for names in found)
    count = {1: "One wrong step gives", 2: "Two wrong steps give"}.get(len(found[0]), "Three wrong steps give")
    ways = f", in one of {len(found)} ways" if len(found) > 1 else ""
    sentence = f"{count} exactly {'the same' if result.verdict == 'raised' else 'your values'}{ways}."
    return replace(
        result,
        message=f"{result.message} {sentence}".strip(),
        mistakes=found[0],
        possibilities=tuple(found),
        explained=explained,
        lines=_lines(exercise, {item.step for item in explained[0]}) if len(found) == 1 else (),
    )


def _explained(exercise: Exercise, name: str, case: Environment) -> Explained:
    mistake = exercise.mistake(name)
    return Explained(name, mistake.step, mistake.explanation, rows(exercise, name, case))


def _lines(exercise: Exercise, wrong: set[str]) -> tuple[Line, ...]:
    """The derivation, with the wrong steps and those that a wrong value reaches."""
    reached: set[str] = set()
    lines = []
    for step in exercise.steps:
        carried = bool(reached.intersection(needs(step.formula)))
        if carried or step.name in wrong:
            reached.add(step.name)
        lines.append(Line(step.name, "wrong" if step.name in wrong else "carried" if carried else "right"))
    return tuple(lines)


def observations(trials: Sequence[Trial], compared: Compared, *, explained: bool = False) -> tuple[str, ...]:
    """What can be said about the wrong arrays of an answer; the same statement once for all it is true of.

    Of an ``explained`` one it is not said that an array is another value of the derivation.
    """
    if trials[0].exercise.kind.shows != "values":
        return ()
    wrong = [
        leaf
        for leaf in compared[0]
        if all(leaf in case and case[leaf].finite for case in compared)
        and not all(case[leaf].exact for case in compared)
    ]
    pairs = [{leaf: (case[leaf].given, case[leaf].right) for leaf in wrong} for case in compared]
    if statement := exchanged(wrong, pairs):
        return (statement,)
    known = [{} if explained else trial.derived for trial in trials]
    sizes = [sizes_of(trial.case) for trial in trials]
    is_derivation = isinstance(trials[0].exercise.kind, Derivation)
    found: dict[str, list[str]] = {}
    for leaf in wrong:
        of_leaf = [case[leaf] for case in pairs]
        statement = elsewhere(leaf, of_leaf, known) or ("" if is_derivation else observe(of_leaf, sizes))
        found.setdefault(statement, []).append(leaf)
    untold = found.pop("", [])
    told = [f"{', '.join(names)}: {statement}" for statement, names in found.items()]
    if is_derivation:
        lines = {name: part for name, part in compared[0].items() if name in untold or name not in wrong}
        told += filter(None, (_at_some_points(trials[0], name, part) for name, part in lines.items()))
    return tuple(told)


def _at_some_points(trial: Trial, leaf: str, part: Comparison) -> str:
    """A line that equals the right one at some points only; empty if it does at all or at none."""
    near = np.abs(part.signed) <= part.limit if part.fits else np.zeros(1, dtype=bool)
    if near.all() or not near.any():
        return ""
    first = int(np.argmin(near))
    point = ", ".join(f"{name} = {trial.case[name][first]:.3g}" for name in trial.exercise.inputs)
    return (
        f"{leaf} is right at {np.sum(near)} of {near.size} points only; it is not where {point}. "
        "Does it hold for negative numbers too?"
    )


def own_lines(exercise: Exercise, right: Collection[str], follows: Mapping[str, bool]) -> tuple[Line, ...]:
    """The values handed in, each judged given the learner's own earlier ones; none where no value rests on another."""
    if not any(is_used(exercise, name, follows) for name in follows):
        return ()
    return tuple(
        Line(name, "right" if name in right else "carried" if does else "wrong") for name, does in follows.items()
    )
