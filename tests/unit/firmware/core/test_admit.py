"""Credentials -> admission, or a refusal with its numbers."""

import msgspec
import pytest

from firmware.core import admit
from firmware.core.admit import Admission
from firmware.core.clock import Clock
from firmware.core.state import DeadBooking, DeadKey, EndReason, Ownership, State
from protocol.errors import Code, Refusal, Role, refuse
from protocol.messages import Phase
from protocol.orders import Subscription
from protocol.tokens import Booking
from tests.support.core import (
    BEGINS_MS,
    DRIVING,
    ENDS_MS,
    FLOOR_MS,
    GUEST_KEY,
    NOW,
    OTHER,
    a_state,
    durably,
    linked,
    running,
    seen,
    sure_clock,
)
from tests.support.credentials import BOOKING

replace = msgspec.structs.replace


def refused(state: State, booking: Booking = BOOKING) -> Refusal:
    verdict = admit.admit(state, booking, NOW)
    assert isinstance(verdict, Refusal)
    return verdict


def code(state: State, booking: Booking = BOOKING) -> Code:
    return refused(state, booking).code


@pytest.mark.req("BKG-1")
def test_a_booking_inside_its_window_gets_the_free_car() -> None:
    assert admit.admit(a_state(), BOOKING, NOW) is Admission.NEW
    assert admit.admit(a_state(ENDS_MS - 1), BOOKING, NOW) is Admission.NEW


@pytest.mark.req("ACC-6")
def test_a_window_that_has_not_begun_is_refused_with_the_time_to_wait() -> None:
    verdict = refused(a_state(BEGINS_MS - 60_000))
    assert (verdict.code, verdict.number("starts_in_ms"), verdict.temporary) == (Code.NOT_YET_VALID, 60_000, True)


@pytest.mark.req("ACC-6", "CUT-6")
def test_a_window_that_is_over_is_refused_with_how_long_ago() -> None:
    verdict = refused(a_state(ENDS_MS + 5_000))
    assert (verdict.code, verdict.number("over_for_ms")) == (Code.BOOKING_OVER, 5_000)
    assert "contact the owner" in verdict.remedy
    assert code(a_state(ENDS_MS)) is Code.BOOKING_OVER


@pytest.mark.req("CLK-2")
@pytest.mark.parametrize(
    ("utc_ms", "uncertainty_ms", "verdict"),
    [
        (BEGINS_MS - 1_001, 1_000, Code.NOT_YET_VALID),
        (BEGINS_MS - 1_000, 1_000, Code.CLOCK_UNCERTAIN),
        (BEGINS_MS + 999, 1_000, Code.CLOCK_UNCERTAIN),
        (BEGINS_MS + 1_000, 1_000, Admission.NEW),
        (ENDS_MS - 1_001, 1_000, Admission.NEW),
        (ENDS_MS - 1_000, 1_000, Code.CLOCK_UNCERTAIN),
        (ENDS_MS + 999, 1_000, Code.CLOCK_UNCERTAIN),
        (ENDS_MS + 1_000, 1_000, Code.BOOKING_OVER),
    ],
)
def test_the_whole_interval_has_to_lie_inside_the_window(
    utc_ms: int, uncertainty_ms: int, verdict: Code | Admission
) -> None:
    state = replace(a_state(), clock=Clock(FLOOR_MS, NOW, utc_ms, NOW, uncertainty_ms))
    found = admit.admit(state, BOOKING, NOW)
    assert (found.code if isinstance(found, Refusal) else found) is verdict
    if verdict is Code.CLOCK_UNCERTAIN:
        assert isinstance(found, Refusal)
        assert found.number("uncertainty_ms") == 2_000


@pytest.mark.req("CLK-2", "CLK-1")
def test_with_a_floor_alone_only_what_is_over_is_certain() -> None:
    assert code(replace(a_state(), clock=Clock(BEGINS_MS, NOW))) is Code.CLOCK_UNCERTAIN
    assert code(replace(a_state(), clock=Clock(ENDS_MS, NOW))) is Code.BOOKING_OVER


