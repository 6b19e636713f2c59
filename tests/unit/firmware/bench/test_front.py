"""The desk at a line: who comes, in which mode, and who goes."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from structlog.testing import capture_logs

from firmware.bench.console import Console
from firmware.bench.front import MOST_WAITING_BYTES, Front, Manner
from firmware.bench.levels import Level
from tests.support.terminals import ScriptedDesk, Terminal

pytestmark = pytest.mark.req("BEN-1")
PROMPT = "sharebox none>"
GREETING = "Sharebox 0.1, module a1b2."


class Line:
    """A front at work, its terminal and its desk."""

    def __init__(self) -> None:
        self.terminal = Terminal(columns=100)
        self.desk = ScriptedDesk()
        self.front = Front(
            self.terminal,
            self.desk,
            Manner(begins=Level.OBSERVE, password="open sesame", module="a1b2", version="0.1"),
        )
        self.running = asyncio.create_task(self.front.run())

    async def comes(self) -> None:
        self.terminal.come()
        await self.terminal.until(lambda: self.terminal.shows[-1:] == [PROMPT])

    async def does(self, *typed: bytes) -> None:
        """Type, and wait until it is dealt with."""
        for part in typed:
            self.terminal.type(part)
            await self.terminal.until(lambda: self.front.backlog == 0)

    def kinds(self) -> list[str]:
        return [str(each["type"]) for each in self.terminal.objects()]


@pytest.fixture
async def line() -> AsyncIterator[Line]:
    made = Line()
    await asyncio.sleep(0)
    yield made
    made.running.cancel()
    await asyncio.wait({made.running})
    assert made.desk.listeners == []


async def test_who_comes_is_greeted_and_served(line: Line) -> None:
    assert line.front.backlog > 0
    line.terminal.type(b"before anybody came\r")
    await line.comes()
    assert line.terminal.shows[0].startswith(GREETING)
    await line.does(b"state\r")
    await line.terminal.shown("did state", "and said so", PROMPT)
    assert line.desk.did == [("state", Level.OBSERVE)]


async def test_modes_are_switched_back_and_forth_on_one_line(line: Line) -> None:
    await line.comes()
    await line.does(b'\x01{"id": 1, "do": "state"}\n', b"\x02", b"state\r", b"\x01", b"\x02")
    assert line.kinds() == ["hello", "result", "hello"]
    assert [each for each, _ in line.desk.did] == ["state", "state"]
    await line.terminal.until(lambda: line.terminal.shows[-1] == PROMPT)


async def test_everything_may_come_in_one_go(line: Line) -> None:
    await line.comes()
    await line.does(b'half\x01{"id": 1, "do": "one"}\n\x02\x01\x02two\r\x03three\r\x01{"id": 2, "do": "four"}\n')
    assert line.kinds()[:2] == ["hello", "result"]
    await line.terminal.until(lambda: line.desk.did[-1][0] == "four")
    assert line.desk.did[0][0] == "one"


async def test_machine_mode_can_be_asked_for_before_the_greeting(line: Line) -> None:
    line.terminal.come()
    line.terminal.type(b"\x01", b'{"id": 1, "do": "state"}\n')
    await line.terminal.until(lambda: line.kinds() == ["hello", "result"])


async def test_a_hanging_command_of_the_console_does_not_keep_a_program_out(line: Line) -> None:
    await line.comes()
    line.terminal.type(b"hang\r")
    await line.terminal.until(lambda: bool(line.desk.did))
    await line.does(b"\x01")
    assert line.kinds() == ["hello"]


async def test_a_hanging_command_of_a_program_is_ended_by_control_c_after_it_has_left(line: Line) -> None:
    await line.comes()
    line.terminal.type(b'\x01{"id": 1, "do": "hang"}\n\x02')
    await line.terminal.until(lambda: bool(line.desk.did))
    await line.does(b"\x03")
    await line.terminal.until(lambda: line.terminal.shows[-1] == PROMPT)
    await line.does(b"state\r")
    assert [each for each, _ in line.desk.did] == ["hang", "state"]


async def test_a_flood_while_the_mode_changes_is_bounded(line: Line) -> None:
    await line.comes()
    line.terminal.type(b'\x01{"id": 1, "do": "hang"}\n\x02')
    await line.terminal.until(lambda: bool(line.desk.did))
    for _ in range(100):
        line.terminal.type(b"x" * 1000 + b"\r")
    assert line.front.backlog <= MOST_WAITING_BYTES + 10


async def test_news_go_to_whoever_follows_them_in_the_mode_that_they_are_in(line: Line) -> None:
    await line.comes()
    line.desk.tell("not followed")
    await line.does(b"follow on\r")
    line.desk.tell("unlocked")
    await line.terminal.shown("unlocked", PROMPT)
    await line.does(b"\x01")
    line.desk.tell("not followed")
    await line.does(b'{"id": 1, "do": "follow on"}\n')
    line.desk.tell("locked")
    assert line.terminal.objects()[-1]["line"] == "locked"
    await line.does(b"\x02")
    line.desk.tell("not followed")
    await line.does(b"state\r")
    assert b"not followed" not in line.terminal.raw


async def test_the_prompt_follows_the_state_without_a_key(line: Line) -> None:
    await line.comes()
    line.desk.state = "sharebox active"
    line.desk.tell("driven")
    await line.terminal.until(lambda: line.terminal.shows[-1] == "sharebox active>")


async def test_nothing_of_one_visit_is_left_for_the_next_but_the_history(line: Line) -> None:
    await line.comes()
    await line.does(b"level service open sesame\r", b"level service 'open sesame'\r", b"follow on\r", b"power cut")
    line.terminal.go()
    line.desk.tell("to nobody")
    await asyncio.sleep(0.01)
    assert line.front.backlog > 0
    line.terminal.come()
    await line.terminal.until(lambda: line.terminal.raw.count(GREETING.encode()) == 2)
    await line.terminal.until(lambda: line.terminal.shows[-1] == PROMPT)
    await line.does(b"level\r")
    await line.terminal.shown("Level: observe", PROMPT)
    await line.does(b"\x1b[A", b"\x1b[A", b"\r")
    await line.terminal.shown("News are shown as they come.", PROMPT)


async def test_a_hanging_command_ends_with_the_visit_and_the_next_visitor_is_served(line: Line) -> None:
    await line.comes()
    line.terminal.type(b"hang\r")
    await line.terminal.until(lambda: bool(line.desk.did))
    line.terminal.go()
    line.terminal.come()
    await line.terminal.until(lambda: line.terminal.raw.count(GREETING.encode()) == 2)
    await line.does(b"state\r")
    assert line.desk.cancelled == 1
    line.terminal.go()
    line.terminal.go()


async def test_who_comes_and_goes_at_once_is_not_missed_and_not_served(line: Line) -> None:
    line.terminal.come()
    line.terminal.go()
    await asyncio.sleep(1)
    assert line.terminal.raw == b""


async def test_a_console_that_breaks_off_begins_anew_with_the_next_key(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(_console: Console) -> None:
        raise RuntimeError("a bug")

    with capture_logs() as logs, monkeypatch.context() as patched:
        patched.setattr(Console, "run", broken)
        line.terminal.come()
        await line.terminal.until(lambda: bool(logs))
    assert logs[0]["event"] == "a console broke off"
    line.terminal.type(b"state\r")
    await line.terminal.until(lambda: line.desk.did == [("state", Level.OBSERVE)])
