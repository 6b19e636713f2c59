"""The loop whose time can be frozen, raced and moved: no timer early, late or lost, and real input goes on."""

import asyncio
import signal
import socket
import threading
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import TypeVar

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from firmware.pace import MOST_RATE, PacedLoop

T = TypeVar("T")

HOUR = 3600.0


def on_paced_loop(main: Callable[[PacedLoop], Coroutine[None, None, T]]) -> T:
    """Run it, and close the loop."""
    with asyncio.Runner(loop_factory=PacedLoop) as runner:
        loop = runner.get_loop()
        assert isinstance(loop, PacedLoop)
        return runner.run(main(loop))


def real(main: Callable[[PacedLoop], Coroutine[None, None, None]]) -> None:
    """As `on_paced_loop`, for what gives nothing."""
    on_paced_loop(main)


@pytest.mark.req("BEN-1")
def test_moved_time_passes_at_once_and_exactly() -> None:
    async def main(loop: PacedLoop) -> None:
        loop.freeze()
        began, began_outside = loop.time(), time.monotonic()
        await loop.move(1000 * HOUR)
        assert loop.time() == began + 1000 * HOUR
        assert time.monotonic() - began_outside < 30
        assert loop.rate == 0

    real(main)


DELAYS = st.lists(st.floats(0, 100, allow_nan=False) | st.sampled_from([1.0, 2.0, 2.0000000001]), max_size=12)


@given(DELAYS, st.lists(st.floats(0, 60), min_size=1, max_size=4))
@example([1e-9, 0.0, 5.0], [5.0])
@settings(max_examples=60)
def test_every_timer_of_a_move_fires_in_order_at_its_own_time_and_no_other_does(
    delays: list[float], moves: list[float]
) -> None:
    async def main(loop: PacedLoop) -> None:
        loop.freeze()
        began = loop.time()
        fired: list[tuple[float, float]] = []
        for delay in delays:
            loop.call_at(began + delay, lambda at: fired.append((at, loop.time())), began + delay)
        end = began
        for seconds in moves:
            end = loop.time() + seconds
            await loop.move(seconds)
            assert loop.time() == end
            await asyncio.sleep(0)
        due = sorted(began + delay for delay in delays if began + delay <= end)
        slack = 1e-6
        assert [at for at, _ in fired] == due or sorted(at for at, _ in fired if at <= end - slack) == [
            at for at in due if at <= end - slack
        ]
        assert [at for at, _ in fired] == sorted(at for at, _ in fired)
        assert all(at - slack <= now <= at + slack for at, now in fired)

    real(main)


def test_timers_that_a_timer_sets_within_a_move_fire_within_it() -> None:
    async def main(loop: PacedLoop) -> None:
        loop.freeze()
        ticks: list[float] = []

        async def clock() -> None:
            while True:
                await asyncio.sleep(60)
                ticks.append(loop.time())

        ticking = asyncio.create_task(clock())
        await asyncio.sleep(0)
        began = loop.time()
        await loop.move(10 * 60 + 30)
        assert [round(at - began) for at in ticks] == [60 * n for n in range(1, 11)]
        ticking.cancel()

    real(main)


@pytest.mark.req("BEN-1")
def test_frozen_means_frozen_while_input_goes_on() -> None:
    async def main(loop: PacedLoop) -> None:
        loop.freeze()
        began, fired = loop.time(), list[float]()
        loop.call_later(0.001, lambda: fired.append(loop.time()))
        ours, theirs = socket.socketpair()
        with ours, theirs:
            ours.setblocking(False)
            for word in (b"one", b"two", b"three"):
                threading.Timer(0.02, theirs.sendall, [word]).start()
                assert await loop.sock_recv(ours, 10) == word
        assert (loop.time(), fired) == (began, [])
        loop.go()
        while not fired:
            await asyncio.sleep(0.001)
        assert loop.time() > began

    real(main)


def test_a_frozen_loop_runs_what_is_due_now() -> None:
    async def main(loop: PacedLoop) -> None:
        loop.freeze()
        fired = asyncio.Event()
        loop.call_later(0, fired.set)
        await fired.wait()
        await asyncio.sleep(0)

    real(main)


