"""Whatever is handed in gets a verdict and a sentence, and never an exception of ours."""

from __future__ import annotations

import json
import sys
import warnings
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from autograder import CourseError, Exercise, check, evaluate, exercises
from autograder.checking.values import copied, same

BATCH = "05.backprop_batch"
REFERENCE = next(exercise for exercise in exercises() if exercise.id == BATCH).reference
FUNCTIONS = [exercise for exercise in exercises() if exercise.kind.name == "function"]
"""What the other kinds say of an answer is in test_kinds.py."""

BY_EXERCISE = pytest.mark.parametrize("exercise", FUNCTIONS, ids=lambda exercise: exercise.id)


def _raising(error: BaseException) -> Callable[..., Any]:
    def answer(*inputs: Any) -> Any:
        raise error

    return answer


def _nothing(*inputs: Any) -> None:
    """Not written yet."""


def _no_return(X, Y, W1, b1, W2, b2):  # type: ignore[no-untyped-def]
    gradients = REFERENCE(X, Y, W1, b1, W2, b2)
    gradients[0].sum()


class _Liar:
    """An object that raises whenever it is looked at."""

    def __getattribute__(self, name: str) -> Any:
        raise RuntimeError("no")


class _BadArray:
    def __array__(self, *args: Any, **kwargs: Any) -> Any:
        raise RuntimeError("no")


def _arrays(exercise: Exercise) -> list[Any]:
    """The arrays of floats among the inputs of an exercise, which can be changed in place."""
    inputs = exercise.arguments(exercise.cases(1)[0]).values()
    return [array for value in inputs for array in (value if isinstance(value, list) else [value]) if _is_floats(array)]


def _is_floats(value: Any) -> bool:
    return isinstance(value, np.ndarray) and value.ndim > 0 and value.dtype.kind == "f"


def _like(value: Any, entry: float) -> Any:
    return [_like(item, entry) for item in value] if isinstance(value, list) else np.full(np.shape(value), entry)


def _filled(exercise: Exercise, entry: float) -> Callable[..., Any]:
    """An answer of the right shapes with the same number everywhere."""

    def answer(*inputs: Any) -> Any:
        values = exercise.reference(*inputs)
        return [_like(value, entry) for value in values] if len(exercise.returns) > 1 else _like(values, entry)

    return answer


@BY_EXERCISE
@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        (None, "not attempted"),
        (..., "not attempted"),
        (_nothing, "not attempted"),
        (_raising(NotImplementedError()), "not attempted"),
        (3, "wrong shape"),
        ("text", "wrong shape"),
        (np.ones(3), "wrong shape"),
        (_raising(ValueError("broken")), "raised"),
        (_raising(SystemExit(0)), "raised"),
        (_raising(KeyboardInterrupt()), "raised"),
        (_raising(RecursionError()), "raised"),
        (lambda: 1, "raised"),
        (lambda *inputs: "text", "wrong shape"),
        (lambda *inputs: ["text"] * 9, "wrong shape"),
        (lambda *inputs: (), "wrong shape"),
        (lambda *inputs: {}, "wrong shape"),
        (lambda *inputs: (item for item in [1, 2]), "wrong shape"),
        (lambda *inputs: [[1, 2], [3]], "wrong shape"),
        (lambda *inputs: np.ones((2, 3, 4, 5)), "wrong shape"),
        (lambda *inputs: _Liar(), "raised"),
        (lambda *inputs: [_BadArray()] * 4, "raised"),
        (lambda *inputs: 1j, "wrong shape"),
    ],
)
def test_anything_gets_its_verdict_and_a_sentence(exercise: Exercise, answer: Any, verdict: str) -> None:
    result = evaluate(exercise.id, answer, seed=1)
    assert result.verdict == verdict
    assert result.score == 0
    assert len(result.message) > 20
    assert "Traceback" not in result.to_text()
    json.dumps(result.to_dict(), allow_nan=False)


@BY_EXERCISE
@pytest.mark.parametrize("entry", [np.nan, np.inf])
def test_values_that_are_not_finite_are_told(exercise: Exercise, entry: float) -> None:
    result = evaluate(exercise.id, _filled(exercise, entry), seed=1)
    assert (result.verdict, result.score) == ("not finite", 0)


