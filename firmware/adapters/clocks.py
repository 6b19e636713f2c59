"""Clocks of the module: the computer's own, and the event loop's for virtual time.

Decides nothing: whether an offered time is believed is decided in `firmware.core.clock`.
"""

import asyncio
import time
from typing import Final

from firmware.core.events import TimeOffered, TimeSource

_NS_PER_MS: Final = 1_000_000
# Unlike CLOCK_MONOTONIC it counts on while the computer sleeps: a deadline may not stand still meanwhile.
_BOOTTIME: Final = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


class SystemClock:
    """The computer's clocks."""

    def monotonic_ms(self) -> int:
        """Milliseconds since an arbitrary instant; never goes back, never jumps, counts through suspend."""
        return time.clock_gettime_ns(_BOOTTIME) // _NS_PER_MS

    def rtc(self) -> TimeOffered:
        """What the computer's real-time clock says now; to be offered at boot."""
        return TimeOffered(TimeSource.RTC, time.time_ns() // _NS_PER_MS)


class LoopClock:
    """Clocks that follow the running event loop: virtual time in a simulation.

    `rtc_at_zero_ms`: what its real-time clock says, UTC in ms, when the loop's clock stands at 0.
    """

    def __init__(self, rtc_at_zero_ms: int) -> None:
        self._rtc_at_zero_ms = rtc_at_zero_ms

    def monotonic_ms(self) -> int:
        """The loop's time in ms."""
        # Rounded, not cut: a timer for n ms may fire a rounding error before n.
        return round(asyncio.get_running_loop().time() * 1000)

    def set_utc(self, utc_ms: int) -> None:
        """From now on the real-time clock says so; the monotonic one goes on as before."""
        self._rtc_at_zero_ms = utc_ms - self.monotonic_ms()

    def rtc(self) -> TimeOffered:
        """The real-time clock of the simulated module."""
        return TimeOffered(TimeSource.RTC, self._rtc_at_zero_ms + self.monotonic_ms())
