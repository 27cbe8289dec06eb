"""From a lesson's source in Markdown to the notebook that nbgrader releases from.

A lesson source is a MyST Markdown notebook (https://jupytext.readthedocs.io/en/latest/formats-markdown.html). Its
exercise cells carry one option, ``:exercise: 05.backprop_batch``; each becomes up to four cells of the source notebook:
the question, where the exercise has one, the answer (nbgrader's solution cell), the check (nbgrader's grade cell, worth
the exercise's points) and the ladder of hints. Everything that is said about an exercise there comes from its
definition in ``autograder.exercises``, nothing is typed twice. The same source gives the same notebook, byte for byte.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from pathlib import Path

import jupytext
import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from autograder.course.folders import course_folder, lesson_sources, notebook_path, write_atomically
from autograder.errors import CourseError
from autograder.exercises import Exercise, find

__all__ = ["build", "check_id", "grade_id", "graded_cells", "source_notebook"]

METADATA = {
    "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
    "language_info": {"name": "python", "pygments_lexer": "ipython3"},
}
"""Of every lesson, so that no notebook depends on the machine that made it."""

_SOLUTION = re.compile(r"^([ \t]*)### BEGIN SOLUTION\n.*?^[ \t]*### END SOLUTION[ \t]*$", re.DOTALL | re.MULTILINE)
_MARKER = re.compile(r"(BEGIN|END) SOLUTION")
_RUNGS = ("a nudge", "the rule", "the line")


def build(
    lessons: Sequence[str] | None = None,
    solutions: Path | None = None,
    course: Path | None = None,
    output: Path | None = None,
) -> list[Path]:
    """Write the source notebooks of these lessons, or of all, and return their paths.

    Parameters
    ----------
    lessons : names such as ``"05_backpropagation"``; None for all
    solutions : the folder of lesson sources
    course : the nbgrader course whose ``source`` folder is written to
    output : another folder to write to instead; then no course is needed

    Raises
    ------
    CourseError
        A folder is missing or read-only, a lesson is unknown, or an exercise cell is not as it should be. Every lesson
        is converted before the first is written, so then nothing is.
    """
    sources = lesson_sources(lessons, solutions)
    folder = output or course_folder(course) / "source"
    notebooks = {notebook_path(folder, lesson): source_notebook(lesson, path) for lesson, path in sources.items()}
    for path, notebook in notebooks.items():
        write_atomically(path, nbformat.writes(notebook) + "\n")
    return list(notebooks)


def grade_id(exercise: str) -> str:
    """The name of an exercise's answer cell in nbgrader, which allows no dot."""
    return exercise.replace(".", "-")


def check_id(exercise: str) -> str:
    """The name of an exercise's check in nbgrader."""
    return f"{grade_id(exercise)}-check"


def source_notebook(lesson: str, path: Path) -> nbformat.NotebookNode:
    """The nbgrader source notebook of a lesson.

    Raises
    ------
    CourseError
        The file cannot be read as a MyST Markdown notebook, or an exercise cell is not as it should be.
    """
    cells: list[nbformat.NotebookNode] = []
    seen: set[str] = set()
    for position, cell in enumerate(_read(path), start=1):
        where = f"{path.name}, cell {position}"
        id = cell.metadata.pop("exercise", None) if cell.cell_type == "code" else None
        if id is None:
            if _MARKER.search(cell.source):
                raise CourseError(f"{where} has a solution region but no option ':exercise: <id>'.")
            cell["id"] = f"{lesson}-{position:03d}"
            cells.append(cell)
            continue
        exercise = find(id)
        if exercise.lesson != lesson:
            raise CourseError(f"{where}: exercise {id} belongs to lesson {exercise.lesson}, not to {lesson}.")
        if id in seen:
            raise CourseError(f"{where}: exercise {id} is already in this lesson; an exercise is used once.")
        seen.add(id)
        cells += _exercise_cells(exercise, cell, where)
    return new_notebook(cells=cells, metadata=METADATA)


def _read(path: Path) -> list[nbformat.NotebookNode]:
    """The cells of a MyST Markdown file."""
    try:
        cells: list[nbformat.NotebookNode] = jupytext.read(path, fmt="md:myst").cells
    except Exception as error:  # Jupytext, PyYAML and nbformat raise errors of their own, with no common class.
        reason = " ".join(str(error).split())
        raise CourseError(f"{path} cannot be read as a MyST Markdown notebook: {reason}.") from error
    return cells


