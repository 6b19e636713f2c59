"""The demonstration's way to the broker: a relay that can be cut, and a broker port that keeps real time.

Virtual time races through what nobody has to wait for. Real sockets can not race, so while the module waits for
the real broker, the clock keeps real time (`VirtualTimeLoop.hold`).
"""

import asyncio
import socket
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, suppress
from types import TracebackType
from typing import Final, Self

from firmware.ports import Arrived, BrokerPort, Publication

READ_BYTES: Final = 65_536

Hold = Callable[[], AbstractContextManager[None]]


class Relay:
    """A TCP relay on loopback in front of the broker: the module's mobile network. `cut` and `restore` it."""

    def __init__(self, target_port: int, host: str = "127.0.0.1") -> None:
        self._host = host
        self._target_port = target_port
        self._server: asyncio.Server | None = None
        self._flows: set[asyncio.Task[None]] = set()
        self._reservation = socket.socket()
        self.port = 0

    async def __aenter__(self) -> Self:
        # Keeps the port ours while nobody listens: else a client that tries again and again is one day given this
        # very port as its own, and connects to itself.
        self._reservation.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        self._reservation.bind((self._host, 0))
        self.port = self._reservation.getsockname()[1]
        await self.restore()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.cut()
        self._reservation.close()

    async def restore(self) -> None:
        """The network is there (again), at the same port."""
        if self._server is None:
            self._server = await asyncio.start_server(self._accept, self._host, self.port, reuse_port=True)

    async def cut(self) -> None:
        """The network is gone: connections break, and new ones are refused."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for flow in self._flows:
            flow.cancel()
        await asyncio.gather(*self._flows, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        flow = asyncio.current_task()
        assert flow is not None
        self._flows.add(flow)
        try:
            with suppress(OSError):
                onward_reader, onward_writer = await asyncio.open_connection(self._host, self._target_port)
                try:
                    async with asyncio.TaskGroup() as group:
                        group.create_task(_pump(reader, onward_writer))
                        group.create_task(_pump(onward_reader, writer))
                finally:
                    onward_writer.close()
        except asyncio.CancelledError:
            pass
        finally:
            self._flows.discard(flow)
            writer.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(READ_BYTES):
            writer.write(data)
            await writer.drain()
    writer.close()


class HeldBroker:
    """A `BrokerPort` around another, whose `connected` and `lost` can be waited for. It holds the clock to real
    time while the broker is expected to answer; see `expect`.
    """

    def __init__(self, broker: BrokerPort, hold: Hold) -> None:
        self._broker = broker
        self._hold = hold
        self._connecting = ExitStack()
        self.connected = asyncio.Event()
        self.lost = asyncio.Event()

    def expect(self, reachable: bool) -> None:
        """From now on the broker can, or can not, be reached: while it can not, time may race."""
        self._connecting.close()
        if reachable and not self.connected.is_set():
            self._connecting.enter_context(self._hold())

    async def run(
        self,
        connected: Callable[[], None],
        lost: Callable[[], None],
        received: Arrived,
    ) -> None:
        """As BrokerPort."""

        def is_connected() -> None:
            self.connected.set()
            self.lost.clear()
            self._connecting.close()
            connected()

        def is_lost() -> None:
            self.connected.clear()
            self.lost.set()
            lost()

        self.expect(True)
        try:
            await self._broker.run(is_connected, is_lost, received)
        finally:
            self._connecting.close()

    def publish(self, publication: Publication) -> "asyncio.Future[None]":
        """As BrokerPort."""
        with ExitStack() as holding:
            holding.enter_context(self._hold())
            acknowledged = self._broker.publish(publication)
            if not acknowledged.done():
                kept = holding.pop_all()
                acknowledged.add_done_callback(lambda _: kept.close())
        return acknowledged

    def sever(self, why: str, *, last: bool = False) -> None:
        """As BrokerPort."""
        self._broker.sever(why, last=last)
