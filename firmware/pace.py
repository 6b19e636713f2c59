"""An asyncio event loop whose time can be frozen, raced and moved, while real input and output go on.

Decides how time passes for asyncio code: `time()` follows the computer's clock at a rate; it jumps from timer to timer
while it is moved. No timer fires early, none is lost, and none is late when time is faster than outside: time waits
for whoever has something to do. Refuses to know what runs on it.

Work in threads and whatever is inside `held()` takes no time while time is moved or raced, for at most PATIENCE_S:
a disk that is fast enough outside is fast enough here. Everything that other programs do takes real time.
"""

from __future__ import annotations

import asyncio
import math
import selectors
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from typing import Final, TypeVar, TypeVarTuple

T = TypeVar("T")
Args = TypeVarTuple("Args")
Ready = list[tuple[selectors.SelectorKey, int]]

PATIENCE_S: Final = 5.0
"""So long, in real time, moved or raced time stands still for work in threads and what is held."""
MOST_RATE: Final = 1_000_000.0
MOST_SERVED: Final = 64
"""So often in a row input and output go before the next timer while time is moved: a flood must not stop it."""
MOST_TURNS: Final = 10_000
"""So many turns of the loop without a rest take no moved or raced time: somebody who never rests must not stop it."""
_RESOLUTION_S: Final = 1e-9
_SHORTEST_WAIT_S: Final = 0.001
_LONGEST_WAIT_S: Final = 3600.0
# Unlike CLOCK_MONOTONIC it counts on while the computer sleeps: a deadline may not stand still meanwhile.
_BOOTTIME: Final = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def _outside_s() -> float:
    """The computer's clock."""
    return time.clock_gettime(_BOOTTIME)


