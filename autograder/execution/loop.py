"""An event loop for top-level ``await``, made before a fork and used after it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import selectors
import threading
from collections.abc import Iterator

__all__ = ["Loop"]


class SocketLoop(asyncio.SelectorEventLoop):
    """An event loop of asyncio's, for Windows: it has no fork to be made before, and cannot wait for pipes."""

    _thread_id: int | None

    def open(self) -> None:
        """Nothing: it is open."""

    @contextlib.contextmanager
    def as_if_running(self) -> Iterator[None]:
        """For code that does not wait for anything: it finds this loop running, and may leave tasks to it."""
        self._thread_id = threading.get_ident()
        asyncio._set_running_loop(self)
        try:
            yield
        finally:
            self._thread_id = None
            asyncio._set_running_loop(None)


class PipeLoop(SocketLoop):
    """An event loop that has no open files until ``open``, so that it can be made before a fork.

    It is told by a pipe that another thread wants something; asyncio's own takes a pair of sockets, which a confined
    process may not have.
    """

    _ends: tuple[int, int] | None = None

    def __init__(self) -> None:
        super().__init__(selectors.PollSelector() if hasattr(selectors, "PollSelector") else None)

    def open(self) -> None:
        """Make the pipe; a forked child needs its own."""
        if self._ends is not None:
            self.remove_reader(self._ends[0])
        self._ends = os.pipe()
        for end in self._ends:
            os.set_blocking(end, False)
        self.add_reader(self._ends[0], self._read_from_self)

    def _make_self_pipe(self) -> None:
        pass

    def _close_self_pipe(self) -> None:
        if self._ends is not None:
            self.remove_reader(self._ends[0])
            for end in self._ends:
                os.close(end)
            self._ends = None

    def _read_from_self(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while self._ends is not None and os.read(self._ends[0], 4096):
                pass

    def _write_to_self(self) -> None:
        with contextlib.suppress(OSError):  # full: the loop will wake up anyway
            if self._ends is not None:
                os.write(self._ends[1], b"\0")


Loop = SocketLoop if os.name == "nt" else PipeLoop
