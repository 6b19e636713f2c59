"""An asyncio event loop whose clock jumps.

Decides: how time passes for asyncio code. `time()` starts at 0.0 s and moves only when nothing is left to
run at the present instant; then it jumps to the next timer. Hours pass in milliseconds, and the same program
takes the same steps in the same order each time.
Refuses to know: what runs on it. There is no hook into sockets, radios or tests.

    >>> import asyncio
    >>> async def an_hour() -> float:
    ...     await asyncio.sleep(3600)
    ...     return asyncio.get_running_loop().time()
    >>> run(an_hour())
    3600.0
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import selectors
import time
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Executor
from typing import Any, TypeVar, TypeVarTuple

T = TypeVar("T")
Args = TypeVarTuple("Args")
Ready = list[tuple[selectors.SelectorKey, int]]
Wait = Callable[[float | None], Ready]

EXECUTOR_LIMIT_S = 60.0
"""Longest real wait for threads and bytes while virtual time stands still; longer is taken for a deadlock."""

_RESOLUTION_S = 1e-9
_TASKS_NAMED = 5
_MOST_UNASKED = 64


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """A selector event loop on virtual time.

    - With nothing ready, time jumps to the next timer, exactly. No real waiting.
    - File descriptors and signals work: what is ready is served before time moves. Real I/O that is to be
      *awaited* needs `hold()`, or its timeouts fire before the other side has had a chance to answer.
    - Work given to `run_in_executor` takes no virtual time: the clock stands still until it is done.
    - While somebody says that bytes are on their way (`awaiting`), the clock stands still and they are waited for.
    - With nothing scheduled, nothing held and no file descriptor to wait for, nothing can ever happen again:
      `RuntimeError("deadlock: ...")` is raised, naming the tasks that wait.
    """

    _scheduled: list[asyncio.TimerHandle]
    _clock_resolution: float

    def __init__(self) -> None:
        self._now = 0.0
        self._holds = 0
        self._anchor = 0.0
        self._executor_jobs = 0
        self._awaited: list[Callable[[], bool]] = []
        self._idle_selector = _IdleSelector(self._idle)
        super().__init__(self._idle_selector)
        self._idle_selector.own_fds = len(self._idle_selector.get_map())
        self._clock_resolution = _RESOLUTION_S

    def time(self) -> float:
        """Virtual seconds since the loop was made."""
        return time.monotonic() - self._anchor if self._holds else self._now

    @contextlib.contextmanager
    def hold(self) -> Iterator[None]:
        """While held, time passes as on a wall clock and real I/O is awaited.

        Re-entrant; to be called in the loop's own thread.
        """
        if not self._holds:
            self._anchor = time.monotonic() - self._now
        self._holds += 1
        try:
            yield
        finally:
            if self._holds == 1:
                self._jump(time.monotonic() - self._anchor)
            self._holds -= 1

    @contextlib.contextmanager
    def awaiting(self, on_their_way: Callable[[], bool]) -> Iterator[None]:
        """Inside, real I/O is waited for and time stands still whenever `on_their_way()` says so.

        For whoever can count what has left one end of a wire and not yet come to the other: nothing else tells how
        long a kernel or a thread takes. At most EXECUTOR_LIMIT_S at a time.
        """
        self._awaited.append(on_their_way)
        try:
            yield
        finally:
            self._awaited.remove(on_their_way)

    def run_in_executor(self, executor: Executor | None, func: Callable[[*Args], T], *args: *Args) -> asyncio.Future[T]:
        """As the base class; virtual time stands still until the work is done (at most EXECUTOR_LIMIT_S)."""
        future = super().run_in_executor(executor, func, *args)
        self._executor_jobs += 1
        future.add_done_callback(self._executor_job_done)
        return future

    async def shutdown_default_executor(self, *args: Any, **kwargs: Any) -> None:
        """As the base class; its threads are joined in real time."""
        with self.hold():
            await super().shutdown_default_executor(*args, **kwargs)

    def _executor_job_done(self, _: asyncio.Future[Any]) -> None:
        self._executor_jobs -= 1

    def _jump(self, to: float) -> None:
        self._now = max(self._now, to)
        # asyncio fires what is due before time() + resolution, so the resolution may not vanish in rounding.
        self._clock_resolution = max(_RESOLUTION_S, math.ulp(self._now))

    def _idle(self, timeout: float | None, wait: Wait) -> Ready:
        """Nothing is ready at this instant; the next timer is due in `timeout` s (None: there is none)."""
        if self._holds:
            return wait(timeout)
        if self._executor_jobs or any(on_their_way() for on_their_way in self._awaited):
            what = "work in a thread" if self._executor_jobs else "what is on its way"
            ready = wait(EXECUTOR_LIMIT_S)
            if not ready:
                raise RuntimeError(
                    f"deadlock: {what} took more than {EXECUTOR_LIMIT_S:.0f} s "
                    "while virtual time stood still; hold() lets time pass"
                )
            return ready
        if timeout is not None:
            # The timer's own instant, not now + timeout: the sum could round to just before it.
            self._jump(self._scheduled[0].when())
            return []
        if self._idle_selector.has_foreign_fds:
            return wait(None)
        raise RuntimeError(f"deadlock: nothing is scheduled and nothing is held; waiting: {self._waiting()}")

    def _waiting(self) -> str:
        names = sorted(f"{task.get_name()} ({task.get_coro()})" for task in asyncio.all_tasks(self))
        more = f" and {len(names) - _TASKS_NAMED} more" if len(names) > _TASKS_NAMED else ""
        return (", ".join(names[:_TASKS_NAMED]) or "no task") + more


class _IdleSelector(selectors.DefaultSelector):
    """Serves what is ready at once; asks `idle` before it would wait.

    To ask the kernel costs more than many a callback. While there is something to run, and no file descriptor but the
    loop's own (`own_fds`: what threads and signals wake it by), it is asked now and then.
    """

    own_fds = 0

    def __init__(self, idle: Callable[[float | None, Wait], Ready]) -> None:
        super().__init__()
        self._idle = idle
        self._unasked = 0

    @property
    def has_foreign_fds(self) -> bool:
        """Whether there is anything to wait for but the loop's own wake-up calls."""
        return len(self.get_map()) > self.own_fds

    def select(self, timeout: float | None = None) -> Ready:
        if timeout == 0 and self._unasked < _MOST_UNASKED and not self.has_foreign_fds:
            self._unasked += 1
            return []
        self._unasked = 0
        ready = super().select(0)
        if ready or timeout == 0:
            return ready
        return self._idle(timeout, super().select)


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Like `asyncio.run`, on a fresh VirtualTimeLoop."""
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(coroutine)