@pytest.mark.req("ACC-6")
def test_a_token_for_another_car_or_older_keys_is_refused() -> None:
    assert code(a_state(), replace(BOOKING, module_id=b"other---")) is Code.WRONG_VEHICLE
    verdict = refused(a_state(), replace(BOOKING, key_epoch=2))
    assert verdict.code is Code.WRONG_KEY_EPOCH
    assert verdict.numbers == (("booking_epoch", 2), ("vehicle_epoch", 3))


@pytest.mark.req("ACC-11")
def test_an_older_device_is_refused() -> None:
    verdict = refused(a_state(devices=((b"a driver", 2),)))
    assert verdict.code is Code.DEVICE_REPLACED
    assert verdict.numbers == (("device_generation", 1), ("newest_generation", 2))
    assert admit.admit(a_state(devices=((b"a driver", 1),)), BOOKING, NOW) is Admission.NEW


@pytest.mark.req("ACC-5", "ACC-8")
def test_a_dead_booking_is_refused_with_what_decided_it() -> None:
    numbers = (("overdue_ms", 1_860_000), ("parked_ms", 12_000))
    dead = DeadBooking(BOOKING.booking_id, EndReason.CUT_OFF, BOOKING.expires_s, BOOKING.issued_s, numbers)
    verdict = refused(a_state(dead=(replace(dead, booking_id=bytes(16)), dead)))
    assert (verdict.code, verdict.numbers) == (Code.BOOKING_CUT_OFF, numbers)


@pytest.mark.req("ACC-5")
def test_a_revoked_token_is_refused() -> None:
    assert code(a_state(revoked=((bytes(16), 1), (BOOKING.token_id, 2)))) is Code.TOKEN_REVOKED


@pytest.mark.req("ACC-5")
def test_what_was_issued_before_the_covering_date_is_refused() -> None:
    assert code(a_state(dead_before_s=BOOKING.issued_s + 1)) is Code.BOOKING_ENDED
    assert admit.admit(a_state(dead_before_s=BOOKING.issued_s), BOOKING, NOW) is Admission.NEW


@pytest.mark.req("CUT-1", "CUT-3")
@pytest.mark.parametrize(
    ("phase", "overdue_ms"),
    [(Phase.ACTIVE, -1), (Phase.OVERDUE, 1_800_000), (Phase.CUTOFF_PENDING, 9_000_000)],
)
def test_the_running_booking_is_judged_by_the_trip_and_not_by_its_window(phase: Phase, overdue_ms: int) -> None:
    assert admit.admit(running(phase=phase, overdue_ms=overdue_ms), BOOKING, NOW) is Admission.RUNNING


@pytest.mark.req("ACC-11")
def test_the_same_booking_on_a_newer_device_of_its_user_is_bound_anew() -> None:
    newer = replace(BOOKING, token_id=b"the second token", device_generation=2)
    assert admit.admit(running(), newer, NOW) is Admission.REBIND


@pytest.mark.req("ACC-6", "ACC-11")
def test_the_same_booking_fetched_anew_on_the_same_device_is_bound_anew() -> None:
    assert admit.admit(running(), replace(BOOKING, token_id=b"the second token"), NOW) is Admission.REBIND


@pytest.mark.req("ACC-4", "ACC-11")
@pytest.mark.parametrize(
    "change",
    [{"user": b"somebody"}, {"role": Role.VIP}, {"device_generation": 1, "holder": b"\x03" + bytes(32)}],
)
def test_the_same_booking_in_another_token_is_no_way_in(change: dict[str, object]) -> None:
    changes = {"token_id": b"the second token", "device_generation": 2} | change
    assert code(running(), replace(BOOKING, **changes)) is Code.VEHICLE_IN_USE


@pytest.mark.req("ACC-4")
def test_a_second_booking_waits_while_the_first_is_inside_its_window() -> None:
    verdict = refused(running(overdue_ms=-90_000), OTHER)
    assert (verdict.code, verdict.numbers) == (Code.VEHICLE_IN_USE, (("ends_in_ms", 90_000),))


