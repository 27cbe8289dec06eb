"""nbgrader's check of its own metadata, without asking anew for every cell whether its schema is a schema.

That question is nine tenths of what ``CheckCellMetadata`` costs, and a notebook is checked twice.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from jsonschema.validators import validator_for
from nbformat import NotebookNode
from nbgrader.nbgraderformat import MetadataValidator
from nbgrader.nbgraderformat.common import BaseMetadataValidator
from nbgrader.preprocessors import CheckCellMetadata

__all__ = ["QuickCheck"]


class QuickCheck(CheckCellMetadata):
    """nbgrader's ``CheckCellMetadata`` for many notebooks: what is in order passes, and of all else nbgrader speaks."""

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
