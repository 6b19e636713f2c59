"""A receiver as a part of the car: on a serial line, or behind gpsd.

Decides that one that has gone silent is lost, and that the last fix stays and grows old (TEL-7).
Refuses to know what a fix is used for.
"""

import asyncio
import termios
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Final, Protocol

import serial

from firmware.adapters.gnss.reports import WATCH
from firmware.core.events import Action, Fix, VehicleSampled
from firmware.ports import PartLost, VehicleFact
from protocol.errors import one_line

SILENT_S: Final = 20.0
"""Receivers say something every second, with a fix or without one."""
CONNECT_S: Final = 5.0
CHUNK_BYTES: Final = 4096


class Decoder(Protocol):
    """Bytes to fixes."""

    def feed(self, data: bytes) -> Iterator[Fix]:
        """The fixes that `data` completes."""


class Source(Protocol):
    """Where the bytes come from."""

    def opened(self) -> AbstractAsyncContextManager[asyncio.StreamReader]:
        """What can be read while it is open. Raises PartLost."""


class Satellites:
    """`VehiclePart`. `decoder` makes one for each time that `source` is opened."""

    gives = frozenset({"fix"})
    actions: frozenset[Action] = frozenset()

    def __init__(self, source: Source, decoder: Callable[[], Decoder]) -> None:
        self._source = source
        self._decoder = decoder
        self._fix: Fix | None = None

    async def run(self, told: Callable[[VehicleFact], None], changed: Callable[[], None]) -> None:
        """As VehiclePart."""
        async with self._source.opened() as reader:
            decoder = self._decoder()
            while data := await _heard(reader):
                for fix in decoder.feed(data):
                    self._fix = fix
        raise PartLost("the other end is gone")

    def look(self) -> VehicleSampled:
        """As VehiclePart."""
        return VehicleSampled(fix=self._fix)

    async def actuate(self, action: Action) -> bool:
        """As VehiclePart."""
        raise AssertionError(f"a receiver can not {action.value}")


async def _heard(reader: asyncio.StreamReader) -> bytes:
    try:
        async with asyncio.timeout(SILENT_S):
            return await reader.read(CHUNK_BYTES)
    except TimeoutError:
        raise PartLost(f"nothing was heard for {SILENT_S:g} s") from None
    except OSError as error:
        raise PartLost(_why(error)) from None


class SerialPort:
    """`Source`: a UART or a USB adapter, 8 data bits, no parity, one stop bit, for this program alone."""

    def __init__(self, device: str, baud: int) -> None:
        self._device = device
        self._baud = baud

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[asyncio.StreamReader]:
        """As Source."""
        try:
            port = serial.Serial(self._device, self._baud, timeout=0, exclusive=True)
        except (serial.SerialException, OSError, termios.error, ValueError) as error:
            raise PartLost(one_line(str(error))) from None
        loop, reader = asyncio.get_running_loop(), asyncio.StreamReader()
        transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), port)
        try:
            yield reader
        finally:
            transport.close()


class Daemon:
    """`Source`: gpsd on this machine, or another."""

    def __init__(self, host: str, port: int) -> None:
        self._host = host
        self._port = port

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[asyncio.StreamReader]:
        """As Source."""
        try:
            async with asyncio.timeout(CONNECT_S):
                reader, writer = await asyncio.open_connection(self._host, self._port)
        except TimeoutError:
            raise PartLost(f"gpsd at {self._host}:{self._port} does not answer") from None
        except OSError as error:
            raise PartLost(f"gpsd at {self._host}:{self._port}: {_why(error)}") from None
        try:
            writer.write(WATCH)
            yield reader
        finally:
            writer.transport.abort()


def _why(error: OSError) -> str:
    return one_line(error.strerror or str(error) or type(error).__name__)
