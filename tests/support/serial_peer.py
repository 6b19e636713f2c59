"""The other end of a serial line: a pseudo-terminal whose frames and text a test reads and answers."""

import asyncio
import contextlib
import os
import tty
from collections.abc import Callable
from types import TracebackType
from typing import Self

from protocol.serial import Decoder, Frame, Kind, encode, encode_size

Reply = Callable[["SerialPeer", Frame], None]


def welcoming(peer: "SerialPeer", frame: Frame) -> None:
    """Open what is to be opened, close what is to be closed, send every fragment back."""
    match frame.kind:
        case Kind.OPEN:
            peer.send(Frame(Kind.OPENED, frame.channel, encode_size(peer.largest)))
        case Kind.CLOSE:
            peer.send(Frame(Kind.CLOSED, frame.channel))
        case Kind.FRAGMENT:
            peer.send(frame)


class SerialPeer:
    """`async with SerialPeer() as peer:` on a real loop; the host opens `peer.path`. `heard` and `text` are what came.

    `reply` is called with each frame, `read` with each stretch of text.
    """

    def __init__(self, reply: Reply = welcoming, *, largest: int = 200) -> None:
        self.heard: list[Frame] = []
        self.text = bytearray()
        self.largest = largest
        self.reply = reply
        self.read: Callable[[bytes], None] = lambda _: None
        self.news = asyncio.Event()
        self._decoder = Decoder()

    async def __aenter__(self) -> Self:
        self._ours, theirs = os.openpty()
        tty.setraw(theirs)
        self.path = os.ttyname(theirs)
        self._theirs = theirs
        os.set_blocking(self._ours, False)
        asyncio.get_running_loop().add_reader(self._ours, self._readable)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.vanish()

    def vanish(self) -> None:
        """Pull the plug; twice is no error."""
        if self._ours >= 0:
            asyncio.get_running_loop().remove_reader(self._ours)
            os.close(self._ours)
            os.close(self._theirs)
            self._ours = -1

    def deaf(self) -> None:
        """Read nothing any more."""
        asyncio.get_running_loop().remove_reader(self._ours)

    def send(self, frame: Frame) -> None:
        """Write one frame."""
        self.write(encode(frame))

    def write(self, data: bytes) -> None:
        """Write bytes as they are; few enough for the terminal's buffer."""
        assert os.write(self._ours, data) == len(data)

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait until what came is as `holds` wants it."""
        async with asyncio.timeout(10):
            while not holds():
                self.news.clear()
                await self.news.wait()

    def _readable(self) -> None:
        with contextlib.suppress(OSError):
            for one in self._decoder.feed(os.read(self._ours, 4096)):
                if isinstance(one, Frame):
                    self.heard.append(one)
                    self.reply(self, one)
                else:
                    self.text += one
                    self.read(one)
        self.news.set()
