"""What can go wrong between a check and the learner's process, in sentences for the learner."""

from __future__ import annotations

from autograder.errors import BoundaryError, NotAnAnswer

__all__ = ["ProtocolError", "StudentGone", "StudentTimeout", "ValueTooLarge"]


class StudentGone(BoundaryError):
    """The process with the learner's code has ended, or was given up before."""


class StudentTimeout(BoundaryError):
    """The learner's code did not answer before the deadline."""


class ProtocolError(BoundaryError):
    """The process with the learner's code sent what only tampering makes it send."""


class ValueTooLarge(NotAnAnswer):
    """A value is too large, or nested too deeply, to be handed over. The process is as good as before."""
