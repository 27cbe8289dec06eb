"""What a learner's function does beyond returning a value: it prints and it warns. Caught there, done again here."""

from __future__ import annotations

import builtins
import contextlib
import io
import sys
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from autograder.execution.lending import printable
from autograder.execution.raised import named_class
from autograder.isolation.channel import BadMessage

__all__ = ["Effects", "caught", "read_effects"]

PRINTED = 20_000
"""Characters of a call's printing that cross."""

WARNINGS = 50
"""Different warnings of a call that cross."""

_CATEGORIES: Mapping[str, type[Warning]] = {
    name: value
    for module in (builtins, getattr(np, "exceptions", builtins))
    for name, value in vars(module).items()
    if isinstance(value, type) and issubclass(value, Warning)
}


class Effects:
    """What was printed and warned of during a call."""

    def __init__(self) -> None:
        self.printed: list[list[Any]] = []  # pairs: whether to the error stream, and the text
        self.left = PRINTED
        self.warned: dict[tuple[str, str, str], None] = {}

    def written(self) -> list[Any] | None:
        """As data; None where nothing was."""
        return [self.printed, [list(each) for each in self.warned]] if self.printed or self.warned else None

    def do_again(self) -> None:
        """Print and warn as the other side did."""
        for is_error, text in self.printed:
            (sys.stderr if is_error else sys.stdout).write(text)
        for name, base, message in self.warned:
            warnings.warn_explicit(message, _category(name, base), "<learner>", 1, module="learner")

    def print(self, is_error: bool, text: str) -> None:
        """Keep the beginning of what is printed."""
        text = text[: self.left]
        self.left -= len(text)
        if self.printed and self.printed[-1][0] is is_error:
            self.printed[-1][1] += text
        elif text:
            self.printed.append([is_error, text])

    def warn(self, message: Any, category: type[Warning], *others: Any, **options: Any) -> None:
        """Keep a warning; in the form of ``warnings.showwarning``."""
        if len(self.warned) < WARNINGS:
            base = next((each for each in category.__mro__ if _CATEGORIES.get(each.__name__) is each), Warning)
            with contextlib.suppress(Exception):
                self.warned[category.__name__[:100], base.__name__, str.__str__(str(message))[:1000]] = None


class _Stream(io.TextIOBase):
    """Takes the place of an output stream, whoever closes it."""

    def __init__(self, effects: Effects, is_error: bool) -> None:
        self._effects = effects
        self._is_error = is_error

    def write(self, text: str) -> int:
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        self._effects.print(self._is_error, str.__str__(text))
        return len(text)

    def writable(self) -> bool:
        return True

    def close(self) -> None:
        pass


@contextlib.contextmanager
def caught(numbers: Mapping[str, str] | None) -> Iterator[Effects]:
    """Catch what is printed and warned of. ``numbers`` says what numpy does at overflow and the like."""
    effects = Effects()
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = _Stream(effects, False), _Stream(effects, True)
    try:
        with warnings.catch_warnings(), np.errstate(**(numbers or {})):  # type: ignore[arg-type]
            warnings.simplefilter("always")
            warnings.showwarning = effects.warn
            yield effects
    finally:
        sys.stdout, sys.stderr = before


def read_effects(written: Any) -> Effects:
    """What the other side says was printed and warned of.

    Raises
    ------
    BadMessage
    """
    effects = Effects()
    try:
        printed, warned = written
        effects.printed = [[is_error, text] for is_error, text in printed]
        effects.warned = dict.fromkeys((name, base, message) for name, base, message in warned)
    except (TypeError, ValueError):
        raise BadMessage("What was printed does not come as agreed.") from None
    texts = [text for _, text in effects.printed] + [text for warning in effects.warned for text in warning]
    if not all(type(text) is str for text in texts):
        raise BadMessage("What was printed is no text.")
    if len(effects.warned) > WARNINGS or sum(map(len, texts)) > 5 * PRINTED:
        raise BadMessage("Far too much was printed.")
    return effects


def _category(name: str, base: str) -> type[Warning]:
    """The class of warnings of this name, or one that has it."""
    kind: Any = _CATEGORIES.get(base, Warning)
    return kind if kind.__name__ == name else named_class(printable(name, 100) or "Warning", kind)
