"""Commands that only look."""

import pytest

from firmware.bench.levels import Level
from firmware.bench.results import DeskCode, DeskError
from firmware.demo.rig import BEGINS_S, Rig
from tests.support.keyholders import Keyholders


@pytest.mark.req("BEN-1")
async def test_help_is_the_table_or_a_part_of_it() -> None:
    async with Rig() as rig:
        desk = rig.desk()
        whole = await desk.do("help", Level.OBSERVE)
        assert len(whole.lines) == len(desk.grammar.commands)
        part = await desk.do("help time", Level.OBSERVE)
        assert all(line.startswith("time") for line in part.lines)
        with pytest.raises(DeskError) as caught:
            await desk.do("help nothing", Level.OBSERVE)
        assert caught.value.code is DeskCode.UNKNOWN


async def test_the_same_is_seen_by_its_longer_name() -> None:
    async with Rig() as rig:
        desk = rig.desk()
        for name in ("state", "vehicle"):
            assert await desk.do(name, Level.OBSERVE) == await desk.do(f"{name} show", Level.OBSERVE)
        assert any("synced" in line for line in (await desk.do("time", Level.OBSERVE)).lines)


@pytest.mark.req("CLK-1")
async def test_a_module_that_does_not_believe_the_world_is_pointed_out() -> None:
    async with Rig() as rig:
        desk = rig.desk()
        for moved_ms, says in ((-3_600_000, "1 h 00 min 00 s ahead of the world"), (3_600_000, "behind the world")):
            rig.clock.set_utc(BEGINS_S * 1000 + moved_ms)
            lines = (await desk.do("time", Level.OBSERVE)).lines
            assert any(says in line for line in lines)
        rig.clock.set_utc(BEGINS_S * 1000)
        assert len((await desk.do("time", Level.OBSERVE)).lines) == 3


@pytest.mark.req("BEN-1", "KEY-2")
async def test_a_link_with_a_key_is_told_with_its_key_and_whether_it_may_do_anything() -> None:
    async with Rig() as rig:
        people = Keyholders(rig)
        desk = rig.desk()
        async with rig.phone(people.owner, people.file), rig.phone(people.guest, people.share(coded=True).file):
            links = (await desk.do("links", Level.OBSERVE)).data["links"]
            assert isinstance(links, list)
            assert [(each["role"], each["admitted"], each["booking"]) for each in links] == [
                ("owner", True, None),
                ("guest", False, None),
            ]
            assert all(len(each["key"]) == 32 for each in links)
        assert (await desk.do("state", Level.OBSERVE)).data["keys"] == 1
