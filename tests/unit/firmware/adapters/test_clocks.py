"""The clocks give readings in the right unit and say where they come from."""

import asyncio
import time

import pytest

from firmware.adapters.clocks import LoopClock, SystemClock
from firmware.core.events import TimeOffered, TimeSource


@pytest.mark.req("CLK-3")
def test_the_monotonic_reading_is_in_milliseconds_and_never_goes_back() -> None:
    clock = SystemClock()
    first = clock.monotonic_ms()
    started = time.monotonic_ns()
    while time.monotonic_ns() - started < 5_000_000:
        assert clock.monotonic_ms() >= first
    passed_ms = clock.monotonic_ms() - first
    assert 4 <= passed_ms < 5_000


def test_the_real_time_clock_is_offered_as_what_it_is() -> None:
    before_ms = time.time_ns() // 1_000_000
    offer = SystemClock().rtc()
    assert offer.source is TimeSource.RTC
    assert before_ms <= offer.utc_ms <= time.time_ns() // 1_000_000


async def test_the_loop_clock_follows_virtual_time() -> None:
    clock = LoopClock(rtc_at_zero_ms=1_800_000_000_000)
    assert (clock.monotonic_ms(), clock.rtc()) == (0, TimeOffered(TimeSource.RTC, 1_800_000_000_000))
    await asyncio.sleep(1800.001)
    assert clock.monotonic_ms() == 1_800_001
    assert clock.rtc().utc_ms == 1_800_001_800_001
