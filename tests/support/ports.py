"""The outside of a pump, in memory and on a script: radio, vehicle, broker and disk; and a bench that wires them.

Each part can be told to fail the way the real one does. `changed` is set whenever something has happened.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

import msgspec

from firmware.adapters.clocks import LoopClock
from firmware.adapters.store import MemoryStore
from firmware.core.airtime import Airtime
from firmware.core.effects import Effect
from firmware.core.events import Action, Event, VehicleSampled
from firmware.core.state import State
from firmware.core.usage import Chained
from firmware.gateway import Gateway
from firmware.ports import (
    Arrived,
    BrokerPort,
    BrokerUnavailable,
    Dropped,
    EmergencyPort,
    LinkListener,
    Publication,
    RadioUnavailable,
    StoredRecord,
    StoreFailed,
    VehicleFact,
    VoidFrom,
)
from firmware.pump import Pump
from firmware.witness import Witness
from protocol.messages import Push, Reply, Request
from protocol.telemetry import StoreCondition
from tests.support.core import BEGINS_MS, PROFILE, STANDING
from tests.support.credentials import HANDSHAKE, SIGNER, TRUST
from tests.support.interface import watch
from tests.support.phone import Phone, chaos

LAST_FRAGMENT = 0x40
PATIENCE_S = 3_600
"""Virtual seconds."""


class MemoryRadio:
    """Links are opened by the test. `deaf`: notifications are never taken. `hung_up`: link -> loop time."""

    def __init__(self, changed: asyncio.Event) -> None:
        self.changed = changed
        self.broken = False
        self.deaf = False
        self.hung_up: dict[int, float] = {}
        self.running = False
        self.advice: list[Airtime] = []
        self.listener: LinkListener
        self._inboxes: dict[int, asyncio.Queue[bytes]] = {}

    def inbox(self, link: int) -> asyncio.Queue[bytes]:
        """What was notified to a link and not read yet."""
        return self._inboxes.setdefault(link, asyncio.Queue())

    def leave(self, link: int) -> None:
        """The central goes away by itself."""
        self.listener.link_closed(link)

    async def start(self, listener: LinkListener) -> None:
        if self.broken:
            raise RadioUnavailable("no radio here")
        self.listener, self.running = listener, True

    async def notify(self, link: int, fragment: bytes) -> None:
        if self.deaf:
            await asyncio.Event().wait()
        self.inbox(link).put_nowait(fragment)
        self.changed.set()

    async def hang_up(self, link: int) -> None:
        if link not in self.hung_up:
            self.hung_up[link] = asyncio.get_running_loop().time()
            self.listener.link_closed(link)
            self.changed.set()

    def advise(self, airtime: Airtime) -> None:
        self.advice.append(airtime)
        self.changed.set()

    async def stop(self) -> None:
        self.running = False


class MemoryVehicle:
    """A car that does what it is told, once a second says so. `silent`: no samples. `stuck`: never answers, with
    `stuck_doors` only the doors."""

    def __init__(self, changed: asyncio.Event) -> None:
        self.changed = changed
        self.sample: VehicleSampled = STANDING
        self.silent = False
        self.stuck = False
        self.stuck_doors = False
        self.done: list[Action] = []
        self.tell: Callable[[VehicleFact], None]

    def set(self, **changes: object) -> None:
        """What the next sample says."""
        self.sample = msgspec.structs.replace(self.sample, **changes)

    async def run(self, told: Callable[[VehicleFact], None]) -> None:
        self.tell = told
        while True:
            if not self.silent:
                told(self.sample)
            await asyncio.sleep(1)

    async def actuate(self, action: Action) -> bool:
        if self.stuck or (self.stuck_doors and action in (Action.UNLOCK, Action.LOCK)):
            await asyncio.Event().wait()
        match action:
            case Action.UNLOCK | Action.LOCK:
                self.set(locked=action is Action.LOCK)
            case Action.RELEASE_IMMOBILISER | Action.ARM_IMMOBILISER:
                self.set(immobilised=action is Action.ARM_IMMOBILISER)
        self.done.append(action)
        self.changed.set()
        return True


class MemoryBroker:
    """`connect` and `disconnect` are the test's. `refusals`: so many publications are not acknowledged, each with all
    that are under way behind it. `holds`: nothing is taken until `release`."""

    def __init__(self, changed: asyncio.Event) -> None:
        self.changed = changed
        self.refusals = 0
        self.holds = False
        self.under_way: deque[tuple[Publication, asyncio.Future[None]]] = deque()
        self.published: list[Publication] = []
        self.retained: dict[str, bytes] = {}
        self.connect: Callable[[], None]
        self.disconnect: Callable[[], None]
        self.deliver: Arrived
        self.severed: list[str] = []

    async def run(self, connected: Callable[[], None], lost: Callable[[], None], received: Arrived) -> None:
        self.connect, self.disconnect, self.deliver = connected, lost, received
        await asyncio.Event().wait()

    def publish(self, publication: Publication) -> "asyncio.Future[None]":
        watch.sent(publication)
        loop = asyncio.get_running_loop()
        acknowledged: asyncio.Future[None] = loop.create_future()
        self.under_way.append((publication, acknowledged))
        self.changed.set()
        if not self.holds:
            loop.call_soon(self._take)
        return acknowledged

    def sever(self, why: str, *, last: bool = False) -> None:
        self.severed.append(why)
        self.lose(why)
        self.changed.set()

    def release(self) -> None:
        """Take what is under way."""
        self.holds = False
        while self.under_way:
            self._take()

    def lose(self, why: str) -> None:
        """Nothing that is under way arrives."""
        while self.under_way:
            _, acknowledged = self.under_way.popleft()
            if not acknowledged.done():
                acknowledged.set_exception(BrokerUnavailable(why))

    def _take(self) -> None:
        if not self.under_way:
            return
        if self.refusals:
            self.refusals -= 1
            self.lose("not acknowledged")
            return
        publication, acknowledged = self.under_way.popleft()
        self.arrived(publication)
        if not acknowledged.done():
            acknowledged.set_result(None)

    def arrived(self, publication: Publication) -> None:
        """The broker has it."""
        self.published.append(publication)
        if publication.retain:
            self.retained[publication.topic.rpartition("/")[2]] = publication.payload
        self.changed.set()

    def on(self, channel: str) -> list[bytes]:
        """Payloads on a channel, in order."""
        return [each.payload for each in self.published if each.topic.endswith(f"/{channel}")]


class MemoryDisk(MemoryStore):
    """`full`: every commit fails; `full_for_records`: every one with records. `slow_s`: every commit takes that long.
    `commits`: when one worked, loop time. `unreadable`: so many looks into the outbox fail."""

    def __init__(self, capacity_records: int = 1_000) -> None:
        super().__init__(capacity_records=capacity_records)
        self.full = False
        self.full_for_records = False
        self.refuses_as = StoreCondition.FULL
        self.slow_s = 0.0
        self.unreadable = 0
        self.commits: list[float] = []

    async def commit(
        self,
        state: bytes | None,
        records: tuple[StoredRecord, ...],
        *,
        vital: bytes | None = None,
        usage: tuple[Chained, ...] = (),
        void_from: VoidFrom | None = None,
    ) -> Dropped:
        await asyncio.sleep(self.slow_s)
        if self.full or (self.full_for_records and records):
            raise StoreFailed("the disk is full", self.refuses_as)
        dropped = await super().commit(state, records, vital=vital, usage=usage, void_from=void_from)
        self.commits.append(asyncio.get_running_loop().time())
        return dropped

    async def pending(self, *, reveals_position: bool | None = None, limit: int = 1) -> tuple[StoredRecord, ...]:
        if self.unreadable:
            self.unreadable -= 1
            raise StoreFailed("the disk is broken")
        return await super().pending(reveals_position=reveals_position, limit=limit)


class Bench:
    """One module with its surroundings; `boot` runs it. What lies on the disk outlives it."""

    def __init__(self, *, rtc_at_zero_ms: int = BEGINS_MS + 60_000, networked: bool = True) -> None:
        self.changed = asyncio.Event()
        self.radio = MemoryRadio(self.changed)
        self.vehicle = MemoryVehicle(self.changed)
        self.broker = MemoryBroker(self.changed)
        self.networked = networked
        self.uplink: BrokerPort = self.broker
        self.emergency: EmergencyPort | None = None
        self.profile = PROFILE
        self.watched = True
        self.witness: Witness | None = None
        self.disk = MemoryDisk()
        self.clock = LoopClock(rtc_at_zero_ms)
        self.seen: list[tuple[Event, tuple[Effect, ...]]] = []
        self.pump: Pump
        self.links = 0

    def build(self) -> Pump:
        """A pump that has not been started."""
        self.pump = Pump(
            self.profile,
            Gateway(HANDSHAKE, SIGNER, TRUST, chaos()),
            radio=self.radio,
            vehicle=self.vehicle,
            store=self.disk,
            broker=self.uplink if self.networked else None,
            emergency=self.emergency,
            monotonic_ms=self.clock.monotonic_ms,
            observer=self._observe if self.watched else None,
            witness=self.witness,
        )
        return self.pump

    @asynccontextmanager
    async def at_work(self) -> AsyncIterator[Pump]:
        """The module from boot to the end of power."""
        pump = self.build()
        task = asyncio.create_task(pump.run((self.clock.rtc(),)))
        try:
            await pump.started.wait()
            yield pump
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait for it; an hour of virtual time is too long."""
        async with asyncio.timeout(PATIENCE_S):
            while not holds():
                self.changed.clear()
                await self.changed.wait()

    async def phone(self, phone: Phone | None = None) -> "OnAir":
        """A phone that has connected and presented its booking."""
        on_air = self.connect(phone or Phone())
        on_air.write(on_air.phone.message_1())
        on_air.write(on_air.phone.message_3(await on_air.hear()))
        on_air.phone.finish(await on_air.hear())
        return on_air

    def connect(self, phone: Phone) -> "OnAir":
        """A phone that has only connected."""
        self.links += 1
        self.radio.listener.link_opened(self.links, phone.payload)
        return OnAir(self, phone, self.links)

    def _observe(self, event: Event, _: State, effects: tuple[Effect, ...]) -> None:
        self.seen.append((event, effects))
        self.changed.set()


class OnAir:
    """A phone on a link of the bench's radio."""

    def __init__(self, bench: Bench, phone: Phone, link: int) -> None:
        self.bench = bench
        self.phone = phone
        self.link = link

    def write(self, fragments: list[bytes]) -> None:
        """Fragments towards the module."""
        for fragment in fragments:
            self.bench.radio.listener.fragment_received(self.link, fragment)

    async def hear(self) -> list[bytes]:
        """The fragments of the next message."""
        inbox = self.bench.radio.inbox(self.link)
        fragments = [await inbox.get()]
        while not fragments[-1][0] & LAST_FRAGMENT:
            fragments.append(await inbox.get())
        return fragments

    async def hear_answer(self) -> Reply | Push:
        """What the next record says."""
        return self.phone.answer(await self.hear())

    async def ask(self, request: Request) -> Reply:
        """The reply to a request; pushes before it are passed over."""
        self.write(self.phone.request(request))
        while True:
            answer = await self.hear_answer()
            if isinstance(answer, Reply):
                return answer
