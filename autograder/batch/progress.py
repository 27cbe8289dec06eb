"""How far grading has come: a bar in a terminal, and a line now and then where the output goes to a file."""

from __future__ import annotations

import time
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar
from rich.text import Text

__all__ = ["Progress", "say"]

EVERY = 10.0
"""Seconds between two lines."""


class _Rate(ProgressColumn):
    """How many a second."""

    def render(self, task: Task) -> Text:
        """The text of this column."""
        return Text(f"{task.speed:.1f} a second" if task.speed else "")


def say(console: Console, sentence: str) -> None:
    """A line of its own, above the bar, as it is."""
    console.print(sentence, markup=False, highlight=False, soft_wrap=True)


class Progress:
    """Use it in ``with``.

    Parameters
    ----------
    console : where to show it
    total : how many submissions there are to grade
    """

    def __init__(self, console: Console, total: int) -> None:
        self.console = console
        self.total = total
        self.done = 0
        self.began = self.shown = self.written = time.monotonic()
        self.bar = Bar(
            TextColumn("grading"),
            BarColumn(),
            MofNCompleteColumn(),
            _Rate(),
            TimeRemainingColumn(),
            TextColumn("left"),
            console=console,
            disable=not console.is_terminal,
        )
        self.task = self.bar.add_task("grading", total=total)

    def __enter__(self) -> Progress:
        self.bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.bar.stop()

    def advance(self) -> None:
        """One more is done."""
        self.done += 1
        self.bar.advance(self.task)
        now = time.monotonic()
        if not self.console.is_terminal and (now - self.shown >= EVERY or self.done == self.total):
            self.shown = now
            rate = self.done / max(now - self.began, 1e-9)
            left = (self.total - self.done) / rate
            say(self.console, f"{self.done} of {self.total} graded, {rate:.1f} a second, {left:.0f} s left")
