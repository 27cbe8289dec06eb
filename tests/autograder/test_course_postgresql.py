"""The gradebook can live in PostgreSQL: one environment variable, and nbgrader's commands use it."""

import getpass
import importlib.util
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from tempfile import mkdtemp

import nbformat
import pytest
from nbgrader.api import Gradebook

from autograder.exercises import Exercise

LESSON = "05_backpropagation"
SERVER_USER = "postgres" if os.geteuid() == 0 else getpass.getuser()
"""PostgreSQL refuses to run as root."""


def program(name: str) -> str | None:
    """A program of PostgreSQL; Debian keeps them off the path."""
    debian = sorted(str(folder) for folder in Path("/usr/lib/postgresql").glob("*/bin"))
    return shutil.which(name, path=os.pathsep.join([*debian, os.environ["PATH"]]))


pytestmark = [
    pytest.mark.xdist_group("postgresql"),  # one worker, one server
    pytest.mark.postgresql,
    pytest.mark.skipif(
        not (program("initdb") and program("postgres")), reason="no PostgreSQL; on Debian: apt-get install postgresql"
    ),
    pytest.mark.skipif(importlib.util.find_spec("psycopg") is None, reason="no driver; pip install 'psycopg[binary]'"),
]


@pytest.fixture(scope="module")
def database() -> Iterator[str]:
    """The URL of a new database, on a server that listens on a socket file alone."""
    folder = Path(mkdtemp(prefix="postgresql"))
    shutil.chown(folder, SERVER_USER)
    as_server = {"user": SERVER_USER} if os.geteuid() == 0 else {}
    quiet = {"cwd": folder, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, **as_server}
    data = str(folder / "data")
    initialise = [program("initdb"), "--auth=trust", "--username=grader", "--encoding=UTF8", "--no-sync", data]
    subprocess.run(initialise, check=True, **quiet)
    serve = [program("postgres"), "-D", data, "-k", str(folder), "-c", "listen_addresses=", "-c", "fsync=off"]
    server = subprocess.Popen(serve, **quiet)
    ready = [program("pg_isready"), "-h", str(folder), "-U", "grader"]
    try:
        while subprocess.run(ready, stdout=subprocess.DEVNULL, check=False).returncode:
            assert server.poll() is None
        yield f"postgresql+psycopg://grader@/postgres?host={folder}"
    finally:
        server.terminate()
        server.wait(30)
        shutil.rmtree(folder)


def test_released_and_graded_with_the_gradebook_in_postgresql(
    database: str, released_course: Path, two_exercises: list[Exercise], written, nbgrader
):
    (released_course / "gradebook.db").unlink()
    released = released_course / "release" / LESSON / f"{LESSON}.ipynb"
    notebook = nbformat.read(released, as_version=nbformat.NO_CONVERT)
    exercise = two_exercises[0]
    answer = next(cell for cell in notebook.cells if cell.id == exercise.id.replace(".", "-"))
    answer.source = written(exercise)
    submitted = released_course / "submitted" / "ada" / LESSON
    submitted.mkdir(parents=True)
    nbformat.write(notebook, submitted / released.name)

    for command in (("generate_assignment", "--force", LESSON), ("autograde", LESSON), ("export",)):
        outcome = nbgrader(released_course, *command, CHAINRULE_DB_URL=database)
        assert outcome.returncode == 0, outcome.stderr

    with Gradebook(database) as book:
        assert book.find_submission(LESSON, "ada").score == exercise.points
    assert "ada" in (released_course / "grades.csv").read_text(encoding="utf-8")
    assert not (released_course / "gradebook.db").exists()
