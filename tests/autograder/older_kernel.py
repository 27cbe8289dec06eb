"""Runs a command on a kernel that lacks something: a filter makes the calls fail as they do on one that has none.

    python older_kernel.py landlock,seccomp command ...

``landlock``, ``seccomp``: a kernel that was built without; ``switched-off``: Landlock is built in and not used;
``container``: a container's profile refuses Landlock; ``namespaces``: nobody may make user namespaces.
"""

import errno
import os
import sys

import pyseccomp

_PR_GET_SECCOMP, _PR_SET_SECCOMP = 21, 22
_NEW_NAMESPACES = {"user": 0x10000000, "network": 0x40000000, "shared memory": 0x08000000}


def lack(what: set[str]) -> None:
    """Load the filter; whoever this process becomes keeps it."""
    kernel = pyseccomp.SyscallFilter(pyseccomp.ALLOW)
    for name, number in (
        ("landlock", errno.ENOSYS),
        ("switched-off", errno.EOPNOTSUPP),
        ("container", errno.EPERM),
    ):
        if name in what:
            for call in ("landlock_create_ruleset", "landlock_add_rule", "landlock_restrict_self"):
                kernel.add_rule(pyseccomp.ERRNO(number), call)
    if "seccomp" in what:
        kernel.add_rule(pyseccomp.ERRNO(errno.ENOSYS), "seccomp")
        for option in (_PR_GET_SECCOMP, _PR_SET_SECCOMP):
            kernel.add_rule(pyseccomp.ERRNO(errno.EINVAL), "prctl", pyseccomp.Arg(0, pyseccomp.EQ, option))
    if "namespaces" in what:
        kernel.add_rule(pyseccomp.ERRNO(errno.ENOSYS), "clone3")
        for flag in _NEW_NAMESPACES.values():
            for call in ("unshare", "clone"):
                kernel.add_rule(pyseccomp.ERRNO(errno.EPERM), call, pyseccomp.Arg(0, pyseccomp.MASKED_EQ, flag, flag))
    kernel.load()


if __name__ == "__main__":
    lack(set(sys.argv[1].split(",")))
    os.execv(sys.argv[2], sys.argv[2:])
