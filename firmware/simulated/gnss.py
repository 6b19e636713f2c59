"""A simulated GNSS receiver: the car's place as a fix, or the last one it had.

Decides: when a fix is new. Underground the last fix stays, with its own times, and grows old (TEL-7).
Refuses to know: how the car moves, and what a fix is used for.
"""

from typing import Final

from firmware.core.events import Fix
from firmware.simulated.route import Waypoint

DEGREES_E7: Final = 10_000_000


class Receiver:
    """`fix` is the last fix, None before the first."""

    def __init__(self) -> None:
        self.fix: Fix | None = None
        self.sees_sky = True

    def look(self, place: Waypoint, *, utc_ms: int, mono_ms: int) -> Fix | None:
        """Take a fix at `place` if the sky is visible; return the last one."""
        if self.sees_sky:
            self.fix = Fix(
                latitude_e7=round(place.latitude * DEGREES_E7),
                longitude_e7=round(place.longitude * DEGREES_E7),
                utc_ms=utc_ms,
                taken_at_ms=mono_ms,
            )
        return self.fix
