"""How far a learner has come: the best score of every exercise, kept between sessions.

Every check appends one line to a file in the user's data folder. Appending a short line is a single write, so two
notebooks open at the same time lose nothing. ``CHAINRULE_PROGRESS`` names another file; empty, it turns recording
off, as the grader does: what it runs are other people's answers.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from autograder.exercises import exercises
from autograder.exercises.model import Exercise

if TYPE_CHECKING:
    from autograder.checking.result import CheckResult

VARIABLE = "CHAINRULE_PROGRESS"


def _file() -> Path | None:
    """Where progress is kept; None where it is not."""
    named = os.environ.get(VARIABLE)
    if named is not None:
        return Path(named) if named else None
    from platformdirs import user_data_path  # only where it is needed: it costs an import

    return user_data_path("chainrule") / "progress.jsonl"


def record(result: CheckResult) -> None:
    """Remember an attempt. A folder that cannot be written to is no reason to fail a check."""
    file = _file()
    if file is None or result.verdict == "not attempted":
        return
    line = json.dumps({"id": result.id, "score": result.score, "verdict": result.verdict}) + "\n"
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("a", encoding="utf-8") as lines:
            lines.write(line)
    except OSError:
        pass


def _best() -> dict[str, float]:
    """The best score of every exercise attempted so far. Lines that no check can have written are passed over."""
    file = _file()
    points = {exercise.id: exercise.points for exercise in exercises()}
    best: dict[str, float] = {}
    try:
        lines = file.read_text(encoding="utf-8", errors="replace").splitlines() if file else []
    except OSError:
        return best
    for line in lines:
        try:
            attempt = json.loads(line)
            id, score = attempt["id"], float(attempt["score"])
            if 0 <= score <= points[id]:
                best[id] = max(score, best.get(id, 0.0))
        except (ValueError, KeyError, TypeError):
            continue
    return best


@dataclass(frozen=True)
class Row:
    """One lesson: points so far, points there are, exercises solved, exercises there are, and what is next."""

    lesson: str
    score: float
    points: float
    solved: int
    exercises: int
    next: str


@dataclass(frozen=True)
class Progress:
    """Progress by lesson; shows itself as a table in a notebook and as text elsewhere."""

    rows: tuple[Row, ...]

    def __repr__(self) -> str:
        lines = []
        for row in self.rows:
            bar = "█" * round(10 * row.score / row.points)
            lines.append(
                f"{row.lesson:24} {bar:░<10} {row.score:g} of {row.points:g} points, {row.solved} of "
                f"{row.exercises} solved" + (f", next: {row.next}" if row.next else "")
            )
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        cell = '<td style="text-align:left;padding:3px 14px 3px 0">'
        rows = "".join(
            f"<tr>{cell}{escape(row.lesson)}</td>"
            f'{cell}<progress value="{row.score:g}" max="{row.points:g}" aria-label="points"></progress></td>'
            f"{cell}{row.score:g} of {row.points:g} points</td>"
            f"{cell}{row.solved} of {row.exercises} solved</td>"
            f"{cell}{escape('next: ' + row.next) if row.next else '✔ done'}</td></tr>"
            for row in self.rows
        )
        return f"<table>{rows}</table>"


def progress() -> Progress:
    """The best scores so far, a row per lesson."""
    best = _best()
    lessons: dict[str, list[Exercise]] = {}
    for exercise in exercises():
        lessons.setdefault(exercise.lesson, []).append(exercise)
    return Progress(tuple(_row(lesson, found, best) for lesson, found in lessons.items()))


def _row(lesson: str, found: Iterable[Exercise], best: dict[str, float]) -> Row:
    listed = list(found)
    open_ones = [exercise for exercise in listed if best.get(exercise.id, 0) < exercise.points]
    return Row(
        lesson,
        sum(best.get(exercise.id, 0) for exercise in listed),
        sum(exercise.points for exercise in listed),
        len(listed) - len(open_ones),
        len(listed),
        f"{open_ones[0].title} ({open_ones[0].id})" if open_ones else "",
    )
