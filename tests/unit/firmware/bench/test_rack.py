"""A stand outlives its module's power."""

import asyncio

import pytest

from firmware.adapters.store import MemoryStore
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
