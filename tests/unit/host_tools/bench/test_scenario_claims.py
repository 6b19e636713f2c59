"""Every expectation can hold, and every expectation can fail, at the module itself."""

import asyncio

import pytest

from firmware.inprocess.bench import open_bench
from host_tools.bench import scenario_key_claims
from host_tools.bench.scenario_claims import KNOWN, check
from host_tools.bench.scenario_deeds import carry_out
from host_tools.bench.scenario_file import parse
from host_tools.bench.scenario_words import desk_command, is_desk_command, phrasebooks
from host_tools.bench.scenario_world import World
from tests.support.scenario_scenes import HEAD, SCENES, Act, Scene

DEEDS, CLAIMS = phrasebooks(["anna", "ben"])
SETTLES_S = 3.0


async def play(world: World, act: Act, at_s: int) -> list[str]:
    """Whatever is not as the act has it."""
    before = await world.owner()
    for phone in world.phones.values():
        phone.notices.clear()
    if act.after_s:
        await world.bench.until(world.utc_s(at_s) * 1000)
    world.reached(at_s)
    world.refused_by_desk = ""
    for text in act.do:
        await carry_out(world, desk_command(text) if is_desk_command(text) else DEEDS.read(text))
    await asyncio.sleep(SETTLES_S)
    wrong = [f"{text}: {why}" for text in act.holds if (why := await check(world, CLAIMS.read(text), before))]
    wrong += [f"{text}: it holds" for text in act.fails if not await check(world, CLAIMS.read(text), before)]
    return wrong


@pytest.mark.req("BEN-3")
@pytest.mark.parametrize("scene", SCENES.values(), ids=SCENES)
async def test_claims_hold_when_they_are_true_and_fail_when_they_are_not(scene: Scene) -> None:
    scenario = parse(HEAD.format(given=scene.given, anna=scene.anna), "scene")
    async with open_bench() as bench:
        world = World(scenario, bench, (await bench.utc_ms() // 1000 + 1) * 1000)
        for command in scenario.given:
            assert await world.desk(command) is not None
        at_s = scenario.begins_s
        for act in scene.acts:
            at_s += act.after_s
            assert await play(world, act, at_s) == [], act.do
        await world.close()


def test_each_claim_holds_once_and_fails_once() -> None:
    acts = [act for scene in SCENES.values() for act in scene.acts]
    here = KNOWN - scenario_key_claims.CLAIMS.keys()
    assert {CLAIMS.read(text).name for act in acts for text in act.holds} == here
    assert {CLAIMS.read(text).name for act in acts for text in act.fails} == here
