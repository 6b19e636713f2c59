"""Listeners hear in order, may leave, and disturb nobody."""

import pytest

from firmware.bench.taps import MOST_LISTENERS, Taps


def test_listeners_hear_in_order_until_they_leave() -> None:
    heard: list[tuple[str, int]] = []
    taps: Taps[int] = Taps()
    leave = taps.add(lambda number: heard.append(("first", number)))
    taps.add(lambda number: heard.append(("second", number)))
    taps(1)
    leave()
    leave()
    taps(2)
    assert heard == [("first", 1), ("second", 1), ("second", 2)]


def test_a_listener_that_fails_disturbs_nobody() -> None:
    heard: list[int] = []
    taps: Taps[int] = Taps()

    def fails(_: int) -> None:
        raise RuntimeError("broken")

    taps.add(fails)
    taps.add(heard.append)
    taps(1)
    assert heard == [1]


def test_the_number_of_listeners_is_bounded() -> None:
    taps: Taps[int] = Taps()
    for _ in range(MOST_LISTENERS):
        taps.add(lambda _: None)
    with pytest.raises(ValueError, match="listen already"):
        taps.add(lambda _: None)
