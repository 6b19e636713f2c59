"""Everything the module knows."""

import msgspec
import pytest

from firmware.core.clock import Clock
from firmware.core.reports import Point
from firmware.core.state import (
    Counters,
    DeadBooking,
    Durable,
    EndReason,
    Executed,
    Ordered,
    Pending,
    Profile,
    Remote,
    Slot,
    State,
    Trip,
)
from protocol.errors import Code
from protocol.messages import Operation, Phase
from protocol.orders import Subscription
from tests.support.core import GUEST_KEY, a_state, linked
from tests.support.credentials import BOOKING


@pytest.mark.req("ACC-5", "ACC-6")
@pytest.mark.parametrize(
    ("reason", "code"),
    [
        (EndReason.DRIVER, Code.BOOKING_ENDED),
        (EndReason.ORDER, Code.BOOKING_ENDED),
        (EndReason.REVOKED, Code.TOKEN_REVOKED),
        (EndReason.SUPERSEDED, Code.BOOKING_SUPERSEDED),
        (EndReason.CUT_OFF, Code.BOOKING_CUT_OFF),
        (EndReason.CANCELLED, Code.BOOKING_CANCELLED),
    ],
)
def test_each_way_to_end_has_its_code(reason: EndReason, code: Code) -> None:
    assert reason.code is code


@pytest.mark.parametrize(
    ("phase", "running"),
    [
        (Phase.NONE, False),
        (Phase.ACTIVE, True),
        (Phase.OVERDUE, True),
        (Phase.CUTOFF_PENDING, True),
        (Phase.CUT_OFF, False),
        (Phase.ENDED, False),
    ],
)
def test_a_booking_has_the_car_until_it_is_ended_or_cut_off(phase: Phase, running: bool) -> None:
    assert Trip(phase).running is running


def test_a_link_is_found_by_its_number() -> None:
    state = linked(a_state(), None, BOOKING)
    found = state.link(2)
    assert found is not None
    assert found.booking == BOOKING
    assert state.link(3) is None


def test_the_zero_state_permits_nothing() -> None:
    nothing = Durable(0, 0)
    assert not nothing.drive_enabled
    assert not nothing.trip.running


@pytest.mark.req("PWR-1")
def test_what_survives_a_power_cut_reads_back_as_it_was_written() -> None:
    full = Durable(
        1_790_000_000_000,
        3,
        Trip(Phase.OVERDUE, BOOKING, 1, 2, True, EndReason.ORDER, Point(1, 2, 3), 300),
        True,
        True,
        (DeadBooking(b"b" * 16, EndReason.CUT_OFF, 5, 4, (("overdue_ms", 1_800_001),)),),
        6,
        ((b"t" * 16, 7),),
        8,
        ((b"a driver", 9),),
        (Executed(b"command1", b"a driver", Operation.LOCK, None),),
        Slot(10, Point(-1, -2, 3), True, False),
        Counters(1, 2, 3, 4, 5, 6, 7),
        orders=(Ordered(b"o" * 16, 11, None, True, b"ours"), Ordered(b"p" * 16, 12, Code.ORDER_LATE)),
        orders_before_s=13,
        subscription=Subscription(14, 15, 16, True),
    )
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(full), type=Durable) == full


def test_what_has_just_been_made_has_counted_nothing() -> None:
    assert (Trip().started_ms, Trip().ended_ms, Trip().warned) == (0, 0, False)
    assert Counters() == Counters(1, 1, 1, 1, 1, 1, 0)
    assert Durable(5, 0).dead_before_s == Durable(5, 0).list_number == 0
    assert not Pending(1, 2, b"", Operation.UNLOCK).enabled_before
    assert Profile(b"12345678") == Profile(b"12345678", 0, None, 0)
    fresh = State(Profile(b"12345678"), Durable(5, 0), Clock(5))
    assert (fresh.end_at_ms, fresh.nonce_at_ms, fresh.saved_at_ms, fresh.rearmed_at_ms) == (0, 0, 0, 0)
    assert fresh.booted_at_ms == 0
    assert (fresh.remote, fresh.said_ms, fresh.said, fresh.unsaid) == (None, (), 0, 0)
    assert (fresh.durable.orders, fresh.durable.orders_before_s, fresh.durable.subscription) == ((), 0, None)
    assert (Slot().version, Slot().acknowledged) == (0, True)


def test_a_car_is_busy_with_the_command_of_a_phone_or_an_order_from_afar() -> None:
    fresh = State(Profile(b"12345678"), Durable(5, 0), Clock(5))
    assert not fresh.busy
    assert msgspec.structs.replace(fresh, pending=Pending(1, 2, b"", Operation.UNLOCK)).busy
    assert msgspec.structs.replace(fresh, remote=Remote(b"o" * 16, b"")).busy


@pytest.mark.req("ACC-3", "KEY-1")
def test_a_link_holds_a_booking_or_a_key_or_nothing() -> None:
    booked, keyed, bare = linked(a_state(), BOOKING, GUEST_KEY, None).links
    assert (booked.credential, keyed.credential, bare.credential) == (BOOKING, GUEST_KEY, None)
