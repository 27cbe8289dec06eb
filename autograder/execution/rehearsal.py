"""Rehearsals: what a submission has both processes do, without a submission.

A process that rehearses shows which of its memory the others will use (``autograder.isolation.memory``). So what it is
asked for here is what most cells and all checks need. Nobody looks at what comes of it.
"""

from __future__ import annotations

import select
import socket
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from autograder.answers import calls
from autograder.execution.boundary import Peer
from autograder.isolation.channel import Channel

__all__ = ["of_cells", "of_checks"]

PATIENCE = 30
"""Seconds for an answer."""

CELLS = (
    """\
import numpy as np

from autograder import check


def rehearsed(x, y):
    \"\"\"Nothing in particular.\"\"\"
    z = np.exp(-x @ y.T)
    return {"x": 1 / (1 + z), "y": (np.log(z), np.sum(y, axis=0), float(z[0, 0]))}
""",
    "x = np.ones((3, 2))\nprint(x)\nx @ x.T",
)
"""What a learner's cells do: import, define, calculate, show."""


def of_cells(channel: Channel) -> None:
    """Have a student process run cells, and use their function as a check does."""
    _told(channel, {"begin": {}})
    peer = _joined(channel, {}, trusted=False)
    for number, source in enumerate(CELLS, 1):
        _told(channel, {"run": {"source": source, "number": number}})
    rehearsed = peer.fetch("rehearsed")
    assert rehearsed.__name__ == "rehearsed"  # which is told with all else that is known of it
    for call in calls(rehearsed, [(np.ones((3, 2)), np.ones((4, 2)))] * 6):
        call()


def of_checks(channel: Channel, answers: Mapping[str, Callable[..., Any]]) -> None:
    """Have a grading process run the checks of these exercises, of answers that it borrows."""
    _told(channel, {"begin": {"seed": 0, "checks": [], "definitions": {}}})
    namespace: dict[str, Any] = {}
    peer = _joined(channel, namespace, trusted=True)
    for number, (id, answer) in enumerate(answers.items(), 1):
        namespace["answer"] = answer
        source = f"from autograder import check\ncheck({id!r}, answer)"
        _say(channel, {"check": {"source": source, "number": number, "seconds": PATIENCE}})
        while peer.channel in select.select([channel, peer.channel], [], [])[0]:
            peer.serve_one()
        channel.receive(PATIENCE)


def _say(channel: Channel, message: dict[str, Any], fds: Sequence[int] = ()) -> None:
    channel.send({**message, "turn": None}, fds=fds, timeout=PATIENCE)


def _told(channel: Channel, message: dict[str, Any], fds: Sequence[int] = ()) -> Any:
    """What a process answers."""
    _say(channel, message, fds)
    return channel.receive(PATIENCE)


def _joined(channel: Channel, namespace: Mapping[str, Any], trusted: bool) -> Peer:
    """The other end of a boundary that a process is joined to."""
    ours, theirs = socket.socketpair()
    with theirs:
        _told(channel, {"connect": 0}, [theirs.fileno()])
    return Peer(Channel(ours), namespace, trusted=trusted)
