"""Lessons are released by nbgrader itself, whole and reproducibly, and a check tells when they are out of date."""

import shutil
from pathlib import Path

import nbformat
import pytest
from nbgrader.api import Gradebook

from autograder.course.release import release
from autograder.errors import CourseError
from autograder.exercises import Exercise

LESSON = "05_backpropagation"


@pytest.fixture
def released(released_course: Path) -> Path:
    """The small lesson's released notebook."""
    return released_course / "release" / LESSON / f"{LESSON}.ipynb"


def gradebook(course: Path) -> Gradebook:
    return Gradebook(f"sqlite:///{course / 'gradebook.db'}")


def test_a_released_lesson_holds_the_questions_and_not_the_answers(released: Path, two_exercises: list[Exercise]):
    notebook = nbformat.read(released, as_version=nbformat.NO_CONVERT)
    nbformat.validate(notebook)
    code = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "code")
    assert "SOLUTION" not in code
    assert "reference" not in code
    assert code.count("raise NotImplementedError()") == len(two_exercises)
    checks = [cell for cell in notebook.cells if cell.metadata.get("nbgrader", {}).get("grade")]
    assert [check.metadata.editable for check in checks] == [False] * len(two_exercises)


def test_the_same_sources_release_the_same_bytes(released: Path, solutions: Path, released_course: Path):
    before = released.read_bytes()
    release(solutions=solutions, course=released_course)
    assert released.read_bytes() == before


def test_nbgraders_own_command_releases_the_same_bytes(released: Path, released_course: Path, nbgrader):
    before = released.read_bytes()
    released.unlink()
    assert nbgrader(released_course, "generate_assignment", "--force", LESSON).returncode == 0
    assert released.read_bytes() == before


def test_the_gradebook_learns_the_points(released: Path, released_course: Path, two_exercises: list[Exercise]):
    with gradebook(released_course) as book:
        assert book.find_assignment(LESSON).max_score == sum(exercise.points for exercise in two_exercises)


def test_a_copy_of_the_course_releases_into_its_own_folder(released: Path, solutions: Path, released_course: Path):
    assert release(solutions=solutions, course=released_course) == [released.resolve()]


def test_the_environment_names_another_folder_for_lessons(
    solutions: Path, course: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("CHAINRULE_LESSONS", str(tmp_path / "elsewhere"))
    assert release(solutions=solutions, course=course) == [tmp_path / "elsewhere" / LESSON / f"{LESSON}.ipynb"]


def test_a_course_inside_a_repository_releases_into_its_lessons(solutions: Path, course: Path):
    inside = solutions.parent / "autograder" / "course"
    shutil.copytree(course, inside)
    assert release(solutions=solutions, course=inside) == [solutions.parent / "lessons" / LESSON / f"{LESSON}.ipynb"]


def test_check_accepts_what_was_just_released(released: Path, solutions: Path, released_course: Path):
    assert release(solutions=solutions, course=released_course, check=True) == []


@pytest.mark.parametrize("fault", ["differs from its source", "is missing", "has no source"])
def test_check_names_the_lesson_and_its_fault(fault: str, released: Path, solutions: Path, released_course: Path):
    lesson = LESSON
    if fault == "differs from its source":
        released.write_bytes(released.read_bytes() + b" ")
    elif fault == "is missing":
        released.unlink()
    else:
        lesson = "06_forgotten"
        shutil.copytree(released.parent, released.parents[1] / lesson)
        (released.parents[1] / lesson / released.name).rename(released.parents[1] / lesson / f"{lesson}.ipynb")
    with pytest.raises(CourseError, match=f"{lesson} {fault}"):
        release(solutions=solutions, course=released_course, check=True)


def test_check_writes_nothing(solutions: Path, course: Path):
    with pytest.raises(CourseError, match="is missing"):
        release(solutions=solutions, course=course, check=True)
    assert [path.name for path in course.iterdir()] == ["nbgrader_config.py"]


@pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning")  # nbgrader's own
def test_a_lesson_with_submissions_may_not_gain_a_check(
    released: Path, solutions: Path, released_course: Path, two_exercises: list[Exercise]
):
    with gradebook(released_course) as book:
        book.update_or_create_student("ada")
        book.update_or_create_submission(LESSON, "ada")
    source = solutions / f"{LESSON}.md"
    text = source.read_text(encoding="utf-8")
    start = text.index("```{code-cell} ipython3\n:exercise: " + two_exercises[1].id)
    source.write_text(text[:start], encoding="utf-8")
    before = released.read_bytes()
    with pytest.raises(CourseError, match="there are submissions associated with it"):
        release(solutions=solutions, course=released_course)
    assert released.read_bytes() == before


def test_an_unknown_lesson_releases_nothing(solutions: Path, course: Path):
    with pytest.raises(CourseError, match="no lesson 'nonsense'"):
        release(["nonsense"], course, solutions=solutions)
    assert [path.name for path in course.iterdir()] == ["nbgrader_config.py"]


def test_a_folder_that_is_no_course_is_named(solutions: Path, tmp_path: Path):
    with pytest.raises(CourseError, match="no nbgrader course"):
        release(course=tmp_path / "nowhere", solutions=solutions)
    assert not (tmp_path / "nowhere").exists()


def test_a_read_only_lessons_folder_is_told_in_a_sentence(solutions: Path, course: Path, read_only: Path):
    with pytest.raises(CourseError, match=f"Cannot write {read_only}/"):
        release(solutions=solutions, course=course, lessons_dir=read_only)
