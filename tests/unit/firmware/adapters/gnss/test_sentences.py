"""A receiver at work: each fix once, with the satellites' time, and as soon as it is complete."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware.adapters.gnss.sentences import Sentences
from firmware.core.events import Fix
from tests.support.sentences import gga, rmc, sentence, zda

pytestmark = pytest.mark.req("HW-1", "TEL-7")

NOON_MS = 1_767_268_800_000
"""2026-01-01 12:00:00 UTC."""
LATITUDE_E7, LONGITUDE_E7 = 481_173_000, 115_166_667


class Receiver:
    """Sentences that come at times of the module's clock."""

    def __init__(self) -> None:
        self.now_ms = 0
        self.sentences = Sentences(lambda: self.now_ms)

    def says(self, *lines: bytes, at_ms: int) -> list[Fix]:
        self.now_ms = at_ms
        return [fix for line in lines for fix in self.sentences.feed(line)]


def fix(utc_ms: int, taken_at_ms: int) -> Fix:
    return Fix(LATITUDE_E7, LONGITUDE_E7, utc_ms, taken_at_ms)


def test_a_fix_has_its_place_the_satellites_time_and_when_it_came() -> None:
    receiver = Receiver()
    assert receiver.says(rmc("120000.00"), gga("120000.00"), at_ms=100) == []
    assert receiver.says(rmc("120001.25"), at_ms=1_100) == [fix(NOON_MS, 100)]
    assert receiver.says(gga("120001.25"), at_ms=1_300) == [fix(NOON_MS + 1_250, 1_100)]


def test_once_its_habits_are_known_nobody_waits_for_the_next_moment() -> None:
    receiver = Receiver()
    receiver.says(gga("120000.00"), rmc("120000.00"), gga("120001.00"), at_ms=0)
    assert receiver.says(rmc("120001.00"), at_ms=1_000) == [fix(NOON_MS + 1_000, 0)]
    alone = Receiver()
    alone.says(rmc("120000.00"), at_ms=0)
    assert alone.says(rmc("120001.00"), at_ms=1_000) == [fix(NOON_MS, 0), fix(NOON_MS + 1_000, 1_000)]
    assert alone.says(rmc("120002.00"), at_ms=2_000) == [fix(NOON_MS + 2_000, 2_000)]


def test_a_sentence_that_is_missing_once_is_waited_for_until_the_next_moment() -> None:
    receiver = Receiver()
    receiver.says(rmc("120000.00"), gga("120000.00"), rmc("120001.00"), gga("120001.00"), at_ms=0)
    assert receiver.says(rmc("120002.00"), at_ms=2_000) == []
    assert receiver.says(rmc("120003.00"), at_ms=3_000) == [fix(NOON_MS + 2_000, 2_000), fix(NOON_MS + 3_000, 3_000)]


def test_what_one_sentence_denies_is_no_fix() -> None:
    receiver = Receiver()
    lines = [rmc("120000.00"), gga("120000.00"), rmc("120001.00"), gga("120001.00", quality="0"), rmc("120002.00")]
    assert [each.utc_ms for each in receiver.says(*lines, gga("120002.00"), at_ms=0)] == [NOON_MS, NOON_MS + 2_000]
    assert receiver.says(rmc("120003.00", status="V"), gga("120003.00", quality="0"), at_ms=3_000) == []


def test_a_fix_whose_time_stands_still_is_no_new_one() -> None:
    receiver = Receiver()
    frozen = [rmc("120000.00"), gga("120000.00")]
    assert receiver.says(*frozen, *frozen, rmc("120001.00"), at_ms=0) == [fix(NOON_MS, 0)]
    assert receiver.says(*frozen, at_ms=1_000) == [fix(NOON_MS + 1_000, 0), fix(NOON_MS, 1_000)]
    assert receiver.says(*frozen, *frozen, at_ms=2_000) == []


