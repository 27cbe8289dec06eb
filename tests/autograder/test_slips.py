"""Slips that nobody wrote down are explained by their values, and nothing else is explained by them."""

from __future__ import annotations

import contextlib
import importlib.util
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from autograder import Exercise, evaluate, exercises
from autograder.checking import CheckResult, diagnosis, slip_search
from autograder.checking.diagnosis import agrees
from autograder.checking.values import copied, same
from autograder.exercises import find, source
from autograder.exercises.formulas import apply
from autograder.exercises.slips import SENTENCES, SHAPES
from autograder.selftest import is_another, is_diagnosed

COMPUTED = [exercise for exercise in exercises() if exercise.kind.name not in ("predict", "order")]
FUNCTIONS = [exercise for exercise in COMPUTED if exercise.kind.name in ("function", "fix")]
BY_EXERCISE = pytest.mark.parametrize("exercise", COMPUTED, ids=lambda exercise: exercise.id)
BY_FUNCTION = pytest.mark.parametrize("exercise", FUNCTIONS, ids=lambda exercise: exercise.id)

BATCH = find("05.backprop_batch")


def _several(exercise: Exercise, values: Any) -> list[Any]:
    return list(values) if len(exercise.returns) > 1 else [values]


@BY_EXERCISE
def test_every_formula_is_found_in_its_file(exercise: Exercise) -> None:
    for step in exercise.steps:
        if not isinstance(step.formula, type):
            assert source.tree_of(step.formula) is not None, step.name
    assert exercise.slips


def test_what_is_chosen_has_no_slips() -> None:
    assert not any(exercise.slips for exercise in exercises() if exercise not in COMPUTED)


@BY_EXERCISE
def test_a_slip_names_its_step_and_does_not_give_the_line_away(exercise: Exercise) -> None:
    steps = {step.name: step for step in exercise.steps}
    for name, slip in exercise.slips.items():
        assert name.startswith(f"{slip.step}:")
        assert (slip.step in slip.explanation) or f"`{getattr(steps[slip.step], 'shown', '')}`" in slip.explanation
        assert "{" not in slip.explanation
    formulas = {line for hint in exercise.hints for line in hint.split("`")[1::2] if set(line) & set("*@/+-")}
    told = {slip.explanation for slip in exercise.slips.values()}
    assert not [line for line in formulas for sentence in told if line in sentence]


@pytest.mark.parametrize("sentences", [SENTENCES, SHAPES])
def test_a_sentence_says_where_and_what_to_ask_oneself(sentences: dict[str, str]) -> None:
    for sentence in sentences.values():
        assert "{step}" in sentence
        assert len(sentence) > 50


@BY_EXERCISE
def test_a_slip_is_explained_or_changes_nothing(exercise: Exercise) -> None:
    """A sample of them. Nothing is explained where one number fills the answer, or where it fails on all sizes."""
    for name in random.Random(exercise.id).sample(list(exercise.slips), min(12, len(exercise.slips))):
        result = evaluate(exercise.id, exercise.answer(name), seed=1)
        if result.score == result.max_score:
            assert not is_another(exercise, exercise.answer(name)), name
        elif not all(part.right for part in result.parts) and not _fails(result) and not _is_filled(exercise, name):
            assert result.mistakes, f"{name}\n{result.to_text()}"
            assert is_diagnosed(exercise, [name], result), f"{name}: {result.possibilities}"


def _fails(result: CheckResult) -> bool:
    """Whether there is more to say than a wrong value: nan, or a method that raises or does not end."""
    failing = (" raised ", " gives a value", "calls itself")
    return result.verdict == "not finite" or any(words in each for words in failing for each in result.observations)


def _is_filled(exercise: Exercise, name: str) -> bool:
    """Whether an answer with this slip is one number throughout, or what cannot be taken for real numbers."""
    with np.errstate(all="ignore"):
        values = [exercise.derive(case, name)[value] for case in exercise.cases(1) for value in exercise.returns]
    try:
        arrays = [
            np.ravel(np.asarray(v, float)) for value in values for v in (value if type(value) is list else [value])
        ]
    except (TypeError, ValueError):
        return True
    return len(np.unique(np.concatenate(arrays))) == 1


