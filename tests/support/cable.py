"""A TCP connection that a test can freeze and cut, between a client and a server on loopback."""

import asyncio
from types import TracebackType
from typing import Self

HOST = "127.0.0.1"


class Cable:
    """Listens on `port` and forwards to `target`. What is in a frozen cable when it is cut is lost."""

    def __init__(self, target: int) -> None:
        self.port = 0
        self._target = target
        self.plugged_in = asyncio.Event()
        """Set when the first client has connected."""
        self._up = asyncio.Event()
        self._down = asyncio.Event()
        self._up.set()
        self._down.set()
        self._ends: set[asyncio.StreamWriter] = set()
        self._pumps: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, HOST, self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        await self.cut()
        await self._server.wait_closed()

    def freeze(self, *, up: bool = False, down: bool = False) -> None:
        """Forward no more towards the server (`up`), towards the client (`down`)."""
        if up:
            self._up.clear()
        if down:
            self._down.clear()

    def thaw(self) -> None:
        """Forward again, what was held first."""
        self._up.set()
        self._down.set()

    async def cut(self) -> None:
        """Break every connection without a goodbye; new ones work, and run freely."""
        for end in self._ends:
            end.transport.abort()
        for pump in self._pumps:
            pump.cancel()
        if self._pumps:
            await asyncio.wait(self._pumps)
        self._ends.clear()
        self.thaw()

    async def unused(self) -> None:
        """Wait until no connection is left."""
        while self._pumps:
            await asyncio.wait(self._pumps)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far_reader, far_writer = await asyncio.open_connection(HOST, self._target)
        except OSError:
            writer.transport.abort()
            return
        self._ends |= {writer, far_writer}
        for source, sink, free in ((reader, far_writer, self._up), (far_reader, writer, self._down)):
            pump = asyncio.create_task(self._pump(source, sink, free))
            self._pumps.add(pump)
            pump.add_done_callback(self._pumps.discard)
        self.plugged_in.set()

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, free: asyncio.Event) -> None:
        try:
            while data := await source.read(65536):
                await free.wait()
                sink.write(data)
        except ConnectionError:
            pass
        finally:
            sink.transport.abort() if sink.transport.is_closing() else sink.close()
