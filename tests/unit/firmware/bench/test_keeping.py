"""The durable state is saved, compared and put back (BEN-4)."""

import asyncio

import msgspec
import pytest

from firmware.bench.levels import Level
from firmware.bench.loopback import LoopbackBroker
from firmware.bench.results import DeskCode, DeskError
from firmware.demo.rig import Rig
from protocol.messages import Phase
from tests.support.keyholders import Keyholders


@pytest.mark.req("BEN-4")
async def test_a_saved_state_is_put_back_and_the_module_starts_with_it() -> None:
    async with Rig() as rig:
        desk, anna = rig.desk(), rig.holder("Anna")
        await desk.do("state save fresh", Level.OPERATE)
        async with rig.phone(anna, rig.book(anna, lasts_s=3600)[1]) as phone:
            await phone.unlock()
        saved = await desk.do("state save used", Level.OPERATE)
        assert saved.data["saved"] == "used"
        changed = await desk.do("state diff fresh", Level.OBSERVE)
        assert any("durable" in line or "trip.phase" in line for line in changed.lines)
        await desk.do("state load fresh", Level.SERVICE)
        assert (await desk.do("booking", Level.OBSERVE)).data["phase"] == "none"
        await desk.do("state load used", Level.SERVICE)
        assert rig.pump.state.durable.trip.phase is Phase.ACTIVE
        assert (await desk.do("state list", Level.OBSERVE)).data == {"saved": ["fresh", "used"]}
        await asyncio.sleep(60)
        records = [record.number for record in await rig.store.pending(limit=1000)]
        assert len({*records}) == len(records)


@pytest.mark.req("BEN-4")
async def test_a_state_does_not_differ_from_itself_and_differences_are_named() -> None:
    async with Rig() as rig:
        desk = rig.desk()
        await desk.do("state save one", Level.OPERATE)
        assert (await desk.do("state diff one one", Level.OBSERVE)).lines == ("There is no difference.",)
        await desk.do("reboot", Level.OPERATE)
        found = await desk.do("state diff one", Level.OBSERVE)
        assert "counters.boot: 1 -> 2" in found.lines
        assert found.data["count"] == len(found.lines)


async def test_what_can_not_be_loaded_is_one_line() -> None:
    async with Rig() as rig:
        desk = rig.desk()
        await desk.do("state save one", Level.OPERATE)
        foreign = msgspec.structs.replace(desk.room.shelf.get("one"), module_id=b"another.")
        desk.room.shelf.put("foreign", foreign)
        desk.room.shelf.put("damaged", msgspec.structs.replace(foreign, state=b"\xc1"))
        for name, says in (("foreign", "of module"), ("damaged", "can not be read"), ("missing", "no state is called")):
            with pytest.raises(DeskError, match=says) as caught:
                await desk.do(f"state load {name}", Level.SERVICE)
            assert caught.value.code is DeskCode.FAILED
        with pytest.raises(DeskError, match=r"^`state diff missing`: no state is called"):
            await desk.do("state diff one missing", Level.OBSERVE)
        assert rig.rack.pump is not None
        with pytest.raises(DeskError, match="no name"):
            await desk.do("state save ../one", Level.SERVICE)


@pytest.mark.req("BEN-4", "KEY-6", "OWN-4")
async def test_keys_and_owners_are_part_of_a_state_and_come_back_with_it() -> None:
    async with Rig(broker=lambda _: LoopbackBroker()) as rig:
        desk, people = rig.desk(), Keyholders(rig)
        await desk.do("state save before", Level.OPERATE)
        await people.bring(people.share(coded=True).file)
        changed = await desk.do("state diff before", Level.OBSERVE)
        assert any(line.startswith("keys") for line in changed.lines)
        await desk.do("state save waiting", Level.OPERATE)
        await desk.do("menu deactivate 1", Level.OPERATE)
        await desk.do("state load waiting", Level.SERVICE)
        (key,) = rig.pump.menu.listed()
        assert (key.name, key.activated) == ("Ben", False)
        await desk.do("state load before", Level.SERVICE)
        assert rig.pump.menu.listed() == ()
