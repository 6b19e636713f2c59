"""Standard output as a screen: everything is written, in order, as fast as it is taken.

Decides what happens when it is not: the oldest goes, so that memory is bounded. Nothing here ever waits for a reader.
"""

import asyncio
import os
from collections.abc import Callable
from typing import Final

MOST_HELD: Final = 1024 * 1024
"""Bytes."""
_AT_ONCE: Final = 4096
"""A pipe that takes anything takes so much without waiting."""


class Screen:
    """`gone` is called once, when nobody will ever read `fd` again. Must be closed."""

    def __init__(self, fd: int, gone: Callable[[], None]) -> None:
        self._fd = fd
        self._gone = gone
        self._held = bytearray()
        self._loop = asyncio.get_running_loop()
        self._idle = asyncio.Event()
        self._idle.set()
        self._is_gone = False

    def show(self, text: bytes) -> None:
        """Write this behind what is still waiting."""
        if self._is_gone or not text:
            return
        self._held += text
        del self._held[: max(0, len(self._held) - MOST_HELD)]
        if not self._idle.is_set():
            return
        self._idle.clear()
        try:
            self._loop.add_writer(self._fd, self._write)
        except PermissionError:  # a file: it is always ready, and no selector takes it
            while self._held:
                self._write()

    def _write(self) -> None:
        try:
            del self._held[: os.write(self._fd, self._held[:_AT_ONCE])]
        except BlockingIOError:
            return
        except OSError:
            self._is_gone = True
            self._held.clear()
            self._gone()
        if not self._held:
            self._rest()

    def _rest(self) -> None:
        self._loop.remove_writer(self._fd)
        self._idle.set()

    async def close(self, within_s: float = 1.0) -> None:
        """Write no more; what waits has so long to be taken."""
        try:
            async with asyncio.timeout(within_s):
                await self._idle.wait()
        except TimeoutError:
            self._rest()
        self._is_gone = True
