"""The one exception that is written for a person to read.

A `CourseError` is raised for what its user can put right: an unknown lesson, a folder that is missing, an exercise id
with a slip in it. Its message is one sentence or two that say what was given, what was expected and what to do. The
`chainrule` command prints it and exits with status 2; a notebook shows the sentence alone, without the path through
our code that led to it.
"""

__all__ = ["CourseError"]


class CourseError(Exception):
    """A mistake that the person at the keyboard can put right, told in a sentence."""

    def _render_traceback_(self) -> list[str]:
        """The lines that IPython shows in place of a traceback (IPython's custom-traceback protocol)."""
        return [str(self)]
