"""Contacts come to rest."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware.adapters.gpio.debounce import Debounce

pytestmark = pytest.mark.req("HW-1")


def said(period_ms: int, *seen: tuple[int, bool]) -> list[bool | None]:
    contact = Debounce(period_ms)
    return [contact.feed(raw, at_ms) for at_ms, raw in seen]


def test_it_says_nothing_before_it_has_rested_once() -> None:
    assert said(30, (1_000, True), (1_029, True), (1_030, True)) == [None, None, True]
    assert said(0, (0, False)) == [False]


def test_a_bounce_changes_nothing_and_a_rest_does() -> None:
    seen = [(0, True), (30, True), (40, False), (50, True), (55, False), (84, False), (85, False), (100, False)]
    assert said(30, *seen) == [None, True, True, True, True, True, False, False]


@pytest.mark.req("CUT-3")
def test_a_contact_that_never_rests_says_nothing() -> None:
    seen = [(0, False), (30, False), *((at, at % 40 == 0) for at in range(40, 1_100, 20))]
    states = said(30, *seen)
    assert states[1] is False
    assert states[-4:] == [False, None, None, None]


@given(st.lists(st.tuples(st.integers(1, 60), st.booleans()), max_size=80))
def test_what_it_says_was_the_same_for_the_whole_period(steps: list[tuple[int, bool]]) -> None:
    contact, now_ms, before = Debounce(50), 0, list[tuple[int, bool]]()
    last: bool | None = None
    for gap_ms, raw in steps:
        now_ms += gap_ms
        before.append((now_ms, raw))
        says = contact.feed(raw, now_ms)
        if says is not last and says is not None:
            since = [at for at, seen in before if seen is not says]
            assert raw is says
            assert not since or now_ms - since[-1] >= 50
        last = says
