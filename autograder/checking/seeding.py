"""The seed of a submission: within ``seeded``, checks draw their cases from it, so that a regrade repeats them."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256

from autograder.checking.result import CheckResult

__all__ = ["BITS", "fresh", "note", "seed_for", "seeded"]

BITS = 53
"""Of a seed: too many to try them all, and as many as every reader of JSON keeps."""


@dataclass(frozen=True, eq=False)
class _Submission:
    """What is being graded: its seed, and the results of its checks so far."""

    seed: int
    results: list[CheckResult] = field(default_factory=list)


_graded: list[_Submission] = []
"""The submissions whose grading has begun and not ended, the one that counts last. (A context variable would not do:
the cells of a notebook run in a context of their own.)"""


@contextmanager
def seeded(seed: int) -> Iterator[list[CheckResult]]:
    """Let checks use a submission's seed, and collect their results.

    Every exercise draws from a seed of its own, made from the submission's: what a learner's code sees in one exercise
    tells nothing about the cases of another. An explicit ``seed`` of ``evaluate`` counts as ever.

    >>> with seeded(7) as results:
    ...     check("05.backprop_batch", answer)
    >>> results[0].seed == seed_for("05.backprop_batch", 7)
    True
    """
    submission = _Submission(int(seed))
    _graded.append(submission)
    try:
        yield submission.results
    finally:
        _graded.remove(submission)


def seed_for(id: str, seed: int) -> int:
    """The seed of an exercise in a submission with this seed."""
    return int.from_bytes(sha256(f"{seed}:{id}".encode()).digest()) >> (256 - BITS)


def fresh(id: str) -> int:
    """A seed for an exercise: the submission's, where one is being graded, else one that nobody can know."""
    return seed_for(id, _graded[-1].seed) if _graded else secrets.randbits(BITS)


def note(result: CheckResult) -> None:
    """Keep the result of a check for whoever is grading."""
    if _graded:
        _graded[-1].results.append(result)
