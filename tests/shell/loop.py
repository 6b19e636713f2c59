"""A virtual-time loop without any system call, in which what asyncio leaves open is decided by a seed.

asyncio calls `call_soon` callbacks in their order. It does not promise in which order tasks that became ready together
take their steps, nor in which order timers of one instant fire. Here both are shuffled. The steps are counted, so that
something can be made to happen at each of them.
"""

import asyncio
import collections
import math
import selectors
from collections.abc import Callable
from random import Random
from typing import Any, Final

_RESOLUTION_S: Final = 1e-9
_MOST_SHUFFLED: Final = 12
"""Ready steps among which the next one is drawn."""


class _Nothing(selectors.BaseSelector):
    """Has no file descriptors: asked to wait, it lets the clock jump."""

    def __init__(self, jump: Callable[[float | None], None]) -> None:
        self._jump = jump
        self._keys: dict[Any, selectors.SelectorKey] = {}

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        number = fileobj if isinstance(fileobj, int) else fileobj.fileno()
        key = self._keys[number] = selectors.SelectorKey(fileobj, number, events, data)
        return key

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self._keys.pop(fileobj if isinstance(fileobj, int) else fileobj.fileno())

    def get_map(self) -> Any:
        return self._keys

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None or timeout > 0:
            self._jump(timeout)
        return []

    def close(self) -> None:
        self._keys.clear()


class _Ready(collections.deque[asyncio.Handle]):
    """What is ready. The next one is drawn from the tasks and timers at its head."""

    def __init__(self, rng: Random, stepped: Callable[[], None]) -> None:
        super().__init__()
        self._rng = rng
        self._stepped = stepped

    def popleft(self) -> asyncio.Handle:
        self._stepped()
        width = 0
        for handle in self:
            if width == _MOST_SHUFFLED or not _free(handle):
                break
            width += 1
        at = int(self._rng.random() * width) if width > 1 else 0
        self.rotate(-at)
        found = super().popleft()
        self.rotate(at)
        return found


def _free(handle: asyncio.Handle) -> bool:
    """Whether nobody promised that it comes before or after its neighbours."""
    callback: object = getattr(handle, "_callback", None)
    return isinstance(handle, asyncio.TimerHandle) or isinstance(getattr(callback, "__self__", None), asyncio.Task)


class ShuffledLoop(asyncio.SelectorEventLoop):
    """Virtual time from 0.0 s on. `steps`: how many callbacks have run. Nothing left to happen is a RuntimeError."""

    _scheduled: list[asyncio.TimerHandle]
    _clock_resolution: float
    _ready: _Ready

    def __init__(self, seed: int) -> None:
        self.steps = 0
        self._now = 0.0
        self._due: dict[int, Callable[[], object]] = {}
        super().__init__(_Nothing(self._jump))
        self._clock_resolution = _RESOLUTION_S
        self._ready = _Ready(Random(seed), self._stepped)

    def time(self) -> float:
        """Virtual seconds."""
        return self._now

    def at_step(self, step: int, happen: Callable[[], object]) -> None:
        """Let something happen just before the callback with that number."""
        self._due[step] = happen

    def _stepped(self) -> None:
        self.steps += 1
        happen = self._due.pop(self.steps, None)
        if happen is not None:
            happen()

    def _jump(self, timeout: float | None) -> None:
        if timeout is None:
            raise RuntimeError("deadlock: nothing is scheduled")
        self._now = max(self._now, self._scheduled[0].when())
        self._clock_resolution = max(_RESOLUTION_S, math.ulp(self._now))
