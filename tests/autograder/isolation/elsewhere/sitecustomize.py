"""Takes from Python what other systems than Linux do not have; with this folder on PYTHONPATH, Python runs it first.

Windows has no fork, no ``fcntl`` and ``resource``, no poll, no sockets that can be handed over, and nothing to share
memory by its descriptor. The platform gets a name that no package has its own ways for: none of those of macOS or of
Windows could be gone here.
"""

import os
import select
import socket
import subprocess
import sys
import sysconfig
from typing import Any

BLOCKED = ("fcntl", "resource", "pyseccomp", *os.environ.get("BLOCKED", "").split())
REMOVED = {
    os: ("fork", "forkpty", "memfd_create", "posix_spawn", "posix_spawnp", "register_at_fork", "pread", "WIFEXITED"),
    select: ("poll", "epoll"),
    socket: ("AF_UNIX", "SCM_RIGHTS", "CMSG_SPACE", "CMSG_LEN", "MSG_DONTWAIT", "MSG_CMSG_CLOEXEC", "send_fds"),
}


class _Blocked:
    """Finds no module that is blocked, and leaves the others to Python."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> None:
        if name in BLOCKED:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


for name in BLOCKED:
    sys.modules.pop(name, None)
sys.meta_path.insert(0, _Blocked())  # type: ignore[arg-type]

for module, names in REMOVED.items():
    for name in names:
        vars(module).pop(name, None)

# Where Python finds how it was built depends on the platform's name; a process of ours has an environment of its own.
os.environ["_PYTHON_SYSCONFIGDATA_NAME"] = sysconfig._get_sysconfigdata_name()  # type: ignore[attr-defined]
sys.platform = "elsewhere"

_begin = subprocess.Popen.__init__


def _begin_elsewhere(self: Any, *arguments: Any, env: Any = None, **options: Any) -> None:
    _begin(
        self,
        *arguments,
        env={**(os.environ if env is None else env), "PYTHONPATH": os.path.dirname(__file__)},
        **options,
    )


subprocess.Popen.__init__ = _begin_elsewhere  # type: ignore[assignment]
