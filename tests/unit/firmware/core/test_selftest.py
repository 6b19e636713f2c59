"""What a dealer's module shows, step by step, and what the report says."""

import msgspec
import pytest

from firmware.core import selftest
from firmware.core.clock import Clock
from firmware.core.draft import Draft
from firmware.core.effects import Actuate, AnswerTested
from firmware.core.events import Action, ActuationFinished
from firmware.core.selftest import STEPS
from firmware.core.state import Link, Ownership, Pending, SelfTest, State, Takeover
from protocol.errors import Code
from protocol.messages import Operation
from protocol.selftest import Part, Report, Result
from tests.support.core import (
    AT_HOME,
    BEGINS_MS,
    DEALER_KEY,
    DRIVING,
    FLOOR_MS,
    GUEST_KEY,
    NOW,
    OWNER_KEY,
    a_state,
    draft,
    durably,
    linked,
    only,
    running,
    seen,
)
from tests.support.credentials import BOOKING, COUPLING, MODULE_ID

replace = msgspec.structs.replace

ALL = SelfTest(1, 7, len(STEPS), 3, 2)


def dealer(state: State | None = None) -> State:
    """A dealer is connected, and so is the broker."""
    state = state or a_state(ownership=Ownership(coupled=False))
    return linked(replace(state, broker_connected=True), DEALER_KEY)


def asked(state: State) -> tuple[Draft, Code | None]:
    step = draft(state)
    refused = selftest.asked(step, state.links[0], 7)
    return step, None if refused is None else refused.code


def told(step: Draft) -> list[Actuate]:
    return only(Actuate, step.effects)


def played(state: State, *confirmed: bool) -> tuple[list[Action], Report]:
    """All that the car was told when it answered each time like this, and the report."""
    step, refused = asked(state)
    assert refused is None
    actions = []
    for answer in confirmed:
        (order,) = told(step)
        actions.append(order.action)
        step = draft(step.state)
        assert selftest.finished(step, ActuationFinished(order.action, answer, order.command_id))
    assert told(step) == []
    (tested,) = only(AnswerTested, step.effects)
    assert (tested.link, tested.request_id) == (1, 7)
    assert step.state.testing is None
    return actions, tested.report