class PacedLoop(asyncio.SelectorEventLoop):
    """A selector event loop that starts at time 0, at the rate 1. Its methods are for its own thread."""

    _scheduled: list[asyncio.TimerHandle]
    _clock_resolution: float

    def __init__(self) -> None:
        self._rate = 1.0
        self._now = 0.0
        self._seen_s = _outside_s()
        self._moving = asyncio.Lock()
        self._target: asyncio.TimerHandle | None = None
        self._waits: dict[int, float] = {}
        """What takes no time, in the order in which it began, with the computer's time at which it did."""
        self._waits_begun = 0
        self._passing = 0
        self._served = self._turns = 0
        super().__init__(_PacedSelector(self._select))
        self._clock_resolution = _RESOLUTION_S

    # ------------------------------------------------------------ time
    @property
    def rate(self) -> float:
        """Seconds in a real second: 0 while frozen."""
        return self._rate

    def time(self) -> float:
        """Seconds since the loop was made, as they have passed here."""
        if self._target is None and self._pace() == 1.0:
            self._flow()
        return self._now

    def freeze(self) -> None:
        """No time passes. Timers that are not due wait; input and output go on."""
        self._set_rate(0.0)

    def go(self) -> None:
        """Time passes as outside."""
        self._set_rate(1.0)

    def race(self, factor: float) -> None:
        """Time passes `factor` times as fast, or as fast as this computer can. More than 0, at most MOST_RATE."""
        if not 0 < factor <= MOST_RATE:
            raise ValueError(f"time can be raced by more than 0 and at most {MOST_RATE:g}")
        self._set_rate(factor)

    async def move(self, seconds: float) -> None:
        """Let that much time pass at once: every timer in between fires, in order and at its own time. One move at a
        time; the next waits. When it is cancelled, time stays where it has come to."""
        async with self._moving:
            arrived = self.create_future()
            at = self.time() + max(0.0, seconds)
            self._flow()

            def arrive() -> None:
                self._end_move()
                if not arrived.done():
                    arrived.set_result(None)

            self._target = self.call_at(at, arrive)
            try:
                await arrived
            finally:
                self._end_move()

    def _end_move(self) -> None:
        if self._target is not None:
            self._target.cancel()
            self._target = None
            self._seen_s = _outside_s()

    @contextmanager
    def held(self) -> Iterator[None]:
        """What happens inside is not to take time while it is moved or raced: another program is asked something."""
        number = self._begin_wait()
        try:
            yield
        finally:
            self._end_wait(number)

    @contextmanager
    def passing(self) -> Iterator[None]:
        """Time passes inside, at least as outside, even while it is frozen: something has to come to its end."""
        self._flow()
        self._passing += 1
        try:
            yield
        finally:
            self._flow()
            self._passing -= 1

    def run_in_executor(self, executor: Executor | None, func: Callable[[*Args], T], *args: *Args) -> asyncio.Future[T]:
        """As the base class; takes no moved or raced time, within PATIENCE_S."""
        future = super().run_in_executor(executor, func, *args)
        number = self._begin_wait()
        future.add_done_callback(lambda _: self._end_wait(number))
        return future

    # ------------------------------------------------------------ inside
    def _set_rate(self, rate: float) -> None:
        self._flow()
        self._rate = rate
        self._seen_s = _outside_s()

    def _begin_wait(self) -> int:
        self._flow()
        self._waits_begun += 1
        self._waits[self._waits_begun] = _outside_s()
        return self._waits_begun

    def _end_wait(self, number: int) -> None:
        self._flow()
        del self._waits[number]

    def _wanted(self) -> float:
        """The rate at which time would pass if nobody was to be waited for: infinite between the timers of a move."""
        return math.inf if self._target is not None else max(self._rate, 1.0 if self._passing else 0.0)

    def _patience_s(self) -> float:
        """How much longer time stands still for what takes none; 0 when there is nothing, or all of it takes too long.
        What never ends takes no patience from what has just begun."""
        if not self._waits:
            return 0.0
        return max(0.0, next(reversed(self._waits.values())) + PATIENCE_S - _outside_s())

    def _pace(self) -> float:
        """The rate at which time passes at this moment."""
        wanted = self._wanted()
        return 0.0 if wanted > 1.0 and self._patience_s() > 0 else wanted

    def _flow(self, *, rests: bool = False) -> None:
        """What has passed outside since the last look passes here. Faster than outside time passes only while the loop
        `rests`, and not beyond a timer that is still to fire."""
        pace = self._pace()
        if 1.0 < pace < math.inf and not rests:
            return
        seen_s = _outside_s()
        passed_s, self._seen_s = seen_s - self._seen_s, seen_s
        if not 0.0 < pace < math.inf:
            return
        now = self._now + passed_s * pace
        if pace > 1.0 and self._scheduled:
            now = min(now, self._scheduled[0].when())
        self._jump(now)

    def _jump(self, to: float) -> None:
        self._now = max(self._now, to)
        # asyncio fires what is due before time() + resolution, so the resolution may not vanish in rounding.
        self._clock_resolution = max(_RESOLUTION_S, math.ulp(self._now))

    def _select(self, timeout: float | None, wait: Callable[[float | None], Ready]) -> Ready:
        pace = self._pace()
        ready = wait(0)
        if timeout == 0:
            self._turn(pace)
            return ready
        self._turns = 0
        if ready and (pace <= 1.0 or self._served < MOST_SERVED):
            self._served += 1
            return ready
        self._served = 0
        if pace == math.inf:
            # The timer's own instant, not now + timeout: the sum could round to just before it.
            self._jump(self._scheduled[0].when())
        elif pace == 0.0:
            ready = wait(self._patience_s() if self._wanted() else None)
        elif timeout is None:
            ready = wait(None)
        else:
            ready = self._wait(self._scheduled[0].when(), pace, wait)
        self._flow(rests=True)
        return ready

    def _turn(self, pace: float) -> None:
        """The loop has something to do. That takes no time when time is fast, unless it never ends."""
        if pace <= 1.0:
            return
        self._turns += 1
        if self._turns >= MOST_TURNS:
            self._turns = 0
            self._flow(rests=True)
            if pace == math.inf and self._scheduled:
                self._jump(self._scheduled[0].when())

    def _wait(self, next_s: float, pace: float, wait: Callable[[float | None], Ready]) -> Ready:
        """Wait for the next timer, as long as that takes outside, or for input and output."""
        outside_s = max(0.0, next_s - self._now) / pace
        until_s = self._seen_s + outside_s
        # A selector waits in whole milliseconds: what is less is not waited for, but looked at again.
        ready = wait(0 if pace > 1.0 and outside_s < _SHORTEST_WAIT_S else min(outside_s, _LONGEST_WAIT_S))
        if pace > 1.0 and _outside_s() >= until_s:
            self._jump(next_s)
        return ready


class _PacedSelector(selectors.DefaultSelector):
    """Leaves the waiting to the loop."""

    def __init__(self, paced: Callable[[float | None, Callable[[float | None], Ready]], Ready]) -> None:
        super().__init__()
        self._paced = paced

    def select(self, timeout: float | None = None) -> Ready:
        return self._paced(timeout, super().select)
