"""What people type."""

import pytest

from host_tools.cli.exits import CliError, Exit
from host_tools.cli.parsing import (
    parse_date,
    parse_duration,
    parse_hex,
    parse_hours,
    parse_instant,
    parse_position,
    parse_pseudonym,
)
from protocol.sharing import Hours

NOW_S = 1_780_000_000


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("45m", 2700), ("2h30m", 9000), ("3w", 1_814_400), ("1d1h", 90_000)]
)
def test_durations(text: str, seconds: int) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "2", "h", "-2h", "2h 30m", "1.5h", "2m1h", "99999999999h"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(CliError, match="is no duration") as caught:
        parse_duration(text)
    assert caught.value.exit_code is Exit.USAGE


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("now", NOW_S),
        ("+1h", NOW_S + 3600),
        ("-10m", NOW_S - 600),
        ("1780000001", NOW_S + 1),
        ("2026-05-28T20:26:40Z", NOW_S),
        ("2026-05-28T20:26:40", NOW_S),
        ("2026-05-28T22:26:40+02:00", NOW_S),
        ("2026-05-28", NOW_S - 73_600),
    ],
)
@pytest.mark.req("BKG-6")
def test_instants_are_utc_unless_they_say_otherwise(text: str, seconds: int) -> None:
    assert parse_instant(text, NOW_S) == seconds


@pytest.mark.parametrize("text", ["", "soon", "+", "25:00", "2026-13-01"])
def test_what_is_no_instant(text: str) -> None:
    with pytest.raises(CliError, match=r"is no (time|duration)"):
        parse_instant(text, NOW_S)


def test_identifiers_have_their_exact_length() -> None:
    assert parse_hex("00ff", 2, "an id") == b"\x00\xff"
    for text in ("00", "00ff00", "zzzz"):
        with pytest.raises(CliError, match="4 hexadecimal digits"):
            parse_hex(text, 2, "an id")


# ---------------------------------------------------------------- people, hours, days, places
def test_a_pseudonym_is_digits_or_made_of_a_name() -> None:
    assert parse_pseudonym("0A" * 8) == b"\x0a" * 8
    assert parse_pseudonym("maria") == parse_pseudonym("maria") != parse_pseudonym("ada")
    assert parse_pseudonym("zz" * 8) == parse_pseudonym("zz" * 8)
    assert len(parse_pseudonym("ada")) == 8
    for text in ("", " ", "0a0b0c0d0e", "0a" * 9, "a\nb"):
        with pytest.raises(CliError, match="is no pseudonym") as caught:
            parse_pseudonym(text)
        assert caught.value.exit_code is Exit.USAGE


@pytest.mark.req("KEY-2")
def test_hours_may_go_over_midnight_and_are_never_none_at_all() -> None:
    assert parse_hours("08:00-18:30") == Hours(480, 1110)
    assert parse_hours("22:00-06:00") == Hours(1320, 360)
    for text in ("8-18", "08:00", "24:00-01:00", "08:60-09:00", "08:00-08:00", ""):
        with pytest.raises(CliError, match="are no hours"):
            parse_hours(text)


def test_a_date_is_a_day_that_there_is() -> None:
    assert parse_date("2020-02-29") == (2020, 2, 29)
    for text in ("2021-02-29", "29.2.2020", ""):
        with pytest.raises(CliError, match="is no date"):
            parse_date(text)


def test_a_position_is_on_earth() -> None:
    assert parse_position(48.1375, -11.5755) == (481_375_000, -115_755_000)
    for latitude, longitude in ((90.1, 0.0), (0.0, -180.1), (float("nan"), 0.0)):
        with pytest.raises(CliError, match="is no position"):
            parse_position(latitude, longitude)
