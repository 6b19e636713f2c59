"""What time it is, as an interval, and whom to believe about it."""

import pytest

from firmware.core import clock
from firmware.core.clock import Claim, Clock, Quality
from firmware.core.events import TimeSource

FLOOR = 1_790_000_000_000
HOUR = 3_600_000
DAY = 86_400_000
YEAR = 366 * DAY
BARE = Clock(FLOOR)
"""At 0, only the floor is known."""
SET = Clock(FLOOR, 0, FLOOR + HOUR, 0, 500, trusted=True)
"""At 0, satellites said that it is an hour past the floor."""


@pytest.mark.req("CLK-1")
def test_the_floor_rises_with_elapsed_time_as_a_crystal_at_its_slowest_would_count_it() -> None:
    assert clock.floor(BARE, 0) == FLOOR
    assert clock.floor(BARE, 90_000) == FLOOR + 90_000 - 9
    assert clock.floor(BARE, 30 * DAY) == FLOOR + 30 * DAY - 259_200


def test_without_a_reading_it_can_be_any_time_after_the_floor() -> None:
    assert clock.utc(BARE, 7) == FLOOR + 7
    assert clock.interval(BARE, 7) == (FLOOR + 7, None)
    assert clock.quality(BARE, 7) is Quality.FLOOR
    assert clock.stale(BARE, 7)


def test_a_reading_runs_on_and_grows_uncertain_at_100_ppm() -> None:
    assert clock.utc(SET, 10_000) == FLOOR + HOUR + 10_000
    assert clock.interval(SET, 0) == (FLOOR + HOUR - 500, FLOOR + HOUR + 500)
    assert clock.interval(SET, 10_000_000) == (FLOOR + HOUR + 10_000_000 - 1_500, FLOOR + HOUR + 10_000_000 + 1_500)


@pytest.mark.req("CLK-1")
def test_a_reading_below_the_floor_is_cut_at_it() -> None:
    slow = Clock(FLOOR, 0, FLOOR - 300, 0, 500)
    assert clock.utc(slow, 0) == FLOOR
    assert clock.interval(slow, 0) == (FLOOR, FLOOR + 500)


def test_time_is_synced_for_a_day_and_held_over_after_that() -> None:
    assert clock.quality(SET, DAY) is Quality.SYNCED
    assert clock.quality(SET, DAY + 1) is Quality.HOLDOVER
    assert clock.quality(Clock(FLOOR, 0, FLOOR, 0, 2_000, trusted=False), 0) is Quality.HOLDOVER


def test_a_trusted_reading_is_asked_for_again_after_ten_minutes() -> None:
    assert not clock.stale(SET, 599_999)
    assert clock.stale(SET, 600_000)
    assert clock.stale(Clock(FLOOR, 0, FLOOR, 0, 2_000, trusted=False), 0)


@pytest.mark.parametrize(
    ("source", "uncertainty_ms", "trusted"),
    [(TimeSource.RTC, 2_000, False), (TimeSource.GNSS, 500, True), (TimeSource.NETWORK, 1_000, True)],
)
def test_the_first_plausible_source_is_believed(source: TimeSource, uncertainty_ms: int, trusted: bool) -> None:
    believed = clock.offered(BARE, source, FLOOR + HOUR, 10)
    assert believed == Clock(FLOOR, 0, FLOOR + HOUR, 10, uncertainty_ms, trusted=trusted)


@pytest.mark.req("CLK-1")
@pytest.mark.parametrize("source", list(TimeSource))
def test_a_source_never_raises_the_floor(source: TimeSource) -> None:
    assert clock.floor(clock.offered(BARE, source, FLOOR + HOUR, 0), 0) == FLOOR


@pytest.mark.req("CLK-1")
def test_a_source_a_little_below_the_floor_means_the_floor_and_is_as_uncertain_as_it_is_low() -> None:
    assert clock.offered(BARE, TimeSource.GNSS, FLOOR - 120_001, 0) == BARE
    believed = clock.offered(BARE, TimeSource.GNSS, FLOOR - 120_000, 0)
    assert believed == Clock(FLOOR, 0, FLOOR, 0, 120_500, trusted=True)
    assert clock.interval(believed, 0) == (FLOOR, FLOOR + 120_500)


