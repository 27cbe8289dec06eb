"""The seed of a submission, and where a check prints."""

from __future__ import annotations

import contextvars
import subprocess
import sys
from typing import Any

import pytest

from autograder import check, evaluate, exercises
from autograder.checking import seeded
from autograder.checking.seeding import BITS, seed_for

ID = "05.backprop_batch"
REFERENCE = {exercise.id: exercise.reference for exercise in exercises()}


@pytest.fixture(autouse=True)
def _nothing_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHAINRULE_PROGRESS", "")


def test_checks_of_a_submission_repeat() -> None:
    seen: list[Any] = []

    def answer(X: Any, *rest: Any) -> Any:
        seen.append(X)
        return REFERENCE[ID](X, *rest)

    for _ in range(2):
        with seeded(11) as results:
            check(ID, answer)
        assert [result.seed for result in results] == [seed_for(ID, 11)]
        assert results[0].verdict == "correct"
    half = len(seen) // 2
    assert all((one == other).all() for one, other in zip(seen[:half], seen[half:], strict=True))


def test_exercises_and_submissions_have_seeds_of_their_own() -> None:
    seeds = {seed_for(id, seed) for id in REFERENCE for seed in (0, 1, 2**31, 2**53)}
    assert len(seeds) == 4 * len(REFERENCE)
    assert max(seeds) < 2**BITS
    assert max(seeds) > 2 ** (BITS - 2)


def test_an_explicit_seed_counts_and_only_checks_are_collected() -> None:
    with seeded(3) as results:
        assert evaluate(ID, REFERENCE[ID], seed=5).seed == 5
        assert evaluate(ID, REFERENCE[ID]).seed == seed_for(ID, 3)
    assert results == []


def test_outside_of_a_submission_seeds_are_fresh_again_whatever_happened_within() -> None:
    with pytest.raises(ZeroDivisionError), seeded(3):
        raise ZeroDivisionError
    assert evaluate(ID, None).seed != evaluate(ID, None).seed


@pytest.mark.parametrize(
    ("prepare", "printed"),
    [
        ("", True),
        ("import ipykernel.kernelapp", True),
        ("from IPython.core.interactiveshell import InteractiveShell as S; S.instance()", True),
        (
            "from IPython.core.interactiveshell import InteractiveShell as S; S.instance().kernel = object()",
            False,
        ),
    ],
    ids=["python", "a kernel's module", "a terminal", "a notebook"],
)
def test_a_check_prints_only_where_nothing_shows_itself(prepare: str, printed: bool) -> None:
    program = f"{prepare}\nfrom autograder import check\ncheck({ID!r}, None)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert bool(done.stdout.strip()) == printed


def test_a_cell_with_a_context_of_its_own_is_of_the_submission_too() -> None:
    context = contextvars.copy_context()
    with seeded(5) as results:
        context.run(check, ID, None)
    assert [result.seed for result in results] == [seed_for(ID, 5)]
