"""Where no process can be forked: a fresh one for every child, found by the loopback address.

Python is made to lack here what other systems lack (``elsewhere/sitecustomize.py``); nothing of ours is told.
"""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import nbformat
import pytest

from autograder.errors import CourseError
from autograder.isolation import channel
from autograder.isolation.channel import BadMessage, Channel, ChannelClosed, TimedOut
from autograder.isolation.confinement import Policy
from autograder.isolation.fresh import FreshParent
from autograder.isolation.loopback import Listener, call
from autograder.isolation.warm import Child

ELSEWHERE = Path(__file__).with_name("elsewhere")

PROGRAM = """
import os, sys, time

def prepare(settings):
    if settings.get("broken"):
        raise ValueError("This program is broken.")
    return main

def main(channel):
    while True:
        said = channel.receive()
        if said == "die":
            os.abort()
        if said == "hang":
            channel.send("hanging")
            time.sleep(600)
        channel.send([said, os.getcwd(), sys.stdin.read()])
"""

SLEEPER = """
import sys, time
from pathlib import Path
from autograder.isolation.confinement import Policy
from autograder.isolation.fresh import FreshParent

parent = FreshParent("program_of_a_test", {}, Policy(()), allow_unconfined=True)
child = parent.child()
child.channel.send("hang")
child.channel.receive(30)
print(child.pid, flush=True)
time.sleep(600)
"""


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Lets this process's children be on another system, with a folder for what is temporary."""
    (tmp_path / "program_of_a_test.py").write_text(PROGRAM)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr("autograder.isolation.fresh.environment", lambda folder: {"PYTHONPATH": str(ELSEWHERE)})
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


