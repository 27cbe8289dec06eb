"""Marks follow through steps that were taken: a value in which no step shows earns nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from autograder import Exercise, evaluate, exercises
from autograder.exercises import find
from autograder.exercises.formulas import needs

COMPUTED = [exercise for exercise in exercises() if exercise.kind.name in ("function", "fix")]


def like(value: Any, entry: float) -> Any:
    """One number in all places of a value."""
    return [like(each, entry) for each in value] if isinstance(value, list | tuple) else np.full(np.shape(value), entry)


def marked(value: Any) -> Any:
    """The same with the smallest number there is in its first place."""
    if isinstance(value, list):
        return [marked(value[0]), *value[1:]]
    value = np.array(value)
    value.flat[0] = 5e-324
    return value


@pytest.mark.parametrize("entry", [0.0, 1.0, 1e300])
@pytest.mark.parametrize("all_steps", [False, True], ids=["returned", "all steps"])
@pytest.mark.parametrize("exercise", COMPUTED, ids=lambda exercise: exercise.id)
def test_one_number_everywhere_earns_next_to_nothing(exercise: Exercise, all_steps: bool, entry: float) -> None:
    def answer(*inputs: Any) -> dict[str, Any]:
        derived = exercise.derive(dict(zip(exercise.inputs, inputs, strict=True)))
        names = [step.name for step in exercise.steps] if all_steps else exercise.returns
        constant = {name: like(derived[name], entry) for name in names}
        return constant | {exercise.returns[-1]: marked(constant[exercise.returns[-1]])}

    result = evaluate(exercise.id, answer, 1)
    assert result.verdict != "correct"
    assert result.score <= exercise.points / 3, "what is right by chance, or a mistake with a name"


def zeros(*shapes: Any) -> list[Any]:
    return [np.zeros(np.shape(each)) for each in shapes]


def deep(X: Any, Y: Any, weights: Any, biases: Any) -> dict[str, Any]:
    nothing = [np.zeros((len(Y), len(each))) for each in biases]
    steps = {"dA": zeros(Y)[0], "dZ": zeros(Y)[0], "dZs": nothing, "dWs": zeros(*weights), "dbs": zeros(*biases)}
    return {"activations": [X, *nothing[:-1], Y], **steps}


def jacobian(x: Any, W: Any, V: Any) -> dict[str, Any]:
    a = np.zeros(len(W))
    return {"z": a, "a": a + 1, "slope": a, "da_dx": np.zeros_like(W), "J": np.zeros_like(V @ W)}


def regularized(activations: Any, logits: Any, Y: Any, weights: Any, strength: Any) -> dict[str, Any]:
    return {"P": Y, "dWs": [strength * W for W in weights], "dbs": [np.zeros(W.shape[0]) for W in weights]}


@pytest.mark.parametrize(
    ("id", "answer", "most"),
    [
        ("05.backprop_deep", deep, 0),
        ("02.layer_jacobian", jacobian, 0),
        ("10.backward", regularized, 1),
        ("03.gradient_check", lambda f, x, *_: (np.zeros_like(x), 1.0, False), 0),
        ("01.neuron_loss", lambda *_: (0.0, 1.0), 0),
    ],
)
def test_what_follows_from_nothing_earns_nothing(id: str, answer: Any, most: float) -> None:
    for seed in (1, 2):
        assert evaluate(id, answer, seed).score <= most


def test_a_wrong_answer_costs_the_cheapest_step_at_least() -> None:
    exercise = find("05.backprop_sample")

    def answer(*inputs: Any) -> dict[str, Any]:
        case = dict(zip(exercise.inputs, inputs, strict=True))
        free = next(step for step in exercise.steps if not step.share)
        own = exercise.derive(case)[free.name] * 1.1 + 0.37
        derived: dict[str, Any] = dict(case)
        for step in exercise.steps:
            derived[step.name] = own if step is free else step.formula(*(derived[name] for name in needs(step.formula)))
        return {step.name: derived[step.name] for step in exercise.steps}

    cheapest = min(step.share for step in exercise.steps if step.share)
    result = evaluate(exercise.id, answer, 1)
    assert 0 < result.score <= exercise.points * (1 - cheapest / sum(step.share for step in exercise.steps)) + 0.01
