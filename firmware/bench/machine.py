"""Machine mode (BEN-1): programs talk to the desk, one JSON object a line in both directions, no echo, no escape codes.

    -> {"id": 7, "do": "time move 30m"}
    <- {"type": "result", "format": "sharebox-bench/1", "id": 7, "kind": "time", "data": {}, "lines": []}
    <- {"type": "error", "format": "sharebox-bench/1", "id": 7, "code": "USAGE", "message": "what: why. what to do."}
    <- {"type": "happened", "format": "sharebox-bench/1", "at_ms": 0, "kind": "", "data": {}, "line": ""}

Decides the form alone. Commands are carried out one after the other, in the order in which they came.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final

import msgspec

from firmware.bench.results import DeskCode, DeskError, Happening
from firmware.bench.session import Session
from firmware.bench.work import Work

FORMAT: Final = "sharebox-bench/1"
MOST_LINE_BYTES: Final = 4096
"""Of a line to the module, its end included."""
MOST_ANSWER_BYTES: Final = 128 * 1024
MOST_WAITING: Final = 64
"""Lines that wait for their turn."""
AGAIN: Final = 0x01
"""Ctrl-A: say hello once more."""
LEAVE: Final = 0x02
"""Ctrl-B: back to the friendly console."""
INTERRUPT: Final = 0x03
"""Ctrl-C: wait no longer for the command that is at work."""
_ENDS: Final = b"\r\n"


class Request(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One line to the module. `id` comes back with the answer. A field that is misspelt is told, not passed over."""

    do: str
    id: int | str | None = None


class _Hello(msgspec.Struct, frozen=True):
    pass


class _Trouble(msgspec.Struct, frozen=True):
    message: str


class _Line(msgspec.Struct, frozen=True):
    text: bytes


class Machine:
    """One visit of a program at a line. `module` and `version` go into the hello."""

    def __init__(self, session: Session, write: Callable[[bytes], None], *, module: str, version: str) -> None:
        self._session = session
        self._write = write
        self._about = {"module": module, "version": version}
        self._held = bytearray()
        self._too_long = False
        self._waiting: deque[_Hello | _Trouble | _Line] = deque()
        self._woken = asyncio.Event()
        self._left = False
        self._work = Work(session)

    @property
    def backlog(self) -> int:
        """How much is still to be done about what came."""
        return len(self._waiting) + self._work.is_under_way + self._left

    # ------------------------------------------------------------ from the line
    def feed(self, data: bytes) -> bytes | None:
        """Take what came. What follows Ctrl-B, when there was one, is not for this mode and is given back."""
        for place, byte in enumerate(data):
            if byte == LEAVE:
                self._held.clear()
                self._too_long = False
                self._left = True
                self._woken.set()
                return data[place + 1 :]
            self._take(byte)
        return None

    def interrupt(self) -> None:
        """Wait no longer for the command that is at work."""
        self._work.interrupt()

    def show(self, happening: Happening) -> None:
        """News."""
        self._say("happened", at_ms=happening.at_ms, kind=happening.kind, data=happening.data, line=happening.line)

    def _take(self, byte: int) -> None:
        if byte in _ENDS:
            line, too_long = bytes(self._held), self._too_long
            self._held.clear()
            self._too_long = False
            if too_long:
                self._put(_Trouble(f"the line is too long: at most {MOST_LINE_BYTES} bytes are read. Shorten it."))
            elif line.strip():
                self._put(_Line(line))
        elif byte == AGAIN:
            self._held.clear()
            self._too_long = False
            self._put(_Hello())
        elif byte == INTERRUPT:
            self.interrupt()
        elif len(self._held) >= MOST_LINE_BYTES - 1:
            self._too_long = True
        else:
            self._held.append(byte)

    def _put(self, item: _Hello | _Trouble | _Line) -> None:
        """One that finds no room is lost, which is said once until there is some."""
        if len(self._waiting) < MOST_WAITING:
            self._waiting.append(item)
        elif isinstance(self._waiting[-1], _Line):
            self._waiting[-1] = _Trouble(f"lines were lost: only {MOST_WAITING} may wait. Wait for answers.")
        self._woken.set()

    # ------------------------------------------------------------ at work
    async def run(self) -> None:
        """Say hello and serve until Ctrl-B."""
        self._write(b"\r\n")
        self._hello()
        while True:
            while self._waiting:
                await self._answer(self._waiting.popleft())
            if self._left:
                self._left = False
                return
            self._woken.clear()
            await self._woken.wait()

    def _hello(self) -> None:
        self._say("hello", **self._about, level=self._session.level.word, prompt=self._session.prompt())

    async def _answer(self, item: _Hello | _Trouble | _Line) -> None:
        match item:
            case _Hello():
                self._hello()
            case _Trouble(message):
                self._refuse(None, DeskError(DeskCode.USAGE, message))
            case _Line(text):
                await self._do(text)

    async def _do(self, text: bytes) -> None:
        try:
            request = msgspec.json.decode(text, type=Request)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            why = f'no request: {error}. Send one object a line: {{"id": 1, "do": "help"}}.'
            self._refuse(None, DeskError(DeskCode.USAGE, why))
            return
        try:
            result = await self._work.do(request.do)
        except DeskError as error:
            self._refuse(request.id, error)
        else:
            self._say("result", id=request.id, kind=result.kind, data=result.data, lines=result.lines)

    def _refuse(self, number: int | str | None, error: DeskError) -> None:
        self._say("error", id=number, code=error.code.value, message=error.message)

    def _say(self, what: str, **values: object) -> None:
        line = msgspec.json.encode({"type": what, "format": FORMAT, **values})
        if len(line) > MOST_ANSWER_BYTES:
            error = DeskError(DeskCode.FAILED, "the answer is too long for a line. Ask for less.")
            line = msgspec.json.encode(
                {
                    "type": "error",
                    "format": FORMAT,
                    "id": values.get("id"),
                    "code": error.code.value,
                    "message": error.message,
                }
            )
        self._write(line + b"\r\n")
