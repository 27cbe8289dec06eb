"""Right answers are right answers, however they are written."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from autograder import Exercise, evaluate, exercises

SEEDS = range(20)


def _answers() -> dict[str, list[Callable[..., Any]]]:
    """The hand-written answers of every lesson, by exercise."""
    found: dict[str, list[Callable[..., Any]]] = {}
    for path in sorted((Path(__file__).parent / "right_answers").glob("lesson_*.py")):
        spec = importlib.util.spec_from_file_location(f"right_answers_{path.stem}", path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        found |= module.ANSWERS
    return found


ANSWERS = _answers()
WRITTEN = [pytest.param(id, answer, id=f"{id}-{answer.__name__}") for id, found in ANSWERS.items() for answer in found]


def _as_lists(value: Any) -> Any:
    return [_as_lists(item) for item in value] if isinstance(value, list | tuple) else np.asarray(value).tolist()


def _single(value: Any) -> Any:
    return [_single(item) for item in value] if isinstance(value, list | tuple) else np.float32(value)


@pytest.mark.parametrize("exercise", exercises(), ids=lambda exercise: exercise.id)
def test_every_exercise_has_three_right_answers_of_different_hands(exercise: Exercise) -> None:
    assert len(ANSWERS.get(exercise.id, [])) >= 3


@pytest.mark.parametrize(("id", "answer"), WRITTEN)
def test_a_right_answer_in_another_style_earns_every_point(id: str, answer: Callable[..., Any]) -> None:
    for seed in SEEDS:
        result = evaluate(id, answer, seed)
        assert (result.verdict, result.score) == ("correct", result.max_score), f"seed {seed}\n{result.to_text()}"
        assert not result.mistakes


FUNCTIONS = [exercise for exercise in exercises() if exercise.kind.name in ("function", "fix")]


@pytest.mark.parametrize("exercise", exercises(), ids=lambda exercise: exercise.id)
def test_the_reference_earns_every_point(exercise: Exercise) -> None:
    for seed in SEEDS:
        result = evaluate(exercise.id, exercise.reference, seed)
        assert (result.verdict, result.score) == ("correct", exercise.points), f"{seed}\n{result.to_text()}"


@pytest.mark.parametrize("exercise", FUNCTIONS, ids=lambda exercise: exercise.id)
def test_the_reference_earns_every_point_in_any_container(exercise: Exercise) -> None:
    def named(*inputs: Any) -> dict[str, Any]:
        values = exercise.reference(*inputs)
        return dict(zip(exercise.returns, values if len(exercise.returns) > 1 else (values,), strict=True))

    def listed(*inputs: Any) -> Any:
        return _as_lists(exercise.reference(*inputs))

    def single(*inputs: Any) -> Any:
        return _single(exercise.reference(*inputs))

    containers = [named, listed, *([single] if exercise.float32 else [])]
    for seed in SEEDS:
        for answer in containers:
            result = evaluate(exercise.id, answer, seed)
            assert (result.verdict, result.score) == ("correct", exercise.points), f"{seed}\n{result.to_text()}"
