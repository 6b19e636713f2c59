"""Virtual time: it passes when it is moved, and only then."""

import pytest

from firmware.adapters.clocks import LoopClock
from firmware.bench.results import DeskCode, DeskError
from firmware.bench.virtual import VirtualTime


@pytest.mark.req("BEN-1")
async def test_time_passes_when_it_is_moved_and_utc_is_what_it_was_set_to() -> None:
    time = VirtualTime(LoopClock(1_000_000))
    before = time.monotonic_ms()
    await time.move(30)
    assert time.monotonic_ms() - before == 30_000
    time.set_utc(5_000_000)
    assert time.utc_ms() == 5_000_000
    assert time.monotonic_ms() - before == 30_000
    await time.move(1)
    assert time.utc_ms() == 5_001_000


async def test_it_is_always_frozen_and_can_not_race() -> None:
    time = VirtualTime(LoopClock(0))
    time.freeze()
    assert time.rate == 0
    for refused in (time.go, lambda: time.race(10)):
        with pytest.raises(DeskError) as caught:
            refused()
        assert caught.value.code is DeskCode.NOT_HERE
