"""``autograder`` in a student process: a module that asks the grading process, and holds no exercises.

A learner's own ``check`` and ``evaluate`` work as ever, in any cell: the answer is lent to the grading process, which
tries it, and what it found comes back as data. Such a check has nothing to do with the marks. It draws its cases from a
fresh seed, or from the one that the learner gives, never from the submission's.

``install`` is the student process's half, ``ANSWERS`` the grading process's.
"""

from __future__ import annotations

import secrets
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from types import ModuleType
from typing import Any

from autograder.errors import CourseError

__all__ = ["ANSWERS", "Ask", "answer_question", "install"]

Ask = Callable[[str, tuple[Any, ...], dict[str, Any]], Any]
"""Has the grading process answer: the name of a question, its arguments by position, and those by name."""

HELD = ("autograder.checking", "autograder.course", "autograder.exercises", "autograder.feedback")
"""What a student process must never have imported."""


# --- In the grading process -------------------------------------------------------------------------------------------


def answer_question(name: str, arguments: Iterable[Any], options: Mapping[str, Any]) -> dict[str, Any]:
    """The answer to a learner's question as data: ``{"told": ...}``, or ``{"error": ...}`` with a sentence."""
    try:
        return {"told": _QUESTIONS[name](*arguments, **options)}
    except CourseError as error:
        return {"error": str(error)}


def _evaluated(id: str, answer: Any, seed: int | None = None, *, follow_through: bool = True) -> dict[str, Any]:
    """What a check finds, with its words and pictures."""
    from autograder.checking import evaluate
    from autograder.checking.seeding import BITS

    seed = secrets.randbits(BITS) if seed is None else seed
    result = evaluate(str(id), answer, seed, follow_through=bool(follow_through))
    return {
        "fields": asdict(result),
        "dict": result.to_dict(),
        "text": result.to_text(),
        "html": result.to_html(),
        "points": repr(result),
    }


def _checked(id: str, answer: Any, *, follow_through: bool = True) -> dict[str, Any]:
    return _evaluated(id, answer, follow_through=follow_through)


def _progress() -> dict[str, Any]:
    from autograder.progress import progress

    found = progress()
    return {"rows": [asdict(row) for row in found.rows], "text": repr(found), "html": found._repr_html_()}


def _exercises() -> list[dict[str, Any]]:
    from autograder.exercises import exercises

    return [{name: getattr(each, name) for name in SHOWN} for each in exercises()]


SHOWN = ("id", "lesson", "title", "points", "signature")
"""What a learner may know of an exercise: nothing of its answer."""

_QUESTIONS: dict[str, Callable[..., Any]] = {
    "check": _checked,
    "evaluate": _evaluated,
    "progress": _progress,
    "exercises": _exercises,
}


def _answering(name: str) -> Callable[..., dict[str, Any]]:
    def answer(*arguments: Any, **options: Any) -> dict[str, Any]:
        return answer_question(name, arguments, options)

    return answer


ANSWERS: dict[str, Callable[..., dict[str, Any]]] = {name: _answering(name) for name in _QUESTIONS}
"""What a student process may ask for, by name."""


# --- In the student process -------------------------------------------------------------------------------------------


def install(ask: Ask) -> None:
    """Make ``import autograder`` give the stand-in, in this process and for good.

    Raises
    ------
    RuntimeError
        Exercises or their checker are in this process.
    """
    if held := [name for name in HELD if name in sys.modules]:
        raise RuntimeError(f"These must not be in a process with learners' code: {', '.join(held)}.")
    sys.modules["autograder"] = _module(ask)


def _module(ask: Ask) -> ModuleType:
    """The module. It is no package, so nothing can be imported from beneath it."""

    def told(name: str, *arguments: Any, **options: Any) -> Any:
        answer = ask(name, arguments, options)
        if "error" in answer:
            raise CourseError(answer["error"])
        return answer["told"]

    def check(id: str, answer: Any, *, follow_through: bool = True) -> CheckResult:
        """Check an answer and show what was found."""
        return CheckResult(told("check", id, answer, follow_through=follow_through))

    def evaluate(id: str, answer: Any, seed: int | None = None, *, follow_through: bool = True) -> CheckResult:
        """Judge an answer to an exercise."""
        return CheckResult(told("evaluate", id, answer, seed, follow_through=follow_through))

    def progress() -> Progress:
        """The best scores so far, a row per lesson."""
        return Progress(told("progress"))

    def exercises() -> list[Exercise]:
        """All exercises in lesson order."""
        return [Exercise(fields) for fields in told("exercises")]

    module = ModuleType("autograder", "The checker, while notebooks are graded: it asks the process that grades.")
    public: list[Any] = [check, evaluate, progress, exercises, CheckResult, CourseError, Exercise]
    for each in public:
        setattr(module, each.__name__, each)
        if each.__module__ == __name__:
            each.__module__ = "autograder"
    vars(module)["__all__"] = sorted(each.__name__ for each in public)
    return module


class _Record:
    """An object with the attributes that a dictionary names; where it holds such dictionaries, they are records too."""

    def __init__(self, fields: Mapping[str, Any]) -> None:
        for name, value in fields.items():
            setattr(self, name, _recorded(value))

    def __repr__(self) -> str:
        inside = ", ".join(f"{name}={value!r}" for name, value in vars(self).items())
        return f"{type(self).__name__}({inside})"


def _recorded(value: Any) -> Any:
    if isinstance(value, dict):
        return _Record(value)
    return type(value)(map(_recorded, value)) if isinstance(value, list | tuple) else value


class Exercise(_Record):
    """An exercise: ``id``, ``lesson``, ``title``, ``points``, ``signature``."""


class CheckResult(_Record):
    """The outcome of a check, with the attributes that it has anywhere else."""

    def __init__(self, told: Mapping[str, Any]) -> None:
        super().__init__(told["fields"])
        self._told = told

    def to_text(self) -> str:
        """The feedback for a terminal."""
        return str(self._told["text"])

    def to_html(self) -> str:
        """The feedback for a notebook: self-contained HTML without scripts."""
        return str(self._told["html"])

    def to_dict(self) -> dict[str, Any]:
        """The result as plain data that every JSON reader takes."""
        return dict(self._told["dict"])

    def __repr__(self) -> str:
        return str(self._told["points"])

    def _repr_html_(self) -> str:
        return self.to_html()


class Progress(_Record):
    """Progress by lesson; shows itself as a table in a notebook and as text elsewhere."""

    def __init__(self, told: Mapping[str, Any]) -> None:
        super().__init__({"rows": tuple(told["rows"])})
        self._told = told

    def __repr__(self) -> str:
        return str(self._told["text"])

    def _repr_html_(self) -> str:
        return str(self._told["html"])