def test_a_time_past_the_year_2106_is_nonsense() -> None:
    late = Clock(4_294_967_295_000)
    assert clock.offered(late, TimeSource.GNSS, 4_294_967_296_000, 0).reading_ms == 4_294_967_296_000
    assert clock.offered(late, TimeSource.GNSS, 4_294_967_296_001, 0) == late


@pytest.mark.req("CLK-4")
def test_a_far_future_needs_a_second_source() -> None:
    far = FLOOR + YEAR + 1
    once = clock.offered(BARE, TimeSource.GNSS, far, 0)
    assert once.reading_ms is None
    assert once.claim == Claim(TimeSource.GNSS, far, 0)
    assert clock.offered(once, TimeSource.GNSS, far + 1_000, 1_000).reading_ms is None
    assert clock.offered(once, TimeSource.NETWORK, far + 121_001, 1_000).reading_ms is None
    assert clock.offered(once, TimeSource.NETWORK, far + 121_000, 1_000).reading_ms == far + 121_000
    assert clock.offered(BARE, TimeSource.GNSS, far - 1, 0).reading_ms == far - 1


@pytest.mark.req("CLK-3", "CLK-4")
def test_one_source_alone_does_not_move_a_running_clock_by_more_than_two_minutes() -> None:
    assert clock.offered(SET, TimeSource.NETWORK, FLOOR + HOUR + 120_000, 0).reading_ms == FLOOR + HOUR + 120_000
    spoofed = clock.offered(SET, TimeSource.GNSS, FLOOR + HOUR + 120_001, 0)
    assert spoofed.reading_ms == FLOOR + HOUR
    agreed = clock.offered(spoofed, TimeSource.NETWORK, FLOOR + HOUR + 120_001, 0)
    assert (agreed.reading_ms, agreed.claim) == (FLOOR + HOUR + 120_001, None)


def test_the_rtc_never_replaces_a_reading() -> None:
    assert clock.offered(SET, TimeSource.RTC, FLOOR + HOUR + 1_000, 0) == SET


@pytest.mark.req("CLK-2")
def test_an_attested_time_lies_between_its_signing_and_the_age_of_the_nonce() -> None:
    believed = clock.attested(BARE, FLOOR + HOUR, 9_000, 20_000)
    assert believed == Clock(FLOOR + HOUR, 20_000, FLOOR + HOUR + 5_000, 20_000, 5_000, trusted=True)
    assert clock.interval(believed, 20_000) == (FLOOR + HOUR, FLOOR + HOUR + 10_000)


@pytest.mark.req("CLK-1")
def test_an_attestation_from_before_the_floor_says_nothing() -> None:
    assert clock.attested(BARE, FLOOR - 3_001, 2_000, 0) == BARE
    assert clock.attested(BARE, FLOOR - 3_000, 2_000, 0).trusted


@pytest.mark.req("CLK-4")
def test_an_attested_far_future_needs_a_second_source_too() -> None:
    far = FLOOR + YEAR + 1
    once = clock.attested(BARE, far, 0, 0)
    assert (once.reading_ms, once.claim) == (None, Claim(None, far, 0))
    assert clock.attested(once, far, 0, 0).reading_ms is None
    assert clock.offered(once, TimeSource.RTC, far, 0).reading_ms == far
    claimed = clock.offered(BARE, TimeSource.GNSS, far, 0)
    assert clock.attested(claimed, far, 0, 0).reading_ms == far + 500


@pytest.mark.req("CLK-1")
def test_what_was_signed_raises_the_floor_and_never_lowers_it() -> None:
    assert clock.raised(BARE, FLOOR + HOUR, 50) == Clock(FLOOR + HOUR, 50)
    assert clock.raised(BARE, FLOOR, 0) == BARE
    assert clock.raised(BARE, FLOOR + 50, 50) == BARE
    within = clock.raised(SET, FLOOR + HOUR + 500, 0)
    assert (within.floor_ms, within.reading_ms, within.uncertainty_ms) == (FLOOR + HOUR + 500, FLOOR + HOUR, 500)


