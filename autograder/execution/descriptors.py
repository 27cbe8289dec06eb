"""What C code writes to a process's standard streams."""

from __future__ import annotations

import contextlib
import ctypes
import os
import tempfile

from autograder.execution.outputs import OutStream, Recorder

__all__ = ["Descriptors"]


class Descriptors:
    """What C code writes to descriptors 1 and 2: caught in files, because a pipe that nobody empties blocks."""

    def __init__(self, recorder: Recorder) -> None:
        self.recorder = recorder
        self.files: list[tuple[int, OutStream]] = []
        _write_at_once()  # before the fork: it takes longer than all the rest

    def open(self) -> None:
        """Put files in the place of the two descriptors, once in a process.

        Where there is no disk to write to, or no such system, what C code writes is not seen.
        """
        self.files = []
        with contextlib.suppress(ImportError, OSError):
            import fcntl  # Windows has none

            for stream in (self.recorder.out, self.recorder.err):
                with tempfile.TemporaryFile(buffering=0) as file:
                    caught = os.dup(file.fileno())
                fcntl.fcntl(caught, fcntl.F_SETFL, os.O_APPEND)  # or text would follow on a gap, once it is emptied
                os.dup2(caught, stream.number)
                self.files.append((caught, stream))
        self.recorder.before_flush = self.collect

    def drop(self) -> None:
        """Forget what was written between cells."""
        for caught, _ in self.files:
            with contextlib.suppress(OSError):
                if os.lseek(caught, 0, os.SEEK_END):
                    os.ftruncate(caught, 0)

    def collect(self) -> None:
        """Add what was written to what was printed."""
        for caught, stream in self.files:
            with contextlib.suppress(OSError):  # the cell closed it
                if os.lseek(caught, 0, os.SEEK_END):  # its size, at half the cost of asking for it
                    data = os.pread(caught, max(self.recorder.text_left, 0) + 4, 0)
                    os.ftruncate(caught, 0)
                    stream.write(data.decode("utf-8", "replace"))


def _write_at_once() -> None:
    """Tell C's own streams to keep nothing back, which they do where they write to a file."""
    with contextlib.suppress(OSError, ValueError, TypeError):
        library = ctypes.CDLL(None)
        for name in ("stdout", "__stdoutp"):  # Linux and the BSDs, macOS among them
            with contextlib.suppress(ValueError):
                library.setvbuf(ctypes.c_void_p.in_dll(library, name), None, 2, 0)
