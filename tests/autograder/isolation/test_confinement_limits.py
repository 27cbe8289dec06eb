"""What a confined process can use up, and what happens then."""

from __future__ import annotations

import mmap
import os
import signal
import threading
import time
from typing import Any

import numpy as np
import pytest

from autograder.isolation import limits

MEBIBYTE = 1 << 20


def test_memory_ends_in_an_error(confined: Any) -> None:
    """Of Python, of numpy, shared and mapped; the process goes on."""

    def use() -> list[str]:
        import mmap

        found = []
        for bomb in (
            lambda: bytearray(1024 * MEBIBYTE),
            lambda: np.ones(1024 * MEBIBYTE // 8),
            lambda: [0] * (1 << 40),
            lambda: "x" * (1 << 33),
            lambda: mmap.mmap(-1, 1024 * MEBIBYTE),
        ):
            try:
                bomb()
                found.append("done")
            except (MemoryError, OSError) as error:
                found.append(type(error).__name__)
        return [*found, str(float(np.ones(1000).sum()))]

    assert confined.run(use, memory=256 * MEBIBYTE) == [*["MemoryError"] * 4, "OSError", "1000.0"]


def test_memory_that_grows_ends_too(confined: Any) -> None:
    """Many small pieces, not one large one; new ones, since the test's own process has memory that is free."""

    def grow() -> int:
        held = []
        try:
            while True:
                held.append(mmap.mmap(-1, MEBIBYTE))
        except OSError:
            return len(held)

    assert 30 < confined.run(grow, memory=64 * MEBIBYTE) <= 64


def test_threads_end_in_an_error(confined: Any) -> None:
    """A number of its own where nobody else is its user, and some number otherwise; those there are still work."""

    def start() -> int:
        threading.stack_size(64 << 10)
        done = threading.Event()
        threads = []
        try:
            while len(threads) < 20_000:
                threads.append(threading.Thread(target=done.wait, daemon=True))
                threads[-1].start()
        except RuntimeError:
            threads.pop()
        done.set()
        for thread in threads:
            thread.join()
        return len(threads)

    started = confined.run(start, threads=16)
    assert started >= 16
    if confined.user == 0:
        assert started == 16
    else:
        assert started < limits._running() + 1000


def test_a_file_ends_at_its_size(confined: Any) -> None:
    """With an error, not a signal; a hole counts as well."""

    def write() -> list[str]:
        with open("large", "wb") as file:
            return [
                confined.attempt(lambda: [file.write(bytes(MEBIBYTE)) for _ in range(3)]),
                confined.attempt(os.truncate, "large", 1 << 40),
                confined.attempt(os.posix_fallocate, file.fileno(), 0, 1 << 30),
            ]

    assert confined.run(write, file_size=2 * MEBIBYTE) == ["EFBIG"] * 3
    assert (confined.scratch / "large").stat().st_size <= 2 * MEBIBYTE


def test_descriptors_end_in_an_error(confined: Any) -> None:
    """Opened, doubled, or of pipes."""

    def use() -> list[Any]:
        taken: list[int] = []
        found = [
            confined.attempt(lambda: [taken.append(os.open("secret", os.O_RDONLY)) for _ in range(100)]),
            confined.attempt(os.dup, 0),
            confined.attempt(os.pipe),
            confined.attempt(os.dup2, 0, 4000),
        ]
        return [len(taken) < 32, *found]

    assert confined.run(use, open_files=32) == [True, "EMFILE", "EMFILE", "EMFILE", "EBADF"]


def test_time_on_the_processor_ends_in_a_signal_and_then_in_death(
    confined: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first can be caught, the second cannot."""
    monkeypatch.setattr(limits, "GRACE", 1)

    def burn() -> None:
        while True:
            pass

    def burn_on() -> None:
        signal.signal(signal.SIGXCPU, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 32))
        burn()

    assert os.WTERMSIG(confined.status(burn, cpu_seconds=1)[0]) == signal.SIGXCPU
    assert os.WTERMSIG(confined.status(burn_on, cpu_seconds=1)[0]) == signal.SIGKILL


def test_a_child_goes_when_its_parent_goes(confined: Any) -> None:
    """However the parent went, and though it wanted to sleep for long."""
    begin = time.monotonic()
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        confined.become_user()
        confined.outlive(writer)
        os.read(reader, 8)
        os.kill(os.getpid(), signal.SIGKILL)
    os.close(writer)
    os.waitpid(pid, 0)
    with open(reader, "rb") as file:
        file.read()  # comes to an end only when nobody holds the other side any more
    assert time.monotonic() - begin < 10
