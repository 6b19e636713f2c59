"""The module's mobile network on a bad day: a TCP relay on loopback that knows where an MQTT packet ends.

It freezes, delays, drops and doubles packets, hangs up, and lets nobody in. What it does is decided by its caller.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Final, Self

HOST: Final = "127.0.0.1"
PUBLISH: Final = 3
DUP: Final = 0x08


class Weather:
    """`async with` listens on `port` and forwards to `target`. `delay_s`: before each packet. `double`: so many of the
    client's next publications come twice. `swallow_after`: so many more get through, then none does on this connection,
    for TCP loses nothing out of the middle."""

    def __init__(self, target: int) -> None:
        self.port = 0
        self.delay_s = 0.0
        self.swallow_after: int | None = None
        self.double = 0
        self.marked: Callable[[], bool] = lambda: False
        """Whether the next copy says that it is one."""
        self.doubled = 0
        self.swallowed = 0
        self._target = target
        self._open = True
        self._flowing = {"up": asyncio.Event(), "down": asyncio.Event()}
        self._flows: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        for flowing in self._flowing.values():
            flowing.set()
        self._server = await asyncio.start_server(self._accept, HOST, 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        await self.shut()
        await self._server.wait_closed()

    def freeze(self, *directions: str) -> None:
        """Nothing moves "up" towards the broker, "down" towards the module; the connections stand."""
        for direction in directions:
            self._flowing[direction].clear()

    async def cut(self) -> None:
        """Break every connection; what was in the air is lost, and new connections move freely."""
        flows = list(self._flows)
        for flow in flows:
            flow.cancel()
        await asyncio.gather(*flows, return_exceptions=True)
        self.delay_s, self.swallow_after, self.double = 0.0, None, 0
        for flowing in self._flowing.values():
            flowing.set()

    async def shut(self) -> None:
        """Cut, and let nobody in."""
        self._open = False
        await self.cut()

    def open(self) -> None:
        """Let them in again."""
        self._open = True

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        flow = asyncio.current_task()
        assert flow is not None
        self._flows.add(flow)
        far: asyncio.StreamWriter | None = None
        try:
            with suppress(OSError, asyncio.IncompleteReadError):
                if self._open:
                    far_reader, far = await asyncio.open_connection(HOST, self._target)
                    await self._relay((reader, writer), (far_reader, far))
        except asyncio.CancelledError:
            pass
        finally:
            for end in (writer, far):
                if end is not None:
                    end.transport.abort()
            self._flows.discard(flow)

    async def _relay(
        self,
        near: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        far: tuple[asyncio.StreamReader, asyncio.StreamWriter],
    ) -> None:
        """Until either side hangs up."""
        pumps = {
            asyncio.create_task(self._pump("up", near[0], far[1])),
            asyncio.create_task(self._pump("down", far[0], near[1])),
        }
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)

    async def _pump(self, direction: str, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while True:
            packet = await read_packet(source)
            await self._flowing[direction].wait()
            if self.delay_s:
                await asyncio.sleep(self.delay_s)
            published = direction == "up" and packet[0] >> 4 == PUBLISH
            if published and self.swallow_after is not None:
                if self.swallow_after == 0:
                    self.swallowed += 1
                    continue
                self.swallow_after -= 1
            sink.write(packet)
            if published and self.double:
                self.double -= 1
                self.doubled += 1
                sink.write(bytes((packet[0] | DUP * self.marked(),)) + packet[1:])
            await sink.drain()


async def read_packet(source: asyncio.StreamReader) -> bytes:
    """One MQTT packet. Raises IncompleteReadError at the end."""
    head = await source.readexactly(2)
    length, shift = head[1] & 0x7F, 7
    while head[-1] & 0x80:
        head += await source.readexactly(1)
        length |= (head[-1] & 0x7F) << shift
        shift += 7
    return head + await source.readexactly(length)
