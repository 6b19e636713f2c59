"""Location privacy (PRV-1 to PRV-6), as literal times. That no position leaves during a driver's booking, by any
path, is checked by the world at every single step; here is what leaves before, after, and for whom."""

import json

import pytest

from protocol.messages import Position
from protocol.telemetry import FIX_TIME, Channel
from tests.support.story import Story, play
from tests.support.story_world import SPARSE_MS, World

DAY = """
    09:00:00      .
    09:10:00      car drives
    09:40:00      car parks
    10:00:03      A presents
    10:00:05      A drive
    10:10:00      car drives
    10:40:00      car fix aged 60
    11:00:00      car parks at home
    11:00:10      A end
    11:20:00      car fix back
    11:30:00      B presents
    11:30:05      B drive
    11:31:00      car drives
    11:50:00      car parks
    11:50:20      order end B
    12:00:03      O drive
    12:01:00      car drives
    12:30:00      car parks
    12:30:10      O end
    13:00:03      C drive
    13:10:00      car drives
    14:31:00      .
    14:32:00      car parks
    14:32:10      .
"""
BOOKINGS = """
    bookings: A driver 10:00:00 - 12:00:00
    bookings: B vip 11:00:00 - 13:00:00
    bookings: O owner 12:00:00 - 13:00:00
    bookings: C guest 13:00:00 - 14:00:00
"""
DRIVERS = [("10:00:03", "11:00:10"), ("11:30:00", "11:50:20"), ("13:00:03", "14:32:05")]
LINES = [line.strip() for line in DAY.strip().splitlines()]


@pytest.mark.req("PRV-1", "PRV-2", "PRV-3", "PRV-6")
@pytest.mark.parametrize("down", range(0, len(LINES), 2))
@pytest.mark.parametrize("up", ["at once", "later", "at the end"])
def test_no_position_leaves_whenever_the_broker_comes_and_goes(down: int, up: str) -> None:
    back = {"at once": down + 1, "later": down + 4, "at the end": len(LINES)}[up]
    story = Story(World(dense_ms=SPARSE_MS))
    story.play(f"{BOOKINGS}\n08:59:00 broker up")
    for number, line in enumerate(LINES):
        if number == back:
            story.play(f"{line[:8]} broker up")
        if number == down:
            story.play(f"{line[:8]} broker down")
        story.play(line)
    # The cutoff of C is over: whatever happened on the way, the owner now finds the car, and the owner's trips.
    story.play("14:33:00 broker up | cut_off, parking retained")
    tracks = [payload for _, channel, payload in story.world.published if channel is Channel.TRACK]
    times = sorted(json.loads(payload)[FIX_TIME][11:19] for payload in tracks)
    for at in times:
        assert not any(begin < at < end for begin, end in DRIVERS), f"a position of {at} was published"
    assert any("09:10:00" <= at <= "09:40:00" for at in times)
    assert any("12:01:00" <= at <= "12:30:00" for at in times)


@pytest.mark.req("PRV-1", "PRV-2", "PRV-3")
@pytest.mark.parametrize("at", range(1, len(LINES), 2))
@pytest.mark.parametrize("reboot", ["reboot", "reboot rtc lost"])
def test_no_position_leaves_over_a_reboot(at: int, reboot: str) -> None:
    story = Story(World(dense_ms=SPARSE_MS))
    story.play(f"{BOOKINGS}\n08:59:00 broker up")
    for number, line in enumerate(LINES):
        story.play(line)
        if number == at:
            story.play(f"{line[:8]} {reboot}")
    story.play("14:33:00 . | cut_off, parking retained")


@pytest.mark.req("PRV-2")
def test_the_parking_position_is_reported_at_once() -> None:
    play("""
        bookings: A driver 10:00:00 - 12:00:00
        09:00:00      broker up
        10:00:03      A drive                 | position withdrawn
        10:10:00      car drives              | position withdrawn, no position published
        11:00:00      car parks               | position withdrawn, no position published
        11:00:10      A end                   | position first, parking retained, retained says 48.2
        11:00:11      .                       | retained says "fix_age_s":0
    """)


@pytest.mark.req("PRV-2")
def test_offline_the_parking_position_is_the_first_thing_on_reconnection_with_its_age() -> None:
    play("""
        bookings: A driver 10:00:00 - 12:00:00
        10:00:03      A drive                 | ok
        10:10:00      car drives
        11:00:00      car parks
        11:00:10      A end                   | ok, ended, position waits, nothing published
        11:00:11      car fix aged 600
        11:05:10      broker up               | position first, parking retained, retained says "fix_age_s":300
        11:05:11      .                       | nothing published
    """)


@pytest.mark.req("PRV-2", "CUT-2")
def test_the_cutoff_reports_the_parking_position_too() -> None:
    play("""
        bookings: A driver 10:00:00 - 12:00:00
        09:00:00      broker up
        10:00:03      A drive                 | position withdrawn
        10:10:00      car drives
        12:40:00.000  car parks               | position withdrawn
        12:40:05.000  .                       | cut_off, parking retained, retained says 48.2
    """)


