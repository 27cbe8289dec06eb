"""Exceptions that cross: the same builtin one where it is one, with the learner's own line.

An exception that cannot be the same becomes one of a class made for it, with the same name and derived from the
nearest builtin exception, so that sentences and ``except ValueError`` see no difference. What would end more than a
function, such as SystemExit or KeyboardInterrupt, becomes an ordinary exception of that name. No object of the
learner's is in it: a name, a text, numbers.
"""

from __future__ import annotations

import builtins
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import numpy as np

from autograder.answers import LearnerLine
from autograder.errors import CourseError
from autograder.execution.failures import ValueTooLarge
from autograder.execution.lending import printable
from autograder.isolation.channel import BadMessage

__all__ = ["StudentError", "named_class", "read_exception", "written_exception"]

LONGEST = 10_000
"""Characters of a message."""

_LEFT_OUT = (SyntaxError, UnicodeError, BaseExceptionGroup, StopAsyncIteration)
"""Exceptions that IPython, or their own constructor, expects more of than a text."""

BUILTIN: Mapping[str, type[Exception]] = {
    name: value
    for name, value in vars(builtins).items()
    if isinstance(value, type) and issubclass(value, Exception) and not issubclass(value, _LEFT_OUT)
} | {"LinAlgError": np.linalg.LinAlgError}

_PLAIN = (str, int, float, bool, type(None))


class StudentError(Exception):
    """An exception of a learner's that is no builtin one; its class has the same name."""

    def __init__(self, message: str = "") -> None:
        self.message = message

    def __str__(self) -> str:
        return self.message


@lru_cache(maxsize=500)
def named_class(name: str, *bases: type) -> type:
    """A class of exceptions or warnings with this name."""
    return type(name, bases, {"__module__": "learner"})


def written_exception(
    exception: BaseException, called: Any, number: int | None, explain: Callable[[BaseException], str] | None
) -> list[Any]:
    """An exception as data.

    Parameters
    ----------
    called : the function that raised it
    number : under which this side finds it again, if it comes back from the other one
    explain : has better words for some exceptions, or none ("")
    """
    kind = type(exception)
    base = next((each for each in kind.__mro__ if BUILTIN.get(each.__name__) is each), Exception)
    arguments: list[Any] | None = None
    try:
        explained = explain(exception) if explain is not None else ""
        message = str.__str__(explained or str(exception))[:LONGEST]
        given = exception.args
        if (
            base is kind
            and not explained
            and all(type(each) in _PLAIN for each in given)
            and len(repr(given)) < LONGEST
        ):
            arguments = list(given)
    except Exception:  # a learner's exception may fail at its own words
        message = ""
    try:
        line = LearnerLine.of(exception, called)
    except Exception:
        line = None
    origin = getattr(exception, "crossed_as", None)
    return [
        str(kind.__name__)[:100],
        base.__name__,
        message,
        arguments,
        None if line is None else [line.line, line.function[:100], line.source[:500]],
        number,
        origin if type(origin) is int else None,
    ]


def read_exception(
    written: Any, ours: Mapping[int, BaseException], trusted: bool, may_stop: bool = True
) -> BaseException:
    """The exception that is meant.

    Parameters
    ----------
    written : as data
    ours : exceptions that came from here, by number, one of which may be coming back
    trusted : whether the other side may also raise the exceptions that are written for people
    may_stop : whether StopIteration may be meant as such

    Raises
    ------
    BadMessage
    """
    try:
        name, base, message, arguments, line, number, origin = written
        if type(origin) is int and origin in ours:
            return ours[origin]
        for text in (name, base, message):
            if type(text) is not str:
                raise BadMessage("An exception has no words.")
        if base == "StopIteration" and not may_stop:
            base = "Exception"
        exception = _made(printable(name, 100) or "Exception", base, message[:LONGEST], arguments, trusted)
        if type(number) is int and trusted:
            exception.crossed_as = number  # type: ignore[attr-defined]
        if line is not None:
            place, function, source = line
            if type(place) is not int or type(function) is not str or type(source) is not str:
                raise BadMessage("An exception comes from no line.")
            learner_line = LearnerLine(place, printable(function, 100), source[:500])
            exception.learner_line = learner_line  # type: ignore[attr-defined]
    except (TypeError, ValueError):
        raise BadMessage("An exception does not come as agreed.") from None
    return exception


def _made(name: str, base: str, message: str, arguments: Any, trusted: bool) -> BaseException:
    """An exception of this name."""
    if name == "ValueTooLarge":
        return ValueTooLarge(message)
    if name == "CourseError" and trusted:
        return CourseError(message)
    kind: Any = BUILTIN.get(base, Exception)
    if kind.__name__ == name and arguments is not None:
        if type(arguments) is not list or len(arguments) > 5 or not all(type(each) in _PLAIN for each in arguments):
            raise BadMessage("An exception does not come as agreed.")
        exception: BaseException = kind(*arguments)
        return exception
    exception = named_class(name, StudentError, kind)(message)
    return exception
