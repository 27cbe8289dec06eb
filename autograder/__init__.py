"""The checker a learner meets: ``check`` an answer, see ``progress``, look through the ``exercises``.

Importing this package must stay light, since it happens in the first cell of every lesson, and in processes that must
not hold the exercises: a name is loaded when it is first asked for (PEP 562). Grading with nbgrader lives in
``autograder.course`` and is imported from there.
"""

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from autograder.checking import CheckResult, check, evaluate
    from autograder.errors import CourseError
    from autograder.exercises import Exercise, Mistake, exercises
    from autograder.progress import progress

__all__ = ["CheckResult", "CourseError", "Exercise", "Mistake", "check", "evaluate", "exercises", "progress"]

_HOME = {
    "CheckResult": "checking",
    "CourseError": "errors",
    "Exercise": "exercises",
    "Mistake": "exercises",
    "check": "checking",
    "evaluate": "checking",
    "exercises": "exercises",
    "progress": "progress",
}
"""The module that each public name comes from."""


class _Package(ModuleType):
    """This package. Two of its modules bear the name of their main function; here the name means the function."""

    def __setattr__(self, name: str, value: Any) -> None:
        if isinstance(value, ModuleType) and _HOME.get(name) == name:
            value = getattr(value, name)  # Python sets a package's attribute when it has imported a module of it
        super().__setattr__(name, value)


if not TYPE_CHECKING:  # a type checker reads the imports above, and would take any name for one of these

    def __getattr__(name: str) -> Any:
        """A public name, loaded now."""
        if name not in _HOME:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        found = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
        setattr(sys.modules[__name__], name, found)
        return found


def __dir__() -> list[str]:
    """Every public name, loaded or not."""
    return sorted({*globals(), *__all__})


sys.modules[__name__].__class__ = _Package