@pytest.mark.parametrize(
    ("answer", "names"),
    [
        (lambda z2, y: (_sigma(z2) - y) * _sigma(z2) / (1 - _sigma(z2)), ("dz2:operator",)),
        (lambda z2, y: (_sigma(z2) + y) * _sigma(z2) * (1 - _sigma(z2)), ("da2:sign",)),
        (lambda z2, y: _sigma(z2) - y * _sigma(z2) * (1 - _sigma(z2)), ("dz2:grouping",)),
        (lambda z2, y: 1 / (1 - np.exp(-z2)) - y, None),
        (lambda z2, y: (_sigma(z2) - y) * _sigma(z2) * (1 - _sigma(z2) ** 2), None),
    ],
)
def test_an_answer_by_hand_is_explained_by_the_slip_in_it(answer: Any, names: tuple[str, ...] | None) -> None:
    result = evaluate("05.output_delta", answer, seed=2)
    assert result.mistakes
    assert all(
        name in find("05.output_delta").slips or name in find("05.output_delta").mistakes for name in result.mistakes
    )
    if names is not None:
        assert {name.rstrip("0123456789") for (name,) in result.possibilities} & set(names), result.possibilities
    assert "exactly your values" in result.to_text()
    assert 0 < result.score < result.max_score


def _sigma(z: Any) -> Any:
    return 1 / (1 + np.exp(-z))


# What is no slip.


def _spoiled(kind: str) -> Callable[[Any, np.random.Generator], Any]:
    def spoil(value: Any, rng: np.random.Generator) -> Any:
        if isinstance(value, list):
            return [spoil(item, rng) for item in value]
        array = np.array(value, dtype=float)
        match kind:
            case "one part in a million":
                return array * (1 + 1e-4 * rng.uniform(1, 2, array.shape))
            case "three digits":
                return np.array([float(f"{entry:.3g}") for entry in array.ravel()]).reshape(array.shape) + 1e-3
            case "noise":
                return rng.normal(size=array.shape)
            case "one entry":
                flat = array.ravel()
                flat[rng.integers(flat.size)] += 0.731
                return flat.reshape(array.shape)
            case "a curve":
                return np.sinh(1.3 * array) + 0.1
            case _:
                return 0.37 * array + 0.63 * np.roll(array, 1) + 0.05

    return spoil


@BY_FUNCTION
@pytest.mark.parametrize(
    "kind", ["one part in a million", "three digits", "noise", "one entry", "a curve", "a mixture"]
)
def test_an_error_that_is_no_slip_is_explained_by_none(exercise: Exercise, kind: str) -> None:
    def answer(*inputs: Any) -> Any:
        rng = np.random.default_rng(len(repr(inputs)))
        return [_spoiled(kind)(value, rng) for value in _several(exercise, exercise.reference(*inputs))]

    for seed in range(3):
        result = evaluate(exercise.id, answer, seed)
        assert result.mistakes == (), f"seed {seed}: {result.possibilities}"
        assert result.score < result.max_score or kind in ("one part in a million", "three digits")


def test_a_slip_that_fits_in_one_case_only_explains_nothing() -> None:
    first = BATCH.cases(5)[0]

    def answer(*inputs: Any) -> Any:
        slipped = inputs[0].shape == first["X"].shape
        return BATCH.answer(*(["dZ1:operator"] if slipped else []))(*inputs)

    assert evaluate(BATCH.id, BATCH.answer("dZ1:operator"), seed=5).mistakes
    assert evaluate(BATCH.id, answer, seed=5).mistakes == ()


