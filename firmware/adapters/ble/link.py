"""One central's connection: its number, how much fits, and how fast it may be sent to.

Decides: what order notifications leave in, how many packets may wait in the controller for one link, and
when a link that takes nothing any more counts as stuck.
Refuses to know: GATT, advertising, and what the bytes mean.
"""

import asyncio
from collections.abc import Callable
from typing import Final

from bumble.device import Connection
from bumble.host import DataPacketQueue

from firmware.ports import LinkId
from protocol import gatt

MAX_FRAGMENT_BYTES: Final = 512
"""The longest attribute value (Core Vol 3 Part F 3.2.9): at MTU 517 two bytes less than would fit."""

WINDOW_PACKETS: Final = 8
"""ACL packets of one link that may wait in host and controller before the next notification has to."""

MAX_WAITING: Final = 512
"""Notifications that may wait for their turn: twice a message of 4096 bytes at MTU 23 (216 fragments)."""

MAX_UNSENT_PACKETS: Final = 128
"""Packets of one link, answers included, that the controller may owe before the link counts as stuck."""

STUCK_S: Final = 5.0
"""A notification that waits longer for room means a link that is stuck."""

DRAIN_S: Final = 0.25
"""Time that last words get to leave before a hang-up."""


class Link:
    """A connection as the module sees it. `on_stuck(link)`: it takes nothing more; called at most once."""

    def __init__(self, number: LinkId, connection: Connection, on_stuck: Callable[["Link"], None]) -> None:
        self.number = number
        self.connection = connection
        self.subscribed = False
        self.leaving = False
        self.closed = asyncio.Event()
        self._on_stuck = on_stuck
        self._stuck = False
        self._turn = asyncio.Lock()
        self._room = asyncio.Event()
        self._waiting = 0

    @property
    def payload(self) -> int:
        """Bytes that fit one fragment."""
        return min(self.connection.att_mtu - gatt.ATT_HEADER_BYTES, MAX_FRAGMENT_BYTES)

    @property
    def unsent(self) -> int:
        """ACL packets of this link that the controller has not reported as sent."""
        queue = self.connection.data_packet_queue
        return 0 if queue is None else unsent_packets(queue, self.connection.handle)

    def flow(self) -> None:
        """The controller sent something: look again whether there is room."""
        self._room.set()

    def close(self) -> None:
        """The connection is gone. Wakes everybody who waits for it."""
        self.closed.set()
        self._room.set()

    def give_up(self) -> None:
        """Nothing can be sent here any more: have the link hung up."""
        if not self._stuck:
            self._stuck = True
            self._on_stuck(self)

    async def send(self, fragment: bytes, hand_over: Callable[[Connection, bytes], None]) -> None:
        """Hand `fragment` over in its turn, once the controller has room; dropped when nobody can get it."""
        if self._waiting >= MAX_WAITING:
            self.give_up()
            return
        self._waiting += 1
        try:
            async with self._turn:
                if await self._wait_for_room():
                    if len(fragment) > self.payload:  # the MTU shrank on the way: half a fragment is none
                        self.give_up()
                    else:
                        hand_over(self.connection, fragment)
        finally:
            self._waiting -= 1

    async def drain(self) -> None:
        """Return when everything has left, or after DRAIN_S."""
        try:
            async with asyncio.timeout(DRAIN_S):
                while self.unsent and not self.closed.is_set():
                    self._room.clear()
                    await self._room.wait()
        except TimeoutError:
            return

    async def _wait_for_room(self) -> bool:
        try:
            async with asyncio.timeout(STUCK_S):
                while self._reachable() and self.unsent >= WINDOW_PACKETS:
                    self._room.clear()
                    await self._room.wait()
        except TimeoutError:
            self.give_up()
        return self._reachable()

    def _reachable(self) -> bool:
        return self.subscribed and not self._stuck and not self.closed.is_set()


def unsent_packets(queue: DataPacketQueue, handle: int) -> int:
    """Packets of one connection that wait or are in flight; Bumble itself counts all connections together."""
    state = queue._connection_state.get(handle)
    waiting = sum(1 for _, owner in queue._packets if owner == handle)
    return waiting + (state.in_flight if state is not None else 0)


def look_again(queue: DataPacketQueue) -> None:
    """Send what waits. Bumble frees the places of a lost connection without looking who waits for them."""
    queue._check_queue()
