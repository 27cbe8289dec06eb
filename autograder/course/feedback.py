"""Feedback pages for learners: how a check came out and why, never the source of a hidden one."""

from __future__ import annotations

from typing import Any

from nbformat import NotebookNode
from nbgrader.preprocessors import ClearHiddenTests, NbGraderPreprocessor
from nbgrader.utils import is_grade, is_solution

__all__ = ["HideChecks"]


class HideChecks(NbGraderPreprocessor):
    """Takes out of graded cells what learners are not to see.

    That is the regions between the lines of ``ClearHiddenTests`` (``### BEGIN HIDDEN TESTS``), and tracebacks, which
    quote the check that failed: the exception and its message stay.
    """

    def preprocess_cell(self, cell: NotebookNode, resources: Any, cell_index: int) -> tuple[NotebookNode, Any]:
        """One cell as it is shown."""
        if cell.cell_type != "code" or not is_grade(cell):
            return cell, resources
        cell.source, hidden = self._parted(cell.source)
        if is_solution(cell):  # the learner's own code, which an instructor marks by hand
            return cell, resources
        for output in cell.outputs:
            if output.output_type == "error":
                output.traceback = [": ".join(part for part in (output.ename, output.evalue) if part)]
            elif output.output_type == "stream":
                output.text = _without(output.text, hidden)
        return cell, resources

    def _parted(self, source: str) -> tuple[str, set[str]]:
        """A cell's source without its hidden regions, and their lines. One without an end reaches to the last line."""
        delimiters = ClearHiddenTests(parent=self)
        shown, hidden, inside = [], set(), False
        for line in source.split("\n"):
            if delimiters.begin_test_delimeter in line:
                inside = True
            elif delimiters.end_test_delimeter in line:
                inside = False
            elif inside:
                hidden.add(line.strip())
            else:
                shown.append(line)
        return "\n".join(shown), hidden - {""}


def _without(text: str | list[str], hidden: set[str]) -> str:
    """What was printed, without lines of a check: a warning quotes the one that it comes from."""
    whole = "".join(text)
    return "".join(line for line in whole.splitlines(keepends=True) if line.strip() not in hidden)
