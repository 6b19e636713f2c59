"""What the owner's side has been told, and what waits."""

import asyncio

import pytest

from firmware.bench.levels import Level
from firmware.bench.loopback import LoopbackBroker
from firmware.bench.results import DeskCode, DeskError
from firmware.demo.rig import Rig
from protocol.telemetry import LATITUDE


@pytest.mark.req("BEN-1", "PRV-1", "PRV-3")
async def test_the_owner_sees_no_position_while_a_driver_has_the_car() -> None:
    async with Rig(broker=lambda _: LoopbackBroker()) as rig:
        desk, anna = rig.desk(), rig.holder("Anna")
        await asyncio.sleep(60)
        seen = (await desk.do("owner", Level.OBSERVE)).data
        position = seen["position"]
        assert isinstance(position, dict)
        assert LATITUDE in position
        async with rig.phone(anna, rig.book(anna, lasts_s=3600)[1]) as phone:
            await phone.unlock()
            await asyncio.sleep(60)
            hidden = await desk.do("owner", Level.OBSERVE)
            assert hidden.data["position"] is None
            assert "Position: none" in hidden.lines
            assert any("booking.started" in line for line in hidden.lines)


@pytest.mark.req("BEN-1", "TEL-4")
async def test_what_waits_is_shown_and_goes_when_the_network_is_back() -> None:
    async with Rig(broker=lambda _: LoopbackBroker()) as rig:
        desk = rig.desk()
        await asyncio.sleep(5)
        for line in ("broker down", "ignition on --with-key", "drive 30", "time move 25m", "park"):
            await desk.do(line, Level.OPERATE)
        waiting = (await desk.do("queue", Level.OBSERVE)).data
        count, records = waiting["count"], waiting["records"]
        assert isinstance(count, int)
        assert isinstance(records, list)
        assert count > 40
        assert {record["channel"] for record in records} >= {"track"}
        assert (await desk.do("owner", Level.OBSERVE)).data["connected"] is False
        await desk.do("broker up", Level.OPERATE)
        await asyncio.sleep(30)
        assert (await desk.do("queue", Level.OBSERVE)).data["count"] == 0
        reports = (await desk.do("owner", Level.OBSERVE)).data["reports"]
        assert isinstance(reports, list)
        assert any(report["channel"] == "track" for report in reports)
        more = (await desk.do("owner 256", Level.OBSERVE)).data["reports"]
        assert isinstance(more, list)
        assert len(more) > len(reports) == 20
        assert more[-20:] == reports


async def test_a_disk_that_does_not_answer_and_a_missing_broker_are_told() -> None:
    async with Rig() as rig:
        with pytest.raises(DeskError) as caught:
            await rig.desk().do("owner", Level.OBSERVE)
        assert caught.value.code is DeskCode.NOT_HERE
