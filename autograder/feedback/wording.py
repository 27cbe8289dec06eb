"""Words shared by the text and the HTML of a result, so that both say the same."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from autograder.checking.result import CheckResult, Explained, Part

HEADLINES = {
    "correct": "Correct",
    "wrong": "Not right yet",
    "wrong shape": "Wrong shape",
    "not attempted": "Not attempted yet",
    "raised": "Your answer raised an error",
    "not finite": "Not a finite number",
    "numerical": "A numerical derivative",
    "mutates its input": "Changes its input",
}


def points(result: CheckResult) -> str:
    """The score: ``5 of 6 points``."""
    return f"{result.score:g} of {result.max_score:g} {'point' if result.max_score == 1 else 'points'}"


def place(explained: Explained) -> str:
    """Where a mistake is and what it reaches: ``Step dZ2 (reaches dW2, db2)``."""
    return f"Step {explained.step}" + (f" (changes {', '.join(explained.rows)})" if explained.rows else "")


def entry(part: Part) -> str:
    """The worst entry's place: ``dW1[2, 0]``."""
    if not part.worst:
        return part.name
    return f"{part.name}[{', '.join(map(str, part.worst))}]"


def shape(part: Part) -> str:
    """The shape, and the expected one where it is another: ``(2, 3), not (3, 2)``."""
    if part.shape is None or part.expected_shape is None:
        return ""
    if part.shape == part.expected_shape:
        return _shape(part.shape)
    return f"{_shape(part.shape)}, not {_shape(part.expected_shape)}"


def _shape(shape: Sequence[int]) -> str:
    return str(tuple(shape)) if shape else "a number"


def number(value: float | None) -> str:
    """A value with the digits that matter in feedback; empty if there is none."""
    return "" if value is None or (isinstance(value, float) and math.isnan(value)) else f"{value:.6g}"


def yours(part: Part) -> str:
    """The learner's entry: nan is an answer too, and shown."""
    return "" if part.signed is None else f"{part.yours:.6g}"


def error(part: Part) -> str:
    """The relative error of the worst entry."""
    return "" if part.signed is None else f"{part.error:.1e}"


def against(result: CheckResult) -> str:
    """What the learner's entries are shown beside."""
    return "finite difference" if any(part.difference is not None for part in result.parts) else "expected"


def beside(part: Part) -> str:
    """The number to compare with: the loss's central difference, or the right value where there is no loss."""
    return number(part.expected if part.difference is None else part.difference)


def side_notes(result: CheckResult) -> list[str]:
    """What the function printed and warned of, in sentences."""
    notes = [f"While it ran: {warning}" for warning in result.warned]
    if printed := result.printed.strip():
        notes.append(f"Your function printed: {printed}")
    return notes


def cause(result: CheckResult) -> str:
    """Where to start, when an answer holds intermediate values and no mistake has a name."""
    if not result.first_wrong or result.mistakes:
        return ""
    return f"Start with {result.first_wrong}: it is the first that does not follow from what comes before it."
