"""A channel gives plain data or raises one of three exceptions, whatever the other side sends."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autograder.isolation import channel as module
from autograder.isolation.channel import BadMessage, Channel, ChannelClosed, TimedOut


@pytest.fixture
def ends() -> Iterator[tuple[Channel, Channel]]:
    first, second = (Channel(sock) for sock in socket.socketpair())
    yield first, second
    first.close()
    second.close()


@pytest.fixture
def raw() -> Iterator[tuple[socket.socket, Channel]]:
    """A socket to send anything with, and the channel that gets it."""
    ours, theirs = socket.socketpair()
    channel = Channel(theirs, largest=1 << 20)
    yield ours, channel
    ours.close()
    channel.close()


@pytest.mark.parametrize(
    "message",
    [None, True, 7, -(2**63), 2**64 - 1, 1.5, "text", "lone \ud800", b"bytes", [1, [2, []]], {"a": {"b": [None]}}],
)
def test_plain_data_arrive_as_they_were_sent(ends: tuple[Channel, Channel], message: Any) -> None:
    ends[0].send(message)
    assert ends[1].receive(1) == message


def test_messages_arrive_one_by_one_and_leave_the_rest_to_select(ends: tuple[Channel, Channel]) -> None:
    for number in range(3):
        ends[0].send([number])
    assert [ends[1].receive(1) for _ in range(3)] == [[0], [1], [2]]
    with pytest.raises(TimedOut):
        ends[1].receive(0)


def test_a_message_larger_than_the_buffers_arrives(ends: tuple[Channel, Channel]) -> None:
    text = "x" * (20 << 20)
    sender = threading.Thread(target=ends[0].send, args=(text,))
    sender.start()
    assert ends[1].receive(20) == text
    sender.join()


def test_descriptors_come_with_their_message_and_no_others(ends: tuple[Channel, Channel]) -> None:
    reading, writing = os.pipe()
    ends[0].send("take", fds=[writing])
    os.close(writing)
    assert ends[1].receive(1) == "take"
    (copy,) = ends[1].fds
    ends[1].fds.clear()
    os.write(copy, b"through")
    os.close(copy)
    assert os.read(reading, 10) == b"through"
    os.close(reading)


def test_descriptors_that_nobody_takes_are_closed(ends: tuple[Channel, Channel]) -> None:
    before = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0
    for _ in range(30):
        ends[0].send("keep this", fds=[0, 1, 2])
        ends[1].receive(1)
    ends[1].descriptors = 0
    ends[0].send("not even let in", fds=[0])
    ends[1].receive(1)
    assert not ends[1].fds
    assert before == (len(os.listdir("/proc/self/fd")) if before else 0)


def test_what_is_no_plain_data_is_not_sent(ends: tuple[Channel, Channel]) -> None:
    for message in (object(), {1, 2}, 2**64):
        with pytest.raises(BadMessage):
            ends[0].send(message)
    ends[0].largest = 100
    with pytest.raises(BadMessage, match="at most 100"):
        ends[0].send("x" * 200)
    ends[0].send("as good as before")
    assert ends[1].receive(1) == "as good as before"


def test_the_other_side_hangs_up(ends: tuple[Channel, Channel]) -> None:
    ends[0].close()
    with pytest.raises(ChannelClosed):
        ends[1].receive(1)
    with pytest.raises(ChannelClosed):
        ends[1].send("x")
    with pytest.raises(ChannelClosed):
        ends[0].receive(1)


def test_half_a_message_is_waited_for_and_gone_on_with(raw: tuple[socket.socket, Channel]) -> None:
    sock, channel = raw
    packed = msgpack.packb("whole")
    message = len(packed).to_bytes(4, "big") + packed
    for byte in message[:-1]:
        sock.send(bytes([byte]))
        with pytest.raises(TimedOut):
            channel.receive(0.001)
    sock.send(message[-1:])
    assert channel.receive(1) == "whole"
    sock.send(message[:5])
    sock.close()
    with pytest.raises(ChannelClosed, match="middle"):
        channel.receive(1)


def test_a_side_that_never_reads_is_not_waited_for(ends: tuple[Channel, Channel]) -> None:
    start = time.monotonic()
    with pytest.raises(TimedOut):
        ends[0].send("x" * (10 << 20), timeout=0.1)
    assert time.monotonic() - start < 5
    with pytest.raises(ChannelClosed):
        ends[0].send("half a message went before")


def test_a_length_that_lies_takes_no_memory(raw: tuple[socket.socket, Channel]) -> None:
    sock, channel = raw
    sock.send(b"\xff\xff\xff\xff")
    with pytest.raises(BadMessage, match="4,294,967,295"):
        channel.receive(1)
    with pytest.raises(ChannelClosed):
        channel.receive(1)


@pytest.mark.parametrize(
    ("packed", "reason"),
    [
        (b"\xdd\xff\xff\xff\xff", "a list of four thousand million"),
        (b"\xdf\xff\xff\xff\xff", "a dictionary of as many"),
        (b"\xc6\xff\xff\xff\xff", "as many bytes"),
        (b"\x91" * 5000 + b"\xc0", "nested 5,000 times"),
        (b"\xdc\xff\xff" + b"\x90" * 65535 + b"\xc0", "something behind it"),
        (b"\x81\x01\x02", "a number as a key"),
        (b"\x81\x90\x02", "a list as a key"),
        (b"\xd6\xff\x00\x00\x00\x00", "a time"),
        (b"\xc7\x01\x05x", "an extension"),
        (b"\xa1\xff", "no UTF-8"),
        (b"\xc1", "what msgpack never uses"),
        (b"", "nothing"),
    ],
)
def test_a_message_that_breaks_the_rules(raw: tuple[socket.socket, Channel], packed: bytes, reason: str) -> None:
    sock, channel = raw
    sock.sendall(len(packed).to_bytes(4, "big") + packed)
    with pytest.raises(BadMessage):
        channel.receive(1)


def test_a_message_that_explodes_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ITEMS", 1000)
    many = msgpack.packb([[[]] * 100] * 100)
    with pytest.raises(BadMessage, match="items"):
        module._unpacked(bytearray(many))


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=300), st.booleans())
def test_no_bytes_raise_anything_else(data: bytes, is_framed: bool) -> None:
    ours, theirs = socket.socketpair()
    channel = Channel(theirs, largest=1000)
    ours.sendall(len(data).to_bytes(4, "big") + data if is_framed else data)
    ours.close()
    try:
        for _ in range(3):
            channel.receive(1)
    except (BadMessage, ChannelClosed, TimedOut):
        pass
    finally:
        channel.close()
