"""The seams between the pump and the outside: one Protocol each, without a library's types.

An adapter translates. It decides nothing about bookings, permissions or privacy.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol

import msgspec

from firmware.core.airtime import Airtime
from firmware.core.events import (
    Action,
    CrashDetected,
    EmergencyCancelled,
    EmergencyPressed,
    NetworkServing,
    Trouble,
    VehicleKeyUsed,
    VehicleSampled,
)
from firmware.core.usage import Chained
from protocol.msd import Msd
from protocol.telemetry import StoreCondition

LinkId = int
"""Number of a central's connection, never reused while the process lives."""


class LinkListener(Protocol):
    """What a radio tells the module. Called from the event loop, in order, never re-entered; must not block."""

    def link_opened(self, link: LinkId, payload: int) -> None:
        """A central connected; `payload` is the bytes that fit one fragment (ATT MTU - 3)."""

    def payload_changed(self, link: LinkId, payload: int) -> None:
        """The ATT MTU was negotiated."""

    def fragment_received(self, link: LinkId, fragment: bytes) -> None:
        """A central wrote to the to-module characteristic."""

    def link_closed(self, link: LinkId) -> None:
        """A central is gone, whoever hung up. Exactly once for each `link_opened`."""


class RadioPort(Protocol):
    """A BLE peripheral with the GATT table of `protocol.gatt`."""

    async def start(self, listener: LinkListener) -> None:
        """Power on and advertise. Keeps advertising while fewer than MAX_LINKS centrals are connected;
        back on the air within 1 s after a central's disappearance (BLE-2). Raises RadioUnavailable."""

    async def notify(self, link: LinkId, fragment: bytes) -> None:
        """Send one notification, in order; returns when it was handed to the controller. A link that is
        gone or not subscribed is no error: the fragment is dropped."""

    async def hang_up(self, link: LinkId) -> None:
        """Disconnect a central; a link that is gone is no error."""

    def advise(self, airtime: Airtime) -> None:
        """How eagerly to advertise from now on, and for which key epoch the module can be recognised. May come before
        `start`; must not block. A carrier that does not advertise need not mind."""

    async def stop(self) -> None:
        """Hang up on everybody, stop advertising, release the controller."""


class RadioUnavailable(Exception):
    """The adapter could not be opened: one line with what, why and what to do."""


VehicleFact = VehicleSampled | VehicleKeyUsed | NetworkServing | CrashDetected | EmergencyPressed | EmergencyCancelled
"""What the car tells by itself."""


class VehiclePort(Protocol):
    """The car: the simulated one, or GPIO, CAN and GNSS."""

    async def run(self, told: Callable[[VehicleFact], None]) -> None:
        """Deliver a sample at least every second, the other facts as they happen and once each, until cancelled. What
        happens while nobody runs this is not made up for, save the network that serves the car."""

    async def actuate(self, action: Action) -> bool:
        """Carry `action` out; True when the car confirmed it. Bounded: answers within 2 s. Never raises for
        what the car does; a False may have succeeded. An action on the doors and one on the immobiliser may
        overlap."""


class PartLost(Exception):
    """A part of the car is out of reach, for now: one line with what and why."""


class VehiclePart(Protocol):
    """Some of a car: its relays and wires, its bus, its receiver. Parts make up a `VehiclePort`."""

    gives: frozenset[str]
    """The fields of VehicleSampled that it knows when all is well."""
    actions: frozenset[Action]
    """What it can do to the car."""

    async def run(self, told: Callable[[VehicleFact], None], changed: Callable[[], None]) -> None:
        """Work until cancelled, or until PartLost, and then be called again; `changed` whenever a look is worth while
        at once. `told` gets no samples."""

    def look(self) -> VehicleSampled:
        """What it knows at this instant, and None for the rest: a signal that is lost is not known. Only a fix may be
        old, and carries its own time."""

    async def actuate(self, action: Action) -> bool:
        """As VehiclePort, for one of `actions`."""


class Publication(msgspec.Struct, frozen=True):
    """One MQTT message. `expiry_s` None: it does not expire. `attributes`: user properties, in order."""

    topic: str
    payload: bytes
    retain: bool = False
    expiry_s: int | None = None
    content_type: str = ""
    attributes: tuple[tuple[str, str], ...] = ()
    correlation: bytes = b""


class BrokerUnavailable(Exception):
    """The message was not acknowledged; it may have arrived all the same."""


Arrived = Callable[[str, bytes, bytes], None]
"""Topic, payload and correlation data (empty when there is none) of what came in."""


