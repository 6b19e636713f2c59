"""A file descriptor as one end of a wire: read when something came, written when there is room.

Decides that neither waits for the other side. Refuses to know what device it is, and what the bytes are.
"""

import asyncio
import os
from collections.abc import Callable
from typing import Final, Protocol

from firmware.adapters.serial.outbox import Outbox

CHUNK_BYTES: Final = 4096
"""Read or written at once; then it is the turn of others."""


class LineUnavailable(Exception):
    """The device can not be had: one line with what, why and what to do."""


class WireUser(Protocol):
    """Whom a device tells. Called from the event loop."""

    def attached(self) -> None:
        """There may be somebody at the other end."""

    def heard(self, data: bytes) -> None:
        """Bytes came."""

    def detached(self) -> None:
        """There is nobody. Alternates with `attached`."""


class Device(Protocol):
    """A UART or a pseudo-terminal."""

    def open(self) -> None:
        """Get hold of it. Raises LineUnavailable when that is hopeless."""

    async def run(self, outbox: Outbox, user: WireUser) -> None:
        """Carry bytes both ways until cancelled, whoever comes and goes at the other end."""

    def wake(self) -> None:
        """Something was put into the outbox."""

    def close(self) -> None:
        """Let go of it. Twice is no error."""


class Wire:
    """An open, non-blocking descriptor, which stays its owner's. `lost` is called once, and then nothing more."""

    def __init__(self, fd: int, outbox: Outbox, heard: Callable[[bytes], None], lost: Callable[[str], None]) -> None:
        self._fd = fd
        self._outbox = outbox
        self._heard = heard
        self._lost = lost
        self._loop = asyncio.get_running_loop()
        self._writing = False
        self._open = True
        self._loop.add_reader(fd, self._read)

    def wake(self) -> None:
        """Write what waits, or as soon as there is room."""
        if self._open and not self._writing:
            self._write()

    def close(self) -> None:
        """Leave the descriptor alone. Twice is no error."""
        if self._open:
            self._open = False
            self._loop.remove_reader(self._fd)
            self._loop.remove_writer(self._fd)

    def _read(self) -> None:
        try:
            data = os.read(self._fd, CHUNK_BYTES)
        except BlockingIOError:
            return
        except OSError as error:
            self._lose(error.strerror or type(error).__name__)
            return
        if data:
            self._heard(data)
        else:
            self._lose("the other end is gone")

    def _write(self) -> None:
        """One chunk a turn. Whoever puts something into the outbox is not told within the call that all is lost."""
        try:
            chunk = self._outbox.next()[:CHUNK_BYTES]
            if chunk:
                self._outbox.took(os.write(self._fd, chunk))
        except BlockingIOError:
            pass
        except OSError as error:
            self._loop.call_soon(self._lose, error.strerror or type(error).__name__)
            self._writing = True
            return
        wanted = len(self._outbox) > 0
        if wanted and not self._writing:
            self._loop.add_writer(self._fd, self._write)
        elif self._writing and not wanted:
            self._loop.remove_writer(self._fd)
        self._writing = wanted

    def _lose(self, why: str) -> None:
        if self._open:
            self.close()
            self._lost(why)
