"""Runs a command as a user who is not root and has no capability, wherever Python lies; root starts it.

    python as_nobody.py command ...

Python and this repository may lie in root's home, which is closed to others. So they are put into an open folder of
the same name, which only this process and its children see: a mount namespace of their own. Prints "cannot" and ends
with status 77 where even root may not do that, as in most containers.
"""

import contextlib
import ctypes
import os
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

NOBODY = 65534
CANNOT = 77
_NEW_MOUNTS = 0x00020000


def needed() -> Iterator[Path]:
    """The folders that a command of this project's needs."""
    found = {Path(folder).resolve() for folder in (sys.base_prefix, sys.prefix, Path(__file__).parents[2])}
    for folder in found:
        if not any(other != folder and folder.is_relative_to(other) for other in found):
            yield folder


def closed_above(folder: Path) -> Path | None:
    """The highest folder above another one that others cannot pass."""
    return next((each for each in reversed(folder.parents) if not each.stat().st_mode & stat.S_IXOTH), None)


def open_up(folders: list[Path]) -> None:
    """Put each of these folders into an open one of the same name, for this process and its children."""
    closed = {folder: above for folder in folders if (above := closed_above(folder)) is not None}
    if not closed:
        return
    if ctypes.CDLL(None).unshare(_NEW_MOUNTS) != 0:
        raise PermissionError
    _mount("--make-rprivate", "/")
    with tempfile.TemporaryDirectory(dir="/var/tmp") as base:
        _mount("-t", "tmpfs", "kept", base)  # before the folders are covered, also where one of them is a parent of it
        for number, folder in enumerate(closed):
            kept = Path(base, str(number))
            kept.mkdir()
            _mount("--bind", str(folder), str(kept))
        for above in set(closed.values()):
            _mount("-t", "tmpfs", "-o", "mode=755", "open", str(above))
        for number, folder in enumerate(closed):
            folder.mkdir(parents=True, exist_ok=True)
            _mount("--move", str(Path(base, str(number))), str(folder))
        subprocess.run(["umount", "-l", base], check=True)


def _mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True, stderr=subprocess.DEVNULL)


def become_nobody() -> None:
    """Without root's user, groups and capabilities; changing the user takes the capabilities with it."""
    os.setgroups([])
    os.setresgid(NOBODY, NOBODY, NOBODY)
    os.setresuid(NOBODY, NOBODY, NOBODY)
    capabilities = [line.split()[1] for line in Path("/proc/self/status").read_text().splitlines() if "CapEff" in line]
    assert capabilities == ["0" * 16]


if __name__ == "__main__":
    with contextlib.suppress(subprocess.CalledProcessError, PermissionError, FileNotFoundError):
        open_up(list(needed()))
        become_nobody()
        os.execv(sys.argv[1], sys.argv[1:])
    print("cannot", file=sys.stderr)
    sys.exit(CANNOT)
