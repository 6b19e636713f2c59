"""The module as a function: booting, stepping, and when to be called next."""

import msgspec
import pytest

from firmware.core import module
from firmware.core.clock import Clock
from firmware.core.effects import Actuate, Answer, Effect, HangUp, Log, Persist, Report, Say, Tell
from firmware.core.events import (
    Action,
    ActuationFinished,
    BrokerConnected,
    BrokerLost,
    CodeEntered,
    CodeTried,
    CrashDetected,
    EmergencyAcknowledged,
    EmergencyCancelled,
    EmergencyPressed,
    Event,
    Fix,
    HandshakeBegun,
    HandshakeFailed,
    KeyButton,
    KeyDeactivated,
    KeyPresented,
    LinkActive,
    LinkLost,
    LinkOpened,
    NetworkServing,
    OrderReceived,
    OrderUnreadable,
    PositionSlotAcknowledged,
    RecordsDropped,
    StorageFailed,
    Ticked,
    TimeOffered,
    TimeSource,
    TokenPresented,
    Trouble,
    VehicleKeyUsed,
    VehicleSampled,
)
from firmware.core.reports import Point
from firmware.core.state import Durable, EndReason, Link, Pending, Slot, State, Takeover, Trip
from protocol.errors import Code, refuse
from protocol.messages import Operation, Phase
from protocol.orders import Order, OrderKind, Subscription
from protocol.telemetry import Channel, EventKind
from protocol.tokens import RevocationList
from tests.support.core import (
    BEGINS_MS,
    COMMAND,
    DRIVING,
    ENDS_MS,
    EPOCH,
    FLOOR_MS,
    GUEST_KEY,
    NOW,
    OTHER,
    OWNER_KEY,
    PROFILE,
    STANDING,
    a_state,
    after,
    durably,
    events,
    hung_up,
    linked,
    only,
    records,
    refusal,
    request,
    running,
    seen,
)
from tests.support.credentials import BOOKING, COUPLING, MODULE_ID, ORDER

replace = msgspec.structs.replace