@BY_EXERCISE
def test_an_unknown_constant_is_simply_wrong(exercise: Exercise) -> None:
    result = evaluate(exercise.id, _filled(exercise, 0.123456), seed=1)
    assert (result.verdict, result.score) == ("wrong", 0)
    assert result.mistakes == ()


@pytest.mark.parametrize("exercise", [e for e in FUNCTIONS if _arrays(e)], ids=lambda exercise: exercise.id)
def test_a_function_that_changes_its_inputs_is_told(exercise: Exercise) -> None:
    def answer(*inputs: Any) -> Any:
        values = exercise.reference(*map(copied, inputs))
        for value in inputs:
            for array in value if isinstance(value, list) else [value]:
                if _is_floats(array):
                    array += 1.0
        return values

    result = evaluate(exercise.id, answer, seed=1)
    assert result.verdict == "mutates its input"
    assert 0 < result.score < result.max_score


def test_a_missing_return_is_named() -> None:
    result = evaluate(BATCH, _no_return)
    assert result.verdict == "wrong shape"
    assert "return" in result.message


def test_too_few_values_are_counted_and_the_missing_ones_listed() -> None:
    result = evaluate(BATCH, lambda *inputs: REFERENCE(*inputs)[:3])
    assert result.verdict == "wrong shape"
    assert "3 values" in result.message
    assert "dW1, db1, dW2, db2" in result.message


def test_a_dictionary_without_a_gradient_says_which() -> None:
    result = evaluate(BATCH, lambda *inputs: {"dW1": 1, "db1": 2, "dW2": 3})
    assert "without db2" in result.message


def test_a_function_with_another_number_of_parameters_is_told_so_before_it_is_called() -> None:
    result = evaluate(BATCH, lambda X, Y: X)
    assert result.verdict == "raised"
    assert "6 arguments" in result.message


def test_an_error_is_told_with_the_line_it_happened_in() -> None:
    def backprop(X, Y, W1, b1, W2, b2):  # type: ignore[no-untyped-def]
        undefined = X
        return undefined.no_such_thing

    message = evaluate(BATCH, backprop).message
    assert "line 3 of backprop" in message
    assert "no_such_thing" in message
    assert "evaluation.py" not in message


def test_a_transposed_gradient_is_told_with_both_shapes() -> None:
    def answer(*inputs: Any) -> Any:
        dW1, *rest = REFERENCE(*inputs)
        return (dW1.T, *rest)

    result = evaluate(BATCH, answer, seed=2)
    assert result.verdict == "wrong shape"
    assert result.mistakes == ("dW1_transposed",)
    assert any(part.shape == part.expected_shape[::-1] for part in result.parts)


def test_right_gradients_beside_an_unknown_error_keep_their_points() -> None:
    def answer(*inputs: Any) -> Any:
        dW1, *rest = REFERENCE(*inputs)
        return (dW1 + np.arange(dW1.size).reshape(dW1.shape) ** 2, *rest)

    result = evaluate(BATCH, answer)
    assert result.mistakes == ()
    assert 0 < result.score < result.max_score
    assert [part.name for part in result.parts if not part.right] == ["dW1"]


def test_marks_follow_through_unless_told_otherwise() -> None:
    exercise = next(exercise for exercise in exercises() if exercise.id == BATCH)
    answer = exercise.mistakes["forgot_output_slope"].answer
    assert evaluate(BATCH, answer, seed=1).score == pytest.approx(6 * (1 - 1 / 9), abs=0.01)
    assert evaluate(BATCH, answer, seed=1, follow_through=False).score == 0


def test_what_is_kept_from_call_to_call_is_told() -> None:
    kept: list[Any] = []

    def answer(*inputs: Any) -> Any:
        values = REFERENCE(*inputs)
        if kept and kept[-1][0].shape == values[0].shape:
            values = tuple(old + new for old, new in zip(kept[-1], values, strict=True))
        kept.append(values)
        return values

    result = evaluate(BATCH, answer, seed=5)
    assert (result.verdict, result.score) == ("wrong", 0)
    assert any("from call to call" in sentence for sentence in result.observations)


