"""The bench's time on an event loop whose time jumps: it passes only when somebody waits for it."""

import asyncio
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

from firmware.bench.results import DeskCode, DeskError
from firmware.core.events import TimeOffered


class Clock(Protocol):
    """A clock on the event loop, whose UTC can be set."""

    def monotonic_ms(self) -> int:
        """The loop's time."""

    def rtc(self) -> TimeOffered:
        """What it is in the world."""

    def set_utc(self, utc_ms: int) -> None:
        """From now on the world says so."""


class VirtualTime:
    """A `Time`."""

    rate = 0.0

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def utc_ms(self) -> int:
        """As Time."""
        return self._clock.rtc().utc_ms

    def set_utc(self, utc_ms: int) -> None:
        """As Time."""
        self._clock.set_utc(utc_ms)

    def monotonic_ms(self) -> int:
        """As Time."""
        return self._clock.monotonic_ms()

    async def move(self, seconds: float) -> None:
        """As Time."""
        await asyncio.sleep(seconds)

    def freeze(self) -> None:
        """It always is."""

    def go(self) -> None:
        """As Time."""
        self._refuse()

    def race(self, factor: float) -> None:
        """As Time."""
        self._refuse()

    def passing(self) -> AbstractContextManager[None]:
        """As Time: whoever waits makes it pass."""
        return nullcontext()

    def _refuse(self) -> None:
        raise DeskError(DeskCode.NOT_HERE, "time is virtual here: it never passes by itself. Type `time move D`.")
