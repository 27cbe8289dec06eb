"""What a check found, as data; ``autograder.feedback`` turns it into words and pictures."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from autograder.checking.values import Array
from autograder.feedback import html, text

LONGEST = 2_000
"""Characters of a sentence: names that a learner has chosen may be in it."""

Verdict = Literal[
    "correct", "wrong", "wrong shape", "not attempted", "raised", "not finite", "numerical", "mutates its input"
]


@dataclass(frozen=True)
class Part:
    """One returned array beside the right one, in the first case where it is wrong (else in the first case).

    ``error`` is the relative error of the worst entry, measured against the array's largest one; ``worst`` its index.
    ``shape`` is None where the kind of exercise has none.
    ``difference`` is the central difference of the loss in that entry, None where the answer is no gradient. ``signed``
    holds the errors of all entries in units of the largest right entry, for the picture, None where shapes differ.
    """

    name: str
    right: bool
    shape: tuple[int, ...] | None
    expected_shape: tuple[int, ...] | None
    error: float
    worst: tuple[int, ...]
    yours: float
    expected: float
    difference: float | None
    signed: Array | None


@dataclass(frozen=True)
class Line:
    """One step of the derivation as the feedback shows it: right, wrong, or right but fed by a wrong one."""

    name: str
    state: Literal["right", "wrong", "carried"]


@dataclass(frozen=True)
class Explained:
    """A diagnosed mistake: its sentence, the step it is in, and the returned values it changes."""

    name: str
    step: str
    explanation: str
    rows: tuple[str, ...]


def _plain(value: Any) -> Any:
    """Lists, dictionaries, texts and finite numbers only."""
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def _cut(sentence: str) -> str:
    """A sentence, or the beginning of one that is far too long."""
    return sentence if len(sentence) <= LONGEST else f"{sentence[:LONGEST]} ..."


@dataclass(frozen=True)
class CheckResult:
    """The outcome of a check.

    Parameters
    ----------
    id, title : of the exercise
    score, max_score : points
    verdict : one of ``Verdict``
    message : what happened, in a sentence or two
    mistakes : names of the mistakes found, in the order of the derivation; empty where none is
    possibilities : every equally short explanation that fits, the first of them being ``mistakes``
    explained : what is said about each mistake of each possibility
    observations : true statements about an error that no mistake explains, and about side effects
    parts : a row per returned array
    lines : the derivation, step by step; empty where it is not to be shown
    first_wrong : the first value handed in that does not follow from the learner's earlier ones
    printed, warned : what the answer printed and warned of
    seed : repeats the check exactly
    """

    id: str
    title: str
    score: float
    max_score: float
    verdict: Verdict
    message: str
    seed: int
    mistakes: tuple[str, ...] = ()
    possibilities: tuple[tuple[str, ...], ...] = ()
    explained: tuple[tuple[Explained, ...], ...] = ()
    observations: tuple[str, ...] = ()
    parts: tuple[Part, ...] = ()
    lines: tuple[Line, ...] = ()
    first_wrong: str = ""
    printed: str = ""
    warned: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "message", _cut(self.message))
        object.__setattr__(self, "observations", tuple(map(_cut, self.observations)))

    def to_text(self) -> str:
        """The feedback for a terminal."""
        return text.render(self)

    def to_html(self) -> str:
        """The feedback for a notebook: self-contained HTML without scripts."""
        return html.render(self)

    def to_dict(self) -> dict[str, Any]:
        """The result as plain data that every JSON reader takes: a number that is not finite becomes its name."""
        return {name: _plain(value) for name, value in asdict(self).items()}

    def __repr__(self) -> str:
        """The number of points: nbgrader reads a cell's text result as partial credit."""
        return f"{self.score:g}"

    def _repr_html_(self) -> str:
        return self.to_html()
