"""The friendly console (BEN-1): a person at any terminal program types commands of the desk, and sees what happens.

Decides how a line is read, remembered and answered, and that Ctrl-C always helps. What the commands are is the desk's
affair. It begins plainly, and edits in full as soon as the terminal has told its size.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final, Literal

import msgspec

from firmware.bench.editing import Editor, Screen
from firmware.bench.full import FullEditor
from firmware.bench.hush import is_secret
from firmware.bench.keystrokes import ASK_SIZE, Keystrokes
from firmware.bench.plain import PlainEditor
from firmware.bench.results import DeskError
from firmware.bench.session import Session
from firmware.bench.work import Work

Terminal = Literal["auto", "plain", "full"]
"""`auto`: plain until the terminal has told its size."""

MOST_NEWS: Final = 100
"""Lines shown at once; of more, the last ones."""
_INTERRUPT: Final = b"\x03"
_JSON: Final = "--json"
_UNREMEMBERED: Final = ("level ",)
"""A password may follow, also one that is not there yet."""


class Console:
    """One visit of somebody at a line. `history` outlives it; `feed` gives it what was typed."""

    def __init__(
        self,
        session: Session,
        write: Callable[[bytes], None],
        *,
        history: "deque[str]",
        greeting: str,
        terminal: Terminal = "auto",
    ) -> None:
        self.history = history
        self.keys = Keystrokes(self._woken, self._answered)
        self._session = session
        self._work = Work(session)
        self._terminal: Terminal = terminal
        self._greeting = greeting
        self._screen = Screen(write)
        self._editor: Editor = PlainEditor(self._screen, self)
        self._wants_full = terminal == "full"
        self._has_full = False
        self._begun = ""
        self._reading = False
        self._leaving = False
        self._news: deque[str] = deque(maxlen=MOST_NEWS)
        self._unshown = 0
        self._showing: asyncio.Handle | None = None

    @property
    def backlog(self) -> int:
        """How much is still to be done about what was typed."""
        return len(self.keys) + (not self._reading)

    # ------------------------------------------------------------ Helper
    def prompt(self) -> str:
        """As Helper."""
        return f"{self._session.prompt()}> "

    def complete(self, text: str) -> list[str]:
        """As Helper."""
        return self._session.complete(text)

    # ------------------------------------------------------------ from the line
    def feed(self, data: bytes) -> None:
        """What was typed."""
        if _INTERRUPT in data and self._work.is_under_way:
            self.keys.clear()
            self._work.interrupt()
            data = data.rpartition(_INTERRUPT)[2]
        self.keys.feed(data)

    def show(self, line: str) -> None:
        """News. They are shown together, and of many at once only the last."""
        self._news.append(line)
        self._unshown += 1
        if self._showing is None:
            self._showing = asyncio.get_running_loop().call_soon(self._show)

    def refresh(self) -> None:
        """The prompt may be another one."""
        self._editor.refresh()

    def leave(self) -> None:
        """Let `run` return; a command that is at work is not waited for."""
        self._leaving = True
        self.keys.clear()
        self._editor.leave()
        self._work.interrupt()

    def interrupt(self) -> None:
        """Wait no longer for the command that is at work."""
        self._work.interrupt()

    def close(self) -> None:
        """Show nothing any more."""
        if self._showing is not None:
            self._showing.cancel()

    # ------------------------------------------------------------ at work
    async def run(self) -> None:
        """Serve until `leave`."""
        if self._greeting:
            size = ASK_SIZE.decode() if self._terminal == "auto" else ""
            self._screen.write(f"\r\n{size}")
            self._screen.lines(self._greeting)
            self._greeting = ""
        while not self._leaving:
            if self._wants_full and not self._has_full:
                self._editor, self._has_full = FullEditor(self._screen, self), True
            begun, self._begun = self._begun, ""
            self._reading = True
            try:
                line = await self._editor.read(begun)
            finally:
                self._reading = False
            if line is not None:
                await self._do(line.strip())
        self._leaving = False

    async def _do(self, line: str) -> None:
        if not line:
            return
        again = bool(self.history) and self.history[-1] == line
        if not (again or line.startswith(_UNREMEMBERED) or is_secret(line)):
            self.history.append(line)
        as_json = line.endswith(f" {_JSON}")
        try:
            result = await self._work.do(line.removesuffix(_JSON) if as_json else line)
        except DeskError as error:
            self._screen.lines(error.message)
        else:
            shown = (msgspec.json.encode(result.data).decode(),) if as_json else result.lines
            self._screen.lines(*shown)

    # ------------------------------------------------------------ by itself
    def _woken(self) -> None:
        self._editor.wake()

    def _answered(self, rows: int, columns: int) -> None:
        """The terminal has told its size, so it can move the cursor."""
        self._screen.resize(rows, columns)
        if self._terminal != "auto" or self._wants_full:
            self._editor.refresh()
            return
        self._wants_full = True
        if self._reading:
            self._begun = self._editor.leave()
            self._screen.write("\r\x1b[K")

    def _show(self) -> None:
        self._showing = None
        missing = self._unshown - len(self._news)
        if missing:
            self._news[0] = f"... {missing + 1} more"
        lines = tuple(self._news)
        self._news.clear()
        self._unshown = 0
        self._editor.show(*lines)
