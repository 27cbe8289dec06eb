"""Inside the warm parent: import, prepare, and fork a confined child for every request.

One child is always forked ahead of time, so that whoever asks need not wait for the fork. The parent alone reaps
children, and only when told to: until then a dead child's number is nobody else's. When whoever started the parent is
gone, however it went, the parent kills its children and exits.
"""

from __future__ import annotations

import contextlib
import errno
import gc
import os
import signal
import socket
import stat
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import Any

from autograder.errors import CourseError
from autograder.isolation import scratch
from autograder.isolation.channel import BadMessage, Channel, ChannelClosed
from autograder.isolation.confinement import Confinement, Policy

with contextlib.suppress(ImportError):
    import fcntl  # Windows has none, nor forks

__all__ = ["FORKS", "OUT_OF_MEMORY", "Program", "serve"]

FORKS = hasattr(os, "fork") and sys.platform != "darwin"
"""Whether processes can be forked here; see ``autograder.isolation.fresh``."""

OUT_OF_MEMORY = errno.ENOMEM
"""Exit status of a child that could not go on for lack of memory."""

Main = Callable[[Channel], None]


def serve(number: int) -> None:
    """The parent's life: ``number`` is the descriptor of the socket to whoever started it."""
    with socket.socket(fileno=number) as connection, contextlib.suppress(ChannelClosed, BadMessage):
        channel = Channel(connection)
        try:
            forks = _Forks(channel.receive())
        except Exception as error:
            reason = str(error) if isinstance(error, CourseError) else f"{type(error).__name__}: {error}"
            channel.send({"failed": f"The process that starts others for grading could not be prepared: {reason}"})
            return
        try:
            channel.send({"ready": True})
            while True:
                forks.answer(channel, channel.receive())
        finally:
            forks.end()


class Program:
    """What children run, imported and prepared, and what they are confined to."""

    def __init__(self, start: dict[str, Any]) -> None:
        self.allow_unconfined = bool(start["allow_unconfined"])
        self.main: Main = import_module(start["program"]).prepare(start["settings"])
        gc.collect()  # which closes files that nobody holds any more
        self.files = _open_files() if FORKS else {}
        policy = dict(start["policy"])
        for name in ("readable", "hidden"):
            policy[name] = tuple(map(Path, policy[name]))
        self.confinement = Confinement(Policy(**policy))

    def become(self, connection: socket.socket, folder: Path) -> None:
        """Make this process a child: confine it, say so, run, and never return."""
        status = 1
        try:
            channel = Channel(connection)
            try:
                os.chdir(folder)
                os.environ["HOME"] = os.environ["TMPDIR"] = tempfile.tempdir = str(folder)
                keep = (connection.fileno(), *_opened_again(self.files))
                layers = self.confinement.apply(folder, self.allow_unconfined, keep=keep)
            except CourseError as error:
                channel.send({"failed": str(error)})
                return
            channel.send({"layers": [asdict(layer) for layer in layers]})
            self.main(channel)
            status = 0
        except (ChannelClosed, BadMessage):
            status = 0  # whoever asked for this child is done with it
        except MemoryError:
            status = OUT_OF_MEMORY
        finally:
            os._exit(status)  # whatever happened: nothing of the parent's may run twice


def _open_files() -> dict[int, str]:
    """The files that imported modules hold open for reading, such as matplotlib its fonts, by descriptor.

    They must stay open in a child: the module would read another file under the same number, or close it.
    """
    found = {}
    folder = Path("/proc/self/fd")
    for number in [int(entry.name) for entry in folder.iterdir()] if folder.is_dir() else []:
        with contextlib.suppress(OSError):
            path = os.readlink(folder / str(number))
            reads = fcntl.fcntl(number, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY
            if number > 2 and reads and stat.S_ISREG(os.fstat(number).st_mode):
                found[number] = path
    return found


def _opened_again(files: dict[int, str]) -> Iterator[int]:
    """Open files anew under the same numbers: a place in a file is shared by all who have it from one parent."""
    for number, path in files.items():
        with contextlib.suppress(OSError):  # closed by the fork itself, as by matplotlib those of its own cache
            place = os.lseek(number, 0, os.SEEK_CUR)
            with open(path, "rb", buffering=0) as file:
                file.seek(place)
                os.dup2(file.fileno(), number, inheritable=False)
            yield number


class _Forks:
    """The children there are, and one that is ready."""

    def __init__(self, start: dict[str, Any]) -> None:
        self.folder = Path(start["folder"])
        self.program = Program(start)
        self.children: dict[int, Path] = {}
        gc.freeze()  # a child's garbage collection leaves the pages alone that it shares with this process
        self.spare = self.fork()

    def answer(self, channel: Channel, request: dict[str, Any]) -> None:
        """One request: a child, or the end of one."""
        if "kill" in request:
            channel.send({"code": self.reap(request["kill"], request["patience"])})
            return
        if "release" in request:
            self.reap(request["release"])
            return
        pid, connection, folder = self.spare
        with connection:
            channel.send({"pid": pid, "scratch": str(folder)}, fds=[connection.fileno()])
        self.spare = self.fork()

    def fork(self) -> tuple[int, socket.socket, Path]:
        """A new child, with the socket to it and its folder."""
        folder = Path(tempfile.mkdtemp(dir=self.folder))
        ours, theirs = socket.socketpair()
        pid = os.fork()
        if pid == 0:
            self.program.become(theirs, folder)
        theirs.close()
        self.children[pid] = folder
        return pid, ours, folder

    def reap(self, pid: int, patience: float = 0) -> int | None:
        """Kill a child unless it dies within so many seconds; its exit code, None if it was killed here.

        Its folder goes with it. A dying process closes its sockets some time before it can be reaped.
        """
        if pid not in self.children:
            return None
        until = time.monotonic() + patience
        ended, status = os.waitpid(pid, os.WNOHANG)
        while not ended and time.monotonic() < until:
            time.sleep(0.001)
            ended, status = os.waitpid(pid, os.WNOHANG)
        if not ended:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        scratch.remove(self.children.pop(pid))
        return os.waitstatus_to_exitcode(status) if ended else None

    def end(self) -> None:
        """Kill and reap all children, and remove their folders."""
        for pid in list(self.children):
            self.reap(pid)
        scratch.remove(self.folder)