def _exercise_cells(exercise: Exercise, cell: nbformat.NotebookNode, where: str) -> list[nbformat.NotebookNode]:
    """The answer, the check and the hints of an exercise, from the author's cell."""
    follow_through = cell.metadata.pop("follow_through", True)
    _require_solution(exercise, cell.source, where)
    name = grade_id(exercise.id)
    answer = new_code_cell(cell.source, id=name, metadata=cell.metadata)
    answer.metadata.nbgrader = _nbgrader(name, solution=True)
    if given := exercise.kind.given(exercise):
        answer.metadata.chainrule = {"given": given}
    hints = _fixed_markdown(_hint_ladder(exercise), f"{name}-hints")
    asked = [_fixed_markdown(exercise.question, f"{name}-question")] if exercise.question else []
    return [*asked, answer, _check(exercise, follow_through), hints]


def graded_cells(exercise: Exercise) -> dict[str, nbformat.NotebookNode]:
    """The cells of an exercise that nbgrader keeps track of, by its names for them: an empty answer, and the check."""
    name = grade_id(exercise.id)
    answer = new_code_cell("", id=name, metadata={"nbgrader": _nbgrader(name, solution=True)})
    return {name: answer, check_id(exercise.id): _check(exercise, follow_through=True)}


def _check(exercise: Exercise, follow_through: bool) -> nbformat.NotebookNode:
    """The check of an exercise."""
    option = "" if follow_through else ", follow_through=False"
    return new_code_cell(
        f"# Exercise {exercise.id}: {_counted(exercise.points, 'point')}, about "
        f"{_counted(exercise.minutes, 'minute')}, difficulty {exercise.difficulty} of 3\n"
        f'check("{exercise.id}", {exercise.function}{option})',
        id=check_id(exercise.id),
        metadata={"nbgrader": _nbgrader(check_id(exercise.id), grade=True, locked=True, points=exercise.points)},
    )


def _counted(number: float, noun: str) -> str:
    return f"{number:g} {noun}{'s' * (number != 1)}"


def _fixed_markdown(text: str, id: str) -> nbformat.NotebookNode:
    """A Markdown cell that JupyterLab neither edits nor deletes."""
    return new_markdown_cell(text, id=id, metadata={"deletable": False, "editable": False})


def _require_solution(exercise: Exercise, source: str, where: str) -> None:
    """Refuse an exercise cell that would not leave a learner the function to write, or a value to give."""
    stub, regions = _SOLUTION.subn(r"\1pass", source)
    if not (regions or exercise.kind.given(exercise)) or _MARKER.search(stub):
        raise CourseError(
            f"{where}: exercise {exercise.id} needs its answer between the lines "
            "'### BEGIN SOLUTION' and '### END SOLUTION'."
        )
    stub = exercise.kind.given(exercise) or stub
    try:
        body = ast.parse(stub).body
    except SyntaxError as error:
        raise CourseError(f"{where}: exercise {exercise.id} is not Python without its solution: {error}.") from error
    defined = {node.name for node in body if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    targets = [target for node in body if isinstance(node, ast.Assign) for target in node.targets]
    defined |= {target.id for target in targets if isinstance(target, ast.Name)}
    if exercise.function not in defined:
        raise CourseError(
            f"{where}: exercise {exercise.id} must define {exercise.function} outside its solution region."
        )


def _nbgrader(name: str, **properties: object) -> dict[str, object]:
    """nbgrader's metadata of a cell, schema version 3."""
    plain = {"schema_version": 3, "grade": False, "solution": False, "locked": False, "task": False}
    return {**plain, "grade_id": name, **properties}


def _hint_ladder(exercise: Exercise) -> str:
    """The hints, each folded away inside the one before it."""
    rungs = [
        f"<details>\n<summary>Hint {number}: {rung}</summary>\n\n{hint.strip()}\n"
        for number, (rung, hint) in enumerate(zip(_RUNGS, exercise.hints, strict=True), start=1)
    ]
    closing = "</details>\n" * len(rungs)
    ladder = "\n".join(rungs)
    return f"**Stuck?** Open one hint at a time. They cost no points.\n\n{ladder}\n{closing}".rstrip()
