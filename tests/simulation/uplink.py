"""The module's courier, by the product's rules and without its event loop: the window, batches, what is taken back.

Which records go next, and together, is the real page; where they wait, and when they are forgotten, the real keeper.
"""

from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from firmware.core import reporting
from firmware.core.events import PositionSlotAcknowledged
from firmware.core.reporting import Message
from firmware.outbox import GROUP_RECORDS, PAGE_RECORDS, WINDOW
from firmware.page import Page
from protocol.telemetry import Channel, decode_backlog
from tests.simulation.disk import at_once
from tests.support.interface import watch

if TYPE_CHECKING:
    from tests.simulation.device import Device

RETRY_MS = 1_000


class _Flight(NamedTuple):
    message: Message
    reveals_position: bool
    numbers: tuple[int, ...]
    slot_version: int


class Uplink:
    """What the module has on its way to the broker. `rest` begins anew, as a boot does."""

    def __init__(self, device: "Device") -> None:
        self._device = device
        self.rest()

    def rest(self) -> None:
        """Nothing is on its way."""
        self._flights: deque[_Flight] = deque()
        self._page = Page()
        self._acknowledged: list[int] = []
        self._slot_told = -1
        self._pauses = False
        self._erased_before = self._guarded_before = 0

    def guard(self) -> None:
        """Take back at once what must not leave any more."""
        state = self._device.state
        if not state.broker_connected:
            # What was on its way has failed before anybody hears that the connection is lost.
            self._drop()
            self._pauses = False
        before, self._guarded_before = self._guarded_before, state.durable.erased_before
        if reporting.may_leave(state, reveals_position=True) and state.durable.erased_before <= before:
            return
        if any(flight.reveals_position for flight in self._flights):
            self._drop()
            self._device.world.reach("sent: severed")
            self._device.world.sever_broker()

    def wake(self) -> None:
        """Something may have become sendable."""
        self._page.outdated = True
        self._fill()

    def _drop(self) -> None:
        self._flights.clear()
        self._slot_told = -1
        self._page.outdated = True

    def _fill(self) -> None:
        device = self._device
        self._erase()
        while device.powered and device.opened and device.state.broker_connected and not self._pauses:
            if len(self._flights) >= WINDOW:
                return
            if not self._launch():
                return

    def _erase(self) -> None:
        """Forget what waits of another owner's positions."""
        device = self._device
        before = device.state.durable.erased_before if device.powered else 0
        if before <= self._erased_before:
            return
        found = at_once(device.keeper.pending(reveals_position=True, limit=1_000_000))
        old = [stored.number for stored in found if stored.number < before]
        at_once(device.keeper.remove(*old))
        for number in old:
            device.world.auditor.numbers.pop(number, None)
        self._erased_before = before
        self._page.outdated = True

    def _launch(self) -> bool:
        device = self._device
        state, now = device.state, device.mono
        slot = state.durable.slot
        message = reporting.slot_message(state, now)
        if message is not None and slot.version != self._slot_told:
            self._slot_told = slot.version
            self._hand_over(_Flight(message, slot.point is not None, (), slot.version))
            return True
        hidden = not reporting.may_leave(state, reveals_position=True)
        if self._page.wanting:
            under_way = {number for flight in self._flights for number in flight.numbers} | set(self._acknowledged)
            limit = PAGE_RECORDS + len(under_way)
            found = at_once(device.keeper.pending(reveals_position=False if hidden else None, limit=limit))
            self._page.outdated = False
            assert not self._page.fill(found, under_way, is_all=len(found) < limit)
        records = self._page.take(WINDOW)
        if not records:
            return False
        erased = [record.number for record in records if reporting.erased(state, record)]
        if erased:
            self._acknowledged += erased
            records = tuple(record for record in records if record.number not in erased)
            if not records:
                return True
        reveals = any(record.reveals_position for record in records)
        if len(records) == 1:
            message = reporting.record_message(state, records[0], now)
        else:
            message = reporting.backlog_message(state, records, now)
            device.world.reach("sent: batch")
        device.world.reach(f"sent: {records[0].channel}")
        self._hand_over(_Flight(message, reveals, tuple(record.number for record in records), -1))
        return True

    def _hand_over(self, flight: _Flight) -> None:
        device, message = self._device, flight.message
        watch.said(device.profile.module_id, message)
        for channel, report in reports(message):
            device.world.auditor.privacy.published(channel, report)
        device.world.trace(message.payload)
        self._flights.append(flight)
        if len(self._flights) == WINDOW:
            device.world.reach("sent: window")
        life = device.life

        def done(delivered: bool) -> None:
            # The same message may be on its way again, so not any that is equal.
            if device.powered and device.life == life and any(each is flight for each in self._flights):
                self._done(flight, delivered=delivered)

        device.world.broker.publish(message, done)
        if message.channel in (Channel.EVENT, Channel.POSITION):
            device.world.moment("published")

    def _done(self, flight: _Flight, *, delivered: bool) -> None:
        if not delivered:
            self._drop()
            self._pauses = True
            self._device.in_this_life(RETRY_MS, self._again)
            return
        assert self._flights.popleft() is flight, "acknowledged in order"
        self._acknowledged += flight.numbers
        if self._acknowledged and (not self._flights or len(self._acknowledged) >= GROUP_RECORDS):
            numbers, self._acknowledged = self._acknowledged, []
            at_once(self._device.keeper.remove(*numbers))
        if flight.slot_version >= 0:
            if flight.slot_version < self._device.state.durable.slot.version:
                self._device.world.moment("superseded")
            self._device.tell(PositionSlotAcknowledged(flight.slot_version))
        self._fill()

    def _again(self) -> None:
        self._pauses = False
        self.wake()


def reports(message: Message) -> list[tuple[Channel, bytes]]:
    """What a message says, on which channels."""
    if message.channel is Channel.BACKLOG:
        return [(entry.channel, entry.report) for entry in decode_backlog(message.payload)]
    return [(message.channel, message.payload)]
