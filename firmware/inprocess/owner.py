"""What the owner's side has been told by a module, for tests: messages as values, and a network that goes down.

Decides how long a test waits for one. Refuses to know which broker it is.
"""

import asyncio
from collections.abc import Callable
from typing import Final

import msgspec

from firmware.bench.loopback import LoopbackBroker
from firmware.bench.switches import BrokerNews, BrokerSwitch
from firmware.inprocess.booked import seconds
from firmware.ports import Publication
from protocol.telemetry import Channel, decode_backlog, parse_topic, topic

Report = dict[str, object]

MOST_MESSAGES: Final = 10_000


class Told(msgspec.Struct, frozen=True):
    """One message. `channel`: the last level of its topic; `report`: its JSON object, None for an empty message."""

    channel: Channel
    report: Report | None


class Owner:
    """`told` is everything in order, the records of a backlog one by one; the oldest go beyond MOST_MESSAGES."""

    def __init__(self, switch: BrokerSwitch, module_id: bytes, loopback: LoopbackBroker | None) -> None:
        self._switch = switch
        self._module_id = module_id
        self._loopback = loopback
        self._news = asyncio.Event()
        self.told: list[Told] = []
        self._forget: Callable[[], None] = switch.taps.add(self._heard)

    # ------------------------------------------------------------ what is known
    @property
    def position(self) -> Report | None:
        """The retained position: where the owner sees the car; None when there is none to be seen (PRV-1)."""
        return self._latest(Channel.POSITION)

    @property
    def state(self) -> Report | None:
        """The retained state of the car."""
        return self._latest(Channel.STATE)

    @property
    def events(self) -> list[str]:
        """Kinds of the events and alerts so far, such as `booking.started`."""
        return [str(told.report["kind"]) for told in self.told if told.report is not None and "kind" in told.report]

    def reports(self, channel: str) -> list[Report]:
        """All messages of one channel, such as "track"."""
        return [told.report for told in self.told if told.channel == channel and told.report is not None]

    async def hears(self, kind: str, within: str | float = "10m") -> Report:
        """The first event of that kind, now or as soon as it comes. Raises TimeoutError."""
        async with asyncio.timeout(seconds(within)):
            while True:
                for told in self.told:
                    if told.report is not None and told.report.get("kind") == kind:
                        return told.report
                self._news.clear()
                await self._news.wait()

    def _latest(self, channel: Channel) -> Report | None:
        return next((told.report for told in reversed(self.told) if told.channel is channel), None)

    # ------------------------------------------------------------ the network
    def down(self) -> None:
        """The car is where there is no network."""
        self._switch.switch(False)

    def up(self) -> None:
        """It has network again."""
        self._switch.switch(True)

    def order(self, signed: bytes) -> None:
        """Hand a signed order to the module; its answer comes as a message on `order/result`.

        Raises RuntimeError when there is no network, or the broker is a real one.
        """
        if self._loopback is None:
            raise RuntimeError("the broker is a real one: publish the order there, to the module's topic `order`")
        if not self._loopback.deliver(topic(self._module_id, Channel.ORDER), signed, b""):
            raise RuntimeError("the module is not connected: call up(), and let a moment pass")

    # ------------------------------------------------------------ inwards
    def _heard(self, news: BrokerNews, publication: Publication | None) -> None:
        if news is BrokerNews.TOLD and publication is not None:
            for told in _read(publication):
                self.told.append(told)
            del self.told[:-MOST_MESSAGES]
        self._news.set()


def _read(publication: Publication) -> list[Told]:
    parsed = parse_topic(publication.topic)
    if parsed is None:
        return []
    if parsed[1] is Channel.BACKLOG:
        return [Told(entry.channel, _object(entry.report)) for entry in decode_backlog(publication.payload)]
    return [Told(parsed[1], _object(publication.payload))]


def _object(payload: bytes) -> Report | None:
    return msgspec.json.decode(payload, type=Report) if payload else None
