"""What a phone asks for through its session, and the answer."""

import msgspec
import pytest

from firmware.core import keys, requests
from firmware.core.draft import Draft
from firmware.core.effects import Actuate, Answer, AnswerEnded, Effect
from firmware.core.events import Action, ActuationFinished, Fix, RequestReceived
from firmware.core.reports import Point
from firmware.core.state import DeadBooking, EndReason, Executed, Pending, State, Trip
from protocol.errors import Code, Refusal, refuse
from protocol.messages import (
    COMMANDS,
    Accepted,
    Done,
    Ended,
    KeyList,
    Nonce,
    Operation,
    Outcome,
    Phase,
    Position,
    Reply,
    Status,
)
from protocol.telemetry import EventKind
from protocol.tokens import TimeAttestation
from tests.support.core import (
    BEGINS_MS,
    CODED_KEY,
    COMMAND,
    DEALER_KEY,
    DRIVING,
    GUEST_KEY,
    NOW,
    OTHER,
    OWNER_KEY,
    STANDING,
    a_state,
    answer,
    draft,
    durably,
    events,
    knowing,
    linked,
    only,
    refusal,
    request,
    running,
    seen,
)
from tests.support.credentials import BOOKING, MODULE_ID, ORDER

replace = msgspec.structs.replace

UNLOCKED = seen(locked=False)
USER = b"a driver"


def ask(state: State, event: RequestReceived) -> Draft:
    step = draft(state)
    requests.received(step, event)
    return step


def car(**changes: object) -> State:
    """The driver's phone is on link 1; the car as it stands, but for these."""
    return linked(running(vehicle=seen(replace(STANDING, **changes))), BOOKING)


MINE = linked(running(), BOOKING)


def moved(step: Draft) -> list[Action]:
    return [effect.action for effect in only(Actuate, step.effects)]


def executed(step: Draft) -> Executed:
    return step.durable.executed[-1]


# ---------------------------------------------------------------- who may ask
@pytest.mark.req("ACC-3")
@pytest.mark.parametrize("state", [a_state(), linked(running(), None)])
def test_without_a_session_nothing_is_answered(state: State) -> None:
    assert ask(state, request(Operation.STATUS)).finish() == (state, ())
    step = draft(state)
    requests.undone(step, request(Operation.STATUS))
    assert step.finish() == (state, ())


@pytest.mark.req("BKG-1", "ACC-1")
def test_a_request_lets_a_booking_in_that_has_waited() -> None:
    step = ask(linked(a_state(), BOOKING), request(Operation.STATUS))
    assert step.durable.trip.booking == BOOKING
    assert step.required
    body = answer(step.effects)
    assert isinstance(body, Status)
    assert body.access.granted


@pytest.mark.req("ACC-2", "ACC-8")
@pytest.mark.parametrize(
    ("operation", "held", "missing", "remedy"),
    [
        (Operation.UNLOCK, 14, 1, "unlock"),
        (Operation.ENABLE_DRIVE, 13, 2, "drive"),
        (Operation.DISABLE_DRIVE, 13, 2, "drive"),
        (Operation.LOCK, 11, 4, "lock"),
        (Operation.LOCATE, 7, 8, "locate"),
        (Operation.OPEN_BOOT, 15, 16, "open the boot"),
    ],
)
def test_each_permission_is_asked_for_by_its_name(operation: Operation, held: int, missing: int, remedy: str) -> None:
    booking = replace(BOOKING, permissions=held)
    step = ask(linked(running(booking), booking), request(operation))
    no = refusal(step.effects, Code.PERMISSION_MISSING)
    assert no.numbers == (("missing_permission", missing), ("permissions_held", held))
    assert no.remedy == f"Ask the owner for a booking that carries the permission to {remedy}."
    assert moved(step) == []


