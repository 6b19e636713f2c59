"""The driver ends the booking: what stands against it, and the answer."""

import msgspec
import pytest

from firmware.core import ending, vehicle
from firmware.core.draft import Draft
from firmware.core.effects import Actuate, AnswerEnded
from firmware.core.events import Action, Fix
from firmware.core.reports import Point
from firmware.core.state import EndReason, State, Trip
from protocol.errors import Code
from protocol.messages import Ended, Phase
from protocol.tokens import EndReceipt
from tests.support.core import (
    BEGINS_MS,
    DRIVING,
    ENDS_MS,
    NOW,
    OTHER,
    OWNER_KEY,
    PROFILE,
    STANDING,
    draft,
    linked,
    only,
    running,
    seen,
)
from tests.support.credentials import BOOKING, MODULE_ID

replace = msgspec.structs.replace

MINE = linked(running(), BOOKING)


def end(state: State) -> Draft:
    step = draft(state)
    ending.by_driver(step, 1, 7)
    return step


def car(**changes: object) -> State:
    """The driver's phone is on link 1; the car as it stands, but for these."""
    return linked(running(vehicle=seen(replace(STANDING, **changes))), BOOKING)


def ended(step: Draft) -> AnswerEnded:
    (sent,) = only(AnswerEnded, step.effects)
    return sent


@pytest.mark.req("BKG-3", "ACC-8")
@pytest.mark.parametrize(
    ("state", "numbers", "remedy"),
    [
        (
            linked(running(vehicle=seen(replace(DRIVING, doors_open=True, boot_open=True))), BOOKING),
            (("not_parked", 1), ("doors_open", 1), ("boot_open", 1)),
            "Park with the ignition off for five seconds, close all doors, close the boot; then end again.",
        ),
        (car(doors_open=None), (("doors_open", 1),), "Close all doors; then end again."),
        (car(boot_open=None), (("boot_open", 1),), "Close the boot; then end again."),
    ],
)
def test_an_end_that_is_not_possible_lists_everything_that_is_missing(
    state: State, numbers: tuple[tuple[str, int], ...], remedy: str
) -> None:
    no = ending.obstacle(state.vehicle.sample, parked=vehicle.parked(state.vehicle, NOW))
    assert no is not None
    assert (no.code, no.numbers, no.remedy) == (Code.END_NOT_POSSIBLE, numbers, remedy)
    assert ending.obstacle(STANDING, parked=True) is None


@pytest.mark.req("BKG-2", "BKG-3", "BKG-4", "BKG-5")
def test_an_end_locks_arms_and_is_answered_with_what_goes_into_the_receipt() -> None:
    step = end(MINE)
    assert [effect.action for effect in only(Actuate, step.effects)] == [Action.ARM_IMMOBILISER, Action.LOCK]
    assert step.durable.trip.phase is Phase.ENDED
    at_ms = ENDS_MS - 3_600_000
    assert ended(step) == AnswerEnded(
        1,
        7,
        Code.OK,
        Ended(at_ms, 0, 3_600_000),
        EndReceipt(MODULE_ID, BOOKING.booking_id, at_ms // 1000, position_known=True, offline=True),
    )


@pytest.mark.req("BKG-5", "TEL-7")
@pytest.mark.parametrize(
    ("metres_north", "code", "told_m"),
    [(299.9, Code.OK, 299), (300.1, Code.OUTSIDE_HOME_AREA, 300), (301.5, Code.OUTSIDE_HOME_AREA, 301)],
)
def test_outside_the_home_area_the_distance_is_told_and_the_end_accepted(
    metres_north: float, code: Code, told_m: int
) -> None:
    fix = Fix(481_371_540 + round(metres_north / 111_195.08 * 1e7), 115_761_240, ENDS_MS - 3_605_000, NOW - 5_000)
    sent = ended(end(car(fix=fix)))
    assert (sent.code, sent.body.home_distance_m, sent.body.position_age_ms) == (code, told_m, 5_000)


@pytest.mark.req("BKG-4", "BKG-5", "TEL-7")
def test_an_end_without_a_fix_or_a_home_or_with_the_broker_says_so() -> None:
    sent = ended(end(car(fix=None)))
    assert (sent.body.home_distance_m, sent.body.position_age_ms, sent.receipt.position_known) == (None, None, False)
    homeless = replace(MINE, profile=replace(PROFILE, home=None), broker_connected=True)
    sent = ended(end(homeless))
    assert (sent.code, sent.body.home_distance_m, sent.receipt.offline) == (Code.OK, None, False)


@pytest.mark.req("BKG-4")
def test_a_fix_from_after_the_end_has_no_age() -> None:
    point = Point(481_371_540, 115_761_240, BEGINS_MS + 5)
    state = running(phase=Phase.ENDED, ended_ms=BEGINS_MS, end_point=point, end_distance_m=0)
    step = draft(linked(state, BOOKING))
    ending.answer(step, 1, 7)
    assert ended(step).body == Ended(BEGINS_MS, 0, 0)


@pytest.mark.req("ACC-5", "ACC-7")
def test_only_the_driver_who_ended_it_is_given_the_answer_again() -> None:
    over = Trip(Phase.ENDED, BOOKING, BEGINS_MS, BEGINS_MS)
    mine, theirs, keys = linked(running(), BOOKING, OTHER, OWNER_KEY).links
    assert ending.ended_by(over, mine)
    assert not ending.ended_by(replace(over, end_requested=EndReason.ORDER), mine)
    assert not ending.ended_by(replace(over, phase=Phase.ACTIVE), mine)
    assert not ending.ended_by(Trip(), mine)
    assert not ending.ended_by(over, theirs)
    assert not ending.ended_by(over, keys)