def test_two_errors_that_cancel_are_no_explanation_of_a_good_approximation() -> None:
    """A difference of high order agrees with the formula to 12 digits; only its last ones are wrong."""
    exercise = find("01.neuron")

    def answer(w: float, x: float, b: float) -> Any:
        h = 1e-3

        def slope(f: Callable[[float], float], at: float) -> float:
            return (f(at - 2 * h) - 8 * f(at - h) + 8 * f(at + h) - f(at + 2 * h)) / (12 * h)

        return (
            slope(lambda w: _sigma(w * x + b), w),
            slope(lambda x: _sigma(w * x + b), x),
            slope(lambda b: _sigma(w * x + b), b),
        )

    for seed in range(3):
        assert evaluate(exercise.id, answer, seed).verdict == "numerical"


@pytest.mark.parametrize("entry", [0.0, 1.0])
def test_one_number_throughout_is_no_slip(entry: float) -> None:
    def answer(*inputs: Any) -> Any:
        return [np.full_like(value, entry) for value in BATCH.reference(*inputs)]

    assert evaluate(BATCH.id, answer, seed=1).mistakes == ()


def test_a_slip_is_seen_in_whichever_case_it_shows() -> None:
    """Here only where a number is between −1 and 0."""
    exercise = find("04.stable_sigmoid")

    def answer(z: Any) -> Any:
        e = np.exp(-np.abs(z))
        return np.where(z < 0.05, e, 1) / (1 + e)

    result = evaluate(exercise.id, answer, seed=1)
    assert result.score < result.max_score


# How slips stand beside named mistakes.


def test_a_named_mistake_is_preferred_to_a_slip_with_its_values() -> None:
    result = evaluate(BATCH.id, lambda *inputs: BATCH.answer("forgot_output_slope")(*inputs), seed=1)
    assert result.possibilities == (("forgot_output_slope",),)
    fitting = [name for name in BATCH.slips if BATCH.slips[name].step == "dZ2" and is_diagnosed(BATCH, [name], result)]
    assert fitting  # dA2 stands there without its factor


def test_a_slip_is_preferred_to_two_mistakes() -> None:
    """Fewest wrong steps: the half in da2 and the missing factor make one slip of neither."""
    exercise = find("05.output_delta")
    assert evaluate(exercise.id, exercise.answer("dz2:grouping"), seed=1).mistakes == ("dz2:grouping",)


def test_a_mistake_and_a_slip_are_told_together_in_the_order_of_the_derivation() -> None:
    exercise = find("05.hidden_delta")
    result = evaluate(exercise.id, exercise.answer("dz1:operator", "W2_not_transposed"), seed=1)
    assert result.verdict == "raised"
    result = evaluate(exercise.id, exercise.answer("dz1:operator", "only_first_output"), seed=1)
    assert result.mistakes[0] == "only_first_output"
    assert exercise.mistake(result.mistakes[1]).step == "dz1"
    assert [each.step for each in result.explained[0]] == ["da1", "dz1"]
    assert "Two wrong steps give exactly your values" in result.message


def test_the_search_beside_a_mistake_stops_at_its_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    exercise = find("05.hidden_delta")
    answer = exercise.answer("dz1:operator", "only_first_output")
    monkeypatch.setattr(slip_search, "TRIED_BESIDE_A_MISTAKE", 5)
    assert evaluate(exercise.id, answer, seed=1).mistakes == ()


def test_no_more_than_three_possibilities_are_offered() -> None:
    for name in list(BATCH.slips)[::40]:
        result = evaluate(BATCH.id, BATCH.answer(name), seed=1)
        if any(":" in each for each in result.mistakes):
            assert len(result.possibilities) <= slip_search.MOST_OFFERED
            assert len({BATCH.slips[each].explanation for (each,) in result.possibilities}) == len(result.possibilities)


def test_slips_with_the_same_values_are_one() -> None:
    exercise = find("05.output_delta")
    result = evaluate(exercise.id, lambda z2, y: -(_sigma(z2) - y) * _sigma(z2) * _sigma(z2), seed=1)
    steps = [exercise.mistake(name).step for names in result.possibilities for name in names]
    assert len(steps) == len(set(steps)) or len(result.possibilities) <= 3


