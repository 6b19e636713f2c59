"""What became of the last call is remembered when the module no longer knows of it."""

import asyncio

import pytest

from firmware.bench.calls import ENDINGS, NONE
from firmware.bench.levels import Level
from firmware.demo.rig import Rig


@pytest.mark.req("SVC-8")
async def test_a_call_that_was_taken_back_is_remembered_over_a_reboot() -> None:
    async with Rig() as rig:
        desk = rig.desk()
        assert desk.room.calls.word(rig.pump.state) == NONE
        for line in ("emergency press", "emergency cancel"):
            await desk.do(line, Level.OPERATE)
            await asyncio.sleep(1)
        assert desk.room.calls.word(rig.pump.state) == "cancelled"
        await desk.do("reboot", Level.OPERATE)
        assert desk.room.calls.word(rig.pump.state) == "cancelled"
        assert "cancelled" in ENDINGS.values()


@pytest.mark.req("SVC-8", "PWR-1")
async def test_a_call_goes_on_after_a_power_cut() -> None:
    async with Rig() as rig:
        desk = rig.desk()
        for line in ("crash", "power cut", "power on"):
            await desk.do(line, Level.OPERATE)
            await asyncio.sleep(1)
        assert desk.room.calls.word(rig.pump.state) == "under way"
