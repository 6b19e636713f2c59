"""An editor for terminals that know nothing: no escape codes, only characters, Return and Backspace.

Decides how a line is edited with that alone: at its end.
"""

import asyncio
from typing import Final

from prompt_toolkit.key_binding import KeyPress
from prompt_toolkit.keys import Keys

from firmware.bench.completion import completed, in_columns
from firmware.bench.editing import BELL, MOST_TYPED, Helper, Screen

KEYS_A_TURN: Final = 64
"""Then it is the turn of others."""
_ERASE: Final = "\b \b"


class PlainEditor:
    """An `Editor`."""

    def __init__(self, screen: Screen, helper: Helper) -> None:
        self._screen = screen
        self._helper = helper
        self._text = ""
        self._place = 0
        self._done: asyncio.Future[str | None] | None = None
        self._turn: asyncio.Handle | None = None

    async def read(self, begun: str) -> str | None:
        """As Editor."""
        self._text = begun
        self._place = len(self._helper.history)
        self._done = asyncio.get_running_loop().create_future()
        self._screen.write(f"{self._helper.prompt()}{begun}")
        self.wake()
        try:
            return await self._done
        finally:
            self._done = None
            if self._turn is not None:
                self._turn.cancel()
                self._turn = None

    def leave(self) -> str:
        """As Editor."""
        if self._done is not None and not self._done.done():
            self._done.set_result(None)
        return self._text

    def wake(self) -> None:
        """As Editor."""
        if self._done is not None and self._turn is None:
            self._turn = asyncio.get_running_loop().call_soon(self._take)

    def show(self, *lines: str) -> None:
        """As Editor."""
        if self._done is None:
            self._screen.lines(*lines)
            return
        self._screen.lines("", *lines)
        self._screen.write(f"{self._helper.prompt()}{self._text}")

    def refresh(self) -> None:
        """As Editor: without escape codes it stays as it was written."""

    def _take(self) -> None:
        self._turn = None
        for _ in range(KEYS_A_TURN):
            if self._done is None or self._done.done():
                return
            key = self._helper.keys.take()
            if key is None:
                return
            self._press(key, self._done)
        self.wake()

    def _press(self, key: KeyPress, done: asyncio.Future[str | None]) -> None:
        match key.key:
            case Keys.ControlM:
                self._screen.write("\r\n")
                done.set_result(self._text)
            case Keys.ControlC:
                self._screen.write(f"^C\r\n{self._helper.prompt()}")
                self._text = ""
            case Keys.ControlH:
                self._replace(self._text[:-1]) if self._text else self._screen.write(BELL)
            case Keys.ControlW:
                self._replace(self._text.rstrip().rpartition(" ")[0] + " " * (" " in self._text.rstrip()))
            case Keys.ControlU:
                self._replace("")
            case Keys.ControlL:
                self._screen.write(f"\r\n{self._helper.prompt()}{self._text}")
            case Keys.ControlI:
                self._complete()
            case Keys.Up | Keys.ControlP:
                self._recall(self._place - 1)
            case Keys.Down | Keys.ControlN:
                self._recall(self._place + 1)
            case Keys.BracketedPaste:
                self._type(key.data)
            case str(char) if not isinstance(char, Keys):
                self._type(char)
            case _:
                self._screen.write(BELL)

    def _type(self, text: str) -> None:
        room = MOST_TYPED - len(self._text)
        self._text += text[:room]
        self._screen.write(text[:room] if len(text) <= room else text[:room] + BELL)

    def _replace(self, text: str) -> None:
        """Only what differs is erased and written."""
        kept = 0
        while kept < min(len(text), len(self._text)) and text[kept] == self._text[kept]:
            kept += 1
        self._screen.write(_ERASE * (len(self._text) - kept) + text[kept:])
        self._text = text

    def _recall(self, place: int) -> None:
        history = self._helper.history
        if not 0 <= place <= len(history):
            self._screen.write(BELL)
            return
        self._place = place
        self._replace(history[place] if place < len(history) else "")

    def _complete(self) -> None:
        found = completed(self._text, self._helper.complete(self._text))
        if found.choices:
            self.show(*in_columns(found.choices, self._screen.columns))
        elif found.insert:
            self._type(found.insert)
        else:
            self._screen.write(BELL)
