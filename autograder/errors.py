"""The exceptions that are written for a person to read.

A `CourseError` is raised for what its user can put right: an unknown lesson, a folder that is missing, an exercise id
with a slip in it. Its message is one sentence or two that say what was given, what was expected and what to do. The
`chainrule` command prints it and exits with status 2; a notebook shows the sentence alone, without the path through
our code that led to it.

A `NotAnAnswer` says of a learner's answer why it cannot be tried. A `BoundaryError` says that the process with the
learner's code cannot be talked to any more; see `autograder.execution.boundary`.
"""

from typing import Literal

__all__ = ["BoundaryError", "CourseError", "NotAnAnswer"]


class CourseError(Exception):
    """A mistake that the person at the keyboard can put right, told in a sentence."""

    def _render_traceback_(self) -> list[str]:
        """The lines that IPython shows in place of a traceback (IPython's custom-traceback protocol)."""
        return [str(self)]


class NotAnAnswer(Exception):
    """What was handed in cannot be tried; the message says why, for the learner.

    ``verdict`` is that of the check, see ``autograder.checking.result``.
    """

    def __init__(self, message: str, verdict: Literal["wrong shape", "raised"] = "wrong shape") -> None:
        super().__init__(message)
        self.verdict = verdict


class BoundaryError(BaseException):
    """The process that runs a learner's code is gone, silent or breaks the rules: a check cannot go on.

    Like KeyboardInterrupt it is no Exception, for it comes from outside of the code that it stops: a check that says
    ``except Exception`` because an answer is to raise one must not take a dead process for that.
    """

    def _render_traceback_(self) -> list[str]:
        """As for a ``CourseError``."""
        return [str(self)]
