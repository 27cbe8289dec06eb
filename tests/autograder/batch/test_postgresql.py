"""Batch grading with the gradebook in PostgreSQL: the same rows as in SQLite, also from two graders at once."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.autograder.batch.conftest import LESSON, PROJECT, command, grade, rows
from tests.autograder.postgresql import NEEDED, server

pytestmark = [pytest.mark.xdist_group("batch"), *NEEDED]


@pytest.fixture(scope="module")
def database() -> Iterator[str]:
    """The URL of a new database."""
    with server() as url:
        yield url


def test_two_graders_leave_one_correct_gradebook(
    course: Path, graded_by_nbgrader: Path, nbgrader: Callable[..., Any], database: str, tmp_path: Path
) -> None:
    (course / "gradebook.db").unlink()
    for assignment in (LESSON, PROJECT):
        made = nbgrader(course, "generate_assignment", "--force", assignment, CHAINRULE_DB_URL=database)
        assert made.returncode == 0, made.stderr
    (made,) = [grade(course, PROJECT, CHAINRULE_DB_URL=database)]
    assert made.returncode == 0, made.stderr

    shutil.rmtree(course / "submitted" / "fatima")  # late only where the due date is known, which was in SQLite
    elsewhere = shutil.copytree(course, tmp_path / "elsewhere")
    graders = [
        subprocess.Popen(
            command(each, LESSON, "--workers", "1"),
            env=os.environ | {"CHAINRULE_DB_URL": database},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for each in (course, elsewhere)
    ]
    for grader in graders:
        said, complaints = grader.communicate(timeout=300)
        assert grader.returncode == 0, said + complaints
    expected = rows(graded_by_nbgrader / "gradebook.db")
    assert rows(database) == {key: row for key, row in expected.items() if "fatima" not in key}
    assert not (course / "gradebook.db").exists()
