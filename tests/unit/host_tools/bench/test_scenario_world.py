"""The people and phones of a scenario: who holds what, and what time it is in the story."""

import pytest

from host_tools.bench.bench import BenchFailed
from protocol.errors import Role
from tests.support.scenario_stage import staged


async def test_everybody_has_a_phone_and_what_was_booked() -> None:
    async with staged() as stage:
        world = stage.world
        assert set(world.phones) == {"anna", "ben"}
        booking = world.booking("anna")
        assert (booking.role, booking.ends_at_s - booking.not_before_s) == (Role.DRIVER, 7200)
        assert world.utc_s(36_000 + 7_200) == booking.ends_at_s
        assert world.phone("ben").shown is None
        world.give("ben", (36_000, 36_600))
        assert world.booking("ben").role is Role.OWNER
        assert world.a_year_on() - world.utc_s(world.now_s) == 365 * 86_400


async def test_a_new_phone_is_a_newer_device_and_the_old_one_stays() -> None:
    async with staged() as stage:
        old, before = stage.world.phone("anna"), stage.world.booking("anna")
        await stage.world.new_phone("anna")
        assert stage.world.phone("anna's old phone") is old
        new, after = stage.world.phone("anna"), stage.world.booking("anna")
        assert new.key is not old.key
        assert (after.booking_id, after.device_generation) == (before.booking_id, 2)
        await stage.world.new_phone("ben")
        assert stage.world.phone("ben").generation == 2


async def test_what_the_desk_refuses_is_remembered_and_what_it_does_not_know_is_a_failure() -> None:
    async with staged() as stage:
        assert await stage.world.desk("ignition on") is None
        assert stage.world.refused_by_desk == "FAILED"
        assert await stage.world.desk("key unlock") is not None
        with pytest.raises(BenchFailed, match="cannot play `vehicle sett`"):
            await stage.world.desk("vehicle sett")
        with pytest.raises(BenchFailed, match="cannot tell `vehicl`"):
            await stage.world.look("vehicl")


async def test_a_module_without_power_tells_nothing() -> None:
    async with staged() as stage:
        assert (await stage.world.owner()).position
        assert await stage.world.desk("power off") is not None
        assert await stage.world.look("queue") == {}
        assert not await stage.world.send(b"\x00")


async def test_what_was_told_before_the_story_is_no_part_of_it() -> None:
    async with staged() as stage:
        await stage.do("anna unlocks")
        await stage.wait(5)
        first = await stage.world.owner()
        assert first.reports
        assert first.story == ()
        await stage.do("anna ends the booking")
        await stage.wait(5)
        assert "booking.ended" in [each.name for each in (await stage.world.owner()).story]
