"""A Bluetooth controller whose packets somebody else sees as well: for captures.

Decides nothing. Works over any controller, a virtual one or a real one.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

from firmware.adapters.ble.transport import OpenController, PacketSink, PacketSource

Tap = Callable[[bytes, bool], None]
"""Sees one whole HCI packet, H4 framing; True: from the host. Must not raise."""


def tapped(open_controller: OpenController, tap: Tap) -> OpenController:
    """The same controller; `tap` sees everything that crosses its HCI, in order."""

    @contextlib.asynccontextmanager
    async def opened() -> AsyncIterator[tuple[PacketSource, PacketSink]]:
        async with open_controller() as (source, sink):
            yield _Source(source, tap), _Sink(sink, tap, from_host=True)

    return opened


class _Sink:
    """Shows a packet, then hands it on. Whatever else the sink can do (it may be told of the end), this one can."""

    def __init__(self, sink: PacketSink, tap: Tap, *, from_host: bool) -> None:
        self._sink = sink
        self._tap = tap
        self._from_host = from_host

    def on_packet(self, packet: bytes) -> None:
        """Take one packet."""
        self._tap(bytes(packet), self._from_host)
        self._sink.on_packet(packet)

    def on_transport_lost(self) -> None:
        """The transport has ended."""
        lost = getattr(self._sink, "on_transport_lost", None)
        if lost is not None:
            lost()


class _Source:
    def __init__(self, source: PacketSource, tap: Tap) -> None:
        self._source = source
        self._tap = tap

    @property
    def terminated(self) -> asyncio.Future[None]:
        """Done when there will be no more packets."""
        return self._source.terminated

    @terminated.setter
    def terminated(self, value: asyncio.Future[None]) -> None:
        self._source.terminated = value

    @property
    def metadata(self) -> dict[str, object]:
        """What Bumble wants to know of a transport, to choose a controller's driver."""
        return getattr(self._source, "metadata", {})

    def set_packet_sink(self, sink: PacketSink) -> None:
        """Where packets go from now on."""
        self._source.set_packet_sink(_Sink(sink, self._tap, from_host=False))
