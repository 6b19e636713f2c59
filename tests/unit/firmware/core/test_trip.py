"""The life of a booking in the car, and the 30-minute cutoff, as tables."""

import msgspec
import pytest

from firmware.core import trip
from firmware.core.state import EndReason, Trip
from firmware.core.trip import Facts, TripEvent
from protocol.messages import Phase
from tests.support.credentials import BOOKING

LIMIT = 1_800_000


def in_phase(phase: Phase, **changes: object) -> Trip:
    return msgspec.structs.replace(Trip(phase, BOOKING), **changes)


@pytest.mark.req("CUT-1", "CUT-2", "CUT-3")
@pytest.mark.parametrize(
    ("phase", "overdue_ms", "parked", "passed"),
    [
        (Phase.ACTIVE, -1, True, ()),
        (Phase.ACTIVE, 0, True, (Phase.OVERDUE,)),
        (Phase.ACTIVE, LIMIT, True, (Phase.OVERDUE,)),
        (Phase.ACTIVE, LIMIT + 1, True, (Phase.OVERDUE, Phase.CUTOFF_PENDING, Phase.CUT_OFF)),
        (Phase.ACTIVE, LIMIT + 1, False, (Phase.OVERDUE, Phase.CUTOFF_PENDING)),
        (Phase.OVERDUE, LIMIT, True, ()),
        (Phase.OVERDUE, LIMIT + 1, False, (Phase.CUTOFF_PENDING,)),
        (Phase.OVERDUE, LIMIT + 1, True, (Phase.CUTOFF_PENDING, Phase.CUT_OFF)),
        (Phase.CUTOFF_PENDING, 10 * LIMIT, False, ()),
        (Phase.CUTOFF_PENDING, LIMIT + 1, True, (Phase.CUT_OFF,)),
        (Phase.CUTOFF_PENDING, LIMIT, True, ()),
        (Phase.CUTOFF_PENDING, -1, True, ()),
        (Phase.CUT_OFF, 10 * LIMIT, True, ()),
        (Phase.ENDED, 10 * LIMIT, True, ()),
        (Phase.NONE, 10 * LIMIT, True, ()),
    ],
)
def test_the_rules_are_followed_to_their_end(
    phase: Phase, overdue_ms: int, parked: bool, passed: tuple[Phase, ...]
) -> None:
    settled, went_through = trip.settle(in_phase(phase), Facts(overdue_ms, parked))
    assert went_through == passed
    assert settled.phase is (passed[-1] if passed else phase)


@pytest.mark.req("BKG-2", "CUT-3")
@pytest.mark.parametrize("phase", [Phase.ACTIVE, Phase.OVERDUE])
def test_an_ordered_end_waits_for_a_parked_car(phase: Phase) -> None:
    ordered = in_phase(phase, end_requested=EndReason.ORDER)
    overdue_ms = 0 if phase is Phase.OVERDUE else -1
    assert trip.settle(ordered, Facts(overdue_ms, False))[1] == ()
    assert trip.settle(ordered, Facts(overdue_ms, True))[1] == (Phase.ENDED,)


def test_the_cutoff_comes_before_an_ordered_end() -> None:
    ordered = in_phase(Phase.CUTOFF_PENDING, end_requested=EndReason.ORDER)
    assert trip.settle(ordered, Facts(LIMIT + 1, True))[1] == (Phase.CUT_OFF,)


@pytest.mark.parametrize("phase", [Phase.NONE, Phase.ENDED, Phase.CUT_OFF])
def test_a_booking_begins_when_no_other_runs(phase: Phase) -> None:
    assert trip.happened(in_phase(phase), TripEvent.ADMITTED).phase is Phase.ACTIVE


@pytest.mark.parametrize("phase", [Phase.ACTIVE, Phase.OVERDUE, Phase.CUTOFF_PENDING])
def test_a_booking_that_runs_can_be_ended(phase: Phase) -> None:
    assert trip.happened(in_phase(phase), TripEvent.ENDED).phase is Phase.ENDED


@pytest.mark.req("ACC-5")
@pytest.mark.parametrize(
    ("phase", "event"),
    [
        (Phase.ACTIVE, TripEvent.ADMITTED),
        (Phase.OVERDUE, TripEvent.ADMITTED),
        (Phase.CUTOFF_PENDING, TripEvent.ADMITTED),
        (Phase.NONE, TripEvent.ENDED),
        (Phase.ENDED, TripEvent.ENDED),
        (Phase.CUT_OFF, TripEvent.ENDED),
    ],
)
def test_anything_else_is_a_bug_of_ours(phase: Phase, event: TripEvent) -> None:
    with pytest.raises(KeyError):
        trip.happened(in_phase(phase), event)


def test_the_first_reason_for_an_end_stays() -> None:
    once = trip.requested(in_phase(Phase.ACTIVE), EndReason.REVOKED)
    assert once.end_requested is EndReason.REVOKED
    assert trip.requested(once, EndReason.ORDER).end_requested is EndReason.REVOKED


@pytest.mark.req("CUT-7")
@pytest.mark.parametrize(
    ("phase", "warned", "overdue_ms", "due"),
    [
        (Phase.OVERDUE, False, 1_499_999, False),
        (Phase.OVERDUE, False, 1_500_000, True),
        (Phase.OVERDUE, True, 1_500_000, False),
        (Phase.ACTIVE, False, 1_500_000, False),
        (Phase.CUTOFF_PENDING, False, 1_900_000, False),
    ],
)
def test_the_warning_is_due_once_five_minutes_before(phase: Phase, warned: bool, overdue_ms: int, due: bool) -> None:
    assert trip.warn_due(in_phase(phase, warned=warned), Facts(overdue_ms, False)) is due


@pytest.mark.req("CUT-4")
@pytest.mark.parametrize(
    ("phase", "warned", "at_ms"),
    [
        (Phase.ACTIVE, False, 0),
        (Phase.OVERDUE, False, 1_500_000),
        (Phase.OVERDUE, True, 1_800_001),
        (Phase.CUTOFF_PENDING, True, None),
        (Phase.NONE, False, None),
        (Phase.ENDED, False, None),
    ],
)
def test_the_next_deadline_is_the_next_change(phase: Phase, warned: bool, at_ms: int | None) -> None:
    assert trip.next_overdue_ms(in_phase(phase, warned=warned)) == at_ms


@pytest.mark.parametrize(
    ("waiting", "expected"),
    [
        (in_phase(Phase.CUTOFF_PENDING), True),
        (in_phase(Phase.ACTIVE), False),
        (in_phase(Phase.ACTIVE, end_requested=EndReason.ORDER), True),
        (in_phase(Phase.ENDED, end_requested=EndReason.ORDER), False),
    ],
)
def test_parking_is_waited_for_only_when_it_changes_something(waiting: Trip, expected: bool) -> None:
    assert trip.waits_for_parking(waiting) is expected


def test_the_rules_are_looked_up_by_the_phase_that_they_lead_from_in_their_order() -> None:
    looked_up = trip.by_phase(trip.RULES)
    assert looked_up == trip.RULES_FROM
    assert looked_up[Phase.ENDED] == ()
    assert looked_up[Phase.CUTOFF_PENDING] == trip.RULES[2:]
