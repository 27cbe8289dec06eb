"""Where processes cannot be forked: a new process for every child, which imports everything by itself.

Windows has no fork. macOS has one, but its own libraries, which numpy computes with, may not be used after it. A child
is started ahead of time, so that whoever asks need not wait for a second.

Such a child calls back (``autograder.isolation.loopback``). What it is to run, and the secret it is known by, come
through its standard input, for a command line can be read by everybody.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import threading
import weakref
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autograder.errors import CourseError
from autograder.isolation import scratch
from autograder.isolation.channel import BadMessage, Channel, ChannelClosed, TimedOut
from autograder.isolation.confinement import Policy
from autograder.isolation.forking import Program
from autograder.isolation.loopback import Listener, call
from autograder.isolation.warm import START, Child, Parent, description, environment, last_words, python_path

__all__ = ["FreshParent", "run"]

_RUN = """\
import json, sys
start = json.loads(sys.stdin.readline())
sys.path[:] = start["path"]
from autograder.isolation.fresh import run
run(start)
"""


@dataclass
class _Started:
    """A child that is on its way."""

    process: subprocess.Popen[bytes]
    listener: Listener
    scratch: Path


class FreshParent(Parent):
    """Starts a process for every child; this process itself is the parent.

    Parameters
    ----------
    program, settings, policy, allow_unconfined : see ``autograder.isolation.warm.WarmParent``
    """

    hands_over = False

    def __init__(
        self, program: str, settings: Mapping[str, Any], policy: Policy, allow_unconfined: bool = False
    ) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="chainrule-"))
        self._description = description(program, settings, policy, allow_unconfined, self.folder)
        self._children: dict[int, _Started] = {}
        self._finalizer = weakref.finalize(self, _end_all, self._children, self.folder)
        self._spare = self._start()
        self._ready: Child | None = None

    def _start(self) -> _Started:
        """Start a process, and leave it to import what it needs."""
        listener = Listener()
        folder = Path(tempfile.mkdtemp(dir=self.folder))
        with (self.folder / "log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-P", "-c", _RUN],
                env=environment(self.folder),
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                # Ctrl+C in a terminal is for the grader, which then ends this one.
                start_new_session=True,
                creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
            )
        started = self._children[process.pid] = _Started(process, listener, folder)
        start = {**self._description, "path": python_path(), "scratch": str(folder), "call": listener.address}
        if process.stdin is not None:
            with contextlib.suppress(OSError):  # it is gone already, which shows when it does not call
                process.stdin.write(json.dumps(start).encode() + b"\n")
                process.stdin.flush()  # and stays open: the child ends when it is closed, even if we are killed
        return started

    def wait(self) -> None:
        """See ``Parent``."""
        if self._ready is None:
            self._ready = self._met(self._spare)

    def child(self) -> Child:
        """A child that was started before, while the next one starts."""
        self.wait()
        child, self._ready = self._ready, None
        assert child is not None
        self._spare = self._start()
        return child

    def _met(self, started: _Started) -> Child:
        """A started process, once it has imported everything and is confined as far as it goes."""
        process = started.process
        try:
            connection = started.listener.accept(START, is_hopeless=lambda: process.poll() is not None)
            child = Child(process.pid, Channel(connection), started.scratch, (), self)
            ready = child.channel.receive(START)
        except (ChannelClosed, TimedOut, BadMessage) as error:
            self.reap(process.pid, 1.0)
            raise CourseError(f"A process for grading could not be made{last_words(self.folder)}") from error
        child.introduced(ready)
        return child

    def reap(self, pid: int, patience: float) -> int | None:
        """See ``Parent``."""
        started = self._children.pop(pid, None)
        return None if started is None else _ended(started, patience)

    def release(self, pid: int) -> None:
        """See ``Parent``."""
        self.reap(pid, 0)

    def close(self) -> None:
        """End all children, and remove their folders."""
        self._finalizer()


def _ended(started: _Started, patience: float) -> int | None:
    """End a child, and give its exit code, were it at its end already."""
    process = started.process
    started.listener.close()
    code: int | None = None
    try:
        code = process.wait(patience)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdin is not None:
        with contextlib.suppress(OSError):
            process.stdin.close()
    scratch.remove(started.scratch)
    return code


def _end_all(children: dict[int, _Started], folder: Path) -> None:
    """What ``close`` does, without the object: Python calls it at its end as well."""
    while children:
        _ended(children.popitem()[1], 0)
    scratch.remove(folder)


def run(start: dict[str, Any]) -> None:
    """The life of a child."""
    _end_with_parent(Path(start["folder"]))
    program = Program(start)
    program.become(call(*start["call"]), Path(start["scratch"]))


def _end_with_parent(folder: Path) -> None:
    """End this process when the one that started it is gone, however it went: its end of our standard input closes.

    The parent's folder goes too, since nobody else is there to remove it. Whoever reads standard input from here on
    finds it empty.
    """
    watched = os.dup(0)
    with open(os.devnull, "rb") as nothing:
        os.dup2(nothing.fileno(), 0)

    def watch() -> None:
        while os.read(watched, 1):
            pass
        try:
            os.chdir(folder.parent)  # Windows removes no folder that somebody is in
            scratch.remove(folder)
        finally:
            os._exit(0)

    threading.Thread(target=watch, daemon=True).start()
