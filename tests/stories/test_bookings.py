"""The life of a booking (BKG-1 to BKG-6), as literal times."""

import time
from collections.abc import Iterator

import pytest

from tests.support.story import Story, play
from tests.support.story_world import World, milliseconds


@pytest.mark.req("BKG-1")
def test_a_booking_starts_once_when_its_token_is_first_accepted() -> None:
    play("""
        bookings: A driver 10:00:00 - 12:00:00
        09:00:00      broker up
        09:30:00      A presents  | A denied NOT_YET_VALID, none, no events
        10:15:00      A presents  | A granted, active, event booking.started, just 1 event
        10:15:01      A presents  | A granted, no events
        10:15:02      A leaves    | active
        10:40:00      A unlock    | active, no events
        10:41:00      reboot      | active, no event booking.started
        10:41:02      A presents  | A granted, no events
    """)


@pytest.mark.req("BKG-2", "BKG-3")
def test_the_driver_ends_the_booking_and_the_car_is_locked_and_armed() -> None:
    play("""
        bookings: A driver 10:00:00 - 12:00:00
        10:00:03      A unlock    | ok, unlocked
        10:00:04      A drive     | ok, released
        10:01:00      car drives  | active
        11:00:00      car parks at home
        11:00:10      A end       | ok, no warning, ended, locked, armed, event booking.ended, A connected
        11:00:11      A unlock    | refused BOOKING_ENDED, rule ACC-5, locked
        11:00:12      A end       | ok, at_ms = 1793617210000
        11:00:13      A status    | may nothing, sees no car
    """)


@pytest.mark.req("BKG-3", "ACC-8")
@pytest.mark.parametrize("doors", ["closed", "open", "unknown"])
@pytest.mark.parametrize("boot", ["closed", "open", "unknown"])
@pytest.mark.parametrize("car", ["parks", "drives"])
def test_an_end_is_refused_with_everything_that_is_missing_at_once(car: str, doors: str, boot: str) -> None:
    missing = {
        "not_parked": ("park with the ignition off for five seconds", car == "drives"),
        "doors_open": ("close all doors", doors != "closed"),
        "boot_open": ("close the boot", boot != "closed"),
    }
    claims = [f"{name} = {1 if open_ else 'unknown'}" for name, (_, open_) in missing.items()]
    text = [remedy for remedy, open_ in missing.values() if open_]
    end = "; then end again."
    says = [f"says {part[1:]}" for part in text[:1]] + [f"says {part}" for part in text[1:]]
    claims = ["refused END_NOT_POSSIBLE", "temporary", "rule BKG-3", "nothing moved", "active", *claims, *says]
    ok = ["ok", "ended", "locked", "armed"]
    play(f"""
        bookings: A driver 10:00:00 - 12:00:00
        10:00:03      A drive        | ok
        10:30:00      car {car}      | active
        10:30:01      car doors {doors}
        10:30:02      car boot {boot}
        10:30:10      A end          | {", ".join([*claims, f"says {end}"] if text else ok)}
    """)


@pytest.mark.req("BKG-3")
def test_what_the_module_does_not_know_is_missing_too() -> None:
    play("""
        bookings: A driver 10:00:00 - 12:00:00
        10:00:03      A unlock    | ok
        10:10:00      car silent  | active
        10:10:02      A end       | ok
    """)
    play("""
        bookings: A driver 10:00:00 - 12:00:00
        10:00:03      A unlock    | ok
        10:10:00      car silent  | active
        10:10:03      A end       | refused END_NOT_POSSIBLE, not_parked = 1, doors_open = 1, boot_open = 1, active
    """)


@pytest.mark.req("BKG-3", "CUT-7")
def test_an_end_whose_lock_fails_is_an_end_with_an_alert() -> None:
    play("""
        bookings: A driver 10:00:00 - 12:00:00
        10:00:03      A unlock    | ok
        10:00:04      car actuators dead
        10:00:10      A end       | ok, ended, unlocked, event alert.lock_failed
    """)


@pytest.mark.req("BKG-4")
def test_an_end_underground_yields_a_receipt_that_says_so() -> None:
    play("""
        bookings: A driver 10:00:00 - 12:00:00
        bookings: B driver 10:00:00 - 18:00:00
        10:00:03      A unlock     | ok
        10:30:00      A end        | ok, receipt offline, receipt position known, at_ms = 1793615400000
        10:30:01      A end        | ok, receipt offline, at_ms = 1793615400000
        10:31:00      reboot
        10:31:02      A end        | ok, receipt offline, receipt position known, at_ms = 1793615400000
        10:32:00      broker up
        10:32:01      B unlock     | ok
        10:33:00      B end        | ok, receipt online, receipt position known
    """)


