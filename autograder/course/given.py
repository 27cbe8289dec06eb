"""What learners find in an answer cell: nbgrader's stub in place of the solution, or what their answer begins with."""

from __future__ import annotations

from typing import Any

from nbformat import NotebookNode
from nbgrader.preprocessors import ClearSolutions

__all__ = ["ClearOrGive"]


class ClearOrGive(ClearSolutions):
    """nbgrader's ClearSolutions, which also puts in what an answer begins with, such as a function to repair.

    ``autograder.course.build`` leaves that in the cell's metadata, and it is taken out again here.
    """

    def preprocess_cell(self, cell: NotebookNode, resources: Any, cell_index: int) -> tuple[NotebookNode, Any]:
        """One cell as it is released."""
        given = cell.metadata.pop("chainrule", {}).get("given")
        if given is None:
            cleared: tuple[NotebookNode, Any] = super().preprocess_cell(cell, resources, cell_index)
            return cleared
        cell.source = given
        return cell, resources
