"""Running an answer once on one case: nothing it does (raise, print, warn, change its inputs) may disturb the check."""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from autograder.answers import LearnerLine, calls
from autograder.checking.values import copied, described, same
from autograder.errors import BoundaryError, NotAnAnswer

LARGEST = 100_000
"""Numbers in one returned array that are looked at; no exercise asks for a hundredth of them."""

PRINTED = 500
"""Characters of an answer's own printing that are kept."""


@dataclass(frozen=True)
class Run:
    """What came of one call: its value or its exception, and what happened on the way."""

    returned: Any = None
    exception: BaseException | None = None
    changed: tuple[str, ...] = ()
    printed: str = ""
    warned: tuple[str, ...] = ()


class _Printed(io.TextIOBase):
    """Keeps the beginning of what is printed and drops the rest, however much there is, whoever closes it."""

    def __init__(self) -> None:
        self.kept = ""

    def write(self, text: str) -> int:
        self.kept += text[: PRINTED - len(self.kept)]
        return len(text)

    def close(self) -> None:
        pass


def run(answer: Callable[..., Any], case: Mapping[str, Any], names: Sequence[str] = ()) -> Run:
    """Call ``answer`` with copies of a case's inputs, by position.

    ``names`` are the values asked for: an object that has them as attributes is read at once.
    """
    return next(in_turn(answer, [case], names))


def in_turn(answer: Callable[..., Any], cases: Sequence[Mapping[str, Any]], names: Sequence[str] = ()) -> Iterator[Run]:
    """The same with one case after the other, as long as somebody wants the next."""
    inputs = [{name: copied(value) for name, value in case.items()} for case in cases]
    to_make = calls(answer, [tuple(each.values()) for each in inputs])
    for case, given, call in zip(cases, inputs, to_make, strict=True):
        yield _run(call, case, given, names)


def _run(call: Callable[[], Any], case: Mapping[str, Any], inputs: Mapping[str, Any], names: Sequence[str]) -> Run:
    """What comes of a call with the inputs of a case."""
    printed = _Printed()
    returned, exception = None, None
    with (
        warnings.catch_warnings(record=True) as warned,
        contextlib.redirect_stdout(printed),
        contextlib.redirect_stderr(printed),
        np.errstate(all="warn", under="ignore"),  # numpy's own setting; what the answer sets with seterr ends with this
    ):
        warnings.simplefilter("always")
        try:
            # Copied at once, before the next call can change it, and within the guard: looking at it may raise as well.
            returned = _kept(call(), names)
        except BoundaryError:  # the learner's process is gone: not what the answer did, but the end of the check
            raise
        except BaseException as error:  # a learner's function may raise SystemExit, and Stop gives KeyboardInterrupt
            exception = error
    return Run(
        returned=returned,
        exception=exception,
        changed=tuple(name for name in case if not same(case[name], inputs[name])),
        printed=_clean(printed.kept),
        warned=tuple(dict.fromkeys(_clean(f"{w.category.__name__}: {w.message}") for w in warned)),
    )


def _kept(returned: Any, names: Sequence[str] = ()) -> Any:
    """What was returned as plain lists, tuples, dictionaries and arrays of its own, which no later call can change."""
    count = returned.size if isinstance(returned, np.ndarray) else len(returned) if type(returned) is list else 0
    if count > LARGEST:
        raise NotAnAnswer(f"Your function returned {count:,} numbers, far more than are asked for.")
    if isinstance(returned, Mapping):
        return {name: _kept(returned[name]) for name in list(returned)}
    if type(returned) in (list, tuple):
        return type(returned)(_kept(value) for value in returned)
    if hasattr(returned, "__array__"):
        return np.array(returned)
    if names and all(hasattr(returned, name) for name in names):
        return {name: _kept(getattr(returned, name)) for name in names}
    return returned


def _clean(text: str) -> str:
    """Text that every file and page can hold: without lone surrogates and control characters."""
    return "".join(c for c in text.encode("utf-8", "replace").decode() if c.isprintable() or c in "\n\t")


def told(exception: BaseException, answer: Callable[..., Any], case: Mapping[str, Any], called_with: str = "") -> str:
    """An exception in a sentence: what, in which line of the learner's function, and what the inputs were."""
    if isinstance(exception, KeyboardInterrupt):
        return (
            "Your function was stopped while it was still running. Is there a loop that never ends, "
            "such as a `while` whose condition stays true?"
        )
    message = " ".join(_said(exception).split())
    what = f"{type(exception).__name__}: {message}" if message else type(exception).__name__
    inputs = called_with or ", ".join(f"{name} ({described(value)})" for name, value in case.items())
    called = f" It was called with {inputs}." if inputs else ""
    return f"Your function raised {what}{LearnerLine.of(exception, answer) or ''}.{called}"


def _said(exception: BaseException) -> str:
    """An exception's own words; a learner's exception may fail even at that."""
    try:
        return _clean(str(exception))
    except Exception:
        return ""
