"""A descriptor as one end of a wire."""

import asyncio
import os
import socket
from collections.abc import Iterator

import pytest

from firmware.adapters.serial.outbox import Outbox
from firmware.adapters.serial.wire import CHUNK_BYTES, Wire
from tests.support.serial_ends import until

pytestmark = pytest.mark.asyncio(loop_factories=["real"])


class Pair:
    """Our end, and the other one."""

    def __init__(self) -> None:
        self.ours, self.other = socket.socketpair()
        self.ours.setblocking(False)
        self.other.setblocking(False)
        self.outbox = Outbox()
        self.heard = b""
        self.lost: list[str] = []

    def wire(self) -> Wire:
        return Wire(self.ours.fileno(), self.outbox, self._hear, self.lost.append)

    def _hear(self, data: bytes) -> None:
        assert len(data) <= CHUNK_BYTES
        self.heard += data


@pytest.fixture
def pair() -> Iterator[Pair]:
    made = Pair()
    yield made
    made.ours.close()
    made.other.close()


async def test_bytes_go_both_ways(pair: Pair) -> None:
    wire = pair.wire()
    pair.other.send(b"x" * 10_000)
    await until(lambda: len(pair.heard) == 10_000)
    pair.outbox.put_text(b"answer")
    wire.wake()
    assert pair.other.recv(100) == b"answer"
    wire.close()
    wire.close()


async def test_what_finds_no_room_leaves_when_there_is_some_and_then_nobody_asks_any_more(pair: Pair) -> None:
    wire = pair.wire()
    pair.outbox.put_text(b"x" * 200_000)
    wire.wake()
    wire.wake()
    got = 0
    async with asyncio.timeout(20):
        while got < 200_000:
            try:
                got += len(pair.other.recv(65536))
            except BlockingIOError:
                await asyncio.sleep(0)
    await until(lambda: len(pair.outbox) == 0)
    await until(lambda: asyncio.get_running_loop().remove_writer(pair.ours.fileno()) is False)
    wire.wake()
    wire.close()


async def test_the_other_end_gone_is_said_once(pair: Pair) -> None:
    wire = pair.wire()
    pair.other.close()
    await until(lambda: pair.lost == ["the other end is gone"])
    pair.outbox.put_text(b"too late")
    wire.wake()
    wire.close()
    assert pair.lost == ["the other end is gone"]


async def test_a_descriptor_that_refuses_to_be_written_is_lost_but_not_within_the_call(pair: Pair) -> None:
    wire = pair.wire()
    pair.ours.shutdown(socket.SHUT_WR)
    pair.outbox.put_text(b"too late")
    wire.wake()
    wire.wake()
    assert pair.lost == []
    await until(lambda: pair.lost == ["Broken pipe"])


async def test_a_descriptor_that_refuses_to_be_read_is_lost(pair: Pair) -> None:
    master, slave = os.openpty()
    os.set_blocking(master, False)
    os.close(slave)
    lost: list[str] = []
    Wire(master, pair.outbox, pair._hear, lost.append)
    await until(lambda: lost == ["Input/output error"])
    os.close(master)


async def test_waking_for_nothing_is_nothing(pair: Pair) -> None:
    """Somebody else may have read it between."""
    wire = pair.wire()
    wire._read()
    assert (pair.heard, pair.lost) == (b"", [])
    wire.close()
    wire._lose("again")
    assert pair.lost == []