class BrokerPort(Protocol):
    """An MQTT client that keeps itself connected (back-off with jitter) until cancelled."""

    async def run(
        self,
        connected: Callable[[], None],
        lost: Callable[[], None],
        received: Arrived,
    ) -> None:
        """Stay connected and subscribed to this module's topic; `connected` and `lost` alternate."""

    def publish(self, publication: Publication) -> "asyncio.Future[None]":
        """Hand it over now; QoS 1. The future is done when the broker has acknowledged, or has BrokerUnavailable.

        Several may be under way: they leave in the order of the calls, and when one fails, so do all after it."""

    def sever(self, why: str, *, last: bool = False) -> None:
        """Break the connection at once, so that nothing leaves any more that was handed over and has not left (PRV-1);
        then connect again. Without a connection it does nothing. `last`: with or without one, connect no more until
        `run` is called anew, whose present call is about to be cancelled. `why`: one line."""


class EmergencyPort(Protocol):
    """A line to the emergency centre of its own: it waits for nothing else, and carries nothing else. Without a call it
    has no connection (SVC-5)."""

    async def run(self, acknowledged: Callable[[int], None]) -> None:
        """Serve until cancelled; `acknowledged` gets the number of a call that the centre has."""

    def call(self, number: int, msd: Msd, lasts_s: int) -> None:
        """Connect if need be, and send this as soon as it can be; it takes the place of what has not been sent yet.
        Nobody is to get it when `lasts_s` seconds are over."""

    def hang_up(self) -> None:
        """Send nothing any more, and disconnect at once."""


class StoreFailed(Exception):
    """A commit did not happen (disk full, read-only, broken): nothing of it is stored. `condition`: what the store is
    capable of, as far as this failure tells."""

    def __init__(self, why: str, condition: StoreCondition = StoreCondition.FAILING) -> None:
        super().__init__(why)
        self.condition = condition


class StoredRecord(msgspec.Struct, frozen=True):
    """One record of the outbox. `body` is what `firmware.core.reporting` made, opaque to the store.

    `thinnable`: one of many (a position, a vehicle state), given up before any event when the outbox is full.
    `urgent`: it overtakes what is not. `channel`: what it is counted under when it is given up.
    """

    number: int
    reveals_position: bool
    body: bytes
    thinnable: bool = False
    urgent: bool = False
    channel: str = ""


class Dropped(msgspec.Struct, frozen=True):
    """How many records the store has given up for lack of room since it is new: in all, and by channel (TEL-4)."""

    total: int = 0
    channels: tuple[tuple[str, int], ...] = ()


class Loaded(msgspec.Struct, frozen=True):
    """What a boot finds. `state`: the last committed one, None on a new store or when it is lost. `vital`: what must
    never be forgotten, given when it is newer than `state`. `trouble`: what is wrong, `why` in one line."""

    state: bytes | None = None
    vital: bytes | None = None
    trouble: Trouble | None = None
    why: str = ""


class VoidFrom(msgspec.Struct, frozen=True):
    """The lowest numbers of records and entries that a commit may have left of which nobody knows whether it worked."""

    record: int
    entry: int


class StorePort(Protocol):
    """Durable memory. One commit is one atomic transaction."""

    async def load(self) -> Loaded:
        """What a boot finds. Raises StoreFailed when another module has the store, or a newer one wrote it."""

    async def set_aside(self, why: str) -> Loaded:
        """The module can not read the state: keep it somewhere else, and begin anew."""

    async def commit(
        self,
        state: bytes | None,
        records: tuple[StoredRecord, ...],
        *,
        vital: bytes | None = None,
        usage: tuple[Chained, ...] = (),
        void_from: VoidFrom | None = None,
    ) -> Dropped:
        """Remove the records and entries with these numbers and higher ones, replace the state (None: keep it), append
        records and usage entries, atomically; then keep `vital` (None: as before) a second time. Returns how many
        records were ever given up for lack of room. Raises StoreFailed."""

    async def pending(self, *, reveals_position: bool | None = None, limit: int = 1) -> tuple[StoredRecord, ...]:
        """Unacknowledged records, at most `limit`: the urgent ones first, each kind by number; filtered when
        `reveals_position` is given."""

    async def remove(self, *numbers: int) -> None:
        """Forget acknowledged records, in one transaction. Removing twice is no error. Raises StoreFailed."""

    async def pending_count(self) -> int:
        """How many records wait."""

    async def close(self) -> None:
        """Release the files."""


Entropy = Callable[[int], bytes]
"""`n` random bytes; `os.urandom` in the car, seeded in a simulation."""

Handler = Callable[[], Awaitable[None]]
