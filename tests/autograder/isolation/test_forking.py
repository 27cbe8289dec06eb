"""What a child has from its parent, and what it has for itself."""

import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from autograder.isolation.confinement import Policy, readable_installation
from autograder.isolation.forking import FORKS
from autograder.isolation.warm import WarmParent

pytestmark = pytest.mark.skipif(not FORKS, reason="processes are not forked on this system")

PROGRAM = """\
def prepare(settings):
    file = open(settings["path"])
    file.readline()

    def main(channel):
        while True:
            asked = channel.receive()
            channel.send({"line": file.readline()} if asked == "read" else {"closed": file.close()})

    return main
"""


@pytest.fixture
def parent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[WarmParent]:
    """One whose program holds a file open, as matplotlib holds its fonts."""
    (tmp_path / "program_with_a_file.py").write_text(PROGRAM)
    (tmp_path / "lines").write_text("".join(f"line {number} {'.' * 9000}\n" for number in range(5)))
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    policy = Policy(readable=readable_installation())
    with WarmParent("program_with_a_file", {"path": str(tmp_path / "lines")}, policy) as parent:
        yield parent


def test_each_child_reads_on_in_a_file_that_was_open(parent: WarmParent) -> None:
    for _ in range(2):
        child = parent.child()
        for number in (1, 2, 3, 4):
            child.channel.send("read")
            assert child.channel.receive(10)["line"].startswith(f"line {number} ")
        child.end()


def test_closing_such_a_file_closes_nothing_else(parent: WarmParent) -> None:
    child = parent.child()
    child.channel.send("close")
    assert child.channel.receive(10) == {"closed": None}
    child.channel.send("close")
    assert child.channel.receive(10) == {"closed": None}
    assert child.end() == "was still running"


def test_children_that_live_at_the_same_time(parent: WarmParent) -> None:
    children = [parent.child() for _ in range(3)]
    assert len({child.pid for child in children}) == len({child.scratch for child in children}) == 3
    ended = children.pop(1)
    assert ended.end() == "was still running"
    assert not ended.scratch.exists()
    children += [parent.child(), parent.child()]
    for child in children:
        child.channel.send("read")
        assert child.channel.receive(10)["line"].startswith("line 1 ")
        child.release()


def test_a_parent_that_is_closed_takes_the_child_with_it_that_was_ready(parent: WarmParent) -> None:
    child = parent.child()
    child.end()  # whereupon the next one is made
    time.sleep(0.5)
    waiting = [entry for entry in parent.folder.iterdir() if entry.is_dir()]
    assert len(waiting) == 1
    parent.close()
    assert not parent.folder.exists()
