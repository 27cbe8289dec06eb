"""`chainrule start`: what it opens, what it refuses, and that it leaves the learner's own files alone."""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest
from click.testing import CliRunner, Result

from autograder import start as starting
from autograder.cli import main
from autograder.errors import CourseError

# Two servers that start at the same moment would find the same port free, and one of them end.
pytestmark = pytest.mark.xdist_group("start")

EMPTY_NOTEBOOK = '{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}'


@pytest.fixture
def lessons(tmp_path: Path) -> Path:
    """Two lessons of an empty notebook each, in a folder with a space in its name."""
    folder = tmp_path / "my lessons"
    for name in ("00_welcome", "01_chain_rule"):
        (folder / name).mkdir(parents=True)
        (folder / name / f"{name}.ipynb").write_text(EMPTY_NOTEBOOK)
    return folder


@pytest.fixture
def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((starting.HOST, 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A learner's home with nothing in it, so that servers of other tests are not seen."""
    home = tmp_path / "home"
    home.mkdir()
    for name in [name for name in os.environ if name.startswith(("JUPYTER", "XDG_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(home))
    return home


@contextlib.contextmanager
def running(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    """`chainrule start` in a process of its own, stopped at the end whatever happened."""
    command = [sys.executable, "-m", "autograder.cli", "start", "--no-browser", *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def announced_address(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    printed = ""
    for line in process.stdout:
        printed += line
        if line.strip().startswith("http"):
            return line.strip()
    raise AssertionError(f"chainrule start ended without an address:\n{printed}")


def refused(*arguments: str) -> Result:
    """Run `chainrule start` for something it must refuse: one sentence on stderr and status 2."""
    result = CliRunner().invoke(main, ["start", "--no-browser", *arguments])
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.startswith("chainrule: ")
    assert result.stderr.count("\n") == 1
    return result


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_one_server_for_one_folder_from_start_to_ctrl_c(lessons: Path, own_home: Path, free_port: int) -> None:
    before = contents(lessons)
    with running("--lessons", str(lessons), "--port", str(free_port)) as server:
        address = announced_address(server)
        assert address.startswith(f"http://127.0.0.1:{free_port}/lab/tree/00_welcome/00_welcome.ipynb?token=")
        page = urlopen(address).read().decode()

        # The learner is asked nothing: news, instructor's buttons.
        notifications = "lab/api/settings/@jupyterlab/apputils-extension:notification"
        answer = urlopen(address.replace("lab/tree/00_welcome/00_welcome.ipynb", notifications)).read()
        defaults = json.loads(answer)["schema"]["properties"]
        assert defaults["fetchNews"]["default"] == "false"
        assert defaults["checkForUpdates"]["default"] is False
        configuration = re.search(r'id="jupyter-config-data" type="application/json">(.*?)</script>', page, re.DOTALL)
        assert configuration is not None
        assert "@jupyter/nbgrader" in json.loads(configuration[1])["disabledExtensions"]

        # A second start says where the first is.
        second = refused("--lessons", str(lessons))
        assert address in second.stderr
        assert "Ctrl-C" in second.stderr

        server.send_signal(signal.SIGINT)
        rest, _ = server.communicate(timeout=120)
        assert server.returncode == 0
        assert "Traceback" not in rest
        assert "[y/n]" not in rest.lower()

    assert contents(lessons) == before
    assert not list(own_home.glob(".jupyter/**/*.json")), "start wrote to the learner's own Jupyter configuration"


def test_without_a_port_a_free_one_is_chosen(lessons: Path, own_home: Path) -> None:
    with contextlib.ExitStack() as stack:
        # Whether or not something else holds Jupyter's usual port, from here on it is taken.
        usual = stack.enter_context(socket.socket())
        usual.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with contextlib.suppress(OSError):
            usual.bind((starting.HOST, 8888))
            usual.listen()
        server = stack.enter_context(running("--lessons", str(lessons)))
        address = announced_address(server)
        assert ":8888/" not in address
        assert urlopen(address).status == 200


def test_arguments_after_two_dashes_reach_jupyterlab(lessons: Path, own_home: Path) -> None:
    with running("--lessons", str(lessons), "--", "--ServerApp.base_url=/course/") as server:
        assert "/course/lab/tree/00_welcome" in announced_address(server)


def test_a_server_that_died_does_not_block_the_next(lessons: Path, own_home: Path) -> None:
    with running("--lessons", str(lessons)) as server:
        announced_address(server)
        server.kill()
        server.wait()
    starting.require_not_running(lessons.resolve())


def test_a_busy_port_is_refused(lessons: Path, own_home: Path) -> None:
    with socket.socket() as busy:
        busy.bind((starting.HOST, 0))
        busy.listen()
        port = busy.getsockname()[1]
        result = refused("--lessons", str(lessons), "--port", str(port))
    assert f"Port {port}" in result.stderr
    assert "--port" in result.stderr


def test_a_missing_folder_is_refused_and_not_made(tmp_path: Path) -> None:
    missing = tmp_path / "nowhere"
    assert str(missing) in refused("--lessons", str(missing)).stderr
    assert not missing.exists()


def test_a_folder_without_lessons_is_refused(tmp_path: Path) -> None:
    (tmp_path / "holiday").mkdir()
    assert "00_welcome/00_welcome.ipynb" in refused("--lessons", str(tmp_path)).stderr


@pytest.mark.parametrize("damaged", ["", "{ this is no JSON", "[]", '{"cells": 3}', EMPTY_NOTEBOOK[:40]])
def test_a_damaged_first_lesson_is_refused_and_left_as_it_is(lessons: Path, damaged: str) -> None:
    notebook = lessons / "00_welcome" / "00_welcome.ipynb"
    notebook.write_text(damaged)
    assert "is no notebook" in refused("--lessons", str(lessons)).stderr
    assert notebook.read_text() == damaged


def test_lessons_are_found_here_before_those_beside_the_package(
    lessons: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    beside = tmp_path / "beside"
    beside.mkdir()
    monkeypatch.setattr(starting, "REPOSITORY_LESSONS", beside)
    monkeypatch.chdir(tmp_path)
    assert starting.find_lessons() == beside
    lessons.rename(tmp_path / "lessons")
    assert starting.find_lessons() == tmp_path / "lessons"


def test_with_no_lessons_anywhere_the_sentence_names_both_places(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(starting, "REPOSITORY_LESSONS", tmp_path / "beside")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CourseError, match=r"\./lessons .*beside"):
        starting.find_lessons()


def test_a_folder_that_cannot_be_written_is_refused() -> None:
    # Nobody makes files there, not even root, whom permission bits do not stop.
    with pytest.raises(CourseError, match=r"/sys/kernel cannot be written \(\w.*\), so your work could not be saved"):
        starting.require_writable(Path("/sys/kernel"))


def test_the_writing_probe_leaves_nothing(lessons: Path) -> None:
    before = sorted(lessons.rglob("*"))
    starting.require_writable(lessons)
    assert sorted(lessons.rglob("*")) == before
