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
from autograder.exercises.model import Exercise, Mistake, Step

__all__ = ["Exercise", "Mistake", "Step", "exercises", "find"]

_PREFIX = "lesson_"


@cache
def _catalogue() -> dict[str, Exercise]:
    """Every exercise by id, lessons in order and each lesson's exercises in the order of its module."""
    modules = sorted(module.name for module in pkgutil.iter_modules(__path__) if module.name.startswith(_PREFIX))
    return {
        exercise.id: replace(exercise, lesson=name.removeprefix(_PREFIX))
        for name in modules
        for exercise in import_module(f"{__name__}.{name}").EXERCISES
    }


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
    catalogue = _catalogue()
    if id not in catalogue:
        close = difflib.get_close_matches(str(id), catalogue, n=3) or list(catalogue)[:3]
        raise CourseError(f"There is no exercise {id!r}. Did you mean {' or '.join(repr(name) for name in close)}?")
    return catalogue[id]
