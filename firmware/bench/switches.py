"""Switches in the module's connections: the radio off, the network down; and taps to listen in.

A switch is made once and outlives the module's power; what it switches is plugged in at each boot. Decides nothing
about what passes.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from enum import Enum, unique
from typing import Final, Generic, TypeVar

from firmware.bench.taps import Taps
from firmware.core.airtime import Airtime
from firmware.ports import (
    Arrived,
    BrokerPort,
    BrokerUnavailable,
    LinkId,
    LinkListener,
    Publication,
    RadioPort,
)

Port = TypeVar("Port")

PUBLICATIONS_KEPT: Final = 256
"""What the broker was told last; the retained messages are kept beside them."""
RETAINED_KEPT: Final = 64


class Socket(Generic[Port]):
    """Where a port is plugged in; empty between two boots."""

    def __init__(self) -> None:
        self._port: Port | None = None

    @property
    def port(self) -> Port:
        """What is plugged in. Empty is a bug of whoever built the stand."""
        assert self._port is not None, "nothing is plugged in"
        return self._port

    def plug(self, port: Port) -> None:
        """Use this one from now on."""
        self._port = port


@unique
class LinkNews(Enum):
    """What a radio tap hears."""

    OPENED = "opened"
    CLOSED = "closed"
    RECEIVED = "received"
    SENT = "sent"
    HUNG_UP = "hung up"


class RadioSwitch(Socket[RadioPort]):
    """A `RadioPort` around another one. Off: nobody is connected, and nobody can find the module.

    `taps` hear each link's news; the bytes are the fragment, empty where there is none.
    """

    def __init__(self) -> None:
        super().__init__()
        self.taps: Taps[LinkId, LinkNews, bytes] = Taps()
        self._on = True
        self._cut = False
        self._stopping: asyncio.Future[None] | None = None
        self._listener: LinkListener | None = None
        self._changing = asyncio.Lock()

    @property
    def is_on(self) -> bool:
        """Whether the radio may be on the air."""
        return self._on

    def plug(self, port: RadioPort) -> None:
        """Use this one from now on; there is power again."""
        super().plug(port)
        self._cut = False

    def cut(self) -> None:
        """The power is gone: nothing is sent any more, no farewell either."""
        self._cut = True

    async def switch(self, on: bool) -> None:
        """Put the radio on the air, or take it off: links are closed. Raises RadioUnavailable."""
        async with self._changing:
            before, self._on = self._on, on
            if before == on or self._listener is None:
                return
            if on:
                await self.port.start(self._listener)
            else:
                await self.port.stop()

    async def start(self, listener: LinkListener) -> None:
        """As RadioPort; while switched off, only noted."""
        async with self._changing:
            self._listener = _TappedListener(listener, self.taps)
            if self._on:
                await self.port.start(self._listener)

    async def notify(self, link: LinkId, fragment: bytes) -> None:
        """As RadioPort."""
        if self._on and not self._cut:
            self.taps(link, LinkNews.SENT, fragment)
            await self.port.notify(link, fragment)

    async def hang_up(self, link: LinkId) -> None:
        """As RadioPort."""
        if self._on and not self._cut:
            self.taps(link, LinkNews.HUNG_UP, b"")
            await self.port.hang_up(link)

    def advise(self, airtime: Airtime) -> None:
        """As RadioPort; the radio keeps it in mind while switched off."""
        self.port.advise(airtime)

    async def stop(self) -> None:
        """As RadioPort. Once the power was cut, nobody waits: see `settled`."""
        async with self._changing:
            self._listener = None
            if self._cut:
                self._stopping = asyncio.ensure_future(self.port.stop())
            else:
                await self.port.stop()

    async def settled(self) -> None:
        """Wait until what was plugged in when the power was cut has let go."""
        stopping, self._stopping = self._stopping, None
        if stopping is not None:
            await stopping


class _TappedListener:
    """Passes on what a radio tells, and lets the taps hear it first."""

    def __init__(self, listener: LinkListener, taps: Taps[LinkId, LinkNews, bytes]) -> None:
        self._listener = listener
        self._taps = taps

    def link_opened(self, link: LinkId, payload: int) -> None:
        self._taps(link, LinkNews.OPENED, b"")
        self._listener.link_opened(link, payload)

    def payload_changed(self, link: LinkId, payload: int) -> None:
        self._listener.payload_changed(link, payload)

    def fragment_received(self, link: LinkId, fragment: bytes) -> None:
        self._taps(link, LinkNews.RECEIVED, fragment)
        self._listener.fragment_received(link, fragment)

    def link_closed(self, link: LinkId) -> None:
        self._taps(link, LinkNews.CLOSED, b"")
        self._listener.link_closed(link)


@unique
class BrokerNews(Enum):
    """What a broker tap hears."""

    CONNECTED = "connected"
    LOST = "lost"
    TOLD = "told"
    """The broker has acknowledged it."""


class BrokerSwitch(Socket[BrokerPort]):
    """A `BrokerPort` around another one; remembers what the broker has acknowledged, as the owner's side would see it.

    `taps` hear connections and acknowledged publications; `orders` hear topic, payload and correlation of what came in.
    """

    def __init__(self) -> None:
        super().__init__()
        self.taps: Taps[BrokerNews, Publication | None] = Taps()
        self.orders: Taps[str, bytes, bytes] = Taps()
        self.retained: dict[str, Publication] = {}
        self.told: deque[Publication] = deque(maxlen=PUBLICATIONS_KEPT)
        self.connected = False
        self._is_up = True
        self._cut = False
        self._open = asyncio.Event()
        self._open.set()
        self._changed = asyncio.Event()
        self._gone = asyncio.Event()
        self._gone.set()
        self._arrived: Arrived | None = None

    @property
    def is_up(self) -> bool:
        """Whether there is a network."""
        return self._is_up

    def plug(self, port: BrokerPort) -> None:
        """Use this one from now on; there is power again."""
        super().plug(port)
        self._cut = False
        self._change("")

    def cut(self) -> None:
        """The power is gone: nothing is said any more, no farewell either."""
        self._cut = True
        self._change("the power was cut")

    def deliver(self, topic: str, payload: bytes, correlation: bytes = b"") -> bool:
        """Give the module this, as if it had come over the broker. False: it is not connected."""
        if not self.connected or self._arrived is None:
            return False
        self._arrived(topic, payload, correlation)
        return True

    async def gone(self) -> None:
        """Wait until the module knows that it is not connected."""
        await self._gone.wait()

    def switch(self, up: bool) -> None:
        """The network comes back, or is gone: what is under way is not acknowledged."""
        self._is_up = up
        self._change("the network is switched off on the bench")

    def _change(self, why: str) -> None:
        if self._is_up and not self._cut:
            self._open.set()
        else:
            self._open.clear()
            if self._port is not None:
                self._port.sever(why)
        self._changed.set()

    async def run(self, connected: Callable[[], None], lost: Callable[[], None], received: Arrived) -> None:
        """As BrokerPort."""

        def arrived(topic: str, payload: bytes, correlation: bytes) -> None:
            self.orders(topic, payload, correlation)
            received(topic, payload, correlation)

        self._arrived = arrived

        def came() -> None:
            if self.is_up:  # a port that was severed may connect again before it is told to stop
                self._set_connected(True, connected)

        def went() -> None:
            self._set_connected(False, lost)

        while True:
            await self._open.wait()
            self._changed.clear()
            work = asyncio.ensure_future(self.port.run(came, went, arrived))
            down = asyncio.ensure_future(self._changed.wait())
            try:
                await asyncio.wait({work, down}, return_when=asyncio.FIRST_COMPLETED)
                if work.done():
                    return work.result()
            finally:
                for task in (work, down):
                    task.cancel()
                await asyncio.wait({work, down})
                went()

    def _set_connected(self, now: bool, tell: Callable[[], None]) -> None:
        if self.connected is now:
            return
        self.connected = now
        if now:
            self._gone.clear()
        else:
            self._gone.set()
        self.taps(BrokerNews.CONNECTED if now else BrokerNews.LOST, None)
        tell()

    def publish(self, publication: Publication) -> "asyncio.Future[None]":
        """As BrokerPort."""
        if not self._open.is_set():
            failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            failed.set_exception(BrokerUnavailable("the network is switched off, or the power was cut, on the bench"))
            return failed
        acknowledged = self.port.publish(publication)
        acknowledged.add_done_callback(lambda future: self._acknowledged(future, publication))
        return acknowledged

    def _acknowledged(self, future: "asyncio.Future[None]", publication: Publication) -> None:
        if future.cancelled() or future.exception() is not None:
            return
        self.told.append(publication)
        if publication.retain:
            self.retained.pop(publication.topic, None)
            if publication.payload and len(self.retained) < RETAINED_KEPT:
                self.retained[publication.topic] = publication
        self.taps(BrokerNews.TOLD, publication)

    def sever(self, why: str, *, last: bool = False) -> None:
        """As BrokerPort."""
        self.port.sever(why, last=last)
