"""The vehicle's menu at the desk: its answers, also a refusal, are results; a code is in none of them."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from firmware.bench.levels import Level
from firmware.bench.results import DeskCode, DeskError, Result
from firmware.demo.rig import Rig
from firmware.menu import MOST_WAITING
from protocol.messages import Permission
from tests.support.keyholders import Keyholders


class Stand(Keyholders):
    """A rig whose owner shares keys, and somebody at its desk."""

    async def do(self, line: str) -> Result:
        return await self.rig.desk().do(line, Level.OPERATE)

    async def refused(self, line: str) -> DeskError:
        with pytest.raises(DeskError) as caught:
            await self.do(line)
        return caught.value


@pytest.fixture
async def stand() -> AsyncIterator[Stand]:
    async with Rig() as rig:
        yield Stand(rig)


@pytest.mark.req("BEN-1", "KEY-3", "KEY-4")
async def test_a_code_is_entered_refused_and_taken(stand: Stand) -> None:
    assert (await stand.do("menu keys")).lines == ("No shared key is listed.",)
    shared = stand.share(permissions=int(Permission.UNLOCK), coded=True)
    await stand.bring(shared.file)
    assert (await stand.do("menu keys")).lines == ("1: Ben, unlock, until 2026-10-30 11:00:00 UTC, waits for its code",)
    wrong = "135790" if shared.code != "135790" else "246809"
    result = await stand.do(f"menu activate {wrong}")
    refused = result.data["refused"]
    assert isinstance(refused, dict)
    assert refused["code"] == "CODE_WRONG"
    assert refused["numbers"]["tries_left"] == 4
    assert result.lines[0].startswith("No: ")
    await asyncio.sleep(6)
    result = await stand.do(f"menu activate {shared.code}")
    assert result.data["refused"] is None
    assert result.lines == ("The key is activated.", "1: Ben, unlock, until 2026-10-30 11:00:00 UTC")
    told = [*(each.line for each in stand.rig.desk().room.news.log), *result.lines, str(result.data)]
    assert all(shared.code not in each and wrong not in each for each in told)
    assert any("Refused to the vehicle's menu, a code" in each for each in told)


@pytest.mark.req("BEN-1", "KEY-6")
async def test_a_key_is_deactivated_by_its_number(stand: Stand) -> None:
    await stand.bring(stand.share().file)
    desk = stand.rig.desk()
    assert desk.complete("menu deactivate ", Level.OPERATE) == ["1"]
    result = await stand.do("menu deactivate 1")
    assert result.lines == ("Key 1 is deactivated.", "No shared key is listed.")
    error = await stand.refused("menu deactivate 1")
    assert error.code is DeskCode.FAILED
    assert "there is none with that number" in error.message


@pytest.mark.req("KEY-4")
@pytest.mark.parametrize("line", ["menu activate 12345", "menu activate 1234567", "menu activate 123456 789012"])
async def test_what_is_no_code_is_not_repeated(stand: Stand, line: str) -> None:
    error = await stand.refused(line)
    assert error.code is DeskCode.USAGE
    assert not any(word.isdigit() for word in error.message.replace("`", " ").split())


async def test_without_power_the_menu_is_dark(stand: Stand) -> None:
    await stand.do("power off")
    for line in ("menu keys", "menu activate 123456", "menu deactivate 1"):
        assert (await stand.refused(line)).code is DeskCode.NO_POWER
    assert stand.rig.desk().complete("menu deactivate ", Level.OPERATE) == []


@pytest.mark.req("PWR-2", "KEY-4")
async def test_while_the_disk_hangs_no_code_is_compared_and_only_so_many_wait(stand: Stand) -> None:
    await stand.bring(stand.share(coded=True).file)
    await stand.do("fault disk hanging")
    lines = ["menu activate 123456"] * (MOST_WAITING + 1)
    *answers, last = await asyncio.gather(*(stand.do(line) for line in lines), return_exceptions=True)
    assert isinstance(last, DeskError)
    assert (last.code, "too many wait" in last.message) == (DeskCode.FAILED, True)
    first = answers[0]
    assert isinstance(first, Result)
    assert "(STORAGE_FAILED)" in first.lines[0]