def test_results_in_one_reused_buffer_are_read_before_the_next_call() -> None:
    buffer: dict[tuple[int, ...], Any] = {}

    def answer(z2, y):  # type: ignore[no-untyped-def]
        a2 = 1 / (1 + np.exp(-z2))
        out = buffer.setdefault(z2.shape, np.empty_like(z2))
        out[...] = (a2 - y) * a2 * (1 - a2)
        return out

    assert evaluate("05.output_delta", answer, seed=0).verdict == "correct"


def test_printing_and_warnings_are_kept_out_of_the_cell_and_told() -> None:
    def answer(*inputs: Any) -> Any:
        print("x" * 10_000)
        warnings.warn("watch out", stacklevel=1)
        return REFERENCE(*inputs)

    result = evaluate(BATCH, answer)
    assert result.verdict == "correct"
    assert 0 < len(result.printed) <= 500
    assert any("watch out" in warned for warned in result.warned)


def test_intermediate_values_name_the_first_wrong_one() -> None:
    def answer(X, Y, W1, b1, W2, b2):  # type: ignore[no-untyped-def]
        exercise = next(exercise for exercise in exercises() if exercise.id == BATCH)
        values = exercise.derive({"X": X, "Y": Y, "W1": W1, "b1": b1, "W2": W2, "b2": b2})
        values["dZ1"] = values["dZ1"] + 0.1
        values |= {"dW1": values["dZ1"].T @ X, "db1": values["dZ1"].sum(axis=0)}
        return {name: values[name] for name in ("dZ2", "dA1", "dZ1", "dW1", "db1", "dW2", "db2")}

    result = evaluate(BATCH, answer)
    assert result.first_wrong == "dZ1"
    assert "Start with dZ1" in result.to_text()


@pytest.mark.parametrize(("factor", "words"), [(3.0, "3 times"), (0.0, "zero where")])
def test_a_common_factor_is_told_once_for_all_gradients(factor: float, words: str) -> None:
    (sentence,) = evaluate(BATCH, lambda *inputs: [factor * value for value in REFERENCE(*inputs)], seed=3).observations
    assert words in sentence
    assert sentence.startswith("dW1, db1, dW2, db2")


def test_a_wrong_sign_of_one_gradient_is_told() -> None:
    def answer(*inputs: Any) -> Any:
        dW1, *rest = REFERENCE(*inputs)
        return (-dW1, *rest)

    (sentence,) = evaluate(BATCH, answer, seed=3).observations
    assert sentence == "dW1: the right size and the wrong sign, in every entry."


def test_gradients_that_have_changed_places_are_told() -> None:
    def answer(*inputs: Any) -> Any:
        dW1, db1, dW2, db2 = REFERENCE(*inputs)
        return dW2, db1, dW1, db2

    (sentence,) = evaluate(BATCH, answer, seed=3).observations
    assert "dW1 and dW2" in sentence


def test_a_single_wrong_row_is_located() -> None:
    def answer(*inputs: Any) -> Any:
        dW1, *rest = REFERENCE(*inputs)
        dW1 = dW1.copy()
        dW1[1] += 0.5 * np.cos(np.arange(dW1.shape[1]))
        return (dW1, *rest)

    result = evaluate(BATCH, answer, seed=3)
    assert result.observations == ("dW1: right except for row 1 (counted from 0).",)


def test_an_unknown_exercise_is_a_sentence_with_the_closest_names() -> None:
    with pytest.raises(CourseError, match=r"05\.backprop_batch"):
        evaluate("05.backprop_bach", REFERENCE)


def test_the_plain_text_of_a_result_is_its_points() -> None:
    assert float(repr(check(BATCH, REFERENCE))) == 6
    assert float(repr(check(BATCH, None))) == 0


def test_the_same_seed_gives_the_same_result() -> None:
    assert evaluate(BATCH, _filled_reference, seed=7).to_dict() == evaluate(BATCH, _filled_reference, seed=7).to_dict()
    assert evaluate(BATCH, REFERENCE).seed != evaluate(BATCH, REFERENCE).seed


