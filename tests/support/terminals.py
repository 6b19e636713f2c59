"""A person's terminal at a line that is none, and a desk that does little, for the tests of the consoles."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pyte

from firmware.bench.desk import Desk
from firmware.bench.levels import Level
from firmware.bench.results import DeskCode, DeskError, Happening, Result
from firmware.bench.session import Session
from firmware.bench.textline import TextListener

WITHIN_S = 2.0


class ScriptedDesk(Desk):
    """Knows a few commands: `hang` never ends, `break` breaks off, `big` says much, `bad` is refused."""

    def __init__(self) -> None:
        self.did: list[tuple[str, Level]] = []
        self.listeners: list[Callable[[Happening], None]] = []
        self.state = "sharebox none"
        self.cancelled = 0

    async def do(self, line: str, level: Level) -> Result:
        self.did.append((line, level))
        match line.split():
            case ["hang"]:
                try:
                    await asyncio.get_running_loop().create_future()
                except asyncio.CancelledError:
                    self.cancelled += 1
                    raise
            case ["break"]:
                raise RuntimeError("a bug")
            case ["big", size]:
                return Result("big", {"text": "x" * int(size)}, ())
            case ["drive"]:
                self.state = "sharebox active"
                self.tell("driven")
            case ["bad", *_] | []:
                raise DeskError(DeskCode.UNKNOWN, f"`{line}`: there is no such command. Type `help`.")
            case _:
                pass
        return Result(line.split(maxsplit=1)[0], {"line": line}, (f"did {line}", "and said so"))

    def complete(self, text: str, level: Level) -> list[str]:
        return ["start", "state", "stop", "time"] if len(text.split()) < 2 and not text.endswith(" ") else ["freeze"]

    def follow(self, listener: Callable[[Happening], None]) -> Callable[[], None]:
        self.listeners.append(listener)
        return lambda: self.listeners.remove(listener) if listener in self.listeners else None

    def prompt(self) -> str:
        return self.state

    def tell(self, line: str) -> None:
        """News."""
        for listener in list(self.listeners):
            listener(Happening(1_700_000_000_000, "step", {"n": 1}, line))


class _Screen(pyte.Screen):
    """Answers when it is asked for the cursor's place."""

    answer: Callable[[str], None] = staticmethod(lambda _text: None)

    def write_process_input(self, data: str) -> None:
        self.answer(data)


class Terminal:
    """A `TextLine`. `shows` is what a person sees; `answers` False: a terminal that knows nothing of escape codes."""

    name = "console"

    def __init__(self, columns: int = 60, rows: int = 20, *, answers: bool = True) -> None:
        self.raw = b""
        self._screen = _Screen(columns, rows)
        self._stream = pyte.ByteStream(self._screen)
        self._listener: TextListener | None = None
        self._loop = asyncio.get_running_loop()
        if answers:
            self._screen.answer = self._answer

    def _answer(self, text: str) -> None:
        self._loop.call_soon(self.type, text.encode())

    def resize(self, columns: int) -> None:
        """The window is made wider or narrower."""
        self._screen.resize(columns=columns)

    # ------------------------------------------------------------ TextLine
    def listen(self, listener: TextListener) -> None:
        self._listener = listener

    def write(self, text: bytes) -> None:
        self.raw += text
        self._stream.feed(text)

    # ------------------------------------------------------------ the person
    def come(self) -> None:
        self._tell().attached()

    def go(self) -> None:
        self._tell().detached()

    def type(self, *parts: bytes | str) -> None:
        """Each part comes in one go."""
        for part in parts:
            self._tell().typed(part.encode() if isinstance(part, str) else part)

    @property
    def shows(self) -> list[str]:
        """The lines of the screen that have something on them."""
        return [line.rstrip() for line in self._screen.display if line.strip()]

    def _tell(self) -> TextListener:
        assert self._listener is not None, "nobody listens yet"
        return self._listener

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait for a state; the loop's time is virtual."""
        try:
            async with asyncio.timeout(WITHIN_S):
                while not holds():
                    await asyncio.sleep(0.01)
        except TimeoutError:
            raise AssertionError(f"never came: {self.shows} {self.raw[-500:]!r}") from None

    async def shown(self, *last: str) -> None:
        """Wait until these are the last lines of the screen."""
        await self.until(lambda: self.shows[-len(last) :] == list(last))

    def objects(self) -> list[dict[str, Any]]:
        """Whole lines of JSON among what was written."""
        lines = self.raw.split(b"\n")[:-1]
        return [json.loads(line) for line in lines if line.startswith(b"{")]


def session(desk: Desk, level: Level = Level.OPERATE) -> Session:
    """Somebody at `desk`, who follows no news."""
    return Session(desk, level)
