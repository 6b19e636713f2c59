"""The 30-minute cutoff (CUT-1 to CUT-7), as literal times."""

import pytest

from tests.support.story import play


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