def _filled_reference(*inputs: Any) -> Any:
    return [value * 1.5 for value in REFERENCE(*inputs)]


def test_samples_taken_in_random_order_are_no_other_answer() -> None:
    def answer(X, Y, *parameters):  # type: ignore[no-untyped-def]
        order = np.random.default_rng().permutation(len(X))
        return REFERENCE(X[order], Y[order], *parameters)

    for seed in range(20):
        assert evaluate(BATCH, answer, seed).verdict == "correct"


def test_other_names_in_a_dictionary_are_no_answer_to_judge() -> None:
    def answer(*inputs: Any) -> dict[str, Any]:
        named = dict(zip(("dW1", "db1", "dW2", "db2"), REFERENCE(*inputs), strict=True))
        return named | {"A1": None, "dZ2": "later", "Z1": [1, [2]], "dA2": np.ones(7)}

    assert evaluate(BATCH, answer, seed=1).verdict == "correct"


def test_what_an_answer_sets_in_numpy_stays_in_the_answer() -> None:
    def answer(*inputs: Any) -> Any:
        np.seterr(all="raise")
        return REFERENCE(*inputs)

    before = np.geterr()
    with np.errstate(all="raise"):
        for exercise in exercises():
            assert evaluate(exercise.id, exercise.reference, seed=1).verdict == "correct"
    evaluate(BATCH, answer)
    assert np.geterr() == before


def test_a_number_reaches_the_answer_as_a_number() -> None:
    kinds = []

    def answer(dW, db, W, b, strength):  # type: ignore[no-untyped-def]
        kinds.append(type(strength))
        return dW + strength * W, db

    assert evaluate("05.weight_decay", answer).verdict == "correct"
    assert set(kinds) == {float}


@pytest.mark.parametrize("exercise", [e for e in FUNCTIONS if e.loss is None], ids=lambda exercise: exercise.id)
def test_a_value_with_a_step_in_single_precision_is_right(exercise: Exercise) -> None:
    def rounded(value: Any) -> Any:
        return [rounded(item) for item in value] if isinstance(value, list) else np.asarray(value) * (1 + 6e-8)

    def answer(*inputs: Any) -> Any:
        values = exercise.reference(*inputs)
        return [rounded(value) for value in values] if len(exercise.returns) > 1 else rounded(values)

    for seed in range(10):
        assert evaluate(exercise.id, answer, seed).verdict == "correct"


@pytest.mark.parametrize("exercise", [e for e in FUNCTIONS if len(e.returns) > 1], ids=lambda exercise: exercise.id)
def test_a_wrong_value_costs_points_whatever_is_right_beside_it(exercise: Exercise) -> None:
    def spoiled(position: int) -> Callable[..., Any]:
        def answer(*inputs: Any) -> Any:
            values = list(exercise.reference(*inputs))
            values[position] = _like(values[position], 0.5)
            return values

        return answer

    for position in range(len(exercise.returns)):
        result = evaluate(exercise.id, spoiled(position), seed=2)
        assert result.score < result.max_score, exercise.returns[position]


@pytest.mark.parametrize("entry", [0.0, 1.0, 2.0])
@BY_EXERCISE
def test_a_constant_earns_nothing_by_following_through(exercise: Exercise, entry: float) -> None:
    for seed in range(5):
        strict = evaluate(exercise.id, _filled(exercise, entry), seed, follow_through=False)
        assert evaluate(exercise.id, _filled(exercise, entry), seed).score == strict.score < exercise.points / 2


@pytest.mark.parametrize("exercise", [e for e in FUNCTIONS if e.loss is not None], ids=lambda exercise: exercise.id)
def test_half_precision_does_not_hide_an_error(exercise: Exercise) -> None:
    def rough(value: Any) -> Any:
        return [rough(item) for item in value] if isinstance(value, list) else np.float16(np.asarray(value) * 1.04)

    def answer(*inputs: Any) -> Any:
        values = exercise.reference(*inputs)
        return [rough(value) for value in values] if len(exercise.returns) > 1 else rough(values)

    with np.errstate(over="ignore"):
        result = evaluate(exercise.id, answer, seed=2)
    assert result.score == 0
    assert result.mistakes == ()


