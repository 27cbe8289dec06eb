"""Lessons as text and as they run, for the tests of this folder. A solved lesson is run once for all tests of it."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import nbformat
import pytest
from nbclient import NotebookClient
from nbformat import NotebookNode

from autograder.course.build import build, source_notebook
from autograder.course.folders import LESSONS as LESSONS_FOLDER
from autograder.course.folders import lesson_sources, notebook_path
from autograder.exercises import exercises

SOURCES = lesson_sources(None, None)
LESSONS = [lesson for lesson in SOURCES if lesson in {exercise.lesson for exercise in exercises()}]
"""Every lesson; the glossary, which has no exercises, is none."""

CELL_TIMEOUT = 120


class Solved(NamedTuple):
    """A solved lesson after running, and how long that took, the start of the kernel included."""

    notebook: NotebookNode
    seconds: float


def executed(path: Path, folder: Path) -> NotebookNode:
    """The notebook after running every cell, errors and all."""
    notebook = nbformat.read(path, as_version=nbformat.NO_CONVERT)
    resources = {"metadata": {"path": str(folder)}}
    return NotebookClient(notebook, timeout=CELL_TIMEOUT, allow_errors=True, resources=resources).execute()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that asks for a lesson is made for each; with several processes, all of one lesson run in the same."""
    if "lesson" in metafunc.fixturenames:
        named = [pytest.param(lesson, marks=pytest.mark.xdist_group(lesson), id=lesson) for lesson in LESSONS]
        metafunc.parametrize("lesson", named)


@pytest.fixture(autouse=True)
def _own_progress(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The lessons record progress, as they do for a learner, but not that of the person running the tests."""
    monkeypatch.setenv("CHAINRULE_PROGRESS", str(tmp_path / "progress.jsonl"))
    monkeypatch.delenv("CHAINRULE_DB_URL", raising=False)


@pytest.fixture(scope="session")
def _solved_lessons() -> dict[str, Solved]:
    return {}


@pytest.fixture
def solved(_solved_lessons: dict[str, Solved], tmp_path: Path) -> Callable[[str], Solved]:
    """Runs a lesson with its solutions in place, unless that has been done."""

    def run(lesson: str) -> Solved:
        if lesson not in _solved_lessons:
            (path,) = build([lesson], output=tmp_path / "solved")
            start = time.perf_counter()
            notebook = executed(path, tmp_path)
            _solved_lessons[lesson] = Solved(notebook, time.perf_counter() - start)
        return _solved_lessons[lesson]

    return run


@pytest.fixture(scope="session")
def _lessons_as_released() -> dict[str, NotebookNode]:
    return {}


@pytest.fixture
def as_released(_lessons_as_released: dict[str, NotebookNode], tmp_path: Path) -> Callable[[str], NotebookNode]:
    """Runs a lesson as learners get it, unless that has been done."""

    def run(lesson: str) -> NotebookNode:
        if lesson not in _lessons_as_released:
            _lessons_as_released[lesson] = executed(notebook_path(LESSONS_FOLDER, lesson), tmp_path)
        return _lessons_as_released[lesson]

    return run


@pytest.fixture(scope="session")
def run_released() -> Callable[[Path, Path], NotebookNode]:
    """Runs a notebook in a folder."""
    return executed


@pytest.fixture(scope="session")
def text_of() -> Callable[[str], str]:
    """The source of all cells of a lesson."""
    return lambda lesson: "\n\n".join(cell.source for cell in source_notebook(lesson, SOURCES[lesson]).cells)


@pytest.fixture(scope="session")
def prose_of() -> Callable[[str], str]:
    """The source of a lesson's Markdown cells."""

    def prose(lesson: str) -> str:
        cells = source_notebook(lesson, SOURCES[lesson]).cells
        return "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")

    return prose


@pytest.fixture(scope="session")
def displayed_formulas(prose_of: Callable[[str], str]) -> Callable[[str], list[str]]:
    """The formulas between double dollars in a lesson, with white space folded."""

    def formulas(lesson: str) -> list[str]:
        return [" ".join(found.split()) for found in re.findall(r"\$\$(.*?)\$\$", prose_of(lesson), re.DOTALL)]

    return formulas


@pytest.fixture(scope="session")
def budgets() -> dict[str, float]:
    """The seconds that running each solved lesson may take, from lessons/TIMINGS.md."""
    table = (Path(__file__).parents[2] / "lessons" / "TIMINGS.md").read_text(encoding="utf-8")
    return {name: float(budget) for name, budget in re.findall(r"^\| (\w+) \| (\d+) s \|", table, re.MULTILINE)}
