"""The 30-minute cutoff (CUT-1 to CUT-7), as literal times."""

import pytest

from protocol.errors import Code, Refusal
from protocol.messages import Status
from tests.support.story import Story, play
from tests.support.story_world import OPERATIONS, milliseconds


@pytest.mark.req("CUT-1", "CUT-2", "CUT-4", "BKG-1")
def test_a_parked_car_is_cut_off_just_after_thirty_minutes() -> None:
    play("""
        bookings: A driver 10:00:00 - 12:00:00
        10:00:03      A presents  | A granted, active, event booking.started
        10:00:04      A unlock    | ok, unlocked
        10:00:05      A drive     | ok, released
        10:00:06      A lock      | ok, locked, armed
        10:00:07      A unlock    | ok, unlocked
        10:00:08      A drive     | ok, released
        11:59:59.999  A status    | A granted, active
        12:00:00.000  A status    | A granted, overdue, event booking.overdue
        12:05:00.000  A status    | ok
        12:10:00.000  A status    | ok
        12:15:00.000  A lock      | ok, overdue
        12:20:00.000  A unlock    | ok, overdue
        12:25:00.000  A drive     | ok, released, overdue, event booking.cutoff_soon
        12:29:59.999  A unlock    | ok, overdue
        12:30:00.000  A unlock    | ok, overdue, released, no events
        12:30:00.001  .           | cut_off, hung up A, armed, event booking.cut_off, event alert.left_unlocked
        12:30:01.000  A presents  | A denied BOOKING_CUT_OFF, cut_off
        12:30:02.000  A unlock    | refused BOOKING_CUT_OFF, overdue_ms = 1800001, parked_ms > 5000
        12:30:03.000  A drive     | refused BOOKING_CUT_OFF, armed
        12:30:04.000  A lock      | refused BOOKING_CUT_OFF, unlocked
    """)


@pytest.mark.req("CUT-3", "CUT-4")
def test_nothing_is_taken_from_a_driver_on_the_motorway_for_three_hours() -> None:
    play("""
        bookings: A driver 10:00:00 - 12:00:00
        10:00:03      A presents  | A granted
        10:00:04      A unlock    | ok
        10:00:05      A drive     | ok, released
        10:01:00      car drives  | active
        12:29:59      A presents  | A granted, overdue
        12:30:00.000  A status    | overdue
        12:30:00.001  A status    | cutoff_pending, A granted, released
        12:39:00      A status    | ok
        12:48:00      A status    | ok
        14:59:50      A presents  | cutoff_pending, A granted, released
        15:00:00      car parks   | cutoff_pending, released
        15:00:04.999  A unlock    | ok, cutoff_pending
        15:00:05.000  .           | cut_off, hung up A, armed
        15:00:06.000  A presents  | A denied BOOKING_CUT_OFF
        15:00:07.000  A lock      | refused BOOKING_CUT_OFF, overdue_ms = 10805000, parked_ms = 5000
    """)


@pytest.mark.req("CUT-2", "CUT-1")
@pytest.mark.parametrize(
    ("time", "claim"),
    [
        ("12:00:00.000", "overdue, A granted, released, ok"),
        ("12:29:59.999", "overdue, A granted, released, ok"),
        ("12:30:00.000", "overdue, A granted, released, ok"),
        ("12:30:00.001", "cut_off, A denied BOOKING_CUT_OFF, armed, refused BOOKING_CUT_OFF"),
        ("12:30:01.000", "cut_off, A denied BOOKING_CUT_OFF, armed, refused BOOKING_CUT_OFF"),
    ],
)
def test_thirty_minutes_are_over_only_after_thirty_minutes(time: str, claim: str) -> None:
    play(f"""
        bookings: A driver 10:00:00 - 12:00:00
        10:00:03      A presents  | A granted
        10:00:05      A drive     | ok, released
        {time}        A unlock    | {claim}
    """)


@pytest.mark.req("CUT-4", "CUT-2")
@pytest.mark.parametrize("ask", ["unlock", "drive", "lock", "status"])
def test_a_late_tick_lets_no_command_in_after_the_cutoff(ask: str) -> None:
    story = Story()
    world = story.play("""
        bookings: A driver 10:00:00 - 12:00:00
        10:00:03      A presents  | A granted
        12:25:00      A status    | ok
        12:29:58      A status    | ok, overdue
    """)
    world.look()
    # Nobody ticks: the radio is faster than the timer.
    world.now = milliseconds("12:30:00.001")
    answer = world.ask("A", OPERATIONS[ask])
    assert answer is not None
    refusal = answer.body.access.refusal if isinstance(answer.body, Status) else answer.body
    assert isinstance(refusal, Refusal)
    assert refusal.code is Code.BOOKING_CUT_OFF
    assert world.car.locked
    assert "A" in world.hung_up


