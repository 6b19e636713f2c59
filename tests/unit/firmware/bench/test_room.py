"""What is missing is said."""

import pytest

from firmware.bench.results import DeskCode, DeskError
from firmware.demo.rig import Rig


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
