"""When a digital key is good."""

import msgspec
import pytest

from firmware.core import hours
from firmware.core.clock import Clock
from protocol.errors import Code, Refusal
from protocol.sharing import Hours, Key
from tests.support.core import BEGINS_MS, FLOOR_MS, GUEST_KEY, NIGHT, NOW, OWNER_KEY

replace = msgspec.structs.replace

OPENS_MS = GUEST_KEY.not_before_s * 1000
ENDS_MS = GUEST_KEY.expires_s * 1000
DAY = 86_400_000
MIDNIGHT_MS = BEGINS_MS // DAY * DAY
AT_NIGHT = replace(GUEST_KEY, hours=NIGHT)
BY_DAY = replace(GUEST_KEY, hours=Hours(480, 1080))
FLOOR_ONLY = Clock(FLOOR_MS, NOW)


def reading(utc_ms: int, uncertainty_ms: int = 0) -> Clock:
    """It is `utc_ms` at NOW, or so much earlier or later."""
    return Clock(0, NOW, utc_ms, NOW, uncertainty_ms, trusted=True)


def code(refusal: Refusal | None) -> Code | None:
    return None if refusal is None else refusal.code


@pytest.mark.req("KEY-2", "CLK-2")
@pytest.mark.parametrize(
    ("at_ms", "uncertainty_ms", "expected", "numbers"),
    [
        (OPENS_MS - 1, 0, Code.NOT_YET_VALID, (("starts_in_ms", 1),)),
        (OPENS_MS - 11, 10, Code.NOT_YET_VALID, (("starts_in_ms", 11),)),
        (OPENS_MS - 10, 10, Code.CLOCK_UNCERTAIN, (("uncertainty_ms", 20),)),
        (OPENS_MS + 9, 10, Code.CLOCK_UNCERTAIN, (("uncertainty_ms", 20),)),
        (OPENS_MS + 10, 10, None, ()),
        (ENDS_MS - 11, 10, None, ()),
        (ENDS_MS - 10, 10, Code.CLOCK_UNCERTAIN, (("uncertainty_ms", 20),)),
        (ENDS_MS + 9, 10, Code.CLOCK_UNCERTAIN, (("uncertainty_ms", 20),)),
        (ENDS_MS + 10, 10, Code.BOOKING_OVER, (("over_for_ms", 10),)),
    ],
)
def test_the_whole_interval_lies_between_first_and_last_moment(
    at_ms: int, uncertainty_ms: int, expected: Code | None, numbers: tuple[tuple[str, int], ...]
) -> None:
    no = hours.outside_window(reading(at_ms, uncertainty_ms), GUEST_KEY, NOW)
    assert code(no) is expected
    assert no is None or no.numbers == numbers


