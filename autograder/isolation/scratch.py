"""The folders student processes work in: one each, in a folder of the grader's that others cannot list.

Whatever a learner leaves behind there is hostile too: folders without permissions, or a thousand levels deep.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import stat
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

__all__ = ["fill", "remove", "used"]

ENTRIES = 10_000
"""Files and folders of a scratch folder that are counted; more than that is a bomb."""

LONGEST_PATH = 2000
"""Bytes of a path beneath which nothing is counted any more; systems take 4096, or 1024."""


def fill(scratch: Path, source: Path, largest: int) -> None:
    """Copy the files of an assignment, without its notebooks, so that learners find them beside their code.

    A notebook holds the checks when it is graded, and no link is followed: it may lead anywhere. Hidden files are left
    out, which no lesson has, and so is what cannot be read.

    Parameters
    ----------
    scratch, source : folders
    largest : bytes that are copied in all; files beyond are left out, and all beyond a tenth of ``ENTRIES``
    """
    left = largest
    for path, status in islice(_below(source, hidden=False), ENTRIES // 10):
        copy = scratch / path.relative_to(source)
        with contextlib.suppress(OSError):
            if stat.S_ISDIR(status.st_mode):
                copy.mkdir(exist_ok=True)
                copy.chmod(0o777)
            elif stat.S_ISREG(status.st_mode) and path.suffix != ".ipynb" and status.st_size <= left:
                shutil.copyfile(path, copy, follow_symlinks=False)
                copy.chmod(0o666)
                left -= status.st_size


def used(scratch: Path) -> tuple[int, int]:
    """Bytes and entries in a scratch folder; counting stops at ``ENTRIES``.

    A folder that cannot be looked into counts as so many: one that is closed to us, or lies deeper than a path may be
    long.
    """
    size = count = 0
    for path, status in _below(scratch):
        size += status.st_blocks * 512 if hasattr(status, "st_blocks") else status.st_size
        count += 1
        if stat.S_ISDIR(status.st_mode):
            is_closed = not os.access(path, os.R_OK | os.X_OK) and os.path.lexists(path)
            if is_closed or len(os.fsencode(path)) > LONGEST_PATH:
                count = ENTRIES
        if count >= ENTRIES:
            break
    return size, count


def _below(folder: Path, hidden: bool = True) -> Iterator[tuple[Path, os.stat_result]]:
    """Everything beneath a folder with its status, folders before what they hold; links are not followed."""
    waiting = [folder]
    while waiting:
        for entry in sorted(_entries(waiting.pop()), key=lambda entry: entry.name):
            try:
                status = entry.stat(follow_symlinks=False)
            except OSError:
                continue  # gone again
            if not hidden and entry.name.startswith("."):
                continue
            yield Path(entry.path), status
            if stat.S_ISDIR(status.st_mode):
                waiting.append(Path(entry.path))


def remove(folder: Path) -> None:
    """Remove a folder and all that is in it, whatever its permissions and depth; what cannot go stays.

    Nothing outside of it is touched, whether it is there or not. Folders inside folders are first moved to the top:
    going down instead takes time that grows with the square of the depth (as ``rm`` does), or too deep a recursion.
    """
    name = secrets.token_hex(8)
    moved = 0
    while entries := _entries(folder):
        before = moved
        for entry in entries:
            if not entry.is_dir(follow_symlinks=False):
                before -= _done(os.unlink, entry.path)
                continue
            _done(os.chmod, entry.path, 0o700)
            for inner in _entries(Path(entry.path)):
                if inner.is_dir(follow_symlinks=False):
                    _done(os.chmod, inner.path, 0o700)  # moving a folder writes to it
                    moved += _done(os.rename, inner.path, folder / f"{name}-{moved}")
                else:
                    _done(os.unlink, inner.path)
            before -= _done(os.rmdir, entry.path)
        if moved == before:
            return  # nothing could be done
    _done(os.rmdir, folder)


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    """What is in a folder; nothing where that cannot be told."""
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError:
        return []


def _done(action: Callable[..., object], *arguments: Any) -> bool:
    """Whether something could be done."""
    try:
        action(*arguments)
    except OSError:
        return False
    return True
