"""Confinement: what a child loses before it runs the first line of a learner's code.

No single layer is enough. Landlock says which files may be opened, but not that no process may be started; seccomp
knows system calls, but not the paths they name; neither keeps a loop from using up the machine. What each one covers,
and what none does, is in ``autograder/SECURITY.md``.

The warm parent makes a ``Confinement`` once, which prepares all that can be prepared, and every child applies it.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from autograder.errors import CourseError
from autograder.isolation import kernel, landlock, limits, privileges, seccomp
from autograder.isolation.installation import SYSTEM, readable_installation

__all__ = ["Confinement", "Layer", "Policy", "Unconfined", "layers", "readable_installation"]

_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_NO_NEW_PRIVS = 1, 4, 38

_SYSTEMS = {"darwin": "macOS", "win32": "Windows"}

_HIGHEST = 1 << 20
"""Descriptors are below, whatever limit was in force when they were opened."""


@dataclass(frozen=True)
class Policy:
    """What a child may do.

    Parameters
    ----------
    readable : files, and folders with all that is beneath, that may be read
    hidden : files and folders beneath the readable ones that may not; of a module, its bytecode too
    memory : bytes of address space beyond what the process has when it is confined
    cpu_seconds : time on the processor, of all threads together
    file_size : bytes of one file
    open_files : descriptors
    threads : beside the first one
    namespaces : have a network of its own, with nothing in it, where the kernel lets us; that takes milliseconds
    """

    readable: tuple[Path, ...]
    hidden: tuple[Path, ...] = ()
    memory: int = 2 << 30
    cpu_seconds: int = 600
    file_size: int = 64 << 20
    open_files: int = 64
    threads: int = 64
    namespaces: bool = False


@dataclass(frozen=True)
class Layer:
    """One layer of the confinement; ``detail`` says what it covers, or why it is missing."""

    name: str
    in_force: bool
    required: bool
    detail: str


class Unconfined(CourseError):
    """Code that nobody trusts cannot be confined here, and so is not run."""


class Confinement:
    """A policy, prepared: paths opened, system calls looked up.

    Make it in the process that will fork, after everything was imported.
    """

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self._is_linux = sys.platform == "linux"
        if not self._is_linux:
            return
        kernel.prepare()
        limits.allow_descriptors()
        self._parent = os.getpid()
        self._landlock = landlock.Landlock(
            (*policy.readable, *SYSTEM), policy.hidden, writable=(Path("/dev/null"),) if landlock.abi() else ()
        )
        self._seccomp_is_missing = seccomp.missing()
        self._seccomp = None if self._seccomp_is_missing else seccomp.Filter(truncate=self._landlock.abi >= 3)
        self._identity = privileges.identity(policy.readable)

    def apply(self, scratch: Path, allow_unconfined: bool = False, keep: Iterable[int] = ()) -> tuple[Layer, ...]:
        """Confine this process, for good. It should have one thread.

        Parameters
        ----------
        scratch : the only folder it may write to
        allow_unconfined : go on where a layer is missing
        keep : descriptors that stay open; standard input, output and error lead nowhere unless they are among them

        Raises
        ------
        Unconfined
            A required layer is missing; the layers before it are in force.
        """
        if not self._is_linux:
            limits.limit_time(self.policy.cpu_seconds)
            return _decide(self._elsewhere(), allow_unconfined)
        policy = self.policy
        found = []

        def record(name: str, problem: str, detail: str, required: bool = True) -> None:
            found.append(Layer(name, not problem, required, problem or detail))

        os.umask(0o077)
        limits.first_to_go()
        entered = privileges.enter_namespaces() if policy.namespaces else ""
        dropped = privileges.drop(self._identity, scratch)
        record("user", "" if dropped else "stays root, without capabilities", dropped, required=False)

        kernel.prctl(_PR_SET_NO_NEW_PRIVS, 1)
        record("no new privileges", "", "no program gives this process more rights than it has")

        # The rules need more descriptors than the limit leaves, and the limits ask /proc, which Landlock closes.
        ruleset, refused = self._ruleset(scratch)
        _close_all_but({*keep, ruleset} if ruleset else keep)
        alone = bool(self._identity.count and dropped) or "users" in entered
        threads = limits.limit(
            memory=policy.memory,
            cpu_seconds=policy.cpu_seconds,
            file_size=policy.file_size,
            open_files=policy.open_files,
            threads=policy.threads,
            counted_alone=alone,
        )
        record("limits", "", _limits_in_words(policy, threads, alone))
        record("Landlock", refused or self._restrict(ruleset), landlock.described(self._landlock.abi))

        # These are undone when a process changes its user, so they come late.
        kernel.prctl(_PR_SET_DUMPABLE, 0)
        kernel.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getpid() != self._parent and os.getppid() != self._parent:
            os._exit(1)  # the parent went before we asked to go with it
        record("parent", "", "ends with the process that made it; no memory of it is dumped or traced")

        if policy.namespaces:
            record("namespaces", "" if entered else "the kernel refuses them; they can be done without", entered, False)
        record("seccomp", self._filter(), "a list of allowed system calls", required=True)
        return _decide(found, allow_unconfined)

    def _ruleset(self, scratch: Path) -> tuple[int, str]:
        """Landlock's rules as a descriptor, and why there are none, empty if there are."""
        if not self._landlock.abi:
            return 0, landlock.missing()
        try:
            return self._landlock.ruleset(scratch), ""
        except OSError as error:
            return 0, f"the kernel refuses its rules ({error.strerror})"

    def _restrict(self, ruleset: int) -> str:
        """Apply Landlock; why it could not be, empty if it was."""
        try:
            self._landlock.restrict(ruleset)
        except OSError as error:
            return f"the kernel refuses it ({error.strerror})"
        return ""

    def _filter(self) -> str:
        """Apply seccomp; why it could not be, empty if it was."""
        if self._seccomp is None:
            return self._seccomp_is_missing
        try:
            self._seccomp.load(os.getpid())
        except OSError as error:
            return f"the kernel refuses a filter ({error.strerror}); it has to be built with CONFIG_SECCOMP_FILTER"
        return ""

    def _elsewhere(self) -> list[Layer]:
        """The layers on a system that is not Linux: none that confines, and hardly a limit."""
        system = _SYSTEMS.get(sys.platform, sys.platform)
        if limits.resource is None:
            limited = f"{system} limits neither time on the processor nor memory"
        else:
            limited = f"of all limits {system} has that of time on the processor, {self.policy.cpu_seconds} s"
        return [
            Layer("user", False, False, "runs as you, with all your rights"),
            Layer("limits", False, True, f"{limited}; Linux has them all"),
            Layer("Landlock", False, True, f"{system} has none, Linux has: your files can be read and changed"),
            Layer("parent", False, False, "ends with the process that made it, unless it prevents that"),
            Layer("seccomp", False, True, f"{system} has none, Linux has: it can start programs and use the network"),
        ]


