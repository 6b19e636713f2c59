"""A module's telemetry through one seed of bad network, against a real mosquitto; judged at the receiver.

Store, keeper, courier and MQTT client are the module's own. The core is not: the seed says which records are made, and
when a driver has the car. Everything waits for what has to happen, never for time to pass.
"""

import asyncio
import os
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from random import Random
from typing import Any, Final

import msgspec

from firmware.adapters.mqtt import BrokerSettings, MqttBroker
from firmware.adapters.store import SqliteStore
from firmware.core import reporting
from firmware.core.effects import Persist, Report
from firmware.core.events import Event, PositionSlotAcknowledged
from firmware.core.reports import Point, Record
from firmware.core.state import Counters, Slot, State
from firmware.keeper import Keeper
from firmware.outbox import Courier
from firmware.ports import Publication
from host_tools.backend.broker import Broker
from host_tools.backend.ingest import Raw
from protocol import telemetry
from protocol.telemetry import Channel, EventKind
from tests.outages.ear import Ear
from tests.outages.weather import Weather
from tests.support.core import BEGINS_MS, a_state, durably, running

PATIENCE_S: Final = 30.0
"""For what has to happen on a busy machine."""
ANSWER_S: Final = 0.4
"""How long the module waits for an acknowledgement; a slow machine only makes it try again."""
FAULTS: Final = 5
CHANNELS: Final = (Channel.EVENT, Channel.EVENT, Channel.STATE, Channel.TRACK, Channel.TRACK, Channel.ALERT)
REVEALING: Final = (Channel.TRACK, Channel.POSITION)


class Broken(AssertionError):
    """An invariant did not hold."""


