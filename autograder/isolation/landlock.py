"""Landlock: what a process may open, and whom it may signal, from now on and whoever it is.

The kernel takes a *ruleset*, a list of "beneath this folder these rights", and holds the process to it for good. What
the rules name is opened once, in the warm parent; a child makes a ruleset of these descriptors and its own scratch
folder. With some 300 rules that takes half a millisecond. The packages for it (py-landlock, landlock, sandlock) open
every path again in the child, or take microseconds of Python for every rule: they took 2.4 to 3.6 ms.

What this kernel does not know of (its *ABI* is older) is left out; ``autograder.isolation.seccomp`` covers for it.
"""

from __future__ import annotations

import ctypes
import errno
import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

from autograder.isolation import kernel

__all__ = ["Landlock", "abi", "described", "missing"]

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_VERSION = 1
_PATH_BENEATH = 1

EXECUTE, WRITE_FILE, READ_FILE, READ_DIR, REMOVE_DIR, REMOVE_FILE = (1 << bit for bit in range(6))
MAKE_DIR, MAKE_REG, REFER, TRUNCATE, IOCTL_DEV = (1 << bit for bit in (7, 8, 13, 14, 15))

READ = READ_FILE | READ_DIR
OF_FILES = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE
"""Rights that a file can have; the others are those of a folder."""

SCRATCH = READ | WRITE_FILE | TRUNCATE | REMOVE_DIR | REMOVE_FILE | MAKE_DIR | MAKE_REG | REFER
"""All that can be done to plain files and folders: no links to elsewhere, no sockets, pipes or devices."""

_FILES_SINCE = {1: (1 << 13) - 1, 2: REFER, 3: TRUNCATE, 5: IOCTL_DEV}
_TCP_SINCE, _TCP = 4, 0b11
_SCOPES_SINCE, _SCOPES = 6, 0b11
"""Since which ABI the kernel knows rights for files, TCP ports, and scopes (abstract sockets, signals)."""

_UNLOGGED_SINCE, _UNLOGGED = 7, 0b1
"""What is refused is not written to the system's audit log, which a learner's loop would fill."""


class _RulesetAttributes(ctypes.Structure):
    _fields_ = (("files", ctypes.c_uint64), ("network", ctypes.c_uint64), ("scoped", ctypes.c_uint64))


class _PathBeneath(ctypes.Structure):
    _pack_ = 1
    _layout_ = "ms"
    _fields_ = (("allowed", ctypes.c_uint64), ("parent", ctypes.c_int32))


def abi() -> int:
    """The kernel's ABI of Landlock, 0 where it has none or does not use it."""
    try:
        return kernel.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint32(_VERSION))
    except (OSError, AttributeError):
        return 0


def missing() -> str:
    """Why there is no Landlock, and what can be done; empty where there is some."""
    try:
        kernel.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint32(_VERSION))
    except AttributeError:
        return "this system is no Linux"
    except OSError as error:
        if error.errno == errno.EOPNOTSUPP:
            return "the kernel has it switched off; the boot option lsm=landlock,... switches it on"
        if error.errno == errno.ENOSYS:
            return "the kernel has none: it takes Linux 5.13 or newer, built with it"
        return f"the kernel refuses it ({error.strerror}); where this is a container, its seccomp profile has to let it"
    return ""


def described(version: int) -> str:
    """What an ABI covers, in words."""
    covered = ["reading", "writing"]
    covered += ["truncating"] if version >= 3 else []
    covered += ["TCP"] if version >= _TCP_SINCE else []
    covered += ["devices"] if version >= 5 else []
    covered += ["signals", "abstract sockets"] if version >= _SCOPES_SINCE else []
    return f"ABI {version}: {', '.join(covered)}"


class Landlock:
    """What children may read, opened ahead of time.

    Parameters
    ----------
    readable : files, and folders with all that is beneath; those that do not exist are left out
    hidden : files and folders beneath the readable ones that stay closed
    writable : files that may be written to as well
    """

    def __init__(self, readable: Iterable[Path], hidden: Iterable[Path] = (), writable: Iterable[Path] = ()) -> None:
        self.abi = abi()
        handled = sum(rights for since, rights in _FILES_SINCE.items() if since <= self.abi)
        self._handled = handled
        self._attributes = _RulesetAttributes(
            handled, _TCP if self.abi >= _TCP_SINCE else 0, _SCOPES if self.abi >= _SCOPES_SINCE else 0
        )
        grants = dict.fromkeys(map(os.path.realpath, writable), READ | WRITE_FILE)
        for path, rights in _grants(readable, hidden):
            grants[path] = grants.get(path, 0) | rights
        self._rules = [rule for rule in map(self._rule, grants, grants.values()) if rule is not None]

    def _rule(self, path: str, rights: int) -> _PathBeneath | None:
        """A rule for a path as it is now, None where it cannot be opened."""
        try:
            descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
        except (FileNotFoundError, NotADirectoryError, PermissionError):
            return None
        if not stat.S_ISDIR(os.fstat(descriptor).st_mode):
            rights &= OF_FILES
        return _PathBeneath(rights & self._handled, descriptor)

    def ruleset(self, scratch: Path) -> int:
        """The rules, and those for a scratch folder, as a descriptor for ``restrict``."""
        ruleset = kernel.syscall(
            _CREATE_RULESET, ctypes.byref(self._attributes), ctypes.c_size_t(24), ctypes.c_uint32(0)
        )
        own = _PathBeneath(SCRATCH & self._handled, os.open(scratch, os.O_PATH | os.O_CLOEXEC))
        for rule in (*self._rules, own):
            kernel.syscall(_ADD_RULE, ruleset, _PATH_BENEATH, ctypes.byref(rule), 0)
        os.close(own.parent)
        return ruleset

    def restrict(self, ruleset: int) -> None:
        """Hold this thread, and all that it starts, to a ruleset, for good. Needs ``no_new_privs``."""
        kernel.syscall(_RESTRICT_SELF, ruleset, _UNLOGGED if self.abi >= _UNLOGGED_SINCE else 0)
        os.close(ruleset)

    def close(self) -> None:
        """Close what was opened."""
        for rule in self._rules:
            os.close(rule.parent)
        self._rules.clear()


def _grants(readable: Iterable[Path], hidden: Iterable[Path]) -> Iterator[tuple[str, int]]:
    """Paths with the rights that let all be read except what is hidden.

    A rule cannot take back what one higher up gives. So a folder that holds something hidden may be listed, which an
    import needs, and each of its other entries gets a rule of its own. Links are left out: where they lead to has its
    own rule, or none.
    """
    closed = {twin for path in hidden for twin in _with_bytecode(Path(os.path.realpath(path)))}
    holding = {parent for path in closed for parent in path.parents}
    waiting = [Path(os.path.realpath(path)) for path in readable]
    while waiting:
        path = waiting.pop()
        if path in closed or not closed.isdisjoint(path.parents):
            continue
        if path not in holding:
            yield str(path), READ
            continue
        yield str(path), READ_DIR
        try:
            waiting += [Path(entry.path) for entry in os.scandir(path) if not entry.is_symlink()]
        except OSError:
            continue


def _with_bytecode(path: Path) -> list[Path]:
    """A path, and for a module what it was compiled to, which holds its constants and its documentation."""
    return [path, *path.parent.glob(f"__pycache__/{path.stem}.*")] if path.suffix == ".py" else [path]