@pytest.mark.req("ACC-4", "CUT-3")
def test_a_second_booking_takes_over_once_the_first_is_overdue_and_the_car_parked() -> None:
    later = replace(OTHER, ends_at_s=OTHER.ends_at_s + 7_200)
    assert admit.admit(running(phase=Phase.OVERDUE, overdue_ms=0), later, NOW) is Admission.TAKEOVER
    verdict = refused(running(phase=Phase.OVERDUE, overdue_ms=60_000, vehicle=seen(DRIVING)), later)
    assert verdict.code is Code.VEHICLE_IN_USE
    assert verdict.numbers == (("overdue_ms", 60_000), ("parked_ms", 0), ("cutoff_in_ms", 1_740_000))
    long_ago = refused(running(phase=Phase.CUTOFF_PENDING, overdue_ms=1_860_000, vehicle=seen(DRIVING)), later)
    assert long_ago.number("cutoff_in_ms") == 0


def test_a_link_is_admitted_while_its_booking_has_the_car() -> None:
    state = linked(running(), BOOKING, OTHER, None)
    assert [admit.admitted(state, link) for link in state.links] == [True, False, False]
    ended = linked(running(phase=Phase.ENDED), BOOKING)
    assert not admit.admitted(ended, ended.links[0])
    free = linked(a_state(), BOOKING)
    assert not admit.admitted(free, free.links[0])


@pytest.mark.req("PWR-2")
def test_a_link_whose_booking_could_not_be_written_down_is_not_admitted() -> None:
    state = linked(running(), BOOKING)
    link = replace(state.links[0], denied=refuse(Code.STORAGE_FAILED))
    assert not admit.admitted(state, link)
    assert admit.denial(state, link, NOW).code is Code.STORAGE_FAILED


@pytest.mark.req("ACC-3", "ACC-8")
def test_a_denial_says_why() -> None:
    state = linked(running(), None, OTHER)
    assert [admit.denial(state, link, NOW).code for link in state.links] == [Code.NOT_ADMITTED, Code.VEHICLE_IN_USE]
    free = linked(a_state(), BOOKING)
    assert admit.denial(free, free.links[0], NOW).code is Code.NOT_ADMITTED


@pytest.mark.req("CLK-3")
def test_overdue_is_counted_on_the_monotonic_clock() -> None:
    state = replace(running(overdue_ms=-1_000), clock=sure_clock(ENDS_MS + 86_400_000))
    assert admit.overdue_ms(state, NOW) == -1_000
    assert admit.overdue_ms(state, NOW + 3_000) == 2_000


def test_a_key_epoch_does_not_matter_to_the_booking_that_has_the_car() -> None:
    assert admit.admit(durably(running(), key_epoch=9), BOOKING, NOW) is Admission.RUNNING


@pytest.mark.req("ACC-5", "ACC-11")
def test_a_withdrawn_token_is_not_bound_to_a_newer_device() -> None:
    newer = replace(BOOKING, token_id=b"the second token", device_generation=2)
    assert code(durably(running(), revoked=((newer.token_id, 1_790_009_000),)), newer) is Code.TOKEN_REVOKED


@pytest.mark.req("ACC-4")
def test_a_takeover_is_not_a_millisecond_early() -> None:
    later = replace(OTHER, ends_at_s=OTHER.ends_at_s + 7_200)
    assert code(running(overdue_ms=-1), later) is Code.VEHICLE_IN_USE
    assert admit.admit(running(overdue_ms=0), later, NOW) is Admission.TAKEOVER


