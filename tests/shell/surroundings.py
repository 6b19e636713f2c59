"""What surrounds the module when its shell is tested: radio, car, broker and disk that hesitate, fail and come back.

They judge as well: what the broker is given, and what a phone is told, is checked at the moment when it happens.
"""

import asyncio
from collections import Counter
from collections.abc import Callable
from random import Random
from typing import Final

import msgspec

from firmware.core.events import Action
from firmware.core.state import State
from firmware.ports import Arrived, Publication, StoredRecord
from protocol.errors import Role
from protocol.telemetry import Channel, decode_backlog, parse_topic
from tests.support.ports import MemoryBroker, MemoryDisk, MemoryRadio, MemoryVehicle

POSITIONS: Final = (Channel.POSITION, Channel.TRACK)
COUNTED: Final = (Channel.STATE, Channel.TRACK, Channel.EVENT, Channel.ALERT)


class Broken(AssertionError):
    """An invariant did not hold."""


async def hesitate(rng: Random) -> None:
    """Some loop turns, or some time: nobody can say when the other side answers."""
    if rng.random() < 0.6:
        for _ in range(int(rng.random() * 3)):
            await asyncio.sleep(0)
    else:
        await asyncio.sleep(rng.choice((0.001, 0.01, 0.3, 1.1)))


class ShakyRadio(MemoryRadio):
    """Takes its time to notify and to hang up; a link goes once, whoever ends it."""

    def __init__(self, changed: asyncio.Event, rng: Random) -> None:
        super().__init__(changed)
        self._rng = rng
        self.up: set[int] = set()

    def open(self, link: int, payload: int) -> None:
        """A central connects, if the radio is on."""
        if self.running:
            self.up.add(link)
            self.listener.link_opened(link, payload)

    def leave(self, link: int) -> None:
        if link in self.up:
            self.up.discard(link)
            self.listener.link_closed(link)

    async def notify(self, link: int, fragment: bytes) -> None:
        await hesitate(self._rng)
        if link in self.up:
            await super().notify(link, fragment)

    async def hang_up(self, link: int) -> None:
        await hesitate(self._rng)
        self.leave(link)

    async def stop(self) -> None:
        self.running = False
        for link in sorted(self.up):
            await self.hang_up(link)


class ShakyVehicle(MemoryVehicle):
    """Answers late, not at all, or that it did not work. `attempts`: how often each action was tried."""

    def __init__(self, changed: asyncio.Event, rng: Random) -> None:
        super().__init__(changed)
        self._rng = rng
        self.moody = True
        self.attempts: Counter[Action] = Counter()

    async def actuate(self, action: Action) -> bool:
        self.attempts[action] += 1
        if self.moody:
            await hesitate(self._rng)
            mood = self._rng.random()
            if mood < 0.1:
                await asyncio.sleep(5)
            elif mood < 0.2:
                return False
        return await super().actuate(action)


class ShakyDisk(MemoryDisk):
    """One operation at a time, each as slow as it likes; `remove` and `pending` too."""

    def __init__(self, rng: Random) -> None:
        super().__init__()
        self._rng = rng
        self._turn = asyncio.Lock()

    async def pending(self, *, reveals_position: bool | None = None, limit: int = 1) -> tuple[StoredRecord, ...]:
        async with self._turn:
            await hesitate(self._rng)
            return await super().pending(reveals_position=reveals_position, limit=limit)

    async def remove(self, *numbers: int) -> None:
        async with self._turn:
            await hesitate(self._rng)
            await super().remove(*numbers)


class JudgingBroker(MemoryBroker):
    """Loses its connection before or after a publication has arrived. Judges what arrives.

    `excused`: what may come again although it was acknowledged, by channel and number: what was not forgotten yet at a
    power cut. `forgotten`: what may never come: what waited for a full disk at a power cut.
    """

    def __init__(self, changed: asyncio.Event, rng: Random, look: Callable[[], State]) -> None:
        super().__init__(changed)
        self._rng = rng
        self._look = look
        self._handed = asyncio.Event()
        self.holds = True
        self.moody = True
        self.up = False
        self.acknowledged: dict[Channel, list[int]] = {channel: [] for channel in COUNTED}
        self.excused: set[tuple[Channel, int]] = set()
        self.forgotten: set[tuple[Channel, int]] = set()

    async def run(self, connected: Callable[[], None], lost: Callable[[], None], received: Arrived) -> None:
        self.up = False
        self.connect, self.disconnect, self.deliver = connected, lost, received
        while True:
            await self._handed.wait()
            self._handed.clear()
            while self.under_way:
                if self.moody:
                    await hesitate(self._rng)
                self._answer()

    def switch(self, *, up: bool) -> None:
        """The connection stands, or is gone."""
        if up is not self.up and hasattr(self, "connect"):
            self.up = up
            self.lose("the connection is gone")
            (self.connect if up else self.disconnect)()

    def publish(self, publication: Publication) -> "asyncio.Future[None]":
        acknowledged = super().publish(publication)
        self._judge_privacy(publication)
        self._handed.set()
        if not self.up:
            self.lose("there is no connection")
        return acknowledged

    def sever(self, why: str, *, last: bool = False) -> None:
        super().sever(why)
        self.switch(up=False)

    def arrived(self, publication: Publication) -> None:
        self._judge_privacy(publication)
        for channel, report in reports(publication):
            self._judge_order(channel, report)
        super().arrived(publication)

    def _answer(self) -> None:
        """Acknowledge what was handed over first, or break the connection beside it."""
        if not self.under_way:
            return  # severed
        if not self.moody or self._rng.random() >= 0.1:
            self._take()
            return
        if self._rng.random() < 0.5:
            self._judge_privacy(self.under_way[0][0])  # it has arrived, and the acknowledgement is lost
        self.switch(up=False)

    def _judge_privacy(self, publication: Publication) -> None:
        trip = self._look().durable.trip
        hidden = trip.running and trip.booking is not None and trip.booking.role is not Role.OWNER
        if hidden and any(channel in POSITIONS and report for channel, report in reports(publication)):
            raise Broken("a position was published during a driver's booking")

    def _judge_order(self, channel: Channel, report: bytes) -> None:
        if channel not in COUNTED:
            return
        number = int(msgspec.json.decode(report)["stamp"]["seq"])
        before = self.acknowledged[channel]
        if before and number <= before[-1]:
            if (channel, number) not in self.excused:
                raise Broken(f"{channel.value} {number} was published again after it had been acknowledged")
            return
        missing = {(channel, each) for each in range((before[-1] if before else 0) + 1, number)}
        if not missing <= self.forgotten:
            raise Broken(f"{channel.value} {number} follows {before[-1:]}: a record was lost")
        before.append(number)


def reports(publication: Publication) -> list[tuple[Channel, bytes]]:
    """What a publication says on which channels."""
    parsed = parse_topic(publication.topic)
    if parsed is None:
        raise Broken(f"published on {publication.topic}")
    if parsed[1] is Channel.BACKLOG:
        return [(entry.channel, entry.report) for entry in decode_backlog(publication.payload)]
    return [(parsed[1], publication.payload)]
