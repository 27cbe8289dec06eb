"""Whose rights a confined process has: nobody's, as far as that can be had.

Root becomes a user that exists nowhere, another one in every child. Whoever is not root stays who they are; what was
theirs is out of reach through Landlock and seccomp alone.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from autograder.isolation import kernel

__all__ = ["Identity", "drop", "enter_namespaces", "identity"]

FIRST_USER = 0x70000000
"""Users from here on are nobody's: above those that systemd, containers and directories give out, and below 2³¹."""

FEW_USERS = 61184
"""Where a container knows 65,536 users only: the ones that systemd gives to passing services."""

MOST_PROCESSES = 1 << 22
"""Process numbers are below."""

_CAP_DAC_READ_SEARCH = 2
_PR_SET_KEEPCAPS = 8
_NEW_IPC, _NEW_USER, _NEW_NET = 0x08000000, 0x10000000, 0x40000000


@dataclass(frozen=True)
class Identity:
    """Who children can become.

    ``first`` and ``count`` are the users there are to choose from, a count of 0 says that there is no choice.
    ``passes`` keeps the right to pass folders that are closed to others, since Python lies in one.
    """

    first: int = 0
    count: int = 0
    passes: bool = False

    def user(self, pid: int) -> int:
        """The user of a process, another one for each as far as there are enough."""
        return self.first + pid % self.count


def identity(readable: Iterable[Path]) -> Identity:
    """Who children can become here; ``readable`` is what they have to read."""
    if os.geteuid() != 0:
        return Identity()
    for first, count in ((FIRST_USER, MOST_PROCESSES), (FEW_USERS, 4000)):
        if all(_knows(kind, first, count) for kind in ("uid", "gid")):
            return Identity(first, count, not all(map(_open_to_others, readable)))
    return Identity()


def _knows(kind: str, first: int, count: int) -> bool:
    """Whether this user namespace has all of these users, or groups."""
    try:
        lines = Path(f"/proc/self/{kind}_map").read_text().splitlines()
    except OSError:
        return True
    ranges = [tuple(map(int, line.split())) for line in lines]
    return any(start <= first and first + count <= start + length for start, _, length in ranges)


def _open_to_others(path: Path) -> bool:
    """Whether anybody may read a path and pass the folders above it."""
    real = os.path.realpath(path)
    try:
        mode = os.stat(real).st_mode
        needed = stat.S_IROTH | (stat.S_IXOTH if stat.S_ISDIR(mode) else 0)
        return mode & needed == needed and _passable(os.path.dirname(real))
    except FileNotFoundError:
        return True  # nobody will read it
    except OSError:
        return False


def _passable(folder: str) -> bool:
    """Whether anybody may pass a folder and those above it."""
    while os.stat(folder).st_mode & stat.S_IXOTH:
        if folder == (folder := os.path.dirname(folder)):
            return True
    return False


def enter_namespaces() -> str:
    """Leave the network and the shared memory of the system behind; says what for, empty where the kernel refuses.

    Who is not root needs a user namespace for it, in which they are themselves.
    """
    user, group = os.geteuid(), os.getegid()
    try:
        if user == 0:
            kernel.unshare(_NEW_NET | _NEW_IPC)
            return "network, shared memory"
        kernel.unshare(_NEW_USER | _NEW_NET | _NEW_IPC)
        for name, content in (
            ("setgroups", "deny"),
            ("uid_map", f"{user} {user} 1"),
            ("gid_map", f"{group} {group} 1"),
        ):
            Path(f"/proc/self/{name}").write_text(content)
    except OSError:
        return ""
    return "users, network, shared memory"


def drop(identity: Identity, scratch: Path) -> str:
    """Become the user of this child, give it its scratch folder, and keep no capability that can be done without.

    Returns what happened, in words; empty where root stays root.
    """
    if not identity.count:
        kernel.capset()
        return "" if os.geteuid() == 0 else f"stays user {os.geteuid()}, without capabilities"
    user = identity.user(os.getpid())
    passes = identity.passes or not _passable(os.path.dirname(os.path.realpath(scratch)))
    os.chown(scratch, user, user)
    try:
        if passes:
            kernel.prctl(_PR_SET_KEEPCAPS, 1)
        os.setgroups([])
        os.setresgid(user, user, user)
        os.setresuid(user, user, user)
    except PermissionError:  # root of a container that was denied even this
        with contextlib.suppress(OSError):
            os.chown(scratch, 0, 0)
        kernel.capset()
        return ""
    if not passes:
        kernel.capset()
        return f"user {user}, without groups and capabilities"
    kernel.capset(_CAP_DAC_READ_SEARCH)
    return (
        f"user {user}, without groups; may pass closed folders (CAP_DAC_READ_SEARCH): Python or the scratch lies in one"
    )
