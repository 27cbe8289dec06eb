"""Runs a solved lesson as a student process does, but without the kernel's confinement: ``run_lesson.py`` reads the
notebook's cells, the lesson and what is withheld from standard input, and writes what happened.

In the confinement's place, an audit hook refuses to open what is hidden. Checks are answered as if all were right:
whether they are is for other tests.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from autograder.execution import stand_in, withholding
from autograder.execution.shell import Shell

RIGHT = {"score": 1.0, "max_score": 1.0, "verdict": "correct", "message": "", "title": "", "mistakes": ()}


def main() -> None:
    report = os.fdopen(os.dup(1), "w")  # the shell's cells have standard output to themselves
    task = json.load(sys.stdin)
    hidden = [str(path) for path in withholding.hidden_files(task["withheld"])]
    withholding.install(task["withheld"], task["lesson"])
    shell = Shell()
    shell.explain_errors(withholding.explain)
    for module in ("matplotlib.pyplot", "ipywidgets", "chainrule_lib", "chainrule_lib.widgets"):
        __import__(module)
    stand_in.install(answered)
    sys.addaudithook(guard(hidden))
    runs = [shell.run(source) for source in task["cells"]]
    json.dump([{"status": run.status, "said": said(run.outputs)} for run in runs], report)
    report.close()
    os._exit(0)  # what cells have left behind is not worth waiting for


def answered(name: str, arguments: Any, options: Any) -> dict[str, Any]:
    """A check of a right answer, or an empty list of what else can be asked for."""
    if name in ("check", "evaluate"):
        return {"told": {"fields": {**RIGHT, "id": arguments[0]}, "dict": {}, "text": "", "html": "", "points": "1"}}
    return {"told": {"rows": [], "text": "", "html": ""} if name == "progress" else []}


def guard(hidden: list[str]) -> Any:
    """Refuses to open files that are hidden, in hidden folders, or the bytecode of hidden ones."""
    closed = {*hidden, *(path for source in hidden for path in bytecode(Path(source)))}

    def refuse(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open" and isinstance(arguments[0], str):
            path = os.path.realpath(arguments[0])
            if path in closed or any(path.startswith(f"{each}/") for each in hidden):
                raise PermissionError(13, "Permission denied", path)

    return refuse


def bytecode(source: Path) -> Iterator[str]:
    return map(str, source.parent.glob(f"__pycache__/{source.stem}.*.pyc"))


def said(outputs: list[dict[str, Any]]) -> str:
    """All text of a cell's outputs."""
    texts = []
    for output in outputs:
        texts += [output.get("text", ""), *output.get("traceback", ()), *output.get("data", {}).values()]
    return "\n".join(text for text in texts if isinstance(text, str))


if __name__ == "__main__":
    main()
