"""The author's Markdown becomes nbgrader's source notebook; what is wrong with it is told in a sentence."""

from pathlib import Path

import nbformat
import pytest
from nbgrader.nbgraderformat import MetadataValidator

from autograder.course.build import build
from autograder.errors import CourseError
from autograder.exercises import Exercise

LESSON = "05_backpropagation"


def write(folder: Path, text: str, lesson: str = LESSON) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / f"{lesson}.md").write_text(text, encoding="utf-8")
    return folder


def exercise_cell(id: str, *lines: str) -> str:
    return "\n".join(["```{code-cell} ipython3", f":exercise: {id}", "", *lines, "```", ""])


def answered(function: str) -> tuple[str, ...]:
    return f"def {function}(*inputs):", "    ### BEGIN SOLUTION", "    return 1", "    ### END SOLUTION"


def refused(solutions: Path, tmp_path: Path, lessons: list[str] | None = None) -> str:
    """What is said when a lesson cannot be built; nothing may be written then."""
    output = tmp_path / "output"
    with pytest.raises(CourseError) as caught:
        build(lessons, solutions, output=output)
    assert not output.exists()
    return str(caught.value)


def test_an_exercise_becomes_its_answer_its_check_and_its_hints(
    solutions: Path, tmp_path: Path, two_exercises: list[Exercise]
):
    (path,) = build(solutions=solutions, output=tmp_path / "output")
    notebook = nbformat.read(path, as_version=nbformat.NO_CONVERT)
    exercise = two_exercises[0]
    name = exercise.id.replace(".", "-")
    answer, check, hints = notebook.cells[2:5]

    assert answer.metadata.nbgrader.grade_id == name
    assert (answer.metadata.nbgrader.solution, answer.metadata.nbgrader.grade) == (True, False)
    assert "exercise" not in answer.metadata
    assert check.metadata.nbgrader.grade_id == f"{name}-check"
    assert (check.metadata.nbgrader.grade, check.metadata.nbgrader.locked) == (True, True)
    assert check.metadata.nbgrader.points == exercise.points
    assert check.source.splitlines()[-1] == f'check("{exercise.id}", {exercise.function})'
    assert [hint.strip() in hints.source for hint in exercise.hints] == [True] * 3
    assert hints.source.count("<details>") == hints.source.count("</details>") == 3
    assert (hints.metadata.editable, hints.metadata.deletable) == (False, False)


def test_a_source_notebook_is_valid_clean_and_independent_of_the_machine(solutions: Path, tmp_path: Path):
    (path,) = build(solutions=solutions, output=tmp_path / "output")
    notebook = nbformat.read(path, as_version=nbformat.NO_CONVERT)
    nbformat.validate(notebook)
    MetadataValidator().validate_nb(notebook)
    assert (notebook.nbformat, notebook.nbformat_minor) == (4, 5)
    assert notebook.metadata.kernelspec.name == "python3"
    assert notebook.metadata.language_info.name == "python"
    assert not any(cell.get("outputs") or cell.get("execution_count") for cell in notebook.cells)


def test_a_rebuild_is_identical_byte_for_byte(solutions: Path, tmp_path: Path):
    (first,) = build(solutions=solutions, output=tmp_path / "first")
    (second,) = build(solutions=solutions, output=tmp_path / "second")
    assert first.read_bytes() == second.read_bytes()


def test_an_instructor_can_switch_follow_through_off_in_one_exercise(tmp_path: Path, two_exercises: list[Exercise]):
    exercise = two_exercises[0]
    text = exercise_cell(exercise.id, ":follow_through: false", "", *answered(exercise.function)).replace(
        "\n\n:", "\n:"
    )
    (path,) = build(solutions=write(tmp_path / "solutions", text), output=tmp_path / "output")
    check = nbformat.read(path, as_version=4).cells[1]
    assert check.source.endswith(f'check("{exercise.id}", {exercise.function}, follow_through=False)')


def test_source_notebooks_go_into_the_course_when_no_output_is_named(solutions: Path, course: Path):
    assert build([LESSON], solutions, course) == [course.resolve() / "source" / LESSON / f"{LESSON}.ipynb"]


