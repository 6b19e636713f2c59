"""What is missing is said, and the prompt tells who drives."""

import asyncio

import pytest

from firmware.bench.results import DeskCode, DeskError
from firmware.demo.rig import Rig
from tests.support.keyholders import Keyholders


async def test_without_power_there_is_no_module() -> None:
    async with Rig() as rig:
        room = rig.desk().room
        assert room.pump is rig.pump
        assert room.state is rig.pump.state
        assert room.vehicle is rig.vehicle
        await rig.shut_down()
        with pytest.raises(DeskError) as caught:
            _ = room.pump
        assert caught.value.code is DeskCode.NO_POWER


@pytest.mark.req("BEN-1")
async def test_the_prompt_tells_whose_key_drives() -> None:
    async with Rig() as rig:
        people, room = Keyholders(rig), rig.desk().room
        for holder, file, words in (
            (people.guest, people.share().file, "sharebox none, Ben drives"),
            (people.owner, people.file, "sharebox none, a key drives"),
        ):
            assert room.prompt() == "sharebox none"
            async with rig.phone(holder, file) as phone:
                await phone.enable_drive()
                assert room.prompt() == words
                await phone.lock()
            await asyncio.sleep(10)
