"""A receiver that loses nothing that a dying broker has still sent: it reads, and never writes back.

A client that acknowledges notices the broker's death when it writes, and throws away what it has not read by then. What
was acknowledged to the module and written to the receiver would count as lost.
"""

import asyncio
from types import TracebackType
from typing import Final, Self

from host_tools.backend.ingest import Raw

HOST: Final = "127.0.0.1"
# MQTT 3.1.1, a clean session, no keep-alive; QoS 0.
_CONNECT: Final = bytes.fromhex("10 0f 0004 4d515454 04 02 0000 0003") + b"ear"
_SUBSCRIBE: Final = bytes.fromhex("82 06 0001 0001 23 00")
_PUBLISH: Final = 3
_SUBACK: Final = 9


class Ear(asyncio.Protocol):
    """`async with` listens to everything. `messages`: what came; `changed` is set with each."""

    def __init__(self, port: int) -> None:
        self.messages: list[Raw] = []
        self.changed = asyncio.Event()
        self._port = port
        self._buffer = b""
        self._standing = asyncio.Event()
        self._gone = asyncio.Event()
        self._transport: asyncio.BaseTransport | None = None

    async def __aenter__(self) -> Self:
        await self.resume()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._transport is not None:
            self._transport.close()
            await self._gone.wait()

    async def resume(self) -> None:
        """Hear the old broker out, and listen to the new one; returns when it has promised to tell everything."""
        if self._transport is not None:
            await self._gone.wait()
        self._buffer = b""
        self._standing.clear()
        self._gone.clear()
        await asyncio.get_running_loop().create_connection(lambda: self, HOST, self._port)
        await self._standing.wait()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.write(_CONNECT + _SUBSCRIBE)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (end := _end_of_packet(self._buffer)) is not None:
            packet, self._buffer = self._buffer[: end[1]], self._buffer[end[1] :]
            self._take(packet[0], packet[end[0] :])
        self.changed.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self._gone.set()

    def _take(self, head: int, body: bytes) -> None:
        if head >> 4 == _SUBACK:
            self._standing.set()
        elif head >> 4 == _PUBLISH:
            split = 2 + int.from_bytes(body[:2], "big")
            self.messages.append(Raw(body[2:split].decode(), body[split:], bool(head & 1)))


def _end_of_packet(data: bytes) -> tuple[int, int] | None:
    """Where the body of the first packet begins and ends, None when it is not there yet."""
    length = 0
    for at in range(1, min(5, len(data))):
        length |= (data[at] & 0x7F) << 7 * (at - 1)
        if data[at] < 0x80:
            end = at + 1 + length
            return (at + 1, end) if end <= len(data) else None
    return None
