"""A controller that owes something, and the time that waits for it: commands, farewells, packets, and its own end."""

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from firmware.adapters.ble.awaited import Debts, awaited
from firmware.adapters.ble.bumble_radio import BumbleRadio
from firmware.adapters.ble.transport import PacketSink, PacketSource
from firmware.pace import PacedLoop
from host_tools.radio.air import VirtualAir
from host_tools.radio.controller import virtual_controller
from tests.support.radio_bench import Recorder

RESET = bytes.fromhex("01030c00")
RESET_DONE = bytes.fromhex("040e0401030c00")
DISCONNECT = bytes.fromhex("01060403 4000 13")
BEGUN = bytes.fromhex("040f0400 01 0604")
REFUSED = bytes.fromhex("040f0402 01 0604")
GONE = bytes.fromhex("040504 00 4000 16")
MORE_MAY_COME = bytes.fromhex("040e0301 0000")
NO_COMMAND = bytes.fromhex("040f0400 01 0000")
DATA = bytes.fromhex("02 4020 0300 ffffff")
OTHER_DATA = bytes.fromhex("02 4120 0300 ffffff")
TWO_HAVE_LEFT = bytes.fromhex("041309 02 4000 0100 4100 0100")

DELAY_S = 0.003


class Hold:
    """Counts how often time is held at the moment."""

    def __init__(self) -> None:
        self.open = 0

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        self.open += 1
        yield
        self.open -= 1


@pytest.mark.parametrize(
    ("packets", "open_after"),
    [
        ([(RESET, True), (RESET_DONE, False)], [1, 0]),
        ([(RESET, True), (MORE_MAY_COME, False), (NO_COMMAND, False)], [1, 1, 1]),
        ([(DISCONNECT, True), (BEGUN, False), (GONE, False)], [2, 1, 0]),
        ([(DISCONNECT, True), (REFUSED, False)], [2, 0]),
        ([(DISCONNECT, True), (DISCONNECT, True), (REFUSED, False), (REFUSED, False)], [2, 3, 1, 0]),
        ([(DATA, True), (OTHER_DATA, True), (DATA, True), (TWO_HAVE_LEFT, False)], [1, 2, 3, 1]),
        ([(DATA, True), (DATA, True), (GONE, False)], [1, 2, 0]),
        ([(TWO_HAVE_LEFT, False), (GONE, False), (RESET_DONE, False)], [0, 0, 0]),
        ([(b"", True), (b"", False), (b"\x04", False), (b"\x04\x13\x01\x09", False), (DATA, False)], [0] * 5),
    ],
)
def test_time_is_held_for_what_the_controller_owes(packets: list[tuple[bytes, bool]], open_after: list[int]) -> None:
    hold = Hold()
    debts = Debts(hold.held)
    seen = []
    for packet, from_host in packets:
        debts.seen(packet, from_host)
        seen.append(hold.open)
    assert seen == open_after


def test_a_controller_that_has_gone_owes_nothing() -> None:
    hold = Hold()
    debts = Debts(hold.held)
    for packet in (RESET, DISCONNECT, DATA, OTHER_DATA):
        debts.seen(packet, True)
    assert hold.open == 5
    debts.forgive()
    assert hold.open == 0


class _Slow:
    """A controller whose answers take real time on their way, as over a cable."""

    def __init__(self, way: ThreadPoolExecutor) -> None:
        self.opened = 0
        self._controller = virtual_controller(VirtualAir(), "module")
        self._way = way

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncIterator[tuple[PacketSource, PacketSink]]:
        self.opened += 1
        loop = asyncio.get_running_loop()
        async with self._controller.attached() as (source, sink):
            yield _Delayed(source, loop, self._way), sink


class _Delayed:
    """A source that hands on each packet a moment later, in order."""

    def __init__(self, source: PacketSource, loop: asyncio.AbstractEventLoop, way: ThreadPoolExecutor) -> None:
        self.terminated = source.terminated
        self._source = source
        self._loop = loop
        self._way = way

    def set_packet_sink(self, sink: PacketSink) -> None:
        self._source.set_packet_sink(self)
        self._sink = sink

    def on_packet(self, packet: bytes) -> None:
        def late() -> None:
            threading.Event().wait(DELAY_S)
            self._loop.call_soon_threadsafe(self._sink.on_packet, packet)

        self._way.submit(late)


@pytest.mark.req("BEN-3")
def test_a_controller_that_needs_real_time_is_not_lost_while_hours_are_moved() -> None:
    async def main(loop: asyncio.AbstractEventLoop, way: ThreadPoolExecutor) -> int:
        assert isinstance(loop, PacedLoop)
        slow = _Slow(way)
        radio = BumbleRadio(awaited(slow.open, loop.held))
        await radio.start(Recorder())
        await loop.move(7200)  # somebody else on the air each quarter of an hour
        await radio.stop()
        return slow.opened

    with ThreadPoolExecutor(1) as way, asyncio.Runner(loop_factory=PacedLoop) as runner:
        assert runner.run(main(runner.get_loop(), way)) == 1
