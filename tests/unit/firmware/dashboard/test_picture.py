"""Time and car as texts."""

import pytest

from firmware.core.trip import GRACE_MS
from firmware.dashboard import picture
from firmware.simulated.vehicle import SimulatedVehicle

NOON_MS = 1_793_361_600_000


def test_the_clock_shows_utc_and_how_time_passes() -> None:
    shown = {
        rate: picture.time(NOON_MS, rate, moving=False, under_way=False, next_=None)["pace_words"]
        for rate in (0.0, 1.0, 60.0, 0.5)
    }
    assert shown == {0.0: "paused", 1.0: "real time", 60.0: "60×", 0.5: "0.5×"}  # noqa: RUF001
    moved = picture.time(NOON_MS, 1.0, moving=True, under_way=True, next_=("the cutoff", 90_000))
    assert (moved["clock"], moved["date"]) == ("12:00:00", "Fri 30 Oct 2026, UTC")
    assert moved["under_way"] is True
    assert (moved["pace"], moved["next"]) == ("moves", "To the cutoff, in 1 min")


def test_below_a_minute_the_seconds_count() -> None:
    shown = picture.time(NOON_MS, 1.0, moving=False, under_way=False, next_=("the cutoff", 59_999))
    assert shown["next"] == "To the cutoff, in 59 s"
    shown = picture.time(NOON_MS, 1.0, moving=False, under_way=False, next_=("the cutoff", 7_260_500))
    assert shown["next"] == "To the cutoff, in 2 h 01 min"


def test_deadlines_come_one_after_the_other() -> None:
    assert picture.next_deadline(None, 0) is None
    end = 1_000
    assert picture.next_deadline(end, 400) == ("the booking’s end", 600)  # noqa: RUF001
    assert picture.next_deadline(end, end) == ("the last warning", GRACE_MS - picture.WARNING_MS)
    assert picture.next_deadline(end, end + GRACE_MS - 1) == ("the cutoff", 1)
    assert picture.next_deadline(end, end + GRACE_MS) is None


def test_the_car_is_what_somebody_beside_it_sees() -> None:
    vehicle = SimulatedVehicle(lambda: NOON_MS, lambda: 0)
    seen = picture.car(vehicle.snapshot(), 0, (48.0, 11.0))
    assert seen["locked"] is True
    assert seen["doors"] == [False] * 4
    assert seen["way"] == []
    vehicle.turn_ignition(True, with_key=True)
    vehicle.open_door(from_inside=True)
    opened = picture.car(vehicle.snapshot(), 2, None)
    assert (opened["doors"], opened["ignition"], opened["flashes"]) == ([True, False, False, False], True, 2)
    assert ("Doors", "unlocked", "") in opened["facts"]


@pytest.mark.parametrize(
    ("door", "boot", "said"),
    [
        (False, False, "nothing"),
        (True, False, "door"),
        (True, True, "door and boot"),
        (None, False, "unknown"),
        (None, None, "unknown"),
        (None, True, "boot"),
    ],
)
def test_what_nobody_knows_to_be_closed_is_not_said_to_be(door: bool | None, boot: bool | None, said: str) -> None:
    assert picture.what_is_open(door, boot) == said
