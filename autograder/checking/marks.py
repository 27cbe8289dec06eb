"""Points: every step of a derivation has its share, and a wrong step costs its own share only.

As in a written examination, marks follow through: where the mistakes are known, the steps behind them are right in
themselves and keep their points. Where nothing explains the answer, the values that are right earn theirs, together
with the steps they rest on.
"""

from __future__ import annotations

import dis
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from autograder.checking.values import idle
from autograder.exercises.formulas import Formula, needs
from autograder.exercises.model import Exercise

SIDE_EFFECT_SHARE = 0.5
"""What right values are worth from a function that changes its inputs (right once, wrong at the next call), or that
overflows on the way where the exercise is to avoid that."""


def for_right_values(exercise: Exercise, right: Iterable[str]) -> float:
    """Points for returned values that are right: a right value proves every step that it rests on.

    It proves no other returned value, which is there to be seen: one that is wrong beside it was not what it rests on.
    """
    return _points(exercise, _proven(exercise, right))


def for_own_values(
    exercise: Exercise, right: Iterable[str], follows: Mapping[str, bool], unshown: Collection[str]
) -> float:
    """Points where nothing explains an answer, and marks follow through.

    A value handed in that follows from the learner's own earlier ones earns its step's points, right or not; unless
    nothing shows in it (``unshown``, see ``autograder.checking.values.idle``). Where the only wrong step is one that
    earns nothing, the answer is wrong all the same: that costs what the cheapest step does.
    """
    steps = _proven(exercise, right) | {name for name, does in follows.items() if does and name not in unshown}
    if all(step.name in steps for step in exercise.steps if step.share):
        steps -= {_cheapest(exercise)}
    return _points(exercise, steps)


def _cheapest(exercise: Exercise) -> str:
    """The step that earns the least of those that earn anything."""
    return min((step for step in exercise.steps if step.share), key=lambda step: step.share).name


def with_follow_through(
    exercise: Exercise, explanations: Sequence[tuple[str, ...]], cases: Sequence[Mapping[str, Any]]
) -> float:
    """Points where the mistakes are known: all but the wrong steps' shares, by the explanation that costs least."""
    return max(_explained(exercise, names, cases) for names in explanations)


def _explained(exercise: Exercise, names: tuple[str, ...], cases: Sequence[Mapping[str, Any]]) -> float:
    """Points of an answer with these mistakes.

    A slip may leave earlier steps out, as returning an input does; then nothing has been shown of them. And a slip in a
    step that earns nothing, such as a line that the lesson gives, costs what the cheapest step does: the answer is
    wrong all the same. Nothing shows either in what is nothing but zeros with these mistakes.
    """
    share = {step.name: step.share for step in exercise.steps}
    wrong = {exercise.mistake(name).step for name in names}
    if not any(share[name] for name in wrong):
        wrong = {_cheapest(exercise)}
    unshown = idle([_steps(exercise, case, *names) for case in cases], [_steps(exercise, case) for case in cases])
    kept = share.keys() - wrong - unshown
    if unshown or any(name not in exercise.mistakes for name in names):
        kept &= _shown(exercise, exercise.formulas(*names), set(exercise.returns) - unshown)
    return _points(exercise, kept)


def _steps(exercise: Exercise, case: Mapping[str, Any], *names: str) -> dict[str, Any]:
    """The values of the derivation's steps, by name, with these mistakes."""
    derived = exercise.derive(case, *names)
    return {step.name: derived[step.name] for step in exercise.steps if step.name in derived}


def _shown(exercise: Exercise, formulas: Mapping[str, Formula], returns: set[str]) -> set[str]:
    """The steps that returned values rest on, with these formulas instead of the right ones."""
    shown = set(returns)
    for step in reversed(exercise.steps):
        if step.name in shown:
            shown.update(_used(formulas.get(step.name, step.formula)))
    return shown


def _used(formula: Formula) -> set[str]:
    """The names a formula does something with: a slip may have left one of its parameters idle."""
    names = set(needs(formula))
    return {each.argval for each in dis.get_instructions(formula)} & names if names else names


def with_side_effect(exercise: Exercise) -> float:
    """Points for right values that come with what the exercise does not want."""
    return round(exercise.points * SIDE_EFFECT_SHARE, 2)


def _proven(exercise: Exercise, right: Iterable[str]) -> set[str]:
    """The steps that right values prove."""
    right = set(right)
    proven = set(right)
    for step in reversed(exercise.steps):
        if step.name in proven:
            proven.update(needs(step.formula))
    return proven - (set(exercise.returns) - right)


def _points(exercise: Exercise, steps: Collection[str]) -> float:
    """The points of an answer with these steps right, rounded to hundredths; every other step costs its share."""
    scored = exercise.kind.scored(exercise)
    total = sum(step.share for step in exercise.steps if step.name in scored)
    lost = sum(step.share for step in exercise.steps if step.name not in steps)
    return round(exercise.points * max(0.0, total - lost) / total, 2)
