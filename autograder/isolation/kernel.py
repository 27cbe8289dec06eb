"""The few system calls that Python's ``os`` does not offer, by way of the C library."""

from __future__ import annotations

import ctypes
import os
from functools import cache
from typing import Any

__all__ = ["advise", "capset", "close_range", "prctl", "prepare", "syscall", "unshare"]

CAPABILITY_VERSION = 0x20080522
"""Of the structure that ``capset`` takes: two words of 32 bits for each set."""

_CLOSE_RANGE = 436
"""As all newer calls, it has the same number on every machine."""


@cache
def _library() -> Any:
    """The C library of this process."""
    library = ctypes.CDLL(None, use_errno=True)
    library.syscall.restype = ctypes.c_long
    library.madvise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    return library


def _checked(result: int) -> int:
    if result == -1:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


def syscall(number: int, *arguments: Any) -> int:
    """A system call by its number; arguments are ctypes objects or small integers."""
    return _checked(_library().syscall(ctypes.c_long(number), *arguments))


def prctl(option: int, *arguments: int | Any) -> int:
    """Change or ask something about this process."""
    given = [ctypes.c_ulong(each) if isinstance(each, int) else each for each in arguments]
    return _checked(_library().prctl(option, *given, *[ctypes.c_ulong(0)] * (4 - len(given))))


def close_range(first: int, last: int) -> None:
    """Close all descriptors from ``first`` to ``last``; the C library may be too old to know this call."""
    syscall(_CLOSE_RANGE, ctypes.c_uint(first), ctypes.c_uint(last), ctypes.c_uint(0))


def unshare(flags: int) -> None:
    """Move this process into new namespaces."""
    _checked(_library().unshare(flags))


def advise(address: int, size: int, advice: int) -> None:
    """Tell the kernel what will be done with a range of memory; it need not listen."""
    _library().madvise(address, size, advice)


def capset(*capabilities: int) -> None:
    """Keep exactly these capabilities, permitted and in effect, and hand none on."""
    mask = sum(1 << each for each in capabilities)
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION, 0)
    low, high = mask & 0xFFFFFFFF, mask >> 32
    _checked(_library().capset(header, (ctypes.c_uint32 * 6)(low, low, 0, high, high, 0)))


def prepare() -> None:
    """Load and look up everything, so that a child need not."""
    for name in ("syscall", "prctl", "unshare", "capset"):
        getattr(_library(), name)
