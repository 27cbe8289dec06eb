"""Seccomp: which system calls a confined process may make.

The filter is a list of what is allowed. What is known to be asked for and is refused fails with EPERM, so that a
message says "not permitted"; the rest fails with ENOSYS as on a kernel that has no such call, which the C library is
prepared for. No call kills the process. libseccomp knows the numbers of the calls on this machine and compiles the
filter, once, in the warm parent (through pyseccomp). Doing that in every child took 2.4 ms; loading the compiled
program takes 0.1 to 0.2 ms.

A process may signal itself only, and its number is known after the fork: the program has a stand-in for it.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
from importlib import import_module
from typing import Any

from autograder.isolation import kernel

__all__ = ["Filter", "missing"]

MACHINES = ("x86_64", "aarch64")
"""Where the arguments of ``clone`` come in the order that the filter takes them in."""

# What computing, files that Landlock lets be opened, memory, threads and time are made of.
ALLOWED = """
    read write readv writev pread64 pwrite64 preadv pwritev preadv2 pwritev2 lseek sendfile copy_file_range
    close close_range dup dup2 dup3 pipe pipe2 eventfd eventfd2 fsync fdatasync ftruncate fallocate fadvise64 readahead
    flock poll ppoll select pselect6 epoll_create epoll_create1 epoll_ctl epoll_wait epoll_pwait epoll_pwait2
    stat fstat lstat newfstatat statx statfs fstatfs access faccessat faccessat2 readlink readlinkat getdents getdents64
    getcwd chdir fchdir mkdir mkdirat rmdir unlink unlinkat rename renameat renameat2 link linkat umask
    mmap munmap mprotect mremap madvise brk msync membarrier
    futex set_robust_list set_tid_address rseq gettid sched_yield sched_getaffinity sched_getparam sched_getscheduler
    sched_get_priority_max sched_get_priority_min getcpu exit exit_group wait4 waitid
    rt_sigaction rt_sigprocmask rt_sigreturn rt_sigpending rt_sigsuspend rt_sigtimedwait sigaltstack pause
    restart_syscall alarm getitimer setitimer
    time gettimeofday clock_gettime clock_getres clock_nanosleep nanosleep times getrusage getrandom uname sysinfo
    getpid getppid getpgrp getpgid getsid getuid geteuid getgid getegid getresuid getresgid getgroups capget getrlimit
    getpriority
    recvfrom recvmsg sendmsg shutdown getsockname getpeername getsockopt
"""

# Asked for by programs that mean no harm, or by those that do: these hear that it is not permitted.
REFUSED = """
    fork vfork execve execveat ptrace process_vm_readv process_vm_writev process_madvise kcmp
    tkill rt_sigqueueinfo rt_tgsigqueueinfo pidfd_open pidfd_getfd pidfd_send_signal
    socket connect bind listen accept accept4 setsockopt sendmmsg recvmmsg
    memfd_create memfd_secret shmget shmat shmctl shmdt msgget msgsnd msgrcv msgctl semget semop semctl semtimedop
    mq_open mq_unlink mq_timedsend mq_timedreceive mq_notify mq_getsetattr
    io_uring_setup io_uring_enter io_uring_register io_setup io_submit io_destroy io_cancel io_getevents
    userfaultfd bpf perf_event_open keyctl add_key request_key seccomp
    open_by_handle_at name_to_handle_at mount umount2 pivot_root chroot unshare setns
    open_tree move_mount fsopen fsconfig fsmount fspick mount_setattr
    symlink symlinkat mknod mknodat utime utimes futimesat chown fchown lchown fchownat setxattr lsetxattr fsetxattr
    removexattr lremovexattr fremovexattr inotify_init inotify_init1 fanotify_init quotactl swapon swapoff
    setuid setgid setreuid setregid setresuid setresgid setfsuid setfsgid setgroups capset setsid setpgid
    setrlimit setpriority sched_setaffinity sched_setscheduler sched_setparam sched_setattr ioprio_set
    personality arch_prctl modify_ldt iopl ioperm reboot kexec_load init_module finit_module delete_module
    mlock mlock2 mlockall munlockall mbind set_mempolicy migrate_pages move_pages remap_file_pages
    sync syncfs splice tee vmsplice acct settimeofday clock_settime clock_adjtime adjtimex sethostname setdomainname
    vhangup syslog lookup_dcookie pkey_alloc pkey_free pkey_mprotect timer_create signalfd signalfd4
