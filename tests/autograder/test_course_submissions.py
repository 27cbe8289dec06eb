"""No answer loses its points to what happened to the notebook around it: nbgrader's own autograde gives them all."""

import shutil
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell
from nbgrader.api import Gradebook

from autograder.course.submissions import restore_notebook_name
from autograder.exercises import Exercise

LESSON = "05_backpropagation"

Change = Callable[[NotebookNode, str], None]
"""What happens to a notebook with right answers; the second argument is nbgrader's name of the first answer."""


def place(notebook: NotebookNode, name: str) -> int:
    ids = [cell.metadata.get("nbgrader", {}).get("grade_id") for cell in notebook.cells]
    return ids.index(name)


def nothing(notebook: NotebookNode, answer: str) -> None:
    """The notebook is handed in as it should be."""


def check_deleted(notebook: NotebookNode, answer: str) -> None:
    del notebook.cells[place(notebook, f"{answer}-check")]


def answer_moved_to_a_new_cell(notebook: NotebookNode, answer: str) -> None:
    check_deleted(notebook, answer)
    cell = notebook.cells.pop(place(notebook, answer))
    notebook.cells.append(new_code_cell(cell.source))


def answer_and_check_deleted(notebook: NotebookNode, answer: str) -> None:
    check_deleted(notebook, answer)
    del notebook.cells[place(notebook, answer)]


def all_metadata_lost(notebook: NotebookNode, answer: str) -> None:
    """An editor that keeps an older format, without cell ids, and nothing of nbgrader's."""
    notebook.nbformat_minor = 4
    for cell in notebook.cells:
        cell.metadata.clear()
        del cell["id"]


def name_lost(notebook: NotebookNode, answer: str) -> None:
    del notebook.cells[place(notebook, f"{answer}-check")].metadata.nbgrader["grade_id"]


def check_copied(notebook: NotebookNode, answer: str) -> None:
    cell = notebook.cells[place(notebook, f"{answer}-check")]
    notebook.cells.append(new_code_cell(cell.source, metadata=cell.metadata))


def code_turned_into_text(notebook: NotebookNode, answer: str) -> None:
    for name in (answer, f"{answer}-check"):
        cell = notebook.cells[place(notebook, name)]
        notebook.cells[place(notebook, name)] = new_markdown_cell(cell.source, metadata=cell.metadata)


def check_replaced_by_a_number(notebook: NotebookNode, answer: str) -> None:
    notebook.cells[place(notebook, answer)].source = "pass"
    check = notebook.cells[place(notebook, f"{answer}-check")]
    check.source = "2"
    check.metadata.nbgrader.update(solution=True, locked=False, points=1000)


def answer_claims_points(notebook: NotebookNode, answer: str) -> None:
    notebook.cells[place(notebook, answer)].metadata.nbgrader.update(grade=True, points=1000, schema_version=99)


def check_before_answer(notebook: NotebookNode, answer: str) -> None:
    check = notebook.cells.pop(place(notebook, f"{answer}-check"))
    notebook.cells.insert(place(notebook, answer), check)


def metadata_damaged(notebook: NotebookNode, answer: str) -> None:
    notebook.cells[place(notebook, f"{answer}-check")].metadata["nbgrader"] = "lost"
    notebook.metadata["kernelspec"] = {"name": "no-such-kernel", "display_name": "?"}


SUBMISSIONS: dict[str, tuple[Change, str, int]] = {
    "as-it-should-be": (nothing, LESSON, 0),
    "renamed": (nothing, f"{LESSON} (1)", 0),
    "check-deleted": (check_deleted, LESSON, 0),
    "answer-moved": (answer_moved_to_a_new_cell, LESSON, 0),
    "metadata-lost": (all_metadata_lost, LESSON, 0),
    "name-lost": (name_lost, LESSON, 0),
    "check-copied": (check_copied, LESSON, 0),
    "check-before-answer": (check_before_answer, LESSON, 0),
    "metadata-damaged": (metadata_damaged, LESSON, 0),
    "code-as-text": (code_turned_into_text, LESSON, 0),
    "answer-claims-points": (answer_claims_points, LESSON, 0),
    "answer-and-check-deleted": (answer_and_check_deleted, LESSON, 1),
    "check-replaced": (check_replaced_by_a_number, LESSON, 1),
}
"""Learner -> what happened to the notebook, under which name it was handed in, and how many answers are lost by it."""


