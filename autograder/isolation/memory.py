"""Copying the memory that a child will write to at once, instead of page by page.

After a fork both processes have the same memory, and a page is copied when one of them writes to it; Python writes to
an object whenever it uses one. A process is stopped for that thousands of times, most of all in its first cells. So one
child rehearses and looks which pages have become its own, and those that come after it copy these before anybody asks
them for something. What they copy is the parent's memory, as ever: nothing of what the one child did is in it.
"""

from __future__ import annotations

import array
import contextlib
import mmap
import os
from collections.abc import Iterable, Iterator

from autograder.isolation import kernel

with contextlib.suppress(ImportError):
    import fcntl  # Windows has none, nor forks

__all__ = ["Range", "Watched", "copy"]

Range = tuple[int, int]
"""Where neighbouring pages begin, and how many bytes they have."""

_PRESENT, _OF_A_FILE, _OWN = 1 << 63, 1 << 61, 1 << 56
"""What the kernel says of a page in 64 bits: it is in memory; it is a file's; no other process has it."""

_ENTRY = 8
"""Bytes that it says that in."""

_POPULATE_WRITE = 23
"""Advice that makes a process have pages as if it had written to each of them; Linux has it from 5.14 on."""

_HIGH = 200
"""A descriptor's number from here on is no other file's."""


class Watched:
    """The memory of a process that rehearses, as it is mapped when this is made: before anything of it is copied.

    ``descriptor`` has to stay open.

    Raises
    ------
    OSError
        The system does not tell.
    """

    def __init__(self) -> None:
        with open("/proc/self/maps", encoding="utf-8", errors="replace") as file:
            self._mapped = [_addresses(line) for line in file if "rw-p" in line]
        with open("/proc/self/pagemap", "rb", buffering=0) as file:
            self.descriptor = fcntl.fcntl(file, fcntl.F_DUPFD_CLOEXEC, _HIGH)

    def copied(self) -> list[Range]:
        """The pages that this process alone has by now."""
        found: list[Range] = []
        for page in (page for start, end in self._mapped for page in self._own(start, end)):
            if found and sum(found[-1]) == page:
                found[-1] = (found[-1][0], found[-1][1] + mmap.PAGESIZE)
            else:
                found.append((page, mmap.PAGESIZE))
        return found

    def _own(self, start: int, end: int) -> Iterator[int]:
        """The addresses of such pages in a mapping."""
        said = array.array("Q")
        first, last = start // mmap.PAGESIZE, end // mmap.PAGESIZE
        said.frombytes(os.pread(self.descriptor, (last - first) * _ENTRY, first * _ENTRY))
        for number, entry in enumerate(said, first):
            if entry & _PRESENT and entry & _OWN and not entry & _OF_A_FILE:
                yield number * mmap.PAGESIZE


def _addresses(line: str) -> tuple[int, int]:
    """Where a mapping begins and ends."""
    start, end = line.split(maxsplit=1)[0].split("-")
    return int(start, 16), int(end, 16)


def copy(pages: Iterable[Range]) -> None:
    """Give this process its own copies of these pages. Where that cannot be had, they are copied when they are used."""
    for start, size in pages:
        kernel.advise(start, size, _POPULATE_WRITE)
