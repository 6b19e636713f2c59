"""Random lives of bookings, to play to the core and to anybody else who claims to know the rules."""

from random import Random
from typing import Final, NamedTuple

import msgspec

from firmware.core import admit, module, vehicle
from firmware.core.events import Event, Fix, LinkLost, LinkOpened, OrderReceived, Ticked, TokenPresented, VehicleSampled
from firmware.core.state import EndReason, State
from protocol.messages import Operation, Phase
from protocol.tokens import Booking
from tests.bench.machines import Happening, Moment, Verdict
from tests.support.core import BEGINS_MS, DRIVING, HOME, NOW, STANDING, a_state, request
from tests.support.credentials import BOOKING, ORDER

MINUTE_MS: Final = 60_000
EDGES_MS: Final = (0, 25 * MINUTE_MS, 30 * MINUTE_MS)


class Step(NamedTuple):
    """A step of the module, what it means for the trip, and where the booking stands after it."""

    at_ms: int
    event: Event
    moment: Moment
    verdict: Verdict


class Life:
    """A module and its car, as they come about. Bookings are driven, parked, overrun, ended and ordered to end."""

    def __init__(self, seed: int) -> None:
        self.first = self._state = a_state()
        self.steps: list[Step] = []
        self._now = NOW
        self._dice = Random(seed)
        self._link = 0

    def last(self, steps: int) -> None:
        """Live on for at least so many steps, until no booking runs."""
        until = len(self.steps) + steps
        while len(self.steps) < until or self._state.durable.trip.running:
            if not self._state.durable.trip.running:
                self._arrive()
            doing = self._dice.choices(
                (self._drive, self._stand, self._wait, self._end, self._order), (30, 30, 30, 5, 5)
            )
            doing[0]()

    def _step(self, event: Event) -> None:
        before, state = self._state, module.step(self._state, event, self._now)[0]
        self._state = state
        parked_ms = vehicle.parked_for_ms(state.vehicle, self._now)
        moment = Moment(_happened(before, event, state), admit.overdue_ms(state, self._now), parked_ms)
        trip = state.durable.trip
        verdict = Verdict(trip.phase, trip.warned, trip.end_requested is not None)
        self.steps.append(Step(self._now, event, moment, verdict))

    def _sample(self, kind: VehicleSampled) -> None:
        self._now += 1_000
        fix = Fix(*HOME, BEGINS_MS + self._now - NOW, self._now)
        self._step(msgspec.structs.replace(kind, fix=fix))

    def _arrive(self) -> None:
        self._step(LinkLost(self._link))
        self._link += 1
        self._step(LinkOpened(self._link))
        self._step(TokenPresented(self._link, self._booking()))
        assert self._state.durable.trip.running, "the booking was not admitted"

    def _booking(self) -> Booking:
        utc_s = (BEGINS_MS + self._now - NOW) // 1000
        ends_at_s = utc_s + self._dice.randint(60, 7_200)
        return msgspec.structs.replace(
            BOOKING,
            token_id=self._dice.randbytes(16),
            booking_id=self._dice.randbytes(16),
            issued_s=utc_s - 600,
            not_before_s=utc_s - 300,
            ends_at_s=ends_at_s,
            expires_s=ends_at_s + 1_800,
        )

    def _drive(self) -> None:
        for _ in range(self._dice.randint(3, 20)):
            self._sample(DRIVING)

    def _stand(self) -> None:
        for _ in range(self._dice.randint(2, 20)):
            self._sample(STANDING)

    def _wait(self) -> None:
        self._now += self._dice.randint(1_000, 20 * MINUTE_MS)
        self._step(Ticked())

    def _end(self) -> None:
        """The driver may ask on any link that is there, and is refused while the car is not parked."""
        self._stand()
        self._step(request(Operation.END_BOOKING, self._link, command_id=self._dice.randbytes(8)))

    def _order(self) -> None:
        booking = self._state.durable.trip.booking
        assert booking is not None
        utc_s = (BEGINS_MS + self._now - NOW) // 1000
        order = msgspec.structs.replace(
            ORDER,
            order_id=self._dice.randbytes(16),
            issued_s=utc_s - 2,
            expires_s=utc_s + 600,
            booking_id=booking.booking_id,
            booking_expires_s=booking.expires_s,
        )
        self._step(OrderReceived(order))


def _happened(before: State, event: Event, after: State) -> Happening | None:
    """What the module took the event for. Whom it admits, and when a driver may end, is not the trip's to decide."""
    old, new = before.durable, after.durable
    if isinstance(event, TokenPresented) and new.trip.booking is not old.trip.booking:
        return Happening.ADMITTED
    if old.dead != new.dead and new.dead[-1].reason is EndReason.DRIVER:
        return Happening.ENDED
    if isinstance(event, OrderReceived) and old.trip.running:
        return Happening.ORDERED
    return None


def any_moment(dice: Random, phase: Phase) -> Moment:
    """One at the very edges of the rules, of a kind that can come in this phase; no car would bring about such a
    sequence of them."""
    running = phase in (Phase.ACTIVE, Phase.OVERDUE, Phase.CUTOFF_PENDING)
    what = dice.choice((Happening.ENDED, Happening.ORDERED)) if running else Happening.ADMITTED
    overdue_ms = dice.choice(EDGES_MS) + dice.choice((-1, 0, 1)) - dice.choice((0, 0, 0, 60 * MINUTE_MS))
    parked_for_ms = dice.choice((0, 4_999, 5_000, 60_000))
    return Moment(what if dice.random() < 0.2 else None, overdue_ms, parked_for_ms)