@pytest.mark.req("CUT-1", "CUT-7")
def test_owner_and_driver_are_told_three_times() -> None:
    play("""
        bookings: A driver 10:00:00 - 12:00:00
        11:55:00.000  A presents  | A granted
        11:55:01.000  A unlock    | ok, no warning
        11:59:59.999  .           | nobody told, no events
        12:00:00.000  .           | A told OVERDUE left 1800000, A pushed granted, event booking.overdue, just 1 event
        12:00:01.000  A lock      | warned OVERDUE, ok
        12:09:00.000  A unlock    | warned OVERDUE
        12:18:00.000  A status    | ok, nobody told, no events
        12:24:59.999  .           | nobody told, no events
        12:25:00.000  .           | A told CUTOFF_SOON left 300000, event booking.cutoff_soon, just 1 event
        12:26:00.000  A status    | ok
        12:29:59.999  .           | nobody told, no events
        12:30:00.001  .           | A told CUT_OFF left 0, A pushed BOOKING_CUT_OFF, event booking.cut_off
    """)


@pytest.mark.req("CUT-1", "ACC-10")
def test_the_overdue_phone_reads_how_much_time_is_left() -> None:
    # 1793620800000 is 2026-11-02 12:00:00 UTC.
    play("""
        bookings: A driver 10:00:00 - 12:00:00
        11:50:00      A presents  | A granted
        11:59:59.999  A status    | active, ends_at_ms = 1793620800000, cutoff_at_ms = 1793622600000
        12:20:00.000  A status    | overdue, cutoff_at_ms = 1793622600000, now_ms = 1793622000000
    """)


@pytest.mark.req("CUT-7")
@pytest.mark.parametrize(
    ("state", "claims"),
    [
        ("car key locks", "locked, no event alert.left_unlocked, no event alert.left_open"),
        ("car key unlocks", "unlocked, event alert.left_unlocked, no event alert.left_open"),
        ("car doors open", "event alert.left_open"),
        ("car boot open", "event alert.left_open"),
    ],
)
def test_a_car_that_is_left_open_raises_an_alert_and_is_not_locked(state: str, claims: str) -> None:
    play(f"""
        bookings: A driver 10:00:00 - 12:00:00
        11:00:00      A presents  | A granted
        12:29:00      {state}     | overdue
        12:30:00.001  .           | cut_off, {claims}
    """)


@pytest.mark.req("CUT-3")
@pytest.mark.parametrize(
    "moving",
    [
        "car drives",
        "car rolls",
        "car ignition on",
        "car ignition unknown",
        "car speed unknown",
        "car speed nan",
        "car speed -1",
        "car speed inf",
        "car speed 0.1",
        "car silent",
    ],
)
def test_whatever_is_not_surely_parked_is_not_cut_off(moving: str) -> None:
    play(f"""
        bookings: A driver 10:00:00 - 12:00:00
        10:00:03      A presents  | A granted
        10:00:05      A drive     | released
        12:29:50      {moving}    | overdue
        12:30:00.001  .           | cutoff_pending, released, not parked, event booking.cutoff_pending
        12:35:00      A status    | cutoff_pending, released, ok
        12:40:00      A unlock    | ok, released, warned OVERDUE
    """)


@pytest.mark.req("CUT-3", "CUT-4")
@pytest.mark.parametrize(
    ("at", "state", "parked_at"),
    [
        # The last sample before the silence is 2.5 s old at most; silence is never "parked".
        ("12:40:02.000", "car silent", None),
        ("12:40:04.000", "car speed 1", None),
        ("12:40:04.000", "car ignition unknown", None),
        ("12:40:00.001", "car doors open", "12:40:05.000"),
    ],
)
def test_five_seconds_of_standing_must_be_seen(at: str, state: str, parked_at: str | None) -> None:
    play(f"""
        bookings: A driver 10:00:00 - 12:00:00
        10:00:03      A drive     | released
        10:01:00      car drives  | active
        12:40:00.000  car parks   | cutoff_pending
        {at}          {state}     | cutoff_pending
        12:40:04.999  .           | cutoff_pending, not parked, released
        {parked_at or "12:40:05.000"} . | {"cut_off, armed" if parked_at else "cutoff_pending"}
        12:41:00.000  .           | {"cut_off, armed" if parked_at else "cutoff_pending, not parked, released"}
    """)


