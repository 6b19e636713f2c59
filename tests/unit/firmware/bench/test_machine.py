"""Machine mode: one JSON object a line, both ways."""

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware.bench.levels import Level
from firmware.bench.machine import FORMAT, MOST_ANSWER_BYTES, MOST_LINE_BYTES, MOST_WAITING, Machine
from firmware.bench.results import Happening
from tests.support.terminals import ScriptedDesk, Terminal, session

pytestmark = pytest.mark.req("BEN-1")


class Program:
    """Sends lines, reads objects."""

    def __init__(self) -> None:
        self.terminal = Terminal()
        self.desk = ScriptedDesk()
        self.machine = Machine(session(self.desk), self.terminal.write, module="a1b2", version="0.1.0")
        self.running = asyncio.create_task(self.machine.run())

    async def says(self, *data: bytes) -> list[dict[str, object]]:
        """The answers to `data`."""
        before = len(self.terminal.objects())
        for part in data:
            assert self.machine.feed(part) is None
        await self.terminal.until(lambda: self.machine.backlog == 0)
        return self.terminal.objects()[before:]

    async def does(self, line: str, number: object = 7) -> dict[str, object]:
        (answer,) = await self.says(json.dumps({"id": number, "do": line}).encode() + b"\n")
        return answer


@pytest.fixture
async def program() -> AsyncIterator[Program]:
    made = Program()
    await made.terminal.until(lambda: bool(made.terminal.objects()))
    yield made
    made.running.cancel()
    await asyncio.wait({made.running})


async def test_it_says_hello_on_a_line_of_its_own(program: Program) -> None:
    assert program.terminal.raw.startswith(b'\r\n{"type":"hello"')
    assert program.terminal.objects() == [
        {
            "type": "hello",
            "format": FORMAT,
            "module": "a1b2",
            "version": "0.1.0",
            "level": "operate",
            "prompt": "sharebox none",
        }
    ]
    (again,) = await program.says(b'{"id": 1, "do": "st\x01')
    assert again["type"] == "hello"


async def test_a_line_that_was_too_long_is_forgotten_with_what_is_held(program: Program) -> None:
    hello, answer = await program.says(b"x" * 5000 + b'\x01{"id": 1, "do": "state"}\n')
    assert (hello["type"], answer["type"], answer["id"]) == ("hello", "result", 1)


async def test_a_request_is_answered_with_its_id_and_without_echo(program: Program) -> None:
    assert await program.does("state") == {
        "type": "result",
        "format": FORMAT,
        "id": 7,
        "kind": "state",
        "data": {"line": "state"},
        "lines": ["did state", "and said so"],
    }
    assert (await program.does("time move 1h", "my own"))["id"] == "my own"
    assert program.desk.did == [("state", Level.OPERATE), ("time move 1h", Level.OPERATE)]
    assert b"\x1b" not in program.terminal.raw


async def test_the_desk_s_refusal_is_an_error_with_its_code(program: Program) -> None:
    assert await program.does("bad") == {
        "type": "error",
        "format": FORMAT,
        "id": 7,
        "code": "UNKNOWN",
        "message": "`bad`: there is no such command. Type `help`.",
    }
    assert (await program.does("break"))["code"] == "FAILED"
    assert (await program.does("follow on"))["type"] == "result"


@pytest.mark.parametrize("end", [b"\n", b"\r", b"\r\n", b"\n\n\r"])
async def test_lines_may_end_in_any_way_and_come_in_any_pieces(program: Program, end: bytes) -> None:
    line = b'{"id": 1, "do": "state"}' + end
    (answer,) = await program.says(*(bytes((byte,)) for byte in line))
    assert answer["kind"] == "state"


