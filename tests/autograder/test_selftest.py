"""The checker is mutation-tested: a slice of `chainrule selftest`, and whether it would see a checker that fails."""

from __future__ import annotations

import ast
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from autograder import CheckResult, evaluate, mutants, selftest
from autograder.cli import main
from autograder.exercises import exercises, find
from autograder.mutants import Mutant, Solution, Stopped, answers, compiled
from autograder.selftest import Count, Report, Task, differs, is_diagnosed, pairs, perform, right_answers, tasks

LESSON = "00_welcome"
WORK = ("mistakes", "pairs", "right", "mutants")
COMPUTED = [exercise for exercise in exercises() if exercise.kind.name not in ("predict", "order")]


# Mutants.

SOURCE = '''
def backward(X, Y, W):
    """The gradient of a batch."""
    total = 0
    A = sigmoid(X @ W.T)
    for k in range(1, len(X)):
        total += A[k, 0] * (1 - A[k])
    if k > 0:
        total = -total
    return total.sum(axis=0), A
'''


@pytest.mark.parametrize(
    "change",
    [
        "X @ W.T -> X * W.T",
        "X @ W.T -> W.T @ X",
        "X @ W.T -> X.T @ W.T",
        "sigmoid(X @ W.T) -> sigmoid_derivative(X @ W.T)",
        "sigmoid(X @ W.T) -> X @ W.T",
        "total += A[k, 0] * (1 - A[k]) -> total -= A[k, 0] * (1 - A[k])",
        "total += A[k, 0] * (1 - A[k]) -> total = A[k, 0] * (1 - A[k])",
        "total += A[k, 0] * (1 - A[k]) -> left out",
        "1 - A[k] -> A[k] - 1",
        "A[k, 0] * (1 - A[k]) -> A[k, 0]",
        "A[k, 0] -> A[0, k]",
        "A[k] -> A",
        "k > 0 -> k >= 0",
        "-total -> total",
        "total.sum(axis=0) -> total.sum(axis=1)",
        "total.sum(axis=0) -> total.mean(axis=0)",
        "total.sum(axis=0) -> total",
        "(total.sum(axis=0), A) -> (A, total.sum(axis=0))",
        "Y -> X",
        "A -> Y",
        "0 -> 1",
        "range(1, len(X)) -> range(len(X), 1)",
    ],
)
def test_a_mutant_is_a_change_that_may_happen_to_anybody(change: str) -> None:
    made = {mutant.change.split(": ", 1)[1] for mutant in mutants.mutants(SOURCE)}
    assert (change in made) == (change != "Y -> X")  # Y is not used


def test_mutants_are_programs_that_differ_from_the_original_and_from_each_other() -> None:
    found = mutants.mutants(SOURCE)
    sources = [mutant.source for mutant in found]
    assert len(set(sources)) == len(sources) > 100
    assert ast.unparse(ast.parse(SOURCE)) not in sources
    for mutant in found:
        assert ast.get_docstring(ast.parse(mutant.source).body[0]) == "The gradient of a batch."  # type: ignore[arg-type]


def test_a_mutant_uses_no_name_before_it_has_a_value() -> None:
    first = [mutant for mutant in mutants.mutants(SOURCE) if mutant.change.startswith("line 5")]
    assert first
    for mutant in first:
        line = next(line for line in mutant.source.splitlines() if line.strip().startswith("A ="))
        assert not {node.id for node in ast.walk(ast.parse(line.strip())) if isinstance(node, ast.Name)} & {"k"}


@pytest.mark.parametrize(
    "text",
    [
        "def f(x):\n    while x > 0:\n        pass",
        "def f(x):\n    for _ in iter(int, 1):\n        pass",
        "def f(x):\n    return [1 for _ in iter(int, 1)]",
    ],
)
def test_a_loop_without_end_is_stopped(text: str) -> None:
    with pytest.raises(Stopped):
        compiled(text, {}, "f")(1)


def test_rounds_are_counted_from_call_to_call() -> None:
    f = compiled("def f(n):\n    return sum([1 for _ in range(n)])", {}, "f")
    assert [f(mutants.ROUNDS - 1) for _ in range(3)] == [mutants.ROUNDS - 1] * 3


