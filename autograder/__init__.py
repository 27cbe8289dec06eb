"""The checker a learner meets: ``check`` an answer, see ``progress``, look through the ``exercises``.

Importing this package must stay light, since it happens in the first cell of every lesson: numpy and the standard
library only. Grading with nbgrader lives in ``autograder.course`` and is imported from there.
"""

from autograder.checking import CheckResult, check, evaluate
from autograder.errors import CourseError
from autograder.exercises import Exercise, Mistake, exercises
from autograder.progress import progress

__all__ = ["CheckResult", "CourseError", "Exercise", "Mistake", "check", "evaluate", "exercises", "progress"]
