"""A stand outlives its module's power."""

import asyncio

import msgspec
import pytest

from firmware.adapters.store import MemoryStore
from firmware.bench.disk import DiskFault
from firmware.bench.rack import Rack
from firmware.bench.results import DeskCode, DeskError
from firmware.core.clock import Quality, quality
from firmware.demo.rig import Rig
from firmware.ports import Loaded, StoreFailed


@pytest.mark.req("PWR-1")
async def test_the_stand_outlives_the_power() -> None:
    async with Rig() as rig:
        heard: list[str] = []
        rig.rack.powered.add(heard.append)
        first = rig.pump
        await rig.rack.power_on()
        assert rig.pump is first
        await rig.rack.power_off(cut=True)
        assert rig.rack.pump is None
        await rig.rack.power_off(cut=True)
        await rig.rack.power_on()
        assert rig.pump.state.durable.counters.boot == 2
        await rig.rack.power_off(cut=False)
        assert heard == ["cut", "on", "off"]


@pytest.mark.req("CLK-1")
async def test_the_module_is_told_what_its_rtc_says_if_it_says_anything() -> None:
    async with Rig() as rig:
        rig.vehicle.lose_fix()
        await rig.shut_down()
        await asyncio.sleep(60)
        await rig.rack.power_on(rtc_offset_s=None)
        state = rig.pump.state
        assert quality(state.clock, rig.clock.monotonic_ms()) is Quality.FLOOR
        await rig.shut_down()
        await rig.rack.power_on(rtc_offset_s=3600)
        assert rig.pump.state.clock.reading_ms == rig.clock.rtc().utc_ms + 3_600_000


class LooseCard(MemoryStore):
    """A store that can not be read while it is out of its slot."""

    is_out = False

    async def load(self) -> Loaded:
        if self.is_out:
            raise StoreFailed("the card is gone")
        return await super().load()


async def test_a_module_that_does_not_start_says_why() -> None:
    card = LooseCard(capacity_records=100)
    async with Rig(store=card) as rig:
        await rig.shut_down()
        card.is_out = True
        with pytest.raises(DeskError, match="the card is gone") as caught:
            await rig.rack.power_on()
        assert caught.value.code is DeskCode.FAILED
        assert rig.rack.pump is None
        card.is_out = False
        await rig.rack.power_on()
        assert rig.pump.state.durable.counters.boot == 2


async def test_whoever_stops_waiting_for_the_end_does_not_disturb_it() -> None:
    async with Rig() as rig:
        heard: list[str] = []
        rig.rack.powered.add(heard.append)
        anna = rig.holder("Anna")
        async with rig.phone(anna, rig.book(anna, lasts_s=3600)[1]):
            waiting = asyncio.create_task(rig.rack.power_off(cut=True))
            await asyncio.sleep(0)
            waiting.cancel()
            await asyncio.wait({waiting})
            await rig.rack.power_on()
        assert heard == ["cut", "on"]


async def test_whoever_stops_waiting_for_a_restart_does_not_leave_the_module_off() -> None:
    async with Rig() as rig:
        heard: list[str] = []
        rig.rack.powered.add(heard.append)
        waiting = asyncio.create_task(rig.rack.restart())
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.wait({waiting})
        await rig.rack.power_on()  # comes after it, not in between
        assert heard == ["off", "on"]
        assert rig.pump.state.durable.counters.boot == 2


async def test_the_end_of_the_bench_does_not_wait_for_a_restart_that_hangs() -> None:
    async with Rig() as rig:
        off = asyncio.Event()

        def powered(_how: str) -> None:
            rig.rack.store.suffer(DiskFault.HANGING)
            off.set()

        rig.rack.powered.add(powered)
        restarting = asyncio.create_task(rig.rack.restart())
        await off.wait()
        await asyncio.sleep(60)
        assert not restarting.done()
        await rig.rack.close()
        assert rig.rack.pump is None
        assert restarting.cancelled()


async def test_the_end_of_the_bench_is_the_end_of_a_restart_that_had_just_begun() -> None:
    async with Rig() as rig:
        heard: list[str] = []
        rig.rack.powered.add(heard.append)
        restarting = asyncio.create_task(rig.rack.restart())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        await rig.rack.close()
        await asyncio.wait({restarting})
        assert heard == ["off"]


async def test_a_disk_that_hangs_lets_no_module_start() -> None:
    async with Rig() as rig:
        await rig.rack.power_off(cut=False)
        rig.rack.store.suffer(DiskFault.HANGING)
        with pytest.raises(DeskError, match="fault clear disk"):
            await rig.rack.power_on()
        rig.rack.store.suffer(None)
        await rig.rack.power_on()


class Bug(Exception):
    """Something that a module ends with by itself."""


async def test_a_module_that_ends_by_itself_tells_of_it() -> None:
    fails = False

    def observe(*_: object) -> None:
        if fails:
            raise Bug

    async with Rig(observer=observe) as rig:
        ended = asyncio.create_task(rig.rack.ended())
        await asyncio.sleep(5)
        assert not ended.done()
        fails = True
        with pytest.raises(BaseExceptionGroup) as caught:
            await ended
        assert caught.value.subgroup(Bug) is not None
        fails = False
        await rig.rack.power_on()
        assert rig.pump.state.durable.counters.boot == 2


async def test_a_module_without_an_rtc_can_not_have_a_wrong_one() -> None:
    async with Rig() as rig:
        parts = msgspec.structs.replace(rig.rack._parts, has_rtc=False)
        rack = Rack(parts, rig.rack.time)
        with pytest.raises(DeskError) as caught:
            await rack.power_on(rtc_offset_s=3600)
        assert caught.value.code is DeskCode.NOT_HERE
