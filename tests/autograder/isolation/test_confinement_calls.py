"""System calls that a confined process must not make: each is made, by its number, and fails."""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
import platform
import signal
import socket
import threading
import time
from functools import cache
from typing import Any

import pytest

from autograder.isolation import kernel, landlock

pyseccomp = pytest.importorskip("pyseccomp", reason="no libseccomp; on Debian: apt-get install libseccomp2")

REFUSED = {"EACCES", "EPERM", "ENOSYS", "EXDEV"}

SPACE = ctypes.create_string_buffer(4096)
"""Zeros for the structures that calls want."""

SIGCHLD = signal.SIGCHLD.value
CONT = signal.SIGCONT.value


def _number(name: str) -> int | None:
    try:
        return int(pyseccomp.resolve_syscall(pyseccomp.Arch.NATIVE, name))
    except (OSError, ValueError):
        return None


CALLS: dict[str, tuple[Any, ...]] = {
    "fork": (),
    "vfork": (),
    "clone": (SIGCHLD, 0, 0, 0, 0),
    "clone3": (SPACE, 88),
    "execve": (b"/bin/true", None, None),
    "execveat": (-100, b"/bin/true", None, None, 0),
    "ptrace": (0, 0, 0, 0),
    "process_vm_readv": ("PARENT", SPACE, 1, SPACE, 1, 0),
    "process_vm_writev": ("PARENT", SPACE, 1, SPACE, 1, 0),
    "process_madvise": (0, SPACE, 1, 4, 0),
    "kcmp": ("PARENT", "SELF", 0, 0, 0),
    "pidfd_open": ("PARENT", 0),
    "pidfd_getfd": (0, 0, 0),
    "pidfd_send_signal": (0, 0, None, 0),
    "kill": ("PARENT", 0),
    "tkill": ("PARENT", 0),
    "tgkill": ("PARENT", "PARENT", 0),
    "rt_sigqueueinfo": ("PARENT", 0, SPACE),
    "rt_tgsigqueueinfo": ("PARENT", "PARENT", 0, SPACE),
    "memfd_create": (b"x", 0),
    "memfd_secret": (0,),
    "shmget": (0, 4096, 0o1600),
    "msgget": (0, 0o1600),
    "semget": (0, 1, 0o1600),
    "mq_open": (b"/x", os.O_CREAT | os.O_RDWR, 0o600, None),
    "io_uring_setup": (1, SPACE),
    "io_setup": (1, SPACE),
    "userfaultfd": (1,),
    "bpf": (0, SPACE, 32),
    "perf_event_open": (SPACE, 0, -1, -1, 0),
    "keyctl": (0, -3, 0),
    "add_key": (b"user", b"x", b"x", 1, -3),
    "request_key": (b"user", b"x", None, -3),
    "open_by_handle_at": (0, SPACE, 0),
    "name_to_handle_at": (-100, b"/", SPACE, SPACE, 0),
    "openat2": (-100, b"/etc/passwd", SPACE, 24),
    "mount": (b"none", b"/tmp", b"tmpfs", 0, None),
    "umount2": (b"/tmp", 0),
    "pivot_root": (b"/", b"/"),
    "chroot": (b"/",),
    "unshare": (0x10000000,),
    "setns": (0, 0),
    "fsopen": (b"tmpfs", 0),
    "open_tree": (-100, b"/", 0),
    "personality": (0x0040000,),
    "arch_prctl": (0x1001, SPACE),
    "modify_ldt": (0, SPACE, 1),
    "iopl": (0,),
    "seccomp": (0, 0, None),
    "setuid": (0,),
    "setresuid": (0, 0, 0),
    "setgroups": (0, None),
    "capset": (SPACE, SPACE),
    "setsid": (),
    "setpgid": (0, 0),
    "prlimit64": (0, 7, SPACE, None),
    "setrlimit": (7, SPACE),
    "setpriority": (0, 0, 19),
    "sched_setaffinity": ("PARENT", 8, SPACE),
    "sched_setscheduler": ("PARENT", 0, SPACE),
    "ioprio_set": (1, "PARENT", 0),
    "migrate_pages": ("PARENT", 0, None, None),
    "move_pages": ("PARENT", 0, None, None, None, 0),
    "inotify_init1": (0,),
    "fanotify_init": (0, 0),
    "socketpair": (socket.AF_UNIX, socket.SOCK_DGRAM, 0, SPACE),
    "sync": (),
    "vmsplice": (0, SPACE, 0, 0),
    "splice": (0, None, 1, None, 1, 0),
    "timer_create": (0, None, SPACE),
    "mlockall": (1,),
    "reboot": (0, 0, 0, None),
    "kexec_load": (0, 0, None, 0),
    "init_module": (SPACE, 0, b""),
    "syslog": (3, SPACE, 1),
    "acct": (None,),
    "quotactl": (0, None, 0, None),
    "landlock_create_ruleset": (None, 0, 1),
}


