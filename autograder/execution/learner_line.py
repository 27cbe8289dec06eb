"""The line of a learner's own source that an exception comes from."""

from __future__ import annotations

import traceback
from dataclasses import dataclass
from typing import Any

__all__ = ["LearnerLine", "code_of"]


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