@pytest.mark.req("ACC-4", "ACC-8")
def test_who_waits_for_the_car_learns_for_how_long() -> None:
    later = replace(OTHER, ends_at_s=OTHER.ends_at_s + 7_200)
    moving = seen(DRIVING)
    assert refused(running(overdue_ms=-1), later).numbers == (("ends_in_ms", 1),)
    at_once = refused(running(overdue_ms=0, vehicle=moving), later)
    assert at_once.numbers == (("overdue_ms", 0), ("parked_ms", 0), ("cutoff_in_ms", 1_800_000))
    over = running(phase=Phase.CUTOFF_PENDING, overdue_ms=1_900_000, vehicle=moving)
    assert refused(over, later).number("cutoff_in_ms") == 0


@pytest.mark.req("ACC-8")
def test_a_phone_that_waited_for_the_car_is_told_that_it_is_free() -> None:
    waited = linked(a_state(), BOOKING)
    told = admit.denial(waited, waited.links[0], NOW)
    assert (told.code, told.temporary, told.remedy) == (Code.NOT_ADMITTED, True, "The car is free now: ask again.")


def test_the_first_device_of_a_user_may_have_any_generation() -> None:
    assert admit.admit(a_state(), replace(BOOKING, device_generation=0), NOW) is Admission.NEW


@pytest.mark.req("ACC-5")
def test_another_tokens_revocation_says_nothing_about_this_one() -> None:
    assert admit.admit(durably(a_state(), revoked=((OTHER.token_id, 1),)), BOOKING, NOW) is Admission.NEW


@pytest.mark.req("ACC-3", "ACC-11")
@pytest.mark.parametrize("change", [{"token_id": b"the second token"}, {"booking_id": b"another bookings"}])
def test_a_link_with_half_of_the_running_booking_is_not_admitted(change: dict[str, object]) -> None:
    state = linked(running(), replace(BOOKING, **change))
    assert not admit.admitted(state, state.links[0])


@pytest.mark.req("ACC-11")
def test_an_older_token_of_the_same_phone_is_not_the_booking_fetched_anew() -> None:
    newer = replace(BOOKING, device_generation=2)
    assert code(running(newer), replace(BOOKING, token_id=b"the first token!")) is Code.VEHICLE_IN_USE


@pytest.mark.req("CUT-6", "ACC-8")
@pytest.mark.parametrize(
    ("role", "says"),
    [(Role.DRIVER, "contact the owner"), (Role.VIP, "start a new one"), (Role.OWNER, "start a new one")],
)
def test_after_a_cutoff_each_role_is_told_its_own_way_to_a_new_booking(role: Role, says: str) -> None:
    gone = DeadBooking(BOOKING.booking_id, EndReason.CUT_OFF, 1_790_009_000, 1_789_999_000)
    verdict = refused(durably(a_state(), dead=(gone,)), replace(BOOKING, role=role))
    assert verdict.code is Code.BOOKING_CUT_OFF
    assert says in verdict.remedy


# ---------------------------------------------------------------- the subscription
UNTIL_S = 1_790_003_600


def subscribed(state: State, *, paused: bool = False) -> State:
    return durably(state, subscription=Subscription(1, UNTIL_S, 0, paused))


@pytest.mark.req("SUB-2")
@pytest.mark.parametrize(("after_ms", "good"), [(-1, True), (0, False), (1, False)])
def test_no_booking_begins_once_the_subscription_is_over(after_ms: int, good: bool) -> None:
    state = subscribed(a_state(UNTIL_S * 1000 + after_ms))
    if good:
        assert admit.admit(state, BOOKING, NOW) is Admission.NEW
        return
    verdict = refused(state)
    assert (verdict.code, verdict.rule, verdict.temporary) == (Code.SUBSCRIPTION_EXPIRED, "SUB-2", False)
    assert verdict.numbers == (("over_for_ms", after_ms),)


@pytest.mark.req("SUB-2", "CLK-2")
def test_a_subscription_is_over_only_when_that_is_certain() -> None:
    unsure = Clock(FLOOR_MS, NOW, UNTIL_S * 1000 + 1_000, NOW, 1_001)
    assert admit.admit(subscribed(replace(a_state(), clock=unsure)), BOOKING, NOW) is Admission.NEW
    sure = replace(unsure, uncertainty_ms=1_000)
    assert code(subscribed(replace(a_state(), clock=sure))) is Code.SUBSCRIPTION_EXPIRED


