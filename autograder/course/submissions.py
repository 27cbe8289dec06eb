"""Puts a submission in order before nbgrader grades it: no answer loses its points to a slip that is not in the answer.

Learners rename notebooks (a browser does, when it downloads one twice), delete cells, copy them, and open notebooks in
editors that drop nbgrader's metadata. What nbgrader does with these: it skips a notebook whose name it does not know
and fails; it gives a deleted check no points; a copied check, or metadata that it did not write, ends its whole run.
Both parts here are set in ``nbgrader_config.py`` and work inside nbgrader's own ``autograde``.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import stat
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, upgrade
from nbgrader.api import Gradebook, Notebook, SourceCell
from nbgrader.preprocessors import NbGraderPreprocessor
from traitlets.log import get_logger

from autograder.exercises import exercises

__all__ = ["RestoreCells", "released_cells", "restore", "restore_notebook_name"]


def restore_notebook_name(assignment: str, student: str, notebooks: list[str]) -> None:
    """Give a renamed notebook the name of its lesson, in a copy beside it; and remove links from the submission.

    A hook that nbgrader calls before it grades a submission. It acts where the submission is a single notebook, and to
    a lesson of this course, which has one, so that there is no doubt which one is meant; what was handed in stays as it
    is.

    Parameters
    ----------
    assignment, student : what nbgrader was told to grade, perhaps a pattern; the folder says it exactly
    notebooks : the paths of the submission's notebooks; nbgrader goes on with what is left in this list
    """
    if not notebooks:
        return
    _remove_links(Path(notebooks[0]).parent)
    notebooks[:] = [path for path in notebooks if Path(path).exists()]
    if not notebooks:
        return
    lesson = Path(notebooks[0]).parent.name
    if lesson not in {each.lesson for each in exercises()}:
        return
    expected = Path(notebooks[0]).with_name(f"{lesson}.ipynb")
    handed_in = [path for path in map(Path, notebooks) if path != expected or not _is_our_copy(path)]
    if len(handed_in) != 1 or handed_in[0] == expected:
        return
    get_logger().warning("Grading %s under its lesson's name, %s", handed_in[0], expected.name)
    shutil.copyfile(handed_in[0], expected)
    _note(expected).write_text(_digest(expected), encoding="utf-8")
    notebooks[:] = [str(expected)]


def _remove_links(folder: Path) -> None:
    """Remove from a submission what is neither a file nor a folder.

    nbgrader copies what a link leads to, for the notebook's cells to read: a gradebook, another submission, a device
    without end. What was handed in is in no link.
    """
    for place, folders, files in os.walk(folder):
        for path in (Path(place, name) for name in (*folders, *files)):
            if not stat.S_ISREG(mode := path.lstat().st_mode) and not stat.S_ISDIR(mode):
                get_logger().warning("Removing %s: it is a link, or no file", path)
                path.unlink()


def _note(copy: Path) -> Path:
    """Says beside a copy what it held when it was made, so that no later submission is graded by it."""
    return copy.with_name(f".{copy.name}.copy")


def _is_our_copy(path: Path) -> bool:
    """Whether a notebook is the unchanged copy that an earlier run of this hook made."""
    return _note(path).is_file() and _note(path).read_text(encoding="utf-8") == _digest(path)


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


class RestoreCells(NbGraderPreprocessor):
    """Takes the checks from the gradebook, never from the submission, and nbgrader's metadata of the answers too.

    A check stands where the submission has it, though never before its answer; of several copies the last one counts.
    One that was deleted goes after its answer; where the answer's cell is gone as well (or has lost its metadata), it
    goes to the end, where a function written anywhere is known.
    """

    def preprocess(self, nb: NotebookNode, resources: dict[str, Any]) -> tuple[NotebookNode, dict[str, Any]]:
        nb = upgrade(_writable(nb), from_minor=nb.nbformat_minor)
        released = resources.get("chainrule", {}).get("released") or released_cells(resources["nbgrader"])
        for change in restore(nb, released):
            self.log.warning("%s", change)
        return nb, resources


def _writable(nb: NotebookNode) -> NotebookNode:
    """A notebook without halves of characters, which JSON can hold and no file can."""
    text = json.dumps(nb, ensure_ascii=False).encode("utf-8", "replace")
    return nbformat.from_dict(json.loads(text))


def restore(nb: NotebookNode, released: dict[str, NotebookNode]) -> list[str]:
    """Put the instructor's cells into a submission, and say in sentences what had to be put right.

    Parameters
    ----------
    nb : the submission, in nbformat 4.5
    released : the cells that nbgrader keeps track of, by name
    """
    changes = []
    nb.metadata.pop("kernelspec", None)  # OverwriteKernelspec sets the lesson's own; a damaged one is no notebook
    missing = dict(released)
    for position, cell in reversed(list(enumerate(nb.cells))):
        claims = cell.metadata.pop("nbgrader", None)
        claimed = claims.get("grade_id") if isinstance(claims, dict) else None
        if not isinstance(claimed, str):
            continue
        if restored := missing.pop(claimed, None):
            if not restored.metadata.nbgrader.locked:
                restored.source = cell.source
            nb.cells[position] = restored
    names = [_name(cell) for cell in nb.cells]
    for name, cell in missing.items():
        if cell.metadata.nbgrader.grade:
            changes.append(f"Check {name} was deleted; putting it back")
            answer = name.removesuffix("-check")
            position = names.index(answer) + 1 if answer in names else len(names)
            nb.cells.insert(position, cell)
            names.insert(position, name)
    return changes + _put_checks_after_answers(nb)


def _put_checks_after_answers(nb: NotebookNode) -> list[str]:
    """A check that was moved before its answer would find nothing there to check."""
    changes = []
    names = [_name(cell) for cell in nb.cells]
    for name in list(filter(None, names)):
        answer = name.removesuffix("-check")
        if answer != name and answer in names and (place := names.index(name)) < (behind := names.index(answer)):
            changes.append(f"Check {name} stood before its answer; moving it behind")
            for cells in (nb.cells, names):
                cells.insert(behind, cells.pop(place))
    return changes


def _name(cell: NotebookNode) -> str:
    """A cell's name in nbgrader; empty where it has none."""
    return str(cell.metadata.get("nbgrader", {}).get("grade_id", ""))


def released_cells(submission: dict[str, str]) -> dict[str, NotebookNode]:
    """The cells of the released notebook that nbgrader keeps track of, by name.

    ``submission`` is what nbgrader's preprocessors know of it: ``db_url``, ``assignment`` and ``notebook``.
    """
    with Gradebook(submission["db_url"]) as gradebook:
        notebook = gradebook.find_notebook(submission["notebook"], submission["assignment"])
        return {cell.name: _released_cell(notebook, cell) for cell in notebook.source_cells}


def _released_cell(notebook: Notebook, source: SourceCell) -> NotebookNode:
    """One of these cells, as it was released."""
    points = {cell.name: cell.max_score for cell in notebook.grade_cells}
    answers = {cell.name for cell in notebook.solution_cells}
    nbgrader = {
        "schema_version": 3,
        "grade_id": source.name,
        "grade": source.name in points,
        "solution": source.name in answers,
        "task": False,
        "locked": source.locked,
        "checksum": source.checksum,
        "cell_type": source.cell_type,
    }
    if source.name in points:
        nbgrader["points"] = points[source.name]
    new_cell = new_code_cell if source.cell_type == "code" else new_markdown_cell
    return new_cell(source.source, metadata={"nbgrader": nbgrader})
