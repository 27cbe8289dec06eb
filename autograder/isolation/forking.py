"""Inside the warm parent: import, prepare, and fork confined children, one ahead of every request.

One child is always forked ahead of time, so that whoever asks need not wait for the fork: not at once, when the one
before is in use, which would slow it down, but when that one has ended or has been running for a while. The socket to
it is handed over at once: whoever uses it says that it is ``taken``, or that one is ``wanted`` before it has come. The
first child of all rehearses, so that the others know which memory they will write to (``autograder.isolation.memory``).

The parent alone reaps children, and only when told to: until then a dead child's number is nobody else's. When whoever
started the parent is gone, however it went, the parent kills its children and exits.
"""

from __future__ import annotations

import contextlib
import errno
import gc
import json
import os
import signal
import socket
import stat
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

from autograder.errors import CourseError
from autograder.isolation import memory, scratch
from autograder.isolation.channel import BadMessage, Channel, ChannelClosed, TimedOut
from autograder.isolation.confinement import Confinement, Policy

with contextlib.suppress(ImportError):
    import fcntl  # Windows has none, nor forks

__all__ = ["FORKS", "OUT_OF_MEMORY", "Program", "serve"]

FORKS = hasattr(os, "fork") and sys.platform != "darwin"
"""Whether processes can be forked here; see ``autograder.isolation.fresh``."""

OUT_OF_MEMORY = errno.ENOMEM
"""Exit status of a child that could not go on for lack of memory."""

LULL = 0.2
"""Seconds without a request after which a child is forked ahead of time."""

REHEARSAL = 30
"""Seconds until a child that rehearses has to say that it is confined."""

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
            forks.make_ready(channel)
            while True:
                forks.answer(channel, _request(channel, None if forks.is_ready else LULL))
        finally:
            forks.end()


def _request(channel: Channel, timeout: float | None) -> dict[str, Any]:
    """What is asked for next; nothing, after this time.

    No child is forked while an exception is being handled here: it would be the context of all that a learner's code
    raises.
    """
    try:
        request: dict[str, Any] = channel.receive(timeout)
    except TimedOut:
        return {}
    return request


class Program:
    """What children run, imported and prepared, and what they are confined to."""

    def __init__(self, start: dict[str, Any]) -> None:
        self.allow_unconfined = bool(start["allow_unconfined"])
        module = import_module(start["program"])
        self.main: Main = module.prepare(start["settings"])
        self.rehearse: Main | None = None
        if hasattr(module, "rehearse"):
            self.rehearse = partial(module.rehearse, start["settings"])
        self.pages: list[memory.Range] = []
        gc.collect()  # which closes files that nobody holds any more
        self.files = _open_files() if FORKS else {}
        policy = dict(start["policy"])
        for name in ("readable", "hidden"):
            policy[name] = tuple(map(Path, policy[name]))
        self.confinement = Confinement(Policy(**policy))

    def become(
        self, connection: socket.socket, folder: Path, main: Main | None = None, keep: Iterable[int] = ()
    ) -> None:
        """Make this process a child: confine it, say so, run, and never return.

        ``main`` is run in place of the program's own; ``keep`` has the descriptors that it needs.
        """
        status = 1
        try:
            memory.copy(self.pages)
            channel = Channel(connection)
            try:
                os.chdir(folder)
                os.environ["HOME"] = os.environ["TMPDIR"] = tempfile.tempdir = str(folder)
                keep = (*keep, connection.fileno(), *_opened_again(self.files))
                layers = self.confinement.apply(folder, self.allow_unconfined, keep=keep)
            except CourseError as error:
                channel.send({"failed": str(error)})
                return
            channel.send({"layers": [asdict(layer) for layer in layers]})
            (main or self.main)(channel)
            status = 0
        except (ChannelClosed, BadMessage):
            status = 0  # whoever asked for this child is done with it
        except MemoryError:
            status = OUT_OF_MEMORY
        finally:
            os._exit(status)  # whatever happened: nothing of the parent's may run twice

    def become_rehearsing(self, connection: socket.socket, folder: Path, report: int) -> None:
        """Make this process the child that rehearses; in the end it reports which pages have become its own."""
        try:
            watched = memory.Watched()
        except OSError:
            os._exit(1)  # the system does not tell

        def main(channel: Channel) -> None:
            with contextlib.suppress(ChannelClosed):
                self.main(channel)
            with open(report, "w", encoding="ascii") as file:
                json.dump(watched.copied(), file)

        self.become(connection, folder, main, keep=(watched.descriptor, report))


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


def _play(rehearse: Main, connection: socket.socket) -> None:
    """Speak to a child that rehearses, and end this process."""
    try:
        channel = Channel(connection)
        channel.receive(REHEARSAL)
        rehearse(channel)
    except Exception:
        traceback.print_exc()  # into the log
    finally:
        os._exit(0)


class _Forks:
    """The children there are, with the one among them that is ready."""

    def __init__(self, start: dict[str, Any]) -> None:
        self.folder = Path(start["folder"])
        self.program = Program(start)
        self.children: dict[int, Path] = {}
        gc.freeze()  # a child's garbage collection leaves the pages alone that it shares with this process
        self.program.pages = self.rehearsed()
        self.is_ready = False

    def answer(self, channel: Channel, request: dict[str, Any]) -> None:
        """One request: the end of a child, or that one be ready; or that the one which was ready is in use."""
        if "taken" in request:
            self.is_ready = False
            return
        if "kill" in request:
            channel.send({"code": self.reap(request["kill"], request["patience"])})
        elif "release" in request:
            self.reap(request["release"])
        self.make_ready(channel)

    def make_ready(self, channel: Channel) -> None:
        """Have a child that is ready; whoever will want it holds the socket to it already."""
        if not self.is_ready:
            pid, connection, folder = self.fork()
            with connection:
                channel.send({"pid": pid, "scratch": str(folder)}, fds=[connection.fileno()])
            self.is_ready = True

    def rehearsed(self) -> list[memory.Range]:
        """The pages that a child has copied by the end of its program's rehearsal; none where that fails."""
        rehearse = self.program.rehearse
        if rehearse is None:
            return []
        reader, writer = os.pipe()
        pid, connection, _ = self.fork(partial(self.program.become_rehearsing, report=writer))
        with connection:
            # The part of whoever uses a child is played by a process of its own: what this one wrote to meanwhile would
            # be the child's alone as well.
            partner = os.fork()
            if partner == 0:
                _play(rehearse, connection)
        os.close(writer)
        os.waitpid(partner, 0)
        with open(reader, encoding="ascii") as file:
            said = file.read()
        self.reap(pid, patience=1)
        return [(start, size) for start, size in json.loads(said or "[]")]

    def fork(self, become: Callable[[socket.socket, Path], None] | None = None) -> tuple[int, socket.socket, Path]:
        """A new child, with the socket to it and its folder."""
        folder = Path(tempfile.mkdtemp(dir=self.folder))
        ours, theirs = socket.socketpair()
        pid = os.fork()
        if pid == 0:
            ours.close()
            (become or self.program.become)(theirs, folder)
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