@pytest.mark.req("CUT-3", "CUT-4")
def test_a_hole_in_the_samples_starts_the_five_seconds_anew() -> None:
    play("""
        bookings: A driver 10:00:00 - 12:00:00
        10:00:03      A drive     | released
        10:01:00      car drives  | active
        12:40:00.000  car parks   | cutoff_pending
        12:40:02.000  car silent  | cutoff_pending
        12:40:04.600  car speaks  | cutoff_pending, not parked
        12:40:09.599  .           | cutoff_pending, not parked
        12:40:09.600  .           | cut_off, armed
    """)


@pytest.mark.req("CUT-3")
def test_two_and_a_half_seconds_between_samples_are_no_hole() -> None:
    play("""
        bookings: A driver 10:00:00 - 12:00:00
        10:00:03      A drive     | released
        10:01:00      car drives  | active
        12:40:00.000  car parks   | cutoff_pending
        12:40:02.000  car silent  | cutoff_pending
        12:40:04.500  car speaks  | cutoff_pending
        12:40:04.999  .           | cutoff_pending, not parked
        12:40:05.000  .           | cut_off, parked, armed
    """)


@pytest.mark.req("CUT-3")
def test_a_dead_release_takes_nothing_from_a_moving_car() -> None:
    play("""
        bookings: A driver 10:00:00 - 12:00:00
        10:00:03      A drive         | ok, released
        10:01:00      car drives      | released
        10:02:00      car silent      | released
        10:02:05      car actuators dead
        10:02:06      A drive         | refused VEHICLE_NO_RESPONSE, may have succeeded, released
        10:02:07      car speaks      | released
        12:40:00      A drive         | ok, cutoff_pending, released
    """)


@pytest.mark.req("CUT-2")
def test_an_immobiliser_that_did_not_arm_at_the_cutoff_is_armed_as_soon_as_it_can_be() -> None:
    play("""
        bookings: A driver 10:00:00 - 12:00:00
        11:00:00      A drive         | ok, released
        12:29:00      car actuators dead
        12:30:00.001  .               | cut_off
        12:30:30      .               | cut_off
        12:31:00      car actuators alive
        12:31:10      .               | cut_off, armed
        12:31:30      .               | nothing moved
    """)


@pytest.mark.req("CUT-6")
@pytest.mark.parametrize(
    ("role", "remedy"),
    [
        ("owner", "End the current booking and start a new one."),
        ("vip", "End the current booking and start a new one."),
        ("driver", "contact the owner to have it accepted."),
        ("guest", "contact the owner to have it accepted."),
    ],
)
def test_the_remedy_says_who_helps_and_a_new_booking_works_at_once(role: str, remedy: str) -> None:
    play(f"""
        bookings: A {role} 10:00:00 - 12:00:00
        bookings: B {role} 12:30:00 - 14:00:00 user=A fresh
        11:00:00      A presents  | A granted
        12:30:00.001  .           | cut_off, hung up A
        12:30:00.002  A unlock    | refused BOOKING_CUT_OFF, rule CUT-2, final, overdue_ms = 1800001, says {remedy}
        12:30:00.003  B presents  | B granted, active, event booking.started
        12:30:00.004  B unlock    | ok
        12:30:00.005  B drive     | ok, released
        12:30:00.006  A unlock    | refused BOOKING_CUT_OFF
    """)


@pytest.mark.req("CUT-2", "CUT-5")
def test_the_cutoff_hangs_up_only_on_the_phones_that_hold_the_booking() -> None:
    play("""
        bookings: A driver 10:00:00 - 12:00:00
        bookings: B driver 12:00:00 - 18:00:00
        11:00:00      A presents  | A granted
        12:29:30      A status    | overdue
        12:29:55      B connects
        12:30:00.001  .           | cut_off, hung up A, B connected
        12:30:00.002  B presents  | B granted
    """)


@pytest.mark.req("CUT-5")
def test_a_phone_that_is_not_there_does_not_stop_the_cutoff() -> None:
    play("""
        bookings: A driver 10:00:00 - 12:00:00
        11:00:00      A drive     | released
        11:00:10      A leaves    | active
        12:30:00.001  .           | cut_off, armed, event booking.cut_off
        12:31:00      A presents  | A denied BOOKING_CUT_OFF
    """)


@pytest.mark.req("CUT-3", "ACC-9")
def test_a_release_that_says_it_failed_takes_nothing_from_a_car_that_rolls() -> None:
    play("""
        bookings: A driver 10:00:00 - 12:00:00
        10:00:03      A unlock             | ok
        10:01:00      car drives           | armed
        10:02:00      car actuators mute
        10:02:01      A drive              | refused VEHICLE_NO_RESPONSE, may have succeeded, released
        10:02:30      car actuators alive
        10:02:31      A drive              | ok, released
    """)
