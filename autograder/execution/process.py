"""What a student process and a grading process have in common: a loop over two sockets.

On the *control* channel the supervisor (``autograder.execution.notebook``) says what to run. On the *boundary* the two
processes talk to each other; the supervisor hands both ends out, and new ones whenever a student process is replaced.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import select
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from autograder.execution.boundary import Peer
from autograder.isolation.channel import BadMessage, Channel, ChannelClosed, TimedOut
from autograder.isolation.loopback import Listener, call

__all__ = ["CellProcess", "imported"]


Answer = Callable[[Any], dict[str, Any]]


class CellProcess:
    """A process that runs cells, and answers the other one in between.

    Parameters
    ----------
    control : to the supervisor
    namespace : what the process on the other side of the boundary may fetch, or ask for
    trusted : whether that process is to be believed
    answers : what to do for each kind of request; the reply is plain data
    explain : what to add to an exception that goes to the other process, or ""
    """

    def __init__(
        self,
        control: Channel,
        namespace: Mapping[str, Any],
        trusted: bool,
        answers: Mapping[str, Answer],
        explain: Callable[[BaseException], str] | None = None,
    ) -> None:
        self.control = control
        self.namespace = namespace
        self.trusted = trusted
        self.explain = explain
        self.answers: dict[str, Answer] = {
            "connect": self.connect,
            "listen": self.listen,
            "accept": self.accept,
            "call": self.call,
            "idle": lambda _: {},
            **answers,
        }
        self.listener: Listener | None = None
        self.chores: Iterator[None] = iter(())
        self.peer: Peer | None = None

    def run(self) -> None:
        """Serve both channels until the supervisor is gone; while they are silent, get on with the chores."""
        while True:
            self.do_chores()
            if self.peer is not None and self._peer_speaks(self.peer):
                self._serve(self.peer)
                continue
            request = self.control.receive()
            turn = request.pop("turn")
            ((name, argument),) = request.items()
            reply = self.answers[name](argument)
            self.control.send({**reply, "turn": turn, "connected": self.is_connected})

    def do_chores(self) -> None:
        """Do what can be done ahead, a piece at a time, until somebody wants something."""
        channels = [self.control] if self.peer is None or not self.peer.is_usable else [self.control, self.peer.channel]
        while not select.select(channels, [], [], 0)[0]:
            if next(self.chores, self) is self:
                return

    def _peer_speaks(self, peer: Peer) -> bool:
        """Wait until one of the channels has something; whether it is the other process. The supervisor comes first."""
        if not peer.is_usable:
            return False
        ready, _, _ = select.select([self.control, peer.channel], [], [])
        return self.control not in ready

    def _serve(self, peer: Peer) -> None:
        """One request or offer of the other process; one that breaks the rules is not listened to any more.

        Nor is one that is in the middle of a request when the supervisor goes on to the next cell: it would keep the
        grading process waiting.
        """
        try:
            with contextlib.nullcontext() if self.trusted else peer.channel.until(self.control):
                peer.serve_one()
        except (ChannelClosed, BadMessage, TimedOut):
            self.disconnect()

    def connect(self, size: int) -> dict[str, Any]:
        """Talk to another process: a socket and two shared memory regions of ``size`` bytes came with the message."""
        self.disconnect()
        boundary, *regions = self.control.fds
        self.control.fds.clear()
        inbox, outbox = (_mapped(region, size) for region in regions) if regions else (None, None)
        self.meet(Channel(socket.socket(fileno=boundary), inbox=inbox, outbox=outbox))
        return {}

    # Where nothing can be handed over, the other process calls this one, and arrays go through the socket.

    def listen(self, _: None) -> dict[str, Any]:
        """Wait to be called by another process; says where."""
        self.disconnect()
        if self.listener is not None:
            self.listener.close()
        self.listener = Listener()
        return {"address": self.listener.address}

    def accept(self, timeout: float) -> dict[str, Any]:
        """Talk to the process that has called."""
        if self.listener is not None:
            with contextlib.suppress(TimedOut):  # then checks find nothing of a learner's, as in a process that is dead
                self.meet(Channel(self.listener.accept(timeout)))
        return {}

    def call(self, address: list[Any]) -> dict[str, Any]:
        """Talk to the process that listens there."""
        self.disconnect()
        self.meet(Channel(call(*address)))
        return {}

    def meet(self, channel: Channel) -> None:
        """Answer the process behind a channel from now on."""
        self.peer = Peer(channel, self.namespace, trusted=self.trusted, explain=self.explain)

    @property
    def is_connected(self) -> bool:
        """Whether the other process can still be talked to."""
        return self.peer is not None and self.peer.is_usable

    def disconnect(self) -> None:
        """Forget the other process."""
        if self.peer is not None:
            with contextlib.suppress(OSError):
                self.peer.channel.close()
            self.peer = None


def _mapped(region: int, size: int) -> mmap.mmap:
    """A shared memory region as memory; the descriptor is not needed afterwards."""
    try:
        return mmap.mmap(region, size)
    finally:
        os.close(region)


def imported(names: Sequence[str]) -> None:
    """Import modules ahead of time; one that is not installed is not missed."""
    for name in names:
        with contextlib.suppress(ImportError):
            __import__(name)
