"""Two processes that find each other by the loopback address, where a socket cannot be handed over.

Every system has it, and anybody on the machine may call there. So the one who listens believes whoever knows a secret,
and nobody else after that.
"""

from __future__ import annotations

import contextlib
import hmac
import secrets
import select
import socket
import time
from collections.abc import Callable
from typing import Any

from autograder.isolation.channel import TimedOut

__all__ = ["Listener", "call"]

POLL = 0.1
"""Seconds between two looks whether it is worth waiting."""

PATIENCE = 120
"""Seconds for a connection on a busy machine."""

_SECRET = 32
"""Characters of a secret."""


class Listener:
    """Waits at the loopback address for the one who knows its secret."""

    def __init__(self) -> None:
        self.secret = secrets.token_hex(_SECRET // 2)
        self._socket = socket.create_server(("127.0.0.1", 0))

    @property
    def address(self) -> list[Any]:
        """Port and secret, for ``call``."""
        return [self._socket.getsockname()[1], self.secret]

    def accept(self, timeout: float, is_hopeless: Callable[[], bool] = lambda: False) -> socket.socket:
        """The connection; nobody else is listened to from then on.

        Raises
        ------
        TimedOut
            Nobody came who knows the secret, or it is hopeless to wait.
        """
        until = time.monotonic() + timeout
        with self._socket:
            while time.monotonic() < until and not is_hopeless():
                if not select.select([self._socket], [], [], POLL)[0]:
                    continue
                connection, _ = self._socket.accept()
                if self._knows(connection):
                    return _prepared(connection)
                connection.close()
        raise TimedOut("Nobody came.")

    def _knows(self, connection: socket.socket) -> bool:
        """Whether the first thing that is said is the secret."""
        said = b""
        with contextlib.suppress(OSError):
            connection.settimeout(1)
            while len(said) < _SECRET and (piece := connection.recv(_SECRET - len(said))):
                said += piece
        return hmac.compare_digest(said, self.secret.encode())

    def close(self) -> None:
        """Wait no longer."""
        self._socket.close()


def call(port: int, secret: str) -> socket.socket:
    """A connection to a listener.

    Raises
    ------
    OSError
    """
    connection = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
    connection.sendall(secret.encode())
    return _prepared(connection)


def _prepared(connection: socket.socket) -> socket.socket:
    """A connection as ``Channel`` wants it: it sends small messages at once."""
    connection.settimeout(None)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection
