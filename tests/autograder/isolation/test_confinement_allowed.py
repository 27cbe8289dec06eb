"""What a learner's code may do: all that lessons need goes on as if nothing were confined."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import encodings.cp437  # noqa: F401  (zipfile imports it late)
import os
import queue
import random
import socket
import ssl  # noqa: F401  (asyncio imports it late)
import subprocess
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from zoneinfo import ZoneInfo

import matplotlib
import numpy as np
import pytest

matplotlib.use("agg")

from matplotlib import pyplot as plt


def test_numbers(confined: Any) -> None:
    """numpy with its linear algebra, its chance and its files."""

    def compute() -> list[float]:
        matrix = np.random.default_rng(1).normal(size=(200, 200))
        np.savez("numbers.npz", matrix=matrix)
        loaded = np.load("numbers.npz")["matrix"]
        mapped = np.memmap("map", dtype=float, mode="w+", shape=(10,))
        mapped[:] = 1
        return [
            float(np.abs(np.linalg.inv(matrix) @ loaded - np.eye(200)).max()),
            float(mapped.sum()),
            float(np.linalg.svd(matrix)[1].size + np.fft.fft(matrix).shape[0]),
        ]

    error, total, size = confined.run(compute)
    assert error < 1e-9
    assert (total, size) == (10, 400)


@pytest.mark.parametrize("name", ["plot.png", "plot.svg", "plot.pdf"])
def test_plots(confined: Any, name: str) -> None:
    """Drawn and saved, with text."""
    plt.figure().text(0, 0, "σ ∂")  # the fonts are known
    plt.gcf().canvas.draw()
    plt.close()

    def draw() -> int:
        figure, axes = plt.subplots()
        axes.plot([1, 2], [3, 4], label=r"$\frac{\partial L}{\partial w}$")
        axes.legend()
        figure.savefig(name)
        return os.stat(name).st_size

    if confined.user and os.geteuid() == 0 and confined.is_closed(matplotlib.get_data_path()):
        pytest.skip("this matplotlib lies in a folder of root's")
    assert confined.run(draw) > 1000


def test_threads(confined: Any) -> None:
    """Plain ones, locks, queues, and pools."""

    def use() -> list[Any]:
        numbers: queue.Queue[int] = queue.Queue()
        threads = [threading.Thread(target=numbers.put, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        with ThreadPoolExecutor(8) as pool:
            squares = list(pool.map(lambda number: number**2, range(5)))
        return [numbers.qsize(), squares]

    assert confined.run(use) == [8, [0, 1, 4, 9, 16]]


def test_event_loops(confined: Any) -> None:
    """New ones, one after the other, with work in other threads and the loop's own sockets."""

    async def work() -> list[int]:
        await asyncio.sleep(0.001)
        return list(await asyncio.gather(asyncio.to_thread(lambda: 1), asyncio.sleep(0, 2)))

    assert confined.run(lambda: [asyncio.run(work()), asyncio.run(work())]) == [[1, 2], [1, 2]]


def test_an_event_loop_from_before_works_while_its_descriptors_are_kept(confined: Any) -> None:
    """They are closed otherwise, as all are: it is better to make the loop afterwards."""
    loop = asyncio.new_event_loop()
    numbers = (loop._selector.fileno(), loop._ssock.fileno(), loop._csock.fileno())  # type: ignore[attr-defined]

    async def work() -> int:
        return await asyncio.to_thread(lambda: 1)

    assert confined.run(lambda: loop.run_until_complete(work()), keep=numbers) == 1
    loop.close()


def test_time_chance_and_the_machine(confined: Any) -> None:
    """Clocks, time zones, random numbers, the number of processors."""

    def ask() -> list[Any]:
        zone = datetime.datetime(2024, 7, 1, tzinfo=ZoneInfo("Europe/Berlin")).utcoffset()
        time.sleep(0.001)
        os.times()
        return [
            time.time() > 1e9,
            time.perf_counter() > 0,
            time.localtime().tm_year > 2000,
            str(zone),
            len(os.urandom(8)),
            0 <= random.SystemRandom().random() < 1,
            len(str(uuid.uuid4())),
            os.cpu_count(),
            os.uname().sysname,
        ]

    ZoneInfo("Europe/Berlin")
    found = confined.run(ask)
    assert found == [True, True, True, "2:00:00", 8, True, 36, os.cpu_count(), "Linux"]


def test_a_timer_interrupts(confined: Any) -> None:
    """As course code does that gives up after a second."""

    def wait() -> str:
        import signal

        def give_up(number: int, frame: object) -> None:
            raise TimeoutError("too long")

        signal.signal(signal.SIGALRM, give_up)
        signal.setitimer(signal.ITIMER_REAL, 0.01)
        try:
            time.sleep(10)
        except TimeoutError as error:
            return str(error)
        return "slept"

    assert confined.run(wait) == "too long"


def test_sockets_that_were_handed_over_work_with_descriptors_and_shared_memory(confined: Any) -> None:
    """As control and boundary do, and nothing else is to be had."""
    import mmap

    ours, theirs = socket.socketpair()
    region = os.memfd_create("region")
    os.ftruncate(region, 4096)
    socket.send_fds(ours, [b"hello"], [region])

    def talk() -> list[Any]:
        said, descriptors, _, _ = socket.recv_fds(theirs, 100, 4)
        with mmap.mmap(descriptors[0], 4096) as memory:
            memory[:5] = b"there"
        theirs.settimeout(5)
        theirs.sendall(b"written")
        theirs.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            theirs.recv(1)
        return [said.decode(), len(descriptors)]

    assert confined.run(talk, keep=(theirs.fileno(),)) == ["hello", 1]
    assert ours.recv(100) == b"written"
    assert os.pread(region, 5, 0) == b"there"
    ours.close()
    theirs.close()
    os.close(region)


def test_a_program_is_refused_in_words(confined: Any) -> None:
    """``subprocess`` and ``os.system`` say that it is not permitted."""

    def run() -> str:
        try:
            subprocess.run(["ls"], check=False)
        except PermissionError as error:
            return str(error.strerror)
        return "ran"

    assert confined.run(run) == "Operation not permitted"
    assert confined.run(lambda: os.system("true")) != 0
