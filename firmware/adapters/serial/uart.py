"""A UART by its device path (BEN-1, BEN-2).

Decides that one that is not there is waited for, with pauses that grow to a bound: adapters are plugged in and out.
"""

import asyncio
import os
import termios
from typing import Final

import serial
import structlog

from firmware.adapters.serial.outbox import Outbox
from firmware.adapters.serial.wire import Wire, WireUser
from protocol.errors import one_line

REOPEN_S: Final = (0.5, 1.0, 2.0, 4.0, 8.0, 10.0)
"""Pauses before the next try; the last one repeats."""

log = structlog.get_logger("sharebox")


class Uart:
    """`Device`: 8 data bits, no parity, one stop bit, no flow control, for this program alone."""

    def __init__(self, path: str, baud: int) -> None:
        self._path = path
        self._baud = baud
        self._port: serial.Serial | None = None
        self._wire: Wire | None = None

    def open(self) -> None:
        """As Device. Whether it is there shows when it runs."""

    def close(self) -> None:
        """As Device."""
        port, self._port = self._port, None
        if port is not None:
            port.close()

    def wake(self) -> None:
        """As Device."""
        if self._wire is not None:
            self._wire.wake()

    async def run(self, outbox: Outbox, user: WireUser) -> None:
        """As Device."""
        pauses, said = iter(REOPEN_S), ""
        while True:
            try:
                self._port = serial.Serial(self._path, self._baud, timeout=0, write_timeout=0, exclusive=True)
            except (serial.SerialException, OSError, termios.error, ValueError) as error:
                why = one_line(str(error))
                if why != said:
                    said = why
                    log.warning("serial line is not there", device=self._path, why=why)
            else:
                pauses, said = iter(REOPEN_S), ""
                log.info("serial line is there", device=self._path, baud=self._baud)
                why = await self._carry(self._port, outbox, user)
                log.warning("serial line is lost, it is opened again", device=self._path, why=why)
            await asyncio.sleep(next(pauses, REOPEN_S[-1]))

    async def _carry(self, port: serial.Serial, outbox: Outbox, user: WireUser) -> str:
        """Until it is lost; why."""
        lost: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        os.set_blocking(port.fileno(), False)
        self._wire = Wire(port.fileno(), outbox, user.heard, lost.set_result)
        try:
            user.attached()
            return await lost
        finally:
            self._wire.close()
            self._wire = None
            user.detached()
            self.close()
