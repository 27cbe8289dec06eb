"""What can be told of an answer by looking at it: whether it has a body, and where in it an exception comes from.

A check asks this of an answer in its own process; the process that holds a learner's code asks it too, to pass it on.
"""

from __future__ import annotations

import dis
import inspect
import traceback
from dataclasses import dataclass
from functools import singledispatch
from typing import Any

__all__ = ["LearnerLine", "code_of", "has_no_body", "no_body"]

STUB = {"RESUME", "NOP", "LOAD_CONST", "RETURN_CONST", "RETURN_VALUE"}
"""The instructions of a function whose body is only a docstring, ``pass`` or ``...``."""


def has_no_body(answer: Any) -> bool:
    """Whether a function has nothing but a docstring, ``pass`` or ``...``; what is no function has not."""
    return no_body.dispatch(type(answer))(answer)  # by its type: what an answer says of its class may be anything


@singledispatch
def no_body(answer: Any) -> bool:
    """The same of an answer in this process; the type that stands for one elsewhere registers how it knows."""
    code = code_of(answer)
    return inspect.iscode(code) and {each.opname for each in dis.get_instructions(code)} <= STUB


def code_of(answer: Any) -> Any:
    """The code of a function; None for anything else, which may raise whatever it likes when it is asked."""
    try:
        return answer.__code__
    except Exception:
        return None


@dataclass(frozen=True)
class LearnerLine:
    """The deepest line of the learner's source that an exception passed through.

    Parameters
    ----------
    line : counted from the first of the function that was called; 0 or less where it is another function above it
    function : its name
    source : the line
    """

    line: int
    function: str
    source: str

    def __str__(self) -> str:
        """As the end of a sentence, with a space before it."""
        return f" in line {self.line} of {self.function}: `{self.source}`" if self.line > 0 else f" in `{self.source}`"

    @classmethod
    def of(cls, exception: BaseException, answer: Any) -> LearnerLine | None:
        """That of an exception that ``answer`` raised, here or in a learner's process, where it can be known."""
        crossed = getattr(exception, "learner_line", None)
        if isinstance(crossed, cls):
            return crossed
        code = code_of(answer)
        if code is None:
            return None
        frames = traceback.extract_tb(exception.__traceback__)
        own = [frame for frame in frames if frame.filename == code.co_filename and frame.line]
        if not own:
            return None
        return cls((own[-1].lineno or code.co_firstlineno) - code.co_firstlineno + 1, code.co_name, own[-1].line or "")
