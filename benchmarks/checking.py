"""How long one check takes, beside a plain gradient check of the same answer: ``python benchmarks/checking.py``.

The peer is what a careful learner would do without the course: compare every gradient with central differences of the
loss on as many cases (``chainrule_lib.numerical_gradient``). It says only whether the numbers agree. The check also
knows a formula from a finite difference, and names the mistakes; a wrong answer that nothing explains is the slowest,
since all sets of three mistakes are searched (up to a limit). Both are timed in turn in the same process, CPU time of
this process, median and slowest over seeds. Goals: under 50 ms where the answer is right, under 300 ms where wrong.
"""

from __future__ import annotations

import itertools
import os
import platform
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from autograder import Exercise, evaluate, exercises
from autograder.checking.evaluation import CASES
from autograder.exercises.formulas import apply
from chainrule_lib import numerical_gradient

SEEDS = range(5)
PAIRS = 40
"""Answers with two mistakes that are timed for each exercise, spread over all pairs."""


def milliseconds(action: Callable[..., Any], *arguments: Any) -> float:
    """CPU time of one call."""
    start = time.process_time()
    action(*arguments)
    return 1e3 * (time.process_time() - start)


def plain_check(exercise: Exercise, seed: int) -> bool:
    """The peer: all gradients against central differences, on the check's own cases."""
    agree = True
    for case in exercise.cases(seed, CASES):
        environment = exercise.derive(case)
        for name in exercise.returns:
            variable = exercise.variable(name)
            value = environment[variable]
            several = isinstance(value, list)
            for number, array in enumerate(value if several else [value]):

                def loss(moved: Any, number: int = number) -> float:
                    put = [*value[:number], moved, *value[number + 1 :]] if several else moved  # noqa: B023
                    return float(np.sum(apply(exercise.loss, {**environment, variable: put})))  # noqa: B023

                difference = numerical_gradient(loss, array)
                mine = environment[name][number] if several else environment[name]
                agree &= bool(np.allclose(mine, difference, rtol=1e-4, atol=1e-6))
    return agree


def wrong_answers(exercise: Exercise) -> list[Callable[..., Any]]:
    """Every mistake, some pairs of them, and an answer that nothing explains."""
    names = list(exercise.mistakes)
    pairs = [
        (first, second)
        for first, second in itertools.combinations(names, 2)
        if exercise.mistakes[first].step != exercise.mistakes[second].step
    ]

    def unexplained(*inputs: Any) -> Any:
        values = exercise.reference(*inputs)
        return [spoiled(value) for value in values] if len(exercise.returns) > 1 else spoiled(values)

    def spoiled(value: Any) -> Any:
        return [spoiled(item) for item in value] if isinstance(value, list) else np.asarray(value) * 1.37 + 0.01

    chosen = pairs[:: max(1, len(pairs) // PAIRS)]
    return [*(exercise.answer(name) for name in names), *(exercise.answer(*pair) for pair in chosen), unexplained]


def timed(exercise: Exercise) -> tuple[list[float], list[float], list[float]]:
    """Times of right answers, of the peer on them, and of wrong answers."""
    evaluate(exercise.id, exercise.reference, 0)  # what happens only once (imports, caches) is not a check's cost
    right, peer = [], []
    for seed in SEEDS:
        right.append(milliseconds(evaluate, exercise.id, exercise.reference, seed))
        if exercise.loss is not None:
            peer.append(milliseconds(plain_check, exercise, seed))
    return right, peer, [milliseconds(evaluate, exercise.id, answer, 1) for answer in wrong_answers(exercise)]


def main() -> None:
    """Print a row per exercise."""
    table = Table("exercise", "right", "slowest", "plain check", "ratio", "wrong", "slowest", title="one check, in ms")
    slowest_right, slowest_wrong = 0.0, 0.0
    for exercise in exercises():
        right, peer, wrong = timed(exercise)
        slowest_right, slowest_wrong = max(slowest_right, *right), max(slowest_wrong, *wrong)
        table.add_row(
            exercise.id,
            f"{statistics.median(right):.1f}",
            f"{max(right):.1f}",
            f"{statistics.median(peer):.1f}" if peer else "",
            f"{statistics.median(right) / statistics.median(peer):.1f}" if peer else "",
            f"{statistics.median(wrong):.1f}",
            f"{max(wrong):.1f}",
        )
    Console().print(table)
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, numpy {np.__version__}")
    print(f"slowest right {slowest_right:.0f} ms (goal: 50), slowest wrong {slowest_wrong:.0f} ms (goal: 300)")


if __name__ == "__main__":
    main()
