"""NMEA 0183 recordings of GNSS receivers: their fixes, at the pace at which they were recorded.

Decides when each fix of a recording comes; what is a fix is `firmware.nmea`'s to say.
"""

import datetime
from collections.abc import Iterable, Iterator
from typing import Final

from firmware.nmea import Moment, parsed, time_of
from firmware.simulated.trace import FIX, Signal

DAY_S: Final = 86_400.0
LONGEST_GAP_S: Final = 3_600.0
"""A longer one is another recording, or a clock that was set: it goes on a second later."""
EPOCH_S: Final = 1.0
"""Between two moments of a receiver that does not know the time."""


def nmea(lines: Iterable[bytes]) -> Iterator[Signal]:
    """The fixes of a recording, in the order of the file."""
    clock = _Clock()
    moment = Moment(None)
    for line in lines:
        message = parsed(line)
        if message is None:
            continue
        if moment.ends_with(message):
            yield from _fixes(moment, clock)
            moment = Moment(time_of(message))
        moment.add(message)
    yield from _fixes(moment, clock)


def _fixes(moment: Moment, clock: "_Clock") -> Iterator[Signal]:
    """None or one. Time passes with it."""
    if not moment.kinds:
        return
    at_s = clock.at(None if moment.time is None else _seconds(moment.time))
    place = moment.place()
    if place is not None:
        yield Signal(at_s, FIX, place)


class _Clock:
    """The time of day as seconds that do not go back."""

    def __init__(self) -> None:
        self._now_s = 0.0
        self._midnight_s: float | None = None

    def at(self, time_s: float | None) -> float:
        if time_s is None:
            self._now_s += EPOCH_S
            return self._now_s
        if self._midnight_s is not None:
            at_s = self._midnight_s + time_s
            if at_s < self._now_s - DAY_S / 2:
                at_s += DAY_S
            if self._now_s <= at_s <= self._now_s + LONGEST_GAP_S:
                self._midnight_s, self._now_s = at_s - time_s, at_s
                return at_s
        self._now_s += EPOCH_S
        self._midnight_s = self._now_s - time_s
        return self._now_s


def _seconds(time: datetime.time) -> float:
    return time.hour * 3600 + time.minute * 60 + time.second + time.microsecond / 1e6