class Life:
    """`live` plays the seed. `reached` counts what it came across."""

    def __init__(
        self,
        seed: int,
        broker: Broker,
        ear: Ear,
        weather: Weather,
        folder: Path,
        answer_s: float = ANSWER_S,
    ) -> None:
        self.rng = Random(f"outage {seed}")
        self.module_id = self.rng.randbytes(8)
        self.broker = broker
        self.ear = ear
        self.weather = weather
        self.weather.marked = lambda: self.rng.random() < 0.5
        self.store = SqliteStore(folder / f"{seed}.db", capacity_records=10_000)
        self.made: dict[Channel, list[Record]] = {channel: [] for channel in sorted(set(CHANNELS))}
        self.reached: Counter[str] = Counter()
        self.changed = asyncio.Event()
        self.connections = 0
        self.losses = 0
        plain = durably(a_state(), counters=Counters(boot=1), slot=Slot(1, None, acknowledged=True))
        profile = msgspec.structs.replace(plain.profile, module_id=self.module_id)
        self.state: State = msgspec.structs.replace(plain, profile=profile)
        self._settings = BrokerSettings(
            host=self.broker.host,
            port=weather.port,
            answer_s=answer_s,
            retry_min_ms=5,
            retry_max_ms=40,
            refused_retry_ms=40,
            will_delay_s=0,
        )

    # ------------------------------------------------------------ the module
    def _boot(self) -> None:
        self.keeper = Keeper(self.store, lambda: 0, lambda _: None)
        self.client = MqttBroker(self._settings, self.module_id, entropy=os.urandom)
        self.courier = Courier(self.keeper, self, self.look, self._post, version="0")
        self._tasks = [asyncio.create_task(self.client.run(self._connected, self._lost, lambda *_: None))]
        self._tasks.append(asyncio.create_task(self.courier.run()))

    async def _power_off(self) -> None:
        for task in self._tasks:
            task.cancel()
        for ended in await asyncio.gather(*self._tasks, return_exceptions=True):
            if isinstance(ended, Exception):
                raise ended
        self._become(msgspec.structs.replace(self.state, broker_connected=False))

    def look(self) -> tuple[State, int]:
        """The state at this moment."""
        return self.state, 0

    def _post(self, event: Event) -> None:
        slot = self.state.durable.slot
        if isinstance(event, PositionSlotAcknowledged) and event.version == slot.version:
            self._become(durably(self.state, slot=msgspec.structs.replace(slot, acknowledged=True)))

    def _become(self, state: State) -> None:
        self.state = state
        self.courier.guard()
        if reporting.position_hidden(state) and self._reveals():
            raise Broken("a position is on its way during a driver's booking")
        self.courier.wake()
        self.changed.set()

    def _reveals(self) -> bool:
        return any(each.reveals_position for each in self.courier._flights)

    def _connected(self) -> None:
        self.connections += 1
        self._become(msgspec.structs.replace(self.state, broker_connected=True))

    def _lost(self) -> None:
        self.losses += 1
        self._become(msgspec.structs.replace(self.state, broker_connected=False))

    # As the module's broker: what is handed over is looked at.
    async def run(self, *_: object) -> None:
        """Never asked for: the client runs by itself."""
        raise AssertionError

    def publish(self, publication: Publication) -> "asyncio.Future[None]":
        """Hand over, unless it must not leave."""
        told = unpacked(publication.topic, publication.payload)
        hidden = reporting.position_hidden(self.state)
        if hidden and any(channel in REVEALING and report for channel, report in told):
            raise Broken("a position was handed over during a driver's booking")
        self.reached["batch" if len(told) > 1 else "single"] += 1
        self.changed.set()
        return self.client.publish(publication)

    def sever(self, why: str, *, last: bool = False) -> None:
        """As the client does it."""
        self.reached["severed"] += 1
        self.client.sever(why)

    # ------------------------------------------------------------ what it tells
    async def _make(self, count: int) -> None:
        """So many records, in one commit."""
        reports = []
        for _ in range(count):
            channel = self.rng.choice(CHANNELS)
            if channel is Channel.TRACK and reporting.position_hidden(self.state):
                channel = Channel.EVENT
            number = self.state.durable.counters.record
            mine = self.made[channel]
            record = Record(number, channel, len(mine) + 1, BEGINS_MS + number, "synced", boot=1)
            mine.append(msgspec.structs.replace(record, **self._content(channel)))
            self.state = durably(self.state, counters=Counters(number + 1, boot=1))
            reports.append(Report(mine[-1]))
        if not await self.keeper.save(self.state, (*reports, Persist(required=False))):
            raise Broken("a healthy disk did not take the records")
        self.courier.wake()

    def _content(self, channel: Channel) -> dict[str, Any]:
        match channel:
            case Channel.TRACK:
                return {"point": self._place()}
            case Channel.STATE:
                return {"signals": (("Vehicle.TraveledDistance", self.rng.randrange(10**6) / 10),)}
            case Channel.ALERT:
                return {"kind": EventKind.LEFT_OPEN, "reason": f"{self.rng.random()}"}
            case _:
                return {"kind": EventKind.BOOKING_STARTED, "booking": self.rng.randbytes(16).hex()}

    def _place(self) -> Point:
        return Point(self.rng.randrange(90 * 10**7), self.rng.randrange(180 * 10**7), BEGINS_MS)

    # ------------------------------------------------------------ the schedule
    async def live(self) -> None:
        """Faults, healing, judgement. Raises Broken, TimeoutError."""
        await self.store.load()
        self._boot()
        try:
            await self._until(lambda: self.state.broker_connected)
            faults: list[Callable[[], Awaitable[None]]] = [
                *(self._hangs_up, self._half_opens, self._loses_answers, self._swallows, self._doubles, self._delays),
                *(self._driver_comes, self._module_restarts, self._goes_away, self._broker_dies, self._broker_stops),
            ]
            for fault in self.rng.choices(faults, weights=(3, 2, 2, 3, 3, 2, 5, 2, 2, 1, 1), k=FAULTS):
                self.reached[fault.__name__.removeprefix("_")] += 1
                await self._make(self.rng.choice((1, 5, 30, 150)))
                await fault()
            await self._driver_leaves()
            await self._drained()
            await self._heard_all()
            self._judge()
        finally:
            await self.weather.cut()
            self.weather.open()
            await self._power_off()
            await self.store.close()

    async def _until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not holds():
                self.changed.clear()
                await self.changed.wait()

    async def _drained(self) -> None:
        """Everything that may leave was acknowledged and forgotten."""
        async with asyncio.timeout(PATIENCE_S):
            while await self.store.pending_count() or self.courier._flights or self.courier._acknowledged:
                await asyncio.sleep(0.002)

    async def _heard_all(self) -> None:
        """What was acknowledged is on its way to the receiver, and comes."""
        newest = {channel: records[-1].seq for channel, records in self.made.items() if records}
        async with asyncio.timeout(PATIENCE_S):
            while self._latest() != newest:
                self.ear.changed.clear()
                await self.ear.changed.wait()

    def _latest(self) -> dict[Channel, int]:
        return {channel: max(found)[0] for channel, found in self._heard().items()}

    async def _lose(self) -> None:
        """Wait until the module has no connection, or another one; and then until it has one that works."""
        before = self.losses
        await self._until(lambda: self.losses > before or not self.state.broker_connected)
        await self.weather.cut()
        await self._until(lambda: self.state.broker_connected)

    async def _hangs_up(self) -> None:
        await self._some_is_out()
        await self.weather.cut()

    async def _some_is_out(self) -> None:
        """At a moment that the seed chooses: so many turns of the loop later."""
        for _ in range(self.rng.randrange(40)):
            await asyncio.sleep(0)

    async def _half_opens(self) -> None:
        self.weather.freeze("up", "down")
        await self._make(3)
        await self._lose()

    async def _loses_answers(self) -> None:
        self.weather.freeze("down")
        await self._make(3)
        await self._lose()

    async def _swallows(self) -> None:
        before, self.weather.swallow_after = self.weather.swallowed, self.rng.randrange(6)
        await self._make(20)
        while self.weather.swallowed == before and self.state.broker_connected:
            await self._make(1)
            await asyncio.sleep(0.002)
        await self._lose()

    async def _doubles(self) -> None:
        self.weather.double = self.rng.randrange(1, 12)
        await self._make(5)

    async def _delays(self) -> None:
        self.weather.delay_s = self.rng.choice((0.001, 0.01, 0.03))
        await self._make(30)

    async def _goes_away(self) -> None:
        await self.weather.shut()
        await self._make(self.rng.choice((5, 200)))
        self.weather.open()

    async def _broker_dies(self) -> None:
        await self._some_is_out()
        await self.broker.kill()
        await self._comes_back()

    async def _broker_stops(self) -> None:
        await self.broker.stop()
        await self._comes_back()

    async def _comes_back(self) -> None:
        """The receiver first: what a broker holds for nobody is gone with it, acknowledged or not."""
        await self.weather.shut()
        await self._make(10)
        await self.broker.start()
        await self.ear.resume()
        self.weather.open()

    async def _module_restarts(self) -> None:
        await self._some_is_out()
        await self._power_off()
        self._boot()

    async def _driver_comes(self) -> None:
        """A booking begins, often while a position is on its way; the retained one is withdrawn, then shown again."""
        await self._driver_leaves()
        if self.rng.random() < 0.5:
            self.weather.freeze(self.rng.choice(("up", "down")))
            await self._make(20)
            await self._until(lambda: self._reveals() or not self.state.broker_connected)
        self._change_hands(running().durable.trip, None)
        await self._make(12)
        await self.weather.cut()

    async def _driver_leaves(self) -> None:
        if reporting.position_hidden(self.state):
            self._change_hands(a_state().durable.trip, self._place())

    def _change_hands(self, trip: object, place: Point | None) -> None:
        slot = Slot(self.state.durable.slot.version + 1, place, parking=place is not None, acknowledged=False)
        self._become(durably(self.state, trip=trip, slot=slot))

    # ------------------------------------------------------------ the judgement
    def _heard(self) -> dict[Channel, list[tuple[int, dict[str, Any]]]]:
        """By channel what came from this module, in order: number and report."""
        heard: dict[Channel, list[tuple[int, dict[str, Any]]]] = {}
        for raw in self.ear.messages:
            for channel, report in self._mine(raw):
                if channel in self.made:
                    fields = msgspec.json.decode(report)
                    heard.setdefault(channel, []).append((fields["stamp"]["seq"], fields))
        return heard

    def _mine(self, raw: Raw) -> list[tuple[Channel, bytes]]:
        prefix = f"{telemetry.TOPIC_ROOT}/{self.module_id.hex()}/"
        return unpacked(raw.topic, raw.payload) if raw.topic.startswith(prefix) and not raw.retained else []

    def _judge(self) -> None:
        """Every record exactly as it was made, in order; what came twice is the same, and known by its number."""
        heard = self._heard()
        for channel, records in self.made.items():
            first: dict[int, dict[str, Any]] = {}
            for number, fields in heard.get(channel, []):
                ageless(fields)
                if number in first:
                    self.reached["repeated"] += 1
                    if first[number] != fields:
                        raise Broken(f"{channel} {number} came twice, and differs")
                first.setdefault(number, fields)
            if list(first) != [record.seq for record in records]:
                raise Broken(f"{channel}: {list(first)} came of {len(records)}")
            for record in records:
                expected = msgspec.json.decode(reporting.record_message(self.state, record, 0).payload)
                if first[record.seq] != ageless(expected):
                    raise Broken(f"{channel} {record.seq} is not as it was made")
            self.reached["records"] += len(records)
        self._judge_slot()

    def _judge_slot(self) -> None:
        """What was last said of the retained position is what it should be."""
        said = [report for raw in self.ear.messages for channel, report in self._mine(raw) if channel == "position"]
        slot = self.state.durable.slot
        if slot.version == 1:
            return
        if not said or (msgspec.json.decode(said[-1])["stamp"]["seq"] if said[-1] else 0) != slot.version:
            raise Broken(f"the retained position is not version {slot.version}")


def ageless(fields: dict[str, Any]) -> dict[str, Any]:
    """Without what depends on when it was sent."""
    fields["stamp"].pop("age_s")
    fields.pop("fix_age_s", None)
    return fields


def unpacked(topic: str, payload: bytes) -> list[tuple[Channel, bytes]]:
    """What a publication says on which channels."""
    parsed = telemetry.parse_topic(topic)
    if parsed is None:
        raise Broken(f"published on {topic}")
    if parsed[1] is Channel.BACKLOG:
        return [(entry.channel, entry.report) for entry in telemetry.decode_backlog(payload)]
    return [(parsed[1], payload)]