@pytest.mark.req("KEY-2", "SEC-2")
def test_a_key_that_was_signed_in_a_time_to_come_is_not_good_before() -> None:
    ahead = replace(GUEST_KEY, issued_s=GUEST_KEY.not_before_s + 60)
    no = hours.outside_window(reading(OPENS_MS + 10_000), ahead, NOW)
    assert no is not None
    assert (no.code, no.numbers) == (Code.NOT_YET_VALID, (("starts_in_ms", 50_000),))
    assert hours.outside_window(reading(OPENS_MS + 60_000), ahead, NOW) is None
    assert hours.outside_window(reading(OPENS_MS + 59_990, 10), ahead, NOW) is None, "a phone may be a little fast"
    assert hours.from_the_future(reading(OPENS_MS + 59_999), ahead, NOW)
    assert not hours.from_the_future(reading(OPENS_MS + 59_990, 10), ahead, NOW)
    assert not hours.from_the_future(FLOOR_ONLY, ahead, NOW)
    year = replace(ahead, issued_s=FLOOR_MS // 1000 + 366 * 86_400 + 1)
    assert hours.from_the_future(FLOOR_ONLY, year, NOW)


@pytest.mark.req("KEY-2", "ACC-8")
def test_who_may_mend_it_is_named() -> None:
    over = reading(OWNER_KEY.expires_s * 1000)
    shared, standing = (hours.outside_window(over, key, NOW) for key in (GUEST_KEY, OWNER_KEY))
    assert shared is not None
    assert standing is not None
    assert (shared.rule, shared.remedy) == ("KEY-2", "Ask the main user for a new key.")
    assert (standing.rule, standing.remedy) == ("KEY-2", "Let the app fetch the key anew.")


@pytest.mark.req("CLK-2")
def test_without_a_clock_nothing_is_certain_but_the_end() -> None:
    assert code(hours.outside_window(FLOOR_ONLY, GUEST_KEY, NOW)) is Code.CLOCK_UNCERTAIN
    assert code(hours.outside_window(Clock(ENDS_MS, NOW), GUEST_KEY, NOW)) is Code.BOOKING_OVER
    assert code(hours.outside_hours(FLOOR_ONLY, AT_NIGHT, NOW)) is Code.CLOCK_UNCERTAIN
    assert hours.outside_hours(FLOOR_ONLY, GUEST_KEY, NOW) is None


@pytest.mark.req("KEY-2")
@pytest.mark.parametrize(
    ("key", "minute", "uncertainty_ms", "expected"),
    [
        (BY_DAY, 480, 0, None),
        (BY_DAY, 480, 1, Code.CLOCK_UNCERTAIN),
        (BY_DAY, 479, 59_999, Code.OUTSIDE_HOURS),
        (BY_DAY, 479, 60_000, Code.CLOCK_UNCERTAIN),
        (BY_DAY, 1079, 59_999, None),
        (BY_DAY, 1079, 60_000, Code.CLOCK_UNCERTAIN),
        (BY_DAY, 1080, 0, Code.OUTSIDE_HOURS),
        (BY_DAY, 1080, 1, Code.CLOCK_UNCERTAIN),
        (AT_NIGHT, 1319, 0, Code.OUTSIDE_HOURS),
        (AT_NIGHT, 1320, 0, None),
        (AT_NIGHT, 0, 0, None),
        (AT_NIGHT, 359, 0, None),
        (AT_NIGHT, 360, 0, Code.OUTSIDE_HOURS),
        (BY_DAY, 780, 43_200_000, Code.CLOCK_UNCERTAIN),
        (replace(GUEST_KEY, hours=Hours(480, 480)), 480, 0, Code.OUTSIDE_HOURS),
    ],
)
def test_the_whole_interval_lies_in_one_of_its_hours(
    key: Key, minute: int, uncertainty_ms: int, expected: Code | None
) -> None:
    assert code(hours.outside_hours(reading(MIDNIGHT_MS + minute * 60_000, uncertainty_ms), key, NOW)) is expected


@pytest.mark.req("KEY-2")
def test_how_long_it_takes_until_the_hours_begin_is_told() -> None:
    for minute, opens_in_min in ((0, 480), (1080, 840), (1439, 481)):
        no = hours.outside_hours(reading(MIDNIGHT_MS + minute * 60_000), BY_DAY, NOW)
        assert no is not None
        assert no.numbers == (("opens_in_ms", opens_in_min * 60_000),)


@pytest.mark.req("ACC-10", "KEY-2")
def test_a_key_ends_with_its_hours_or_with_its_last_moment() -> None:
    noon = reading(MIDNIGHT_MS + 720 * 60_000)
    assert hours.ends_at_ms(noon, GUEST_KEY, NOW) == ENDS_MS
    assert hours.ends_at_ms(noon, BY_DAY, NOW) == MIDNIGHT_MS + 1080 * 60_000
    assert hours.ends_at_ms(reading(MIDNIGHT_MS + 1400 * 60_000), AT_NIGHT, NOW) == MIDNIGHT_MS + DAY + 360 * 60_000
    last = replace(BY_DAY, expires_s=(MIDNIGHT_MS + 800 * 60_000) // 1000)
    assert hours.ends_at_ms(noon, last, NOW) == last.expires_s * 1000


@pytest.mark.req("KEY-2", "ACC-10")
def test_time_alone_changes_a_key_when_either_end_of_the_interval_reaches_an_edge() -> None:
    def next_in(clock: Clock, key: Key) -> int | None:
        at = hours.changes_at_ms(clock, key, NOW)
        return None if at is None else at - NOW

    assert next_in(reading(OPENS_MS - 1_000, 10), GUEST_KEY) == 990
    assert next_in(reading(OPENS_MS, 10), GUEST_KEY) == 10
    assert next_in(reading(ENDS_MS - 1_000, 10), GUEST_KEY) == 990
    assert next_in(reading(ENDS_MS, 10), GUEST_KEY) == 10
    assert next_in(reading(ENDS_MS + 10, 10), GUEST_KEY) is None
    assert next_in(Clock(ENDS_MS - 7, NOW), GUEST_KEY) == 7
    minute = 60_000
    assert next_in(reading(MIDNIGHT_MS + 470 * minute), replace(BY_DAY, not_before_s=0)) == 10 * minute
    assert next_in(reading(MIDNIGHT_MS + 480 * minute), replace(BY_DAY, not_before_s=0)) == 600 * minute
    assert next_in(reading(MIDNIGHT_MS + 1400 * minute), replace(AT_NIGHT, not_before_s=0)) == 400 * minute
    assert next_in(reading(ENDS_MS), BY_DAY) is None
