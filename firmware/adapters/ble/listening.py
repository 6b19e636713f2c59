"""A controller that connects to us over TCP.

Decides: that there is one at a time, and that its going is noticed. Bumble's own server notices neither, and
leaves its socket open.
Refuses to know: what the packets mean.
"""

import asyncio
import contextlib

from bumble.transport.common import StreamPacketSink, StreamPacketSource, Transport


class _Peer(StreamPacketSource):
    """The first connection is the controller; while it stands, and after it, all others are turned away."""

    def __init__(self) -> None:
        super().__init__()
        self.attached: asyncio.Future[asyncio.WriteTransport] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        self.attached.set_result(transport)

    def connection_lost(self, _error: Exception | None) -> None:
        self.on_transport_lost()


class _Stranger(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.close()


class _Listening(Transport):
    def __init__(self, peer: _Peer, sink: StreamPacketSink, server: asyncio.Server) -> None:
        super().__init__(peer, sink)
        self._sink = sink
        self._server = server

    async def close(self) -> None:
        self._server.close()
        self._sink.close()
        with contextlib.suppress(asyncio.CancelledError):
            await self._server.wait_closed()


async def open_tcp_server(where: str) -> Transport:
    """Listen at `host:port` and return when a controller has connected. Raises OSError, ValueError."""
    host, _, port = where.rpartition(":")
    if host in ("", "_"):  # Bumble's "all interfaces": whoever came first from anywhere would be the controller
        raise ValueError("name the address to listen at, such as 127.0.0.1")
    peer = _Peer()

    def accept() -> asyncio.Protocol:
        if peer.attached.done() or accepted:
            return _Stranger()
        accepted.append(peer)
        return peer

    accepted: list[_Peer] = []
    server = await asyncio.get_running_loop().create_server(accept, host=host, port=int(port))
    try:
        outgoing = await peer.attached
    except BaseException:
        server.close()
        raise
    return _Listening(peer, StreamPacketSink(outgoing), server)