BEGINS_S = BEGINS_MS // 1000
END = replace(ORDER, issued_s=BEGINS_MS // 1000, expires_s=ENDS_MS // 1000)


def persisted(effects: tuple[Effect, ...]) -> list[bool]:
    """For each order to write it down: whether it is required."""
    return [effect.required for effect in only(Persist, effects)]


# ---------------------------------------------------------------- boot
@pytest.mark.req("PWR-1", "ACC-3")
def test_a_new_module_is_armed_and_says_that_it_has_booted() -> None:
    state, effects = module.boot(None, PROFILE, NOW)
    assert state.durable.trip == Trip()
    assert (state.durable.floor_ms, state.durable.key_epoch) == (FLOOR_MS, EPOCH)
    assert state.clock == Clock(FLOOR_MS, NOW)
    assert effects[0] == Actuate(Action.ARM_IMMOBILISER)
    assert events(effects) == [EventKind.BOOTED]
    assert persisted(effects) == [False]


@pytest.mark.req("CUT-5", "CLK-1")
def test_a_booking_runs_on_after_a_reboot_with_its_deadline_on_the_floor() -> None:
    known = Durable(ENDS_MS - 600_000, EPOCH, Trip(Phase.ACTIVE, BOOKING), drive_enabled=True)
    state, effects = module.boot(known, PROFILE, 1_000)
    assert effects[0] == Actuate(Action.RELEASE_IMMOBILISER)
    assert state.durable.trip.phase is Phase.ACTIVE
    assert (state.end_at_ms, state.anchored_on_floor) == (601_000, True)


@pytest.mark.req("CUT-5", "CLK-1")
def test_the_floor_of_the_provisioning_counts_when_it_is_higher() -> None:
    state, _ = module.boot(Durable(FLOOR_MS - 1, EPOCH), PROFILE, NOW)
    assert state.durable.floor_ms == FLOOR_MS


@pytest.mark.req("CUT-5", "CLK-3")
def test_a_reboot_long_after_the_end_cuts_off_only_when_the_car_is_known_to_be_parked() -> None:
    known = Durable(ENDS_MS + 7_200_000, EPOCH, Trip(Phase.ACTIVE, BOOKING), drive_enabled=True)
    state, effects = module.boot(known, PROFILE, 0)
    assert state.durable.trip.phase is Phase.CUTOFF_PENDING
    assert effects[0] == Actuate(Action.RELEASE_IMMOBILISER)
    for second in range(5):
        state, effects = module.step(state, STANDING, second * 1_000)
        assert state.durable.trip.phase is Phase.CUTOFF_PENDING
    state, effects = module.step(state, STANDING, 5_000)
    assert state.durable.trip.phase is Phase.CUT_OFF


@pytest.mark.req("PRV-2", "PRV-3")
def test_what_the_broker_retains_is_sent_again_after_a_reboot() -> None:
    point = Point(1, 2, 3)
    state, _ = module.boot(Durable(FLOOR_MS, EPOCH, slot=Slot(4, point)), PROFILE, 0)
    assert state.durable.slot == Slot(4, point, acknowledged=False)
    fresh, _ = module.boot(None, PROFILE, 0)
    assert fresh.durable.slot.acknowledged


@pytest.mark.req("ACC-6", "PRV-1")
def test_a_card_from_another_car_permits_nothing_and_its_position_is_withdrawn() -> None:
    known = replace(
        running().durable,
        drive_enabled=True,
        slot=Slot(4, Point(481_400_000, 115_800_000, ENDS_MS), parking=True),
        subscription=Subscription(1, ENDS_MS // 1000, ENDS_MS // 1000),
    )
    _, own_effects = module.boot(known, PROFILE, 0)
    assert Actuate(Action.RELEASE_IMMOBILISER) in own_effects
    state, effects = module.boot(known, replace(PROFILE, module_id=b"another."), 0)
    assert state.durable.trip == Trip()
    assert not state.durable.drive_enabled
    assert state.durable.slot == Slot(5, None, acknowledged=False)
    assert state.durable.subscription is None
    assert Actuate(Action.ARM_IMMOBILISER) in effects


@pytest.mark.req("ACC-6")
@pytest.mark.parametrize(("stored", "provisioned", "epoch"), [(3, 5, 5), (5, 3, 5)])
def test_the_key_epoch_is_the_higher_of_what_is_stored_and_what_was_provisioned(
    stored: int, provisioned: int, epoch: int
) -> None:
    state, _ = module.boot(Durable(FLOOR_MS, stored), replace(PROFILE, key_epoch=provisioned), 0)
    assert state.durable.key_epoch == epoch


@pytest.mark.req("PWR-1", "PWR-2", "BKG-7")
@pytest.mark.parametrize("trouble", list(Trouble))
def test_a_boot_with_trouble_is_told_and_what_was_lost_is_logged(trouble: Trouble) -> None:
    state, effects = module.boot(Durable(FLOOR_MS, EPOCH), PROFILE, 0, trouble)
    (booted,), (alert,) = records(effects), records(effects, Channel.ALERT)
    assert (booted.kind, alert.kind, alert.reason) == (EventKind.BOOTED, EventKind.STORE_TROUBLE, trouble.value)
    assert state.durable.log.length == len(only(Log, effects)) == (trouble is not Trouble.READ_ONLY)


@pytest.mark.req("TEL-4")
def test_records_that_were_given_up_are_reported() -> None:
    lost = RecordsDropped(7, ((Channel.TRACK, 4), (Channel.ORDER_RESULT, 3)))
    _, effects = module.step(a_state(), lost, NOW)
    (told,) = records(effects)
    assert told.kind is EventKind.RECORDS_DROPPED
    assert told.numbers == (("track", 4), ("order_result", 3), ("total", 7))


@pytest.mark.req("TEL-3")
def test_boots_are_counted_from_one_and_every_record_names_its_own() -> None:
    state, effects = module.boot(None, PROFILE, 77)
    assert (state.booted_at_ms, state.durable.counters.boot) == (77, 1)
    assert [record.boot for record in records(effects)] == [1]
    state, effects = module.boot(state.durable, PROFILE, 0)
    assert (state.durable.counters.boot, records(effects)[0].boot) == (2, 2)
    assert only(Persist, effects), "a number that is not written down would be given twice"


@pytest.mark.req("ACC-3")
@pytest.mark.parametrize(
    ("phase", "drive_enabled", "action"),
    [
        (Phase.ACTIVE, True, Action.RELEASE_IMMOBILISER),
        (Phase.CUTOFF_PENDING, True, Action.RELEASE_IMMOBILISER),
        (Phase.ACTIVE, False, Action.ARM_IMMOBILISER),
        (Phase.CUT_OFF, True, Action.ARM_IMMOBILISER),
        (Phase.NONE, True, Action.ARM_IMMOBILISER),
    ],
)
def test_the_immobiliser_is_released_by_a_live_booking_alone(phase: Phase, drive_enabled: bool, action: Action) -> None:
    assert module.posture(Durable(0, 0, Trip(phase, BOOKING), drive_enabled)) is action


# ---------------------------------------------------------------- every event has its room
ALL: tuple[Event, ...] = (
    STANDING,
    Ticked(),
    LinkOpened(1),
    LinkLost(1),
    HandshakeBegun(1),
    HandshakeFailed(1),
    TokenPresented(1, BOOKING),
    request(Operation.UNLOCK),
    LinkActive(1),
    OrderReceived(END),
    OrderUnreadable(Code.TOKEN_MALFORMED),
    ActuationFinished(Action.LOCK, confirmed=True),
    TimeOffered(TimeSource.GNSS, BEGINS_MS),
    BrokerConnected(),
    BrokerLost(),
    PositionSlotAcknowledged(1),
    RecordsDropped(3),
    StorageFailed(Ticked()),
    StorageFailed(CodeEntered(b"a print", 1)),
    NetworkServing(262),
    CrashDetected(),
    EmergencyPressed(),
    EmergencyCancelled(),
    EmergencyAcknowledged(1),
    KeyPresented(1, OWNER_KEY),
    KeyPresented(1, GUEST_KEY, b"a print"),
    CodeEntered(b"a print", 1),
    CodeTried(b"a print", 1),
    KeyDeactivated(GUEST_KEY.token_id),
    VehicleKeyUsed(KeyButton.LOCK),
)


def test_the_list_of_events_is_complete() -> None:
    assert {type(event) for event in ALL} == set(Event.__subclasses__())


@pytest.mark.req("SEC-1")
@pytest.mark.parametrize("event", ALL, ids=lambda event: type(event).__name__)
@pytest.mark.parametrize(
    "state",
    [
        module.boot(None, PROFILE, 0)[0],
        linked(running(), BOOKING),
        linked(running(phase=Phase.OVERDUE, overdue_ms=9_000_000), OTHER, None, BOOKING),
    ],
    ids=["bare", "running", "overdue"],
)
def test_every_event_is_taken_in_every_situation_and_twice_the_same(state: State, event: Event) -> None:
    first = module.step(state, event, NOW)
    assert module.step(state, event, NOW) == first


def test_an_event_without_a_room_is_a_bug_of_ours() -> None:
    with pytest.raises(AssertionError, match="no room for"):
        module.step(a_state(), Event(), NOW)


def test_a_sample_changes_what_is_known_of_the_car() -> None:
    state, effects = after(a_state(), replace(STANDING, locked=False))
    assert state.vehicle.sample.locked is False
    assert len(records(effects, Channel.STATE)) == 1


def test_links_come_and_go() -> None:
    state, _ = after(a_state(), LinkOpened(1), LinkOpened(2), LinkLost(1), LinkActive(2))
    assert state.links == (Link(2, NOW, NOW),)


@pytest.mark.req("TEL-1")
def test_a_connection_is_known_and_greeted_with_the_state_of_the_vehicle() -> None:
    state, effects = after(a_state(slot=Slot(3, None)), STANDING, BrokerConnected())
    assert state.broker_connected
    assert len(records(effects, Channel.STATE)) == 1
    assert not state.durable.slot.acknowledged, "a broker may have lost what it retained"
    assert not after(state, BrokerLost())[0].broker_connected


def test_an_acknowledged_slot_is_written_down() -> None:
    waiting = a_state(slot=Slot(3, None, acknowledged=False))
    state, effects = after(waiting, PositionSlotAcknowledged(3))
    assert state.durable.slot.acknowledged
    assert persisted(effects) == [False]


# ---------------------------------------------------------------- a booking, step by step
@pytest.mark.req("BKG-1", "CLK-1")
def test_a_token_that_is_presented_starts_its_booking_and_waits_for_the_disk() -> None:
    state, effects = after(linked(a_state(), None), TokenPresented(1, BOOKING))
    assert state.durable.trip.booking == BOOKING
    assert events(effects) == [EventKind.BOOKING_STARTED]
    assert persisted(effects) == [True]
    assert state.links[0].booking == BOOKING


@pytest.mark.req("CLK-1")
def test_a_token_raises_the_floor_even_when_its_link_has_gone() -> None:
    bare = replace(a_state(), clock=Clock(FLOOR_MS - 86_400_000, NOW))
    state, effects = after(bare, TokenPresented(9, BOOKING))
    assert state.clock.floor_ms == BOOKING.issued_s * 1000
    assert state.durable.floor_ms == BOOKING.issued_s * 1000
    assert persisted(effects) == [False]


@pytest.mark.req("CUT-2", "CUT-5")
def test_a_late_token_does_not_find_a_booking_that_is_past_its_cutoff() -> None:
    late = linked(running(phase=Phase.OVERDUE, overdue_ms=1_800_001, warned=True), None)
    state, effects = after(late, TokenPresented(1, BOOKING))
    assert state.durable.trip.phase is Phase.CUT_OFF
    assert persisted(effects) == [False]


@pytest.mark.req("CUT-2")
def test_at_the_cutoff_the_phone_is_told_before_it_is_hung_up() -> None:
    late = linked(running(phase=Phase.CUTOFF_PENDING, overdue_ms=1_900_000, warned=True), BOOKING)
    state, effects = after(late, Ticked())
    assert hung_up(effects) == [1]
    assert isinstance(effects[-1], HangUp)
    assert len(only(Tell, effects)) == 2
    assert persisted(effects) == [False]
    assert state.durable.trip.phase is Phase.CUT_OFF


@pytest.mark.req("BKG-2")
def test_an_order_ends_a_booking_in_the_same_step() -> None:
    state, effects = after(running(), OrderReceived(END))
    assert state.durable.trip.phase is Phase.ENDED
    assert events(effects) == [EventKind.BOOKING_ENDED]
    assert len(records(effects, Channel.ORDER_RESULT)) == 1
    assert len(records(effects, Channel.STATE)) == 1


def test_what_did_not_verify_is_reported() -> None:
    _, effects = after(a_state(), OrderUnreadable(Code.UNKNOWN_ISSUER))
    assert records(effects, Channel.ORDER_RESULT) == []
    assert [effect.record.reason for effect in only(Say, effects)] == ["UNKNOWN_ISSUER"]


@pytest.mark.req("SVC-3")
def test_an_order_from_afar_is_carried_out_and_its_outcome_told() -> None:
    unlock = Order(b"the order number", OrderKind.UNLOCK, MODULE_ID, BEGINS_S, BEGINS_S + 60)
    paid = Subscription(1, BEGINS_S + 60, BEGINS_S + 60)
    state, effects = after(a_state(subscription=paid), OrderReceived(unlock, b"ours"))
    assert only(Actuate, effects) == [Actuate(Action.UNLOCK, unlock.order_id)]
    assert only(Persist, effects) == [Persist(True)]
    cut, _ = module.boot(state.durable, PROFILE, 0)
    state, effects = after(state, ActuationFinished(Action.UNLOCK, True, unlock.order_id))
    assert [record.reason for record in records(effects, Channel.ORDER_RESULT)] == ["OK"]
    assert state.vehicle.sample.locked is False
    assert [entry.code for entry in cut.durable.orders] == [Code.VEHICLE_NO_RESPONSE]


@pytest.mark.req("SVC-3", "PWR-2")
def test_an_order_that_cannot_be_remembered_moves_nothing() -> None:
    unlock = Order(b"the order number", OrderKind.UNLOCK, MODULE_ID, BEGINS_S, BEGINS_S + 60)
    state = a_state(subscription=Subscription(1, BEGINS_S + 60, BEGINS_S + 60))
    for signed, order_id in ((unlock, unlock.order_id.hex()), (RevocationList(MODULE_ID, 1, BEGINS_S, 0, ()), "")):
        undone, effects = after(state, StorageFailed(OrderReceived(signed, b"ours")))
        (said,) = only(Say, effects)
        told = said.record
        assert (told.reason, told.booking, told.correlation) == ("STORAGE_FAILED", order_id, b"ours")
        assert only(Actuate, effects) == []
        assert undone.durable == state.durable


@pytest.mark.req("CUT-2", "SVC-3")
def test_a_booking_whose_time_is_up_is_no_hindrance_to_an_order() -> None:
    over = running(phase=Phase.OVERDUE, overdue_ms=1_800_001)
    until_s = 2 * BEGINS_S
    over = durably(over, subscription=Subscription(1, until_s, until_s))
    issued_s = 1_790_009_000
    flash = Order(b"the order number", OrderKind.FLASH, MODULE_ID, issued_s, issued_s + 60)
    state, effects = after(over, OrderReceived(flash))
    assert state.durable.trip.phase is Phase.CUT_OFF
    assert Actuate(Action.FLASH, flash.order_id) in effects


def test_the_car_answers_the_command_that_is_under_way() -> None:
    busy = replace(linked(running(), BOOKING), pending=Pending(1, 7, COMMAND, Operation.UNLOCK))
    state, effects = after(busy, ActuationFinished(Action.UNLOCK, confirmed=True, command_id=COMMAND))
    assert state.pending is None
    assert len(only(Answer, effects)) == 1


# ---------------------------------------------------------------- time
@pytest.mark.req("CLK-2")
def test_an_offered_time_sets_the_clock_and_the_deadline_after_a_reboot() -> None:
    rebooted = replace(running(), clock=Clock(FLOOR_MS, NOW), anchored_on_floor=True, end_at_ms=NOW + 90_000_000)
    state, _ = after(rebooted, TimeOffered(TimeSource.NETWORK, ENDS_MS - 60_000))
    assert (state.clock.reading_ms, state.end_at_ms) == (ENDS_MS - 60_000, NOW + 60_000)


@pytest.mark.req("CLK-2", "TEL-7")
@pytest.mark.parametrize(
    ("fix", "reading_ms"),
    [
        (Fix(1, 2, BEGINS_MS, NOW), BEGINS_MS),
        (Fix(1, 2, BEGINS_MS, NOW - 2_500), BEGINS_MS + 2_500),
        (Fix(1, 2, BEGINS_MS, NOW - 2_501), None),
        (Fix(1, 2, BEGINS_MS, NOW + 1), None),
        (Fix(0, 0, BEGINS_MS, NOW), None),
        (None, None),
    ],
)
def test_a_fix_that_has_just_come_brings_the_satellites_time(fix: Fix | None, reading_ms: int | None) -> None:
    bare = replace(a_state(), clock=Clock(FLOOR_MS, NOW))
    assert after(bare, replace(STANDING, fix=fix))[0].clock.reading_ms == reading_ms


def test_satellites_are_asked_again_only_after_ten_minutes() -> None:
    later = replace(STANDING, fix=Fix(1, 2, BEGINS_MS + 30_000, NOW))
    assert after(a_state(), later)[0].clock.reading_ms == BEGINS_MS


# ---------------------------------------------------------------- arming that did not happen
@pytest.mark.req("CUT-2")
def test_an_immobiliser_that_did_not_arm_is_told_again_every_ten_seconds_while_parked() -> None:
    wrong = replace(STANDING, immobilised=False)
    state, effects = after(a_state(vehicle=seen(wrong)), wrong)
    assert only(Actuate, effects) == [Actuate(Action.ARM_IMMOBILISER)]
    state, effects = after(state, wrong)
    assert only(Actuate, effects) == []
    again = [NOW + 1_000 * second for second in range(1, 11)]
    told = []
    for now in again:
        state, effects = module.step(state, wrong, now)
        told += [now for _ in only(Actuate, effects)]
    assert told == [NOW + 10_000]


@pytest.mark.req("CUT-3")
def test_it_is_never_told_so_while_the_car_moves_or_may_be_driven() -> None:
    moving = after(a_state(vehicle=seen(DRIVING)), DRIVING)[1]
    driven = after(durably(running(), drive_enabled=True), replace(STANDING, immobilised=False))[1]
    assert only(Actuate, moving) == only(Actuate, driven) == []


# ---------------------------------------------------------------- a disk that refuses
@pytest.mark.req("PWR-2", "ACC-10")
def test_a_permission_that_could_not_be_written_down_was_not_given() -> None:
    before = linked(a_state(), None)
    state, effects = after(before, StorageFailed(TokenPresented(1, BOOKING)))
    assert state.links[0].denied == refuse(Code.STORAGE_FAILED)
    assert state.durable.trip == Trip()
    gone, _ = after(a_state(), StorageFailed(TokenPresented(1, BOOKING)))
    assert gone.links == ()
    _, effects = after(linked(running(), BOOKING), StorageFailed(request(Operation.UNLOCK)))
    refusal(effects, Code.STORAGE_FAILED)
    assert only(Actuate, effects) == []


@pytest.mark.req("CLK-1")
def test_elapsed_time_is_written_down_every_minute() -> None:
    state, effects = module.step(a_state(), Ticked(), NOW + 59_999)
    assert effects == ()
    state, effects = module.step(a_state(), Ticked(), NOW + 60_000)
    assert effects == (Persist(False),)
    assert (state.durable.floor_ms, state.saved_at_ms) == (FLOOR_MS + 60_000 - 6, NOW + 60_000)


def test_reports_come_before_the_order_to_write_them_down() -> None:
    _, effects = after(a_state(), BrokerConnected())
    kinds = [type(effect) for effect in effects]
    assert kinds == [Report, Persist]


# ---------------------------------------------------------------- the next deadline
@pytest.mark.req("CUT-4")
@pytest.mark.parametrize(
    ("state", "due_ms"),
    [
        (a_state(), 60_000),
        (linked(a_state(), None), 10_000),
        (linked(a_state(), BOOKING), 60_000),
        (running(overdue_ms=-30_000), 30_000),
        (running(phase=Phase.OVERDUE, overdue_ms=1_499_000), 1_000),
        (running(phase=Phase.OVERDUE, overdue_ms=1_799_000, warned=True), 1_001),
        (running(phase=Phase.CUTOFF_PENDING, overdue_ms=1_900_000, vehicle=seen(still_for_ms=4_000)), 1_000),
        (running(phase=Phase.CUTOFF_PENDING, overdue_ms=1_900_000, vehicle=seen(DRIVING)), 60_000),
        (running(end_requested=EndReason.ORDER, vehicle=seen(still_for_ms=4_999)), 1),
        (durably(running(vehicle=seen(still_for_ms=4_000)), arm_when_parked=True), 1_000),
    ],
)
def test_the_next_deadline_is_the_first_of_all(state: State, due_ms: int) -> None:
    assert module.next_deadline(state, NOW) == NOW + due_ms


def test_nothing_known_of_the_car_is_no_deadline() -> None:
    unknown = replace(running(phase=Phase.CUTOFF_PENDING, overdue_ms=1_900_000), vehicle=seen(VehicleSampled()))
    assert module.next_deadline(unknown, NOW) == NOW + 60_000


@pytest.mark.req("CUT-4", "PWR-2")
@pytest.mark.parametrize(
    ("state", "patience_ms"),
    [
        (running(), 1_200),
        (running(overdue_ms=-801), 1_200),
        (running(overdue_ms=-799), 1_199),
        (running(overdue_ms=-1), 401),
        (running(phase=Phase.OVERDUE, overdue_ms=1_799_501, warned=True), 900),
        (replace(running(), saved_at_ms=NOW - 70_000), 400),
        (running(phase=Phase.CUTOFF_PENDING, overdue_ms=1_900_000, vehicle=seen(DRIVING)), 400),
        (running(end_requested=EndReason.ORDER, vehicle=seen(DRIVING)), 400),
        (durably(running(vehicle=seen(DRIVING)), arm_when_parked=True), 400),
        (replace(a_state(takeover=Takeover(bytes(16), COUPLING)), takeover_at_ms=NOW - 180_000), 1_200),
    ],
)
def test_the_disk_is_waited_for_less_where_a_second_counts(state: State, patience_ms: int) -> None:
    assert module.patience_ms(state, NOW) == patience_ms


@pytest.mark.req("PWR-1")
def test_from_the_first_boot_on_the_state_says_whose_it_is() -> None:
    for known in (None, Durable(FLOOR_MS, EPOCH), Durable(FLOOR_MS, EPOCH, module_id=b"another!")):
        state, _ = module.boot(known, PROFILE, NOW)
        assert state.durable.module_id == PROFILE.module_id


# ---------------------------------------------------------------- what only a small mistake would show
def test_what_was_lost_is_logged_with_the_trouble() -> None:
    _, effects = module.boot(Durable(FLOOR_MS, EPOCH), PROFILE, NOW, Trouble.REBUILT)
    (entry,) = only(Log, effects)
    assert b'"reason":"rebuilt"' in entry.entry.body


def test_traffic_over_a_session_is_noticed() -> None:
    state, _ = module.step(linked(running(), BOOKING), LinkActive(1), NOW + 5_000)
    assert state.links[0].active_at_ms == NOW + 5_000


@pytest.mark.req("CUT-4")
def test_a_late_request_does_not_find_a_booking_that_is_past_its_cutoff() -> None:
    unlocked = seen(locked=False)
    late = linked(running(phase=Phase.OVERDUE, overdue_ms=1_800_001, vehicle=unlocked), BOOKING)
    for event in (request(Operation.LOCK), StorageFailed(request(Operation.LOCK))):
        state, effects = after(late, event)
        assert state.durable.trip.phase is Phase.CUT_OFF
        assert Actuate(Action.LOCK, COMMAND) not in effects


@pytest.mark.req("CUT-2")
def test_an_immobiliser_that_is_armed_is_not_told_again() -> None:
    assert only(Actuate, after(a_state(), STANDING)[1]) == []


@pytest.mark.req("CUT-2")
def test_arming_is_tried_again_after_ten_seconds_and_not_before() -> None:
    wrong = replace(STANDING, immobilised=False)
    before = replace(a_state(vehicle=seen(wrong)), rearmed_at_ms=NOW - 9_999)
    assert only(Actuate, after(before, wrong)[1]) == []
    due = replace(before, rearmed_at_ms=NOW - 10_000)
    assert only(Actuate, after(due, wrong)[1]) == [Actuate(Action.ARM_IMMOBILISER)]


@pytest.mark.req("TEL-1")
def test_a_sample_with_a_position_is_followed_by_the_track() -> None:
    _, effects = after(a_state(), DRIVING)
    assert [record.point is not None for record in records(effects, Channel.TRACK)] == [True]


@pytest.mark.req("CUT-4")
def test_a_late_token_is_not_cut_off_with_the_booking_but_refused_after_it() -> None:
    late = linked(running(phase=Phase.OVERDUE, overdue_ms=1_800_001), None)
    state, effects = after(late, TokenPresented(1, BOOKING))
    assert state.durable.trip.phase is Phase.CUT_OFF
    assert hung_up(effects) == []


@pytest.mark.req("SEC-2")
def test_a_failed_handshake_is_that_of_its_own_link_and_one_that_works_makes_up_for_it() -> None:
    state, _ = after(linked(a_state(), None, None), HandshakeFailed(2))
    assert [link.failed for link in state.links] == [False, True]
    state, _ = after(state, TokenPresented(2, BOOKING))
    assert [link.failed for link in state.links] == [False, False]


@pytest.mark.req("SEC-2")
def test_a_phone_that_comes_again_leaves_its_older_session() -> None:
    _, effects = after(linked(a_state(), BOOKING, None), TokenPresented(2, BOOKING))
    assert hung_up(effects) == [1]


@pytest.mark.req("KEY-2", "KEY-6")
def test_a_card_that_was_moved_brings_no_key_along() -> None:
    theirs = msgspec.structs.replace(GUEST_KEY, module_id=b"another_")
    state, _ = module.boot(Durable(0, EPOCH, drive_enabled=True, driver_key=theirs), PROFILE, 0)
    assert (state.durable.driver_key, state.durable.drive_enabled) == (None, False)