class _Unfriendly(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no words")


class _Unsigned:
    @property
    def __signature__(self) -> Any:
        raise RuntimeError("no signature")

    def __call__(self, *inputs: Any) -> Any:
        return REFERENCE(*inputs)


class _Everything(dict[str, Any]):
    def __contains__(self, name: object) -> bool:
        return True


def _closing(*inputs: Any) -> Any:
    sys.stdout.close()
    return REFERENCE(*inputs)


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        (_Unsigned(), "correct"),
        (_raising(_Unfriendly()), "raised"),
        (_closing, "correct"),
        (lambda *inputs: _Everything(zip(("dW1", "db1", "dW2", "db2"), REFERENCE(*inputs), strict=True)), "correct"),
    ],
)
def test_what_fails_when_it_is_looked_at_is_judged_all_the_same(answer: Any, verdict: str) -> None:
    assert evaluate(BATCH, answer, seed=1).verdict == verdict


def test_an_object_that_is_used_again_is_read_before_the_next_call() -> None:
    gradients = SimpleNamespace()

    def answer(*inputs: Any) -> Any:
        gradients.dW1, gradients.db1, gradients.dW2, gradients.db2 = REFERENCE(*inputs)
        return gradients

    assert evaluate(BATCH, answer).verdict == "correct"


@BY_EXERCISE
def test_an_answer_cannot_change_the_cases_of_the_next_one(exercise: Exercise) -> None:
    def answer(*inputs: Any) -> Any:
        for value in inputs:
            for array in value if isinstance(value, list) else [value]:
                if _is_floats(array):
                    array[...] = 7.0
        return exercise.reference(*inputs)

    evaluate(exercise.id, answer, seed=1)
    assert evaluate(exercise.id, exercise.reference, seed=1).verdict == "correct"


@pytest.mark.parametrize(
    ("first", "second", "are_same"),
    [
        ([1.0, np.nan], [1.0, np.nan], True),
        ([0.0], [-0.0], True),
        ([1.0, 2.0], [1, 2], True),
        ([1.0, 2.0], [2.0, 1.0], False),
        ([1.0, 2.0], [[1.0, 2.0]], False),
        ([0.0], [0], True),
    ],
)
def test_inputs_are_the_same_by_their_numbers(first: Any, second: Any, are_same: bool) -> None:
    assert same(np.array(first), np.array(second)) is are_same


def test_a_list_of_functions_that_is_changed_is_told() -> None:
    exercise = next(exercise for exercise in exercises() if exercise.id == "01.any_length")

    def answer(functions, derivatives, x):  # type: ignore[no-untyped-def]
        value = exercise.reference(functions, derivatives, x)
        functions[0] = np.ones(3)
        return value

    assert evaluate(exercise.id, answer).verdict == "mutates its input"


def test_stop_pressed_in_a_later_call_is_no_wrong_answer() -> None:
    calls: list[int] = []

    def answer(*inputs: Any) -> Any:
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return REFERENCE(*inputs)

    assert evaluate(BATCH, answer).verdict == "raised"


@pytest.mark.parametrize("seed", [-1, "a", 1.5])
def test_a_seed_that_is_none_is_a_sentence(seed: Any) -> None:
    with pytest.raises(CourseError, match="whole number"):
        evaluate(BATCH, REFERENCE, seed)


def test_the_search_does_not_depend_on_the_machine() -> None:
    exercise = next(exercise for exercise in exercises() if exercise.id == BATCH)
    answer = exercise.answer("forgot_mean", "dW2_transposed", "db1_not_summed")
    assert len({evaluate(BATCH, answer, seed=4).score for _ in range(3)}) == 1


@pytest.mark.parametrize("form", [lambda z: 1 / (1 + np.exp(-z)), lambda z: 1 - 1 / (1 + np.exp(z))])
def test_right_values_by_way_of_an_overflow_earn_half_where_the_exercise_is_to_avoid_it(form: Any) -> None:
    result = evaluate("04.stable_sigmoid", form, seed=1)
    assert (result.verdict, result.score) == ("wrong", 1)
    assert "overflow" in result.to_text()