def check(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """`chainrule check` on the other system."""
    return subprocess.run(
        [sys.executable, "-m", "autograder.cli", "check", *map(str, arguments)],
        env=os.environ | {"PYTHONPATH": str(ELSEWHERE)} | environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def with_answers(solved: Path, path: Path, answers: dict[str, str]) -> Path:
    """The solved welcome with other answers to some of its exercises."""
    nb = nbformat.read(solved, as_version=4)
    for cell in nb.cells:
        for function, answer in answers.items():
            if cell.cell_type == "code" and f"def {function}(" in cell.source:
                cell.source = answer
    nbformat.write(nb, path)
    return path


def test_a_solved_lesson_gets_its_points_and_a_warning(solved: Path, tmp_path: Path) -> None:
    """And nothing is left of it afterwards."""
    done = check("--allow-unconfined", solved, TMPDIR=str(tmp_path), COLUMNS="300")
    assert (done.returncode, done.stderr) == (0, "")
    assert "00_welcome: 3 of 3 points" in done.stdout
    (warning,) = (line for line in done.stdout.splitlines() if line.startswith("Warning"))
    for open_to_it in (
        "no limits (it could use up the machine)",
        "no Landlock (it could read and change files)",
        "no seccomp (it could start programs and use the network)",
    ):
        assert open_to_it in warning
    assert list(tmp_path.iterdir()) == []


def test_a_crash_and_a_loop_cost_only_themselves(solved: Path, tmp_path: Path) -> None:
    """The processes are replaced, and a function that hangs is killed."""
    crash = "import os\nos.abort()"
    loop = "def two_steps(*inputs):\n    while True:\n        pass"
    path = with_answers(solved, tmp_path / "submission.ipynb", {"square_slope": crash, "two_steps": loop})
    done = check("--allow-unconfined", "--json", "--timeout", "3", path)
    assert (done.returncode, done.stderr) == (1, "")
    report: dict[str, Any] = json.loads(done.stdout)
    found = {row["id"]: row["score"] for row in report["rows"]}
    assert found == {"00.square": 0, "00.two_steps": 0, "00.polynomial": 1}
    assert report["unconfined"] == ["limits", "Landlock", "seccomp"]
    assert "crashed (SIGABRT)" in report["faults"][0]


def test_a_child_starts_ahead_and_is_told_apart_by_its_folder(elsewhere: Path) -> None:
    """It ends as it is told to, and how it ended is told."""
    with FreshParent("program_of_a_test", {}, Policy(()), allow_unconfined=True) as parent:
        first, second = parent.child(), parent.child()
        assert first.pid != second.pid
        for child in (first, second):
            assert asked(child, "hello") == ["hello", str(child.scratch), ""]
            assert [layer.name for layer in child.layers if layer.required] == ["limits", "Landlock", "seccomp"]
        first.channel.send("die")
        with pytest.raises(ChannelClosed):
            first.channel.receive(30)
        assert first.end(gone=True) == "crashed (SIGABRT)"
        assert not first.scratch.exists()
        second.channel.send("hang")
        assert second.channel.receive(30) == "hanging"
        assert second.end() == "was still running"
    assert not parent.folder.exists()


def asked(child: Child, message: Any) -> Any:
    """What a child says to something."""
    child.channel.send(message)
    return child.channel.receive(30)


def test_without_the_option_nothing_is_run(elsewhere: Path) -> None:
    """The sentence says of each layer that it is missing."""
    with FreshParent("program_of_a_test", {}, Policy(())) as parent, pytest.raises(CourseError) as refused:
        parent.wait()
    assert all(f"without {name} (" in str(refused.value) for name in ("limits", "Landlock", "seccomp"))
    assert "--allow-unconfined" in str(refused.value)


def test_a_child_that_does_not_start_says_why(elsewhere: Path) -> None:
    with (
        FreshParent("program_of_a_test", {"broken": True}, Policy(()), allow_unconfined=True) as parent,
        pytest.raises(CourseError, match=r"could not be made: ValueError: This program is broken\."),
    ):
        parent.wait()


def test_a_child_goes_when_the_grader_is_killed(elsewhere: Path) -> None:
    """Though it hangs; and the folders with it."""
    path = os.pathsep.join((str(ELSEWHERE), str(elsewhere)))
    environment = os.environ | {"PYTHONPATH": path, "TMPDIR": str(elsewhere)}
    with subprocess.Popen(
        [sys.executable, "-c", SLEEPER], env=environment, stdout=subprocess.PIPE, text=True
    ) as grader:
        assert grader.stdout is not None
        pid = int(grader.stdout.readline())
        descriptor = os.pidfd_open(pid)
        grader.kill()
        assert select.select([descriptor], [], [], 10)[0], "the child lives on"
        os.close(descriptor)
    assert not list(elsewhere.glob("chainrule-*"))


def test_a_listener_believes_the_one_who_knows_the_secret() -> None:
    listener = Listener()
    port, secret = listener.address
    stranger = socket.create_connection(("127.0.0.1", port))
    stranger.sendall(b"0" * len(secret))
    hasty = socket.create_connection(("127.0.0.1", port))
    hasty.close()
    ours = call(port, secret)
    theirs = listener.accept(10)
    ours.sendall(b"hello")
    assert theirs.recv(5) == b"hello"
    assert stranger.recv(1) == b""
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", port))
    for connection in (stranger, ours, theirs):
        connection.close()


def test_a_listener_does_not_wait_for_ever() -> None:
    with pytest.raises(TimedOut):
        Listener().accept(0.2)
    begin = time.monotonic()
    with pytest.raises(TimedOut):
        Listener().accept(30, is_hopeless=lambda: True)
    assert time.monotonic() - begin < 10


def test_a_channel_needs_neither_poll_nor_a_flag(monkeypatch: pytest.MonkeyPatch) -> None:
    """A message that is larger than all buffers, one that does not come, and the end."""
    monkeypatch.delattr(select, "poll")
    monkeypatch.setattr(channel, "_DO_NOT_WAIT", 0)
    listener = Listener()
    ours = Channel(call(*listener.address))
    theirs = Channel(listener.accept(10))
    assert (ours.descriptors, theirs.descriptors) == (0, 0)
    message = b"x" * (32 << 20)
    sender = threading.Thread(target=ours.send, args=(message,))
    sender.start()
    assert theirs.receive(30) == message
    sender.join()
    with pytest.raises(TimedOut):
        theirs.receive(0.05)
    with pytest.raises(TimedOut):
        ours.send(message, timeout=0.2)
    ours.close()
    with pytest.raises((ChannelClosed, BadMessage)):
        theirs.receive(10)
    theirs.close()


def test_asyncio_wakes_up_by_sockets_where_it_cannot_by_pipes() -> None:
    import asyncio

    from autograder.execution.loop import SocketLoop

    async def from_a_thread() -> int:
        return await asyncio.get_running_loop().run_in_executor(None, lambda: 3)

    loop = SocketLoop()
    loop.open()
    assert [loop.run_until_complete(from_a_thread()) for _ in range(2)] == [3, 3]
    loop.close()


def test_everything_can_be_imported() -> None:
    """Without the modules that only Unix has. nbgrader needs some of them, but not on Windows."""
    script = """
import importlib, pkgutil
import autograder, autograder.execution, autograder.isolation
for package in (autograder.isolation, autograder.execution):
    for module in pkgutil.iter_modules(package.__path__, package.__name__ + "."):
        if module.name != "autograder.execution.preprocessor":
            importlib.import_module(module.name)
            print(module.name)
"""
    environment = os.environ | {"PYTHONPATH": str(ELSEWHERE), "BLOCKED": "pwd grp termios syslog"}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert {"autograder.isolation.limits", "autograder.execution.notebook"} <= set(done.stdout.split())


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (None, "was still running"),
        (3, "ended itself with exit status 3"),
        (12, "ran out of memory"),
        (0xC0000005, "crashed (0xc0000005)"),
        (-signal.SIGSEGV, "crashed (SIGSEGV)"),
        (-signal.SIGXCPU, "used up its time on the processor"),
    ],
)
def test_how_a_process_ended_is_put_into_words(code: int | None, words: str) -> None:
    """The codes of Windows too."""
    from autograder.isolation.warm import _in_words

    assert _in_words(code) == words
