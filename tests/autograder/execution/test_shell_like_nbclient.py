"""The shell's outputs beside nbclient's, for the notebooks in ``notebooks``: the same types, text and pictures.

What may differ is taken out before comparing: addresses, identifiers, times, the names of temporary files, how a kernel
happened to cut streams into pieces, and lines of a traceback in the machinery that a cell called into.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import jupytext
import nbclient
import pytest

NOTEBOOKS = sorted(Path(__file__).with_name("notebooks").glob("*.md"))

MACHINERY = re.compile(r"(ipykernel|jupyter_client|autograder/execution)/|/json/(__init__|encoder)\.py")
"""Files that a cell's traceback leads through when it calls for input, or displays what cannot be displayed."""

Output = dict[str, Any]


def executed(path: Path, folder: Path) -> Any:
    """A notebook as nbclient runs it."""
    notebook = jupytext.read(path)
    folder.mkdir()
    resources = {"metadata": {"path": str(folder)}}
    return nbclient.NotebookClient(notebook, allow_errors=True, timeout=60, resources=resources).execute()


@pytest.fixture(scope="module")
def references(tmp_path_factory: pytest.TempPathFactory) -> dict[Path, Future[Any]]:
    """All notebooks, each in a kernel of its own; the later ones run while the first are compared."""
    folder = tmp_path_factory.mktemp("nbclient")
    pool = ThreadPoolExecutor(1)  # nbclient loses messages when two notebooks run in one process
    futures = {path: pool.submit(executed, path, folder / path.stem) for path in NOTEBOOKS}
    pool.shutdown(wait=False)
    return futures


def whole_streams(outputs: Iterable[Output]) -> list[Output]:
    """Outputs with each stream's text between two other outputs in one piece, standard output first.

    A kernel sends text five times a second, each stream by itself; with ``coalesce_streams`` nbclient puts them in this
    order too.
    """
    found: list[Output] = []
    texts: dict[str, str] = {}

    def flush() -> None:
        found.extend({"output_type": "stream", "name": n, "text": texts[n]} for n in ("stdout", "stderr") if n in texts)
        texts.clear()

    for output in outputs:
        if output["output_type"] == "stream":
            texts[output["name"]] = texts.get(output["name"], "") + output["text"]
        else:
            flush()
            found.append({name: value for name, value in output.items() if name != "transient"})
    flush()
    return found


def plain_traceback(output: Output) -> Output:
    """An error with its traceback's lines in the machinery left out, and a line that repeats itself told once."""
    if output["output_type"] != "error":
        return output
    lines = [line for line in output["traceback"] if not MACHINERY.search(line)]
    if any(MACHINERY.search(line) for line in output["traceback"]):
        lines = lines[-1:]  # there may be an exception within the machinery before it
    return {**output, "traceback": list(dict.fromkeys(lines))}


def comparable(value: Any) -> str:
    """Outputs as text, without what differs from run to run."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, indent=1)
    identifiers: dict[str, str] = {}
    pattern = r"(?<![0-9a-f])[0-9a-f]{32}(?![0-9a-f])"
    text = re.sub(pattern, lambda found: identifiers.setdefault(found[0], f"<identifier {len(identifiers)}>"), text)
    text = re.sub(r"0x[0-9a-f]{6,}", "<address>", text)
    text = re.sub(r"/tmp/ipykernel_\d+/\d+\.py", "<cell>", text)
    text = re.sub(r"\(\d+\.py, line", "(<cell>, line", text)
    text = re.sub(r"[\d.]+(e[+-]\d+)? (ns|μs|µs|ms|s)\b", "<time>", text)
    return re.sub(r"<dc:date>[^<]*", "<dc:date>", text)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_outputs_equal_nbclients(path, references, run_cells):
    cells = [cell for cell in jupytext.read(path).cells if cell.cell_type == "code"]
    runs = run_cells(*(cell.source for cell in cells))
    notebook = references[path].result()
    shown: dict[str, list[Output]] = {}
    for run in runs:
        for update in run.updates:
            for output in shown[update["display_id"]]:
                output.update(data=update["data"], metadata=update["metadata"])
        for output in run.outputs:
            shown.setdefault(output.get("transient", {}).get("display_id", ""), []).append(output)

    expected = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert len(expected) == len(runs)
    for cell, run in zip(expected, runs, strict=True):
        right, ours = ([plain_traceback(o) for o in whole_streams(outputs)] for outputs in (cell.outputs, run.outputs))
        assert comparable(ours) == comparable(right), cell.source
        assert run.execution_count == cell.execution_count, cell.source

    state = notebook.metadata.get("widgets", {}).get("application/vnd.jupyter.widget-state+json", {}).get("state", {})
    widgets: dict[str, Any] = {}
    for run in runs:
        widgets |= run.widgets
    assert comparable(list(widgets.values())) == comparable(list(state.values()))


def test_notebooks_hold_what_they_are_to_compare(references):
    outputs = [o for future in references.values() for cell in future.result().cells for o in cell.get("outputs", ())]
    kinds = {kind for output in outputs for kind in output.get("data", {})}
    assert {"image/png", "image/svg+xml", "text/html", "text/latex", "text/markdown", "application/json"} <= kinds
    assert "application/vnd.jupyter.widget-view+json" in kinds
    assert {output["output_type"] for output in outputs} == {"stream", "display_data", "execute_result", "error"}
