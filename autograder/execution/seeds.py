"""The seed of a submission: nobody can know it beforehand, and a regrade of the same notebook has the same.

A secret for each learner and assignment is drawn when it is first needed, and kept in the course folder. A submission's
seed follows from it and from the submitted notebook, byte for byte. So the file is written once and never changed,
whoever grades at the same time, and another notebook of the same learner has another seed.
"""

from __future__ import annotations

import json
import os
import secrets
import tempfile
import warnings
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from urllib.parse import quote

from autograder.checking.seeding import BITS
from autograder.errors import CourseError

__all__ = ["FOLDER", "seed_of", "submission_secret"]

FOLDER = "seeds"
"""In the course folder."""

_BYTES = 32
_LONGEST = 120


def submission_secret(course: Path, assignment: str, student: str) -> bytes:
    """The secret of a learner's submissions to an assignment, the same for ever.

    Parameters
    ----------
    course : the course folder
    assignment, student : as nbgrader calls them

    Raises
    ------
    CourseError
        The secrets cannot be read or written.
    """
    return _secret(course / FOLDER / _safe(assignment) / f"{_safe(student)}.json")


def seed_of(secret: bytes, notebook: bytes) -> int:
    """The seed of the checks of a notebook, byte for byte as it was handed in by the learner with this secret."""
    return int.from_bytes(sha256(secret + sha256(notebook).digest()).digest()) >> (256 - BITS)


def _secret(path: Path) -> bytes:
    """What is kept in a file; drawn where there is none."""
    try:
        kept = _read(path)
        if kept is None:
            _write(path)
            kept = _read(path)
            while kept is None:
                # Nothing but chance can be put in its place; an earlier grading is not repeated exactly.
                warnings.warn(
                    f"{path} does not hold a seed. A new one was drawn: the next grading has other random cases.",
                    stacklevel=3,
                )
                path.unlink(missing_ok=True)
                _write(path)
                kept = _read(path)
    except OSError as error:
        raise CourseError(
            f"The seed in {path} cannot be kept: {error.strerror or error}. The course folder must be writable."
        ) from error
    return kept


def _read(path: Path) -> bytes | None:
    """The secret in a file; None where there is none that can be read."""
    try:
        secret = bytes.fromhex(json.loads(path.read_bytes())["secret"])
    except (FileNotFoundError, ValueError, TypeError, KeyError, RecursionError):
        return None
    return secret if len(secret) == _BYTES else None


def _write(path: Path) -> None:
    """Draw a secret, unless somebody else was faster. The file appears whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", encoding="ascii", dir=path.parent, suffix=".tmp") as file:
        json.dump({"secret": secrets.token_hex(_BYTES)}, file)
        file.flush()
        os.fsync(file.fileno())
        with suppress(FileExistsError):
            os.link(file.name, path)


def _safe(name: str) -> str:
    """A name as the name of a file: another one for every name, whatever is in it."""
    quoted = quote(name, safe=" ", errors="surrogatepass").replace(".", "%2E")
    if len(quoted) <= _LONGEST:
        return quoted or "%"
    return f"{quoted[:_LONGEST]}%{sha256(quoted.encode()).hexdigest()}"
