"""Several `RadioPort`s as one: Bluetooth and serial lines. To the pump, a link is a link.

Decides which numbers links have, and that a carrier which can not be had does not take the others along: the module
starts with what there is, and tries the missing one again. Refuses to know what carries.
"""

import asyncio
import itertools
from collections.abc import Sequence
from typing import Final

import structlog

from firmware.core.airtime import Airtime
from firmware.ports import LinkId, LinkListener, RadioPort, RadioUnavailable

RETRY_S: Final = (1.0, 2.0, 5.0, 10.0, 30.0)
"""Pauses before a carrier that did not start is tried again; the last one repeats."""

log = structlog.get_logger("sharebox")


class Carriers:
    """`RadioPort` over others. Numbers of links are never used twice, also after `stop` and `start`."""

    def __init__(self, carriers: Sequence[RadioPort]) -> None:
        self._numbers = itertools.count(1)
        self._bays = tuple(_Bay(carrier, self._numbers) for carrier in carriers)
        self._retries: list[asyncio.Task[None]] = []

    async def start(self, listener: LinkListener) -> None:
        """As RadioPort. Raises RadioUnavailable when not one of the carriers can be had."""
        for bay in self._bays:
            bay.listener = listener
        try:
            outcomes = await asyncio.gather(*(_tried(bay, listener) for bay in self._bays))
        except BaseException:
            await self.stop()
            raise
        failed = [(bay, error) for bay, error in zip(self._bays, outcomes, strict=True) if error is not None]
        if failed and len(failed) == len(self._bays):
            raise failed[0][1]
        for bay, error in failed:
            log.warning("a carrier is missing, the others work", why=str(error))
            self._retries.append(asyncio.create_task(_retry(bay, listener, str(error)), name="carrier"))

    async def notify(self, link: LinkId, fragment: bytes) -> None:
        """As RadioPort."""
        for bay in self._bays:
            inner = bay.inner.get(link)
            if inner is not None:
                await bay.carrier.notify(inner, fragment)

    async def hang_up(self, link: LinkId) -> None:
        """As RadioPort."""
        for bay in self._bays:
            inner = bay.inner.get(link)
            if inner is not None:
                await bay.carrier.hang_up(inner)

    def advise(self, airtime: Airtime) -> None:
        """As RadioPort."""
        for bay in self._bays:
            bay.carrier.advise(airtime)

    async def stop(self) -> None:
        """As RadioPort."""
        retries, self._retries = self._retries, []
        for task in retries:
            task.cancel()
        await asyncio.gather(*retries, return_exceptions=True)
        await asyncio.gather(*(bay.carrier.stop() for bay in self._bays))


class _Bay:
    """One carrier, and its numbers in both directions."""

    def __init__(self, carrier: RadioPort, numbers: "itertools.count[int]") -> None:
        self.carrier = carrier
        self.listener: LinkListener | None = None
        self.inner: dict[LinkId, LinkId] = {}
        self._outer: dict[LinkId, LinkId] = {}
        self._numbers = numbers

    def link_opened(self, link: LinkId, payload: int) -> None:
        outer = self._outer[link] = next(self._numbers)
        self.inner[outer] = link
        self._told().link_opened(outer, payload)

    def payload_changed(self, link: LinkId, payload: int) -> None:
        if link in self._outer:
            self._told().payload_changed(self._outer[link], payload)

    def fragment_received(self, link: LinkId, fragment: bytes) -> None:
        if link in self._outer:
            self._told().fragment_received(self._outer[link], fragment)

    def link_closed(self, link: LinkId) -> None:
        outer = self._outer.pop(link, None)
        if outer is not None:
            del self.inner[outer]
            self._told().link_closed(outer)

    def _told(self) -> LinkListener:
        assert self.listener is not None, "a carrier speaks before it is started"
        return self.listener


async def _tried(bay: _Bay, listener: LinkListener) -> RadioUnavailable | None:
    bay.listener = listener
    try:
        await bay.carrier.start(bay)
    except RadioUnavailable as error:
        return error
    return None


async def _retry(bay: _Bay, listener: LinkListener, said: str) -> None:
    """Until it works. Each reason is said once."""
    pauses = iter(RETRY_S)
    while True:
        await asyncio.sleep(next(pauses, RETRY_S[-1]))
        error = await _tried(bay, listener)
        if error is None:
            log.info("the missing carrier is there")
            return
        if str(error) != said:
            said = str(error)
            log.warning("a carrier is still missing", why=said)
