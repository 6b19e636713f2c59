"""A scenario on the stage, on virtual time."""

import asyncio
from typing import Any

import pytest

from firmware.bench.virtual import VirtualTime
from firmware.dashboard.acts import ActRefused, DriverAct, NextAct
from firmware.dashboard.feed import Line
from firmware.dashboard.handset import Seen
from firmware.dashboard.story import Story
from firmware.dashboard.world import World, open_world
from firmware.inprocess.bench import open_bench
from host_tools.bench import scenario_file, scenario_library
from host_tools.bench.scenario import Scenario

SHORT = """
format = 1
title = "Anna opens the car and goes"
rules = ["ACC-1"]
[given.people.anna]
booked = "10:00 - 12:00"
[[step]]
at = "10:01:00"
do = "anna unlocks"
expect = ["anna succeeds", "car is unlocked"]
[[step]]
at = "10:05:00"
do = "anna locks"
expect = "car is locked"
"""


def short(text: str = SHORT) -> Scenario:
    return scenario_file.parse(text, "short")


def look(world: World) -> dict[str, Any]:
    return world.view()


def told(lines: list[Line]) -> list[str]:
    return [line.text for line in lines if line.who == "story"]


async def until_told(lines: list[Line], words: str) -> None:
    async with asyncio.timeout(24 * 3600):
        while not any(words in text for text in told(lines)):
            await asyncio.sleep(0.5)


async def test_it_plays_at_its_own_time_of_day_and_the_phones_show_what_their_sessions_say() -> None:
    lines: list[Line] = []
    async with open_world(lines.append, VirtualTime, short()) as world:
        view = look(world)
        assert view["scene"]["title"] == "Anna opens the car and goes"
        assert [each["name"] for each in view["scene"]["people"]] == ["Anna"]
        assert view["time"]["clock"] == "09:59:59"
        assert view["driver"]["slider"]["blue"] is False
        await until_told(lines, "anna unlocks")
        view = look(world)
        assert view["time"]["clock"].startswith("10:01:0")
        assert view["driver"]["slider"]["blue"] is True
        assert view["driver"]["countdown"]["value"].startswith("1 h 58 min")
        assert view["car"]["locked"] is False
        assert view["time"]["next"].startswith("To the next step, in 3 min")
        assert told(lines)[-1].startswith(("anna unlocks: ", "+ "))


async def test_the_next_step_can_be_jumped_to_and_after_the_end_the_phones_are_whoevers_is_at_the_page() -> None:
    lines: list[Line] = []
    async with open_world(lines.append, VirtualTime, short()) as world:
        await until_told(lines, "anna unlocks")
        with pytest.raises(ActRefused, match="the story plays"):
            await world.perform(DriverAct("unlock"))
        await world.perform(NextAct())
        await until_told(lines, "held: 3 expectations held")
        await world.perform(DriverAct("connect"))
        await world.perform(DriverAct("unlock"))
        assert look(world)["car"]["locked"] is False


async def test_what_does_not_hold_is_told_as_an_alert() -> None:
    lines: list[Line] = []
    async with open_world(lines.append, VirtualTime, short(SHORT.replace("car is unlocked", "car is locked"))):
        await until_told(lines, "failed: ")
    assert any(line.weight == "alert" and "car is locked" in line.text for line in lines)


async def test_a_story_that_this_bench_cannot_play_says_why() -> None:
    lines: list[Line] = []
    no_such_door = SHORT.replace('"anna locks"', '"door open nowhere"')
    async with open_world(lines.append, VirtualTime, short(no_such_door)) as world:
        await until_told(lines, "this bench cannot play `door open nowhere`")
        assert look(world)["time"]["next"] != ""


@pytest.mark.parametrize("name", ["privacy-of-a-trip", "orders-from-afar", "shared-key"])
async def test_a_scenario_of_the_library_holds_here_as_everywhere(name: str) -> None:
    lines: list[Line] = []
    scenario = scenario_file.read(scenario_library.find(name))
    async with open_world(lines.append, VirtualTime, scenario):
        await until_told(lines, " expectations held")
    assert told(lines)[-1] == f"held: {scenario.claims} expectations held"


async def test_before_it_begins_a_phone_shows_nothing() -> None:
    async with open_bench() as bench:
        story = Story(short(), bench, lambda *_: None)
        assert story.seen("anna", 0, 0) == Seen()
        assert story.shown("anna") is None
        assert story.next_step_ms(0) is None
