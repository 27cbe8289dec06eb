"""What can be told of an answer by looking at it: whether it has a body, and where in it an exception comes from.

A check asks this of an answer in its own process; the process that holds a learner's code asks it too, to pass it on.
``no_body`` and ``made_calls`` depend on where an answer is: the type that stands for one elsewhere registers its own.
"""

from __future__ import annotations

import dis
import inspect
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial, singledispatch
from typing import Any

__all__ = ["LearnerLine", "calls", "code_of", "has_no_body", "made_calls", "no_body"]

STUB = {
    dis.opmap[name] for name in ("RESUME", "NOP", "LOAD_CONST", "RETURN_CONST", "RETURN_VALUE") if name in dis.opmap
}
"""The instructions of a function whose body is only a docstring, ``pass`` or ``...``, in this Python."""


def has_no_body(answer: Any) -> bool:
    """Whether a function has nothing but a docstring, ``pass`` or ``...``; what is no function has not."""
    return no_body.dispatch(type(answer))(answer)  # by its type: what an answer says of its class may be anything


@singledispatch
def no_body(answer: Any) -> bool:
    """The same of an answer in this process."""
    code = code_of(answer)
    return inspect.iscode(code) and STUB.issuperset(code.co_code[::2])


def calls(answer: Any, arguments: Sequence[tuple[Any, ...]]) -> list[Callable[[], Any]]:
    """Calls of an answer with one tuple of arguments after the other, to be made in this order, or up to any of them.

    Where the answer is far away, further ones may be made together with the first, up to one that raises.
    """
    return made_calls.dispatch(type(answer))(answer, arguments)


@singledispatch
def made_calls(answer: Any, arguments: Sequence[tuple[Any, ...]]) -> list[Callable[[], Any]]:
    """The same of an answer in this process."""
    return [partial(answer, *each) for each in arguments]


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
