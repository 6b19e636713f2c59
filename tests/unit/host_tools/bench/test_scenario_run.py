"""Playing: steps at their times, expectations with patience, and benches that are not up to it."""

import pytest

from firmware.inprocess.bench import InProcessBench, open_bench
from host_tools.bench.bench import BenchFailed, Identity
from host_tools.bench.scenario import Scenario
from host_tools.bench.scenario_file import parse
from host_tools.bench.scenario_run import play
from host_tools.bench.transcript import Entry

HEAD = """
format = 1
title = "Played"
rules = ["BEN-3"]
[given]
{given}
[given.people.anna]
booked = "10:00 - 10:20"
"""


def story(steps: str, given: str = "") -> Scenario:
    return parse(HEAD.format(given=given) + steps, "played")


@pytest.mark.req("BEN-3")
async def test_steps_happen_at_their_times_and_in_their_order() -> None:
    told: list[Entry] = []
    steps = """
    [[step]]
    at = "10:01"
    do = ["anna connects", "key unlock"]
    expect = "car is unlocked"
    [[step]]
    at = "10:21"
    expect = ["anna hears overdue", "anna is connected"]
    """
    async with open_bench() as bench:
        begun_ms = await bench.utc_ms()
        transcript = await play(story(steps, 'bench = "door open --inside"'), bench, told=told.append)
        assert await bench.utc_ms() - begun_ms == pytest.approx(21 * 60_000, abs=5_000)
        assert (await bench.control("vehicle")).data["open_doors"] == ["front left"]
    assert [entry.line().strip() for entry in told[2:]] == [
        "10:01:00 anna connects: granted",
        "10:01:00 key unlock: done",
        "+ car is unlocked",
        "10:21:00 time passes: done",
        "+ anna hears overdue",
        "+ anna is connected",
        "held: 3 expectations held",
    ]
    assert told == transcript.entries


@pytest.mark.req("BEN-3")
async def test_it_stops_after_the_first_step_that_fails_and_has_looked_at_all_of_it() -> None:
    steps = """
    [[step]]
    at = "10:01"
    do = "anna connects"
    expect = ["car is unlocked", "anna is granted", "anna hears nothing"]
    [[step]]
    do = "anna unlocks"
    """
    async with open_bench() as bench:
        transcript = await play(story(steps), bench)
    assert [entry.kind for entry in transcript.entries[2:]] == ["did", "fails", "holds", "holds", "end"]
    assert transcript.failures[0].came == "it is locked"


async def test_a_desk_that_refuses_fails_the_step_unless_that_was_expected() -> None:
    step = '[[step]]\nat = "10:01"\ndo = ["anna connects", "ignition on"]\nexpect = ["car is switched off"{more}]\n'
    async with open_bench() as bench:
        failed = await play(story(step.format(more="")), bench)
    assert [(entry.said, entry.came) for entry in failed.failures] == [
        ("the desk does what it is told", "it refuses: FAILED")
    ]
    async with open_bench() as bench:
        expected = await play(story(step.format(more=', "desk refuses"')), bench)
    assert expected.failures == ()


STEP = '[[step]]\nat = "10:01"\ndo = "anna connects"\nexpect = "anna is granted"\n'


async def test_a_bench_that_is_not_as_it_has_to_be_is_told() -> None:
    async with open_bench() as bench:
        with pytest.raises(BenchFailed, match="the desk refuses `ignition on`"):
            await play(story(STEP, 'bench = "ignition on"'), bench)
        seen = bench.identity
        bench.identity = Identity(seen.module_id, seen.handshake_public, seen.signing_public, seen.key_epoch)
        with pytest.raises(BenchFailed, match="this module has no home position"):
            await play(story(STEP, "home = true"), bench)


class Slow(InProcessBench):
    """Time goes by much faster than anybody asked for."""

    async def until(self, utc_ms: int) -> None:
        await super().until(utc_ms + 40_000)


async def test_a_step_that_begins_too_late_is_no_step() -> None:
    async with open_bench() as bench:
        slow = Slow(bench.rig)
        with pytest.raises(BenchFailed, match="a step began 40 s too late"):
            await play(story(STEP), slow)
        await slow.close()


async def test_a_module_that_goes_on_living_is_put_back() -> None:
    steps = '[[step]]\nat = "10:01"\ndo = ["anna unlocks", "boot open", "broker down"]\nexpect = "car is open"\n'
    async with open_bench() as bench:
        for _ in range(2):
            assert (await play(story(steps), bench, tidy=True)).failures == ()
            car = (await bench.control("vehicle")).data
            assert (car["locked"], car["boot_open"]) == (True, False)
            assert (await bench.control("state")).data["phase"] in ("ended", "none")
