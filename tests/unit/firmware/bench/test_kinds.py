"""What may stand for a duration, a time, a number, a word."""

import pytest

from firmware.bench import kinds


@pytest.mark.parametrize(
    ("word", "seconds"), [("30s", 30), ("5m", 300), ("2h", 7200), ("1.5h", 5400), ("1h30m", 5400), ("250ms", 0.25)]
)
def test_durations_have_units(word: str, seconds: float) -> None:
    assert kinds.duration_s(word) == seconds


@pytest.mark.parametrize("word", ["", "30", "s", "-5s", "1e9h", "5 m", "367d", "999999999d", "1hm", "٣s"])
def test_anything_else_is_no_duration(word: str) -> None:
    with pytest.raises(ValueError, match="it is"):
        kinds.duration_s(word)


def test_an_offset_has_a_sign_or_is_lost() -> None:
    assert [kinds.offset_s(word) for word in ("lost", "+1h", "-5m")] == [None, 3600, -300]
    with pytest.raises(ValueError, match="offset"):
        kinds.offset_s("1h")


def test_a_time_is_iso_8601_and_utc_without_an_offset() -> None:
    assert kinds.instant_ms("2026-10-30T10:00:00") == 1_793_354_400_000
    assert kinds.instant_ms("2026-10-30T12:00:00+02:00") == 1_793_354_400_000
    for wrong in ("noon", "1999-01-01", "9999-12-31T23:59:59-12:00"):
        with pytest.raises(ValueError, match="it"):
            kinds.instant_ms(wrong)


def test_numbers_have_bounds() -> None:
    assert kinds.number(0, 10)("2.5") == 2.5
    assert kinds.whole(0, 10)("7") == 7
    for wrong in ("x", "nan", "11", "-1", "inf"):
        with pytest.raises(ValueError, match="it is"):
            kinds.number(0, 10)(wrong)
        with pytest.raises(ValueError, match="it is"):
            kinds.whole(0, 10)(wrong)


def test_one_of_these_words_or_any() -> None:
    assert kinds.one_of("on|off", "on", "off").read("on") == "on"
    with pytest.raises(ValueError, match="none of on, off"):
        kinds.one_of("on|off", "on", "off").read("of")
    assert kinds.text("NAME").read("anything") == "anything"
