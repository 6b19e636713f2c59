"""The virtual radio as a socket: one HCI controller for each TCP connection.

Decides: who may connect (this machine only), how many, and that one bad client harms nobody else.
Refuses to know: what the hosts do with their controllers.

The protocol is H4 (Bluetooth Core, Vol 4, Part A), as `tcp-client:127.0.0.1:6402` of Bumble and others speak it.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import logging
from types import TracebackType
from typing import cast

from bumble.transport.common import PacketParser

from host_tools.radio.air import VirtualAir
from host_tools.radio.controller import VirtualController
from host_tools.radio.errors import RadioError

DEFAULT_PORT = 6402
MAX_CONNECTIONS = 64
MAX_UNREAD_BYTES = 1 << 20
"""A host that leaves this much unread is taken for dead."""

log = logging.getLogger(__name__)


class Hub:
    """An asynchronous context manager: while it is open, hosts in other processes can join `air`.

    Args:
        air: where the controllers appear.
        host: an address of this machine's loopback. There is no authentication, so nothing else is accepted.
        port: TCP port; 0 picks a free one, see `port`.
        max_connections: further hosts are turned away.

    `async with` raises RadioError if the address is not loopback or can not be listened on.
    """

    def __init__(
        self,
        air: VirtualAir,
        host: str = "127.0.0.1",
        port: int = DEFAULT_PORT,
        *,
        max_connections: int = MAX_CONNECTIONS,
    ) -> None:
        if not _is_loopback(host):
            raise RadioError(f"the hub has no authentication and does not listen on {host!r}; use 127.0.0.1 or ::1")
        self.air = air
        self.host = host
        self.port = port
        self.max_connections = max_connections
        self._clients: dict[_Client, None] = {}
        self._count = 0
        self._server: asyncio.Server | None = None

    @property
    def connections(self) -> int:
        """How many hosts are connected now."""
        return len(self._clients)

    async def __aenter__(self) -> Hub:
        loop = asyncio.get_running_loop()
        try:
            self._server = await loop.create_server(lambda: _Client(self), self.host, self.port)
        except OSError as error:
            raise RadioError(
                f"the hub can not listen on {self.host}:{self.port}: {error.strerror or error}; "
                "is another one running? choose another port"
            ) from error
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        for client in list(self._clients):
            client.abort()
        await asyncio.gather(*(client.gone for client in list(self._clients)))
        await self._server.wait_closed()

    def join(self, client: _Client) -> VirtualController | None:
        """A controller for a new client, or None if the hub is full."""
        if len(self._clients) >= self.max_connections:
            return None
        self._clients[client] = None
        self._count += 1
        return VirtualController(self.air, f"hub-{self._count}", self.air.new_address(public=True), host_sink=client)

    def leave(self, client: _Client, controller: VirtualController) -> None:
        """The client's connection has ended."""
        del self._clients[client]
        controller.host = None
        self.air.remove_controller(controller)


class _Client(asyncio.Protocol):
    """One TCP connection. Sink of its controller's packets, and source of its commands."""

    def __init__(self, hub: Hub) -> None:
        self.gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._hub = hub
        self._controller: VirtualController | None = None
        self._transport: asyncio.Transport | None = None
        self._parser = PacketParser(_Commands(self))

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._controller = self._hub.join(self)
        if self._controller is None:
            log.warning("the hub is full (%d hosts): a connection was refused", self._hub.max_connections)
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except Exception as error:  # broad: whatever the bytes cause, it ends this connection only
            self.abort(f"it sent what is not HCI ({error})")

    def connection_lost(self, error: Exception | None) -> None:
        if self._controller is not None:
            self._hub.leave(self, self._controller)
            self._controller = None
        self.gone.set_result(None)

    # The controller's sink

    def on_packet(self, packet: bytes) -> None:
        """An event or data for the host."""
        if self._transport is None or self._transport.is_closing():
            return
        if self._transport.get_write_buffer_size() > MAX_UNREAD_BYTES:
            self.abort("it does not read")
            return
        self._transport.write(packet)

    # The parser's sink

    def on_command(self, packet: bytes) -> None:
        """A command or data from the host."""
        if self._controller is None:
            return
        try:
            self._controller.on_packet(packet)
        except Exception as error:  # broad: a malformed command must not reach the other hosts
            self.abort(f"its packet {packet[:16].hex()} is malformed ({error})")

    def abort(self, why: str | None = None) -> None:
        """Cuts the connection, with a line in the log if there is a reason."""
        if why is not None:
            log.warning("a host was cut off from the hub: %s", why)
        if self._transport is not None:
            self._transport.abort()


class _Commands:
    """What the parser takes for a sink; the client's own `on_packet` is the other direction."""

    def __init__(self, client: _Client) -> None:
        self._client = client

    def on_packet(self, packet: bytes) -> None:
        self._client.on_command(packet)


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return False
