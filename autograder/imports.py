"""What our commands spare themselves when they start."""

from __future__ import annotations

import sys

__all__ = ["skip_iri_grammar"]


def skip_iri_grammar() -> None:
    """Have jsonschema, which nbformat imports, come without the grammar of international web addresses.

    Making that grammar takes most of a second, longer than all of nbgrader, wherever JupyterLab has installed it; no
    schema of a notebook asks for such an address. Where jsonschema is imported already, nothing changes.
    """
    sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]  # Python's own sign for "not to be had"
