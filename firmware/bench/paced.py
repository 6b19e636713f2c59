"""The bench's time on a loop whose time can be moved (`firmware.pace`), and the time of a module without a bench."""

from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

from firmware.bench.results import DeskCode, DeskError
from firmware.bench.virtual import Clock
from firmware.core.events import TimeOffered
from firmware.pace import MOST_RATE, PacedLoop


class PacedTime:
    """A `Time`."""

    def __init__(self, clock: Clock, loop: PacedLoop) -> None:
        self._clock = clock
        self._loop = loop

    @property
    def rate(self) -> float:
        """As Time."""
        return self._loop.rate

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
        await self._loop.move(seconds)

    def freeze(self) -> None:
        """As Time."""
        self._loop.freeze()

    def go(self) -> None:
        """As Time."""
        self._loop.go()

    def race(self, factor: float) -> None:
        """As Time. Raises DeskError USAGE."""
        if not 0 < factor <= MOST_RATE:
            raise DeskError(DeskCode.USAGE, f"`time race {factor:g}`: it is not above 0 and at most {MOST_RATE:g}.")
        self._loop.race(factor)

    def passing(self) -> AbstractContextManager[None]:
        """As Time."""
        return self._loop.passing()


class Readable(Protocol):
    """A clock that nobody can set."""

    def monotonic_ms(self) -> int:
        """Time that has passed."""

    def rtc(self) -> TimeOffered:
        """What it is in the world."""


class GivenTime:
    """A `Time` that is the computer's own: it can be read, and nothing else."""

    rate = 1.0

    def __init__(self, clock: Readable) -> None:
        self._clock = clock

    def utc_ms(self) -> int:
        """As Time."""
        return self._clock.rtc().utc_ms

    def monotonic_ms(self) -> int:
        """As Time."""
        return self._clock.monotonic_ms()

    def set_utc(self, utc_ms: int) -> None:
        """As Time."""
        self._refuse()

    async def move(self, seconds: float) -> None:
        """As Time."""
        self._refuse()

    def freeze(self) -> None:
        """As Time."""
        self._refuse()

    def go(self) -> None:
        """It does."""

    def race(self, factor: float) -> None:
        """As Time."""
        self._refuse()

    def passing(self) -> AbstractContextManager[None]:
        """As Time."""
        return nullcontext()

    def _refuse(self) -> None:
        raise DeskError(
            DeskCode.NOT_HERE, "this module lives in real time: nobody can move it. Set `enabled = true` in [bench]."
        )
