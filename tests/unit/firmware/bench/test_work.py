"""One command at a time."""

import asyncio

import pytest
from structlog.testing import capture_logs

from firmware.bench.results import DeskCode, DeskError
from firmware.bench.work import Work
from tests.support.terminals import ScriptedDesk, session


async def test_a_command_is_carried_out() -> None:
    work = Work(session(ScriptedDesk()))
    assert (await work.do("state")).kind == "state"
    assert not work.is_under_way
    work.interrupt()


async def test_the_desk_s_refusal_is_passed_on() -> None:
    with pytest.raises(DeskError, match="no such command"):
        await Work(session(ScriptedDesk())).do("bad")


@pytest.mark.req("BEN-1")
async def test_a_command_that_hangs_can_be_interrupted_and_the_next_one_works() -> None:
    desk = ScriptedDesk()
    work = Work(session(desk))
    hanging = asyncio.create_task(work.do("hang"))
    while not desk.did:
        await asyncio.sleep(0)
    assert work.is_under_way
    work.interrupt()
    with pytest.raises(DeskError, match="Ctrl-C") as interrupted:
        await hanging
    assert interrupted.value.code is DeskCode.FAILED
    assert desk.cancelled == 1
    assert (await work.do("state")).kind == "state"


async def test_whoever_goes_takes_the_command_along() -> None:
    desk = ScriptedDesk()
    hanging = asyncio.create_task(Work(session(desk)).do("hang"))
    while not desk.did:
        await asyncio.sleep(0)
    hanging.cancel()
    await asyncio.wait({hanging})
    await asyncio.sleep(0)
    assert desk.cancelled == 1


async def test_a_bug_in_a_command_is_logged_and_refused_in_one_line() -> None:
    with capture_logs() as logs, pytest.raises(DeskError, match="broke off") as refused:
        await Work(session(ScriptedDesk())).do("break")
    assert refused.value.code is DeskCode.FAILED
    assert [entry["command"] for entry in logs] == ["break"]