@pytest.mark.req("BKG-4", "BKG-5")
def test_the_receipt_says_when_the_position_is_not_known() -> None:
    play("""
        bookings: A driver 10:00:00 - 12:00:00
        10:00:00      car fix lost
        10:00:03      A unlock     | ok
        10:30:00      A end        | ok, no warning, ended, receipt position unknown, home_distance_m = unknown
        10:30:01      A end        | ok, position_age_ms = unknown
    """)


# ---------------------------------------------------------------- home
@pytest.mark.req("BKG-5")
@pytest.mark.parametrize(
    ("metres", "distance", "warning"),
    [
        ("0", 0, "no warning"),
        ("299", 299, "no warning"),
        ("299.9", 299, "no warning"),
        ("300.3", 300, "warned OUTSIDE_HOME_AREA"),
        ("301.1", 301, "warned OUTSIDE_HOME_AREA"),
        ("5000.5", 5000, "warned OUTSIDE_HOME_AREA"),
    ],
)
def test_the_end_is_accepted_wherever_the_car_is_and_the_phone_is_told(
    metres: str, distance: int, warning: str
) -> None:
    play(f"""
        bookings: A driver 10:00:00 - 12:00:00
        10:00:03      A unlock                   | ok
        10:10:00      car metres north {metres}  | active
        10:10:10  A end  | {warning}, home_distance_m = {distance}, position_age_ms = 0, ended
    """)


@pytest.mark.req("BKG-5")
def test_a_stale_fix_counts_with_its_age() -> None:
    play("""
        bookings: A driver 10:00:00 - 12:00:00
        10:00:03      A unlock               | ok
        10:10:00      car metres north 1000.5
        10:10:01      car fix aged 7200
        10:10:10  A end  | warned OUTSIDE_HOME_AREA, home_distance_m = 1000, position_age_ms = 7200000
    """)


@pytest.mark.req("BKG-5")
def test_the_receiver_that_says_zero_zero_knows_nothing() -> None:
    play("""
        bookings: A driver 10:00:00 - 12:00:00
        10:00:00      car fix zero
        10:00:03      A unlock     | ok
        10:00:04      A locate     | refused POSITION_UNKNOWN
        10:10:10      A end        | ok, no warning, home_distance_m = unknown, receipt position unknown
    """)


@pytest.mark.req("BKG-5", "ACC-7")
def test_the_answer_to_an_end_is_the_same_after_a_reboot() -> None:
    play("""
        bookings: A driver 10:00:00 - 12:00:00
        10:00:03      A unlock                | ok
        10:10:00      car metres north 5000.5
        10:10:10      A end as e1             | warned OUTSIDE_HOME_AREA, home_distance_m = 5000, at_ms = 1793614210000
        10:10:11      car fix lost
        10:10:12      reboot
        10:10:14      A end as e1             | warned OUTSIDE_HOME_AREA, home_distance_m = 5000, at_ms = 1793614210000
        10:10:15      A end as e2             | warned OUTSIDE_HOME_AREA, home_distance_m = 5000, receipt position known
        10:10:16      A outcome of e1         | outcome OK
    """)


# ---------------------------------------------------------------- orders
@pytest.mark.req("BKG-2")
def test_the_backend_ends_a_booking_over_the_broker() -> None:
    play("""
        bookings: A driver 10:00:00 - 12:00:00
        10:00:00      broker up
        10:00:03      A drive       | ok, released
        10:30:00      A status      | ok
        10:30:10      order end A   | ended, armed, result OK, event booking.ended, A told ENDED_BY_ORDER
        10:30:11      A unlock      | refused BOOKING_ENDED
        10:30:12      order end A   | ended, result OK, no events
    """)


@pytest.mark.req("BKG-2", "CUT-3")
def test_an_end_order_waits_until_the_car_is_parked() -> None:
    play("""
        bookings: A driver 10:00:00 - 12:00:00
        bookings: B driver 10:00:00 - 18:00:00
        10:00:03      A drive                | ok, released
        10:30:00      car drives             | active
        10:31:00      B carries order end A  | ok, pending, active, released
        10:32:00      A unlock               | ok, active, released
        10:33:00.000  car parks              | active, released
        10:33:04.999  A unlock               | ok, active, released
        10:33:05.000  .                      | ended, armed, A pushed BOOKING_ENDED, event alert.left_unlocked
        10:33:06.000  B unlock               | ok, active
    """)


