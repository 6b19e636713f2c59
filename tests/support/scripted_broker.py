"""An MQTT server that does what a test tells it to, byte by byte: for what no honest broker does."""

import asyncio
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Self

CONNACK = bytes.fromhex("20 03 00 00 00")
NOT_AUTHORIZED = bytes.fromhex("20 03 00 87 00")

Script = Callable[["Peer"], Awaitable[None]]


class Peer:
    """One client's connection, as the script sees it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self.sent = 0
        """Bytes that the client's side has taken, as far as is known here."""

    async def packet(self) -> tuple[int, bytes]:
        """The next packet: its type (high nibble) and its body. Raises IncompleteReadError at the end."""
        kind = (await self._reader.readexactly(1))[0] >> 4
        length = shift = 0
        while True:
            byte = (await self._reader.readexactly(1))[0]
            length |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return kind, await self._reader.readexactly(length)

    async def send(self, data: bytes) -> None:
        """Returns when the client's side has taken most of it. Raises ConnectionError."""
        self._writer.write(data)
        await self._writer.drain()
        self.sent += len(data)

    async def welcome(self) -> None:
        """CONNECT, SUBSCRIBE and the first publication, each with its answer."""
        await self.packet()
        await self.send(CONNACK)
        _, subscribe = await self.packet()
        await self.send(bytes((0x90, 4)) + subscribe[:2] + b"\x00\x01")
        await self.acknowledge(await self.packet())

    async def acknowledge(self, packet: tuple[int, bytes], reason: int = 0) -> None:
        """PUBACK for a PUBLISH of QoS 1."""
        _, body = packet
        topic_bytes = int.from_bytes(body[:2], "big")
        identifier = body[2 + topic_bytes : 4 + topic_bytes]
        await self.send(bytes((0x40, 4)) + identifier + bytes((reason, 0)))

    async def serve(self) -> None:
        """Acknowledge every publication until the client has closed the connection."""
        while True:
            packet = await self.packet()
            if packet[0] == 3:
                await self.acknowledge(packet)

    async def gone(self) -> None:
        """Answer nothing, and wait until the client has closed the connection."""
        while await self._reader.read(65536):
            pass


class ScriptedBroker:
    """Runs the next script for each connection, the last one again and again; closes it afterwards."""

    def __init__(self, *scripts: Script) -> None:
        self.port = 0
        self.connections = 0
        self._scripts = scripts
        self._server: asyncio.Server | None = None
        self._running: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._running:
            task.cancel()
        if self._running:
            await asyncio.wait(self._running)
        await self._server.wait_closed()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._running.add(task)
        script = self._scripts[min(self.connections, len(self._scripts) - 1)]
        self.connections += 1
        try:
            await script(Peer(reader, writer))
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.transport.abort()
            self._running.discard(task)
