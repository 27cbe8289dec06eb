"""Messages of plain data between two processes, over a connected stream socket.

A message is a length (four bytes) and that many bytes of msgpack: None, booleans, whole numbers of 64 bits, floats,
text, bytes, lists, and dictionaries with text as keys. Nothing in it is ever executed, and there is no class to make
an object of, unlike with pickle. Large arrays do not go through the socket: they lie in shared memory, one region for
each direction, which ``autograder.execution.values`` fills and reads.

The process on the other side may be hostile. Whatever it sends, late, too long, cut off or senseless, ``receive`` gives
plain data of a bounded size or raises one of three exceptions.
"""

from __future__ import annotations

import array
import contextlib
import mmap
import os
import select
import socket
import struct
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgpack

__all__ = ["BadMessage", "Channel", "ChannelClosed", "TimedOut"]

ITEMS = 2_000_000
"""Items of all lists and dictionaries in a message together: an empty list is one byte there, and 56 in memory."""

DESCRIPTORS = 8
"""File descriptors that come with one message; the kernel closes further ones."""

SPIN = 50e-6
"""Seconds for which a reply is looked for again and again before the process goes to sleep: being woken takes longer
than most replies do."""

_LENGTH = struct.Struct(">I")
_PIECE = 1 << 18
"""Bytes that are read at once: memory is taken as data arrives, not as a length announces it."""
_CLOSE_ON_EXEC = getattr(socket, "MSG_CMSG_CLOEXEC", 0)
_DO_NOT_WAIT = getattr(socket, "MSG_DONTWAIT", 0)
"""Windows has no such flag; there the whole socket is one that does not wait."""


class ChannelClosed(Exception):
    """The other side is gone, or broke off in the middle of a message."""


class TimedOut(Exception):
    """Nothing, or not all of a message, came or went in time."""


class BadMessage(Exception):
    """A message that breaks the rules; or, when sending, that would."""


