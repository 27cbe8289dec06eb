"""A course of one small lesson, for the tests of the instructor's path."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from autograder.course.folders import COURSE
from autograder.course.release import release
from autograder.exercises import Exercise, exercises

LESSON = "05_backpropagation"


@pytest.fixture(autouse=True)
def _own_settings_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the tests away from a gradebook and lessons that the person running them has set."""
    monkeypatch.delenv("CHAINRULE_DB_URL", raising=False)
    monkeypatch.delenv("CHAINRULE_LESSONS", raising=False)


@pytest.fixture(scope="session")
def two_exercises() -> list[Exercise]:
    """The first two exercises of the lesson; the small lesson has these."""
    return [exercise for exercise in exercises() if exercise.lesson == LESSON][:2]


RIGHT = {
    "05.output_delta": "a2 = 1 / (1 + np.exp(-z2))\n    return (a2 - y) * a2 * (1 - a2)",
    "05.output_layer": "return np.outer(dz2, a1), dz2",
}
"""The right bodies of the two functions of the small lesson."""


@pytest.fixture(scope="session")
def written() -> Callable[..., str]:
    """Makes the code of an answer to one of the two exercises; None is for the right body."""

    def write(exercise: Exercise, body: str | None = None) -> str:
        return f"def {exercise.function}({', '.join(exercise.inputs)}):\n    {body or RIGHT[exercise.id]}"

    return write


@pytest.fixture(scope="session")
def lesson_text(two_exercises: list[Exercise]) -> str:
    """The source of the small lesson."""
    cells = [
        f"```{{code-cell}} ipython3\n:exercise: {exercise.id}\n\n"
        f"def {exercise.function}({', '.join(exercise.inputs)}):\n"
        f"    ### BEGIN SOLUTION\n    {RIGHT[exercise.id]}\n    ### END SOLUTION\n```\n"
        for exercise in two_exercises
    ]
    imports = "import numpy as np\n\nfrom autograder import check"
    return "\n".join(["# A small lesson\n", f"```{{code-cell}} ipython3\n{imports}\n```\n", *cells, "The end.\n"])


@pytest.fixture
def solutions(tmp_path: Path, lesson_text: str) -> Path:
    """A folder of lesson sources with the small lesson."""
    return write_solutions(tmp_path, lesson_text)


@pytest.fixture
def course(tmp_path: Path) -> Path:
    """A copy of the course, without a repository around it and without lessons in it."""
    return copy_course(tmp_path)


@pytest.fixture(scope="session")
def _released_once(tmp_path_factory: pytest.TempPathFactory, lesson_text: str) -> Path:
    folder = tmp_path_factory.mktemp("released")
    course = copy_course(folder)
    release(course=course, solutions=write_solutions(folder, lesson_text))
    return course


@pytest.fixture
def released_course(tmp_path: Path, _released_once: Path) -> Path:
    """A copy of the course from which the small lesson has been released."""
    return shutil.copytree(_released_once, tmp_path / "released_course")


def write_solutions(parent: Path, lesson_text: str) -> Path:
    folder = parent / "solutions"
    folder.mkdir()
    (folder / f"{LESSON}.md").write_text(lesson_text, encoding="utf-8")
    return folder


def copy_course(parent: Path) -> Path:
    folder = parent / "course"
    folder.mkdir()
    shutil.copy(COURSE / "nbgrader_config.py", folder)
    return folder


@pytest.fixture(scope="session")
def nbgrader() -> Callable[..., "subprocess.CompletedProcess[str]"]:
    """Runs one of nbgrader's own commands inside a course, as an instructor does."""

    def run(course: Path, *arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-m", "nbgrader", *arguments]
        return subprocess.run(
            command, cwd=course, env=os.environ | environment, capture_output=True, text=True, timeout=300, check=False
        )

    return run


@pytest.fixture
def read_only() -> Path:
    """A folder that nothing can be written into, not even by root."""
    return Path("/sys/kernel")
