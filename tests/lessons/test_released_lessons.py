"""Every lesson runs from top to bottom: solved it earns everything, as released nothing, and neither complains."""

import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbformat import NotebookNode
from nbgrader.utils import determine_grade, is_grade

from autograder.course.build import build
from autograder.course.folders import COURSE, lesson_sources
from autograder.course.release import release
from autograder.exercises import exercises

LESSONS = list(lesson_sources(None, None))
CELL_TIMEOUT = 120


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A course elsewhere, into which lessons are built and from which they are released."""
    folder = tmp_path_factory.mktemp("lessons")
    (folder / "nbgrader_config.py").write_bytes((COURSE / "nbgrader_config.py").read_bytes())
    return folder


@pytest.fixture(autouse=True)
def _own_progress(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The lessons record progress, as they do for a learner, but not that of the person running the tests."""
    monkeypatch.setenv("CHAINRULE_PROGRESS", str(tmp_path / "progress.jsonl"))
    monkeypatch.delenv("CHAINRULE_DB_URL", raising=False)


def executed(path: Path, folder: Path) -> NotebookNode:
    """The notebook after running every cell, errors and all."""
    notebook = nbformat.read(path, as_version=nbformat.NO_CONVERT)
    resources = {"metadata": {"path": str(folder)}}
    return NotebookClient(notebook, timeout=CELL_TIMEOUT, allow_errors=True, resources=resources).execute()


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


@pytest.mark.parametrize("lesson", LESSONS)
def test_a_solved_lesson_runs_without_a_warning_and_earns_every_point(lesson: str, scratch: Path, tmp_path: Path):
    (path,) = build([lesson], output=scratch / "solved")
    notebook = executed(path, tmp_path)
    assert complaints(notebook) == []
    lost = {cell.source: determine_grade(cell) for cell in checks(notebook)}
    assert {source: grade for source, grade in lost.items() if grade[0] != grade[1]} == {}


@pytest.mark.parametrize("lesson", LESSONS)
def test_a_lesson_as_released_runs_and_every_check_says_not_attempted(lesson: str, scratch: Path, tmp_path: Path):
    (path,) = release([lesson], scratch, lessons_dir=scratch / "released")
    notebook = executed(path, tmp_path)
    assert complaints(notebook) == []
    for cell in checks(notebook):
        (result,) = [output for output in cell.outputs if output.output_type == "execute_result"]
        assert result.data["text/plain"] == "0", cell.source
        assert "Not attempted yet" in result.data["text/html"], cell.source


@pytest.mark.parametrize("lesson", LESSONS)
def test_a_lesson_uses_each_of_its_exercises_in_their_order(lesson: str, scratch: Path):
    (path,) = build([lesson], output=scratch / "read")
    notebook = nbformat.read(path, as_version=nbformat.NO_CONVERT)
    used = [id for cell in checks(notebook) for id in re.findall(r'^check\("([^"]+)"', cell.source, re.MULTILINE)]
    assert used == [exercise.id for exercise in exercises() if exercise.lesson == lesson]


def test_every_lesson_with_exercises_has_a_source():
    assert {exercise.lesson for exercise in exercises()} <= set(LESSONS)


def test_the_committed_lessons_are_what_the_sources_generate():
    assert release(check=True) == []
