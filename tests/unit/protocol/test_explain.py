"""Refusals and access states in words (ACC-8)."""

import pytest

from protocol import explain
from protocol.errors import Code, Role, refuse
from protocol.explain import (
    announce,
    describe,
    distance,
    duration,
    instant,
    number_in_words,
    permissions_in_words,
    sentence,
)
from protocol.messages import Access, Notice, NoticeKind, Phase


@pytest.mark.req("ACC-8")
def test_a_cutoff_is_explained_with_its_numbers_rule_and_remedy() -> None:
    numbers = (("overdue_ms", 1_864_000), ("parked_ms", 12_000))
    explained = explain.explain(refuse(Code.BOOKING_CUT_OFF, role=Role.OWNER, numbers=numbers))
    assert explained.lines() == (
        "Reason: the booking was cut off: overdue 31 min 04 s, parked for 12 s",
        "Rule:   CUT-2 (BOOKING_CUT_OFF)",
        "Remedy: End the current booking and start a new one.",
    )


@pytest.mark.req("ACC-8")
def test_a_command_that_may_have_succeeded_says_so_first() -> None:
    explained = explain.explain(refuse(Code.VEHICLE_NO_RESPONSE, may_have_succeeded=True))
    assert explained.remedy.startswith("It may have been carried out all the same. Look at the car")


@pytest.mark.req("BKG-3")
def test_everything_that_is_missing_is_named_and_nothing_else() -> None:
    missing = refuse(Code.END_NOT_POSSIBLE, numbers=(("not_parked", 1), ("boot_open", 1), ("doors_open", 0)))
    assert sentence(missing) == "the booking cannot be ended yet: not parked, the boot is open"
    assert sentence(refuse(Code.DOORS_OPEN, numbers=(("doors_open", 0),))) == "a door or the boot is open"


def test_every_code_has_a_reason_in_words_of_its_own() -> None:
    assert set(explain.REASONS) == set(Code)
    assert len(set(explain.REASONS.values())) == len(Code)


def test_an_explanation_without_rule_or_remedy_shows_the_reason_alone() -> None:
    assert explain.Explanation("done", "", "").lines() == ("Reason: done",)
    assert sentence(refuse(Code.BUSY)) == "the module is busy with another command"


@pytest.mark.parametrize(
    ("value_ms", "text"),
    [
        (0, "0 s"),
        (250, "250 ms"),
        (12_999, "12 s"),
        (60_000, "1 min 00 s"),
        (1_799_999, "29 min 59 s"),
        (1_800_000, "30 min 00 s"),
        (3_600_000, "1 h 00 min 00 s"),
        (10_927_000, "3 h 02 min 07 s"),
        (86_400_000 * 21 + 3_600_000, "21 d 01 h 00 min"),
        (-5_000, "-5 s"),
    ],
)
def test_durations_are_rounded_down_to_whole_units(value_ms: int, text: str) -> None:
    assert duration(value_ms) == text


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("overdue_ms", 1_864_000, "overdue 31 min 04 s"),
        ("starts_in_ms", 90_000, "begins in 1 min 30 s"),
        ("order_late_s", 61, "order late 1 min 01 s"),
        ("home_distance_m", 301, "home distance 301 m"),
        ("speed_kmh", 87, "speed 87 km/h"),
        ("fuel_pct", 12, "fuel 12 %"),
        ("began_at_ms", 1_780_000_000_000, "began at 2026-05-28 20:26:40 UTC"),
        ("missing_permissions", 5, "missing permissions unlock, lock"),
        ("newest_generation", 3, "newest generation 3"),
        ("doors", 1, "doors 1"),
        ("not_parked", 1, "not parked"),
        ("boot_open", 0, "not: the boot is open"),
        ("permissions_held", 9, "permissions held unlock, locate"),
    ],
)
def test_the_end_of_a_numbers_name_is_its_unit(name: str, value: int, text: str) -> None:
    assert number_in_words(name, value) == text