def _make(name: str) -> str:
    """Make a call; the name of its error."""
    number = _number(name)
    if number is None or number < 0:
        return "ENOSYS"  # no such call on this machine
    special = {"PARENT": os.getppid(), "SELF": os.getpid()}
    me = os.getpid()
    try:
        kernel.syscall(number, *(special.get(each, each) if isinstance(each, str) else each for each in CALLS[name]))
    except OSError as error:
        return errno.errorcode[error.errno or 0]
    if os.getpid() != me:
        os._exit(0)
    return "done"


def test_forbidden_calls_fail(confined: Any) -> None:
    """Each with an error, and none with the end of the process."""
    found = confined.run(lambda: {name: _make(name) for name in CALLS})
    assert {name: error for name, error in found.items() if error not in REFUSED} == {}


def test_the_calls_would_not_fail_for_that_reason_otherwise() -> None:
    """Some of these fail with other errors, or work, where nothing is confined: the filter is what refuses them."""

    def unconfined(name: str) -> str:
        pid = os.fork()
        if pid == 0:
            os._exit(_make(name) in REFUSED)
        return "refused" if os.waitpid(pid, 0)[1] else "made"

    names = ("memfd_create", "shmget", "socketpair", "personality", "setsid", "pidfd_open", "kill")
    assert {unconfined(name) for name in names} == {"made"}


@pytest.mark.parametrize("family", range(46))
def test_no_socket_of_any_family(confined: Any, family: int) -> None:
    """Nothing can be reached through a network, or a socket of another process."""
    kinds = (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_RAW, socket.SOCK_SEQPACKET)
    found = confined.run(lambda: [confined.attempt(socket.socket, family, kind) for kind in kinds])
    assert set(found) <= REFUSED


def test_a_socket_that_was_left_open_cannot_be_bound_or_connected(confined: Any) -> None:
    """Nor listen, nor send to an address."""
    left = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    found = confined.run(
        lambda: [
            confined.attempt(left.bind, ("127.0.0.1", 0)),
            confined.attempt(left.connect, ("127.0.0.1", 9)),
            confined.attempt(left.listen),
            confined.attempt(left.sendto, b"x", ("127.0.0.1", 9)),
            confined.attempt(left.setsockopt, socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 30),
        ],
        keep=(left.fileno(),),
    )
    left.close()
    assert set(found) <= REFUSED


@pytest.fixture
def sibling(confined: Any) -> Any:
    """Another process of the same user."""
    pid = os.fork()
    if pid == 0:
        confined.become_user()
        time.sleep(60)
        os._exit(0)
    time.sleep(0.05)
    yield pid
    os.kill(pid, signal.SIGKILL)
    assert os.WTERMSIG(os.waitpid(pid, 0)[1]) == signal.SIGKILL


