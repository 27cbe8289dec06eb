"""A result as text for a terminal."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from autograder.feedback import wording

if TYPE_CHECKING:
    from autograder.checking.result import CheckResult, Part

WIDTH = 100


def render(result: CheckResult) -> str:
    """The verdict, what explains it, and a row for every returned array."""
    mark = "✔" if result.verdict == "correct" else "○" if result.verdict == "not attempted" else "✘"
    lines = [f"{mark} {wording.HEADLINES[result.verdict]}: {result.title} ({result.id}), {wording.points(result)}"]
    lines += _wrapped(result.message)
    for index, explanation in enumerate(result.explained):
        if index:
            lines.append("Or:")
        for explained in explanation:
            lines += _wrapped(f"• {wording.place(explained)}: {explained.explanation}", hang="  ")
    for sentence in filter(None, (*result.observations, wording.cause(result), *wording.side_notes(result))):
        lines += _wrapped(f"• {sentence}", hang="  ")
    if result.lines:
        signs = {"right": "", "wrong": " ✘", "carried": " ~"}
        lines.append("Derivation: " + " → ".join(line.name + signs[line.state] for line in result.lines))
        lines.append("            (✘ wrong step, ~ right in itself, but a wrong value reaches it)")
    if result.parts:
        lines += _table(result)
    return "\n".join(lines)


def _wrapped(sentence: str, hang: str = "") -> list[str]:
    return textwrap.wrap(sentence, WIDTH, subsequent_indent=hang, break_long_words=False)


def _table(result: CheckResult) -> list[str]:
    """Rows with columns as wide as their widest entry."""
    head = ("", "shape", "worst entry", "yours", wording.against(result), "relative error")
    rows = [head, *(_row(part) for part in result.parts)]
    shown = [column for column in range(len(head)) if any(row[column] for row in rows[1:])]
    rows = [tuple(row[column] for column in shown) for row in rows]
    widths = [max(len(row[column]) for row in rows) for column in range(len(shown))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _row(part: Part) -> tuple[str, ...]:
    return (
        f"{'✔' if part.right else '✘'} {part.name}",
        wording.shape(part),
        wording.entry(part) if part.signed is not None else "",
        wording.yours(part),
        wording.beside(part),
        wording.error(part),
    )
