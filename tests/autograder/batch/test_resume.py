"""Killed at any moment, grading goes on: nothing is lost or graded twice, and who kills workers is set aside."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from tests.autograder.batch.conftest import LESSON, Rows, command, grade, rows

pytestmark = pytest.mark.xdist_group("batch")

HOOKED = """
import os, signal, time
from pathlib import Path
from nbgrader.preprocessors import NbGraderPreprocessor

class Slow(NbGraderPreprocessor):
    def preprocess(self, nb, resources):
        time.sleep(0.5)
        if resources["nbgrader"]["student"] == "killer":
            os.kill(os.getpid(), signal.SIGKILL)
        return nb, resources
"""


@pytest.fixture
def slow_course(course: Path) -> Path:
    """The class, whose workers take their time over each submission, and die of one learner's."""
    (course / "slowly.py").write_text(HOOKED)
    with (course / "nbgrader_config.py").open("a") as config:
        config.write("\nc.Autograde.sanitize_preprocessors.insert(0, 'slowly.Slow')\n")
    return many(course)


def many(course: Path) -> Path:
    """More submissions, so that there is a middle to be interrupted in."""
    shutil.rmtree(course / "submitted" / "chidi")  # an endless loop, which would only take time
    for number in range(9):
        shutil.copytree(course / "submitted" / "ada", course / "submitted" / f"more{number}")
    return course


@pytest.fixture
def undisturbed(graded_by_nbgrader: Path) -> Rows:
    """What the gradebook holds of the lesson in the end."""
    found = rows(graded_by_nbgrader / "gradebook.db")
    return {key: row for key, row in found.items() if LESSON in key and "chidi" not in key}


def remembered(course: Path) -> Rows:
    """What the gradebook holds of the lesson, without those who are there more than once."""
    found = rows(course / "gradebook.db")
    return {key: row for key, row in found.items() if LESSON in key and not key.startswith("more")}


def graded(course: Path) -> set[str]:
    """Who is graded by now."""
    return {path.parent.name for path in (course / "autograded").glob(f"*/{LESSON}")}


def until(condition: Callable[[], object], process: subprocess.Popen[str] | None = None) -> None:
    """Wait for something to happen."""
    deadline = time.monotonic() + 120
    while not condition():
        assert process is None or process.poll() is None, "it ended before"
        assert time.monotonic() < deadline
        time.sleep(0.02)


@contextlib.contextmanager
def started(arguments: list[str], **options: object) -> Iterator[subprocess.Popen[str]]:
    """A process that is gone afterwards, with its children."""
    process = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)
    try:
        yield process
    finally:
        with contextlib.suppress(psutil.NoSuchProcess):
            for each in [*psutil.Process(process.pid).children(recursive=True), process]:
                with contextlib.suppress(psutil.NoSuchProcess):
                    each.kill()
        process.communicate()


def workers(process: subprocess.Popen[str]) -> list[psutil.Process]:
    """The worker processes of a grader; each has the parents of the confined processes for children."""
    found = []
    for each in psutil.Process(process.pid).children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            if any("autograder.isolation.forking" in word for child in each.children() for word in child.cmdline()):
                found.append(each)
    return found


def test_the_same_command_goes_on_after_the_grader_was_killed(slow_course: Path, undisturbed: Rows) -> None:
    for goal in (2, 6):
        with started(command(slow_course, LESSON, "--workers", "1")) as process:
            until(lambda goal=goal: len(graded(slow_course)) >= goal, process)
            os.kill(process.pid, signal.SIGKILL)
    assert 6 <= len(graded(slow_course)) < 14, "the test is to interrupt it"
    before = {path: path.stat().st_mtime_ns for path in (slow_course / "autograded").glob("*/*/*.ipynb")}
    last = grade(slow_course, LESSON)
    assert last.returncode == 0, last.stderr
    assert f"graded        │ {14 - len(before)}" in last.stdout
    assert {path: path.stat().st_mtime_ns for path in before} == before, "graded once"
    assert remembered(slow_course) == undisturbed
    assert not (slow_course / "grading" / "staging").exists()