def test_without_a_day_there_is_no_fix() -> None:
    receiver = Receiver()
    assert receiver.says(gga("120000.00"), gga("120001.00"), at_ms=0) == []
    assert receiver.says(zda("120001.00"), gga("120002.00"), at_ms=2_000) == [fix(NOON_MS + 2_000, 2_000)]
    hour_ms = 3_600_000
    assert receiver.says(gga("130001.00"), at_ms=hour_ms + 2_000) == [fix(NOON_MS + hour_ms + 1_000, hour_ms + 2_000)]
    assert receiver.says(gga("130002.00"), at_ms=hour_ms + 2_001) == []


@pytest.mark.parametrize(
    ("dated", "time", "utc_ms"),
    [
        (zda("235959.00", "31,12,2025"), "000001.00", NOON_MS - 12 * 3_600_000 + 1_000),
        (zda("000001.00", "01,01,2026"), "235959.00", NOON_MS - 12 * 3_600_000 - 1_000),
        (zda("000000.00", "01,01,2026"), "120000.00", NOON_MS),
        (zda("235959.00", "31,12,2025"), "120000.00", NOON_MS - 24 * 3_600_000),
    ],
)
def test_a_time_past_midnight_is_of_the_nearest_day(dated: bytes, time: str, utc_ms: int) -> None:
    receiver = Receiver()
    receiver.says(gga("100000.00"), gga("100001.00"), at_ms=0)
    assert [each.utc_ms for each in receiver.says(dated, gga(time), at_ms=1_000)] == [utc_ms]


@pytest.mark.parametrize("date", ["01,01,1979", "01,01,2106", "01,01,9999", "01,01,0001"])
def test_a_year_that_can_not_be_is_none(date: str) -> None:
    assert Receiver().says(gga("100000.00"), zda("120001.00", date), gga("120001.00"), at_ms=0) == []


def test_a_moment_without_a_time_is_no_fix() -> None:
    assert Receiver().says(rmc(), rmc(""), rmc(""), at_ms=0) == [fix(NOON_MS, 0)]


def test_sentences_may_come_in_any_pieces_and_after_any_noise() -> None:
    receiver = Receiver()
    data = b"\xff\xfe$GPRM" + b"x" * 600 + b"\n" + rmc("120000.00") + sentence("GPGSV,1,1,00") + rmc("120001.00")
    fixes = [fix for at in range(len(data)) for fix in receiver.sentences.feed(data[at : at + 1])]
    assert [each.utc_ms for each in fixes] == [NOON_MS, NOON_MS + 1_000]


@given(st.lists(st.binary(max_size=80)))
def test_garbage_never_becomes_a_fix(pieces: list[bytes]) -> None:
    sentences = Sentences(lambda: 0)
    assert [fix for piece in pieces for fix in sentences.feed(piece)] == []


FIELD = st.text(st.characters(codec="ascii", exclude_characters="$*\r\n,"), max_size=12)


@given(st.lists(st.tuples(st.sampled_from(["GPRMC", "GPGGA", "GPZDA"]), st.lists(FIELD, max_size=14)), max_size=6))
def test_garbage_with_right_checksums_raises_nothing(said: list[tuple[str, list[str]]]) -> None:
    sentences = Sentences(lambda: 0)
    for kind, fields in said:
        for each in sentences.feed(sentence(",".join((kind, *fields)))):
            assert abs(each.latitude_e7) <= 900_000_000


@given(st.lists(st.sampled_from(["rmc", "gga"]), min_size=1, max_size=8), st.integers(0, 60), st.integers(1, 255))
def test_a_damaged_sentence_never_becomes_another_fix(kinds: list[str], at: int, flip: int) -> None:
    times = [f"1200{second:02d}.00" for second in range(len(kinds))]
    data = bytearray(b"".join(rmc(at) if kind == "rmc" else gga(at) for at, kind in zip(times, kinds, strict=True)))
    data[at % len(data)] ^= flip
    for each in Sentences(lambda: 0).feed(bytes(data)):
        assert (each.latitude_e7, each.longitude_e7) == (LATITUDE_E7, LONGITUDE_E7)
        assert NOON_MS <= each.utc_ms < NOON_MS + 8_000
