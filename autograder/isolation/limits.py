"""Resource limits: how much of the machine a confined process may use."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any

resource: Any = None  # Windows has none
with contextlib.suppress(ImportError):
    import resource

__all__ = ["allow_descriptors", "first_to_go", "limit", "limit_time"]

GRACE = 5
"""Seconds on the processor between the signal that can be caught and the one that cannot."""

_UNKNOWN_SIZE = 1 << 30
"""Taken for the address space in use where there is no /proc to ask."""


def limit(*, memory: int, cpu_seconds: int, file_size: int, open_files: int, threads: int, counted_alone: bool) -> int:
    """Set the limits of this process, for good.

    Parameters
    ----------
    memory : bytes of address space beyond those in use
    cpu_seconds : of all threads together
    file_size : bytes of one file
    open_files : descriptors
    threads : as many beside the first one
    counted_alone : whether the kernel counts this process by itself, since nobody else is its user

    Returns
    -------
    int
        How many threads there may be. Where the kernel counts all that a user runs, that is all that runs on the
        machine now, and ``threads`` more: an honest thread is not refused for the user's other processes, and a bomb
        ends somewhere.
    """
    wanted = {
        "AS": (_address_space() + memory,) * 2,
        "CPU": (cpu_seconds, cpu_seconds + GRACE),
        "FSIZE": (file_size,) * 2,
        "NOFILE": (open_files,) * 2,
        "CORE": (0, 0),
        "MEMLOCK": (0, 0),
        "MSGQUEUE": (0, 0),
        "RTPRIO": (0, 0),
    }
    most = threads + 1 + (0 if counted_alone else _running())
    wanted["NPROC"] = (most, most)
    _set(wanted)
    return most


def _set(wanted: Mapping[str, tuple[int, int]]) -> None:
    """Set soft and hard limits, no higher than those in force."""
    for name, (soft, hard) in wanted.items():
        number = getattr(resource, f"RLIMIT_{name}")
        ceiling = resource.getrlimit(number)[1]
        if ceiling != resource.RLIM_INFINITY:
            soft, hard = min(soft, ceiling), min(hard, ceiling)
        resource.setrlimit(number, (soft, hard))


def limit_time(cpu_seconds: int) -> None:
    """Limit what can be limited on a system that is not Linux, as far as it has limits."""
    if resource is not None:
        _set({"CPU": (cpu_seconds, cpu_seconds + GRACE), "CORE": (0, 0)})


def allow_descriptors() -> None:
    """Let this process have as many descriptors as it may: a rule of Landlock takes one."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def first_to_go() -> None:
    """When the machine runs out of memory, this process is the one to end."""
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "wb", buffering=0) as file:
        file.write(b"1000")


def _address_space() -> int:
    """Bytes of address space this process has."""
    try:
        with open("/proc/self/statm", "rb", buffering=0) as file:
            return int(file.read().split()[0]) * resource.getpagesize()
    except (OSError, ValueError, IndexError):
        return _UNKNOWN_SIZE


def _running() -> int:
    """Threads on this machine, of all users."""
    try:
        with open("/proc/loadavg", "rb", buffering=0) as file:
            return int(file.read().split()[3].partition(b"/")[2])
    except (OSError, ValueError, IndexError):
        return 4096
