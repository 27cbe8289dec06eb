"""Points: every step of a derivation has its share, and a wrong step costs its own share only.

As in a written examination, marks follow through: where the mistakes are known, the steps behind them are right in
themselves and keep their points. Where nothing explains the answer, the values that are right earn theirs, together
with the steps they rest on.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from autograder.exercises.formulas import needs
from autograder.exercises.model import Exercise

SIDE_EFFECT_SHARE = 0.5
"""What right values are worth from a function that changes its inputs (right once, wrong at the next call), or that
overflows on the way where the exercise is to avoid that."""


def for_right_values(exercise: Exercise, right: Iterable[str]) -> float:
    """Points for returned values that are right: a right value proves every step that it rests on.

    It proves no other returned value, which is there to be seen: one that is wrong beside it was not what it rests on.
    """
    return _points(exercise, _proven(exercise, right))


def for_own_values(exercise: Exercise, right: Iterable[str], follows: Mapping[str, bool]) -> float:
    """Points where nothing explains an answer, and marks follow through.

    A value handed in that follows from the learner's own earlier ones earns its step's points, right or not.
    """
    return _points(exercise, _proven(exercise, right) | {name for name, does in follows.items() if does})


def with_follow_through(exercise: Exercise, explanations: Sequence[tuple[str, ...]]) -> float:
    """Points where the mistakes are known: all but the wrong steps' shares, by the explanation that costs least."""
    return max(
        _points(exercise, {step.name for step in exercise.steps if not step.mistakes.keys() & set(names)})
        for names in explanations
    )


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
