"""Children copy at once what a child that rehearsed has written to."""

import ctypes
import json
import mmap
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from autograder.isolation import memory
from autograder.isolation.confinement import Policy, readable_installation
from autograder.isolation.warm import WarmParent

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells which pages are a process's own")

PAGES = 50

PROGRAM = """\
import sys

def prepare(settings):
    def main(channel):
        while True:
            channel.send(channel.receive())

    return main

def rehearse(settings, channel):
    print(settings["said"], file=sys.stderr)
    channel.send("rehearsed")
    print(channel.receive(10), file=sys.stderr, flush=True)
    raise RuntimeError(settings["said"])
"""


def in_a_fork(function: Callable[[], list[memory.Range]]) -> list[memory.Range]:
    """What a function gives in a child of this process."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.write(writer, json.dumps(function()).encode())
        finally:
            os._exit(0)
    os.close(writer)
    with open(reader, encoding="ascii") as file:
        said = file.read()
    os.waitpid(pid, 0)
    return [(start, size) for start, size in json.loads(said)]


def test_pages_that_were_written_to_are_copied_at_once() -> None:
    region = mmap.mmap(-1, PAGES * mmap.PAGESIZE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    region[:] = b"x" * len(region)
    start = ctypes.addressof(ctypes.c_char.from_buffer(region))
    inside = range(start, start + len(region))

    def written() -> list[memory.Range]:
        watched = memory.Watched()
        region[mmap.PAGESIZE] = region[2 * mmap.PAGESIZE] = 0
        return [each for each in watched.copied() if each[0] in inside]

    def copied() -> list[memory.Range]:
        watched = memory.Watched()
        memory.copy(pages)
        assert region[:] == b"x" * len(region)
        return [each for each in watched.copied() if each[0] in inside]

    pages = in_a_fork(written)
    assert pages == [(start + mmap.PAGESIZE, 2 * mmap.PAGESIZE)]
    assert in_a_fork(copied) == pages


def test_a_place_without_memory_is_passed_over() -> None:
    memory.copy([(mmap.PAGESIZE, mmap.PAGESIZE)])


def test_a_rehearsal_that_fails_costs_no_child(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "program_that_rehearses.py").write_text(PROGRAM)
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    policy = Policy(readable=readable_installation())
    with WarmParent("program_that_rehearses", {"said": "stage fright"}, policy) as parent:
        child = parent.child()
        child.channel.send("a question")
        assert child.channel.receive(10) == "a question"
        said = (parent.folder / "log").read_text()
    assert said.startswith("stage fright\nrehearsed\n")
    assert "RuntimeError: stage fright" in said
