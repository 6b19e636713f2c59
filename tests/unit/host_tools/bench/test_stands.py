"""Benches for every link: console and phones over what the link is, and time that is moved, raced or waited for."""

import asyncio
import os
from contextlib import AsyncExitStack

import pytest

from firmware.demo.rig import Rig
from host_tools.backend.issuer import Issuer
from host_tools.bench.airlink import AirLink
from host_tools.bench.answer import Answer, ConsoleRefused
from host_tools.bench.bench import BenchFailed, BenchRefused, identity_of
from host_tools.bench.line import LineError
from host_tools.bench.links import Automatic, InProcess, Serial, Virtual
from host_tools.bench.stands import ConsoleBench, Speed, Way, open_bench, open_phones, speed
from host_tools.phone.errors import NotFound
from host_tools.phone.keyring import new_key
from tests.support.programs import free_port


class Desk:
    """A console whose clock follows the loop's, at a rate."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.rate = 1.0
        self._at = asyncio.get_running_loop().time()
        self._utc_ms = 1_000_000.0

    def _now(self) -> float:
        now = asyncio.get_running_loop().time()
        self._utc_ms += (now - self._at) * 1000 * self.rate
        self._at = now
        return self._utc_ms

    async def do(self, command: str) -> Answer:
        self.asked.append(command)
        match command.split():
            case ["time"]:
                return Answer("time", {"utc_ms": int(self._now())})
            case ["time", "move", left]:
                self._utc_ms = self._now() + int(left.removesuffix("ms"))
            case ["time", "race", factor, "--for", left]:
                self._now()
                self.rate = float(factor)
                await asyncio.sleep(int(left.removesuffix("ms")) / 1000 / self.rate)
                self._now()
                self.rate = 1.0
            case ["no"]:
                raise ConsoleRefused("USAGE", "`no`: no. Type yes.")
            case _:
                raise LineError("cannot use the console", "it is gone", "Plug it in.")
        return Answer("time")


def way(pace: Speed = Speed()) -> Way:  # noqa: B008 - frozen
    issuer = Issuer(new_key(), os.urandom)
    return Way(Automatic(), lambda: issuer, lambda: identity_of(Rig().provisioning), lambda: "/nowhere", pace)


def bench(desk: Desk, pace: Speed) -> ConsoleBench:
    return ConsoleBench(desk, way(pace), lambda _name: AirLink())


@pytest.mark.parametrize(("text", "factor"), [("jump", None), ("real", 1.0), ("60", 60.0), ("1", 1.0)])
def test_speeds_are_words_or_factors(text: str, factor: float | None) -> None:
    assert speed(text) == Speed(factor)


@pytest.mark.parametrize("text", ["fast", "0", "0.5", "-1", "nan", "1e9"])
def test_what_is_no_speed_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="neither `jump` nor `real`"):
        speed(text)


@pytest.mark.req("BEN-3")
@pytest.mark.parametrize("pace", [Speed(), Speed(1.0), Speed(60.0), Speed(5000.0)])
async def test_time_passes_until_it_is_told_and_not_much_longer(pace: Speed) -> None:
    desk = Desk()
    made = bench(desk, pace)
    begun_ms = await made.utc_ms()
    await made.until(begun_ms + 1_500_000)
    assert begun_ms + 1_500_000 <= await made.utc_ms() < begun_ms + 1_502_000
    assert desk.rate == 1.0
    asked = len(desk.asked)
    await made.until(begun_ms)
    assert not any("move" in command or "race" in command for command in desk.asked[asked:])


async def test_jumping_and_racing_take_no_longer_than_they_have_to() -> None:
    loop = asyncio.get_running_loop()
    for pace, most_s in ((Speed(), 0.1), (Speed(5000.0), 1.0), (Speed(60.0), 61.0)):
        made = bench(Desk(), pace)
        begun_s = loop.time()
        await made.until(await made.utc_ms() + 3_600_000)
        assert loop.time() - begun_s < most_s


async def test_what_the_console_says_is_told_on() -> None:
    made = bench(Desk(), Speed())
    assert isinstance(made.link("anna"), AirLink)
    with pytest.raises(BenchRefused, match=r"^`no`: no\. Type yes\.$") as refused:
        await made.control("no")
    assert refused.value.code == "USAGE"
    with pytest.raises(BenchFailed, match="it is gone"):
        await made.control("anything")


async def test_a_console_that_does_not_tell_the_time_is_a_failure() -> None:
    class Timeless(Desk):
        async def do(self, command: str) -> Answer:
            return Answer("time")

    with pytest.raises(BenchFailed, match="does not tell the time"):
        await bench(Timeless(), Speed()).utc_ms()


async def test_time_that_nobody_can_move_is_a_failure_with_a_way_out() -> None:
    class Real(Desk):
        async def do(self, command: str) -> Answer:
            if command.startswith(("time move", "time race")):
                raise ConsoleRefused("NOT_HERE", "this module lives in real time: nobody can move it.")
            return await super().do(command)

    for pace in (Speed(), Speed(60.0)):
        made = bench(Real(), pace)
        with pytest.raises(BenchFailed, match=r"real time: nobody can move it\. Or choose --speed real\."):
            await made.until(await made.utc_ms() + 1000)
    waits = bench(Real(), Speed(1.0))
    await waits.until(await waits.utc_ms() + 1000)


async def test_the_bench_in_this_process_is_opened_by_its_link() -> None:
    there = way()
    async with open_bench(Way(InProcess(), there.issuer, there.identity, there.console)) as opened:
        assert await opened.utc_ms() > 0


@pytest.mark.parametrize("link", [Serial("/nowhere"), Virtual("127.0.0.1", 9), Automatic()])
async def test_a_line_that_is_not_there_is_said(link: Serial | Virtual | Automatic) -> None:
    there = way()
    with pytest.raises(LineError, match="/nowhere"):
        async with open_bench(Way(link, there.issuer, there.identity, there.console)):
            pass


@pytest.mark.asyncio(loop_factories=["real"])
async def test_a_phone_where_no_virtual_radio_is_does_not_find_its_car_and_may_look_again() -> None:
    async with AsyncExitStack() as stack:
        link = (await open_phones(Virtual("127.0.0.1", free_port()), stack))("anna")
        for _ in range(2):
            with pytest.raises(NotFound, match="no virtual radio at"):
                await link.connect(lambda _: None, lambda: None)


@pytest.mark.asyncio(loop_factories=["real"])
async def test_phones_on_a_line_that_is_not_there_hear_so_at_once() -> None:
    async with AsyncExitStack() as stack:
        with pytest.raises(LineError):
            await open_phones(Serial("/nowhere"), stack)
