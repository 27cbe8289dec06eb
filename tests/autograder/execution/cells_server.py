"""Runs lists of cells in forks of one warm process, as the warm parent of a student process does.

Started by the tests as a program: a line of JSON is a request, ``{"cells": [...], "limits": {...}, "folder": "..."}``,
and the answer is a pickle in hexadecimal: what ``Shell.run`` returned for each cell, or how the child died.
"""

from __future__ import annotations

import importlib
import json
import os
import pickle
import sys
import tempfile
import threading

from autograder.execution.shell import OutputLimits, Shell


def main() -> None:
    """Make the shell, then fork for each request."""
    shell = Shell()
    import ipywidgets  # noqa: F401
    import matplotlib.pyplot  # noqa: F401

    importlib.import_module("matplotlib_inline.backend_inline")

    assert threading.active_count() == 1
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            answer(shell, json.loads(line))
        _, status = os.waitpid(pid, 0)
        print(pickle.dumps({"died": status}).hex() if status else "", flush=True)


def answer(shell: Shell, request: dict) -> None:
    """The child's side of a fork: run the cells, write what they did, and never return."""
    report = os.dup(1)
    os.chdir(request["folder"])
    tempfile.tempdir = request["folder"]
    shell.see_folder()
    shell.recorder.limits = OutputLimits(**request["limits"])
    write, leave, dumps = os.write, os._exit, pickle.dumps  # a cell may put something else in their place
    runs = [vars(shell.run(cell)) for cell in request["cells"]]
    data = dumps(runs).hex().encode()
    while data:
        data = data[write(report, data) :]
    leave(0)


if __name__ == "__main__":
    main()
