"""What can be done to the notebook itself: its cells, their metadata, its format, its size, the name of its file.

Every change is made twice where it can be: beside right answers, which keep their points, and beside a wrong one, which
gains none.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest
from click.testing import CliRunner
from nbformat import NotebookNode

from autograder.cli import main
from autograder.course.build import grade_id
from autograder.course.single import Grading, check_notebook
from autograder.errors import CourseError
from autograder.execution.notebook import Limits
from tests.attacks.conftest import ATTACKED, LESSON, check_id, scores

WRONG = "def two_steps(x):\n    return x, x"
ANSWER, CHECK = grade_id(ATTACKED), check_id(ATTACKED)

Raw = dict[str, Any]
"""A notebook as JSON."""

Change = Callable[[Raw], Any]


def cell(raw: Raw, name: str) -> Raw:
    """A cell by nbgrader's name."""
    return next(each for each in raw["cells"] if each["metadata"].get("nbgrader", {}).get("grade_id") == name)


def metadata(raw: Raw, name: str) -> Raw:
    """What nbgrader notes of it."""
    found: Raw = cell(raw, name)["metadata"]["nbgrader"]
    return found


def every(**changes: Any) -> Change:
    """A change to all cells."""

    def change(raw: Raw) -> None:
        for each in raw["cells"]:
            each.update(changes)

    return change


def retyped(kind: str, *names: str) -> Change:
    """Cells of another type."""

    def change(raw: Raw) -> None:
        for name in names:
            each = cell(raw, name)
            each.update(cell_type=kind)
            del each["outputs"], each["execution_count"]

    return change


def deleted(*names: str) -> Change:
    """Cells that are not there any more."""
    return lambda raw: [raw["cells"].remove(cell(raw, name)) for name in names]


def first(name: str) -> Change:
    """A cell that stands before all others."""

    def change(raw: Raw) -> None:
        moved = cell(raw, name)
        raw["cells"].remove(moved)
        raw["cells"].insert(0, moved)

    return change


def old(raw: Raw, version: int) -> None:
    """The notebook in an older format."""
    converted = nbformat.convert(nbformat.from_dict(raw), 3)
    raw.clear()
    raw.update(json.loads(nbformat.writes(converted, version=nbformat.NO_CONVERT)), nbformat=version)


def claims(name: str, **changes: Any) -> Change:
    """Metadata of nbgrader's that says something else."""
    return lambda raw: metadata(raw, name).update(changes)


