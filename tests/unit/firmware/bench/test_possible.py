"""What each key could do right now is what its phone would be told, with what would end it."""

import asyncio

import pytest

from firmware.bench import judging
from firmware.bench.levels import Level
from firmware.bench.results import Result
from firmware.core.events import KeyButton
from firmware.demo.rig import Rig
from host_tools.phone.errors import Refused
from protocol.errors import Code
from protocol.messages import Operation, Permission
from protocol.sharing import Deletion
from protocol.tokens import RevocationList
from tests.support.keyholders import Keyholders


async def can(rig: Rig) -> Result:
    return await rig.desk().do("can", Level.OBSERVE)


def delete(rig: Rig, token_id: bytes, how: Deletion) -> bytes:
    """A signed list that deletes one shared key."""
    now_s = rig.now_s
    fading = ((token_id, int(how), now_s + 3_600),)
    return rig.issuer.signed_list(RevocationList(rig.provisioning.module_id, now_s, now_s, 0, (), fading=fading))


@pytest.mark.req("BEN-1", "KEY-2")
async def test_what_a_key_may_and_may_not_is_told_with_its_end() -> None:
    async with Rig() as rig:
        people = Keyholders(rig)
        shared = people.share(permissions=int(Permission.UNLOCK | Permission.BOOT))
        async with rig.phone(people.guest, shared.file) as phone:
            await phone.unlock()
            await asyncio.sleep(6)
            (held,) = judging.digital_keys(rig.pump.state, rig.clock.monotonic_ms())
            refused = {each.operation: each.refusal.code for each in held.verdicts if each.refusal is not None}
            assert refused == dict.fromkeys(
                (Operation.LOCK, Operation.ENABLE_DRIVE, Operation.DISABLE_DRIVE, Operation.LOCATE),
                Code.PERMISSION_MISSING,
            )
            with pytest.raises(Refused) as caught:
                await phone.enable_drive()
            assert caught.value.refusal.code is Code.PERMISSION_MISSING
            shown = await can(rig)
            head, *lines = shown.lines
            assert head.startswith("Key of Ben (guest, link ")
            assert "  open boot: yes" in lines
            assert lines[-1] == "  it goes on until its last moment"
        assert (await can(rig)).lines[0] == "Key of Ben (guest, not here):"


@pytest.mark.req("BEN-1", "KEY-6")
async def test_a_deleted_key_says_what_will_end_it_and_a_dead_one_is_not_listed() -> None:
    async with Rig() as rig:
        people = Keyholders(rig)
        shared = people.share()
        async with rig.phone(people.guest, shared.file) as phone:
            await phone.unlock()
            await phone.put(delete(rig, shared.key.token_id, Deletion.UNTIL_KEY_CYCLE))
            assert "  it goes on until the car is unlocked and then locked with a vehicle key" in (await can(rig)).lines
            rig.vehicle.use_key(KeyButton.UNLOCK)
            await asyncio.sleep(1)
            (row,) = _keys(await can(rig))
            until = row["until"]
            assert isinstance(until, list)
            assert "until it is locked with one" in until[0]
            rig.vehicle.use_key(KeyButton.LOCK)
            await asyncio.sleep(1)
        assert (await can(rig)).lines == ("No booking and no key is known here.",)


@pytest.mark.req("BEN-1", "KEY-3")
async def test_a_key_that_waits_and_an_owners_key_are_told_apart() -> None:
    async with Rig() as rig:
        people = Keyholders(rig)
        await people.bring(people.share(coded=True).file)
        async with rig.phone(people.owner, people.file) as phone:
            await phone.enable_drive()
            owner, guest = _keys(await can(rig))
            assert (owner["role"], owner["denied"], guest["role"]) == ("owner", None, "guest")
            denied = guest["denied"]
            assert isinstance(denied, dict)
            assert denied["code"] == "ACTIVATION_REQUIRED"
            assert guest["until"] == []
        owner, _ = _keys(await can(rig))
        assert owner["where"] == "drives"


def _keys(result: Result) -> list[dict[str, object]]:
    keys = result.data["keys"]
    assert isinstance(keys, list)
    return keys


@pytest.mark.req("BEN-1")
async def test_why_tells_of_the_menu_too() -> None:
    async with Rig() as rig:
        desk = rig.desk()
        assert (await desk.do("why", Level.OBSERVE)).data == {"refused": None, "changes": []}
        await asyncio.sleep(6)
        await desk.do("menu activate 123456", Level.OPERATE)
        told = await desk.do("why", Level.OBSERVE)
        assert "the vehicle's menu was refused a code" in told.lines[0]
        assert "(CODE_UNEXPECTED)" in told.lines[2]
        await desk.do("power off", Level.OPERATE)
        assert (await desk.do("why", Level.OBSERVE)).data["changes"] == []
