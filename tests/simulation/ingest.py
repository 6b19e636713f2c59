"""What arrives at the backend: in order, without gaps among what was durable, and saying the same when repeated."""

import hashlib
from typing import TYPE_CHECKING, Final

import msgspec

from firmware.core.state import Durable
from firmware.core.usage import Chained
from firmware.page import decode_record
from protocol.telemetry import LATITUDE, Channel
from tests.simulation.car import HOME

if TYPE_CHECKING:
    from tests.simulation.world import World

NUMBERED: Final = (Channel.STATE, Channel.TRACK, Channel.EVENT, Channel.ALERT)


class Ingest:
    """The auditor of what has arrived."""

    def __init__(self, world: "World") -> None:
        self.world = world
        self.newest: dict[str, int] = {}
        self.seen: dict[tuple[str, int], bytes] = {}
        self.results = 0
        self.count = 0
        self.parking: dict[str, object] = {}
        self._kept: dict[tuple[int, str], int] = {}
        """Of each life that has ended: below which numbers the disk has kept the records of a channel."""

    def arrived(self, channel: Channel, payload: bytes, life: int) -> None:
        """A publication of that life of the module reaches the backend, perhaps after its end."""
        self.count += 1
        if channel is Channel.ORDER_RESULT:
            result = msgspec.json.decode(payload)
            self.results += "stamp" in result
            name = result["name"]
            if name != "OK":
                self.world.reach(f"code: {name}")
        if channel not in NUMBERED:
            return
        report = msgspec.json.decode(payload)
        seq: int = report["stamp"]["seq"]
        if seq >= self._kept.get((life, channel), seq + 1):
            self.world.reach("sent: unkept")
            return
        report["stamp"].pop("age_s")
        report.pop("fix_age_s", None)
        body = msgspec.json.encode(report)
        known = self.seen.setdefault((channel, seq), body)
        if known != body:
            self.world.auditor.fail("number_used_twice", f"{channel} {seq} says something else the second time")
        if known is body:
            if seq <= self.newest.get(channel, 0):
                self.world.auditor.fail("out_of_order", f"{channel} {seq} came after {self.newest[channel]}")
            self.newest[channel] = seq

    def power_lost(self, durable: Durable | None, life: int) -> None:
        """What a broken disk has let out with numbers that it did not keep: they are used again. Some of it may still
        be on its way."""
        for channel in NUMBERED:
            kept = 1 if durable is None else getattr(durable.counters, channel.name.lower())
            self._kept[life, channel] = kept
            if self.newest.get(channel, 0) >= kept:
                self.world.reach("sent: unkept")
                self.newest[channel] = kept - 1
            for known in [each for each in self.seen if each[0] == channel and each[1] >= kept]:
                del self.seen[known]

    def after_the_card(self) -> None:
        """An older card came back: what it still holds may have been given up for lack of room, and comes late."""
        self.results = 0
        self.newest.clear()

    def undelivered(self, numbers: dict[int, bytes]) -> list[str]:
        """Committed records that never arrived."""
        lost = []
        results = 0
        for number, body in sorted(numbers.items()):
            record = decode_record(body)
            if record.channel is Channel.ORDER_RESULT:
                results += 1
            elif (record.channel, record.seq) not in self.seen:
                lost.append(f"record {number}, {record.channel} {record.seq}")
        if results > self.results:
            lost.append(f"{results - self.results} order results")
        return lost


def used(log: list[Chained], module_id: bytes) -> list[tuple[str, str]]:
    """What the usage log says, as (had or left, booking), after looking at every link of its chain (BKG-7)."""
    digest = hashlib.sha256(b"sharebox usage log 1 " + module_id).digest()
    said = []
    for number, chained in enumerate(log, 1):
        entry = msgspec.json.decode(chained.body)
        if entry["number"] != number or entry["previous"] != digest.hex():
            return [("broken at", str(number))]
        digest = hashlib.sha256(chained.body).digest()
        said.append(("had" if entry["use"] == "started" else "left", entry["booking"]))
    return said


def place_of(payload: bytes) -> int | None:
    """The place that a published position is; None when there is none in it."""
    if not payload or LATITUDE.encode() not in payload:
        return None
    latitude: float = msgspec.json.decode(payload)[LATITUDE]
    return (round(latitude * 1e7) - HOME[0]) // 10_000