# ---------------------------------------------------------------- the steps
@pytest.mark.req("OWN-1")
def test_one_step_after_the_other_and_it_ends_locked_and_armed() -> None:
    actions, report = played(dealer(), True, True, True, True, True)
    assert actions == [
        Action.LOCK,
        Action.UNLOCK,
        Action.LOCK,
        Action.RELEASE_IMMOBILISER,
        Action.ARM_IMMOBILISER,
    ]
    assert report.passed
    assert (report.module_id, report.tested_s) == (MODULE_ID, BEGINS_MS // 1000)


@pytest.mark.req("OWN-1")
def test_what_the_car_does_not_confirm_is_counted_and_the_rest_goes_on() -> None:
    actions, report = played(dealer(), True, False, True, False, True)
    assert actions == list(STEPS)
    assert report.results[4:] == (
        Result(Part.DOORS, passed=False, detail=2),
        Result(Part.IMMOBILISER, passed=False, detail=1),
    )


@pytest.mark.req("OWN-1", "CUT-3")
@pytest.mark.parametrize("moves_before", [3, 4])
def test_a_car_that_moves_meanwhile_is_neither_released_nor_armed(moves_before: int) -> None:
    state = dealer()
    state = replace(state, testing=SelfTest(1, 7, moves_before - 1, 2, 0), vehicle=seen(DRIVING))
    step = draft(state)
    last = ActuationFinished(STEPS[moves_before - 1], True, b"selftest" + bytes([moves_before - 1]))
    assert selftest.finished(step, last)
    assert told(step) == []
    (tested,) = only(AnswerTested, step.effects)
    assert not tested.report.passed
    doors = replace(state, testing=SelfTest(1, 7, 0))
    step = draft(doors)
    assert selftest.finished(step, ActuationFinished(Action.LOCK, True, b"selftest\x00"))
    assert [order.action for order in told(step)] == [Action.UNLOCK], "doors hurt nobody"


@pytest.mark.req("OWN-1")
@pytest.mark.parametrize("command", [b"", b"selftest\x01", b"command1"])
def test_an_answer_to_something_else_is_not_taken(command: bytes) -> None:
    step, _ = asked(dealer())
    before = step.state
    assert selftest.finished(step, ActuationFinished(Action.LOCK, True, command)) is False
    assert step.state is before
    idle = draft(dealer())
    assert not selftest.finished(idle, ActuationFinished(Action.LOCK, True, b"selftest\x00"))


def test_the_car_is_seen_as_the_test_leaves_it() -> None:
    step, _ = asked(dealer())
    selftest.finished(step, ActuationFinished(Action.LOCK, False, b"selftest\x00"))
    assert step.state.vehicle.sample.locked is None


# ---------------------------------------------------------------- who may, and when
@pytest.mark.req("OWN-1")
@pytest.mark.parametrize("held", [BOOKING, OWNER_KEY, GUEST_KEY])
def test_only_a_dealer_tests(held: object) -> None:
    assert isinstance(held, type(BOOKING) | type(OWNER_KEY))
    step, refused = asked(linked(a_state(), held))
    assert refused is Code.ROLE_REQUIRED
    assert step.effects == []
    nobody = draft(a_state())
    no = selftest.asked(nobody, Link(1, NOW, NOW), 7)
    assert no is not None
    assert (no.code, no.remedy) == (Code.ROLE_REQUIRED, "Only a dealer's key tests a module.")


@pytest.mark.req("OWN-1")
def test_what_stands_against_it_has_its_numbers() -> None:
    for vehicle, numbers in (
        (seen(still_for_ms=4_999), (("parked_ms", 4_999),)),
        (seen(doors_open=True, boot_open=None), (("doors_open", 1), ("boot_open", 0))),
        (seen(doors_open=False, boot_open=True), (("doors_open", 0), ("boot_open", 1))),
    ):
        state = dealer(replace(a_state(), vehicle=vehicle))
        no = selftest.asked(draft(state), state.links[0], 7)
        assert no is not None
        assert no.numbers == numbers
    state = dealer(running())
    no = selftest.asked(draft(state), state.links[0], 7)
    assert no is not None
    assert "nobody has" in no.remedy


@pytest.mark.req("OWN-1")
@pytest.mark.parametrize(
    ("state", "code"),
    [
        (replace(a_state(), pending=Pending(1, 1, b"command1", Operation.LOCK)), Code.BUSY),
        (replace(a_state(), testing=SelfTest(1, 1)), Code.BUSY),
        (a_state(takeover=Takeover(bytes(16), COUPLING)), Code.BUSY),
        (running(), Code.VEHICLE_IN_USE),
        (a_state(driver_key=OWNER_KEY), Code.VEHICLE_IN_USE),
        (replace(a_state(), vehicle=seen(DRIVING)), Code.NOT_PARKED),
        (replace(a_state(), vehicle=seen(age_ms=2_501)), Code.NOT_PARKED),
        (replace(a_state(), vehicle=seen(doors_open=True)), Code.DOORS_OPEN),
        (replace(a_state(), vehicle=seen(boot_open=True)), Code.DOORS_OPEN),
        (replace(a_state(), vehicle=seen(doors_open=None, boot_open=None)), None),
        (durably(a_state(), ownership=Ownership(coupled=False)), None),
    ],
)
def test_the_car_is_parked_closed_and_nobodys_at_this_moment(state: State, code: Code | None) -> None:
    step, refused = asked(dealer(state))
    assert refused is code
    assert len(told(step)) == (1 if code is None else 0)
    assert step.state.busy or code is not None


# ---------------------------------------------------------------- the report
@pytest.mark.req("OWN-1")
def test_everything_works() -> None:
    fix = replace(AT_HOME, taken_at_ms=NOW - 60_000)
    report = selftest.report(replace(dealer(), vehicle=seen(fix=fix)), ALL, NOW)
    assert report.results == (
        Result(Part.RADIO, passed=True, detail=1),
        Result(Part.BROKER, passed=True),
        Result(Part.GNSS, passed=True, detail=60_000),
        Result(Part.CLOCK, passed=True, detail=0),
        Result(Part.DOORS, passed=True, detail=3),
        Result(Part.IMMOBILISER, passed=True, detail=2),
    )


@pytest.mark.req("OWN-1")
@pytest.mark.parametrize(
    ("change", "part", "detail"),
    [
        ({"broker_connected": False}, Part.BROKER, None),
        ({"vehicle": seen(fix=None)}, Part.GNSS, None),
        ({"vehicle": seen(fix=replace(AT_HOME, latitude_e7=0, longitude_e7=0))}, Part.GNSS, None),
        ({"vehicle": seen(fix=replace(AT_HOME, taken_at_ms=NOW - 60_001))}, Part.GNSS, 60_001),
        ({"vehicle": seen(fix=replace(AT_HOME, taken_at_ms=NOW - 2**32))}, Part.GNSS, 2**32 - 1),
        ({"clock": Clock(FLOOR_MS, NOW)}, Part.CLOCK, None),
        ({"clock": Clock(FLOOR_MS, NOW, BEGINS_MS, NOW, 2_000)}, Part.CLOCK, 4_000),
    ],
)
def test_what_does_not_work_is_named(change: dict[str, object], part: Part, detail: int | None) -> None:
    report = selftest.report(replace(dealer(), **change), ALL, NOW)
    assert [(each.part, each.detail) for each in report.results if not each.passed] == [(part, detail)]


def test_a_fix_of_the_next_moment_is_fresh() -> None:
    ahead = replace(dealer(), vehicle=seen(fix=replace(AT_HOME, taken_at_ms=NOW + 5)))
    assert selftest.report(ahead, ALL, NOW).results[2] == Result(Part.GNSS, passed=True, detail=0)
