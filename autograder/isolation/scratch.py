"""The folders student processes work in: one each, in a folder of the grader's that others cannot list.

Whatever a learner leaves behind there is hostile too: folders without permissions, or a thousand levels deep.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

__all__ = ["fill", "remove", "used"]

ENTRIES = 10_000
"""Files and folders of a scratch folder that are counted; more than that is a bomb."""


def fill(scratch: Path, source: Path, largest: int) -> None:
    """Copy the files of an assignment, without its notebooks, so that learners find them beside their code.

    A notebook holds the checks when it is graded, and no link is followed: it may lead anywhere.

    Parameters
    ----------
    scratch, source : folders
    largest : bytes that are copied in all; files beyond are left out
    """
    left = largest
    for path, status in _below(source):
        copy = scratch / path.relative_to(source)
        if stat.S_ISDIR(status.st_mode):
            copy.mkdir(exist_ok=True)
            copy.chmod(0o777)
        elif stat.S_ISREG(status.st_mode) and path.suffix != ".ipynb" and status.st_size <= left:
            left -= status.st_size
            shutil.copyfile(path, copy, follow_symlinks=False)
            copy.chmod(0o666)


def used(scratch: Path) -> tuple[int, int]:
    """Bytes and entries in a scratch folder; counting stops at ``ENTRIES``."""
    size = count = 0
    for _, status in _below(scratch):
        size += status.st_blocks * 512 if hasattr(status, "st_blocks") else status.st_size
        count += 1
        if count >= ENTRIES:
            break
    return size, count


def _below(folder: Path) -> Iterator[tuple[Path, os.stat_result]]:
    """Everything beneath a folder with its status, folders before what they hold; links are not followed."""
    waiting = [folder]
    while waiting:
        try:
            entries = sorted(os.scandir(waiting.pop()), key=lambda entry: entry.name)
            found = [(Path(entry.path), entry.stat(follow_symlinks=False)) for entry in entries]
        except OSError:
            continue  # gone again, or closed to us: nothing that could be copied or counted
        yield from found
        waiting += [path for path, status in found if stat.S_ISDIR(status.st_mode)]


def remove(folder: Path) -> None:
    """Remove a folder and all that is in it, whatever its permissions and depth; what cannot go stays.

    Nothing outside of it is touched, whether it is there or not.
    """
    try:
        shutil.rmtree(folder)
    except (OSError, RecursionError):
        # Closed, or deeper than Python's recursion; these two walk with folder descriptors, and follow no links.
        for command in (["chmod", "-R", "u+rwX", "--"], ["rm", "-rf", "--"]):
            with contextlib.suppress(FileNotFoundError):  # on Windows
                if folder.exists():
                    subprocess.run([*command, str(folder)], stderr=subprocess.DEVNULL, check=False)
