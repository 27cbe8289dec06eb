"""The catalogue: every exercise of the course, defined once, in one module a lesson.

A module ``lesson_<lesson>.py`` in this folder holds the list ``EXERCISES``; it is found by its name, so a new lesson
needs no entry anywhere else.
"""

from __future__ import annotations

import difflib
import pkgutil
from dataclasses import replace
from functools import cache
from importlib import import_module

from autograder.errors import CourseError
from autograder.exercises.libraries import LIBRARIES
from autograder.exercises.model import Exercise, Mistake, Step

__all__ = ["Exercise", "Mistake", "Step", "exercises", "find", "withheld"]

_PREFIX = "lesson_"


@cache
def _modules() -> list[str]:
    """The names of the lessons' modules, lessons in order."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__) if module.name.startswith(_PREFIX))


@cache
def _lesson(module: str) -> dict[str, Exercise]:
    """The exercises of one module by id, in its order."""
    lesson = module.removeprefix(_PREFIX)
    return {each.id: replace(each, lesson=lesson) for each in import_module(f"{__name__}.{module}").EXERCISES}


@cache
def _catalogue() -> dict[str, Exercise]:
    """Every exercise by id, lessons in order and each lesson's exercises in the order of its module."""
    return {id: exercise for module in _modules() for id, exercise in _lesson(module).items()}


def withheld(lesson: str) -> tuple[str, ...]:
    """What answers to a lesson such as ``"05_backpropagation"`` may not import while they are graded.

    Modules by their names, and single names in a module, such as ``"chainrule_lib.activations.sigmoid_derivative"``:
    what the lesson's module lists in its constant ``WITHHELD``, and libraries that solve exercises of any lesson.
    """
    module = f"{_PREFIX}{lesson}"
    own = getattr(import_module(f"{__name__}.{module}"), "WITHHELD", ()) if module in _modules() else ()
    return (*own, *LIBRARIES)


def exercises() -> list[Exercise]:
    """All exercises in lesson order."""
    return list(_catalogue().values())


def find(id: str) -> Exercise:
    """The exercise with this id.

    Raises
    ------
    CourseError
        There is none; the message names the closest ones.
    """
    for module in _modules():
        # A check needs its own lesson only, and the others need not be imported for it.
        if module.startswith(f"{_PREFIX}{str(id).partition('.')[0]}_") and id in _lesson(module):
            return _lesson(module)[id]
    catalogue = _catalogue()
    if id not in catalogue:
        close = difflib.get_close_matches(str(id), catalogue, n=3) or list(catalogue)[:3]
        raise CourseError(f"There is no exercise {id!r}. Did you mean {' or '.join(repr(name) for name in close)}?")
    return catalogue[id]
