"""Checking an answer against an exercise: ``evaluate`` judges, ``check`` also shows and records the result."""

from __future__ import annotations

import sys
from typing import Any

from autograder.checking.evaluation import evaluate, prepared
from autograder.checking.result import CheckResult
from autograder.checking.seeding import note, seeded
from autograder.progress import record

__all__ = ["CheckResult", "check", "evaluate", "prepared", "seeded"]


def check(id: str, answer: Any, *, follow_through: bool = True) -> CheckResult:
    """Check an answer and show what was found.

    In a notebook the result is the value of the cell and shows itself, and its plain-text form is the number of points,
    which is what nbgrader reads. Elsewhere it is printed.

    Parameters
    ----------
    id : the exercise, such as ``"05.backprop_batch"``
    answer : your function, without calling it
    follow_through : see ``evaluate``

    Raises
    ------
    CourseError
        There is no such exercise.
    """
    result = evaluate(id, answer, follow_through=follow_through)
    record(result)
    note(result)
    if not _in_notebook():
        print(result.to_text().encode(sys.stdout.encoding or "utf-8", "replace").decode(sys.stdout.encoding or "utf-8"))
    return result


def _in_notebook() -> bool:
    """Whether the value of a cell shows itself as HTML: there is a shell, and it has a kernel."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return getattr(shell, "kernel", None) is not None