class Channel:
    """One end of the connection.

    Parameters
    ----------
    sock : a connected stream socket, which belongs to the channel from now on
    inbox, outbox : shared memory that the other side fills for us, and we for it
    largest : bytes of a message

    ``fds`` has the file descriptors that came with the last message, for whoever expects some to take out; the others
    are closed before the next one. ``descriptors`` is how many are let in; 0 on a connection that carries none, such as
    one by TCP.
    """

    def __init__(
        self,
        sock: socket.socket,
        *,
        inbox: mmap.mmap | None = None,
        outbox: mmap.mmap | None = None,
        largest: int = 64 << 20,
    ) -> None:
        self.inbox = inbox
        self.outbox = outbox
        self.largest = largest
        self.fds: list[int] = []
        self.descriptors = DESCRIPTORS if sock.family == getattr(socket, "AF_UNIX", None) else 0
        self._socket = sock
        if not _DO_NOT_WAIT:
            sock.setblocking(False)
        self.size = 0  # bytes of the last message that came
        self._can_read = _poll(sock, for_reading=True)
        self._can_write = _poll(sock, for_reading=False)
        self._partial = bytearray()
        self._expected: int | None = None  # bytes of the message that is coming, once its length is known
        self._is_broken = False
        self._first: Channel | None = None

    def fileno(self) -> int:
        """The socket's descriptor, for ``select``; -1 once closed."""
        return self._socket.fileno()

    def close(self) -> None:
        """Hang up. The shared memory is left to whoever made it."""
        self._is_broken = True
        self._close_descriptors()
        self._socket.close()

    def send(self, message: Any, fds: Sequence[int] = (), timeout: float | None = None) -> None:
        """Send a message, with copies of these open files.

        Raises
        ------
        BadMessage
            It is no plain data or too long. Nothing was sent, and the channel is as good as before.
        ChannelClosed, TimedOut
            It did not arrive. The channel cannot be used any more.
        """
        try:
            packed = msgpack.packb(message, unicode_errors="surrogatepass")
        except (TypeError, ValueError, OverflowError) as error:
            raise BadMessage(f"The message is no plain data: {error}") from None
        if len(packed) > self.largest:
            raise BadMessage(f"The message has {len(packed):,} bytes; at most {self.largest:,} can be sent.")
        self._send(_LENGTH.pack(len(packed)) + packed, fds, _deadline(timeout))

    def _send(self, data: bytes, fds: Sequence[int], deadline: float | None) -> None:
        """Send bytes; half a message makes the channel useless."""
        if self._is_broken:
            raise ChannelClosed("The connection was broken off before.")
        rest = memoryview(data)
        ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
        try:
            while rest:
                try:
                    sent = (
                        self._socket.sendmsg([rest], ancillary, _DO_NOT_WAIT)
                        if ancillary
                        else self._socket.send(rest, _DO_NOT_WAIT)
                    )
                except BlockingIOError:
                    self._wait(self._can_write, deadline)
                    continue
                rest, ancillary = rest[sent:], []
        except OSError as error:
            self._is_broken = True
            raise ChannelClosed(f"The other side is gone ({error.strerror}).") from None
        finally:
            self._is_broken = self._is_broken or 0 < len(rest) < len(data)

    def receive(self, timeout: float | None = None) -> Any:
        """The next message. After ``TimedOut`` it can be waited for again.

        Raises
        ------
        ChannelClosed, TimedOut, BadMessage
        """
        if self._is_broken:
            raise ChannelClosed("The connection was broken off before.")
        deadline = _deadline(timeout)
        if self._expected is None:
            if not self._partial:
                self._close_descriptors()
            self._fill(_LENGTH.size, deadline)
            (expected,) = _LENGTH.unpack(self._partial)
            if expected > self.largest:
                self._is_broken = True
                raise BadMessage(f"A message of {expected:,} bytes was announced; at most {self.largest:,} are read.")
            self._expected = expected
            self._partial.clear()
        self._fill(self._expected, deadline)
        message = _unpacked(self._partial)
        self.size = self._expected
        self._partial, self._expected = bytearray(), None
        return message

    def _fill(self, size: int, deadline: float | None) -> None:
        """Read until there are ``size`` bytes, and no byte further: what is left shows in ``select``."""
        partial = self._partial
        until = time.perf_counter() + SPIN
        while len(partial) < size:
            try:
                piece = self._read(min(size - len(partial), _PIECE))
            except BlockingIOError:
                if time.perf_counter() > until:
                    self._wait(self._can_read, deadline)
                continue
            except OSError as error:
                piece, reason = b"", f" ({error.strerror})"
            else:
                reason = " in the middle of a message" if partial or self._expected else ""
            if not piece:
                self._is_broken = True
                raise ChannelClosed(f"The other side hung up{reason}.")
            partial += piece

    def _read(self, size: int) -> bytes:
        """What has arrived, up to ``size`` bytes. Descriptors come with the first byte of a message."""
        if self._expected is not None or self._partial or not self.descriptors:
            return self._socket.recv(size, _DO_NOT_WAIT)
        room = socket.CMSG_SPACE(self.descriptors * array.array("i").itemsize)
        piece, ancillary, _, _ = self._socket.recvmsg(size, room, _DO_NOT_WAIT | _CLOSE_ON_EXEC)
        for level, kind, data in ancillary:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                numbers = array.array("i")
                numbers.frombytes(data[: len(data) - len(data) % numbers.itemsize])
                self.fds.extend(numbers)
        return piece

    @contextlib.contextmanager
    def until(self, first: Channel) -> Iterator[None]:
        """Wait for messages only until one has come on another channel; ``TimedOut`` says that this is so."""
        self._first = first
        try:
            yield
        finally:
            self._first = None

    def _wait(self, poll: Callable[..., Any], deadline: float | None) -> None:
        """Wait until the socket can be read or written, or fails at it."""
        if self._first is not None:
            seconds = None if deadline is None else max(0.0, deadline - time.monotonic())
            reading, writing = ([self], []) if poll is self._can_read else ([], [self])
            ready = select.select([*reading, self._first], writing, [], seconds)
            if self in (*ready[0], *ready[1]):
                return
            raise TimedOut("Nothing came or went before something else came.")
        if deadline is None:
            poll()
        elif not poll(max(0.0, (deadline - time.monotonic()) * 1000)):
            raise TimedOut("Nothing came from the other side in time, or nothing could be sent to it.")

    def _close_descriptors(self) -> None:
        """Close what came and nobody took."""
        while self.fds:
            with contextlib.suppress(OSError):
                os.close(self.fds.pop())


def _poll(sock: socket.socket, for_reading: bool) -> Callable[..., Any]:
    """What waits until a socket can be read, or written, or for so many milliseconds; whether it can."""
    if hasattr(select, "poll"):
        poll = select.poll()
        poll.register(sock, select.POLLIN if for_reading else select.POLLOUT)
        return poll.poll
    reading, writing = ([sock], []) if for_reading else ([], [sock])
    return lambda milliseconds=None: any(
        select.select(reading, writing, [], None if milliseconds is None else milliseconds / 1000)
    )


def _deadline(timeout: float | None) -> float | None:
    """The moment until which one may wait."""
    return None if timeout is None else time.monotonic() + timeout


class _Count:
    """Counts the items of lists and dictionaries while a message is unpacked, and stops a message that explodes."""

    def __init__(self) -> None:
        self.left = ITEMS

    def __call__(self, items: Any) -> Any:
        self.left -= len(items)
        if self.left < 0:
            raise ValueError(f"more than {ITEMS:,} items")
        return items


def _unpacked(packed: bytearray) -> Any:
    """The plain data in these bytes."""
    count = _Count()
    try:
        return msgpack.unpackb(
            packed,
            unicode_errors="surrogatepass",
            list_hook=count,
            object_hook=count,
            max_array_len=ITEMS,
            max_map_len=ITEMS // 10,
            max_ext_len=0,
        )
    except RecursionError:  # our own stack is full: the message can be read again from a lower place on it
        raise
    except Exception as error:
        raise BadMessage(f"The message cannot be read: {type(error).__name__}: {str(error)[:200]}") from None