def test_a_lesson_has_its_worked_solutions_with_the_names_they_use() -> None:
    found = mutants.solutions(selftest.SOLUTIONS / "05_backpropagation.md")
    assert set(found) == {exercise.id for exercise in exercises() if exercise.lesson == "05_backpropagation"}
    solution = found["05.backprop_deep"]
    assert "SOLUTION" not in solution.text
    answer = compiled(solution.text, solution.names, "backprop_deep")
    assert evaluate("05.backprop_deep", answer, seed=1).verdict == "correct"


def test_mutants_come_from_solutions_and_from_formulas() -> None:
    exercise = find("00.square")
    solution = Solution("def square_slope(x):\n    return 2 * x", {"np": np})
    found = [(origin, change) for origin, change, _ in answers(exercise, solution)]
    assert ("solution", "line 2: 2 * x -> 2 + x") in found
    assert ("formula", "dy_dx, line 2: 2 * x -> 2 + x") in found
    for origin, change, made in answers(exercise, solution):
        if change.endswith("2 * x -> 2 + x"):
            assert made()(3.0) == 5.0, origin


@pytest.mark.parametrize("exercise", COMPUTED, ids=lambda exercise: exercise.id)
def test_no_mutant_of_a_right_answer_passes(exercise: Any) -> None:
    """A few for each exercise; `chainrule selftest` tries all."""
    outcome = perform(Task(exercise.id, "mutants", part=7, parts=60))
    assert not outcome.failures


# Mistakes and right answers.


@pytest.mark.parametrize("exercise", exercises(), ids=lambda exercise: exercise.id)
def test_mistakes_are_caught_and_named_and_right_answers_pass(exercise: Any) -> None:
    """On one seed; other tests and `chainrule selftest` try more."""
    for what in ("mistakes", "right"):
        outcome = perform(Task(exercise.id, what))  # type: ignore[arg-type]
        assert not outcome.failures
    assert outcome.count("right").tried == len(right_answers(exercise)) >= 1


def test_pairs_are_of_mistakes_that_can_be_made_together() -> None:
    exercise = find("05.backprop_batch")
    found = pairs(exercise)
    assert ("forgot_mean", "dW2_transposed") in found
    assert ("forgot_mean", "negated_error") not in found  # both are made in dA2
    outcome = perform(Task(exercise.id, "pairs", part=3, parts=100, seeds=2))
    count = outcome.count("pairs")
    assert count.tried == 2 * count.answers == 2 * len(found[3::100])
    assert count.caught == count.tried


def test_parts_are_the_whole_work() -> None:
    chosen = [find("05.backprop_batch"), find("00.square")]
    work = tasks(chosen, seeds=2, pair_seeds=1, pair_every=1, every=3)
    for exercise in chosen:
        count = len(pairs(exercise))
        mine = {what: [task for task in work if (task.id, task.what) == (exercise.id, what)] for what in WORK}
        assert sorted(n for task in mine["pairs"] for n in task.of(range(count))) == list(range(count))
        assert sorted(n for task in mine["mutants"] for n in task.of(range(100))) == list(range(0, 100, 3))
        assert {task.seeds for task in mine["mistakes"] + mine["right"]} == {2}
    assert not [task for task in tasks(chosen, 1, 1, 1, every=0) if task.what == "mutants"]


def test_another_explanation_counts_if_it_is_as_short_and_gives_the_same_values() -> None:
    exercise = find("05.backprop_batch")
    result = evaluate(exercise.id, exercise.answer("forgot_output_slope", "dW2_from_dA2"), 0)
    assert result.possibilities == (("forgot_output_slope",),)
    assert is_diagnosed(exercise, ("forgot_output_slope", "dW2_from_dA2"), result)
    assert not is_diagnosed(exercise, ("forgot_output_slope", "db2_mean"), result)
    assert not is_diagnosed(exercise, ("forgot_mean",), result)


@pytest.mark.parametrize(("factor", "other"), [(1 + 1e-12, False), (1 + 1e-7, True), (1.1, True), (np.nan, True)])
def test_a_mutant_counts_where_it_changes_the_values(factor: float, other: bool) -> None:
    exercise = find("00.square")
    right = [{"dy_dx": np.array([1.0, -2.0])}]
    assert differs(exercise, [{"dy_dx": right[0]["dy_dx"] * factor}], right) == other


