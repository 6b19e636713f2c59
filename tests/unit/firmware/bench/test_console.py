"""The friendly console: what is typed, what is answered, and what comes by itself."""

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator

import pytest

from firmware.bench.console import MOST_NEWS, Console
from firmware.bench.console import Terminal as Kind
from firmware.bench.levels import Level
from tests.support.terminals import ScriptedDesk, Terminal, session

pytestmark = pytest.mark.req("BEN-1")
PROMPT = "sharebox none>"


class Visit:
    """A console at work, its terminal and its desk."""

    def __init__(self, kind: Kind = "auto", *, answers: bool = True, level: Level = Level.OPERATE) -> None:
        self.terminal = Terminal(answers=answers)
        self.terminal.listen(self)
        self.desk = ScriptedDesk()
        self.history: deque[str] = deque(maxlen=4)
        self.console = Console(
            session(self.desk, level),
            self.terminal.write,
            history=self.history,
            greeting="Sharebox. `help` helps.",
            terminal=kind,
        )
        self._running = asyncio.create_task(self.console.run())

    def attached(self) -> None:
        """As TextListener."""

    def typed(self, data: bytes) -> None:
        self.console.feed(data)

    def detached(self) -> None:
        """As TextListener."""

    async def ended(self) -> None:
        await self._running

    async def close(self) -> None:
        self._running.cancel()
        self.console.close()
        await asyncio.wait({self._running})


@pytest.fixture(params=["auto", "plain", "full"])
async def visit(request: pytest.FixtureRequest) -> AsyncIterator[Visit]:
    made = Visit(request.param)
    await made.terminal.shown("Sharebox. `help` helps.", PROMPT)
    yield made
    await made.close()


async def test_commands_are_answered_in_lines(visit: Visit) -> None:
    visit.terminal.type("state\r")
    await visit.terminal.shown(f"{PROMPT} state", "did state", "and said so", PROMPT)
    visit.terminal.type("bad\r")
    await visit.terminal.shown("`bad`: there is no such command. Type `help`.", PROMPT)
    assert visit.desk.did == [("state", Level.OPERATE), ("bad", Level.OPERATE)]


async def test_any_command_answers_as_json_when_asked(visit: Visit) -> None:
    visit.terminal.type("time move 30m --json\r")
    await visit.terminal.shown(f"{PROMPT} time move 30m --json", '{"line":"time move 30m "}', PROMPT)


async def test_an_empty_line_is_only_another_prompt(visit: Visit) -> None:
    visit.terminal.type("  \r")
    await visit.terminal.shown(PROMPT, PROMPT)
    assert visit.desk.did == []


async def test_control_c_clears_the_line_and_control_d_does_no_harm(visit: Visit) -> None:
    visit.terminal.type("power cut")
    await visit.terminal.shown(f"{PROMPT} power cut")
    visit.terminal.type(b"\x03")
    await visit.terminal.shown(PROMPT)
    visit.terminal.type(b"\x04\x04", "state\r")
    await visit.terminal.shown("did state", "and said so", PROMPT)
    assert visit.desk.did == [("state", Level.OPERATE)]


async def test_control_c_stops_waiting_for_a_command_and_forgets_what_was_typed_ahead(visit: Visit) -> None:
    visit.terminal.type("hang\r")
    await visit.terminal.until(lambda: bool(visit.desk.did))
    visit.terminal.type("power cut\r")
    visit.terminal.type(b"boot\x03", "state\r")
    await visit.terminal.shown("did state", "and said so", PROMPT)
    assert [line for line, _ in visit.desk.did] == ["hang", "state"]
    assert any("no longer waited for" in line for line in visit.terminal.shows)


async def test_what_was_typed_ahead_is_done_afterwards(visit: Visit) -> None:
    visit.terminal.type("one\rtwo\r", "three\r")
    await visit.terminal.shown(f"{PROMPT} three", "did three", "and said so", PROMPT)
    assert [line for line, _ in visit.desk.did] == ["one", "two", "three"]