def test_a_reading_that_is_proved_slow_moves_up_and_grows_uncertain() -> None:
    moved = clock.raised(SET, FLOOR + HOUR + 500 + 120_000, 0)
    assert moved == Clock(FLOOR + HOUR + 120_500, 0, FLOOR + HOUR + 120_500, 0, 120_500, trusted=True)


def test_a_reading_that_is_proved_wrong_is_dropped() -> None:
    dropped = clock.raised(SET, FLOOR + HOUR + 500 + 120_001, 0)
    assert (dropped.reading_ms, dropped.trusted) == (None, False)
    assert clock.floor(dropped, 0) == FLOOR + HOUR + 120_501


@pytest.mark.req("CLK-4")
def test_a_floor_a_year_up_needs_a_clock_that_agrees() -> None:
    assert clock.raised(BARE, FLOOR + YEAR, 0).floor_ms == FLOOR + YEAR
    assert clock.raised(BARE, FLOOR + YEAR + 1, 0) == BARE
    assert clock.raised(SET, FLOOR + YEAR + 1, 0) == SET
    agrees = Clock(FLOOR, 0, FLOOR + 2 * YEAR, 0, 500, trusted=True)
    assert clock.raised(agrees, FLOOR + YEAR + 1, 0).floor_ms == FLOOR + YEAR + 1


# ---------------------------------------------------------------- to the millisecond
def test_a_clock_that_nobody_has_set_is_not_trusted() -> None:
    assert not Clock(FLOOR).trusted
    assert Clock(FLOOR) == Clock(FLOOR, 0, None, 0, 0, trusted=False)


@pytest.mark.req("CLK-1")
def test_drift_is_a_hundred_in_a_million_over_any_time() -> None:
    long = 10_000_000_000
    assert clock.floor(BARE, long) == FLOOR + long - 1_000_000
    assert clock.interval(SET, long) == (FLOOR + HOUR + long - 1_000_500, FLOOR + HOUR + long + 1_000_500)


def test_how_old_a_reading_is_counts_from_when_it_was_taken() -> None:
    late = Clock(FLOOR, 0, FLOOR + 2 * DAY, 2 * DAY, 0, trusted=True)
    assert clock.quality(late, 2 * DAY + 1) is Quality.SYNCED


@pytest.mark.req("CLK-4")
def test_a_jump_of_a_year_is_believed_and_one_millisecond_more_is_not() -> None:
    assert clock.attested(BARE, FLOOR + YEAR, 0, 0).trusted
    assert not clock.attested(BARE, FLOOR + YEAR + 1, 0, 0).trusted


@pytest.mark.req("CLK-1")
def test_a_floor_far_up_is_believed_up_to_the_latest_time_that_it_can_be() -> None:
    ahead = Clock(FLOOR, 0, FLOOR + 2 * YEAR, 0, 500, trusted=True)
    assert clock.floor(clock.raised(ahead, FLOOR + 2 * YEAR + 500, 0), 0) == FLOOR + 2 * YEAR + 500
    assert clock.raised(ahead, FLOOR + 2 * YEAR + 501, 0) == ahead


def test_a_reading_that_moves_up_counts_from_then_on() -> None:
    moved = clock.raised(SET, FLOOR + HOUR + 70_000, 60_000)
    assert (moved.reading_ms, moved.reading_at_ms) == (FLOOR + HOUR + 70_000, 60_000)
    assert clock.utc(moved, 61_000) == FLOOR + HOUR + 71_000


@pytest.mark.req("CLK-4")
def test_a_second_source_may_speak_later_than_the_first() -> None:
    first = clock.offered(BARE, TimeSource.GNSS, FLOOR + 2 * YEAR, HOUR)
    assert first.claim == Claim(TimeSource.GNSS, FLOOR + 2 * YEAR, HOUR)
    assert clock.offered(first, TimeSource.NETWORK, FLOOR + 2 * YEAR + HOUR, 2 * HOUR).trusted
