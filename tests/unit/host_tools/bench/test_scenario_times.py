"""Times of a scenario: how they are written, and what is none."""

import pytest

from host_tools.bench.scenario_times import clock_text, seconds, window


@pytest.mark.parametrize(
    ("text", "wanted"),
    [("10:00", 36_000), ("00:00:01", 1), ("D1 10:00", 36_000), ("D2 00:00", 86_400), ("D3 23:59:59", 259_199)],
)
def test_times_are_seconds_after_the_first_midnight(text: str, wanted: int) -> None:
    assert seconds(text) == wanted
    assert seconds(clock_text(wanted)) == wanted


@pytest.mark.parametrize("text", ["", "10", "24:00", "10:60", "10:00:60", "D0 10:00", "D367 10:00", "ten", "10:0"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no time"):
        seconds(text)


def test_a_window_ends_after_it_begins() -> None:
    assert window("10:00 - 12:00") == (36_000, 43_200)
    assert window("23:00 - D2 01:00") == (82_800, 90_000)
    for wrong, why in (("10:00-12:00", "is no window"), ("12:00 - 10:00", "ends before"), ("x - 10:00", "is no time")):
        with pytest.raises(ValueError, match=why):
            window(wrong)
