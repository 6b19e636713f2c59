"""Deeds with keys, owners and services reach the module, and are told in the same words; never with a code."""

import pytest

from host_tools.bench.bench import BenchFailed
from host_tools.bench.scenario_key_deeds import _learn
from tests.support.scenario_stage import KEYS, Stage, staged


@pytest.mark.req("KEY-3", "KEY-4", "KEY-6")
async def test_a_key_is_shared_activated_and_deactivated() -> None:
    async with staged(KEYS) as stage:
        assert await stage.do("olga shares a key with ben: with a code") == "on the phone"
        code = stage.world.keychain.code("ben")
        said = [await stage.do("ben connects"), await stage.do("a wrong code is entered")]
        assert said[0].startswith("refused ACTIVATION_REQUIRED by KEY-3")
        assert said[1].startswith("refused CODE_WRONG by KEY-4")
        await stage.wait(6)
        said += [await stage.do("ben's code is entered"), await stage.do("ben unlocks")]
        assert said[2:] == ["done", "done"]
        assert all(code not in each for each in said)
        assert await stage.do("ben's key is deactivated") == "done"
        assert await stage.do("ben's key is deactivated") == "it is not in the menu"
        assert await stage.do("power off") == "done"
        assert await stage.do("ben's code is entered") == "the menu is dark"


@pytest.mark.req("KEY-6")
async def test_a_key_is_deleted_in_three_ways() -> None:
    async with staged(KEYS) as stage:
        await stage.do("olga shares a key with ben")
        assert await stage.do("ben connects") == "granted"
        assert await stage.do("olga asks for the shared keys") == "listed"
        assert await stage.do("backend writes the deletion of ben's key") == "signed"
        assert await stage.do("olga brings the last order") == "taken"
        assert await stage.do("backend deletes ben's key") == "sent"
        assert await stage.do("backend deletes ben's key after the drive") == "sent"
        assert await stage.do("backend deletes ben's key at once") == "sent"
        await stage.wait(1)
        assert (await stage.do("ben connects")).startswith("refused KEY_DELETED by KEY-6")
        await stage.do("broker down")
        assert await stage.do("backend deletes ben's key") == "it does not reach the car"


async def test_a_phone_shows_what_it_is_told_to() -> None:
    async with staged(KEYS) as stage:
        await stage.do("backend gives olga a booking 10:00 - 11:00")
        assert await stage.do("olga shows the key") == "chosen"
        assert stage.world.phone("olga").shown == stage.world.keychain.file("olga")
        assert await stage.do("olga shows the booking") == "chosen"
        assert stage.world.phone("olga").shown != stage.world.keychain.file("olga")


async def takes_over(stage: Stage, who: str) -> None:
    await stage.do("keys 2")
    await stage.wait(10)
    assert await stage.do(f"backend lets {who} take the car over") == "sent"
    await stage.wait(185)


@pytest.mark.req("OWN-1", "OWN-3", "OWN-4", "OWN-5")
async def test_a_car_changes_hands_and_a_dealer_tests_it() -> None:
    async with staged(KEYS) as stage:
        await takes_over(stage, "cleo")
        assert (await stage.do("olga connects")).startswith("refused WRONG_KEY_EPOCH")
        assert await stage.do("backend gives cleo a key") == "on the phone"
        assert await stage.do("cleo unlocks") == "done"
        assert await stage.do("backend removes the owner cleo") == "sent"
        await stage.wait(1)
        assert (await stage.do("cleo connects")).startswith("refused NOT_COUPLED")
        assert await stage.do("backend gives dora a key") == "on the phone"
        await stage.wait(10)
        assert await stage.do("dora tests the module") == "tested"
        assert await stage.do("backend couples the car to olga") == "sent"
        await stage.wait(1)
        assert await stage.do("backend couples the car to cleo with the VIN WBA11AA0107A12345") == "sent"
        await stage.wait(1)
        owned = (await stage.bench.control("ownership")).data
        assert owned["owner"] == stage.world.customers["olga"].user.hex()


@pytest.mark.req("SUB-3")
async def test_others_drive_and_the_list_of_drivers_has_them() -> None:
    async with staged(KEYS) as stage:
        await stage.wait(10)
        assert await stage.do("backend lets 2 others drive") == "all have driven"
        assert await stage.do("backend removes the driver ben") == "sent"
        owned = (await stage.bench.control("ownership")).data
        assert isinstance(owned["drivers"], list)
        assert len(owned["drivers"]) == 2
        await stage.do("ignition on --with-key")
        with pytest.raises(BenchFailed, match="one of the others could not drive"):
            await stage.do("backend lets 1 others drive")


@pytest.mark.req("SVC-1", "SVC-4")
async def test_services_are_sold_and_given_up() -> None:
    async with staged(KEYS) as stage:
        for text in ("backend sells the packs 6AK, 6UM", "backend sends a destination", "backend sells no services"):
            assert await stage.do(text) == "sent"
        await stage.wait(1)
        assert (await stage.bench.control("services")).data["sim"] == "blocked"


async def test_without_power_nobody_tells_which_keys_count() -> None:
    async with staged(KEYS) as stage:
        await stage.do("power off")
        await _learn(stage.world)
        assert await stage.do("backend gives olga a key") == "on the phone"
