"""Faults with an end: each has a name, lasts until it is cleared, or until the bench's clock says so.

Decides when a fault ends. What it does is given by whoever begins it.
"""

import asyncio
from collections.abc import Callable
from typing import Final

import msgspec

from firmware.bench.news import News
from firmware.bench.stand import Time
from protocol.explain import duration

MOST: Final = 32


class Fault(msgspec.Struct, frozen=True):
    """One that lasts. `ends_at_ms`: UTC of the bench when it began, None: until it is cleared."""

    name: str
    began_at_ms: int
    ends_at_ms: int | None


class Faults:
    """By name; one that begins again begins anew."""

    def __init__(self, time: Time, news: News) -> None:
        self._time = time
        self._news = news
        self._lasting: dict[str, tuple[Fault, Callable[[], None], asyncio.TimerHandle | None]] = {}

    @property
    def lasting(self) -> tuple[Fault, ...]:
        """Those that last, in the order in which they began."""
        return tuple(fault for fault, _, _ in self._lasting.values())

    def begin(self, name: str, begin: Callable[[], None], end: Callable[[], None], for_s: float | None = None) -> Fault:
        """`begin` now, and `end` once, after `for_s` of the bench's time or when it is cleared."""
        self._take(name)
        if len(self._lasting) >= MOST:
            raise ValueError(f"more than {MOST} faults last already")
        begin()
        now_ms = self._time.utc_ms()
        timer, ends_at_ms = None, None
        if for_s is not None:
            timer = asyncio.get_running_loop().call_later(for_s, self._over, name)
            ends_at_ms = now_ms + round(for_s * 1000)
        fault = Fault(name, now_ms, ends_at_ms)
        self._lasting[name] = (fault, end, timer)
        until = "" if for_s is None else f" for {duration(round(for_s * 1000))}"
        self._news.tell("fault", {"fault": name, "lasts": True, "ends_at_ms": ends_at_ms}, f"Fault: {name}{until}.")
        return fault

    def clear(self, begins_with: str = "") -> tuple[str, ...]:
        """End those whose names begin with these words; which ones. All without words."""
        wanted = begins_with.split()
        names = [name for name in self._lasting if name.split()[: len(wanted)] == wanted]
        for name in names:
            self._over(name)
        return tuple(names)

    def close(self) -> None:
        """No timer is left behind; the faults stay as they are."""
        for _, _, timer in self._lasting.values():
            if timer is not None:
                timer.cancel()
        self._lasting.clear()

    def _take(self, name: str) -> bool:
        """Let go of a fault without ending it."""
        found = self._lasting.pop(name, None)
        if found is None:
            return False
        if found[2] is not None:
            found[2].cancel()
        return True

    def _over(self, name: str) -> None:
        found = self._lasting.get(name)
        if found is not None and self._take(name):
            found[1]()
            self._news.tell("fault", {"fault": name, "lasts": False, "ends_at_ms": None}, f"Fault over: {name}.")
