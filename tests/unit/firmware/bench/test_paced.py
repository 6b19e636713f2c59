"""The bench's time on a loop whose time can be moved, and the time of a module without a bench."""

import asyncio

import pytest

from firmware.adapters.clocks import LoopClock, SystemClock
from firmware.bench.paced import GivenTime, PacedTime
from firmware.bench.results import DeskCode, DeskError
from firmware.pace import PacedLoop


@pytest.mark.req("BEN-1")
def test_it_is_moved_frozen_raced_and_set() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, PacedLoop)
        time = PacedTime(LoopClock(1_000_000), loop)
        time.freeze()
        assert time.rate == 0
        began = time.monotonic_ms()
        await time.move(60)
        assert time.monotonic_ms() - began == 60_000
        assert time.utc_ms() == 1_000_000 + time.monotonic_ms()
        time.set_utc(5_000_000)
        assert time.utc_ms() == 5_000_000
        with time.passing():
            await asyncio.sleep(0.001)
        time.race(100)
        assert time.rate == 100
        with pytest.raises(DeskError) as caught:
            time.race(0)
        assert caught.value.code is DeskCode.USAGE
        time.go()
        assert time.rate == 1

    with asyncio.Runner(loop_factory=PacedLoop) as runner:
        runner.run(main())


async def test_a_module_without_a_bench_lives_in_real_time() -> None:
    clock = SystemClock()
    time = GivenTime(clock)
    assert time.rate == 1
    assert time.monotonic_ms() <= clock.monotonic_ms()
    assert abs(time.utc_ms() - clock.rtc().utc_ms) < 60_000
    time.go()
    with time.passing():
        pass
    with pytest.raises(DeskError) as caught:
        await time.move(1)
    assert caught.value.code is DeskCode.NOT_HERE
    for refused in (time.freeze, lambda: time.race(2), lambda: time.set_utc(0)):
        with pytest.raises(DeskError, match="real time"):
            refused()