def test_a_regrade_that_was_killed_goes_on_where_it_was(slow_course: Path) -> None:
    assert grade(slow_course, LESSON).returncode == 0
    notebooks = {path.parent.parent.name: path for path in (slow_course / "autograded").glob("*/*/*.ipynb")}
    old = {student: path.stat().st_ino for student, path in notebooks.items()}

    def left() -> list[str]:
        """Whom the regrade has to come to."""
        found: list[str] | None = json.loads((slow_course / "grading" / f"{LESSON}.json").read_text())["regrading"]
        return list(old) if found is None else found

    with started(command(slow_course, LESSON, "--regrade", "--workers", "1")) as process:
        until(lambda: len(left()) < 12, process)
        os.kill(process.pid, signal.SIGKILL)
    noted = {student: notebooks[student].stat().st_ino for student in set(old) - set(left())}
    assert 2 < len(noted) < 14
    last = grade(slow_course, LESSON, "--regrade")
    assert last.returncode == 0
    assert "Going on with a regrade that was interrupted" in last.stdout
    new = {student: path.stat().st_ino for student, path in notebooks.items()}
    assert all(new[student] != old[student] for student in old), "all of them"
    assert all(new[student] == inode for student, inode in noted.items()), "none of them twice"
    assert left() == list(old), "nothing is left"


def test_workers_that_are_killed_are_replaced_and_a_killer_is_set_aside(slow_course: Path, undisturbed: Rows) -> None:
    shutil.copytree(slow_course / "submitted" / "ada", slow_course / "submitted" / "killer")
    with started(command(slow_course, LESSON, "--workers", "2")) as process:
        until(lambda: workers(process), process)
        workers(process)[0].kill()
        said, complaints = process.communicate(timeout=120)
    assert process.returncode == 1, complaints
    assert "killer: It took its worker down 3 times and was set aside." in said
    assert "Traceback" not in complaints
    assert remembered(slow_course) == undisturbed

    again = grade(slow_course, LESSON)
    assert again.returncode == 1
    assert "killer: It took its worker down 3 times and was set aside." in again.stdout


def free_port() -> int:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return int(server.getsockname()[1])


@contextlib.contextmanager
def a_cluster(port: int, folder: Path, threads: int = 1) -> Iterator[subprocess.Popen[str]]:
    """A scheduler and a worker of somebody else's, who know nothing of the course."""
    dask = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", str(port)]
    worker = [sys.executable, "-m", "distributed.cli.dask_worker", f"tcp://127.0.0.1:{port}", "--no-dashboard"]
    plain = {name: value for name, value in os.environ.items() if not name.startswith("CHAINRULE")}
    with (
        started([*dask, "--no-dashboard"], cwd=folder) as scheduler,
        started([*worker, "--nthreads", str(threads), "--local-directory", str(folder)], cwd=folder, env=plain),
    ):
        yield scheduler


def test_on_a_cluster_that_shares_no_disk_and_whose_scheduler_is_killed(
    course: Path, undisturbed: Rows, tmp_path: Path
) -> None:
    many(course)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    port = free_port()
    address = f"tcp://127.0.0.1:{port}"
    with a_cluster(port, elsewhere) as scheduler, started(command(course, LESSON, "--scheduler", address)) as process:
        until(lambda: graded(course), process)
        scheduler.kill()
        _, complaints = process.communicate(timeout=120)
    assert process.returncode == 2, complaints
    assert "The Dask scheduler has ended" in complaints
    assert "Traceback" not in complaints

    with a_cluster(port, elsewhere, threads=3):  # as Dask has it where nobody says otherwise
        last = grade(course, LESSON, "--scheduler", address)
    assert last.returncode == 0, last.stderr
    assert remembered(course) == undisturbed
    assert len(graded(course)) == 14
