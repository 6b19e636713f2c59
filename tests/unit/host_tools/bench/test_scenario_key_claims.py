"""Each claim about keys, owners, services and calls holds when it is true, and says what is instead when it is not."""

import msgspec
import pytest

from protocol.messages import SelfTested
from tests.support.scenario_stage import KEYS, Stage, staged


async def true(stage: Stage, *texts: str) -> None:
    for text in texts:
        assert await stage.check(text) == "", text


async def false(stage: Stage, *texts: str) -> None:
    for text in texts:
        assert await stage.check(text), text


@pytest.mark.req("KEY-3", "KEY-6")
async def test_of_keys_and_the_menu() -> None:
    async with staged(KEYS) as stage:
        await stage.do("olga shares a key with ben: with a code")
        await true(stage, "ben's key is not listed")
        await false(stage, "menu takes it", "menu refuses CODE_WRONG", "ben's key is good", "olga sees no shared keys")
        await stage.do("ben connects")
        await stage.do("a wrong code is entered")
        await true(stage, "menu refuses CODE_WRONG", "ben's key is waiting for its code")
        await false(stage, "menu takes it", "ben's key is not listed", "ben's key is deleted and still good")
        await stage.wait(6)
        await stage.do("ben's code is entered")
        await true(stage, "menu takes it", "ben's key is good")
        await stage.do("olga asks for the shared keys")
        await true(stage, "olga sees 1 shared keys")
        await false(stage, "olga sees no shared keys", "olga sees 2 shared keys", "menu refuses CODE_WRONG")
        await stage.do("backend deletes ben's key")
        await stage.wait(1)
        await true(stage, "ben's key is deleted and still good")
        await stage.do("ben's key is deactivated")
        await stage.do("olga asks for the shared keys")
        await true(stage, "ben's key is not listed", "olga sees no shared keys")
        await stage.do("power off")
        await true(stage, "ben's key is not listed")


@pytest.mark.req("OWN-1", "OWN-3")
async def test_of_owners_and_dealers() -> None:
    async with staged(KEYS) as stage:
        await stage.wait(10)
        await false(stage, "car belongs to olga", "car belongs to nobody", "dora has a report")
        await stage.do("dora tests the module")
        await true(stage, "dora has a report")
        await false(stage, "dora has a report of a failure")
        await stage.do("fault gnss lost")
        await stage.wait(600)
        await stage.do("dora tests the module")
        await true(stage, "dora has a report of a failure")
        await false(stage, "dora has a report")
        last = stage.world.phone("dora").last
        stage.world.phone("dora").last = msgspec.structs.replace(last, body=SelfTested(b"forged"))
        assert (await stage.check("dora has a report")).startswith("it is not genuine")
        await stage.do("keys 2")
        await stage.wait(10)
        await stage.do("backend lets olga take the car over")
        await stage.wait(185)
        await true(stage, "car belongs to olga")
        await false(stage, "car belongs to cleo")
        await stage.do("backend removes the owner olga")
        await stage.wait(1)
        await true(stage, "car belongs to nobody")
        assert await stage.check("car belongs to olga") == "it belongs to nobody"


@pytest.mark.req("SVC-4", "SVC-8")
async def test_of_the_sim_and_of_calls() -> None:
    async with staged(KEYS) as stage:
        await true(stage, "SIM is active", "emergency call is none")
        await false(stage, "SIM is blocked", "emergency call is under way")
        await stage.do("crash")
        await stage.wait(1)
        await true(stage, "emergency call is under way")
