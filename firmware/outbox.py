"""The courier: takes records from the store to the broker, and forgets each only when it was acknowledged.

Decides the order of delivery and how much is under way. First what the broker retains of the position, then answers
that are no records, then what is urgent, then history: one by one while it is little, in compressed batches when much
has waited. Refuses to know what a record says.

What may leave now is asked of the core at the moment of handing over (PRV-1): a position that is not allowed out waits,
and what may go goes on. A position that was handed over and not acknowledged when a driver's booking begins is taken
back by severing the connection: no buffer can let it out later. Positions of whoever owned the car before never leave:
they are forgotten, connected or not (OWN-4).
"""

import asyncio
import math
from collections import deque
from collections.abc import Callable
from typing import Final, NamedTuple, Protocol

import structlog

from firmware.core import reporting
from firmware.core.events import Event, PositionSlotAcknowledged
from firmware.core.reporting import Message
from firmware.core.reports import Record
from firmware.core.state import State
from firmware.page import Page
from firmware.ports import BrokerPort, BrokerUnavailable, Publication, StoredRecord, StoreFailed
from firmware.witness import Witness
from protocol import telemetry
from protocol.telemetry import StoreCondition

WINDOW: Final = 8
"""Publications under way without acknowledgement. On one connection they arrive in the order of their numbers."""
PAGE_RECORDS: Final = 512
"""Read at a time: enough to fill the window with batches, and all of the outbox that is ever in memory."""
GROUP_RECORDS: Final = 128
"""So many acknowledged records are forgotten together while more are under way: each group costs the disk a sync."""
MOST_SAID: Final = 16
"""Answers that are no records and wait for the window; the oldest goes for a new one."""
RETRY_S: Final = 1.0
"""After a publication that was not acknowledged, or a store that could not be read."""

log = structlog.get_logger("sharebox")


class Shelf(Protocol):
    """Where the records wait: the keeper."""

    @property
    def condition(self) -> StoreCondition:
        """What the store is capable of."""

    @property
    def dropped(self) -> int:
        """How many records were ever given up."""

    async def pending(self, *, reveals_position: bool | None = None, limit: int = 1) -> tuple[StoredRecord, ...]:
        """As `StorePort.pending`."""

    async def remove(self, *numbers: int) -> None:
        """As `StorePort.remove`."""

    async def pending_count(self) -> int:
        """How many records wait. Does not raise."""


class _Flight(NamedTuple):
    """A publication under way, and what its acknowledgement means."""

    acknowledged: "asyncio.Future[None]"
    reveals_position: bool
    numbers: tuple[int, ...] = ()
    slot_version: int | None = None


