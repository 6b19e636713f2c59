"""Who may become what, and who hears the news."""

import pytest

from firmware.bench.levels import Level
from firmware.bench.results import DeskCode, DeskError, Happening
from firmware.bench.session import Session
from firmware.demo.rig import Rig


@pytest.mark.req("BEN-1")
async def test_down_is_free_and_up_takes_the_password() -> None:
    async with Rig() as rig:
        session = Session(rig.desk(), Level.OPERATE, password="open")
        assert (await session.do("level")).data == {"level": "operate"}
        await session.do("level observe")
        await session.do("level operate")
        for wrong in ("level service", "level service shut", "level service öpen"):
            with pytest.raises(DeskError) as caught:
                await session.do(wrong)
            assert caught.value.code is DeskCode.LEVEL
        assert (await session.do("level")).data == {"level": "operate"}
        assert (await session.do("level service open")).data == {"level": "service"}


async def test_without_a_password_a_line_goes_no_further() -> None:
    async with Rig() as rig:
        session = Session(rig.desk(), Level.OBSERVE)
        with pytest.raises(DeskError, match="password_file"):
            await session.do("level operate anything")


async def test_news_are_heard_while_they_are_followed() -> None:
    async with Rig() as rig:
        heard: list[Happening] = []
        desk = rig.desk()
        session = Session(desk, Level.OBSERVE, listener=heard.append)
        desk.room.news.tell("test", {}, "before")
        assert (await session.do("follow on")).data == {"follow": True}
        assert session.follows
        desk.room.news.tell("test", {}, "meanwhile")
        await session.do("follow off")
        desk.room.news.tell("test", {}, "after")
        await session.do("follow on")
        session.close()
        desk.room.news.tell("test", {}, "gone")
        assert [each.line for each in heard] == ["meanwhile"]


async def test_its_own_commands_are_suggested_beside_the_desks() -> None:
    async with Rig() as rig:
        session = Session(rig.desk(), Level.OBSERVE)
        assert {"level", "follow", "version"} <= set(session.complete(""))
        assert session.complete("level s") == ["service"]
        assert session.prompt() == "sharebox none"
        assert (await session.do("version")).kind == "version"


@pytest.mark.req("BEN-1")
async def test_help_names_its_own_commands_too() -> None:
    async with Rig() as rig:
        session = Session(rig.desk(), Level.OBSERVE)
        whole = await session.do("help")
        assert len(whole.lines) == len(rig.desk().grammar.commands) + 2
        assert (await session.do("help follow")).lines[0].startswith("follow on|off")
        assert (await session.do("help version")).lines[0].startswith("version")
        assert (await session.do("follow off")).kind == "follow"
        with pytest.raises(DeskError, match="empty"):
            await session.do("  ")