def test_only_the_wrong_step_costs_points() -> None:
    result = evaluate(BATCH.id, BATCH.answer("dZ1:operator"), seed=1)
    assert result.score == evaluate(BATCH.id, BATCH.answer("forgot_hidden_slope"), seed=1).score > 5
    assert {line.name for line in result.lines if line.state == "wrong"} == {"dZ1"}
    assert evaluate(BATCH.id, BATCH.answer("dZ1:operator"), seed=1, follow_through=False).score < result.score


def test_a_slip_in_a_step_without_points_costs_something() -> None:
    exercise = find("05.backprop_sample")
    assert next(step for step in exercise.steps if step.name == "z1").share == 0
    result = evaluate(exercise.id, exercise.answer("z1:sign"), seed=1)
    assert result.mistakes
    assert 0 < result.score < result.max_score


def test_what_is_seen_of_the_values_is_said_beside_a_slip() -> None:
    def answer(*inputs: Any) -> Any:
        dW1, *rest = BATCH.reference(*inputs)
        return (-dW1, *rest)

    result = evaluate(BATCH.id, answer, seed=3)
    assert result.mistakes
    assert result.observations == ("dW1: the right size and the wrong sign, in every entry.",)


def test_a_right_value_in_the_place_of_another_is_told() -> None:
    def answer(*inputs: Any) -> Any:
        dW1, db1, dW2, _ = BATCH.reference(*inputs)
        return dW1, db1, dW2, db1

    result = evaluate(BATCH.id, answer, seed=3)
    assert result.mistakes == ()
    assert result.observations == ("db2: these are the values of db1. Look at the line that returns them.",)


def test_a_slip_can_be_asked_for_by_name_as_a_mistake_can() -> None:
    inputs = BATCH.arguments(BATCH.cases(0)[0])
    slipped, right = BATCH.answer("db1:axis")(*inputs.values()), BATCH.reference(*inputs.values())
    assert slipped[1].shape != right[1].shape or not np.allclose(slipped[1], right[1])
    with pytest.raises(ValueError, match="no mistake 'dZ1:nothing'"):
        BATCH.answer("dZ1:nothing")
    with pytest.raises(ValueError, match="same step"):
        BATCH.answer("dZ1:operator", "forgot_hidden_slope")


# The source they are made from.

MODULE = '''
import numpy as np

from autograder.exercises.model import Exercise, Step


def _halved(x):
    """Halves until nothing is left above 1."""
    steps = 0
    while np.max(x) > 1:
        x = x / 2
        steps += 1
    return x + steps


def exercise():
    return Exercise(
        id="99.test", title="", points=1, function="f", inputs=("x", "y"), returns=("z",), hints=("", "", ""),
        objective="", minutes=1, draw=lambda draw: {"x": draw.uniform(2, 9, 3), "y": draw.uniform(2, 9, 3)},
        steps=(Step("z", lambda x, y: _halved(x) * y),),
    )
'''