@pytest.mark.req("ACC-8", "KEY-2")
def test_the_same_code_says_what_it_was_about() -> None:
    assert explain.sentence(refuse(Code.BOOKING_OVER)) == "the booking is over"
    expired = refuse(Code.BOOKING_OVER, rule="KEY-2", numbers=(("over_for_ms", 60_000),))
    assert explain.sentence(expired) == "the key has expired: over for 1 min 00 s"
    assert explain.sentence(refuse(Code.NOT_YET_VALID, rule="KEY-2")) == "the key is not good yet"
    assert explain.sentence(refuse(Code.OUTSIDE_HOURS, numbers=(("opens_in_ms", 3_600_000),))) == (
        "the key is not good at this hour: good again in 1 h 00 min 00 s"
    )
    paused = refuse(Code.CODE_PAUSED, numbers=(("pause_ms", 30_000),))
    assert explain.sentence(paused).endswith("after wrong ones: again in 30 s")


def test_every_code_has_a_reason_in_words() -> None:
    assert explain.REASONS.keys() == set(Code)


@pytest.mark.req("KEY-5")
def test_the_main_user_hears_of_keys() -> None:
    assert announce(Notice(NoticeKind.KEY_ACCEPTED)) == "A key that you shared was accepted."
    assert announce(Notice(NoticeKind.KEY_ACTIVATED)) == "A key that you shared was activated."


def test_distances_instants_and_permissions_read_well() -> None:
    assert distance(300) == "300 m"
    assert distance(12_345) == "12.3 km"
    assert instant(10**17) == "100000000000000000 ms UTC"
    assert permissions_in_words(0) == "none"
    assert permissions_in_words(15) == "unlock, drive, lock, locate"


@pytest.mark.req("ACC-10", "CUT-1", "CUT-3")
def test_what_a_stranger_says_is_shown_as_it_is_and_on_one_line() -> None:
    numbers = (("{0.__class__}_ms", 5), ("two\nlines", 6), ("a{b_at_ms", 7), ("c}_m", 2**64 - 1))
    refusal = refuse(Code.NOT_PARKED, numbers=numbers, rule="X\x1b[2J", remedy="Do\r\nthis.")
    explained = explain.explain(refusal)
    assert "{0.  class  } 5 ms, two lines 6, a{b at 1970" in explained.reason
    assert all(line.isprintable() for line in explained.lines())


def test_the_access_state_tells_how_much_time_is_left() -> None:
    end = 1_780_000_000_000
    grace = end + 1_800_000
    active = Access(True, Phase.ACTIVE, 7, end, grace, end - 60_000)
    assert describe(active) == (
        "Access granted: unlock, drive, lock",
        "Until 2026-05-28 20:26:40 UTC (1 min 00 s left)",
    )
    overdue = Access(True, Phase.OVERDUE, 7, end, grace, end + 60_000)
    assert describe(overdue)[1] == "Overdue 1 min 00 s: cut-off in 29 min 00 s, once the car is parked"
    pending = Access(True, Phase.CUTOFF_PENDING, 7, end, grace, grace + 1000)
    assert describe(pending)[1] == "Overdue 30 min 01 s: access ends as soon as the car is parked"
    assert describe(Access(True, Phase.NONE, 1)) == ("Access granted: unlock",)


@pytest.mark.req("ACC-10")
def test_denied_access_says_why() -> None:
    assert describe(Access(False, Phase.CUT_OFF)) == ("Access denied (cut off)",)
    lines = describe(Access(False, Phase.NONE, refusal=refuse(Code.BOOKING_OVER)))
    assert lines[:2] == ("Access denied", "Reason: the booking is over")


@pytest.mark.req("CUT-7")
def test_notices_to_the_driver_are_one_line_each() -> None:
    assert announce(Notice(NoticeKind.OVERDUE, 1_800_000)).endswith("30 min 00 s left.")
    assert announce(Notice(NoticeKind.CUTOFF_SOON, 300_000)).startswith("Access ends in 5 min 00 s")
    assert announce(Notice(NoticeKind.CUT_OFF)) == "Access has ended: the booking was cut off."
    assert announce(Notice(NoticeKind.ENDED_BY_ORDER)) == "The booking was ended by the backend."