def test_at_first_time_goes_as_outside() -> None:
    async def main(loop: PacedLoop) -> None:
        def look() -> tuple[float, float, float]:
            return time.monotonic(), loop.time(), time.monotonic()

        before, began, after = look()
        await asyncio.sleep(0.05)
        earliest, ended, latest = look()
        assert loop.rate == 1
        assert earliest - after - 0.001 <= ended - began <= latest - before + 0.001

    real(main)


@pytest.mark.req("BEN-1")
def test_raced_time_is_fast_and_never_late_for_a_timer() -> None:
    async def main(loop: PacedLoop) -> None:
        began_outside = time.monotonic()
        loop.race(50_000)
        late: list[float] = []
        for _ in range(200):
            at = loop.time() + 10.0
            await asyncio.sleep(10.0)
            late.append(loop.time() - at)
            begun = time.monotonic()
            while time.monotonic() < begun + 0.0005:
                pass  # a loop that has much to do
        assert max(late) < 1e-6
        assert min(late) > -1e-6
        assert time.monotonic() - began_outside < 30

    real(main)


def test_slow_time_is_slow() -> None:
    async def main(loop: PacedLoop) -> None:
        loop.race(0.1)
        began_outside = time.monotonic()
        await asyncio.sleep(0.01)
        assert time.monotonic() - began_outside >= 0.09

    real(main)


@pytest.mark.parametrize("factor", [0, -1, MOST_RATE * 2])
def test_a_race_has_bounds(factor: float) -> None:
    async def main(loop: PacedLoop) -> None:
        with pytest.raises(ValueError, match="raced"):
            loop.race(factor)

    real(main)


def test_work_in_a_thread_takes_no_moved_time() -> None:
    async def main(loop: PacedLoop) -> None:
        loop.freeze()
        began, ended = loop.time(), list[float]()

        async def work() -> None:
            await asyncio.sleep(10)
            async with asyncio.timeout(1):
                await loop.run_in_executor(None, time.sleep, 0.05)
            ended.append(loop.time() - began)

        working = asyncio.create_task(work())
        await loop.move(60)
        await working
        assert ended == [10]

    real(main)


def test_what_is_held_takes_no_raced_time() -> None:
    async def main(loop: PacedLoop) -> None:
        loop.race(1000)
        with loop.held():
            began = loop.time()
            await loop.run_in_executor(None, time.sleep, 0.02)
            assert loop.time() == began
        await asyncio.sleep(10)
        assert loop.time() >= began + 10

    real(main)


def test_work_that_never_ends_does_not_stop_moved_time_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("firmware.pace.PATIENCE_S", 0.05)

    async def main(loop: PacedLoop) -> None:
        loop.freeze()
        with loop.held():
            await loop.move(HOUR)
        assert loop.time() >= HOUR

    real(main)


def test_what_never_ends_takes_no_patience_from_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main(loop: PacedLoop) -> None:
        loop.freeze()
        ended: list[float] = []

        async def work() -> None:
            await asyncio.sleep(60)
            began = loop.time()
            await loop.run_in_executor(None, time.sleep, 0.05)
            ended.append(loop.time() - began)

        with loop.held():
            monkeypatch.setattr("firmware.pace.PATIENCE_S", 0.01)
            await loop.move(1)
            monkeypatch.setattr("firmware.pace.PATIENCE_S", 30)
            loop._waits = dict.fromkeys(loop._waits, -1000.0)
            working = asyncio.create_task(work())
            await loop.move(HOUR)
            await working
        assert ended == [0]

    real(main)


def test_frozen_time_passes_where_something_has_to_come_to_its_end() -> None:
    async def main(loop: PacedLoop) -> None:
        loop.freeze()
        with loop.passing():
            await asyncio.sleep(0.01)
        stands = loop.time()
        await loop.run_in_executor(None, time.sleep, 0.01)
        assert loop.time() == stands

    real(main)


