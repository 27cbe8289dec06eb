"""Judging an answer: run it on random cases, compare, diagnose, and give the marks.

``evaluate`` asks its questions in order: can the answer be called, does it run, can what it returns be read, is it
right, and if not, why. Each question that ends the check has a verdict of its own.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np

from autograder.answers import has_no_body
from autograder.checking import findings, marks, precision
from autograder.checking.comparison import Trial
from autograder.checking.diagnosis import explain, following, gives, is_used
from autograder.checking.result import CheckResult, Verdict
from autograder.checking.running import Run, in_turn, run, told
from autograder.checking.seeding import fresh, seed_for
from autograder.checking.values import Unusable, idle, is_constant, read_answer
from autograder.errors import CourseError
from autograder.exercises import find
from autograder.exercises.formulas import Environment
from autograder.exercises.kind import Attempt, NotAnAnswer
from autograder.exercises.kinds import Class, Fix
from autograder.exercises.model import Exercise

CASES = 4
"""Cases an answer is tried on. One tells right from wrong; the others make a coincidence impossible."""

MESSAGES: dict[Verdict, str] = {
    "wrong": "Not right yet, and it is no mistake that the course has a name for.",
    "wrong shape": "A value has another shape than the one asked for.",
    "not finite": "There is a nan or an infinity where a number should be: look for a division by zero, the logarithm "
    "of 0, or an exponential that overflows.",
    "numerical": "The values are close, but not as close as a formula comes: an analytic gradient agrees to about 14 "
    "digits. A finite difference looks like this (and so does a step in single precision, or a small constant added on "
    "the way, as in log(p + 1e-12)). Here the derivative itself is asked for, written as a formula.",
}

FAILED = "A part of your answer gives no numbers; the others are judged by themselves."


@np.errstate(all="ignore")
def evaluate(id: str, answer: Any, seed: int | None = None, *, follow_through: bool = True) -> CheckResult:
    """Judge an answer to an exercise.

    Parameters
    ----------
    id : the exercise, such as ``"05.backprop_batch"``
    answer : the learner's function
    seed : makes the random cases repeatable; None takes the seed of the submission that is being graded (see
        ``seeded``), else a fresh one. The result records it
    follow_through : where the mistakes are known, only the wrong steps lose their points (as in a written examination);
        with False, only returned values that are right earn theirs

    Raises
    ------
    CourseError
        There is no such exercise, or the seed is no whole number from 0 up.
    """
    exercise = find(id)
    seed = fresh(exercise.id) if seed is None else _seed(seed)
    blank = CheckResult(exercise.id, exercise.title, 0, exercise.points, "not attempted", "", seed)
    if answer is None or answer is Ellipsis:
        return replace(blank, message=_not_attempted(exercise))
    try:
        attempt = exercise.kind.attempt(exercise, answer)
    except NotAnAnswer as problem:
        return replace(blank, verdict=problem.verdict, message=str(problem))

    cases = _cases(exercise.id, seed)
    runs = _runs(exercise, attempt, cases)
    warned = tuple(dict.fromkeys(warning for each in runs for warning in each.warned))
    blank = replace(blank, printed=runs[0].printed, warned=warned)
    if _is_unwritten(answer, runs):
        return replace(blank, message=_not_attempted(exercise))
    if isinstance(runs[-1].exception, NotAnAnswer):
        return replace(blank, verdict=runs[-1].exception.verdict, message=str(runs[-1].exception))
    if runs[-1].exception is not None:
        return _raised(exercise, answer, cases, runs, blank, follow_through)

    trials = _trials(exercise.id, seed)
    try:
        first, second, *given = (
            _read(trial, each.returned) for trial, each in zip((trials[0], trials[0], *trials), runs, strict=True)
        )
    except Unusable as problem:
        return replace(blank, verdict="wrong shape", message=f"Your function returned {problem}")
    if isinstance(exercise.kind, Fix) and _is_as_planted(exercise, cases, given):
        return replace(blank, message="This is still the function as it was given: find what is wrong in it.")
    changed = tuple(dict.fromkeys(name for each in runs for name in each.changed))
    steady = trials[0].same(first, second) and trials[0].same(second, given[0])
    failed: Mapping[str, str] = attempt.failed if isinstance(attempt, Attempt) else {}
    notes = tuple(attempt.notes) if isinstance(attempt, Attempt) else ()
    effects = _SideEffects(changed, steady, failed, _failing(exercise), notes)
    return _judged(trials, given, effects, blank, follow_through)


def prepared(ids: Iterable[str], seed: int) -> Iterator[None]:
    """Work out the cases of checks to come, of a submission with this seed; a step of the iterator for each.

    Whoever grades has time for that while a learner's cells run.
    """
    for id in ids:
        with contextlib.suppress(CourseError):
            _trials(id, seed_for(id, seed))
        yield


@lru_cache(maxsize=32)
def _cases(id: str, seed: int) -> tuple[Environment, ...]:
    """The cases of an exercise, drawn once: an answer only ever gets copies of them."""
    return tuple(find(id).cases(seed, CASES))


@lru_cache(maxsize=32)
def _trials(id: str, seed: int) -> tuple[Trial, ...]:
    """The cases of an exercise, worked out. Whoever tries many answers with one seed has them worked out once."""
    exercise = find(id)
    return tuple(Trial.of(exercise, case) for case in _cases(id, seed))


def _seed(seed: Any) -> int:
    """A seed as the whole number it has to be."""
    if not isinstance(seed, int | np.integer) or seed < 0:
        raise CourseError(f"The seed is {seed!r}; expected a whole number from 0 up, such as a result's own .seed.")
    return int(seed)


def _runs(exercise: Exercise, answer: Callable[..., Any], cases: Sequence[Environment]) -> list[Run]:
    """A run on every case, or up to the first that raises: what hangs or fails once is not tried again.

    The first case comes three times in a row, so that what is added up from call to call fits in shape and shows.
    """
    runs: list[Run] = []
    inputs = [exercise.arguments(case) for case in (cases[0], cases[0], *cases)]
    for each in in_turn(answer, inputs, exercise.returns):
        runs.append(each)
        if each.exception is not None:
            break
    return runs


def _is_unwritten(answer: Callable[..., Any], runs: Sequence[Run]) -> bool:
    """Whether a function still is the one handed out, or has no body."""
    if any(isinstance(each.exception, NotImplementedError) for each in runs) or runs[0].returned is Ellipsis:
        return True
    return runs[0].exception is None and runs[0].returned is None and has_no_body(answer)


def _failing(exercise: Exercise) -> Verdict:
    """The verdict on an answer that is right where it gives anything: a class raises, a line cannot be read."""
    return "raised" if isinstance(exercise.kind, Class) else "wrong"


def _is_as_planted(exercise: Exercise, cases: Sequence[Environment], given: Sequence[Environment]) -> bool:
    """Whether a function to repair has the values of the one that was handed out."""
    assert isinstance(exercise.kind, Fix)
    planted = exercise.kind.planted
    return all(gives(exercise, planted, case, values) for case, values in zip(cases, given, strict=True))


def _not_attempted(exercise: Exercise) -> str:
    return f"Nothing to check yet: write {exercise.signature}, then run the check again."


def _raised(
    exercise: Exercise,
    answer: Callable[..., Any],
    cases: Sequence[Environment],
    runs: Sequence[Run],
    blank: CheckResult,
    follow_through: bool,
) -> CheckResult:
    """The result for a function that raised in the last of these runs.

    A product of matrices in the wrong order raises where sizes differ. On square matrices it gives values, and those
    tell which mistake it is. It is one wrong step like any other, and costs no more.
    """
    exception = runs[-1].exception
    assert exception is not None
    case = cases[max(0, len(runs) - 3)]  # the first case is run three times
    arguments = exercise.arguments(case)
    message = told(exception, answer, arguments, exercise.kind.called_with(exercise))
    result = replace(blank, verdict="raised", message=f"{message} {exercise.kind.advice(exception)}".strip())
    if exercise.kind.shows != "values" or not isinstance(exception, ValueError | IndexError):
        return result
    squares = exercise.cases(blank.seed, count=2, square=True)
    trials = [Trial.of(exercise, square) for square in squares]
    try:
        given = [
            _read(trial, run(answer, exercise.arguments(trial.case), exercise.returns).returned) for trial in trials
        ]
    except Unusable:
        return result
    found = explain(
        exercise, squares, given, holds=lambda names: run(exercise.answer(*names), arguments).exception is not None
    )
    if not found:
        return result
    return findings.diagnosed(
        exercise,
        case,
        found,
        replace(
            result,
            message=f"{result.message} On square matrices, where any order of a product has a value, it runs.",
            score=marks.with_follow_through(exercise, found, squares) if follow_through else 0,
        ),
    )


def _read(trial: Trial, returned: Any) -> Environment:
    """The values asked for, and those of other steps where a dictionary holds them."""
    exercise = trial.exercise
    given = read_answer(returned, exercise.returns, [trial.expected[name] for name in exercise.returns])
    for step in exercise.steps:
        if isinstance(returned, dict) and step.name in returned and step.name not in given:
            # What is not asked for may be anything of the same name; it is used only where it fits.
            with contextlib.suppress(Unusable):
                given |= read_answer({step.name: returned[step.name]}, [step.name], [trial.derived[step.name]])
    return given


@dataclass(frozen=True)
class _SideEffects:
    """What an answer does beyond returning values: inputs it changes, whether a second call gives the same, and of a
    class what did not work."""

    changed: tuple[str, ...]
    steady: bool
    failed: Mapping[str, str]
    failing: Verdict
    notes: tuple[str, ...]

    def sentences(self) -> tuple[str, ...]:
        """The side effects in words."""
        found = [*self.failed.values(), *self.notes]
        if self.changed:
            found.append(
                f"Your function changes what it is given: {', '.join(self.changed)}. Whoever calls it still needs the "
                "old values: work on a copy (`x = x.copy()`), or write `x = x - ...` instead of `x -= ...`."
            )
        if not self.steady:
            found.append(
                "Called again with the same inputs, your function gave other values. Does it keep something from call "
                "to call, such as a global variable or a list as default argument?"
            )
        return tuple(found)


def _judged(
    trials: Sequence[Trial],
    given: Sequence[Environment],
    effects: _SideEffects,
    blank: CheckResult,
    follow_through: bool,
) -> CheckResult:
    """The result for an answer whose values could be read."""
    exercise = trials[0].exercise
    compared = [trial.compare(values) for trial, values in zip(trials, given, strict=True)]
    right = _right_values(exercise, compared)
    result = replace(
        blank,
        parts=findings.parts(trials, compared, effects.failed),
        observations=effects.sentences(),
        score=marks.for_right_values(exercise, right) if effects.steady else 0,
    )
    if right == set(exercise.returns):
        return _right(exercise, effects, result)

    cases = [trial.case for trial in trials]
    follow_through = follow_through and effects.steady and not is_constant(given)
    if found := explain(exercise, cases, given):
        result = replace(result, verdict=_verdict(compared, effects, close=False))
        if follow_through:
            result = replace(result, score=max(result.score, marks.with_follow_through(exercise, found, cases)))
        if any(name not in exercise.mistakes for name in found[0]):  # a slip's sentence is a general one
            seen = findings.observations(trials, compared, explained=True)
            result = replace(result, observations=result.observations + seen)
        return findings.diagnosed(exercise, cases[0], found, result)

    verdict = _verdict(compared, effects, close=_is_close(exercise, compared))
    result = replace(result, verdict=verdict, message=FAILED if effects.failed else MESSAGES[verdict])
    if verdict == "numerical":
        return replace(result, score=0)
    follows = following(exercise, cases, given)
    if follow_through:
        unshown = idle(given, [trial.derived for trial in trials])
        own = marks.for_own_values(exercise, right, follows, unshown)
        result = replace(result, score=max(result.score, own))
    return replace(
        result,
        first_wrong=next((name for name, does in follows.items() if not does and is_used(exercise, name, follows)), ""),
        lines=findings.own_lines(exercise, right, follows),
        observations=result.observations + findings.observations(trials, compared),
    )


def _right_values(exercise: Exercise, compared: findings.Compared) -> set[str]:
    """The returned values that are right in every entry of every array in every case."""
    wrong = {leaf.partition("[")[0] for found in compared for leaf, part in found.items() if not part.exact}
    return set(exercise.returns) - wrong


def _right(exercise: Exercise, effects: _SideEffects, result: CheckResult) -> CheckResult:
    """The result where all values are right."""
    if not effects.steady:
        return replace(result, verdict="wrong", message="The values are right at the first call only.")
    if effects.changed:
        return replace(
            result,
            verdict="mutates its input",
            score=marks.with_side_effect(exercise),
            message=f"The values are right, but on the way {', '.join(effects.changed)} changed.",
        )
    if exercise.quiet and result.warned:
        message = (
            "The values are right, but numpy warned on the way: this exercise asks for a form that never overflows."
        )
        return replace(result, verdict="wrong", score=marks.with_side_effect(exercise), message=message)
    return replace(result, verdict="correct", message="Everything is right.")


def _verdict(compared: findings.Compared, effects: _SideEffects, close: bool) -> Verdict:
    """The verdict on values that are not all right."""
    parts = [part for found in compared for leaf, part in found.items() if leaf not in effects.failed]
    if not all(part.fits for part in parts):
        return "wrong shape"
    if not all(part.finite for part in parts):
        return "not finite"
    if effects.failed:
        return effects.failing if all(part.exact for part in parts) else "wrong"
    return "numerical" if close else "wrong"


def _is_close(exercise: Exercise, compared: findings.Compared) -> bool:
    """Whether all values are as close as finite differences come, leaving out the case made to spoil those."""
    ordinary = compared[:-1] if exercise.amplify else compared
    parts = [part for found in ordinary for part in found.values()]
    return exercise.loss is not None and all(part.within(precision.DIFFERENCE) for part in parts)