# One worker makes the graded course that all of these tests look at.
pytestmark = pytest.mark.xdist_group("submissions")


@pytest.fixture(scope="module")
def graded(
    _released_once: Path, two_exercises: list[Exercise], written, nbgrader, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The course after ``nbgrader autograde``: right answers in all kinds of notebooks, and what is no notebook."""
    course = shutil.copytree(_released_once, tmp_path_factory.mktemp("graded") / "course")
    released = course / "release" / LESSON / f"{LESSON}.ipynb"
    for learner, (change, name, _) in SUBMISSIONS.items():
        notebook = nbformat.read(released, as_version=nbformat.NO_CONVERT)
        for exercise in two_exercises:
            cell = notebook.cells[place(notebook, exercise.id.replace(".", "-"))]
            cell.source = written(exercise)
        change(notebook, two_exercises[0].id.replace(".", "-"))
        write(course, learner, name, nbformat.writes(notebook))
    write(course, "no-notebook", LESSON, "{ this is no JSON")
    outcome = nbgrader(course, "autograde", LESSON)
    finished = {path.parents[1].name for path in (course / "autograded").glob(f"*/{LESSON}/{LESSON}.ipynb")}
    assert finished == set(SUBMISSIONS), outcome.stderr
    return course


def write(course: Path, learner: str, name: str, text: str) -> None:
    folder = course / "submitted" / learner / LESSON
    folder.mkdir(parents=True)
    (folder / f"{name}.ipynb").write_text(text, encoding="utf-8")


def points(course: Path, learner: str) -> float:
    with Gradebook(f"sqlite:///{course / 'gradebook.db'}") as book:
        return book.find_submission(LESSON, learner).score


@pytest.mark.parametrize("learner", SUBMISSIONS)
def test_right_answers_earn_their_points_whatever_happened_around_them(
    learner: str, graded: Path, two_exercises: list[Exercise]
):
    lost = SUBMISSIONS[learner][2]
    assert points(graded, learner) == sum(exercise.points for exercise in two_exercises[lost:])


def test_a_submission_that_is_no_notebook_earns_nothing_and_harms_nobody(graded: Path):
    assert points(graded, "no-notebook") == 0
    assert not list((graded / "autograded" / "no-notebook").rglob("*.ipynb"))


def test_what_was_handed_in_is_kept_beside_its_copy_with_the_right_name(graded: Path):
    folder = graded / "submitted" / "renamed" / LESSON
    handed_in, graded_copy = folder / f"{LESSON} (1).ipynb", folder / f"{LESSON}.ipynb"
    assert handed_in.read_bytes() == graded_copy.read_bytes()


def test_two_unknown_notebooks_are_left_to_the_instructor(released_course: Path, nbgrader):
    text = (released_course / "release" / LESSON / f"{LESSON}.ipynb").read_text(encoding="utf-8")
    write(released_course, "ada", "first", text)
    shutil.copy(
        released_course / "submitted" / "ada" / LESSON / "first.ipynb",
        released_course / "submitted" / "ada" / LESSON / "second.ipynb",
    )
    outcome = nbgrader(released_course, "autograde", LESSON)
    assert outcome.returncode == 1
    assert "Skipping unknown notebook" in outcome.stderr


def test_a_renamed_notebook_that_is_handed_in_again_is_graded_anew(tmp_path: Path):
    folder = tmp_path / LESSON
    folder.mkdir()
    handed_in, copy = folder / "mine.ipynb", folder / f"{LESSON}.ipynb"
    for text in ("the first try", "the second try"):
        handed_in.write_text(text)
        notebooks = [str(path) for path in folder.glob("*.ipynb")]
        restore_notebook_name(LESSON, "ada", notebooks)
        assert notebooks == [str(copy)]
        assert copy.read_text() == text


def test_a_notebook_with_the_right_name_is_never_overwritten(tmp_path: Path):
    folder = tmp_path / LESSON
    folder.mkdir()
    handed_in, right = folder / "mine.ipynb", folder / f"{LESSON}.ipynb"
    handed_in.write_text("an old try")
    restore_notebook_name(LESSON, "ada", [str(handed_in)])
    right.write_text("a new try under the right name")
    notebooks = [str(handed_in), str(right)]
    restore_notebook_name(LESSON, "ada", notebooks)
    assert right.read_text() == "a new try under the right name"
    assert notebooks == [str(handed_in), str(right)]
