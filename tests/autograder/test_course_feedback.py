"""What learners see of an instructor's own checks, made by nbgrader's own ``generate_feedback``."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from html import unescape
from subprocess import CompletedProcess

import nbformat
import pytest
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_notebook, new_output

from autograder.course.feedback import HideChecks

NAME = "ps1"

CHECK = """assert double(2) == 4
### BEGIN HIDDEN TESTS
import warnings
warnings.warn("do it again")  # secret line
assert double(-3) == -6, "negative numbers are doubled too"
### END HIDDEN TESTS
assert double(0) == 0"""

NBGRADER_RUNS_IT = """
c.Autograde.autograde_preprocessors = [
    "nbgrader.preprocessors.Execute",
    "nbgrader.preprocessors.LimitOutput",
    "nbgrader.preprocessors.SaveAutoGrades",
    "nbgrader.preprocessors.CheckCellMetadata",
]
"""
"""Its own way to run cells quotes checks in tracebacks and warnings."""


def cell(source: str, name: str, **properties: object) -> NotebookNode:
    plain = {"schema_version": 3, "grade": False, "solution": False, "locked": False, "task": False}
    return new_code_cell(source, id=name, metadata={"nbgrader": {**plain, "grade_id": name, **properties}})


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory, nbgrader: Callable[..., CompletedProcess[str]]) -> str:
    """The feedback page of a learner whose function fails in a hidden check."""
    from autograder.course.folders import COURSE

    course = tmp_path_factory.mktemp("feedback")
    config = (COURSE / "nbgrader_config.py").read_text(encoding="utf-8")
    (course / "nbgrader_config.py").write_text(config + NBGRADER_RUNS_IT, encoding="utf-8")
    source = new_notebook(
        cells=[
            cell("### BEGIN SOLUTION\ndef double(x):\n    return 2 * x\n### END SOLUTION", "double", solution=True),
            cell(CHECK, "double-check", grade=True, locked=True, points=2),
        ],
        metadata={"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}},
    )
    path = course / "source" / NAME / f"{NAME}.ipynb"
    path.parent.mkdir(parents=True)
    nbformat.write(source, path)
    run = nbgrader(course, "generate_assignment", NAME)
    assert run.returncode == 0, run.stderr
    released = next(course.glob(f"release/{NAME}/*.ipynb"))
    submission = nbformat.read(released, as_version=4)
    assert "secret line" not in nbformat.writes(submission)
    submission.cells[0].source = "def double(x):\n    return abs(2 * x)"
    handed_in = course / "submitted" / "ada" / NAME
    shutil.copytree(released.parent, handed_in)
    nbformat.write(submission, handed_in / f"{NAME}.ipynb")
    for command in ("autograde", "generate_feedback"):
        run = nbgrader(course, command, NAME)
        assert run.returncode == 0, run.stderr
    autograded = (course / "autograded" / "ada" / NAME / f"{NAME}.ipynb").read_text(encoding="utf-8")
    assert "secret line" in autograded  # so that there was something to hide
    assert "\\u001b[" in autograded
    return unescape((course / "feedback" / "ada" / NAME / f"{NAME}.html").read_text(encoding="utf-8"))


def test_hidden_checks_are_not_on_the_page(page: str) -> None:
    for secret in ("HIDDEN TESTS", "secret line", "double(-3)", "-3", "Traceback"):
        assert secret not in page.split('<div class="container" id="notebook-container">')[1], secret


def test_what_happened_is_on_the_page(page: str) -> None:
    assert "AssertionError: negative numbers are doubled too" in page
    assert "Score: 0.0 / 2.0" in page
    assert "do it again" in page


def test_everything_else_is_on_the_page(page: str) -> None:
    text = page.replace("</span>", "").replace("<span", "\n<span")
    assert "abs" in text
    assert page.count("double") >= 3


def shown(*cells: NotebookNode) -> list[NotebookNode]:
    notebook, _ = HideChecks().preprocess(new_notebook(cells=list(cells)), {})
    found: list[NotebookNode] = notebook.cells
    return found


def failed(source: str, **properties: object) -> NotebookNode:
    made = cell(source, "a", **properties)
    made.outputs = [new_output("error", ename="ValueError", evalue="3", traceback=["the source", "ValueError: 3"])]
    return made


def test_only_graded_cells_are_changed() -> None:
    (ungraded,) = shown(failed("x\n### BEGIN HIDDEN TESTS\ny"))
    assert ungraded.outputs[0].traceback == ["the source", "ValueError: 3"]
    assert "y" in ungraded.source


def test_an_answer_that_is_marked_by_hand_keeps_its_traceback() -> None:
    (own,) = shown(failed("x", grade=True, solution=True))
    assert own.outputs[0].traceback == ["the source", "ValueError: 3"]


def test_an_error_without_a_message_has_a_name() -> None:
    made = failed("x", grade=True)
    made.outputs[0].evalue = ""
    assert shown(made)[0].outputs[0].traceback == ["ValueError"]


@pytest.mark.parametrize(
    ("source", "left"),
    [
        ("a\n### BEGIN HIDDEN TESTS\nb\n### END HIDDEN TESTS\nc", "a\nc"),
        ("a\n### BEGIN HIDDEN TESTS\nb", "a"),
        ("a\n### BEGIN HIDDEN TESTS\n### BEGIN HIDDEN TESTS\nb\n### END HIDDEN TESTS", "a"),
        ("a\n### END HIDDEN TESTS\nb", "a\nb"),
        ("a", "a"),
    ],
)
def test_regions(source: str, left: str) -> None:
    assert shown(cell(source, "a", grade=True))[0].source == left


def test_results_of_checks_stay() -> None:
    made = cell("check('05.backprop_batch', f)", "a", grade=True)
    made.outputs = [
        new_output("execute_result", data={"text/plain": "2.5", "text/html": "<b>Not right yet</b>"}),
        new_output("stream", name="stderr", text="one line\nand another"),
    ]
    assert shown(made)[0].outputs == made.outputs