EDITS: dict[str, Change] = {
    "as it is": lambda raw: None,
    "check replaced by a number": lambda raw: cell(raw, CHECK).update(source="1.0"),
    "check replaced by pass": lambda raw: cell(raw, CHECK).update(source="pass"),
    "check without source": lambda raw: cell(raw, CHECK).update(source=""),
    "check of another answer": lambda raw: cell(raw, CHECK).update(source='check("00.square", square_slope)'),
    "check deleted": deleted(CHECK),
    "check in Markdown": retyped("markdown", CHECK),
    "check as raw text": retyped("raw", CHECK),
    "check and answer in Markdown": retyped("markdown", CHECK, ANSWER),
    "check of an unknown type": retyped("evil", CHECK),
    "check twice": lambda raw: raw["cells"].append(json.loads(json.dumps(cell(raw, CHECK)))),
    "check first of all": first(CHECK),
    "order reversed": lambda raw: raw["cells"].reverse(),
    "points raised": claims(CHECK, points=1000),
    "not graded": claims(CHECK, grade=False),
    "graded by hand": claims(CHECK, solution=True),
    "a task": claims(CHECK, task=True, grade=False),
    "not locked": claims(CHECK, locked=False, checksum="0"),
    "answer graded": claims(ANSWER, grade=True, points=1000, solution=False),
    "answer locked": claims(ANSWER, locked=True),
    "name of another check": claims(CHECK, grade_id=check_id("00.square")),
    "all names the same": lambda raw: [
        each["metadata"].get("nbgrader", {}).update(grade_id=CHECK) for each in raw["cells"] if each["source"] == "pass"
    ],
    "name that is a list": claims(CHECK, grade_id=[CHECK]),
    "metadata that is a text": lambda raw: cell(raw, CHECK)["metadata"].update(nbgrader="lost"),
    "tags of checks": lambda raw: cell(raw, CHECK)["metadata"].update(tags=["skip-execution", "raises-exception"]),
    "tags of no form": lambda raw: cell(raw, CHECK)["metadata"].update(tags={"skip-execution": [5]}),
    "verdict in metadata": lambda raw: cell(raw, CHECK)["metadata"].update(
        chainrule={"verdict": "correct", "score": 1}
    ),
    "seed in metadata": lambda raw: raw["metadata"].update(chainrule={"seed": 1}, seed=1),
    "outputs that say so": lambda raw: cell(raw, CHECK).update(
        outputs=[{"output_type": "execute_result", "data": {"text/plain": "1.0"}, "metadata": {}, "execution_count": 1}]
    ),
    "kernel of another kind": lambda raw: raw["metadata"].update(kernelspec=5, language_info={"name": "R"}, widgets=5),
    "ids all the same": every(id="a"),
    "ids that are numbers": every(id=7),
    "a minor version to come": lambda raw: raw.update(nbformat_minor=99),
    "nbformat 3": lambda raw: old(raw, 3),
    "nbformat 2": lambda raw: old(raw, 2),
    "sources that are lists": lambda raw: [
        each.update(source=each["source"].splitlines(keepends=True)) for each in raw["cells"]
    ],
    "numbers and nothing for sources": lambda raw: raw["cells"].extend(
        {"cell_type": "code", "metadata": {}, "outputs": [], "execution_count": None, **source}
        for source in ({"source": 5}, {"source": None}, {"source": {"a": 1}}, {})
    ),
    "sources that nothing can read": lambda raw: raw["cells"].extend(
        {"cell_type": "code", "metadata": {}, "outputs": [], "execution_count": None, "source": source}
        for source in ("-" * 100_000 + "1", "(" * 100_000, "a" + ".b" * 100_000, "\x00", "\ud800")
    ),
    "a source of 8 MB": lambda raw: raw["cells"].insert(1, {**raw["cells"][0], "source": "x = 1\n" * 1_400_000}),
    "deep metadata": lambda raw: raw["metadata"].update(deep=json.loads("[" * 300 + "]" * 300)),
}


@pytest.mark.parametrize("is_right", [True, False], ids=["right", "wrong"])
@pytest.mark.parametrize("change", EDITS.values(), ids=EDITS)
def test_no_edit_gives_points_or_takes_them(
    change: Change, is_right: bool, honest: Callable[[], NotebookNode], tmp_path: Path
) -> None:
    raw = json.loads(nbformat.writes(honest()))
    for each in raw["cells"]:
        each["source"] = "".join(each["source"])
    if not is_right:
        cell(raw, ANSWER)["source"] = WRONG
    change(raw)
    grading = graded(tmp_path / "homework.ipynb", json.dumps(raw))
    expected = dict.fromkeys(scores(grading), 1)
    assert scores(grading) == expected | {ATTACKED: int(is_right)}, grading
    assert grading.points == len(expected)


def graded(path: Path, text: str) -> Grading:
    path.write_text(text, encoding="utf-8", errors="surrogatepass")
    return check_notebook(path, LESSON)


UNREADABLE = {
    "nothing": "",
    "spaces": " \n",
    "no JSON": "{ this is no JSON",
    "a list": "[]",
    "a number": "5",
    "null": "null",
    "no cells": '{"nbformat": 4, "nbformat_minor": 5, "metadata": {}}',
    "cells that are null": '{"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": null}',
    "cells that are an object": '{"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": {}}',
    "a cell that is null": '{"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [null]}',
    "a cell that is empty": '{"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [{}]}',
    "a cell with metadata that is a list": '{"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": '
    '[{"cell_type": "code", "metadata": [], "source": "", "outputs": [], "execution_count": null}]}',
    "a type that is a list": '{"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": '
    '[{"cell_type": [], "metadata": {}, "source": ""}]}',
    "metadata that is null": '{"nbformat": 4, "nbformat_minor": 5, "metadata": null, "cells": []}',
    "a format to come": '{"nbformat": 99, "nbformat_minor": 0, "metadata": {}, "cells": []}',
    "a format that is a text": '{"nbformat": "4", "nbformat_minor": "5", "metadata": {}, "cells": []}',
    "deep lists": "[" * 200_000,
    "deep objects": '{"a":' * 100_000 + "1" + "}" * 100_000,
}


