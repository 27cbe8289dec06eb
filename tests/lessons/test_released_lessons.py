"""Every lesson runs from top to bottom: solved it earns everything, as released nothing, and neither complains."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbformat import NotebookNode
from nbgrader.utils import determine_grade, is_grade

from autograder.course.build import build
from autograder.course.folders import COURSE, lesson_sources
from autograder.course.release import release
from autograder.exercises import exercises


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A course elsewhere, into which lessons are built and from which they are released."""
    folder = tmp_path_factory.mktemp("lessons")
    (folder / "nbgrader_config.py").write_bytes((COURSE / "nbgrader_config.py").read_bytes())
    return folder


def complaints(notebook: NotebookNode) -> list[str]:
    """Every error and everything written to stderr, where warnings go, with the cell it came from."""
    return [
        f"{cell.id}: {output.get('evalue', output.get('text'))}\n{cell.source}"
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if output.output_type == "error" or output.get("name") == "stderr"
    ]


def checks(notebook: NotebookNode) -> list[NotebookNode]:
    return [cell for cell in notebook.cells if is_grade(cell)]


def test_a_solved_lesson_runs_without_a_warning_and_earns_every_point(lesson: str, solved: Callable[[str], Any]):
    notebook = solved(lesson).notebook
    assert complaints(notebook) == []
    lost = {cell.source: determine_grade(cell) for cell in checks(notebook)}
    assert {source: grade for source, grade in lost.items() if grade[0] != grade[1]} == {}


def test_a_solved_lesson_stays_within_its_time_budget(
    lesson: str, solved: Callable[[str], Any], budgets: dict[str, float], record_property: Callable[[str, object], None]
):
    seconds = solved(lesson).seconds
    record_property("lesson_seconds", (lesson, seconds))
    assert lesson in budgets, f"lessons/TIMINGS.md has no row for {lesson}"
    assert seconds <= budgets[lesson]


def test_a_lesson_as_released_runs_and_every_check_says_not_attempted(
    lesson: str, as_released: Callable[[str], NotebookNode]
):
    notebook = as_released(lesson)
    assert complaints(notebook) == []
    for cell in checks(notebook):
        (result,) = [output for output in cell.outputs if output.output_type == "execute_result"]
        assert result.data["text/plain"] == "0", cell.source
        assert "Not attempted yet" in result.data["text/html"], cell.source


def test_a_lesson_uses_each_of_its_exercises_in_their_order(lesson: str, scratch: Path):
    (path,) = build([lesson], output=scratch / "read")
    notebook = nbformat.read(path, as_version=nbformat.NO_CONVERT)
    used = [id for cell in checks(notebook) for id in re.findall(r'^check\("([^"]+)"', cell.source, re.MULTILINE)]
    assert used == [exercise.id for exercise in exercises() if exercise.lesson == lesson]


def test_every_lesson_with_exercises_has_a_source():
    assert {exercise.lesson for exercise in exercises()} <= set(lesson_sources(None, None))


def test_the_committed_lessons_are_what_the_sources_generate():
    assert release(check=True) == []
