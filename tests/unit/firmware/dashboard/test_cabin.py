"""The vehicle's own menu on the page."""

import asyncio

import pytest

from firmware.bench.levels import Level
from firmware.bench.loopback import LoopbackBroker
from firmware.dashboard import cabin
from firmware.dashboard.acts import ActRefused, MenuAct
from firmware.demo.rig import Rig
from protocol.messages import Permission
from tests.support.keyholders import Keyholders


@pytest.mark.req("KEY-3", "KEY-4", "KEY-6")
async def test_a_key_waits_is_activated_and_deactivated() -> None:
    async with Rig() as rig:
        room, people = rig.desk().room, Keyholders(rig)
        assert cabin.view(room)["keys"] == []
        shared = people.share(permissions=int(Permission.UNLOCK), coded=True)
        await people.bring(shared.file)
        waiting = {"number": 1, "name": "Ben", "words": "unlock", "state": "waits for its code"}
        assert cabin.view(room)["keys"] == [waiting]
        wrong = "135790" if shared.code != "135790" else "246809"
        assert (await cabin.press(room, MenuAct(wrong))).startswith("No: ")
        await asyncio.sleep(6)
        assert await cabin.press(room, MenuAct(shared.code)) == "The key is activated"
        assert cabin.view(room)["keys"] == [waiting | {"state": ""}]
        assert await cabin.press(room, MenuAct(number=1)) == "Key 1 is deactivated"
        assert cabin.view(room)["keys"] == []
        with pytest.raises(ActRefused, match="there is none with that number"):
            await cabin.press(room, MenuAct(number=1))


async def test_without_power_the_menu_is_dark() -> None:
    async with Rig() as rig:
        room = rig.desk().room
        await rig.desk().do("power off", Level.OPERATE)
        assert cabin.view(room)["dark"] == cabin.DARK
        with pytest.raises(ActRefused, match="dark"):
            await cabin.press(room, MenuAct("123456"))


@pytest.mark.req("OWN-4", "SVC-8")
async def test_a_takeover_and_a_call_are_seen_in_the_car() -> None:
    async with Rig(broker=lambda _: LoopbackBroker()) as rig:
        desk, room = rig.desk(), rig.desk().room
        assert (cabin.view(room)["takeover"], cabin.view(room)["call_words"]) == (None, "")
        await desk.do("emergency press", Level.OPERATE)
        await asyncio.sleep(1)
        assert "press once more" in cabin.view(room)["call_words"]
        await desk.do("emergency cancel", Level.OPERATE)
        await asyncio.sleep(1)
        assert cabin.view(room)["call_words"] == "The call was taken back"
