"""A warm process with a shell in it, whose forks run cells for the tests; processes on the other side of a boundary."""

from __future__ import annotations

import contextlib
import json
import mmap
import os
import pickle
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from autograder.execution.boundary import Peer
from autograder.execution.shell import CellRun
from autograder.isolation.channel import Channel, ChannelClosed

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


class Across:
    """Makes processes on the other side of a boundary, and ends them."""

    def __init__(self) -> None:
        self.pids: list[int] = []
        self.peers: list[Peer] = []

    def __call__(
        self, namespace: Mapping[str, Any], exported: Mapping[str, Any] | None = None, region: int = 16 << 20
    ) -> Peer:
        """The peer that a check has, of a process that lends these."""

        def serve(channel: Channel) -> None:
            peer = Peer(channel, namespace, trusted=True)
            while True:
                peer.serve_one()

        return self.hostile(serve, exported or {}, region)

    def hostile(
        self, script: Callable[[Channel], None], exported: Mapping[str, Any] | None = None, region: int = 16 << 20
    ) -> Peer:
        """The peer that a check has, of a process that does with its channel what it likes."""
        ours, theirs = socket.socketpair()
        there, back = mmap.mmap(-1, region), mmap.mmap(-1, region)
        pid = os.fork()
        if pid == 0:
            try:
                ours.close()
                script(Channel(theirs, inbox=there, outbox=back))
            except (ChannelClosed, BrokenPipeError):
                pass
            finally:
                os._exit(0)
        theirs.close()
        self.pids.append(pid)
        peer = Peer(Channel(ours, inbox=back, outbox=there), exported or {}, trusted=False)
        peer.deadline = time.monotonic() + 20
        self.peers.append(peer)
        return peer

    def end(self) -> None:
        """Hang up, and wait for all of them."""
        for peer in self.peers:
            peer.channel.close()
        for pid in self.pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


@pytest.fixture
def across() -> Iterator[Across]:
    """Processes on the other side of a boundary."""
    found = Across()
    yield found
    found.end()
