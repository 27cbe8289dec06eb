"""What a process reports about a cell, as nbformat wants it, or refused: a learner's code may have written the report.

Whatever is kept here ends in a notebook that an instructor opens, so only the types and sizes that nbformat knows pass.
They are looked at here: nbformat's own validation of a single output takes longer than many a cell.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nbformat import NotebookNode, from_dict
from nbformat.v4 import new_output

from autograder.isolation.channel import BadMessage

__all__ = ["Report", "error_output", "read_report"]

OUTPUTS = 2_000
"""Outputs of one cell; the shell stops at half of that."""

WIDGETS = 5_000
"""Widgets of one notebook."""


@dataclass(frozen=True)
class Report:
    """What a cell did.

    Parameters
    ----------
    execution_count : its number, None where it has none
    outputs : nbformat outputs, in order
    display_ids : beside each output, the name by which later cells may renew it; empty where it has none
    updates : new data and metadata for displays of earlier cells, by that name, with their size in bytes
    widgets : the state of widgets by model id, as nbclient writes it
    results : what was checked, as data, where this is the report of a check
    size : about the bytes that it takes in the notebook's file
    """

    execution_count: int | None
    outputs: tuple[NotebookNode, ...]
    display_ids: tuple[str, ...]
    updates: tuple[tuple[str, dict[str, Any], dict[str, Any], int], ...]
    widgets: dict[str, Any]
    results: tuple[dict[str, Any], ...] = ()
    size: int = 0

    @property
    def errors(self) -> list[NotebookNode]:
        """The outputs that are errors."""
        return [output for output in self.outputs if output.output_type == "error"]


def read_report(message: Any, size: int = 0) -> Report:
    """A report from what arrived.

    Raises
    ------
    BadMessage
        It is no report.
    """
    try:
        outputs, updates, widgets = message["outputs"], message["updates"], message["widgets"]
        if not (isinstance(outputs, list) and isinstance(updates, list) and isinstance(widgets, dict)):
            raise BadMessage("a report without lists")
        if max(len(outputs), len(updates)) > OUTPUTS or len(widgets) > WIDGETS:
            raise BadMessage("a report of too many outputs")
        if message["status"] != "ok" and not any(output["output_type"] == "error" for output in outputs):
            # Something kept the shell from showing the error; without one a check would count as passed.
            error = message["error"] or {"ename": "Error", "evalue": "", "traceback": []}
            outputs.append({**error, "output_type": "error"})
        read = tuple(_output(output) for output in outputs)
        return Report(
            execution_count=_number(message["execution_count"]),
            outputs=read,
            display_ids=tuple(_display_id(output) for output in outputs),
            updates=tuple(_update(update) for update in updates),
            widgets={_text(name): _object(state) for name, state in widgets.items()},
            results=tuple(message.get("results", ())),
            size=size + _spaces([output.get("data") for output in read]) + _spaces(widgets),
        )
    except BadMessage:
        raise
    except Exception as error:  # whatever comes of taking something else for a report
        raise BadMessage(f"a report that cannot be read ({type(error).__name__})") from error


def _output(output: Mapping[str, Any]) -> NotebookNode:
    """One output, with nothing in it that nbformat does not know."""
    kept: dict[str, Any]
    match output["output_type"]:
        case "stream":
            name = output["name"] if output["name"] in ("stdout", "stderr") else "stdout"
            kept = {"output_type": "stream", "name": name, "text": _text(output["text"])}
        case "error":
            kept = {"output_type": "error", "ename": _text(output["ename"]), "evalue": _text(output["evalue"])}
            kept["traceback"] = [_text(line) for line in output["traceback"]]
        case "display_data" | "execute_result" as kind:
            kept = {"output_type": kind, "data": _bundle(output["data"]), "metadata": _object(output["metadata"])}
            if kind == "execute_result":
                kept["execution_count"] = _number(output["execution_count"])
        case _:
            raise BadMessage("an output of an unknown type")
    made: NotebookNode = from_dict(kept)
    return made


def _update(update: Mapping[str, Any]) -> tuple[str, dict[str, Any], dict[str, Any], int]:
    """What a display is to show from now on."""
    data, metadata = _bundle(update["data"]), _object(update["metadata"])
    return _display_id(update), data, metadata, len(json.dumps(data)) + len(json.dumps(metadata)) + _spaces(data)


def _spaces(value: Any, depth: int = 1) -> int:
    """What JSON is indented by in a notebook, a line for every item: much more than the items, if it is deep."""
    if isinstance(value, dict):
        value = value.values()
    elif not isinstance(value, list):
        return 0
    return sum(depth + _spaces(item, depth + 1) for item in value)


def _number(count: Any) -> int | None:
    """The number beside a cell, where it is one."""
    return count if type(count) is int and 0 <= count < 10**9 else None


def _display_id(output: Mapping[str, Any]) -> str:
    """The name under which an output may be renewed."""
    transient = output.get("transient", output)
    return _text(transient.get("display_id") or "") if isinstance(transient, Mapping) else ""


_JSON = re.compile(r"application/(.*\+)?json")
"""The MIME types that nbformat's schema allows any value for; for all others, text."""


def _bundle(data: Any) -> dict[str, Any]:
    """The forms of an output by MIME type: text, or JSON where the type says so."""
    found: dict[str, Any] = {}
    for kind, value in data.items():
        found[_text(kind)] = _plain(value) if _JSON.fullmatch(kind) else _lines(value)
    return found


def _lines(value: Any) -> str | list[str]:
    return [_text(line) for line in value] if isinstance(value, list) else _text(value)


def _text(value: Any) -> str:
    """Text that a file can hold."""
    if not isinstance(value, str):
        raise BadMessage("something else than text")
    return value.encode("utf-8", "replace").decode()


def _plain(value: Any) -> Any:
    """Whatever JSON can say, and a file can hold, and nothing else."""
    return json.loads(json.dumps(value, allow_nan=False, ensure_ascii=False).encode("utf-8", "replace"))


def _object(value: Any) -> dict[str, Any]:
    """The same of what has to be an object."""
    if not isinstance(value, dict):
        raise BadMessage("something else than an object")
    found: dict[str, Any] = _plain(value)
    return found


def error_output(name: str, sentence: str) -> NotebookNode:
    """The error that stands for a cell which could not be run, or not to its end."""
    return new_output("error", ename=name, evalue=sentence, traceback=[f"\x1b[0;31m{name}\x1b[0m: {sentence}"])