@pytest.mark.req("PRV-2", "BKG-5")
def test_a_parking_position_that_nobody_knew_is_reported_when_the_fix_comes() -> None:
    play("""
        bookings: A driver 10:00:00 - 12:00:00
        bookings: B driver 11:30:00 - 14:00:00
        09:00:00      broker up
        09:00:01      car fix lost
        10:00:03      A unlock                | position withdrawn
        11:00:10      A end                   | ok, position unknown, no position published
        11:10:00      car fix back            | parking retained
        11:30:03      B unlock                | position withdrawn
    """)


@pytest.mark.req("PRV-3")
def test_the_next_drivers_booking_withdraws_the_position_also_offline() -> None:
    play("""
        bookings: A driver 10:00:00 - 12:00:00
        bookings: B driver 11:30:00 - 14:00:00
        09:00:00      broker up
        10:00:03      A unlock                | position withdrawn
        11:00:10      A end                   | parking retained
        11:20:00      broker down             | parking retained
        11:30:03      B unlock                | ok, position withdrawn
        11:40:00      broker up               | position first, position withdrawn, no position published
        11:50:00      reboot                  | position withdrawn
    """)


@pytest.mark.req("PRV-3", "PRV-2")
def test_a_position_that_never_left_is_not_sent_once_the_next_driver_has_the_car() -> None:
    play("""
        bookings: A driver 10:00:00 - 12:00:00
        bookings: B driver 11:30:00 - 14:00:00
        10:00:03      A unlock                | ok
        11:00:10      A end                   | position waits
        11:30:03      B unlock                | ok, position withdrawn
        11:40:00      broker up               | no position published, position withdrawn
        12:40:00      B end                   | parking retained
    """)


@pytest.mark.req("PRV-4")
def test_the_owner_sees_the_owners_own_trips() -> None:
    play("""
        bookings: O owner 10:00:00 - 12:00:00
        09:00:00      broker up
        10:00:03      O drive                 | ok
        10:10:00      car drives              | track published, position retained, retained says 48.2
        10:10:29      .                       | no position published
        10:10:31      car parks at home       | track published, position retained
        10:20:00      O end                   | parking retained, retained says 48.1
    """)


@pytest.mark.req("PRV-4", "PRV-1", "TEL-3")
def test_what_was_queued_of_the_owners_trip_waits_for_the_end_of_the_drivers() -> None:
    play("""
        bookings: O owner 09:00:00 - 10:00:00
        bookings: A driver 10:00:00 - 12:00:00
        09:00:03      O drive                 | ok
        09:10:00      car drives
        09:30:00      car parks
        09:30:10      O end                   | position waits
        10:00:03      A drive                 | position withdrawn
        10:30:00      broker up               | no position published, position withdrawn
        11:00:09      .                       | no position published
        11:00:10      A end                   | position first, parking retained, track published
    """)


@pytest.mark.req("PRV-4", "PRV-6")
def test_a_trip_with_the_physical_key_is_the_owners() -> None:
    play("""
        09:00:00      broker up
        09:10:00      car drives              | track published, position retained
        09:20:00      car parks               | retained says 48.2
    """)


@pytest.mark.req("PRV-6")
def test_odometer_and_fuel_are_reported_during_a_drivers_booking() -> None:
    story = Story()
    story.play("""
        bookings: A driver 10:00:00 - 12:00:00
        09:59:59      broker up
        10:00:03      A drive                 | ok
        10:10:00      car drives
        10:20:00      .                       | no position published
    """)
    during = b"".join(p for at, _, p in story.world.published if at > 10 * 3600_000 + 60_000)
    assert b'"Vehicle.TraveledDistance"' in during
    assert b'"Vehicle.Powertrain.FuelSystem.RelativeLevel"' in during


@pytest.mark.req("PRV-5", "PRV-1")
def test_the_active_user_asks_where_the_car_is_and_nobody_else_learns_it() -> None:
    story = Story()
    story.play("""
        bookings: A driver 10:00:00 - 12:00:00
        bookings: B driver 10:00:00 - 18:00:00
        09:00:00      broker up
        10:00:03      A drive                 | ok
        10:10:00      car drives
        10:10:05      car fix aged 90
        10:10:10      B locate                | refused VEHICLE_IN_USE
        10:10:11      A locate                | ok, age_ms = 90000, no position published
    """)
    assert story.seen.answer is not None
    assert story.seen.answer.body == Position(482_000_000, 116_500_000, 90_000)
    story.play("""
        10:20:00      car fix zero
        10:20:01      A locate                | refused POSITION_UNKNOWN, temporary, rule PRV-5
        10:30:00      car parks at home
        10:30:10      A end                   | ok
        10:30:11      A locate                | refused BOOKING_ENDED
    """)
