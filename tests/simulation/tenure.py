"""Who has the car, as the world can know it, and the exception that says that something happened which never may."""

from typing import Final, NamedTuple

from firmware.core.state import Durable
from protocol.orders import Ending, Order
from protocol.sharing import Key
from protocol.tokens import Booking, RevocationList
from tests.simulation.clocks import Deadline, TrueClock

RUNNING: Final = (1, 2, 3)
"""active, overdue, cutoff_pending: the phases of a booking that has the car (requirements, "Booking life cycle")."""

Signed = Order | RevocationList | None
"""What the backend signed that is being dealt with."""


class Violation(Exception):
    """Something happened that never may. `name` is stable, so that a trace can be made smaller."""

    def __init__(self, name: str, detail: str) -> None:
        super().__init__(f"{name}: {detail}")
        self.name = name


class Tenure(NamedTuple):
    """Who has the car, as the world can know it. `due_at`: when its cutoff truly falls due. `window`: when the module
    may think so, None once it has booted since. `ordered_at`: since when an end has been ordered, -1 never."""

    booking: Booking | None = None
    due_at: int = 0
    window: Deadline | None = None
    released: bool = False
    ordered_at: int = -1
    named: bool = False
    """An order has named it, be it one that may be thought late."""
    dead: frozenset[bytes] = frozenset()
    revoked: frozenset[bytes] = frozenset()
    newest: tuple[tuple[tuple[bytes, int], int], ...] = ()
    """Of each user, with keys of an epoch, the newest device."""
    list_number: int = 0
    driver: Key | None = None
    """The digital key that has made driving possible."""

    @property
    def holder(self) -> bytes:
        """The booking that has the car, or the key that drives; empty when there is none."""
        if self.booking is not None:
            return self.booking.booking_id
        return b"" if self.driver is None else self.driver.token_id

    @property
    def may_drive(self) -> bool:
        """Whether somebody has the car, and has made driving possible."""
        return self.released and (self.booking is not None or self.driver is not None)


def passing(old: Tenure, durable: Durable) -> Booking | None:
    """A booking that has come and gone in one step: its phone asks for the end, and asking is what brings it in."""
    booking = durable.trip.booking
    if booking is None or int(durable.trip.phase) in RUNNING or booking.booking_id in old.dead:
        return None
    known = old.booking is not None and old.booking.booking_id == booking.booking_id
    return None if known else booking


def follow(old: Tenure, durable: Durable, signed: Signed, clock: TrueClock) -> Tenure:
    """The tenure that this durable state means, after the one before it."""
    between = passing(old, durable)
    if between is not None:
        old = taken(old, between, clock)
    booking = durable.trip.booking if int(durable.trip.phase) in RUNNING else None
    if isinstance(signed, RevocationList) and signed.number > old.list_number:
        tokens = frozenset(token for token, _ in signed.revoked)
        old = old._replace(revoked=tokens, list_number=signed.number)
    new = taken(old, booking, clock)
    named_id = _named(signed)
    if isinstance(signed, Order) and named_id and _in_time(signed, clock) and not names(signed, booking):
        # Whatever it names is over, or must never begin (ACC-5).
        new = new._replace(dead=new.dead | {named_id})
    if new.ordered_at < 0 and orders(signed, new.booking, old, clock) and not another(old, booking):
        new = new._replace(ordered_at=clock.world.heap.now)
    named = new.named or (not another(old, booking) and names(signed, booking))
    return new._replace(released=durable.drive_enabled, named=named, driver=durable.driver_key)


def taken(old: Tenure, booking: Booking | None, clock: TrueClock) -> Tenure:
    """The tenure once this booking has the car, or nobody."""
    if booking == old.booking:
        return old
    newest = dict(old.newest)
    if booking is not None:
        who = booking.user, booking.key_epoch
        newest[who] = max(booking.device_generation, newest.get(who, 0))
    new = old._replace(booking=booking, newest=tuple(newest.items()))
    if not another(old, booking):
        return new
    new = new._replace(ordered_at=-1, named=False)
    if old.booking is not None:
        new = new._replace(dead=old.dead | {old.booking.booking_id})
    if booking is None:
        return new
    due_at = booking.ends_at_s * 1000 + 1_800_000 - clock.world.base_ms
    return new._replace(due_at=due_at, window=clock.at_start(due_at))


def another(old: Tenure, booking: Booking | None) -> bool:
    """Whether it is not the same booking as before, be it on another device."""
    return old.booking is None or booking is None or booking.booking_id != old.booking.booking_id


def orders(signed: Signed, booking: Booking | None, known: Tenure, clock: TrueClock) -> bool:
    """Whether this orders the end of the booking, and cannot be thought late."""
    if booking is None or signed is None:
        return False
    if isinstance(signed, Order):
        return names(signed, booking) and _in_time(signed, clock)
    newest = signed.number >= known.list_number
    return newest and booking.token_id in {token for token, _ in signed.revoked}


def _in_time(order: Order, clock: TrueClock) -> bool:
    """Whether no honest clock thinks that the order is too old."""
    return clock.world.utc_ms + clock.early_ms() < order.expires_s * 1000


def names(signed: Signed, booking: Booking | None) -> bool:
    """Whether this names the booking, late or not: the module need not know that it is late."""
    return booking is not None and _named(signed) == booking.booking_id


def _named(signed: Signed) -> bytes:
    """The booking that an order is to end; empty when it is none."""
    return signed.details.booking_id if isinstance(signed, Order) and isinstance(signed.details, Ending) else b""