@pytest.mark.parametrize("race", [True, False])
def test_a_flood_of_input_does_not_stop_fast_time(race: bool) -> None:
    async def main(loop: PacedLoop) -> None:
        ours, theirs = socket.socketpair()
        heard = 0

        def read() -> None:
            nonlocal heard
            heard += 1  # and leaves it there: the socket stays readable

        with ours, theirs:
            theirs.sendall(b"x")
            loop.add_reader(ours, read)
            if race:
                loop.race(1000)
                await asyncio.sleep(30)
            else:
                loop.freeze()
                await loop.move(30)
            loop.remove_reader(ours)
        assert heard

    real(main)


@pytest.mark.parametrize("race", [True, False])
def test_somebody_who_never_rests_does_not_stop_time(race: bool) -> None:
    async def main(loop: PacedLoop) -> None:
        done = False

        async def restless() -> None:
            while not done:
                await asyncio.sleep(0)

        spinning = asyncio.create_task(restless())
        if race:
            loop.race(1000)
            await asyncio.sleep(1)
        else:
            loop.freeze()
            await loop.move(1)
        done = True
        await spinning

    real(main)


def test_moves_come_one_after_the_other_and_one_that_is_cancelled_stops_where_it_is() -> None:
    async def main(loop: PacedLoop) -> None:
        loop.freeze()
        began = loop.time()
        await asyncio.gather(loop.move(10), loop.move(20))
        assert loop.time() == began + 30
        long = asyncio.create_task(loop.move(HOUR))
        loop.call_later(60, long.cancel)
        with suppress(asyncio.CancelledError):
            await long
        assert loop.time() == began + 90
        await loop.move(1)
        assert loop.time() == began + 91

    real(main)


def test_a_signal_is_heard_while_time_is_moved() -> None:
    async def main(loop: PacedLoop) -> None:
        loop.freeze()

        async def busy() -> None:
            while True:
                await asyncio.sleep(0.5)

        working = asyncio.create_task(busy())
        moving = asyncio.create_task(loop.move(10_000 * HOUR))
        loop.add_signal_handler(signal.SIGUSR1, moving.cancel)
        threading.Timer(0.05, signal.raise_signal, [signal.SIGUSR1]).start()
        with pytest.raises(asyncio.CancelledError):
            await moving
        working.cancel()
        assert loop.time() < 10_000 * HOUR

    real(main)


@given(st.lists(st.floats(0, 20, allow_nan=False), min_size=1, max_size=8), st.floats(5_000, 1_000_000))
@settings(max_examples=30)
def test_raced_timers_fire_in_order_each_at_its_own_time(delays: list[float], factor: float) -> None:
    async def main(loop: PacedLoop) -> None:
        loop.race(factor)
        began, fired = loop.time(), list[tuple[float, float]]()
        for delay in delays:
            loop.call_at(began + delay, lambda at: fired.append((at, loop.time())), began + delay)
        await asyncio.sleep(21)
        assert [at for at, _ in fired] == sorted(began + delay for delay in delays)
        assert all(abs(now - at) < 1e-6 for at, now in fired)

    real(main)


STEPS = st.sampled_from(["freeze", "go", "race", "move", "rest", "thread", "passing"])


@given(st.lists(STEPS, max_size=20))
@settings(max_examples=40)
def test_however_time_is_handled_it_never_goes_back(steps: list[str]) -> None:
    async def main(loop: PacedLoop) -> None:
        seen = [loop.time()]
        for step in steps:
            match step:
                case "freeze":
                    loop.freeze()
                case "go":
                    loop.go()
                case "race":
                    loop.race(500)
                case "move":
                    before = loop.time()
                    await loop.move(7)
                    assert loop.time() >= before + 7
                case "rest":
                    await asyncio.sleep(0)
                case "thread":
                    await loop.run_in_executor(None, time.monotonic)
                case _:
                    with loop.passing():
                        await asyncio.sleep(0.0001)
            seen.append(loop.time())
            if loop.rate == 0:
                assert loop.time() == seen[-1]
        assert seen == sorted(seen)

    real(main)
