"""A module that goes on living is put back: its car, its connections, its bookings, its memory, its clock."""

from host_tools.bench.answer import Answer
from host_tools.bench.bench import BenchRefused
from host_tools.bench.scenario_tidy import prepare, tidy_up
from tests.support.scenario_stage import Stage, staged


async def phase(stage: Stage) -> object:
    return (await stage.bench.control("state")).data["phase"]


async def test_the_car_and_its_surroundings_are_put_back() -> None:
    async with staged() as stage:
        await prepare(stage.bench)
        for deed in ("anna unlocks", "boot open", "fault bus silent", "gnss lost", "broker down", "power cut"):
            await stage.do(deed)
        await tidy_up(stage.world)
        car = (await stage.bench.control("vehicle")).data
        state = (await stage.bench.control("state")).data
        assert (car["locked"], car["boot_open"], car["has_fix"]) == (True, False, True)
        assert (state["faults"], state["power"], state["phase"]) == ([], True, "none")


async def test_what_the_module_remembers_is_put_back() -> None:
    async with staged() as stage:
        await prepare(stage.bench)
        await stage.do("backend changes the keys")
        await stage.wait(5)
        assert (await stage.do("anna connects")).startswith("refused WRONG_KEY_EPOCH")
        await tidy_up(stage.world)
        assert await stage.do("anna connects") == "granted"


async def test_where_nothing_can_be_put_back_bookings_are_ended_and_sharing_resumed() -> None:
    async with staged() as stage:
        allowed = stage.bench.control

        async def control(command: str) -> Answer:
            if command.startswith("state load"):
                raise BenchRefused("LEVEL", "`state load`: it takes the level service.")
            return await allowed(command)

        stage.bench.control = control  # type: ignore[method-assign]  # a desk with fewer rights
        await stage.do("anna connects")
        await stage.do("backend pauses sharing")
        assert await phase(stage) == "active"
        await tidy_up(stage.world)
        assert await phase(stage) == "ended"
        await stage.do("backend gives ben a booking 10:00 - 11:00")
        assert await stage.do("ben connects") == "granted"


async def test_a_module_ahead_of_the_worlds_clocks_is_caught_up_with() -> None:
    async with staged() as stage:
        assert await stage.do("anna brings the time") == "taken"
        await stage.wait(120)
        ahead_ms = await stage.bench.utc_ms() - 120_000
        await stage.bench.control("time set 2026-10-30T09:00:00Z")
        await stage.bench.control("reboot --rtc lost")
        await prepare(stage.bench)
        assert ahead_ms < await stage.bench.utc_ms() < ahead_ms + 180_000
        await stage.wait(5)
        assert await stage.do("anna connects") == "granted"
