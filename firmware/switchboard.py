"""Outgoing fragments, one bounded queue and one sender a link, and hanging up after what was sent before."""

import asyncio
from typing import Final

import structlog

from firmware.ports import LinkId, RadioPort

MOST_FRAGMENTS: Final = 512
"""Two of the longest messages at MTU 23. A peer that does not take them is hung up."""
FAREWELL_WITHIN_S: Final = 0.5
"""What is still to be sent before a hang-up gets this long: the link must be down within a second (CUT-4)."""

log = structlog.get_logger("sharebox")


class Switchboard:
    """Senders of all links."""

    def __init__(self, radio: RadioPort) -> None:
        self._radio = radio
        self._queues: dict[LinkId, asyncio.Queue[bytes]] = {}
        self._senders: dict[LinkId, asyncio.Task[None]] = {}
        self._farewells: dict[LinkId, asyncio.Task[None]] = {}
        self._closed = False

    def opened(self, link: LinkId) -> None:
        """A central connected. While the module ends, nobody is served any more."""
        if self._closed:
            return
        queue = self._queues[link] = asyncio.Queue(MOST_FRAGMENTS)
        self._senders[link] = asyncio.create_task(self._sender(link, queue))

    def closed(self, link: LinkId) -> None:
        """A central went away: what was meant for it is dropped."""
        self._queues.pop(link, None)
        sender = self._senders.pop(link, None)
        if sender is not None:
            sender.cancel()

    def send(self, link: LinkId, fragments: list[bytes]) -> None:
        """Queue a message. A link that is gone is no error; one whose queue is full is hung up."""
        queue = self._queues.get(link)
        if queue is None:
            return
        if queue.qsize() + len(fragments) > MOST_FRAGMENTS:
            log.warning("link does not take its messages", link=link)
            self.hang_up(link)
            return
        for fragment in fragments:
            queue.put_nowait(fragment)

    def hang_up(self, link: LinkId) -> None:
        """Disconnect once the queue is empty, or after FAREWELL_WITHIN_S. One farewell a link at a time."""
        if link not in self._farewells and not self._closed:
            task = self._farewells[link] = asyncio.create_task(self._farewell(link))
            task.add_done_callback(lambda _: self._farewells.pop(link))

    async def close(self) -> None:
        """Stop all senders, for good: the radio hangs up on whoever is left."""
        self._closed = True
        tasks = [*self._senders.values(), *self._farewells.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._queues.clear()
        self._senders.clear()

    async def _sender(self, link: LinkId, queue: asyncio.Queue[bytes]) -> None:
        while True:
            fragment = await queue.get()
            await self._radio.notify(link, fragment)
            queue.task_done()

    async def _farewell(self, link: LinkId) -> None:
        queue = self._queues.get(link)
        if queue is not None:
            try:
                async with asyncio.timeout(FAREWELL_WITHIN_S):
                    await queue.join()
            except TimeoutError:
                log.warning("hung up with messages unsent", link=link)
        await self._radio.hang_up(link)
