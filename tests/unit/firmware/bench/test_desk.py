"""The desk over a whole module."""

import pytest

from firmware import VERSION
from firmware.bench.levels import Level
from firmware.bench.results import DeskCode, DeskError, Happening
from firmware.demo.rig import BEGINS_S, Rig
from protocol import keys


@pytest.mark.req("BEN-1")
async def test_it_tells_of_the_module_its_car_and_the_time() -> None:
    async with Rig() as rig:
        desk = rig.desk()
        told = (await desk.do("version", Level.OBSERVE)).data
        assert (told["version"], told["module"]) == (VERSION, rig.provisioning.module_id.hex())
        assert told["issuers"] == [keys.key_id(rig.issuer.public).hex()]
        assert (await desk.do("time", Level.OBSERVE)).data["utc_ms"] == BEGINS_S * 1000
        assert (await desk.do("state", Level.OBSERVE)).data["phase"] == "none"
        assert (await desk.do("vehicle", Level.OBSERVE)).data["locked"] is True
        assert desk.prompt() == "sharebox none"
        await rig.shut_down()
        assert desk.prompt() == "sharebox off"
        with pytest.raises(DeskError) as caught:
            await desk.do("booking", Level.OBSERVE)
        assert caught.value.code is DeskCode.NO_POWER


async def test_news_are_heard_until_one_stops() -> None:
    async with Rig() as rig:
        desk, heard = rig.desk(), list[Happening]()
        stop = desk.follow(heard.append)
        desk.room.news.tell("test", {"n": 1}, "one")
        stop()
        desk.room.news.tell("test", {"n": 2}, "two")
        assert heard == [Happening(BEGINS_S * 1000, "test", {"n": 1}, "one")]


async def test_what_can_be_typed_is_suggested() -> None:
    async with Rig() as rig:
        desk = rig.desk()
        assert desk.complete("ver", Level.OBSERVE) == ["version"]
        assert desk.complete("state ", Level.OBSERVE) == ["diff", "list", "show"]
        await desk.do("state save before", Level.OPERATE)
        await desk.do("fault gnss lost", Level.OPERATE)
        assert desk.complete("state load ", Level.SERVICE) == ["before"]
        assert desk.complete("state diff before ", Level.OBSERVE) == []
        assert desk.complete("state load ", Level.OPERATE) == []
        assert desk.complete("fault clear g", Level.OPERATE) == ["gnss"]
        assert desk.complete("fault clear gnss ", Level.OPERATE) == ["lost"]