def test_an_unknown_lesson_is_answered_with_the_lessons_there_are(solutions: Path, tmp_path: Path):
    said = refused(solutions, tmp_path, ["55_propagation"])
    assert "'55_propagation'" in said
    assert LESSON in said


def test_a_missing_or_empty_solutions_folder_is_named(tmp_path: Path):
    assert str(tmp_path / "nowhere") in refused(tmp_path / "nowhere", tmp_path)
    (tmp_path / "empty").mkdir()
    assert "no lesson source" in refused(tmp_path / "empty", tmp_path)


def test_a_folder_that_is_no_course_is_named(solutions: Path, tmp_path: Path):
    with pytest.raises(CourseError, match="no nbgrader course"):
        build(solutions=solutions, course=tmp_path)


def test_an_exercise_that_does_not_exist_is_answered_with_the_closest_one(tmp_path: Path):
    text = exercise_cell("05.backprop_bacht", *answered("backprop"))
    assert "'05.backprop_batch'" in refused(write(tmp_path / "solutions", text), tmp_path)


def test_an_exercise_of_another_lesson_is_refused(tmp_path: Path, two_exercises: list[Exercise]):
    exercise = two_exercises[0]
    text = exercise_cell(exercise.id, *answered(exercise.function))
    solutions = write(tmp_path / "solutions", text, lesson="01_chain_rule")
    assert "belongs to lesson 05_backpropagation" in refused(solutions, tmp_path)


def test_an_exercise_used_twice_is_refused(tmp_path: Path, lesson_text: str, two_exercises: list[Exercise]):
    exercise = two_exercises[0]
    text = lesson_text + "\n" + exercise_cell(exercise.id, *answered(exercise.function))
    assert "used once" in refused(write(tmp_path / "solutions", text), tmp_path)


@pytest.mark.parametrize(
    "lines",
    [
        ("def {function}(*inputs):", "    return 1"),
        ("def {function}(*inputs):", "    ### BEGIN SOLUTION", "    return 1"),
        ("def {function}(*inputs):", "    return 1", "    ### END SOLUTION"),
    ],
    ids=["no region", "no end", "no beginning"],
)
def test_an_exercise_without_a_whole_solution_region_is_refused(
    lines: tuple[str, ...], tmp_path: Path, two_exercises: list[Exercise]
):
    exercise = two_exercises[0]
    text = exercise_cell(exercise.id, *(line.format(function=exercise.function) for line in lines))
    assert "### BEGIN SOLUTION" in refused(write(tmp_path / "solutions", text), tmp_path)


def test_a_solution_region_outside_an_exercise_is_refused(tmp_path: Path):
    text = "```{code-cell} ipython3\n### BEGIN SOLUTION\n1\n### END SOLUTION\n```\n"
    assert "cell 1" in refused(write(tmp_path / "solutions", text), tmp_path)


def test_an_exercise_must_leave_the_learner_its_function(tmp_path: Path, two_exercises: list[Exercise]):
    exercise = two_exercises[0]
    text = exercise_cell(exercise.id, *answered("another_name"))
    said = refused(write(tmp_path / "solutions", text), tmp_path)
    assert f"must define {exercise.function}" in said


@pytest.mark.parametrize("text", ["---\nkernelspec: {a\n---\n", "```{code-cell} ipython3\n:exercise: [a\n\n1\n```\n"])
def test_a_source_that_is_no_notebook_is_refused_in_one_line(text: str, tmp_path: Path):
    said = refused(write(tmp_path / "solutions", text), tmp_path)
    assert "MyST Markdown" in said
    assert "\n" not in said


def test_nothing_is_written_when_one_of_several_lessons_is_wrong(solutions: Path, tmp_path: Path):
    write(solutions, "```{code-cell} ipython3\n### BEGIN SOLUTION\n```\n", lesson="06_gradient_descent")
    refused(solutions, tmp_path)


def test_a_read_only_folder_is_told_in_a_sentence(solutions: Path, read_only: Path):
    with pytest.raises(CourseError, match=f"Cannot write {read_only}/"):
        build(solutions=solutions, output=read_only)
