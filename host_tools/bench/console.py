"""The module's console as a program uses it (BEN-1): machine mode, one JSON object a line in both directions.

Knows the envelope of requests and answers, not one command. What is no object on the line is somebody else's text.
"""

import asyncio
import contextlib
import json
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Final, Self, TypeAlias

import msgspec

from host_tools.bench.answer import Answer, ConsoleRefused
from host_tools.bench.line import LineError, SerialLine
from host_tools.bench.links import is_held as is_held_by_module
from protocol.errors import one_line
from protocol.serial import Frame, Kind

FORMAT: Final = "sharebox-bench/1"
MAX_REQUEST_BYTES: Final = 4096
"""A line to the module, its end included."""
MAX_ANSWER_BYTES: Final = 1 << 20
ENTER_TIMEOUT_S: Final = 5.0
ASK_AGAIN_S: Final = 1.0
ANSWER_TIMEOUT_S: Final = 60.0

_ENTER: Final = b"\x01"
_LEAVE: Final = b"\x02"
_BEGIN: Final = b'{"type":'

Happened: TypeAlias = Callable[[dict[str, object]], None]


class Hello(msgspec.Struct, frozen=True):
    """Who is on the line. `level`: what may be done there: observe, operate, service."""

    module: str = ""
    version: str = ""
    level: str = ""
    prompt: str = ""


class ConsoleClient:
    """`async with ConsoleClient(line) as console:` on an open line. `happened` is told what happens by itself,
    after `do("follow on")`. `hello` is who answered."""

    def __init__(self, line: SerialLine, *, happened: Happened | None = None) -> None:
        self.hello = Hello()
        self._line = line
        self._happened = happened
        self._held = bytearray()
        self._overlong = False
        self._last_id = 0
        self._waiting: dict[int, asyncio.Future[dict[str, object]]] = {}
        self._greeted: asyncio.Future[dict[str, object]] | None = None
        self._stop: Callable[[], None] | None = None
        self._why = "it is not open"

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def open(self) -> None:
        """Switch the console to machine mode. Raises LineError when nothing answers."""
        self._greeted = asyncio.get_running_loop().create_future()
        self._stop = self._line.listen(self._heard, self._lost)
        try:
            self.hello = _hello(await self._enter(self._greeted))
        except BaseException:
            self._hang_up()
            raise

    async def _enter(self, greeted: asyncio.Future[dict[str, object]]) -> dict[str, object]:
        is_held, alive = is_held_by_module(Path(self._line.url)), asyncio.Event()
        stop = self._line.listen_info(lambda _: alive.set())
        try:
            async with asyncio.timeout(ENTER_TIMEOUT_S):
                while not greeted.done():
                    await self._line.send_text(_ENTER)
                    if is_held:  # a module that is well answers this without a bench, too
                        await self._line.send(Frame(Kind.INFO))
                    await asyncio.wait({greeted}, timeout=ASK_AGAIN_S)
        except TimeoutError:
            pass
        except LineError:
            if not is_held or self._line.gone.is_set():
                raise
        finally:
            stop()
        if not greeted.done():
            if is_held and not alive.is_set():
                raise self._hangs()
            raise self._gone(f"no console answered within {ENTER_TIMEOUT_S:g} s")
        if not greeted.result():
            raise self._gone(self._why)
        return greeted.result()

    async def close(self) -> None:
        """Leave the console in friendly mode. Closing twice is no error."""
        if self._stop is not None:
            self._hang_up()
            with contextlib.suppress(LineError):
                await self._line.send_text(_LEAVE)

    async def do(self, command: str, timeout_s: float = ANSWER_TIMEOUT_S) -> Answer:
        """Have one command carried out. Raises ConsoleRefused when the console says no, LineError when it is gone."""
        if self._stop is None:
            raise self._gone(self._why)
        self._last_id += 1
        number = self._last_id
        request = json.dumps({"id": number, "do": command}).encode() + b"\n"
        if len(request) > MAX_REQUEST_BYTES:
            raise ConsoleRefused("USAGE", f"the command is too long: {len(request)} of {MAX_REQUEST_BYTES} bytes.")
        answer: asyncio.Future[dict[str, object]] = asyncio.get_running_loop().create_future()
        self._waiting[number] = answer
        try:
            await self._line.send_text(request)
            async with asyncio.timeout(timeout_s):
                said = await answer
        except TimeoutError:
            why = f"no answer to `{_without_secrets(command)}` within {timeout_s:g} s"
            remedy = "The module is still at it, or it hangs: see its log, or give it more time with --timeout."
            raise LineError(f"cannot use the console on {self._line.url}", why, remedy) from None
        finally:
            del self._waiting[number]
        return self._answer(said)

    def _answer(self, said: dict[str, object]) -> Answer:
        match said:
            case {"type": "result", "kind": str(kind), "data": dict(data), "lines": list(lines)}:
                return Answer(kind, data, tuple(one_line(str(line)) for line in lines))
            case {"type": "error", "code": str(code), "message": str(message)}:
                raise ConsoleRefused(code, message)
            case {"type": _}:
                raise self._gone("the answer was not in its language")
            case _:
                raise self._gone(self._why)

    def _hangs(self) -> LineError:
        why = "the module does not answer: it hangs or is stopped"
        return LineError(
            f"cannot use the console on {self._line.url}", why, "Let it go on, or end it and start it again."
        )

    def _gone(self, why: str) -> LineError:
        remedy = "Check that this is a module's console and that `[bench]` is enabled."
        if self._line.gone.is_set():
            remedy = "Start it again."
        return LineError(f"cannot use the console on {self._line.url}", why, remedy)

    # ------------------------------------------------------------ what comes
    def _heard(self, text: bytes) -> None:
        *whole, rest = text.split(b"\n")
        for part in whole:
            self._hold(part)
            line, overlong = bytes(self._held), self._overlong
            self._held.clear()
            self._overlong = False
            if not overlong:
                self._line_heard(line)
        self._hold(rest)

    def _hold(self, part: bytes) -> None:
        self._overlong = self._overlong or len(self._held) + len(part) > MAX_ANSWER_BYTES
        if not self._overlong:
            self._held += part

    def _line_heard(self, line: bytes) -> None:
        begin = line.find(_BEGIN)
        try:
            said = json.loads(line[begin:]) if begin >= 0 else None
        except (ValueError, RecursionError):
            return
        if isinstance(said, dict):
            self._said(said)

    def _said(self, said: dict[str, object]) -> None:
        kind, number = said.get("type"), said.get("id")
        if kind == "hello":
            if self._greeted is not None and not self._greeted.done():
                self._greeted.set_result(said)
        elif kind == "happened":
            if self._happened is not None:
                self._happened(said)
        elif isinstance(number, int) and (waiting := self._waiting.get(number)) is not None and not waiting.done():
            waiting.set_result(said)

    def _lost(self, why: str) -> None:
        self._why = why
        for waiting in (self._greeted, *self._waiting.values()):
            if waiting is not None and not waiting.done():
                waiting.set_result({})

    def _hang_up(self) -> None:
        if self._stop is not None:
            self._stop()
            self._stop = None


def _without_secrets(command: str) -> str:
    """Behind the second word may be a password or an activation code."""
    words = one_line(command).split()
    return " ".join([*words[:2], *(["..."] if len(words) > 2 else [])])


def _hello(said: dict[str, object]) -> Hello:
    def text(name: str) -> str:
        return one_line(str(said.get(name, "")))

    return Hello(text("module"), text("version"), text("level"), text("prompt"))