@pytest.mark.parametrize("abi", [1, landlock.abi()])
def test_no_signal_reaches_another_process(
    confined: Any, sibling: int, abi: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither parent nor sibling nor a group, also where Landlock does not know of signals."""
    monkeypatch.setattr(landlock, "abi", lambda: abi)
    parent, group = os.getpid(), os.getpgid(0)
    targets = {"parent": parent, "sibling": sibling, "group": 0, "its group": -group, "everybody": -1}

    def signal_all() -> dict[str, list[str]]:
        import fcntl

        reader, writer = os.pipe()
        return {
            **{
                name: [confined.attempt(os.kill, pid, number) for number in (0, CONT, signal.SIGURG)]
                for name, pid in targets.items()
            },
            "killpg": [confined.attempt(os.killpg, group, CONT)],
            "owner of a pipe": [
                confined.attempt(fcntl.fcntl, reader, fcntl.F_SETOWN, sibling),
                confined.attempt(fcntl.fcntl, reader, fcntl.F_SETSIG, signal.SIGURG.value),
            ],
            "terminal": [confined.attempt(fcntl.ioctl, writer, 0x8901, b"\0\0\0\0")],  # FIOSETOWN
        }

    found = confined.run(signal_all)
    assert {error for errors in found.values() for error in errors} <= REFUSED, found


def test_a_process_may_signal_itself(confined: Any) -> None:
    """By its number, by ``raise``, and a thread of its own."""

    def itself() -> int:
        caught = []
        signal.signal(signal.SIGUSR1, lambda number, frame: caught.append(number))
        os.kill(os.getpid(), signal.SIGUSR1)
        signal.raise_signal(signal.SIGUSR1)
        signal.pthread_kill(threading.get_ident(), signal.SIGUSR1)
        return len(caught)

    assert confined.run(itself) == 3


def test_abort_and_crash_end_the_process_as_usual(confined: Any) -> None:
    """So that whoever waits for it can say what happened."""
    status, _ = confined.status(os.abort)
    assert os.WTERMSIG(status) == signal.SIGABRT
    status, _ = confined.status(lambda: ctypes.string_at(0))
    assert os.WTERMSIG(status) == signal.SIGSEGV


PRCTL = {
    "PR_SET_PDEATHSIG": (1, 0),
    "PR_SET_DUMPABLE": (4, 1),
    "PR_SET_KEEPCAPS": (8, 1),
    "PR_SET_TIMING": (14, 0),
    "PR_SET_SECCOMP": (22, 1),
    "PR_SET_SECUREBITS": (28, 0),
    "PR_SET_MM": (35, 1),
    "PR_SET_CHILD_SUBREAPER": (36, 1),
    "PR_SET_NO_NEW_PRIVS": (38, 0),
    "PR_CAP_AMBIENT": (47, 2, 2),
    "PR_SET_PTRACER": (0x59616D61, 0xFFFFFFFFFFFFFFFF),
    "PR_SET_TSC": (26, 2),
    "PR_SET_SPECULATION_CTRL": (53, 0, 2),
    "PR_SCHED_CORE": (62, 1, 0, 0),
}


def test_prctl_undoes_nothing(confined: Any) -> None:
    """The process ends with its parent and cannot be dumped, whatever it asks for; threads can be named."""

    def ask() -> dict[str, Any]:
        found: dict[str, Any] = {name: confined.attempt(kernel.prctl, *call) for name, call in PRCTL.items()}
        kernel.prctl(15, ctypes.c_char_p(b"mine"))
        return found | {"dumpable": kernel.prctl(3), "no_new_privs": kernel.prctl(39)}

    found = confined.run(ask)
    assert (found.pop("dumpable"), found.pop("no_new_privs")) == (0, 1)
    assert set(found.values()) <= REFUSED, found


def test_limits_cannot_be_raised(confined: Any) -> None:
    """Nor changed for others; they can be read."""
    import resource

    def change() -> list[Any]:
        unlimited = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
        names = (resource.RLIMIT_AS, resource.RLIMIT_CPU, resource.RLIMIT_NPROC, resource.RLIMIT_CORE)
        errors = []
        for name in names:
            with pytest.raises((ValueError, OSError)):
                resource.setrlimit(name, unlimited)
            with pytest.raises((ValueError, OSError)):
                resource.prlimit(os.getppid(), name, unlimited)
            errors.append(resource.getrlimit(name)[1])
        return errors

    *limits, core = confined.run(change)
    assert core == 0
    assert all(limit > 0 for limit in limits)


@pytest.mark.skipif(platform.machine() != "x86_64", reason="only there are numbers of calls that mean others")
def test_calls_by_other_numbers_are_refused(confined: Any) -> None:
    """Those of x32, and those of 32-bit programs, which a 64-bit program can make all the same."""
    x32 = 0x40000000
    found = confined.run(
        lambda: (
            [confined.attempt(kernel.syscall, x32 + number) for number in (39, 57, 41, 520)]
            + [confined.attempt(kernel.syscall, x32 + 0x80000000 + 39)]
        )
    )
    assert set(found) <= REFUSED

    def by_interrupt() -> int:
        code = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
        # mov eax, 20 (getpid); int 0x80; ret
        code.write(b"\xb8\x14\x00\x00\x00\xcd\x80\xc3")
        address = ctypes.addressof(ctypes.c_char.from_buffer(code))
        return int(ctypes.CFUNCTYPE(ctypes.c_int)(address)())

    status, said = confined.status(by_interrupt)
    if os.WIFEXITED(status):  # a kernel without 32-bit calls ends the process
        assert f"-{errno.ENOSYS}".encode() in said
    else:
        assert os.WTERMSIG(status) == signal.SIGSEGV


@cache
def _clone_flags() -> dict[str, int]:
    thread = 0x00000100 | 0x00000200 | 0x00000400 | 0x00000800 | 0x00010000  # VM, FS, FILES, SIGHAND, THREAD
    return {
        "without a thread's flag": 0x00000100 | SIGCHLD,
        "a traced thread": thread | 0x00002000,
        "a thread in a new user namespace": thread | 0x10000000,
        "a thread in a new network": thread | 0x40000000,
        "a sibling": 0x00008000 | SIGCHLD,
        "vfork": 0x00004000 | 0x00000100 | SIGCHLD,
    }


def test_clone_makes_nothing_but_threads(confined: Any) -> None:
    """Whatever else its flags ask for."""
    number = _number("clone")

    def clone() -> dict[str, str]:
        return {
            name: confined.attempt(kernel.syscall, number, ctypes.c_ulong(flags), None, None, None, None)
            for name, flags in _clone_flags().items()
        }

    found = confined.run(clone)
    assert set(found.values()) <= REFUSED | {"EINVAL"}, found


def test_descriptors_of_others_are_closed(confined: Any) -> None:
    """Whatever number they have; the standard ones lead nowhere."""
    read, write = os.pipe()
    high = os.dup2(read, 900)

    def used() -> list[Any]:
        found: list[Any] = []
        for number in range(1000):
            try:
                os.fstat(number)
            except OSError:
                continue
            found.append(number)
        os.write(1, b"to nowhere")
        return [len(found), found[:3], os.read(0, 1).decode()]

    open_ones, standard, said = confined.run(used)
    for number in (read, write, high):
        os.close(number)
    assert open_ones == 4  # the fourth is what this is told through
    assert standard == [0, 1, 2]
    assert said == ""


def test_capabilities_and_groups_are_gone(confined: Any) -> None:
    """Only the right to pass folders may be left, for root's Python."""

    def who() -> dict[str, Any]:
        header, sets = (ctypes.c_uint32 * 2)(kernel.CAPABILITY_VERSION, 0), (ctypes.c_uint32 * 6)()
        ctypes.CDLL(None).capget(header, sets)
        return {"groups": os.getgroups(), "sets": list(sets), "users": os.getresuid(), "group ids": os.getresgid()}

    found = confined.run(who)
    kept = {0, 1 << 2} if confined.user == 0 else {0}
    assert set(found["sets"]) <= kept
    assert len(set(found["users"])) == len(set(found["group ids"])) == 1
    if os.geteuid() == 0:
        assert found["groups"] == []
        assert found["users"][0] != 0
        assert (found["users"][0] == confined.user) == (confined.user != 0)
