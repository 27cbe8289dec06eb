"""``chainrule check``: one notebook, graded as the grader would."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell

from autograder.course.build import build, grade_id

LESSON = "00_welcome"


@pytest.fixture(scope="module")
def solved(tmp_path_factory: pytest.TempPathFactory) -> NotebookNode:
    """The imports, right answers and checks of the first lesson."""
    (path,) = build([LESSON], output=tmp_path_factory.mktemp("solved"))
    notebook = nbformat.read(path, as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    notebook.cells = [cell for cell in code if "nbgrader" in cell.metadata or "import check" in cell.source]
    return notebook


def write(notebook: NotebookNode, path: Path, **answers: str) -> Path:
    """A copy with other answers, by the end of the exercise's id."""
    copy = nbformat.from_dict(notebook)
    for cell in copy.cells:
        for name, source in answers.items():
            if cell.metadata.get("nbgrader", {}).get("grade_id") == grade_id(f"00.{name}"):
                cell.source = source
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(copy, path)
    return path


@pytest.fixture
def chainrule() -> Callable[..., "subprocess.CompletedProcess[str]"]:
    """Runs the command as a person does."""

    def run(*arguments: Any) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-m", "autograder.cli", *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)

    return run


def test_full_marks_are_told_in_a_table_and_by_the_exit_status(chainrule, solved: NotebookNode, tmp_path: Path):
    outcome = chainrule("check", write(solved, tmp_path / "my answers ∂.ipynb"))
    assert outcome.returncode == 0, outcome.stderr
    assert "3 of 3 points" in outcome.stdout
    assert outcome.stdout.count("correct") == 3
    assert outcome.stderr == ""


def test_json_has_a_row_for_every_exercise_and_a_seed_that_repeats_it(chainrule, solved: NotebookNode, tmp_path: Path):
    path = write(solved, tmp_path / "n.ipynb", two_steps="def two_steps(x):\n    u = 3 * x\n    return u, u**2")
    outcome = chainrule("check", path, "--json")
    assert outcome.returncode == 1, outcome.stderr
    found = json.loads(outcome.stdout)
    assert [(row["id"], row["score"], row["verdict"]) for row in found["rows"]] == [
        ("00.square", 1, "correct"),
        ("00.two_steps", pytest.approx(0.5), "wrong"),
        ("00.polynomial", 1, "correct"),
    ]
    assert found["rows"][1]["mistakes"]
    assert found["unconfined"] == []
    again = json.loads(chainrule("check", path, "--json", "--seed", found["seed"]).stdout)
    for row in (*found["rows"], *again["rows"]):
        row.pop("seconds")
    assert again == found


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (
            "import torch\n\ndef two_steps(x):\n    return torch.tensor(x)",
            "torch is withheld while lesson 00_welcome is graded",
        ),
        (
            "def two_steps(x):\n    return (3 * x, 9 * x**2",
            "SyntaxError: incomplete input (Cell In[4], line 2: `return (3 * x, 9 * x**2`)",
        ),
        (
            "def two_steps(x):\n    u = 3 x\n    return u, u**2",
            "SyntaxError: invalid syntax (Cell In[4], line 2: `u = 3 x`)",
        ),
        ("1 / 0\n\ndef two_steps(x):\n    return 3 * x, 9 * x**2", "ZeroDivisionError: division by zero"),
    ],
    ids=["withheld", "never closed", "no operator", "stopped before"],
)
def test_an_answer_whose_cell_failed_is_told_why_it_is_not_there(
    chainrule, solved: NotebookNode, tmp_path: Path, answer: str, why: str
):
    outcome = chainrule("check", write(solved, tmp_path / "n.ipynb", two_steps=answer), "--json")
    message = json.loads(outcome.stdout)["rows"][1]["message"]
    assert "name 'two_steps' is not defined" in message
    assert why in message


