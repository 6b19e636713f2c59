"""Who may become what, and who hears the news."""

import pytest
from structlog.testing import capture_logs

from firmware.bench.levels import Level
from firmware.bench.password import Password
from firmware.bench.results import DeskCode, DeskError, Happening
from firmware.bench.session import Session
from firmware.demo.rig import Rig


@pytest.mark.req("BEN-1")
async def test_down_is_free_and_up_takes_the_password() -> None:
    async with Rig() as rig:
        now_s = 0.0
        session = Session(rig.desk(), Level.OPERATE, password=Password("open", now_s=lambda: now_s))
        assert (await session.do("level")).data == {"level": "operate"}
        await session.do("level observe")
        await session.do("level operate")
        for wrong in ("level service", "level service shut", "level service öpen"):
            with pytest.raises(DeskError) as caught:
                await session.do(wrong)
            assert caught.value.code is DeskCode.LEVEL
            now_s += 60
        assert (await session.do("level")).data == {"level": "operate"}
        assert (await session.do("level service open")).data == {"level": "service"}


@pytest.mark.req("BEN-1")
async def test_guessing_takes_time_and_leaves_a_trace_also_over_several_visits() -> None:
    async with Rig() as rig:
        desk, now_s, heard = rig.desk(), 0.0, list[Happening]()
        password = Password("open-sesame", now_s=lambda: now_s)
        desk.follow(heard.append)
        with capture_logs() as logs:
            for guess in ("guess", "open-sesame", "open-sesame"):
                visit = Session(desk, Level.OBSERVE, password=password, name="bench")
                with pytest.raises(DeskError) as caught:
                    await visit.do(f"level service {guess}")
                assert guess not in caught.value.message
            assert caught.value.message.endswith("Try again in 1 s.")
            now_s += 1
            assert (await visit.do("level service open-sesame")).data == {"level": "service"}
        assert [(each["log_level"], each["line"]) for each in logs if each["event"] == "wrong password"] == [
            ("warning", "bench")
        ]
        assert [each.data for each in heard if each.kind == "level"] == [{"line": "bench", "wrong_passwords": 1}]


@pytest.mark.parametrize(
    "line",
    [
        "level service --secret",
        "level service secret secret",
        "level service 'secret",
        "level servcie --secret",
        "level servcie secret",
    ],
)
async def test_nothing_that_may_be_a_password_is_repeated(line: str) -> None:
    async with Rig() as rig:
        with pytest.raises(DeskError) as caught:
            await Session(rig.desk(), Level.OBSERVE).do(line)
        assert caught.value.code is DeskCode.USAGE
        assert "secret" not in caught.value.message
        assert ("Did you mean `service`?" in caught.value.message) == ("servcie" in line)


async def test_a_missing_level_comes_with_the_way_to_it_that_there_is() -> None:
    async with Rig() as rig:
        desk = rig.desk()
        rises = Session(desk, Level.OPERATE, password=Password("open-sesame"))
        rises.become(Level.OBSERVE, "")
        for session, command, remedy in (
            (rises, "reboot", "Type `level operate`."),
            (rises, "state load x", "Type `level service PASSWORD`."),
            (Session(desk, Level.OBSERVE), "reboot", "Set `level` in the line's [[serial]] table"),
        ):
            with pytest.raises(DeskError) as caught:
                await session.do(command)
            assert caught.value.code is DeskCode.LEVEL
            assert remedy in caught.value.message
        with pytest.raises(DeskError, match="it takes the level service, and this is observe") as caught:
            await desk.do("state load x", Level.OBSERVE)
        assert "`level " not in caught.value.message


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