@pytest.mark.req("ACC-3", "ACC-4")
@pytest.mark.parametrize("operation", [Operation.UNLOCK, Operation.END_BOOKING, Operation.LOCATE])
def test_who_is_not_admitted_moves_nothing_and_learns_why(operation: Operation) -> None:
    step = ask(linked(running(), OTHER), request(operation))
    refusal(step.effects, Code.VEHICLE_IN_USE)
    assert step.durable == running().durable


# ---------------------------------------------------------------- questions
@pytest.mark.req("PRV-5")
def test_the_active_user_may_know_where_the_car_is() -> None:
    step = draft(MINE, NOW + 4_000)
    requests.received(step, request(Operation.LOCATE))
    assert answer(step.effects) == Position(481_371_540, 115_761_240, 4_000)
    refusal(ask(car(fix=None), request(Operation.LOCATE)).effects, Code.POSITION_UNKNOWN)
    early = ask(car(fix=Fix(1, 2, BEGINS_MS, NOW + 9)), request(Operation.LOCATE))
    assert answer(early.effects) == Position(1, 2, 0)


@pytest.mark.req("CLK-2")
def test_a_nonce_is_given_to_anybody_with_a_session() -> None:
    step = ask(linked(running(), OTHER), request(Operation.GET_NONCE))
    assert answer(step.effects) == Nonce(b"sixteen of chaos", MODULE_ID, 300_000)
    assert (step.state.nonce, step.state.nonce_at_ms) == (b"sixteen of chaos", NOW)


@pytest.mark.req("CLK-2")
@pytest.mark.parametrize(
    ("age_ms", "shared", "valid_ms"), [(0, True, 300_000), (30_000, True, 270_000), (30_001, False, 300_000)]
)
def test_a_nonce_is_shared_for_half_a_minute(age_ms: int, shared: bool, valid_ms: int) -> None:
    asked = replace(linked(running(), OTHER), nonce=b"an older nonce..", nonce_at_ms=NOW - age_ms)
    given = answer(ask(asked, request(Operation.GET_NONCE)).effects)
    assert given == Nonce(b"an older nonce.." if shared else b"sixteen of chaos", MODULE_ID, valid_ms)


