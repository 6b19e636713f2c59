"""The desk at a line of text: somebody comes, types or sends JSON, and goes.

Decides which of the two modes the bytes are for, and that nothing of one visit is left for the next but the history.
"""

import asyncio
from collections import deque
from contextlib import suppress
from typing import Final

import msgspec
import structlog

from firmware.bench.console import Console, Terminal
from firmware.bench.desk import Desk
from firmware.bench.editing import MOST_REMEMBERED
from firmware.bench.levels import Level
from firmware.bench.machine import INTERRUPT, Machine
from firmware.bench.password import Password
from firmware.bench.results import Happening
from firmware.bench.session import Session
from firmware.bench.textline import TextLine

log = structlog.get_logger("sharebox")

ENTER: Final = b"\x01"
"""Ctrl-A: machine mode."""
SETTLE_S: Final = 0.1
MOST_WAITING_BYTES: Final = 64 * 1024
"""Of what was typed while the mode changes."""


class Manner(msgspec.Struct, frozen=True):
    """How a line is served. `begins`: as `Session`; `password`: what opens the higher levels, None: nothing does;
    `module`, `version`: what it says of itself."""

    begins: Level
    password: str | None = None
    module: str = ""
    version: str = ""
    terminal: Terminal = "auto"


class Front:
    """One line."""

    def __init__(self, line: TextLine, desk: Desk, manner: Manner) -> None:
        self._line = line
        self._desk = desk
        self._manner = manner
        self._password = None if manner.password is None else Password(manner.password)
        self._history: deque[str] = deque(maxlen=MOST_REMEMBERED)
        self._present = False
        self._came = asyncio.Event()
        self._visit: _Visit | None = None
        self._visiting: asyncio.Task[None] | None = None

    @property
    def backlog(self) -> int:
        """How much is still to be done about what was typed; 0: the line waits for more."""
        return 1 if self._visit is None else self._visit.backlog

    async def run(self) -> None:
        """Serve whoever comes, until cancelled."""
        self._line.listen(self)
        try:
            while True:
                await self._came.wait()
                self._came.clear()
                visit = self._visit
                if visit is not None:
                    await visit.settled()
                if visit is not None and visit is self._visit:
                    await self._serve(visit)
        finally:
            self._visit = None

    async def _serve(self, visit: "_Visit") -> None:
        """Until somebody goes. A visit that breaks off is over; the next key begins another."""
        self._visiting = asyncio.create_task(visit.run(), name=f"console {self._line.name}")
        try:
            await asyncio.wait({self._visiting})
            if not self._visiting.cancelled() and (error := self._visiting.exception()) is not None:
                log.error("a console broke off", line=self._line.name, exc_info=error)
            if self._visit is visit:
                self._visit = None
        finally:
            self._visiting.cancel()
            await asyncio.wait({self._visiting})

    # ------------------------------------------------------------ TextListener
    def attached(self) -> None:
        """As TextListener."""
        self._present = True
        self._begin()

    def typed(self, data: bytes) -> None:
        """As TextListener."""
        if self._visit is None and self._present:
            self._begin()
        if self._visit is not None:
            self._visit.typed(data)

    def detached(self) -> None:
        """As TextListener."""
        self._present = False
        self._visit = None
        if self._visiting is not None:
            self._visiting.cancel()

    def _begin(self) -> None:
        self._visit = _Visit(self._desk, self._line, self._history, self._manner, self._password)
        self._came.set()


class _Visit:
    """Somebody, from coming to going: first the console, then by turns."""

    def __init__(
        self, desk: Desk, line: TextLine, history: "deque[str]", manner: Manner, password: Password | None
    ) -> None:
        greeting = (
            f"Sharebox {manner.version}, module {manner.module}. Type `help`; Tab completes. Ctrl-A: machine mode."
        )
        self._desk = desk
        self._session = Session(desk, manner.begins, password=password, name=line.name, listener=self.heard)
        self._console = Console(self._session, line.write, history=history, greeting=greeting, terminal=manner.terminal)
        self._machine = Machine(self._session, line.write, module=manner.module, version=manner.version)
        self._for_machine = False
        self._changing = False
        self._waiting = b""
        self._stirred = asyncio.Event()

    @property
    def backlog(self) -> int:
        """As Front."""
        mode: Console | Machine = self._machine if self._for_machine else self._console
        return len(self._waiting) + self._changing + mode.backlog

    async def settled(self) -> None:
        """Terminal programs begin by throwing away what has come: wait a moment, or for the first key."""
        with suppress(TimeoutError):
            async with asyncio.timeout(SETTLE_S):
                await self._stirred.wait()

    async def run(self) -> None:
        """Serve until cancelled."""
        stop = self._desk.follow(lambda _news: self._console.refresh())
        try:
            while True:
                await self._console.run()
                self._session.hear(False)
                self._changed(for_machine=True)
                await self._machine.run()
                self._session.hear(False)
                self._changed(for_machine=False)
        finally:
            stop()
            self._session.close()
            self._console.close()

    def heard(self, news: Happening) -> None:
        """News, for whoever follows them."""
        if self._for_machine:
            self._machine.show(news)
        else:
            self._console.show(news.line)

    def typed(self, data: bytes) -> None:
        """What came, for the mode that it is meant for; while that changes it has to wait."""
        self._stirred.set()
        if self._changing and INTERRUPT in data:
            self._console.interrupt()
            self._machine.interrupt()
        self._waiting = (self._waiting + data)[:MOST_WAITING_BYTES]
        while self._waiting and not self._changing:
            data, self._waiting = self._waiting, b""
            if self._for_machine:
                rest = self._machine.feed(data)
                self._changing, self._waiting = rest is not None, rest or b""
            else:
                typed, enter, self._waiting = data.partition(ENTER)
                self._console.feed(typed)
                if enter:
                    self._changing = True
                    self._console.leave()

    def _changed(self, *, for_machine: bool) -> None:
        self._for_machine, self._changing = for_machine, False
        self.typed(b"")