def _module(path: Path, text: str) -> ModuleType:
    path.write_text(text, encoding="utf-8")
    spec = importlib.util.spec_from_file_location("exercise_of_a_test", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_helper_has_slips_and_none_of_them_runs_for_ever(tmp_path: Path) -> None:
    exercise = _module(tmp_path / "lesson.py", MODULE).exercise()
    case = exercise.cases(1)[0]
    values, stopped = set(), 0
    for slip in exercise.slips.values():
        with (
            np.errstate(all="ignore"),
            contextlib.suppress(Exception),
        ):  # a slip may raise anything, and is then no explanation
            try:
                values.add(np.asarray(apply(slip.formula, case)).tobytes())
            except source.Stopped:
                stopped += 1
    assert stopped
    assert len(values) > 20


def test_without_source_there_are_no_slips_and_no_harm(tmp_path: Path) -> None:
    names: dict[str, Any] = {}
    exec(compile(MODULE, "<frozen lesson>", "exec"), names)
    exercise = names["exercise"]()
    assert exercise.slips == {}
    case = exercise.cases(1)[0]
    assert diagnosis.explain(exercise, [case], [{"z": case["y"]}]) == []


def test_source_that_is_not_what_runs_is_not_used(tmp_path: Path) -> None:
    path = tmp_path / "edited.py"
    exercise = _module(path, MODULE).exercise()
    path.write_text(MODULE.replace("_halved(x) * y", "_halved(x) + y"), encoding="utf-8")
    assert exercise.slips == {}


def test_every_spelling_says_the_same() -> None:
    spelled = [(exercise, step) for exercise in exercises() for step in exercise.steps if step.spellings]
    assert spelled
    for exercise, step in spelled:
        for case in exercise.cases(3):
            values = exercise.derive(case)
            for spelling in step.spellings:
                assert agrees(apply(spelling, values), values[step.name]), f"{exercise.id}, {step.name}"


@BY_FUNCTION
def test_ways_to_write_a_formula_give_its_values(exercise: Exercise) -> None:
    """Written out, and with its products from either end."""
    values = exercise.derive(exercise.cases(3)[0])
    for step in exercise.steps:
        tree = source.tree_of(step.formula)
        assert tree is not None
        for spelling in source.spellings(tree, step.formula):
            made = source.Tree(spelling, step.formula).made()
            with np.errstate(over="ignore"):  # σ written out does what a learner's does
                given, right = apply(made, values), values[step.name]
            if isinstance(right, np.complexfloating):
                given, right = [np.real(given), np.imag(given)], [np.real(right), np.imag(right)]
            assert callable(right) or agrees(given, right), step.name


def test_the_search_leaves_the_cases_as_they_are() -> None:
    """Some slips write into what they are given."""
    for id in ("01.any_length", "05.backprop_deep"):
        exercise = find(id)
        cases = exercise.cases(1)
        kept = [{name: copied(value) for name, value in case.items()} for case in cases]
        given = [{name: copied(exercise.derive(case)[name]) for name in exercise.returns} for case in cases]
        for values in given:
            for name, value in values.items():
                values[name] = (
                    [item * 1.37 + 0.01 for item in value] if isinstance(value, list) else value * 1.37 + 0.01
                )
        assert diagnosis.explain(exercise, cases, given) == []
        assert all(same(case[name], before[name]) for case, before in zip(cases, kept, strict=True) for name in case)


def test_what_is_told_of_a_slip_leaves_the_cases_as_they_are() -> None:
    """Some inputs are the same lists in every check."""
    exercise = find("07.reverse_sweep")
    kept = [{name: copied(value) for name, value in case.items()} for case in exercise.cases(1)]
    for name in exercise.slips:
        evaluate(exercise.id, exercise.answer(name), seed=1)
    for case, before in zip(exercise.cases(1), kept, strict=True):
        assert all(same(case[name], before[name]) for name in case)


def test_a_view_cannot_leave_its_array() -> None:
    array = np.arange(12.0).reshape(3, 4)[:, 1:3]
    assert source.GUARDED["as_strided"](array, (2, 2), array.strides).shape == (2, 2)
    for shape, strides in (((4, 2), array.strides), ((3, 2), (8, 80)), ((2, 2), (-8, 8))):
        with pytest.raises(ValueError, match="beyond"):
            source.GUARDED["as_strided"](array, shape, strides)
    with pytest.raises(ValueError, match="entries"):
        source.GUARDED["as_strided"](array, (3000, 3000), (0, 0))


def test_slips_are_not_made_before_a_wrong_answer_needs_them() -> None:
    program = (
        "import sys, autograder; from autograder import evaluate; from autograder.exercises import find; "
        "evaluate('05.backprop_batch', find('05.backprop_batch').reference); "
        "evaluate('05.backprop_batch', find('05.backprop_batch').answer('forgot_mean')); "
        "print('autograder.exercises.slips' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
