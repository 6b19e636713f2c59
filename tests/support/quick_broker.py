"""A broker in memory that is there as soon as somebody runs it, and counts what reaches it."""

import asyncio
from collections.abc import Callable

from firmware.ports import Arrived, BrokerUnavailable, Publication


class QuickBroker:
    """A `BrokerPort`. `away`: there is no network. `holds`: nothing is acknowledged. `connections`: how often one was
    made; `refusals`: so many publications fail."""

    def __init__(self) -> None:
        self.away = False
        self.holds = False
        self.refusals = 0
        self.connections = 0
        self.published: list[Publication] = []
        self.severed: list[str] = []
        self._under_way: list[asyncio.Future[None]] = []
        self._received: Arrived | None = None
        self._broken = asyncio.Event()

    async def run(self, connected: Callable[[], None], lost: Callable[[], None], received: Arrived) -> None:
        while self.away:
            await asyncio.sleep(1)
        while True:
            self._broken.clear()
            self.connections += 1
            self._received = received
            try:
                connected()
                await self._broken.wait()
            finally:
                self._lose()
                lost()
            await asyncio.sleep(1)

    def publish(self, publication: Publication) -> "asyncio.Future[None]":
        acknowledged: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if self._received is None or self.refusals:
            self.refusals = max(0, self.refusals - 1)
            acknowledged.set_exception(BrokerUnavailable("not acknowledged"))
            return acknowledged
        self.published.append(publication)
        if self.holds:
            self._under_way.append(acknowledged)
        else:
            acknowledged.set_result(None)
        return acknowledged

    def sever(self, why: str, *, last: bool = False) -> None:
        self.severed.append(why)
        self.lose()

    def lose(self) -> None:
        """The connection breaks."""
        self._lose()
        self._broken.set()

    def deliver(self, topic: str, payload: bytes, correlation: bytes) -> None:
        """Something for the module; nothing without a connection."""
        if self._received is not None:
            self._received(topic, payload, correlation)

    def _lose(self) -> None:
        self._received = None
        for future in self._under_way:
            if not future.done():
                future.set_exception(BrokerUnavailable("the connection broke"))
        self._under_way.clear()
