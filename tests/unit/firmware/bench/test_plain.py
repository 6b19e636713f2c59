"""Editing a line without escape codes."""

import asyncio
from collections import deque

import pytest

from firmware.bench.editing import MOST_TYPED, Screen
from firmware.bench.keystrokes import Keystrokes
from firmware.bench.plain import PlainEditor
from tests.support.terminals import Terminal

pytestmark = pytest.mark.req("BEN-1")


class Person:
    """Types into a plain editor; a `Helper` too."""

    def __init__(self, *history: str) -> None:
        self.terminal = Terminal()
        self.history = deque(history)
        self.editor = PlainEditor(Screen(self.terminal.write), self)
        self.keys = Keystrokes(self.editor.wake, lambda _rows, _columns: None)

    def prompt(self) -> str:
        return "sharebox> "

    def complete(self, text: str) -> list[str]:
        return ["start", "state", "stop", "time"]

    async def reads(self, typed: bytes, begun: str = "") -> str | None:
        self.keys.feed(typed)
        return await self.editor.read(begun)


@pytest.mark.parametrize(
    ("typed", "line"),
    [
        (b"state\r", "state"),
        (b"\r", ""),
        (b"stxate\x7f\x7f\x7f\x7fate\r", "state"),
        (b"\x7f\x7fx\r", "x"),
        (b"door  open\x17close\r", "door  close"),
        (b"door\x17state\r", "state"),
        (b"nonsense\x15state\r", "state"),
        (b"half\x03state\r", "state"),
        (b"sta\x04te\r", "state"),
        (b"t\t\r", "time "),
        (b"st\ta\r", "sta"),
        (b"q\t\r", "q"),
        (b"\x1b[A\r", "second"),
        (b"\x10\x10\r", "first"),
        (b"\x10\x10\x10\r", "first"),
        (b"\x10\x10\x0e\r", "second"),
        (b"\x10\x0e\x0ex\r", "x"),
        (b"x\x0cy\r", "xy"),
    ],
)
async def test_a_line_is_edited(typed: bytes, line: str) -> None:
    assert await Person("first", "second").reads(typed) == line


async def test_the_screen_shows_what_is_in_the_line() -> None:
    person = Person("a long line of old", "a long rule")
    reading = asyncio.create_task(person.reads(b""))
    await person.terminal.shown("sharebox>")
    person.keys.feed(b"\x10\x10")
    await person.terminal.shown("sharebox> a long line of old")
    person.keys.feed(b"\x0e")
    await person.terminal.shown("sharebox> a long rule")
    person.keys.feed(b"\x15st\t")
    await person.terminal.shown("sharebox> st", "start  state  stop", "sharebox> st")
    person.editor.show("news", "more news")
    await person.terminal.shown("sharebox> st", "news", "more news", "sharebox> st")
    person.editor.refresh()
    person.keys.feed(b"\x03")
    await person.terminal.shown("sharebox> st^C", "sharebox>")
    person.keys.feed(b"ok\r")
    assert await reading == "ok"
    assert b"\x1b" not in person.terminal.raw
    person.editor.show("after it")
    await person.terminal.shown("sharebox> ok", "after it")


async def test_a_line_is_bounded_and_the_bell_rings() -> None:
    person = Person()
    assert await person.reads(b"x" * (MOST_TYPED + 5) + b"\r") == "x" * MOST_TYPED
    assert person.terminal.raw.count(b"\a") == 1


async def test_lines_typed_ahead_are_read_one_after_the_other() -> None:
    person = Person()
    assert await person.reads(b"one\rtwo\rthree\r" + b"\x7f" * 200 + b"four\r") == "one"
    assert [await person.reads(b"") for _ in range(3)] == ["two", "three", "four"]


async def test_leaving_gives_what_was_typed_and_reading_goes_on_with_it() -> None:
    person = Person()
    reading = asyncio.create_task(person.reads(b"half"))
    await person.terminal.shown("sharebox> half")
    assert person.editor.leave() == "half"
    assert person.editor.leave() == "half"
    assert await reading is None
    assert await person.reads(b"way\r", "half") == "halfway"
