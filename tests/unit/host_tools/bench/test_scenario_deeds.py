"""What happens in a scenario: each deed reaches the module, and is told in the same words everywhere."""

import pytest

from host_tools.bench.bench import BenchFailed, Identity
from host_tools.bench.scenario_deeds import METRES_IN_A_DEGREE
from tests.support.scenario_stage import staged


async def test_phones_connect_command_and_leave() -> None:
    async with staged() as stage:
        assert await stage.do("anna connects") == "granted"
        assert await stage.do("anna unlocks") == "done"
        assert await stage.car("locked") is False
        assert await stage.do("anna repeats the last command") == "done already"
        assert await stage.do("anna asks what became of it") == "it ended with OK"
        assert await stage.do("anna asks for the status") == "granted"
        assert await stage.do("anna locates the car") == "located"
        assert await stage.do("anna locks, and the answer is lost") == "no answer"
        assert await stage.do("anna leaves") == "gone"
        assert await stage.do("ben connects") == "nothing to show"


async def test_what_is_brought_is_taken_or_refused() -> None:
    async with staged() as stage:
        assert await stage.do("anna brings the time") == "taken"
        assert (await stage.do("anna brings an old time")).startswith("refused NONCE_UNKNOWN by CLK-2")
        assert await stage.do("backend writes the end of anna's booking") == "signed"
        assert await stage.do("anna brings the last order") == "taken"
        assert await stage.do("power off") == "done"
        assert await stage.do("anna brings the time") == "no module answers"


@pytest.mark.parametrize(
    ("token", "code"),
    [("a forged token", "SIGNATURE_INVALID"), ("another phone's token", "HOLDER_KEY_MISMATCH")],
)
async def test_wrong_tokens_are_refused(token: str, code: str) -> None:
    async with staged() as stage:
        assert (await stage.do(f"anna connects with {token}")).startswith(f"refused {code} by ACC-6")


async def test_a_new_phone_is_another_one_with_the_same_booking() -> None:
    async with staged() as stage:
        assert await stage.do("anna connects") == "granted"
        assert await stage.do("anna moves to a new phone") == "a new key"
        assert await stage.do("anna connects") == "granted"
        assert (await stage.do("anna's old phone connects")).startswith("refused DEVICE_REPLACED by ACC-11")
        assert await stage.do("backend gives ben a booking 10:00 - 11:00") == "on the phone"
        assert (await stage.do("ben connects")).startswith("refused VEHICLE_IN_USE by ACC-4")


async def test_strangers_sit_flood_and_replay() -> None:
    async with staged() as stage:
        assert await stage.do("a stranger connects") == "connected"
        assert await stage.do("a stranger leaves") == "gone"
        assert await stage.do("a stranger fails 3 handshakes") == "junk sent"
        await stage.do("anna unlocks")
        assert await stage.do("anna leaves") == "gone"
        assert await stage.do("key lock") == "done"
        assert await stage.do("a stranger replays what anna sent") == "replayed"
        assert await stage.car("locked") is True
        assert await stage.do("power off") == "done"
        assert await stage.do("a stranger connects") == "no module answers"
        assert await stage.do("a stranger replays what anna sent") == "no module answers"
        assert await stage.do("a stranger fails 1 handshakes") == "junk sent"


async def test_orders_go_over_the_broker_or_do_not_arrive() -> None:
    async with staged() as stage:
        assert await stage.do("backend resumes sharing") == "sent"
        assert await stage.do("backend pauses sharing") == "sent"
        assert await stage.do("backend lets sharing end at 11:00") == "sent"
        assert await stage.do("backend unlocks the car") == "sent"
        assert await stage.do("backend locks the car") == "sent"
        assert await stage.do("backend flashes the lights") == "sent"
        assert await stage.do("backend sends the last order again") == "sent"
        assert await stage.do("backend revokes anna's booking") == "sent"
        assert await stage.do("backend changes the keys") == "sent"
        await stage.wait(5)
        assert (await stage.do("anna connects")).startswith("refused TOKEN_REVOKED")
        assert await stage.do("broker down") == "done"
        assert await stage.do("backend orders the end of anna's booking") == "it does not reach the car"


async def test_the_car_drives_to_a_distance_from_home() -> None:
    async with staged() as stage:
        assert await stage.do("car drives to 100 m from home") == "the desk refuses: FAILED"
        assert await stage.do("ignition on --with-key") == "done"
        assert await stage.do("car drives to 100 m from home") == "done"
        await stage.wait(300)
        home = stage.bench.identity.home
        latitude = await stage.car("latitude")
        assert home is not None
        assert isinstance(latitude, float)
        assert (latitude - home[0] / 1e7) * METRES_IN_A_DEGREE == pytest.approx(100, abs=1)


async def test_what_a_bench_cannot_do_is_its_failure() -> None:
    async with staged() as stage:
        seen = stage.bench.identity
        stage.bench.identity = Identity(seen.module_id, seen.handshake_public, seen.signing_public, seen.key_epoch)
        with pytest.raises(BenchFailed, match="has no home position"):
            await stage.do("car drives to 100 m from home")
        with pytest.raises(BenchFailed, match="cannot play `fault moon full`"):
            await stage.do("fault moon full")
        with pytest.raises(BenchFailed, match="ben has no booking"):
            await stage.do("backend revokes ben's booking")
