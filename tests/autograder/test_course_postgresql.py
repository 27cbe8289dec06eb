"""The gradebook can live in PostgreSQL: one environment variable, and nbgrader's commands use it."""

from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from nbgrader.api import Gradebook

from autograder.exercises import Exercise
from tests.autograder.postgresql import NEEDED, server

LESSON = "05_backpropagation"

pytestmark = [pytest.mark.xdist_group("postgresql"), *NEEDED]  # one worker, one server


@pytest.fixture(scope="module")
def database() -> Iterator[str]:
    """The URL of a new database."""
    with server() as url:
        yield url


def test_released_and_graded_with_the_gradebook_in_postgresql(
    database: str, released_course: Path, two_exercises: list[Exercise], written, nbgrader
):
    (released_course / "gradebook.db").unlink()
    released = released_course / "release" / LESSON / f"{LESSON}.ipynb"
    notebook = nbformat.read(released, as_version=nbformat.NO_CONVERT)
    exercise = two_exercises[0]
    answer = next(cell for cell in notebook.cells if cell.id == exercise.id.replace(".", "-"))
    answer.source = written(exercise)
    submitted = released_course / "submitted" / "ada" / LESSON
    submitted.mkdir(parents=True)
    nbformat.write(notebook, submitted / released.name)

    for command in (("generate_assignment", "--force", LESSON), ("autograde", LESSON), ("export",)):
        outcome = nbgrader(released_course, *command, CHAINRULE_DB_URL=database)
        assert outcome.returncode == 0, outcome.stderr

    with Gradebook(database) as book:
        assert book.find_submission(LESSON, "ada").score == exercise.points
    assert "ada" in (released_course / "grades.csv").read_text(encoding="utf-8")
    assert not (released_course / "gradebook.db").exists()
