"""A broker behind a gate: while it is closed there is no connection, none is tried, and no byte leaves (SVC-4, SVC-5).

Decides nothing: whether the gate is open is told by the core (`sim.uplink`, and whether there is a call). Closing it
breaks the connection at once, with everything that was handed over and has not left, and without a farewell.
"""

import asyncio
from collections.abc import Callable

from firmware.ports import Arrived, BrokerPort, BrokerUnavailable, Publication


class Gate:
    """A `BrokerPort` around another. `why`: what closing is said to be, one line."""

    def __init__(self, broker: BrokerPort, why: str, *, opened: bool) -> None:
        self._broker = broker
        self._why = why
        self._opened = asyncio.Event()
        self._passing: asyncio.Timeout | None = None
        """What runs while the gate is open."""
        if opened:
            self._opened.set()

    @property
    def is_open(self) -> bool:
        """Whether there may be a connection."""
        return self._opened.is_set()

    def set(self, opened: bool) -> None:
        """Open it, or close it at once."""
        if opened is self.is_open:
            return
        if opened:
            self._opened.set()
            return
        self._opened.clear()
        passing, self._passing = self._passing, None
        if passing is not None:
            passing.reschedule(asyncio.get_running_loop().time())
        self._broker.sever(self._why, last=True)

    async def run(self, connected: Callable[[], None], lost: Callable[[], None], received: Arrived) -> None:
        """As BrokerPort."""
        stands = False

        def up() -> None:
            nonlocal stands
            stands = True
            connected()

        def down() -> None:
            nonlocal stands
            if stands:
                stands = False
                lost()

        def arrived(topic: str, payload: bytes, correlation: bytes) -> None:
            if self.is_open:
                received(topic, payload, correlation)

        while True:
            await self._opened.wait()
            self._passing = passing = asyncio.timeout(None)
            try:
                async with passing:
                    await self._broker.run(up, down, arrived)
            except TimeoutError:
                if not passing.expired():
                    raise
            finally:
                self._passing = None
                down()

    def publish(self, publication: Publication) -> "asyncio.Future[None]":
        """As BrokerPort."""
        if self.is_open:
            return self._broker.publish(publication)
        refused: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        refused.set_exception(BrokerUnavailable(self._why))
        return refused

    def sever(self, why: str, *, last: bool = False) -> None:
        """As BrokerPort."""
        self._broker.sever(why, last=last)