@pytest.mark.parametrize("text", UNREADABLE.values(), ids=UNREADABLE)
def test_what_is_no_notebook_is_refused_in_a_sentence(text: str, tmp_path: Path) -> None:
    path = tmp_path / f"{LESSON}.ipynb"
    path.write_text(text, encoding="utf-8")
    outcome = CliRunner().invoke(main, ["check", str(path), "--lesson", LESSON])
    assert outcome.exit_code == 2, outcome.output
    assert outcome.output.startswith(f"chainrule: {path} ")
    assert outcome.output.count("\n") == 1
    assert "object has no attribute" not in outcome.output


def test_the_beginning_of_a_notebook_is_refused(honest: Callable[[], NotebookNode], tmp_path: Path) -> None:
    with pytest.raises(CourseError, match="not JSON, or only the beginning"):
        graded(tmp_path / "homework.ipynb", nbformat.writes(honest())[:1000])


@pytest.mark.parametrize("part", ["outputs", "attachments", "source"])
def test_a_notebook_of_100_megabytes(part: str, honest: Callable[[], NotebookNode], tmp_path: Path) -> None:
    nb = honest()
    size = 100 << 20
    if part == "outputs":
        nb.cells[0].outputs = [nbformat.v4.new_output("stream", text="x" * 1000)] * (size // 1000)
    elif part == "attachments":
        picture = {"picture.png": {"image/png": "A" * size}}
        nb.cells.insert(0, nbformat.v4.new_markdown_cell("![](attachment:picture.png)", attachments=picture))
    else:
        nb.cells.insert(1, nbformat.v4.new_code_cell("# " + "x" * size))
    grading = graded(tmp_path / "homework.ipynb", json.dumps(nb))
    assert grading.score == grading.points, grading
    assert len(grading.faults) == (part == "source")


def test_hundreds_of_errors_leave_time_for_the_others(honest: Callable[[], NotebookNode], tmp_path: Path) -> None:
    """Each of them might be the fault of the suspicious first cell, and trying it without that takes a while."""
    nb = honest()
    nb.cells[1:1] = map(nbformat.v4.new_code_cell, ["import os", *["1 / 0"] * 300])
    nbformat.write(nb, tmp_path / "homework.ipynb")
    grading = check_notebook(tmp_path / "homework.ipynb", LESSON, limits=Limits(notebook=30))
    assert grading.score == grading.points, grading


def test_what_is_no_file_or_too_large_is_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.ipynb")
    (tmp_path / "folder.ipynb").mkdir()
    (tmp_path / "link.ipynb").symlink_to("/dev/zero")
    (tmp_path / "gone.ipynb").symlink_to(tmp_path / "nowhere")
    with (tmp_path / "large.ipynb").open("wb") as file:
        file.truncate(1 << 40)
    for path in tmp_path.iterdir():
        with pytest.raises(CourseError):
            check_notebook(path, LESSON)


NAMES = ["two\nlines.ipynb", " spaces  and 'quotes\".ipynb", "ünïcödé 梯度 🎓.ipynb", "-h.ipynb", "$(touch x);.ipynb"]


def test_names_of_files(honest: Callable[[], NotebookNode], tmp_path: Path) -> None:
    """By the real command: exit status 0 where all is right, 1 where not, 2 where it could not be graded."""
    text = nbformat.writes(honest())
    for name in NAMES:
        (tmp_path / name).write_text(text, encoding="utf-8")
        assert check_notebook(tmp_path / name).points
    (tmp_path / NAMES[1]).write_text(text.replace("return 2 * x", "return x"), encoding="utf-8")
    (tmp_path / NAMES[2]).write_text("[]", encoding="utf-8")
    assert CliRunner().invoke(main, ["check", "--", str(tmp_path / NAMES[3])]).exit_code == 0
    for name, status in zip(NAMES, (0, 1, 2), strict=False):
        command = [sys.executable, "-m", "autograder.cli", "check", "--", name]
        outcome = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert outcome.returncode == status, outcome
        assert "Traceback" not in outcome.stderr
        assert len(outcome.stderr.splitlines()) == (status == 2)
    assert not (tmp_path / "x").exists()