@pytest.mark.req("BKG-2", "CUT-5")
@pytest.mark.parametrize("reboot", ["reboot", "reboot rtc lost", "reboot rtc -86400", "reboot rtc +3600"])
def test_an_order_that_waits_survives_a_reboot(reboot: str) -> None:
    play(f"""
        bookings: A driver 10:00:00 - 12:00:00
        10:00:03      A drive                | ok, released
        10:30:00      car drives             | active
        10:31:00      order end A            | active, released
        10:32:00      {reboot}               | active, released
        10:33:00      A unlock               | ok, active, released
        10:34:00.000  car parks              | active, released
        10:34:05.000  .                      | ended, armed
    """)


@pytest.mark.req("BKG-2", "ACC-8")
def test_a_late_order_is_refused_and_reported() -> None:
    play("""
        bookings: A driver 10:00:00 - 16:00:00
        bookings: B driver 10:00:00 - 16:00:00
        10:00:00      broker up
        10:00:03      A unlock                  | ok
        10:30:00      order end A is written    | active
        11:30:10      B carries order again     | refused ORDER_LATE, late_by_ms > 9000, final, rule BKG-2, active
        11:30:20      A unlock                  | ok, active
    """)
    play("""
        bookings: A driver 10:00:00 - 16:00:00
        10:00:00      broker up
        10:00:03      A unlock                  | ok
        10:30:00      order end A is written
        11:30:10      order again               | active, result ORDER_LATE
    """)


@pytest.mark.req("BKG-2")
def test_a_carried_order_ends_the_booking_before_it_begins_and_again() -> None:
    play("""
        bookings: A driver 10:00:00 - 12:00:00
        bookings: B driver 09:00:00 - 18:00:00
        09:30:00      B carries order end A   | ok, not pending
        09:30:01      B carries order again   | ok, not pending
        10:00:03      A unlock                | refused BOOKING_CANCELLED
        10:00:04      B carries nonsense      | refused ORDER_UNSUPPORTED
    """)


@pytest.mark.req("BKG-2", "ACC-5")
def test_a_revocation_list_ends_the_running_booking_once_parked_and_only_rises() -> None:
    play("""
        bookings: A driver 10:00:00 - 12:00:00
        bookings: B driver 10:00:00 - 18:00:00
        10:00:00      broker up
        10:00:03      A drive                       | ok, released
        10:30:00      car drives                    | active
        10:31:00      B carries list 5 epoch 1 A    | ok, pending, active, released
        10:31:01      B carries list 5 epoch 1      | ok, not pending
        10:31:02      B carries list 4 epoch 1      | refused LIST_OUTDATED, number = 4, known_number = 5, final
        10:32:00      A unlock                      | ok, active
        10:33:00.000  car parks                     | active
        10:33:05.000  .                             | ended, armed, A denied TOKEN_REVOKED
        10:34:00      B carries list 6 epoch 1      | ok
        10:34:01      A unlock                      | refused TOKEN_REVOKED
    """)


@pytest.mark.req("BKG-2", "ACC-6")
def test_a_list_with_newer_keys_ends_what_was_made_for_older_ones() -> None:
    play("""
        bookings: A driver 10:00:00 - 12:00:00
        bookings: B driver 10:00:00 - 18:00:00 key_epoch=2
        bookings: C driver 10:00:00 - 18:00:00
        10:00:03      A drive            | ok, released
        10:30:00      list 1 epoch 2     | ended, armed, A denied TOKEN_REVOKED
        10:30:01      C unlock           | refused WRONG_KEY_EPOCH, booking_epoch = 1, vehicle_epoch = 2
        10:30:02      reboot
        10:30:04      B unlock           | ok
    """)


# ---------------------------------------------------------------- weeks
@pytest.fixture(params=["UTC", "Europe/Berlin", "America/New_York"])
def _in_a_time_zone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.req("BKG-6", "CUT-2")
@pytest.mark.usefixtures("_in_a_time_zone")
def test_three_weeks_across_the_change_to_summer_time_end_to_the_millisecond() -> None:
    # Day 132 is 14 March 2027 (USA), day 146 is 28 March 2027 (Europe): both change within this booking.
    story = Story(World(milliseconds("D131 08:00:00")))
    story.play("""
        bookings: A driver D131 10:00:00 - D152 10:00:00
        D131 10:00:03      A drive     | ok, released, active
        D146 00:59:59      A status    | active, A granted
        D146 01:00:01      A status    | active, A granted
        D151 23:00:00      A unlock    | ok, active
        D152 09:59:59.999  A unlock    | ok, active
        D152 10:00:00.000  .           | overdue
        D152 10:30:00.000  .           | overdue, released
        D152 10:30:00.001  .           | cut_off, armed
    """)
