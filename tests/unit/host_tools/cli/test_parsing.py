"""What people type."""

import pytest

from host_tools.cli.exits import CliError, Exit
from host_tools.cli.parsing import parse_duration, parse_hex, parse_instant

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