@pytest.mark.req("SUB-1", "SUB-2")
def test_no_booking_begins_while_sharing_is_paused() -> None:
    verdict = refused(subscribed(a_state(), paused=True))
    assert (verdict.code, verdict.numbers) == (Code.SUBSCRIPTION_EXPIRED, (("paused", 1),))


@pytest.mark.req("SUB-2", "ACC-8")
@pytest.mark.parametrize(
    ("role", "remedy"),
    [(Role.OWNER, "Renew or resume the subscription."), (Role.DRIVER, "Ask the owner to renew or resume sharing.")],
)
@pytest.mark.parametrize("paused", [False, True])
def test_the_owner_can_help_himself_when_the_subscription_is_over_or_paused(
    role: Role, remedy: str, paused: bool
) -> None:
    assert refused(subscribed(a_state(UNTIL_S * 1000), paused=paused), replace(BOOKING, role=role)).remedy == remedy


@pytest.mark.req("SUB-2")
def test_a_running_booking_is_completed_and_moves_to_a_newer_device() -> None:
    late = subscribed(running(phase=Phase.OVERDUE, overdue_ms=60_000), paused=True)
    assert admit.admit(late, BOOKING, NOW) is Admission.RUNNING
    newer = replace(BOOKING, token_id=b"a newer token id", device_generation=2)
    assert admit.admit(late, newer, NOW) is Admission.REBIND


@pytest.mark.req("SUB-2", "ACC-4")
def test_nobody_takes_over_once_the_subscription_is_over() -> None:
    next_one = replace(OTHER, not_before_s=UNTIL_S, ends_at_s=OTHER.ends_at_s + 7_200)
    late = running(phase=Phase.OVERDUE, overdue_ms=60_000)
    assert admit.admit(late, next_one, NOW) is Admission.TAKEOVER
    assert code(subscribed(late), next_one) is Code.SUBSCRIPTION_EXPIRED


@pytest.mark.req("SUB-2", "ACC-5")
def test_a_dead_booking_and_a_window_that_is_over_are_told_first() -> None:
    dead = subscribed(a_state(dead=(DeadBooking(BOOKING.booking_id, EndReason.CUT_OFF, 0, 0),)), paused=True)
    assert code(dead) is Code.BOOKING_CUT_OFF
    assert code(subscribed(a_state(ENDS_MS), paused=True)) is Code.BOOKING_OVER


@pytest.mark.req("OWN-3")
def test_a_car_that_belongs_to_nobody_takes_no_booking() -> None:
    verdict = admit.admit(a_state(ownership=Ownership(coupled=False)), BOOKING, NOW)
    assert isinstance(verdict, Refusal)
    assert verdict.code is Code.NOT_COUPLED


@pytest.mark.req("ACC-4", "CUT-3")
def test_a_car_that_is_driven_by_key_goes_to_a_booking_once_it_is_parked() -> None:
    driven = a_state(driver_key=GUEST_KEY, drive_enabled=True)
    assert admit.admit(driven, BOOKING, NOW) is Admission.NEW
    verdict = admit.admit(replace(driven, vehicle=seen(still_for_ms=4_000)), BOOKING, NOW)
    assert isinstance(verdict, Refusal)
    assert (verdict.code, verdict.numbers) == (Code.VEHICLE_IN_USE, (("parked_ms", 4_000),))
    assert verdict.remedy == "Somebody drives with a digital key: wait until the car is parked."


@pytest.mark.req("KEY-6", "ACC-5")
def test_a_booking_whose_deletion_has_taken_effect_opens_nothing() -> None:
    dead = DeadKey(BOOKING.token_id, Code.KEY_DELETED, BOOKING.expires_s, BOOKING.issued_s)
    verdict = admit.admit(a_state(dead_keys=(dead,)), BOOKING, NOW)
    assert isinstance(verdict, Refusal)
    assert verdict.code is Code.TOKEN_REVOKED
