"""02 Console: the serial line shows and drives the module, and carries phones."""

import asyncio

import pytest

from hil.stand import LOOK_AGAIN_S, Figure, Stand, lasted_s, until
from host_tools.bench.bench import Bench, BenchRefused
from host_tools.bench.console import ConsoleClient
from host_tools.bench.line import SerialLine
from host_tools.phone.serial import public_info

pytestmark = pytest.mark.limit(120)


@pytest.mark.req("BEN-2", "ACC-3")
async def test_whoever_is_at_the_line_learns_what_anyone_may_know(stand: Stand) -> None:
    await stand.power_on()

    async def said() -> int:
        async with SerialLine(stand.line) as line:
            return (await public_info(line)).version

    assert await until(said) >= 1


@pytest.mark.req("BEN-2", "ACC-1")
async def test_a_phone_opens_and_closes_the_car_over_the_line(stand: Stand, figure: Figure) -> None:
    async with stand.booked() as booking, stand.phone(booking, stand.cable) as phone:
        figure("unlock over the line", f"{await lasted_s(phone.unlock()) * 1000:.0f} ms")
        await phone.lock()


@pytest.mark.req("BEN-1")
@pytest.mark.lg_feature("bench")
async def test_the_console_answers_soon_after_power_and_says_which_module_it_is(stand: Stand, figure: Figure) -> None:
    await stand.power_off()
    await stand.power_on()

    async def greeted() -> str:
        async with SerialLine(stand.line) as line, ConsoleClient(line) as console:
            return console.hello.module

    figure("from power to the console", f"{await lasted_s(until(greeted)):.1f} s")
    assert await greeted() == stand.identity.module_id.hex()


@pytest.mark.req("BEN-1")
@pytest.mark.lg_feature("bench")
async def test_what_the_console_does_not_know_is_refused_with_what_it_does_know(bench: Bench) -> None:
    with pytest.raises(BenchRefused, match="Did you mean `time`") as no:
        await bench.control("tiem")
    assert no.value.code == "UNKNOWN"


@pytest.mark.req("BEN-1")
@pytest.mark.lg_feature(["bench", "simulated-car"])
async def test_a_door_that_is_opened_at_the_console_is_open_for_the_phone(stand: Stand, bench: Bench) -> None:
    async with stand.phone(stand.book()) as phone:
        for command, is_open in (("door open --inside", True), ("door close", False)):
            await bench.control(command)
            while (vehicle := (await phone.status()).vehicle) is None or vehicle.doors_open is not is_open:
                await asyncio.sleep(LOOK_AGAIN_S)