@pytest.mark.req("CLK-2", "BKG-2")
def test_what_a_phone_carries_is_taken_and_may_let_its_own_booking_in() -> None:
    lost = replace(linked(a_state(), BOOKING), nonce=b"sixteen of chaos", nonce_at_ms=NOW)
    lost = replace(lost, clock=replace(lost.clock, reading_ms=None))
    told = TimeAttestation(MODULE_ID, b"sixteen of chaos", BEGINS_MS // 1000 + 60)
    step = ask(lost, request(Operation.PUT, signed=told))
    assert answer(step.effects) == Accepted()
    assert step.durable.trip.booking == BOOKING
    refusal(ask(MINE, request(Operation.PUT)).effects, Code.ORDER_UNSUPPORTED)
    driven, order = linked(running(vehicle=seen(DRIVING)), OTHER), replace(ORDER, expires_s=2**32)
    put = ask(driven, request(Operation.PUT, signed=order))
    assert answer(put.effects) == Accepted(pending=True)


# ---------------------------------------------------------------- commands
@pytest.mark.req("ACC-1", "ACC-7")
@pytest.mark.parametrize(
    ("state", "operation", "action", "waits_for_the_disk", "drive_enabled"),
    [
        (MINE, Operation.UNLOCK, Action.UNLOCK, True, False),
        (car(locked=False), Operation.LOCK, Action.LOCK, False, False),
        (MINE, Operation.ENABLE_DRIVE, Action.RELEASE_IMMOBILISER, True, True),
        (durably(MINE, drive_enabled=True), Operation.DISABLE_DRIVE, Action.ARM_IMMOBILISER, False, False),
    ],
)
def test_a_command_is_remembered_and_then_carried_out(
    state: State, operation: Operation, action: Action, waits_for_the_disk: bool, drive_enabled: bool
) -> None:
    step = ask(state, request(operation))
    assert step.effects == [Actuate(action, COMMAND)]
    assert executed(step) == Executed(COMMAND, USER, operation, None)
    assert step.required is waits_for_the_disk
    assert step.durable.drive_enabled is drive_enabled
    assert step.state.pending == Pending(1, 7, COMMAND, operation, state.durable.drive_enabled)


@pytest.mark.req("CUT-2")
def test_locking_a_parked_car_arms_it_too() -> None:
    step = ask(durably(car(locked=False), drive_enabled=True), request(Operation.LOCK))
    assert moved(step) == [Action.ARM_IMMOBILISER, Action.LOCK]
    assert not step.durable.drive_enabled
    driving = linked(durably(running(vehicle=seen(replace(DRIVING, locked=False))), drive_enabled=True), BOOKING)
    step = ask(driving, request(Operation.LOCK))
    assert moved(step) == [Action.LOCK]
    assert step.durable.drive_enabled


@pytest.mark.req("CUT-3")
def test_locking_a_car_that_has_just_stopped_arms_it_later() -> None:
    just_stopped = linked(durably(running(vehicle=seen(still_for_ms=1_000)), drive_enabled=True), BOOKING)
    step = ask(just_stopped, request(Operation.LOCK))
    assert moved(step) == [Action.LOCK]
    assert (step.durable.drive_enabled, step.durable.arm_when_parked) == (True, True)
    waiting = durably(just_stopped, arm_when_parked=True)
    assert not ask(waiting, request(Operation.ENABLE_DRIVE)).durable.arm_when_parked


@pytest.mark.req("ACC-7")
@pytest.mark.parametrize(
    ("state", "operation"),
    [
        (car(locked=False), Operation.UNLOCK),
        (car(locked=True), Operation.LOCK),
        (durably(car(immobilised=False), drive_enabled=True), Operation.ENABLE_DRIVE),
        (car(immobilised=True), Operation.DISABLE_DRIVE),
    ],
)
def test_a_target_state_that_is_reached_already_moves_nothing(state: State, operation: Operation) -> None:
    step = ask(state, request(operation))
    assert step.effects == [Answer(1, Reply(7, Code.OK, Done(already=True)))]
    assert executed(step) == Executed(COMMAND, USER, operation, Code.OK)


@pytest.mark.parametrize(
    ("state", "operation", "first"),
    [
        (durably(car(locked=True), drive_enabled=True), Operation.LOCK, Action.ARM_IMMOBILISER),
        (durably(car(immobilised=True), drive_enabled=True), Operation.ENABLE_DRIVE, Action.RELEASE_IMMOBILISER),
        (car(immobilised=False), Operation.DISABLE_DRIVE, Action.ARM_IMMOBILISER),
        (car(locked=None), Operation.LOCK, Action.LOCK),
    ],
)
def test_a_target_state_that_is_not_certain_is_worked_for(state: State, operation: Operation, first: Action) -> None:
    assert moved(ask(state, request(operation)))[0] is first


@pytest.mark.req("CUT-1")
def test_while_overdue_the_phone_is_told_with_every_command() -> None:
    late = linked(running(phase=Phase.OVERDUE, overdue_ms=5, vehicle=UNLOCKED), BOOKING)
    (reply,) = only(Answer, ask(late, request(Operation.UNLOCK)).effects)
    assert (reply.reply.code, reply.reply.body) == (Code.OVERDUE, Done(already=True))


# ---------------------------------------------------------------- obstacles
def test_one_command_at_a_time() -> None:
    busy = replace(MINE, pending=Pending(2, 1, b"another-", Operation.LOCK))
    refusal(ask(busy, request(Operation.UNLOCK)).effects, Code.BUSY)


@pytest.mark.req("BKG-3")
@pytest.mark.parametrize(("doors", "boot"), [(True, False), (False, True), (True, None)])
def test_an_open_car_is_not_locked(doors: bool, boot: bool | None) -> None:
    no = refusal(
        ask(car(locked=False, doors_open=doors, boot_open=boot), request(Operation.LOCK)).effects, Code.DOORS_OPEN
    )
    assert no.numbers == (("doors_open", int(doors)), ("boot_open", int(bool(boot))))


@pytest.mark.req("CUT-3")
def test_nothing_is_taken_from_a_moving_car() -> None:
    step = ask(linked(running(vehicle=seen(DRIVING)), BOOKING), request(Operation.DISABLE_DRIVE))
    assert refusal(step.effects, Code.NOT_PARKED).numbers == (("parked_ms", 0),)
    standing = linked(running(vehicle=seen(still_for_ms=4_000)), BOOKING)
    assert refusal(ask(standing, request(Operation.DISABLE_DRIVE)).effects, Code.NOT_PARKED).numbers == (
        ("parked_ms", 4_000),
    )


# ---------------------------------------------------------------- the same identifier again
def repeated(code: Code | None, operation: Operation = Operation.UNLOCK, **changes: object) -> list[Effect]:
    known = Executed(COMMAND, USER, Operation.UNLOCK, code)
    state = replace(durably(MINE, executed=(known,)), **changes)
    step = ask(state, request(operation))
    assert step.durable == state.durable
    return step.effects


@pytest.mark.req("ACC-7")
def test_a_repeated_command_gets_its_outcome_and_moves_nothing() -> None:
    assert answer(repeated(Code.OK)) == Done(already=True)
    assert refusal(repeated(Code.VEHICLE_NO_RESPONSE), Code.VEHICLE_NO_RESPONSE).may_have_succeeded
    assert refusal(repeated(None), Code.VEHICLE_NO_RESPONSE).may_have_succeeded
    underway = Pending(1, 6, COMMAND, Operation.UNLOCK)
    assert refusal(repeated(None, pending=underway), Code.BUSY).may_have_succeeded
    other = replace(underway, command_id=b"another-")
    refusal(repeated(None, pending=other), Code.VEHICLE_NO_RESPONSE)
    refusal(repeated(Code.OK, Operation.LOCK), Code.COMMAND_ID_REUSED)


@pytest.mark.req("ACC-7")
@pytest.mark.parametrize(
    ("code", "pending", "outcome"),
    [
        (Code.OK, None, Outcome(Operation.UNLOCK, Code.OK, False)),
        (Code.VEHICLE_NO_RESPONSE, None, Outcome(Operation.UNLOCK, Code.VEHICLE_NO_RESPONSE, True)),
        (None, None, Outcome(Operation.UNLOCK, Code.VEHICLE_NO_RESPONSE, True)),
        (None, Pending(1, 6, COMMAND, Operation.UNLOCK), Outcome(Operation.UNLOCK, Code.BUSY, True)),
        (None, Pending(1, 6, b"another-", Operation.UNLOCK), Outcome(Operation.UNLOCK, Code.VEHICLE_NO_RESPONSE, True)),
    ],
)
def test_the_outcome_of_a_command_can_be_asked_for(
    code: Code | None, pending: Pending | None, outcome: Outcome
) -> None:
    assert answer(repeated(code, Operation.OUTCOME, pending=pending)) == outcome


@pytest.mark.req("ACC-7")
def test_the_outcome_of_somebody_elses_command_is_unknown() -> None:
    theirs = durably(MINE, executed=(Executed(COMMAND, b"somebody", Operation.UNLOCK, Code.OK),))
    refusal(ask(theirs, request(Operation.OUTCOME)).effects, Code.OUTCOME_UNKNOWN)


# ---------------------------------------------------------------- what the car answered
def underway(operation: Operation, state: State = MINE, *, enabled_before: bool = False) -> State:
    pending = Pending(1, 7, COMMAND, operation, enabled_before)
    state = durably(state, executed=(*state.durable.executed, Executed(COMMAND, USER, operation, None)))
    return replace(state, pending=pending)


def finished(state: State, action: Action, *, confirmed: bool, command_id: bytes = COMMAND) -> Draft:
    step = draft(state)
    requests.actuation_finished(step, ActuationFinished(action, confirmed, command_id))
    return step


@pytest.mark.req("ACC-7")
def test_what_the_car_confirmed_is_remembered_and_told() -> None:
    step = finished(underway(Operation.UNLOCK), Action.UNLOCK, confirmed=True)
    assert step.effects == [Answer(1, Reply(7, Code.OK, Done()))]
    assert executed(step) == Executed(COMMAND, USER, Operation.UNLOCK, Code.OK)
    assert step.state.pending is None
    assert step.state.vehicle.sample.locked is False


@pytest.mark.req("CUT-1")
def test_an_overdue_command_is_done_with_a_warning() -> None:
    late = linked(running(phase=Phase.CUTOFF_PENDING, overdue_ms=2_000_000, vehicle=seen(DRIVING)), BOOKING)
    step = finished(underway(Operation.UNLOCK, late), Action.UNLOCK, confirmed=True)
    assert step.effects == [Answer(1, Reply(7, Code.OVERDUE, Done()))]
    assert executed(step).code is Code.OK


@pytest.mark.req("ACC-7", "ACC-8")
def test_what_the_car_did_not_confirm_may_have_happened() -> None:
    step = finished(underway(Operation.UNLOCK), Action.UNLOCK, confirmed=False)
    assert refusal(step.effects, Code.VEHICLE_NO_RESPONSE).may_have_succeeded
    assert executed(step).code is Code.VEHICLE_NO_RESPONSE
    assert step.state.vehicle.sample.locked is None


@pytest.mark.req("CUT-3")
def test_a_release_that_nobody_saw_is_taken_back_unless_the_engine_may_run() -> None:
    state = durably(underway(Operation.ENABLE_DRIVE), drive_enabled=True)
    step = finished(state, Action.RELEASE_IMMOBILISER, confirmed=False)
    assert moved(step) == [Action.ARM_IMMOBILISER]
    assert not step.durable.drive_enabled
    before = durably(underway(Operation.ENABLE_DRIVE, enabled_before=True), drive_enabled=True)
    rolling = durably(
        underway(Operation.ENABLE_DRIVE, linked(running(vehicle=seen(DRIVING)), BOOKING)), drive_enabled=True
    )
    for state in (before, rolling):
        step = finished(state, Action.RELEASE_IMMOBILISER, confirmed=False)
        assert moved(step) == []
        assert step.durable.drive_enabled


def test_only_the_youngest_unfinished_command_of_that_identifier_is_finished() -> None:
    old = Executed(COMMAND, b"somebody", Operation.LOCK, None)
    step = finished(underway(Operation.UNLOCK, durably(MINE, executed=(old,))), Action.UNLOCK, confirmed=True)
    assert step.durable.executed == (old, Executed(COMMAND, USER, Operation.UNLOCK, Code.OK))
    forgotten = durably(underway(Operation.UNLOCK), executed=())
    assert finished(forgotten, Action.UNLOCK, confirmed=True).durable.executed == ()


@pytest.mark.req("CUT-7")
def test_a_lock_that_nobody_asked_for_and_that_failed_raises_an_alert() -> None:
    step = finished(MINE, Action.LOCK, confirmed=False, command_id=b"")
    assert events(step.effects) == [EventKind.LOCK_FAILED]
    assert finished(MINE, Action.LOCK, confirmed=True, command_id=b"").effects == []
    busy = underway(Operation.UNLOCK)
    step = finished(busy, Action.ARM_IMMOBILISER, confirmed=False, command_id=b"")
    assert (step.effects, step.state.pending) == ([], busy.pending)


# ---------------------------------------------------------------- ending
def ended(step: Draft) -> AnswerEnded:
    (sent,) = only(AnswerEnded, step.effects)
    return sent


def after_the_end(*, end_distance_m: int | None = None, end_requested: EndReason | None = None) -> State:
    point = Point(481_371_540, 115_761_240, BEGINS_MS)
    trip = Trip(Phase.ENDED, BOOKING, BEGINS_MS, BEGINS_MS, False, end_requested, point, end_distance_m)
    done = durably(running(), trip=trip)
    dead = DeadBooking(BOOKING.booking_id, EndReason.DRIVER, BOOKING.expires_s, BOOKING.issued_s)
    return durably(linked(done, BOOKING), dead=(dead,))


@pytest.mark.req("BKG-4", "ACC-7")
@pytest.mark.parametrize("command_id", [COMMAND, b"another-"])
def test_a_lost_answer_to_an_end_is_given_again_as_it_was(command_id: bytes) -> None:
    known = Executed(COMMAND, USER, Operation.END_BOOKING, Code.OK)
    state = durably(after_the_end(end_distance_m=0), executed=(known,))
    far_away = Fix(482_000_000, 116_500_000, BEGINS_MS, NOW)
    step = ask(replace(state, vehicle=seen(fix=far_away)), request(Operation.END_BOOKING, command_id=command_id))
    assert (ended(step).code, ended(step).body) == (Code.OK, Ended(BEGINS_MS, 0, 0))
    assert moved(step) == []
    assert Executed(command_id, USER, Operation.END_BOOKING, Code.OK) in step.durable.executed


@pytest.mark.req("ACC-5", "ACC-7")
def test_an_end_by_order_or_of_another_booking_is_not_the_drivers_own() -> None:
    ordered = after_the_end(end_requested=EndReason.ORDER)
    refusal(ask(ordered, request(Operation.END_BOOKING)).effects, Code.BOOKING_ENDED)
    known = Executed(COMMAND, USER, Operation.END_BOOKING, Code.OK)
    later = durably(linked(running(OTHER), BOOKING), executed=(known,))
    assert answer(ask(later, request(Operation.END_BOOKING)).effects) == Done(already=True)


# ---------------------------------------------------------------- a disk that refuses
def undone(state: State, operation: Operation) -> Draft:
    step = draft(state)
    requests.undone(step, request(operation))
    return step


@pytest.mark.req("PWR-2")
@pytest.mark.parametrize("operation", [Operation.UNLOCK, Operation.ENABLE_DRIVE])
def test_what_permits_is_refused_when_the_disk_refuses(operation: Operation) -> None:
    step = undone(MINE, operation)
    assert not refusal(step.effects, Code.STORAGE_FAILED).may_have_succeeded
    assert step.durable == MINE.durable
    assert step.state.links[0].denied is None


@pytest.mark.req("PWR-2", "ACC-10")
def test_a_booking_that_can_not_be_written_down_is_denied_and_told_so() -> None:
    step = undone(linked(a_state(), BOOKING), Operation.STATUS)
    assert step.state.links[0].denied == refuse(Code.STORAGE_FAILED)
    body = answer(step.effects)
    assert isinstance(body, Status)
    assert isinstance(body.access.refusal, Refusal)
    assert body.access.refusal.code is Code.STORAGE_FAILED
    assert step.durable.trip.phase is Phase.NONE


# ---------------------------------------------------------------- what only a small mistake would show
def test_a_request_whose_permission_could_not_be_kept_is_traffic_too() -> None:
    step = draft(MINE, NOW + 5_000)
    requests.undone(step, request(Operation.STATUS))
    assert step.state.links[0].active_at_ms == NOW + 5_000


@pytest.mark.req("ACC-5", "BKG-3")
def test_after_the_drivers_end_any_other_command_is_refused_once() -> None:
    step = ask(after_the_end(), request(Operation.UNLOCK))
    refusal(step.effects, Code.BOOKING_ENDED)
    again = ask(after_the_end(end_distance_m=0), request(Operation.END_BOOKING))
    assert len(again.effects) == 1


@pytest.mark.req("ACC-7")
def test_a_command_repeated_after_the_end_gets_its_own_outcome() -> None:
    known = Executed(COMMAND, USER, Operation.UNLOCK, Code.OK)
    step = ask(durably(after_the_end(), executed=(known,)), request(Operation.UNLOCK))
    assert answer(step.effects) == Done(already=True)


def test_a_locked_car_that_drives_is_locked_already() -> None:
    rolling = linked(durably(running(vehicle=seen(DRIVING, locked=True)), drive_enabled=True), BOOKING)
    step = ask(rolling, request(Operation.LOCK))
    assert (moved(step), answer(step.effects)) == ([], Done(already=True))


def test_driving_is_not_enabled_because_the_immobiliser_happens_to_be_released() -> None:
    released = linked(running(vehicle=seen(immobilised=False)), BOOKING)
    assert moved(ask(released, request(Operation.ENABLE_DRIVE))) == [Action.RELEASE_IMMOBILISER]


@pytest.mark.req("PWR-2", "BKG-1")
def test_a_start_waits_for_the_disk_whatever_was_asked_for_with_it() -> None:
    step = ask(linked(a_state(vehicle=UNLOCKED), BOOKING), request(Operation.LOCK))
    assert (step.durable.trip.running, moved(step)) == (True, [Action.LOCK])
    assert step.required


@pytest.mark.req("CUT-3")
def test_only_a_release_that_nobody_confirmed_is_taken_back() -> None:
    enabled = durably(MINE, drive_enabled=True)
    assert moved(finished(underway(Operation.UNLOCK, enabled), Action.UNLOCK, confirmed=False)) == []
    assert moved(finished(underway(Operation.ENABLE_DRIVE, enabled), Action.RELEASE_IMMOBILISER, confirmed=True)) == []


@pytest.mark.req("BKG-5", "PRV-5")
def test_who_may_not_begin_yet_learns_nothing_of_the_end_before() -> None:
    tomorrow = replace(OTHER, not_before_s=OTHER.not_before_s + 86_400, ends_at_s=OTHER.ends_at_s + 86_400)
    for before in (a_state(), after_the_end(end_distance_m=7)):
        theirs = replace(before, links=linked(a_state(), tomorrow).links)
        refusal(ask(theirs, request(Operation.END_BOOKING)).effects, Code.NOT_YET_VALID)


def test_each_command_that_is_under_way_is_finished_by_its_own_answer() -> None:
    mine = Executed(COMMAND, USER, Operation.UNLOCK, None)
    for younger in (
        Executed(b"another-", USER, Operation.LOCK, None),
        Executed(COMMAND, b"you", Operation.LOCK, Code.OK),
    ):
        state = replace(durably(MINE, executed=(mine, younger)), pending=Pending(1, 7, COMMAND, Operation.UNLOCK))
        step = finished(state, Action.UNLOCK, confirmed=True)
        assert set(step.durable.executed) == {younger, replace(mine, code=Code.OK)}


@pytest.mark.req("CUT-3")
def test_only_a_released_car_that_stands_is_to_be_armed_once_parked() -> None:
    just_stopped = seen(locked=False, still_for_ms=1_000)
    for enabled, view in ((False, just_stopped), (True, seen(DRIVING, locked=False))):
        state = durably(linked(running(vehicle=view), BOOKING), drive_enabled=enabled)
        step = ask(state, request(Operation.LOCK))
        assert moved(step) == [Action.LOCK]
        assert not step.durable.arm_when_parked


@pytest.mark.req("CLK-2")
def test_the_first_nonce_is_a_new_one_however_soon_it_is_asked_for() -> None:
    step = ask(replace(linked(a_state(), OTHER), nonce_at_ms=NOW), request(Operation.GET_NONCE))
    assert answer(step.effects) == Nonce(b"sixteen of chaos", MODULE_ID, 300_000)


# ---------------------------------------------------------------- digital keys
HELD = linked(knowing(a_state(), GUEST_KEY), GUEST_KEY)


@pytest.mark.req("KEY-5", "ACC-1")
def test_a_request_notes_a_key_that_was_not_here_before() -> None:
    step = ask(linked(a_state(), GUEST_KEY), request(Operation.UNLOCK))
    assert [known.key for known in step.durable.keys] == [GUEST_KEY]
    assert moved(step) == [Action.UNLOCK]
    assert executed(step).user == GUEST_KEY.user
    assert step.required


@pytest.mark.req("BKG-3", "KEY-2")
def test_a_booking_is_ended_by_its_driver_and_a_key_has_none() -> None:
    end = ask(MINE, request(Operation.END_BOOKING))
    assert (end.durable.trip.phase, executed(end).code) == (Phase.ENDED, Code.OK)
    no = refusal(ask(HELD, request(Operation.END_BOOKING)).effects, Code.NOT_ADMITTED)
    assert no.remedy == "A key has no booking to end: lock the car, and it is done."


@pytest.mark.req("OWN-1")
@pytest.mark.parametrize("operation", [*COMMANDS, Operation.LOCATE])
def test_a_dealers_key_moves_nothing(operation: Operation) -> None:
    refusal(ask(linked(a_state(), DEALER_KEY), request(operation)).effects, Code.ROLE_REQUIRED)


@pytest.mark.req("OWN-1")
def test_a_self_test_is_for_a_dealer() -> None:
    refusal(ask(HELD, request(Operation.SELF_TEST)).effects, Code.ROLE_REQUIRED)
    assert moved(ask(linked(a_state(), DEALER_KEY), request(Operation.SELF_TEST))) == [Action.LOCK]


@pytest.mark.req("KEY-6")
def test_only_the_main_user_is_told_who_has_a_key_also_while_somebody_has_booked_the_car() -> None:
    booked = linked(durably(running(), keys=HELD.durable.keys), OWNER_KEY)
    assert answer(ask(booked, request(Operation.KEYS)).effects) == KeyList(keys.listed(HELD))
    refusal(ask(HELD, request(Operation.KEYS)).effects, Code.ROLE_REQUIRED)
    refusal(ask(linked(a_state(), CODED_KEY), request(Operation.KEYS)).effects, Code.ACTIVATION_REQUIRED)


@pytest.mark.req("KEY-2", "PWR-2")
def test_the_boot_is_opened_in_a_parked_car_and_waits_for_the_disk() -> None:
    step = ask(HELD, request(Operation.OPEN_BOOT))
    assert (moved(step), step.required) == ([Action.OPEN_BOOT], True)
    is_open = replace(HELD, vehicle=seen(boot_open=True))
    assert answer(ask(is_open, request(Operation.OPEN_BOOT)).effects) == Done(already=True)
    refusal(ask(replace(HELD, vehicle=seen(DRIVING)), request(Operation.OPEN_BOOT)).effects, Code.NOT_PARKED)
    refusal(undone(HELD, Operation.OPEN_BOOT).effects, Code.STORAGE_FAILED)


@pytest.mark.req("KEY-7", "CUT-4")
def test_driving_with_a_key_begins_and_ends_with_it() -> None:
    begun = ask(HELD, request(Operation.ENABLE_DRIVE))
    assert (moved(begun), begun.durable.driver_key, begun.required) == ([Action.RELEASE_IMMOBILISER], GUEST_KEY, True)
    driving = replace(durably(HELD, drive_enabled=True, driver_key=GUEST_KEY), vehicle=seen(immobilised=False))
    assert answer(ask(driving, request(Operation.ENABLE_DRIVE)).effects) == Done(already=True)
    other = replace(driving, links=linked(a_state(), OWNER_KEY).links)
    assert ask(other, request(Operation.ENABLE_DRIVE)).durable.driver_key == OWNER_KEY
    for operation in (Operation.DISABLE_DRIVE, Operation.LOCK):
        done = ask(durably(driving, drive_enabled=True), request(operation))
        assert (done.durable.driver_key, done.durable.drive_enabled) == (None, False)
        assert Action.ARM_IMMOBILISER in moved(done)