class Courier:
    """`look`: the module's state and monotonic time at this moment. `post`: tells the core what was acknowledged.
    `version` is the firmware's; `witness` sees what is handed over."""

    def __init__(
        self,
        shelf: Shelf,
        broker: BrokerPort | None,
        look: Callable[[], tuple[State, int]],
        post: Callable[[Event], None],
        *,
        version: str,
        witness: Witness | None = None,
    ) -> None:
        self._shelf = shelf
        self._broker = broker
        self._look = look
        self._post = post
        self._woken = asyncio.Event()
        self._flights: deque[_Flight] = deque()
        self._page = Page()
        self._read_all = False
        """Whether the page was read when positions were allowed to leave."""
        self._acknowledged: list[int] = []
        self._said: deque[Record] = deque(maxlen=MOST_SAID)
        self._slot_told: tuple[int, float] = (-1, 0.0)
        self._version = version
        self._witness = witness or Witness()
        self._health_told: StoreCondition | None = None
        self._health_due_s = 0.0
        self._erased_before = self._guarded_before = 0
        self._send_after_s = self._read_after_s = self._forget_after_s = self._erase_after_s = 0.0

    # ------------------------------------------------------------ what the pump says
    def wake(self, *, stored: bool = True) -> None:
        """Something may have become sendable. `stored`: also because the store may hold more than before. A disk in
        trouble tells nothing of the kind, so it is looked at each time."""
        may_leave = reporting.may_leave(self._look()[0], reveals_position=True)
        if stored or may_leave != self._read_all or self._shelf.condition is not StoreCondition.OK:
            self._page.outdated = True
        self._woken.set()

    def guard(self) -> None:
        """The state has changed: what must not leave any more is taken back at once (PRV-1)."""
        state, _ = self._look()
        if not state.broker_connected:
            # The next connection is a new beginning; pauses are for this one.
            self._send_after_s = 0.0
            self._said.clear()
            self._health_told = None
        changed_hands = state.durable.erased_before > self._guarded_before
        self._guarded_before = state.durable.erased_before
        may_leave = reporting.may_leave(state, reveals_position=True) and not changed_hands
        if self._broker is None or may_leave:
            return
        self._reap()
        if any(flight.reveals_position for flight in self._flights):
            whose = "another owner has the car" if changed_hands else "a driver's booking begins"
            self._broker.sever(f"{whose} while a position is on its way")
            self._drop_flights()

    def say(self, record: Record) -> None:
        """Send this answer, which is no record: now or not at all."""
        if self._look()[0].broker_connected:
            self._said.append(record)
            self._woken.set()

    # ------------------------------------------------------------ the loop
    async def run(self) -> None:
        """Deliver until cancelled."""
        try:
            while True:
                self._woken.clear()
                self._reap()
                await self._forget()
                await self._erase()
                await self._fill_window()
                await self._rest()
        finally:
            self._drop_flights()

    async def _fill_window(self) -> None:
        while self._may_send() and len(self._flights) < WINDOW:
            if self._launch_ahead():
                continue
            if self._health_told is not self._shelf.condition or _now_s() >= self._health_due_s:
                await self._launch_health()
                continue
            if self._page.wanting:
                if not await self._read():
                    return
                self._reap()
            elif not self._launch_records():
                return

    async def _rest(self) -> None:
        """Until woken, or until a pause is over."""
        now_s = _now_s()
        pauses = (
            self._send_after_s,
            self._read_after_s,
            self._forget_after_s,
            self._erase_after_s,
            self._health_due_s,
            self._slot_told[1],
        )
        try:
            async with asyncio.timeout_at(min((end for end in pauses if now_s < end < math.inf), default=None)):
                await self._woken.wait()
        except TimeoutError:
            pass

    def _may_send(self) -> bool:
        return self._look()[0].broker_connected and _now_s() >= self._send_after_s

    # ------------------------------------------------------------ the store
    async def _read(self) -> bool:
        """Read the next page. False while the store can not be read."""
        if _now_s() < self._read_after_s:
            return False
        under_way = {number for flight in self._flights for number in flight.numbers} | set(self._acknowledged)
        self._read_all = reporting.may_leave(self._look()[0], reveals_position=True)
        only_harmless = None if self._read_all else False
        limit = PAGE_RECORDS + len(under_way)
        self._page.outdated = False  # first, so that what wakes the courier meanwhile counts
        try:
            found = await self._shelf.pending(reveals_position=only_harmless, limit=limit)
        except StoreFailed as error:
            log.info("outbox not read", why=str(error))
            self._page.outdated = True
            self._read_after_s = _now_s() + RETRY_S
            return False
        unreadable = self._page.fill(found, under_way, is_all=len(found) < limit)
        if unreadable:
            log.warning("records given up", numbers=unreadable, why="they can not be read")
            self._acknowledged += unreadable
            self._woken.set()
        return True

    async def _forget(self) -> None:
        """Remove what was acknowledged, many at a time."""
        due = len(self._acknowledged) >= GROUP_RECORDS or not self._flights
        if not self._acknowledged or not due or _now_s() < self._forget_after_s:
            return
        numbers = tuple(self._acknowledged)
        try:
            await self._shelf.remove(*numbers)
        except StoreFailed as error:
            log.info("records not removed", why=str(error))
            self._forget_after_s = _now_s() + RETRY_S
        else:
            del self._acknowledged[: len(numbers)]

    async def _erase(self) -> None:
        """Forget what waits of another owner's positions, a page at a time."""
        before = self._look()[0].durable.erased_before
        while self._erased_before < before and _now_s() >= self._erase_after_s:
            try:
                found = await self._shelf.pending(reveals_position=True, limit=PAGE_RECORDS)
                old = [stored.number for stored in found if stored.number < before]
                await self._shelf.remove(*old)
            except StoreFailed as error:
                log.info("positions of another owner not removed", why=str(error))
                self._erase_after_s = _now_s() + RETRY_S
                return
            self._page.outdated = True
            if len(old) < PAGE_RECORDS:
                self._erased_before = before

    # ------------------------------------------------------------ what is under way
    def _launch_ahead(self) -> bool:
        """Hand over what goes before all records: the retained position (PRV-2, PRV-3), answers. False: nothing."""
        state, now = self._look()
        slot = state.durable.slot
        message = reporting.slot_message(state, now)
        if message is not None and (slot.version != self._slot_told[0] or _now_s() >= self._slot_told[1]):
            self._slot_told = (slot.version, math.inf)
            self._hand_over(message, slot.point is not None, now, slot_version=slot.version)
            return True
        if self._said:
            record = self._said.popleft()
            self._hand_over(reporting.record_message(state, record, now), False, now, (record,))
            return True
        return False

    async def _launch_health(self) -> None:
        """Tell how the module is: on connection, regularly, and when the store's trouble changes."""
        condition, dropped = self._shelf.condition, self._shelf.dropped
        queued = await self._shelf.pending_count()
        self._reap()
        if not self._may_send():
            return
        self._health_told, self._health_due_s = condition, _now_s() + reporting.HEALTH_EVERY_MS / 1000
        state, now = self._look()
        message = reporting.health_message(
            state, now, queued=queued, dropped=dropped, store=condition, version=self._version
        )
        self._hand_over(message, False, now)

    def _launch_records(self) -> bool:
        """Hand over the next records. False: none is left."""
        records = self._page.take(WINDOW)
        if not records:
            return False
        state, now = self._look()
        erased = [record.number for record in records if reporting.erased(state, record)]
        if erased:  # they were read before the car changed hands
            self._acknowledged += erased
            records = tuple(record for record in records if record.number not in erased)
            if not records:
                return True
        reveals = any(record.reveals_position for record in records)
        if not reporting.may_leave(state, reveals_position=reveals):
            self._page.outdated = True  # it was read before the booking began
            return True
        if len(records) == 1:
            message = reporting.record_message(state, records[0], now)
        else:
            message = reporting.backlog_message(state, records, now)
        self._hand_over(message, reveals, now, records)
        return True

    def _hand_over(
        self,
        message: Message,
        reveals: bool,
        now: int,
        records: tuple[Record, ...] = (),
        slot_version: int | None = None,
    ) -> None:
        assert self._broker is not None
        where = telemetry.topic(self._look()[0].profile.module_id, message.channel)
        publication = Publication(where, *message[1:])
        self._witness.published(publication, now, records)
        acknowledged = self._broker.publish(publication)
        acknowledged.add_done_callback(lambda _: self._woken.set())
        numbers = tuple(record.number for record in records if record.number)
        self._flights.append(_Flight(acknowledged, reveals, numbers, slot_version))

    def _reap(self) -> None:
        """Take in acknowledgements, in order; behind one that failed nothing counts."""
        while self._flights and self._flights[0].acknowledged.done():
            acknowledged, _, numbers, slot_version = self._flights.popleft()
            error = acknowledged.exception()
            if error is not None:
                if not isinstance(error, BrokerUnavailable):
                    raise error
                log.info("not delivered", why=str(error))
                self._drop_flights()
                self._send_after_s = _now_s() + RETRY_S
                return
            self._acknowledged += numbers
            if slot_version is not None:
                self._post(PositionSlotAcknowledged(slot_version))
                if slot_version == self._slot_told[0]:
                    # Until the core has heard it. It is sent again when the core never does.
                    self._slot_told = (slot_version, _now_s() + RETRY_S)

    def _drop_flights(self) -> None:
        """What is under way counts as not sent."""
        for flight in self._flights:
            if not flight.acknowledged.cancel() and not flight.acknowledged.cancelled():
                flight.acknowledged.exception()  # looked at, or asyncio would complain that nobody did
        self._flights.clear()
        self._slot_told = (-1, 0.0)
        self._page.outdated = True


def _now_s() -> float:
    return asyncio.get_running_loop().time()
