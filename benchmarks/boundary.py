"""A call across the boundary beside what it replaces: an array there and back beside a copy, and many small calls.

    python benchmarks/boundary.py

Both sides of each ratio are measured in this run, on this machine, in turns.
"""

from __future__ import annotations

import mmap
import os
import socket
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from autograder.execution.boundary import Peer
from autograder.isolation.channel import Channel, ChannelClosed

REGION = 64 << 20
CALLS = 10_000
ROUNDS = 60
WARM = 10
"""Rounds before the first that counts: shared memory has to be touched once."""


def same(value: Any) -> Any:
    """The function on the other side."""
    return value


def connect() -> Peer:
    """A peer of a forked process that lends ``same``."""
    ours, theirs = socket.socketpair()
    there, back = mmap.mmap(-1, REGION), mmap.mmap(-1, REGION)
    if os.fork() == 0:
        ours.close()
        peer = Peer(Channel(theirs, inbox=there, outbox=back), {"same": same}, trusted=True)
        try:
            while True:
                peer.serve_one()
        except ChannelClosed:
            os._exit(0)
    theirs.close()
    return Peer(Channel(ours, inbox=back, outbox=there), {}, trusted=False)


def echo() -> socket.socket:
    """A socket whose other end sends back what it gets, of 16 bytes at a time: the bare cost of a round trip."""
    ours, theirs = socket.socketpair()
    if os.fork() == 0:
        ours.close()
        while data := theirs.recv(16):
            theirs.sendall(data)
        os._exit(0)
    theirs.close()
    return ours


def in_turns(*pieces: Callable[[], Any]) -> list[float]:
    """The median time of each piece of work, in seconds."""
    times: list[list[float]] = [[] for _ in pieces]
    for _ in range(WARM + ROUNDS):
        for taken, piece in zip(times, pieces, strict=True):
            start = time.perf_counter()
            piece()
            taken.append(time.perf_counter() - start)
    return [statistics.median(taken[WARM:]) for taken in times]


def main() -> None:
    """Measure, and print the ratios."""
    peer = connect()
    peer.deadline = time.monotonic() + 300  # as a check has one
    function = peer.fetch("same")

    array = np.random.default_rng(0).normal(size=(1000, 1000))
    assert np.array_equal(function(array), array)
    crossing, copy = in_turns(lambda: function(array), lambda: array.copy())
    print(f"1,000 x 1,000 float64, there and back: {1e3 * crossing:.2f} ms")
    print(f"a plain copy of it:                    {1e3 * copy:.2f} ms")
    print(f"ratio:                                 {crossing / copy:.1f} (goal: at most 10)")

    bare = echo()

    def small_calls() -> None:
        for _ in range(CALLS // 100):
            function(2.0)

    def round_trips() -> None:
        for _ in range(CALLS // 100):
            bare.sendall(b"0123456789abcdef")
            bare.recv(16)

    def in_process() -> None:
        for _ in range(CALLS // 100):
            same(2.0)

    calls, trips, direct = (100 * each for each in in_turns(small_calls, round_trips, in_process))
    print(f"{CALLS:,} calls with a number:             {calls:.3f} s (goal: under 1 s)")
    print(f"as many bare round trips of a socket:  {trips:.3f} s, ratio {calls / trips:.1f}")
    print(f"as many calls in one process:          {direct:.4f} s, ratio {calls / direct:,.0f}")


if __name__ == "__main__":
    main()