# The command.


def test_the_command_prints_a_row_for_each_exercise_and_writes_the_figures(tmp_path: Path) -> None:
    file = tmp_path / "figures.json"
    options = ["--seeds", "2", "--pair-seeds", "1", "--every", "4", "--workers", "1", "--json", str(file)]
    result = CliRunner().invoke(main, ["selftest", LESSON, *options])
    assert result.exit_code == 0, result.output
    for exercise in exercises():
        assert (exercise.id in result.output) == (exercise.lesson == LESSON)
    figures = json.loads(file.read_text(encoding="utf-8"))
    assert figures["problems"] == []
    mistakes = figures["totals"]["mistakes"]
    assert mistakes["tried"] == mistakes["caught"] == mistakes["diagnosed"] == 2 * mistakes["answers"] > 40
    assert figures["totals"]["solution"]["answers"] > 10


def test_processes_find_what_one_finds() -> None:
    one, two = (selftest.selftest([LESSON], seeds=1, pair_seeds=1, every=8, workers=workers) for workers in (1, 2))
    assert json.loads(one.to_json()) == json.loads(two.to_json())
    assert one.total("solution").answers > 0


def test_an_unknown_lesson_is_a_sentence_and_status_2() -> None:
    result = CliRunner().invoke(main, ["selftest", "99"])
    assert result.exit_code == 2
    assert "There is no lesson '99'" in result.output


def test_a_checker_that_lets_everything_pass_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    def generous(id: str, answer: Any, seed: int) -> CheckResult:
        result = evaluate(id, answer, seed)
        parts = tuple(replace(part, right=True) for part in result.parts)
        return replace(result, score=result.max_score, mistakes=(), possibilities=(), parts=parts)

    monkeypatch.setattr(selftest, "evaluate", generous)
    monkeypatch.setattr(selftest, "_mutants_of", selftest._mutants_of.__wrapped__)
    found = selftest.selftest([LESSON], seeds=1, pair_seeds=1, every=8, workers=1)
    problems = " ".join(found.problems())
    for words in (
        "single mistakes earned all",
        "pairs of mistakes earned all",
        "mutants that change",
        "were diagnosed",
    ):
        assert words in problems
    monkeypatch.setattr(selftest, "selftest", lambda *_: found)
    result = CliRunner().invoke(main, ["selftest", LESSON])
    assert result.exit_code == 1
    assert "earned all points" in result.output


def test_a_checker_that_refuses_right_answers_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    def strict(id: str, answer: Any, seed: int) -> CheckResult:
        return replace(evaluate(id, answer, seed), score=0, verdict="wrong")

    monkeypatch.setattr(selftest, "evaluate", strict)
    outcome = perform(Task("00.square", "right"))
    assert outcome.count("right").caught == 0
    assert len(outcome.failures) == 4


@pytest.mark.parametrize(
    ("kind", "count", "words"),
    [
        ("mistakes", Count(100, 100, 100, 97), "97.0% of single mistakes"),
        ("mistakes", Count(100, 100, 99, 100), "1 single mistakes earned"),
        ("pairs", Count(100, 100, 100, 94), "94.0% of pairs"),
        ("right", Count(4, 4, 3, 0), "1 right answers did not"),
        ("solution", Count(100, 100, 100, 40, 20), "50.0% of the mutants"),
        ("formula", Count(100, 100, 99, 90), "1 mutants that change the values"),
    ],
)
def test_a_figure_below_its_bound_is_a_problem(kind: Any, count: Count, words: str) -> None:
    report = Report()
    report.add("00.square", kind, count)
    (problem,) = report.problems()
    assert words in problem


def test_figures_at_their_bounds_are_none() -> None:
    report = Report()
    report.add("00.square", "mistakes", Count(100, 100, 100, 98))
    report.add("00.square", "pairs", Count(100, 100, 100, 95))
    report.add("00.square", "right", Count(4, 4, 4, 0))
    report.add("00.square", "solution", Count(100, 100, 100, int(100 * selftest.MUTANTS_EXPLAINED), 0))
    assert report.problems() == []


def test_a_mutant_is_a_program_with_a_change_in_words() -> None:
    assert Mutant("def f(x):\n    return x", "line 2: -x -> x") in mutants.mutants("def f(x):\n    return -x")
