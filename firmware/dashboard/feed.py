"""What every open page is told: sections that replace each other, and lines that follow each other.

Decides what a page gets that was away: what it missed, or, when that is too much, a whole picture. Bounded: all pages
read from one ring, so one that is slow costs nothing.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Mapping
from typing import Final

import msgspec

BEAT_S: Final = 4.0
"""A page that hears nothing for three of these takes the connection for lost."""
MOST_EVENTS: Final = 512
MOST_LINES: Final = 400
MOST_READERS: Final = 16


class Line(msgspec.Struct, frozen=True):
    """One line of the log. `who`: story, bench, car, module, phone or owner; `weight`: quiet, plain, news or alert."""

    time: str
    who: str
    text: str
    weight: str = "plain"


class Feed:
    """For one event loop. `run` tells one process from the next."""

    def __init__(self, run: str) -> None:
        self.run = run
        self.readers = 0
        self.someone = asyncio.Event()
        """Set while a page is open."""
        self._sections: dict[str, bytes] = {}
        self._lines: deque[Line] = deque(maxlen=MOST_LINES)
        self._ring: deque[tuple[int, bytes]] = deque(maxlen=MOST_EVENTS)
        self._number = 0
        self._news = asyncio.Event()
        self._closed = False

    # ------------------------------------------------------------ writing
    def show(self, view: Mapping[str, object]) -> None:
        """The latest picture; what differs from the one before goes out."""
        packed = {name: msgspec.json.encode(section) for name, section in view.items()}
        changed = {name: data for name, data in packed.items() if self._sections.get(name) != data}
        if changed:
            self._sections.update(changed)
            self._put("change", _object(changed))

    def say(self, line: Line) -> None:
        """One more line of the log."""
        self._lines.append(line)
        self._put("news", msgspec.json.encode(line))

    def close(self) -> None:
        """No more: every reader comes to its end."""
        self._closed = True
        self._wake()

    def _put(self, kind: str, data: bytes) -> None:
        self._number += 1
        self._ring.append((self._number, self._event(kind, data)))
        self._wake()

    def _wake(self) -> None:
        self._news.set()
        self._news = asyncio.Event()

    # ------------------------------------------------------------ reading
    @property
    def crowded(self) -> bool:
        """Whether no further page can be served."""
        return self.readers >= MOST_READERS

    def resumable(self, after: str) -> int | None:
        """The number after which a page that knows `after` goes on, None when it needs the whole picture."""
        run, _, number = after.partition("-")
        if run != self.run or not (number.isascii() and number.isdecimal() and len(number) < 12):
            return None
        at = int(number)
        return at if self._oldest() - 1 <= at <= self._number else None

    async def read(self, after: str = "") -> AsyncGenerator[bytes, None]:
        """Server-sent events until `close`."""
        self.readers += 1
        self.someone.set()
        try:
            at = self.resumable(after)
            if at is not None:
                yield self._event("resumed", b"{}", at)
            while not self._closed:
                if at is None or at < self._oldest() - 1:
                    at = self._number
                    yield self._event("snapshot", self._snapshot())
                news = self._news
                for number, event in tuple(self._ring):
                    if number > at >= self._oldest() - 1:
                        at = number
                        yield event
                if at == self._number and news is self._news and not await _set_within(news, BEAT_S):
                    yield b"event: beat\ndata: {}\n\n"
        finally:
            self.readers -= 1
            if not self.readers:
                self.someone.clear()

    def _oldest(self) -> int:
        return self._ring[0][0] if self._ring else self._number + 1

    def _snapshot(self) -> bytes:
        lines = msgspec.json.encode(list(self._lines))
        return _object({"run": msgspec.json.encode(self.run), "view": _object(self._sections), "log": lines})

    def _event(self, kind: str, data: bytes, number: int | None = None) -> bytes:
        shown = self._number if number is None else number
        return f"id: {self.run}-{shown}\nevent: {kind}\ndata: ".encode() + data + b"\n\n"


def _object(fields: Mapping[str, bytes]) -> bytes:
    """A JSON object of values that are JSON already."""
    return b"{" + b",".join(msgspec.json.encode(name) + b":" + value for name, value in fields.items()) + b"}"


async def _set_within(event: asyncio.Event, seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return False
    return True
