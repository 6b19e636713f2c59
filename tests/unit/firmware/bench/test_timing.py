"""The bench's time, by command."""

from typing import ClassVar

import pytest

from firmware.bench.levels import Level
from firmware.bench.results import DeskCode, DeskError
from firmware.bench.virtual import VirtualTime
from firmware.demo.rig import BEGINS_S, Rig
from protocol.messages import Phase


@pytest.mark.req("BEN-1")
async def test_time_is_moved_and_the_module_lives_through_it() -> None:
    async with Rig() as rig:
        desk, anna = rig.desk(), rig.holder("Anna")
        async with rig.phone(anna, rig.book(anna, lasts_s=120)[1]) as phone:
            await phone.unlock()
        moved = await desk.do("time move 3m", Level.OPERATE)
        assert moved.data["utc_ms"] == rig.now_s * 1000 + rig.clock.rtc().utc_ms % 1000
        assert (await desk.do("booking", Level.OBSERVE)).data["phase"] == "overdue"
        await desk.do("time until 2026-10-30T10:40:00", Level.OPERATE)
        assert rig.clock.rtc().utc_ms == (BEGINS_S + 2400) * 1000
        assert rig.pump.state.durable.trip.phase is Phase.CUT_OFF
        with pytest.raises(DeskError, match="later already") as caught:
            await desk.do("time until 2026-10-30T10:00:00", Level.OPERATE)
        assert caught.value.code is DeskCode.FAILED


@pytest.mark.req("BEN-1", "CLK-1")
async def test_what_the_worlds_clocks_say_is_believed_by_the_modules_own_rules() -> None:
    async with Rig() as rig:
        desk = rig.desk()
        await desk.do("time set 2026-10-29T00:00:00", Level.OPERATE)
        await desk.do("time move 15m", Level.OPERATE)
        seen = (await desk.do("time", Level.OBSERVE)).data
        assert seen["utc_ms"] == (BEGINS_S - 34 * 3600 + 900) * 1000
        module = seen["module"]
        assert isinstance(module, dict)
        assert module["utc_ms"] >= BEGINS_S * 1000


async def test_virtual_time_is_always_frozen_and_can_not_run() -> None:
    async with Rig() as rig:
        desk = rig.desk()
        assert (await desk.do("time freeze", Level.OPERATE)).data["rate"] == 0
        for line in ("time go", "time race 10"):
            with pytest.raises(DeskError) as caught:
                await desk.do(line, Level.OPERATE)
            assert caught.value.code is DeskCode.NOT_HERE


class Raced(VirtualTime):
    """Notes at which rate time was to pass."""

    rates: ClassVar[list[float]] = []

    def race(self, factor: float) -> None:
        self.rates.append(factor)

    def go(self) -> None:
        self.rates.append(1.0)


@pytest.mark.req("BEN-1")
async def test_a_race_with_an_end_is_over_exactly_then() -> None:
    async with Rig() as rig:
        rig.rack.time = Raced(rig.clock)
        begun_ms = rig.clock.rtc().utc_ms
        answer = await rig.desk().do("time race 60 --for 30m", Level.OPERATE)
        assert rig.clock.rtc().utc_ms == begun_ms + 1_800_000
        assert Raced.rates == [60.0, 1.0]
        assert answer.lines[0] == "30 min 00 s have passed, 60 times as fast."
