"""A broker for benches without a network: it takes everything at once, and delivers what it is given."""

import asyncio
from collections.abc import Callable

from firmware.ports import Arrived, BrokerUnavailable, Publication


class LoopbackBroker:
    """A `BrokerPort` that is always connected. What it was told is remembered by the `BrokerSwitch` around it."""

    def __init__(self) -> None:
        self._received: Arrived | None = None
        self._severed = asyncio.Event()

    async def run(self, connected: Callable[[], None], lost: Callable[[], None], received: Arrived) -> None:
        """As BrokerPort."""
        self._received = received
        try:
            while True:
                self._severed.clear()
                connected()
                await self._severed.wait()
                lost()
        finally:
            self._received = None
            if not self._severed.is_set():
                lost()

    def publish(self, publication: Publication) -> "asyncio.Future[None]":
        """As BrokerPort; acknowledged in the next turn of the loop."""
        loop = asyncio.get_running_loop()
        acknowledged: asyncio.Future[None] = loop.create_future()
        if self._received is None or self._severed.is_set():
            acknowledged.set_exception(BrokerUnavailable("there is no connection"))
        else:
            loop.call_soon(_acknowledge, acknowledged)
        return acknowledged

    def sever(self, why: str, *, last: bool = False) -> None:
        """As BrokerPort."""
        self._severed.set()

    def deliver(self, topic: str, payload: bytes, correlation: bytes) -> bool:
        """Something for the module. False: it is not connected."""
        if self._received is None or self._severed.is_set():
            return False
        self._received(topic, payload, correlation)
        return True


def _acknowledge(future: "asyncio.Future[None]") -> None:
    if not future.done():
        future.set_result(None)
