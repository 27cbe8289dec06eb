"""Every mistake of the catalogue is caught and named; so is every pair; nothing else is."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from autograder import Exercise, evaluate, exercises
from autograder.checking import diagnosis
from autograder.checking.diagnosis import agrees

MISTAKES = [
    pytest.param(exercise, name, id=f"{exercise.id}-{name}") for exercise in exercises() for name in exercise.mistakes
]
BY_EXERCISE = pytest.mark.parametrize("exercise", exercises(), ids=lambda exercise: exercise.id)


SEEDS = range(2)
"""A few, since ``chainrule selftest`` tries every mistake with twenty seeds and every pair with three."""


def _values(exercise: Exercise, names: tuple[str, ...], seed: int, square: bool) -> list[Any]:
    """What the answer with these mistakes gives on a few cases; the exception's type where it raises."""
    found: list[Any] = []
    for case in exercise.cases(seed, count=3, square=square):
        try:
            with np.errstate(all="ignore"):
                given = exercise.kind.attempt(exercise, exercise.answer(*names))(*exercise.arguments(case).values())
            found.append(list(given.values()) if isinstance(given, dict) else given)
        except Exception as error:
            found.append(type(error))
    return found


def _equal(exercise: Exercise, first: tuple[str, ...], second: tuple[str, ...], seed: int) -> bool:
    """Whether two sets of mistakes give the same values, also where only square matrices give any."""
    return all(
        a is b or (not isinstance(a, type) and not isinstance(b, type) and agrees(_aslist(a), _aslist(b)))
        for square in (False, True)
        for a, b in zip(_values(exercise, first, seed, square), _values(exercise, second, seed, square), strict=True)
    )


def _aslist(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


@BY_EXERCISE
def test_there_are_enough_mistakes(exercise: Exercise) -> None:
    assert len(exercise.mistakes) >= (30 if exercise.id == "05.backprop_batch" else 4)
    assert all(len(mistake.explanation) > 20 for mistake in exercise.mistakes.values())


@pytest.mark.parametrize(("exercise", "name"), MISTAKES)
def test_a_mistake_costs_points_and_is_named(exercise: Exercise, name: str) -> None:
    for seed in SEEDS:
        result = evaluate(exercise.id, exercise.answer(name), seed)
        assert result.score < result.max_score
        assert result.verdict in ("wrong", "wrong shape", "not finite", "raised")
        assert len(result.mistakes) == 1, f"seed {seed}\n{result.to_text()}"
        assert name in {found for (found,) in result.possibilities}
        assert result.mistakes == (name,) or _equal(exercise, result.mistakes, (name,), seed)


@pytest.mark.parametrize(("exercise", "name"), MISTAKES)
def test_two_mistakes_cost_points_and_are_both_named(exercise: Exercise, name: str) -> None:
    """This mistake with a few of those in other steps."""
    planted = set(getattr(exercise.kind, "planted", ()))
    others = [
        other
        for other, mistake in exercise.mistakes.items()
        if mistake.step != exercise.mistakes[name].step and not {name, other} <= planted
    ]
    for other in others[:: max(1, len(others) // 3)]:
        result = evaluate(exercise.id, exercise.answer(name, other), 0)
        assert result.score < result.max_score, f"with {other}"
        assert 1 <= len(result.mistakes) <= 2, f"with {other}\n{result.to_text()}"
        pair = {name, other}
        fits = pair in map(set, result.possibilities) or _equal(exercise, result.mistakes, (name, other), 0)
        assert fits, f"with {other}: {result.possibilities}"


FUNCTIONS = [exercise for exercise in exercises() if exercise.kind.name in ("function", "fix")]


@pytest.mark.parametrize("exercise", FUNCTIONS, ids=lambda exercise: exercise.id)
def test_an_error_without_a_name_is_explained_by_nothing_that_gives_other_values(exercise: Exercise) -> None:
    def spoiled(kind: int) -> Any:
        def spoil(value: Any, rng: np.random.Generator) -> Any:
            if isinstance(value, list):
                return [spoil(item, rng) for item in value]
            array = np.array(value, dtype=float)
            if kind == 0:
                return array * 1.37
            if kind == 1:
                return array + 0.01
            if kind == 2 and array.ndim:
                array[-1] *= -0.6
                return array
            return array * (1 + 0.3 * np.cos(np.arange(array.size).reshape(array.shape)))

        def answer(*inputs: Any) -> Any:
            values = exercise.reference(*inputs)
            several = values if len(exercise.returns) > 1 else (values,)
            return [spoil(value, np.random.default_rng(kind)) for value in several]

        return answer

    for kind, seed in itertools.product(range(4), range(5)):
        result = evaluate(exercise.id, spoiled(kind), seed)
        assert result.score < result.max_score
        assert result.mistakes == (), f"kind {kind}, seed {seed}: {result.mistakes}"
        assert result.verdict == "wrong"


def test_the_shortest_explanation_is_preferred() -> None:
    """Without σ′(z2), dZ2 and dA2 are the same numbers: taking the wrong one of them changes nothing more."""
    exercise = next(exercise for exercise in exercises() if exercise.id == "05.backprop_batch")
    result = evaluate(exercise.id, exercise.answer("forgot_output_slope", "dW2_from_dA2"), 0)
    assert result.possibilities == (("forgot_output_slope",),)


def test_two_mistakes_are_told_in_the_order_of_the_derivation_with_the_rows_they_change() -> None:
    exercise = next(exercise for exercise in exercises() if exercise.id == "05.backprop_batch")
    result = evaluate(exercise.id, exercise.answer("dW1_transposed", "forgot_output_slope"), 0)
    assert result.mistakes == ("forgot_output_slope", "dW1_transposed")
    ((slope, transposed),) = result.explained
    assert set(slope.rows) == {"dW1", "db1", "dW2", "db2"}
    assert transposed.rows == ("dW1",)
    states = {line.name: line.state for line in result.lines}
    assert states["dZ2"] == states["dW1"] == "wrong"
    assert states["dA2"] == "right"
    assert states["db1"] == "carried"


def test_a_wrong_product_that_raises_is_named_by_its_values_on_square_matrices() -> None:
    def answer(W2, dz2, z1):  # type: ignore[no-untyped-def]
        return (W2 @ dz2) * np.exp(-z1) / (1 + np.exp(-z1)) ** 2

    result = evaluate("05.hidden_delta", answer, seed=3)
    assert result.verdict == "raised"
    assert result.mistakes == ("W2_not_transposed",)
    assert "ValueError" in result.message
    # One of two steps is wrong, as with a mistake that does not raise.
    assert (result.score, result.max_score) == (1.5, 3)
    assert evaluate("05.hidden_delta", answer, seed=3, follow_through=False).score == 0


def test_three_mistakes_are_named_and_the_search_for_them_ends() -> None:
    exercise = next(exercise for exercise in exercises() if exercise.id == "05.backprop_batch")
    names = ("forgot_mean", "dW2_transposed", "db1_not_summed")
    assert evaluate(exercise.id, exercise.answer(*names), seed=2).mistakes == names


def test_the_search_for_three_mistakes_stops_at_its_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    exercise = next(exercise for exercise in exercises() if exercise.id == "05.backprop_batch")
    monkeypatch.setattr(diagnosis, "TRIPLE_FORMULAS", 50)
    names = ("forgot_mean", "dW2_transposed", "db1_not_summed")
    assert evaluate(exercise.id, exercise.answer(*names), seed=2).mistakes == ()
    assert evaluate(exercise.id, exercise.answer(*names[:2]), seed=2).mistakes == names[:2]
