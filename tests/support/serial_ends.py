"""The other end of a serial line under test, and somebody who writes down what a line tells."""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

from protocol.serial import Decoder, Frame, encode

WITHIN_S = 20.0


async def until(holds: Callable[[], bool]) -> None:
    """Wait for a state that the loop will bring about; the bound is for what hangs."""
    async with asyncio.timeout(WITHIN_S):
        while not holds():
            await asyncio.sleep(0.005)


class Text:
    """A `TextListener` that remembers."""

    def __init__(self) -> None:
        self.news: list[str] = []
        self.data = b""

    def attached(self) -> None:
        self.news.append("attached")

    def typed(self, data: bytes) -> None:
        self.data += data

    def detached(self) -> None:
        self.news.append("detached")


class Links:
    """A `LinkListener` that remembers."""

    def __init__(self) -> None:
        self.news: list[tuple[object, ...]] = []

    def link_opened(self, link: int, payload: int) -> None:
        self.news.append(("opened", link, payload))

    def payload_changed(self, link: int, payload: int) -> None:
        self.news.append(("payload", link, payload))

    def fragment_received(self, link: int, fragment: bytes) -> None:
        self.news.append(("fragment", link, fragment))

    def link_closed(self, link: int) -> None:
        self.news.append(("closed", link))


class Host:
    """A program that has a terminal open. Use as a context manager."""

    def __init__(self, path: Path) -> None:
        self.fd = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        self.decoder = Decoder()
        self.text = b""
        self.frames: list[Frame] = []

    def __enter__(self) -> "Host":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Twice is no error."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def write(self, item: bytes | Frame) -> None:
        """Text or a frame."""
        os.write(self.fd, encode(item) if isinstance(item, Frame) else item)

    def read(self) -> None:
        """Take what is there."""
        try:
            data = os.read(self.fd, 65536)
        except (BlockingIOError, OSError):
            return
        for item in self.decoder.feed(data):
            if isinstance(item, Frame):
                self.frames.append(item)
            else:
                self.text += item

    async def says(self, text: bytes) -> None:
        """Wait until the module's side has said `text`."""

        def said() -> bool:
            self.read()
            return text in self.text

        await until(said)

    async def frame(self) -> Frame:
        """The next frame."""

        def came() -> bool:
            self.read()
            return bool(self.frames)

        await until(came)
        return self.frames.pop(0)