@pytest.mark.parametrize("beside", [[], ["other.ipynb"]], ids=["alone", "beside another"])
def test_files_are_there_for_the_cells_where_they_can_only_be_the_notebooks_own(
    beside: list[str], chainrule, solved: NotebookNode, tmp_path: Path
):
    (tmp_path / "slope.txt").write_text("2")
    for name in beside:
        (tmp_path / name).write_text("{}")
    answer = "slope = int(open('slope.txt').read())\n\ndef square_slope(x):\n    return slope * x"
    outcome = chainrule("check", write(solved, tmp_path / "n.ipynb", square=answer), "--json")
    assert json.loads(outcome.stdout)["rows"][0]["score"] == (0 if beside else 1)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "cannot be read"),
        ("{ this is no JSON", "is no notebook that can be read"),
        ('{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}', "holds no exercise of the course"),
    ],
)
def test_what_cannot_be_graded_is_told_in_a_sentence(content: str | None, said: str, chainrule, tmp_path: Path):
    path = tmp_path / "n.ipynb"
    if content is not None:
        path.write_text(content)
    outcome = chainrule("check", path)
    assert outcome.returncode == 2
    assert said in outcome.stderr
    assert outcome.stderr.startswith("chainrule: ")
    assert len(outcome.stderr.splitlines()) == 1


def test_a_lesson_that_is_not_there_is_told_with_those_that_are(chainrule, solved: NotebookNode, tmp_path: Path):
    outcome = chainrule("check", write(solved, tmp_path / "n.ipynb"), "--lesson", "12_nothing")
    assert outcome.returncode == 2
    assert "05_backpropagation" in outcome.stderr


def test_instructors_imports_cannot_be_replaced(solved: NotebookNode, tmp_path: Path):
    """A check of an instructor's own that uses numpy gets numpy, whatever the learner's cells call by that name."""
    from autograder.execution.notebook import run_notebook
    from autograder.execution.parents import warm_parents
    from autograder.execution.preprocessor import is_check

    forged = (
        "import types\nnp = types.SimpleNamespace(allclose=lambda *a: True)\nanswer = 41\ndef agree(a, b): return True"
    )
    given = "import numpy as np\n\ndef agree(a, b):\n    return np.allclose(a, b)"
    notebook = nbformat.v4.new_notebook(
        cells=[
            new_code_cell(forged),
            new_code_cell("assert np.allclose(answer, 42)", metadata={"nbgrader": {"grade": True}}),
            new_code_cell("assert agree(answer, 42)", metadata={"nbgrader": {"grade": True}}),
            new_code_cell("assert answer == 41", metadata={"nbgrader": {"grade": True}}),
        ]
    )
    parents = warm_parents(LESSON)
    run_notebook(notebook, parents.student, parents.grading, 0, is_check, [given])
    assert [bool(cell.outputs) for cell in notebook.cells[1:]] == [True, True, False]


@pytest.mark.parametrize(("unchanged", "processes"), [(True, 1), (False, 2)])
def test_a_cell_of_the_instructors_own_is_not_suspected(
    unchanged: bool, processes: int, monkeypatch: pytest.MonkeyPatch
):
    """A wrong answer is tried again, apart from cells that may have spoilt it; the instructor's did not."""
    from autograder.execution.notebook import run_notebook
    from autograder.execution.parents import warm_parents
    from autograder.execution.preprocessor import is_check

    given = "import textwrap\nimport sys"
    check = new_code_cell("assert answer == 42", metadata={"nbgrader": {"grade": True}})
    notebook = nbformat.v4.new_notebook(cells=[new_code_cell(given), new_code_cell("answer = 41"), check])
    parents = warm_parents(LESSON)
    made, child = [], parents.student.child
    monkeypatch.setattr(parents.student, "child", lambda: made.append(child()) or made[-1])
    run_notebook(notebook, parents.student, parents.grading, 0, is_check, [given if unchanged else f"{given}\n"])
    assert len(made) == processes
    assert notebook.cells[2].outputs[0].ename == "AssertionError"
