"""A receiver that loses its fix keeps the last one, with its times."""

import pytest

from firmware.core.events import Fix
from firmware.simulated.gnss import Receiver
from firmware.simulated.route import Waypoint

PLACE = Waypoint(48.14400, -11.55820)
ELSEWHERE = Waypoint(48.2, -11.6)


def test_a_fix_is_in_ten_millionths_of_a_degree_with_both_times() -> None:
    fix = Receiver().look(PLACE, utc_ms=1_700_000_000_000, mono_ms=5000)
    assert fix == Fix(latitude_e7=481_440_000, longitude_e7=-115_582_000, utc_ms=1_700_000_000_000, taken_at_ms=5000)


@pytest.mark.req("TEL-7")
def test_underground_the_last_fix_grows_old_and_the_next_one_is_fresh() -> None:
    receiver = Receiver()
    last = receiver.look(PLACE, utc_ms=1000, mono_ms=0)
    receiver.sees_sky = False
    assert receiver.look(ELSEWHERE, utc_ms=61_000, mono_ms=60_000) == last
    receiver.sees_sky = True
    fresh = receiver.look(ELSEWHERE, utc_ms=62_000, mono_ms=61_000)
    assert fresh is not None
    assert (fresh.latitude_e7, fresh.taken_at_ms) == (482_000_000, 61_000)


def test_underground_from_the_start_there_is_no_fix_at_all() -> None:
    receiver = Receiver()
    receiver.sees_sky = False
    assert receiver.look(PLACE, utc_ms=0, mono_ms=0) is None