def _limits_in_words(policy: Policy, threads: int, counted_alone: bool) -> str:
    counted = f"{threads} threads" if counted_alone else f"{threads} processes and threads of its user"
    return (
        f"{policy.memory >> 20} MiB more memory, {policy.cpu_seconds} s on the processor, "
        f"files of {policy.file_size >> 20} MiB, {policy.open_files} open files, {counted}"
    )


def _decide(found: Iterable[Layer], allow_unconfined: bool) -> tuple[Layer, ...]:
    """The layers, unless one is missing that has to be there."""
    found = tuple(found)
    missing = [layer for layer in found if layer.required and not layer.in_force]
    if missing and not allow_unconfined:
        named = " and ".join(f"without {layer.name} ({layer.detail})" for layer in missing)
        raise Unconfined(
            f"Learners' code is not run here, because it cannot be confined {named}; --allow-unconfined, in "
            "nbgrader_config.py c.IsolatedExecute.allow_unconfined = True, runs it all the same, with your rights."
        )
    return found


def _close_all_but(keep: Iterable[int]) -> None:
    """Close every descriptor but these; the three standard ones lead nowhere instead."""
    kept = sorted({*keep, 0, 1, 2})
    nowhere = os.open(os.devnull, os.O_RDWR)
    for number in {0, 1, 2}.difference(keep):
        os.dup2(nowhere, number)
    for before, after in zip(kept, [*kept[1:], _HIGHEST], strict=True):
        try:
            if before + 1 < after:
                kernel.close_range(before + 1, after - 1)
        except OSError:  # Linux before 5.9
            os.closerange(before + 1, after)


def layers() -> tuple[Layer, ...]:
    """What confines code on this machine, tried out in a short-lived child.

    Raises
    ------
    CourseError
        The child did not come to an end of it.
    """
    policy = Policy(readable=(), namespaces=True)
    if sys.platform != "linux":
        return tuple(Confinement(policy)._elsewhere())
    with tempfile.TemporaryDirectory() as scratch:
        said = _from_child(lambda writer: _tried(policy, Path(scratch), writer))
    try:
        return tuple(Layer(**layer) for layer in json.loads(said))
    except ValueError:
        raise CourseError(f"What confines learners' code could not be tried out: {said or 'the child died'}.") from None


def _tried(policy: Policy, scratch: Path, writer: int) -> str:
    found = Confinement(policy).apply(scratch, allow_unconfined=True, keep=(writer,))
    return json.dumps([asdict(layer) for layer in found])


def _from_child(function: Callable[[int], str]) -> str:
    """What a function says in a child of this process, or how it failed; it gets the descriptor that is written to."""
    reader, writer = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # about threads, none of which the child needs
        pid = os.fork()
    if pid == 0:
        try:
            said = function(writer)
        except BaseException as error:
            said = f"{type(error).__name__}: {error}"
        os.write(writer, said.encode())
        os._exit(0)
    os.close(writer)
    with open(reader, encoding="utf-8") as file:
        said = file.read()
    os.waitpid(pid, 0)
    return said
