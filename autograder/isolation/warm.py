"""The warm parent: a process that has imported everything once, and forks a ready child whenever one is asked for.

Starting Python and importing numpy, IPython and matplotlib takes a second; a fork takes milliseconds. The parent is a
fresh process, not a fork of ours: it has a clean environment, one thread, and nothing in its memory that a child must
not see. What it runs is a *program*: a module with ``prepare(settings)``, called once, which returns the function that
a child runs, ``main(channel)``; a child is confined before that (``autograder.isolation.confinement``).

    with WarmParent("autograder.execution.student", {...}, Policy(...)) as parent:
        child = parent.child()
        child.channel.send({"run": "1 + 1"})
        child.end()
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import weakref
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

from autograder.errors import CourseError
from autograder.isolation import scratch
from autograder.isolation.channel import BadMessage, Channel, ChannelClosed, TimedOut
from autograder.isolation.confinement import Layer, Policy
from autograder.isolation.forking import OUT_OF_MEMORY

__all__ = ["Child", "Parent", "WarmParent"]

START = 120
"""Seconds that a warm parent may take to import everything, on a cold and busy disk."""

FORK = 30
"""Seconds for a fork and its confinement, on a busy machine."""

_PASSED_ON = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "TZ", "MPLCONFIGDIR")
"""Environment variables that a child may know: they say how libraries run here, and nothing about anybody."""

_PASSED_ON_BY_WINDOWS = ("SYSTEMROOT", "SYSTEMDRIVE", "WINDIR", "PATH")
"""Without these Windows has no sockets, and does not find what libraries consist of."""

_RUN = """\
import json, sys
sys.path[:] = json.loads(sys.argv[1])
from autograder.isolation.forking import serve
serve(int(sys.argv[2]))
"""


_WINDOWS_ERROR = 0xC0000000
"""Exit codes from here on are not chosen by a program: Windows ended it."""


@dataclass
class Child:
    """A confined process, ready to be spoken to.

    Parameters
    ----------
    pid : its number; it is reaped only by ``end``, so the number stays its own
    channel : to its main function
    scratch : the folder it may write to, and runs in
    layers : what confines it
    """

    pid: int
    channel: Channel
    scratch: Path
    layers: tuple[Layer, ...]
    parent: Parent = field(repr=False)

    def end(self, gone: bool = False) -> str:
        """Kill it, remove its scratch folder, and say in words how it ended, were it dead already.

        ``gone`` says that its channel was closed from the other side: most likely it is about to be dead.
        Returns the end of a sentence that begins with "It": ``"was still running"``, ``"crashed (SIGSEGV)"``.
        """
        ending = _in_words(self.parent.reap(self.pid, 1.0 if gone else 0.0))
        self.channel.close()  # not before: it would take that for a request to end itself
        return ending

    def introduced(self, ready: dict[str, Any]) -> None:
        """Take over what it said of itself when it was confined.

        Raises
        ------
        CourseError
            It could not be; it is ended.
        """
        if "failed" in ready:
            self.end()
            raise CourseError(ready["failed"])
        self.layers = tuple(Layer(**layer) for layer in ready["layers"])

    def release(self) -> None:
        """Kill it and remove its scratch folder, in a while: nobody waits for that."""
        self.channel.close()
        self.parent.release(self.pid)


def _in_words(code: int | None) -> str:
    """An exit code, the negative number of a signal among them, as the end of a sentence."""
    if code is None:
        return "was still running"
    if code == OUT_OF_MEMORY:
        return "ran out of memory"
    if code >= _WINDOWS_ERROR:
        return f"crashed ({code:#x})"
    if code >= 0:
        return f"ended itself with exit status {code}"
    name = signal.Signals(-code).name
    reasons = {
        "SIGXCPU": "used up its time on the processor",
        "SIGKILL": "was killed, most likely for lack of memory",
    }
    return reasons.get(name, f"crashed ({name})")


class Parent(ABC):
    """Makes children of one program. Close it, or use it in ``with``.

    ``hands_over`` says whether its children take sockets and memory that are handed over to them.
    """

    hands_over: bool

    @abstractmethod
    def wait(self) -> None:
        """Wait until everything is imported. Whoever needs several parents starts them all first.

        Raises
        ------
        CourseError
            The process does not start.
        """

    @abstractmethod
    def child(self) -> Child:
        """A new child, made before or now.

        Raises
        ------
        CourseError
            It could not be confined, or there is none.
        """

    @abstractmethod
    def reap(self, pid: int, patience: float) -> int | None:
        """Kill a child unless it dies within so many seconds; its exit code, None if it was killed here."""

    @abstractmethod
    def release(self, pid: int) -> None:
        """Kill a child in a while: nobody waits for that."""

    @abstractmethod
    def close(self) -> None:
        """End all children, and remove their folders."""

    def __enter__(self) -> Parent:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class WarmParent(Parent):
    """A process of this machine that forks children.

    Parameters
    ----------
    program : the module that children run
    settings : plain data for its ``prepare``
    policy : what children are confined to
    allow_unconfined : go on where the kernel lacks a layer

    It imports while we go on; ``wait`` says whether it started.
    """

    hands_over = True

    def __init__(
        self, program: str, settings: Mapping[str, Any], policy: Policy, allow_unconfined: bool = False
    ) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="chainrule-"))
        self.folder.chmod(0o711)  # children of another user pass through it, and cannot list it
        ours, theirs = socket.socketpair()
        with theirs, (self.folder / "log").open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-c", _RUN, json.dumps(python_path()), str(theirs.fileno())],
                env=environment(self.folder),
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                start_new_session=True,  # Ctrl+C in a terminal is for the grader, which then ends this one
            )
        self._channel = Channel(ours)
        self._finalizer = weakref.finalize(self, _end, self._process, ours, self.folder)
        self._is_ready = False
        self._next: tuple[dict[str, Any], socket.socket] | None = None  # what was said of a child, and the way to it
        start = description(program, settings, policy, allow_unconfined, self.folder)
        self._channel.send(start, timeout=START)

    def wait(self) -> None:
        """See ``Parent``."""
        if not self._is_ready:
            self._reply(START)
            self._is_ready = True

    def child(self) -> Child:
        """A new child: the one that was forked before, or one that is forked now."""
        self.wait()
        if self._next is None:
            self._tell({"wanted": True})  # which it may be by the time that this is read
        while self._next is None:
            self._receive(FORK)
        self._tell({"taken": True})
        (said, connection), self._next = self._next, None
        child = Child(said["pid"], Channel(connection), Path(said["scratch"]), (), self)
        try:
            ready = child.channel.receive(FORK)
        except (ChannelClosed, TimedOut, BadMessage) as error:
            raise CourseError(f"A process for grading could not be made: it {child.end(gone=True)}.") from error
        child.introduced(ready)
        return child

    def reap(self, pid: int, patience: float) -> int | None:
        """See ``Parent``."""
        code: int | None = self._request({"kill": pid, "patience": patience}).get("code")
        return code

    def release(self, pid: int) -> None:
        """See ``Parent``."""
        self._tell({"release": pid})

    def _request(self, message: dict[str, Any], timeout: float = FORK) -> dict[str, Any]:
        """Ask the parent for something; it is ours and is trusted."""
        self._tell(message, timeout)
        return self._reply(timeout)

    def _tell(self, message: dict[str, Any], timeout: float = FORK) -> None:
        """Say something to the parent; where that fails, the next reply says why, or that there is none."""
        with contextlib.suppress(ChannelClosed, TimedOut):
            self._channel.send(message, timeout=timeout)

    def _reply(self, timeout: float) -> dict[str, Any]:
        """What the parent replies."""
        while (reply := self._receive(timeout)) is None:
            pass
        return reply

    def _receive(self, timeout: float) -> dict[str, Any] | None:
        """The next message of the parent, if it is a reply; otherwise it says that a child is ready."""
        try:
            reply: dict[str, Any] = self._channel.receive(timeout)
        except (ChannelClosed, TimedOut, BadMessage) as error:
            reason = last_words(self.folder)
            raise CourseError(f"The process that starts others for grading has ended{reason}") from error
        if "failed" in reply:
            raise CourseError(reply["failed"])
        if "pid" in reply:
            self._next = reply, socket.socket(fileno=self._channel.fds.pop())
            return None
        return reply

    def close(self) -> None:
        """End the parent with all its children, and remove their folders."""
        self._finalizer()
        if self._next is not None:
            self._next[1].close()
            self._next = None


def description(
    program: str, settings: Mapping[str, Any], policy: Policy, allow_unconfined: bool, folder: Path
) -> dict[str, Any]:
    """What children are, as data for ``autograder.isolation.forking.Program``."""
    return {
        "program": program,
        "settings": dict(settings),
        "policy": {name: _plain(value) for name, value in asdict(policy).items()},
        "folder": str(folder),
        "allow_unconfined": allow_unconfined,
    }


def _plain(value: Any) -> Any:
    return [str(item) for item in value] if isinstance(value, tuple) else value


def last_words(folder: Path) -> str:
    """The end of a sentence about a process that has ended: the last line that it wrote into its log."""
    log = folder / "log"
    said = log.read_text(errors="replace").strip().splitlines() if log.is_file() else []
    return f": {said[-1]}" if said else "."


def _end(process: subprocess.Popen[bytes], channel: socket.socket, folder: Path) -> None:
    """What ``close`` does, without the object: Python calls it at its end as well."""
    channel.close()  # the parent sees this, kills its children and exits
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    scratch.remove(folder)


def python_path() -> list[str]:
    """Where children find modules: without the working directory, which is anybody's."""
    return [entry for entry in sys.path if entry]


def environment(folder: Path) -> dict[str, str]:
    """The environment of a warm parent, and of its children: nothing in it is secret or personal."""
    return {
        **{name: os.environ[name] for name in _PASSED_ON if name in os.environ},
        "PATH": os.defpath,
        **{name: os.environ[name] for name in _PASSED_ON_BY_WINDOWS if os.name == "nt" and name in os.environ},
        "LANG": "C.UTF-8",
        "PYTHONUNBUFFERED": "1",
        **dict.fromkeys(("HOME", "USERPROFILE", "TEMP", "TMP"), str(folder)),
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        "CHAINRULE_PROGRESS": "",
        "MALLOC_ARENA_MAX": "2",  # every further one reserves address space, which the memory limit counts
        # One thread each: graders run one process a core, and a process with threads cannot be forked safely.
        **dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS"), "1"),
    }
