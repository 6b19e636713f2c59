"""Editing a line with prompt-toolkit, on the screen of a terminal."""

import asyncio
from collections import deque

import pytest

from firmware.bench.editing import MOST_TYPED, Screen
from firmware.bench.full import MOST_UNDO, FullEditor
from firmware.bench.keystrokes import Keystrokes
from tests.support.terminals import Terminal

pytestmark = pytest.mark.req("BEN-1")


class Person:
    """Types into a full editor; a `Helper` too."""

    def __init__(self, *history: str) -> None:
        self.terminal = Terminal(columns=40, rows=12)
        self.history = deque(history)
        screen = Screen(self.terminal.write)
        screen.resize(12, 40)
        self.keys = Keystrokes(self._woken, lambda _rows, _columns: None)
        self.state = "sharebox> "
        self.editor = FullEditor(screen, self)

    def _woken(self) -> None:
        self.editor.wake()

    def prompt(self) -> str:
        return self.state

    def complete(self, text: str) -> list[str]:
        return ["start", "state", "stop", "time"]

    async def reads(self, *typed: bytes, begun: str = "") -> str | None:
        """Each part is typed once the one before is done with, as people do."""
        reading = asyncio.create_task(self.editor.read(begun))
        await self.terminal.until(lambda: self.terminal.shows[-1:] == [f"{self.state}{begun}".rstrip()])
        for part in typed:
            self.keys.feed(part)
            await self.terminal.until(lambda: len(self.keys) == 0)
            await asyncio.sleep(0.01)
        return await reading


@pytest.mark.parametrize(
    ("typed", "line"),
    [
        ([b"state\r"], "state"),
        ([b"\r"], ""),
        ([b"s", b"t", b"x", b"\x7f", b"ate", b"\r"], "state"),
        ([b"tate", b"\x1b[H", b"s", b"\r"], "state"),
        ([b"open", b"\x1bb", b"door ", b"\r"], "door open"),
        ([b"door open", b"\x17", b"close\r"], "door close"),
        ([b"half", b"\x03", b"state\r"], "state"),
        ([b"\x04", b"sta", b"\x04", b"te\r"], "state"),
        ([b"xstate", b"\x1b[H", b"\x04", b"\r"], "state"),
        ([b"t", b"\t", b"\r"], "time "),
        ([b"st", b"\t", b"a\r"], "sta"),
        ([b"q", b"\t", b"\r"], "q"),
        ([b"\x1b[A", b"\r"], "second"),
        ([b"\x1b[A", b"\x1b[A", b"\r"], "first"),
        ([b"\x12", b"fir", b"\r", b"\r"], "first"),
        ([b"\x12", b"fir", b"\x03", b"state\r"], "state"),
        ([b"half", b"\x15", b"\x19", b"way\r"], "halfway"),
    ],
)
async def test_a_line_is_edited(typed: list[bytes], line: str) -> None:
    assert await Person("first", "second").reads(*typed) == line


async def test_news_and_choices_stand_above_what_is_typed() -> None:
    person = Person()
    reading = asyncio.create_task(person.reads(b"st"))
    await person.terminal.shown("sharebox> st")
    person.editor.show("news", "more news")
    await person.terminal.shown("news", "more news", "sharebox> st")
    person.keys.feed(b"\t")
    await person.terminal.shown("more news", "sharebox> st", "start  state  stop", "sharebox> st")
    person.state = "sharebox active> "
    person.editor.refresh()
    await person.terminal.shown("start  state  stop", "sharebox active> st")
    person.keys.feed(b"ate\r")
    assert await reading == "state"
    person.editor.show("after it")
    person.editor.refresh()
    await person.terminal.shown("sharebox active> state", "after it")


async def test_a_line_is_bounded_whatever_is_put_in_again() -> None:
    person = Person()
    person.history.append("y" * (MOST_TYPED - 10))
    line = await person.reads(b"\x1b[A", b"x" * 20, b"\x15", b"\x19", b"\x19", b"\x19", b"x", b"\r")
    assert line is not None
    assert MOST_TYPED <= len(line) <= 2 * MOST_TYPED
    assert b"\a" in person.terminal.raw


async def test_lines_typed_ahead_are_read_one_after_the_other() -> None:
    person = Person()
    person.keys.feed(b"one\rtwo\rthree\r")
    assert [await person.editor.read("") for _ in range(3)] == ["one", "two", "three"]


async def test_much_editing_does_not_pile_up() -> None:
    person = Person()
    person.keys.feed(b"x\x7f" * 2 * MOST_UNDO + b"state\r")
    assert await person.editor.read("") == "state"


async def test_leaving_gives_what_was_typed_and_reading_goes_on_with_it() -> None:
    person = Person()
    assert person.editor.leave() == ""
    reading = asyncio.create_task(person.reads(b"half"))
    await person.terminal.shown("sharebox> half")
    assert person.editor.leave() == "half"
    person.editor.leave()
    assert await reading is None
    assert await person.reads(b"way\r", begun="half") == "halfway"


async def test_reading_can_be_cancelled_and_taken_up_again() -> None:
    person = Person()
    reading = asyncio.create_task(person.editor.read("half"))
    await person.terminal.shown("sharebox> half")
    reading.cancel()
    await asyncio.wait({reading})
    person.keys.feed(b"state\r")
    assert await person.editor.read("") == "state"


async def test_two_lines_have_an_editor_each_at_the_same_time() -> None:
    one, two = Person(), Person()
    first = asyncio.create_task(one.reads(b"on"))
    second = asyncio.create_task(two.reads(b"tw"))
    await one.terminal.shown("sharebox> on")
    await two.terminal.shown("sharebox> tw")
    one.editor.show("for one")
    one.keys.feed(b"e\r")
    assert await first == "one"
    two.editor.show("for two")
    await two.terminal.shown("for two", "sharebox> tw")
    two.keys.feed(b"o\r")
    assert await second == "two"
    assert "for two" not in one.terminal.shows
