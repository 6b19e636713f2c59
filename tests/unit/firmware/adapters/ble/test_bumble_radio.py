"""The radio as a port: starting, stopping, and surviving its controller."""

import asyncio
import logging
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from firmware.adapters.ble.bumble_radio import BumbleRadio
from firmware.adapters.ble.transport import PacketSink, PacketSource
from firmware.ports import RadioPort, RadioUnavailable
from tests.support.radio_bench import RadioBench, Recorder, find


def spoken(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What the radio told the operator."""
    ours = [record for record in caplog.records if record.name.startswith("firmware.adapters.ble")]
    return [record.getMessage() for record in ours if record.levelno >= logging.WARNING]


async def test_it_is_a_radio_port() -> None:
    port: RadioPort = RadioBench().radio
    await port.notify(1, b"nobody is there")
    await port.hang_up(1)
    await port.stop()


async def test_after_stop_everybody_is_gone_and_nothing_is_on_the_air() -> None:
    bench = RadioBench()
    async with bench:
        centrals = [await bench.connected() for _ in range(2)]
    assert bench.recorder.all_of("closed") == [(1,), (2,)]
    for central in centrals:
        await central.gone.wait()
    assert await find(await bench.central(), within_s=5) is None


async def test_it_can_be_stopped_twice_and_started_again_and_link_numbers_go_on() -> None:
    bench = RadioBench()
    async with bench:
        await bench.connected()
    await bench.radio.stop()
    async with bench:
        await bench.connected()
    assert bench.recorder.all_of("opened") == [(1, 20), (2, 20)]


async def test_stopping_in_the_middle_of_starting_leaves_nothing_behind() -> None:
    for steps in range(60):
        bench = RadioBench()
        starting = asyncio.create_task(bench.radio.start(bench.recorder))
        for _ in range(steps):
            await asyncio.sleep(0)
        starting.cancel()
        await asyncio.wait([starting])
        await bench.radio.stop()
        assert await find(await bench.central(), within_s=0.5) is None


async def test_a_controller_that_never_answers_is_unavailable_in_one_line() -> None:
    bench = RadioBench()
    bench.air.power_cut(bench.controller)
    with pytest.raises(RadioUnavailable) as raised:
        await bench.radio.start(bench.recorder)
    assert str(raised.value) == (
        "the Bluetooth controller does not start: no answer to a reset within 3 s; "
        "reset or replug it, and check that no other program uses it"
    )
    await bench.radio.stop()


async def test_a_controller_that_wakes_up_late_is_waited_for() -> None:
    bench = RadioBench()
    bench.air.power_cut(bench.controller)
    asyncio.get_running_loop().call_later(4, bench.air.restore, bench.controller)
    async with bench:
        assert await find(await bench.central()) is not None


class _Nonsense:
    """A controller that answers every command with a bare status and nothing else."""

    def __init__(self, status: int) -> None:
        self._status = status
        self.terminated: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._sink: PacketSink | None = None

    def set_packet_sink(self, sink: PacketSink) -> None:
        self._sink = sink

    def on_packet(self, packet: bytes) -> None:
        assert self._sink is not None
        complete = b"\x04\x0e" + bytes((3 + 1,)) + b"\x01" + packet[1:3] + bytes((self._status,))
        asyncio.get_running_loop().call_soon(self._sink.on_packet, complete)


@pytest.mark.parametrize(("status", "why"), [(0x00, "no answer to a reset within 3 s"), (0x03, "HARDWARE_FAILURE")])
async def test_a_controller_that_talks_nonsense_is_unavailable(status: int, why: str) -> None:
    @asynccontextmanager
    async def attached() -> AsyncIterator[tuple[PacketSource, PacketSink]]:
        controller = _Nonsense(status)
        yield controller, controller

    radio = BumbleRadio(attached, entropy=random.Random(1).randbytes)
    with pytest.raises(RadioUnavailable, match=f"does not start: .*{why}"):
        await radio.start(Recorder())


async def test_what_the_opener_says_is_what_start_raises() -> None:
    @asynccontextmanager
    async def attached() -> AsyncIterator[tuple[PacketSource, PacketSink]]:
        raise RadioUnavailable("no adapter; plug one in")
        yield

    radio = BumbleRadio(attached)
    with pytest.raises(RadioUnavailable, match=r"^no adapter; plug one in$"):
        await radio.start(Recorder())


@pytest.mark.req("BLE-2")
async def test_a_lost_controller_closes_all_links_and_is_opened_again(caplog: pytest.LogCaptureFixture) -> None:
    losses: list[asyncio.Future[None]] = []
    bench = RadioBench()

    @asynccontextmanager
    async def attached() -> AsyncIterator[tuple[PacketSource, PacketSink]]:
        async with bench.controller.attached() as (source, sink):
            source.terminated = asyncio.get_running_loop().create_future()
            losses.append(source.terminated)
            yield source, sink

    bench.radio = BumbleRadio(attached, entropy=random.Random(1).randbytes)
    async with bench:
        await bench.connected()
        losses[0].set_result(None)
        await bench.recorder.until("closed", 1)
        assert await find(await bench.central(), within_s=2) is not None
        await (await bench.connected()).write(b"served again")
        assert bench.recorder.events[-1] == ("fragment", 2, b"served again")
    assert spoken(caplog) == [
        "the Bluetooth controller is lost: its transport ended; it is opened again",
        "the Bluetooth controller is back",
    ]


async def test_a_controller_that_stays_away_is_tried_again_with_pauses_and_few_words(
    caplog: pytest.LogCaptureFixture,
) -> None:
    tries: list[float] = []
    bench = RadioBench()
    ends: list[asyncio.Future[None]] = []

    @asynccontextmanager
    async def attached() -> AsyncIterator[tuple[PacketSource, PacketSink]]:
        tries.append(asyncio.get_running_loop().time())
        if 1 < len(tries) < 8:
            raise RadioUnavailable("unplugged")
        async with bench.controller.attached() as (source, sink):
            source.terminated = asyncio.get_running_loop().create_future()
            ends.append(source.terminated)
            yield source, sink

    bench.radio = BumbleRadio(attached, entropy=random.Random(1).randbytes)
    async with bench:
        lost_s = asyncio.get_running_loop().time()
        ends[0].set_result(None)
        await asyncio.sleep(60)
        assert await find(await bench.central()) is not None
    assert [round(at - lost_s) for at in tries[1:]] == [1, 3, 7, 15, 25, 35, 45]
    assert spoken(caplog) == [
        "the Bluetooth controller is lost: its transport ended; it is opened again",
        "unplugged",
        "the Bluetooth controller is back",
    ]


async def test_a_dark_controller_is_noticed_when_it_no_longer_advertises() -> None:
    async with RadioBench() as bench:
        await bench.connected()
        bench.air.power_cut(bench.controller)
        await bench.radio.hang_up(1)
        assert bench.recorder.all_of("closed") == [(1,)]
        bench.air.restore(bench.controller)
        assert await find(await bench.central(), within_s=30) is not None
