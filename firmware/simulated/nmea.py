"""NMEA 0183 recordings of GNSS receivers: RMC and GGA as fixes, at the pace at which they were recorded.

Decides what a fix is: both sentences of a moment, as far as they are there, have a right checksum and agree that it is
one, and it is measured, not estimated, simulated or typed in. Everything else is nothing.
"""

import datetime
from collections.abc import Iterable, Iterator
from typing import Final

from pynmeagps import NMEAMessage, NMEAReader  # type: ignore[import-untyped]  # it has no types
from pynmeagps.exceptions import (  # type: ignore[import-untyped]  # nor have these
    NMEAMessageError,
    NMEAParseError,
    NMEATypeError,
)

from firmware.simulated.trace import FIX, Signal, is_place

DAY_S: Final = 86_400.0
LONGEST_GAP_S: Final = 3_600.0
"""A longer one is another recording, or a clock that was set: it goes on a second later."""
EPOCH_S: Final = 1.0
"""Between two moments of a receiver that does not know the time."""
LEAST_SATELLITES: Final = 3

_MEASURED: Final = frozenset({"A", "D", "R", "F", "P", ""})
"""Mode of an RMC: autonomous, differential, fixed and float RTK, precise; none, from an older receiver."""
_QUALITIES: Final = frozenset({1, 2, 3, 4, 5, 9})
"""Of a GGA: the same; 9 is what some receivers say of a fix by WAAS. 6 is estimated, 7 typed in, 8 simulated."""

Place = tuple[float, float]


def nmea(lines: Iterable[bytes]) -> Iterator[Signal]:
    """The fixes of a recording, in the order of the file."""
    clock = _Clock()
    moment = _Moment(None)
    for line in lines:
        message = _parsed(line)
        if message is None:
            continue
        time = getattr(message, "time", None)
        time_s = _seconds(time) if isinstance(time, datetime.time) else None
        if moment.ends_with(message, time_s):
            yield from moment.fixes(clock)
            moment = _Moment(time_s)
        moment.add(message)
    yield from moment.fixes(clock)


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


class _Moment:
    """What a receiver says of one moment."""

    def __init__(self, time_s: float | None) -> None:
        self._time_s = time_s
        self._rmc: list[Place | None] = []
        self._gga: list[Place | None] = []

    def ends_with(self, message: NMEAMessage, time_s: float | None) -> bool:
        """Whether this belongs to the next one."""
        same = self._rmc if message.msgID == "RMC" else self._gga
        return time_s != self._time_s or (time_s is None and bool(same))

    def add(self, message: NMEAMessage) -> None:
        if message.msgID == "RMC":
            is_fix = getattr(message, "status", "") == "A" and getattr(message, "posMode", "") in _MEASURED
            self._rmc.append(_place(message) if is_fix else None)
        else:
            is_fix = getattr(message, "quality", 0) in _QUALITIES and _sees_enough(message)
            self._gga.append(_place(message) if is_fix else None)

    def fixes(self, clock: _Clock) -> Iterator[Signal]:
        """None or one. Time passes with it."""
        if not self._rmc and not self._gga:
            return
        at_s = clock.at(self._time_s)
        places = [place for place in (*self._rmc, *self._gga) if place is not None]
        denied = (self._rmc and None in self._rmc) or (self._gga and not any(self._gga))
        if places and not denied:
            yield Signal(at_s, FIX, places[0])


def _parsed(line: bytes) -> NMEAMessage | None:
    """An RMC or GGA with a right checksum."""
    start = line.rfind(b"$")
    if start < 0 or line[start + 3 : start + 6] not in (b"RMC", b"GGA"):
        return None
    try:
        found = NMEAReader.parse(line[start:].strip(b"\0\r\n\t "))
    except (NMEAParseError, NMEAMessageError, NMEATypeError, ValueError, IndexError, TypeError, OverflowError):
        return None
    return found


def _sees_enough(message: NMEAMessage) -> bool:
    """There are receivers that claim a fix without a satellite."""
    satellites = getattr(message, "numSV", "")
    return satellites == "" or (isinstance(satellites, int) and satellites >= LEAST_SATELLITES)


def _place(message: NMEAMessage) -> Place | None:
    latitude, longitude = getattr(message, "lat", None), getattr(message, "lon", None)
    if not isinstance(latitude, float) or not isinstance(longitude, float) or not is_place(latitude, longitude):
        return None
    known = getattr(message, "NS", "") in ("N", "S") and getattr(message, "EW", "") in ("E", "W")
    return (latitude, longitude) if known else None


def _seconds(time: datetime.time) -> float:
    return time.hour * 3600 + time.minute * 60 + time.second + time.microsecond / 1e6
