"""A warm process with a shell in it, whose forks run cells for the tests."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from autograder.execution.shell import CellRun

Runner = Callable[..., list[CellRun]]


@pytest.fixture(scope="session")
def warm_shell() -> Iterator[subprocess.Popen[str]]:
    """The process that forks."""
    program = Path(__file__).with_name("cells_server.py")
    process = subprocess.Popen([sys.executable, str(program)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    with process:
        yield process
        assert process.stdin is not None
        process.stdin.close()


@pytest.fixture
def run_cells(warm_shell: subprocess.Popen[str], tmp_path: Path) -> Runner:
    """Run cells in a fresh fork, one after the other, each within limits; what ``Shell.run`` said of each."""

    def run(*cells: str, **limits: int) -> list[CellRun]:
        assert warm_shell.stdin is not None
        assert warm_shell.stdout is not None
        request = {"cells": cells, "limits": limits, "folder": str(tmp_path)}
        print(json.dumps(request), file=warm_shell.stdin, flush=True)
        reply: Any = pickle.loads(bytes.fromhex(warm_shell.stdout.readline()))
        assert isinstance(reply, list), reply
        return [CellRun(**each) for each in reply]

    return run