@pytest.mark.req("KEY-4")
async def test_lines_are_remembered_but_no_passwords_and_codes_and_not_for_ever(visit: Visit) -> None:
    for line in ("one", "two", "two", "level service secret", "menu  activate 012345", "three", "four", "five"):
        visit.terminal.type(f"{line}\r")
        await visit.terminal.until(lambda: visit.console.backlog == 0)
    assert list(visit.history) == ["two", "three", "four", "five"]
    await visit.terminal.shown(PROMPT)
    visit.terminal.type(b"\x1b[A")
    await visit.terminal.shown(f"{PROMPT} five")


async def test_the_prompt_tells_the_state(visit: Visit) -> None:
    visit.terminal.type("drive\r")
    await visit.terminal.shown("and said so", "sharebox active>")


async def test_news_are_shown_above_the_prompt_and_of_many_the_last(visit: Visit) -> None:
    visit.terminal.type("sta")
    await visit.terminal.shown(f"{PROMPT} sta")
    visit.console.show("unlocked")
    await visit.terminal.shown("unlocked", f"{PROMPT} sta")
    for number in range(MOST_NEWS + 20):
        visit.console.show(f"news {number}")
    last = MOST_NEWS + 19
    await visit.terminal.shown(f"news {last - 1}", f"news {last}", f"{PROMPT} sta")
    assert b"... 21 more\r\nnews 21\r\n" in visit.terminal.raw


async def test_leaving_ends_what_is_at_work(visit: Visit) -> None:
    visit.terminal.type("hang\r")
    await visit.terminal.until(lambda: bool(visit.desk.did))
    visit.terminal.type("state\r")
    visit.console.leave()
    await visit.ended()
    assert [line for line, _ in visit.desk.did] == ["hang"]


async def test_leaving_at_the_prompt_ends_at_once(visit: Visit) -> None:
    visit.terminal.type("sta")
    await visit.terminal.shown(f"{PROMPT} sta")
    visit.console.leave()
    await visit.ended()
    visit.console.interrupt()


# ---------------------------------------------------------------- terminals
async def test_a_terminal_that_tells_its_size_is_edited_in_full_and_told_again_when_it_changes() -> None:
    visit = Visit()
    visit.terminal.type("sta")
    await visit.terminal.until(lambda: b"\x1b[K" in visit.terminal.raw)
    await visit.terminal.shown(f"{PROMPT} sta")
    visit.terminal.type(b"\x1b[H", "x", b"\x1b[3;40R", "\r")
    await visit.terminal.until(lambda: visit.desk.did == [("xsta", Level.OPERATE)])
    await visit.close()


@pytest.mark.parametrize("kind", ["auto", "plain"])
async def test_a_terminal_that_knows_nothing_gets_no_escape_codes(kind: Kind) -> None:
    visit = Visit(kind, answers=False)
    await visit.terminal.shown(PROMPT)
    asked = visit.terminal.raw.count(b"\x1b")
    visit.terminal.type("stat\t", "\r", b"\x1b[A", b"\x7f\x7f\r")
    await visit.terminal.shown("did sta", "and said so", PROMPT)
    assert visit.terminal.raw.count(b"\x1b") == asked == (0 if kind == "plain" else 4)
    await visit.close()


async def test_a_size_told_while_a_command_is_at_work_is_used_for_the_next_line() -> None:
    visit = Visit("auto", answers=False)
    visit.terminal.type("hang\r")
    await visit.terminal.until(lambda: bool(visit.desk.did))
    visit.terminal.type(b"\x1b[24;80R")
    visit.console.interrupt()
    visit.terminal.type(b"tate", b"\x1b[H", b"s", b"\r")
    await visit.terminal.until(lambda: visit.desk.did[-1][0] == "state")
    await visit.close()


async def test_a_line_drawn_anew_has_the_size_that_the_terminal_has_by_now() -> None:
    visit = Visit("full")
    await visit.terminal.shown(PROMPT)
    visit.terminal.resize(30)
    visit.terminal.type(b"\x0c")
    await visit.terminal.until(lambda: b"\x1b[6n" in visit.terminal.raw)
    visit.terminal.type("x" * 20)
    await visit.terminal.shown(f"{PROMPT} {'x' * 15}", "x" * 5)
    await visit.close()


async def test_answers_in_json_are_json() -> None:
    visit = Visit("plain")
    visit.terminal.type("state --json\r")
    await visit.terminal.until(lambda: bool(visit.terminal.objects()))
    assert visit.terminal.objects() == [json.loads('{"line": "state "}')]
    await visit.close()