@pytest.mark.parametrize(
    "junk",
    [
        b"state",
        b"{",
        b"[]",
        b"7",
        b"null",
        b'{"id": 1}',
        b'{"id": 1, "do": 7}',
        b'{"id": [1], "do": "state"}',
        b'{"id": 1, "do": "\xff"}',
        b'{"x": ' + b"[" * 4000,
        b'{"do": "state", "x": ' + b"[" * 2000 + b"]" * 2000 + b"}",
        b"\xff\xfe",
        b"\x1b[A\x03\x04",
    ],
)
async def test_junk_gives_one_error_line(program: Program, junk: bytes) -> None:
    answers = await program.says(junk + b"\n")
    assert [(answer["type"], answer["id"], answer["code"]) for answer in answers] == [("error", None, "USAGE")]
    assert "\n" not in str(answers[0]["message"])
    assert program.desk.did == []


async def test_a_line_that_is_too_long_gives_one_error_line_and_the_next_is_read(program: Program) -> None:
    longest = b'{"id": 1, "do": "state"}'.ljust(MOST_LINE_BYTES - 1)
    assert [answer["type"] for answer in await program.says(longest + b"\n")] == ["result"]
    answers = await program.says(longest + b" \n" + b"x" * 100_000 + b"\n" + longest + b"\n")
    assert [answer["type"] for answer in answers] == ["error", "error", "result"]
    assert "too long" in str(answers[0]["message"])


async def test_what_waits_is_bounded_and_what_is_lost_is_said_once(program: Program) -> None:
    lines = b"".join(b'{"id": %d, "do": "state"}\n' % number for number in range(MOST_WAITING + 20))
    answers = await program.says(lines)
    assert [answer["id"] for answer in answers] == [*range(MOST_WAITING - 1), None]
    assert "lines were lost" in str(answers[-1]["message"])


async def test_an_answer_that_is_too_long_for_a_line_is_an_error(program: Program) -> None:
    assert (await program.does("big 1000"))["type"] == "result"
    answer = await program.does(f"big {MOST_ANSWER_BYTES}")
    assert (answer["type"], answer["id"], answer["code"]) == ("error", 7, "FAILED")


async def test_control_c_stops_waiting_for_a_command(program: Program) -> None:
    program.machine.feed(b'{"id": 1, "do": "hang"}\n{"id": 2, "do": "state"}\n')
    await program.terminal.until(lambda: bool(program.desk.did))
    (interrupted, next_one) = await program.says(b"\x03")
    assert (interrupted["id"], interrupted["code"]) == (1, "FAILED")
    assert (next_one["id"], next_one["type"]) == (2, "result")


async def test_news_are_objects_too(program: Program) -> None:
    program.machine.show(Happening(1_700_000_000_000, "refused", {"rule": "ACC-5"}, "refused: ended"))
    assert program.terminal.objects()[-1] == {
        "type": "happened",
        "format": FORMAT,
        "at_ms": 1_700_000_000_000,
        "kind": "refused",
        "data": {"rule": "ACC-5"},
        "line": "refused: ended",
    }


async def test_control_b_leaves_after_what_came_before_it(program: Program) -> None:
    rest = program.machine.feed(b'{"id": 1, "do": "state"}\nhalf a line\x02status\r')
    assert rest == b"status\r"
    assert program.machine.backlog > 0
    await program.running
    assert [each["type"] for each in program.terminal.objects()] == ["hello", "result"]
    assert program.machine.backlog == 0


@given(st.lists(st.binary(max_size=200), max_size=20))
def test_any_bytes_leave_only_whole_lines_of_json(parts: list[bytes]) -> None:
    async def life() -> Program:
        program = Program()
        for part in parts:
            program.machine.feed(part)
        while program.machine.backlog and not program.running.done():
            await asyncio.sleep(0)
        await asyncio.sleep(0)
        program.running.cancel()
        await asyncio.wait({program.running})
        return program

    program = asyncio.run(life())
    assert program.terminal.raw.endswith(b"\n")
    assert len(program.terminal.objects()) == program.terminal.raw.count(b"\n") - 1
