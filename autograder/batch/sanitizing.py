"""nbgrader's preprocessors in a form for many notebooks of one assignment: they ask nothing twice.

nbgrader's own open the gradebook anew for each notebook, look each cell up by itself, and ask before each check of
metadata whether the schema is a schema. For a class that is a tenth of all the work.
"""

from __future__ import annotations

import json
from functools import cache, lru_cache
from typing import Any

from jsonschema.validators import validator_for
from nbformat import NotebookNode
from nbgrader.api import Gradebook
from nbgrader.nbgraderformat import MetadataValidator
from nbgrader.nbgraderformat.common import BaseMetadataValidator
from nbgrader.preprocessors import CheckCellMetadata, NbGraderPreprocessor, OverwriteCells, OverwriteKernelspec

__all__ = ["QuickCheck", "QuickKernelspec", "QuickOverwrite"]


class QuickKernelspec(OverwriteKernelspec):
    """nbgrader's ``OverwriteKernelspec``, for a gradebook that nobody writes to."""

    def preprocess(self, nb: NotebookNode, resources: dict[str, Any]) -> tuple[NotebookNode, dict[str, Any]]:
        submission = resources["nbgrader"]
        released = _opened(submission["db_url"]).find_notebook(submission["notebook"], submission["assignment"])
        kernelspec = json.loads(released.kernelspec or "null")
        if kernelspec:
            nb.metadata.kernelspec = kernelspec
        return nb, resources


class QuickOverwrite(OverwriteCells):
    """nbgrader's ``OverwriteCells``, for a gradebook that nobody writes to."""

    def preprocess(self, nb: NotebookNode, resources: dict[str, Any]) -> tuple[NotebookNode, dict[str, Any]]:
        submission = resources["nbgrader"]
        self.notebook_id, self.assignment_id = submission["notebook"], submission["assignment"]
        self.gradebook = _opened(submission["db_url"])
        nb, resources = NbGraderPreprocessor.preprocess(self, nb, resources)
        if self.add_missing_cells:
            nb, resources = self.add_missing_grade_cells(nb, resources)
            nb, resources = self.add_missing_task_cells(nb, resources)
        return nb, resources


class _Remembering(Gradebook):
    """A gradebook that stays open."""

    def __init__(self, db_url: str) -> None:
        super().__init__(db_url)
        self.find_notebook = cache(super().find_notebook)
        self.find_source_cell = cache(super().find_source_cell)
        self.find_graded_cell = cache(super().find_graded_cell)


@lru_cache(maxsize=1)
def _opened(db_url: str) -> _Remembering:
    return _Remembering(db_url)


class QuickCheck(CheckCellMetadata):
    """nbgrader's ``CheckCellMetadata``: what is in order passes, and of all else nbgrader speaks."""

    def preprocess(self, nb: NotebookNode, resources: dict[str, Any]) -> tuple[NotebookNode, dict[str, Any]]:
        try:
            _rules().validate_nb(nb)
        except Exception:
            return super().preprocess(nb, resources)
        return nb, resources


class _OfKnownSchema(BaseMetadataValidator):
    """Checks a cell against the schema, which is known to be one."""

    def __init__(self) -> None:
        super().__init__()
        self._by_schema = validator_for(self.schema)(self.schema)

    def validate_cell(self, cell: NotebookNode) -> None:
        metadata = cell.metadata.get("nbgrader")
        if metadata is None:
            return
        if metadata["schema_version"] != self.schema_version or not self._by_schema.is_valid(metadata):
            super().validate_cell(cell)


class _Rules(MetadataValidator, _OfKnownSchema):
    """nbgrader's rules for a notebook."""


@cache
def _rules() -> _Rules:
    return _Rules()