"""

# Answered as if it had been done. Copying a file ends with these, and a learner who copies one is to have the copy; but
# they reach any file of the same user, which Landlock does not mind.
IGNORED = "chmod fchmod fchmodat fchmodat2"

_SELF = 0x2ABCDEF1
"""Stands for the number of the process in the compiled program; larger than a process number can be."""

_O_TRUNC, _O_ACCMODE = 0o1000, 0o3
_O_WRONLY, _O_RDWR = 1, 2
_CLONE_THREAD = 0x00010000
_CLONE_REFUSED = 0x7E020000 | 0x00002000 | 0x00008000
"""New namespaces, and children that are traced, or belong to the parent."""
_SOCK_TYPE = ~(0o4000 | 0o2000000) & 0xFFFFFFFF
_AF_UNIX, _SOCK_STREAM = 1, 1
_INTEGER = 0xFFFFFFFF
"""The kernel looks at 32 bits of an argument that is an ``int``."""

# F_DUPFD, F_GETFD, F_SETFD, F_GETFL, F_SETFL, locks, locks of open files, F_DUPFD_CLOEXEC, F_GETPIPE_SZ, F_GET_SEALS;
# not F_SETOWN and F_SETSIG, with which the kernel signals others.
_FCNTL = (0, 1, 2, 3, 4, 5, 6, 7, 36, 37, 38, 1030, 1032, 1034)
# TCGETS (is it a terminal?), TIOCGWINSZ, FIONREAD, FIONBIO, FIONCLEX, FIOCLEX.
_IOCTL = (0x5401, 0x5413, 0x541B, 0x5421, 0x5450, 0x5451)
# PR_SET_NAME, PR_GET_NAME, PR_GET_DUMPABLE, PR_CAPBSET_READ, PR_GET_NO_NEW_PRIVS, PR_SET_VMA (names memory).
_PRCTL = (15, 16, 3, 23, 39, 0x53564D41)

_PR_SET_SECCOMP, _MODE_FILTER = 22, 2
_PR_GET_SECCOMP = 21
_INSTRUCTION = struct.Struct("=HBBI")
_JUMP_IF_EQUAL = 0x15


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


def missing() -> str:
    """What is missing for a filter, and what can be done; empty where nothing is."""
    if platform.machine() not in MACHINES:
        return f"no list of system calls was made for a {platform.machine()}"
    try:
        import_module("pyseccomp")
    except ImportError:
        return "the package pyseccomp is not installed: pip install pyseccomp"
    except (OSError, RuntimeError, AttributeError):
        return "the library libseccomp is not installed; on Debian and Ubuntu: apt install libseccomp2"
    try:
        kernel.prctl(_PR_GET_SECCOMP)
    except (OSError, AttributeError):
        return "the kernel has none: it has to be built with CONFIG_SECCOMP_FILTER"
    return ""


class Filter:
    """The compiled filter. ``truncate`` allows truncating by path, which only a newer Landlock confines."""

    def __init__(self, truncate: bool) -> None:
        self._program = _compiled(truncate)
        self._places = [
            place
            for place in range(0, len(self._program), _INSTRUCTION.size)
            if _INSTRUCTION.unpack_from(self._program, place)[::3] == (_JUMP_IF_EQUAL, _SELF)
        ]
        if not self._places:
            raise RuntimeError("The compiled filter has no place for the process number.")

    def load(self, pid: int) -> None:
        """Hold this thread, and all that it starts, to the filter, for good. Needs ``no_new_privs``."""
        program = bytearray(self._program)
        for place in self._places:
            struct.pack_into("=I", program, place + 4, pid)
        filled = _Program(len(program) // _INSTRUCTION.size, bytes(program))
        kernel.prctl(_PR_SET_SECCOMP, _MODE_FILTER, ctypes.byref(filled))


def _compiled(truncate: bool) -> bytes:
    """The filter as the kernel takes it."""
    import pyseccomp as libseccomp  # here, because it fails where the system has no libseccomp

    def masked(argument: int, value: int, mask: int = _INTEGER) -> Any:
        return libseccomp.Arg(argument, libseccomp.MASKED_EQ, mask, value)

    def rule(action: int, name: str, *arguments: Any) -> None:
        try:
            number = libseccomp.resolve_syscall(libseccomp.Arch.NATIVE, name)
        except (OSError, ValueError):
            return  # a call that this libseccomp has never heard of is not allowed, which is ENOSYS
        filtered.add_rule(action, number, *arguments)

    filtered = libseccomp.SyscallFilter(libseccomp.ERRNO(errno.ENOSYS))
    # 32-bit calls on a 64-bit kernel, and those of x32, have other numbers and would be taken for others.
    filtered.set_attr(libseccomp.Attr.ACT_BADARCH, libseccomp.ERRNO(errno.ENOSYS))
    allow, refuse = libseccomp.ALLOW, libseccomp.ERRNO(errno.EPERM)
    for name in ALLOWED.split():
        rule(allow, name)
    for name in REFUSED.split():
        rule(refuse, name)
    for name in IGNORED.split():
        rule(libseccomp.ERRNO(0), name)
    for name in ("listxattr", "llistxattr", "flistxattr", "getxattr", "lgetxattr", "fgetxattr"):
        rule(libseccomp.ERRNO(errno.ENOTSUP), name)  # as on a file system that has none: copying goes on without them
    # Setting the times is ignored likewise; setting them to now fails, so that `touch` goes on and makes the file.
    rule(libseccomp.ERRNO(0), "utimensat", libseccomp.Arg(2, libseccomp.NE, 0))
    rule(refuse, "utimensat", libseccomp.Arg(2, libseccomp.EQ, 0))
    rule(allow if truncate else refuse, "truncate")

    # A file that is only read must not be truncated by the way, which an old Landlock lets pass.
    for name, flags in (("open", 1), ("openat", 2)):
        for value in (0, _O_WRONLY, _O_RDWR, _O_WRONLY | _O_TRUNC, _O_RDWR | _O_TRUNC):
            rule(allow, name, masked(flags, value, _O_TRUNC | _O_ACCMODE))
        rule(refuse, name, masked(flags, _O_TRUNC, _O_TRUNC | _O_ACCMODE))
    rule(allow, "creat")

    rule(allow, "clone", masked(0, _CLONE_THREAD, _CLONE_THREAD | _CLONE_REFUSED))
    rule(refuse, "clone", masked(0, 0, _CLONE_THREAD))
    for name in ("kill", "tgkill"):
        rule(allow, name, libseccomp.Arg(0, libseccomp.EQ, _SELF))
        rule(refuse, name, libseccomp.Arg(0, libseccomp.NE, _SELF))
    for name, argument, values in (("fcntl", 1, _FCNTL), ("ioctl", 1, _IOCTL), ("prctl", 0, _PRCTL)):
        for value in values:
            rule(allow, name, masked(argument, value))
    rule(allow, "prlimit64", masked(0, 0), libseccomp.Arg(2, libseccomp.EQ, 0))
    # An event loop wakes itself through such a pair. It reaches nobody: connecting it to others is refused.
    rule(allow, "socketpair", masked(0, _AF_UNIX), masked(1, _SOCK_STREAM, _SOCK_TYPE))
    rule(allow, "sendto", libseccomp.Arg(4, libseccomp.EQ, 0))

    # Through a pipe, which holds far more than the kernel takes as a filter, so that no folder is needed to write to.
    reader, writer = os.pipe()
    with open(reader, "rb") as compiled:
        with open(writer, "wb") as file:
            filtered.export_bpf(file)
        return compiled.read()
