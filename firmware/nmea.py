"""NMEA 0183: which sentences of a GNSS receiver are a fix. Bytes to values; no time passes here.

Decides what a fix is: the sentences of a moment, as far as they are there, have a right checksum and agree that it is
one, and it is measured, not estimated, simulated or typed in. Everything else is nothing.
Refuses to know whether a receiver or a recording sends them.
"""

import datetime
from typing import Final, Protocol

from pynmeagps import NMEAReader  # type: ignore[import-untyped]  # it has no types
from pynmeagps.exceptions import (  # type: ignore[import-untyped]  # nor have these
    NMEAMessageError,
    NMEAParseError,
    NMEATypeError,
)

from firmware.core.geo import is_place

LEAST_SATELLITES: Final = 3
RMC: Final = "RMC"
GGA: Final = "GGA"
ZDA: Final = "ZDA"
FIXES: Final = frozenset({RMC, GGA})
DATES: Final = frozenset({RMC, ZDA})

_MEASURED: Final = frozenset({"A", "D", "R", "F", "P", ""})
"""Mode of an RMC: autonomous, differential, fixed and float RTK, precise; none, from an older receiver."""
_QUALITIES: Final = frozenset({1, 2, 3, 4, 5, 9})
"""Of a GGA: the same; 9 is what some receivers say of a fix by WAAS. 6 is estimated, 7 typed in, 8 simulated."""

Place = tuple[float, float]
"""Latitude and longitude, degrees, WGS 84."""


class Message(Protocol):
    """A sentence that was read. `msgID`: its kind. What else it has depends on that, and on what came."""

    msgID: str


def parsed(line: bytes, kinds: frozenset[str] = FIXES) -> Message | None:
    """The last sentence in `line`, when it is one of `kinds` with a right checksum."""
    start = line.rfind(b"$")
    if start < 0 or line[start + 3 : start + 6] not in {kind.encode() for kind in kinds}:
        return None
    try:
        found: Message | None = NMEAReader.parse(line[start:].strip(b"\0\r\n\t "))
    except (NMEAParseError, NMEAMessageError, NMEATypeError, ValueError, IndexError, TypeError, OverflowError):
        return None
    return found


def time_of(message: Message) -> datetime.time | None:
    """The time of day, UTC, of which a sentence speaks."""
    time = getattr(message, "time", None)
    return time if isinstance(time, datetime.time) else None


def date_of(message: Message) -> datetime.date | None:
    """The day of which a ZDA speaks, or an RMC that claims a fix: without one it may be anything."""
    if message.msgID == ZDA:
        parts = [getattr(message, name, None) for name in ("year", "month", "day")]
        year, month, day = (part if isinstance(part, int) else 0 for part in parts)
        try:
            return datetime.date(year, month, day)
        except ValueError:
            return None
    date = getattr(message, "date", None)
    valid = message.msgID == RMC and getattr(message, "status", "") == "A"
    return date if valid and isinstance(date, datetime.date) else None


class Moment:
    """What a receiver says of one moment."""

    def __init__(self, time: datetime.time | None) -> None:
        self.time = time
        self._said: dict[str, list[Place | None]] = {}

    @property
    def kinds(self) -> frozenset[str]:
        """The sentences that came."""
        return frozenset(self._said)

    def ends_with(self, message: Message) -> bool:
        """Whether this belongs to the next one."""
        time = time_of(message)
        return time != self.time or (time is None and message.msgID in self._said)

    def add(self, message: Message) -> None:
        """One more sentence of it."""
        self._said.setdefault(message.msgID, []).append(_claimed(message))

    def place(self) -> Place | None:
        """Where the receiver is, when all agree that this is known."""
        rmc, gga = self._said.get(RMC, []), self._said.get(GGA, [])
        denied = None in rmc or (gga and not any(gga))
        places = [place for place in (*rmc, *gga) if place is not None]
        return places[0] if places and not denied else None


def _claimed(message: Message) -> Place | None:
    if message.msgID == RMC:
        is_fix = getattr(message, "status", "") == "A" and getattr(message, "posMode", "") in _MEASURED
    else:
        is_fix = getattr(message, "quality", 0) in _QUALITIES and _sees_enough(message)
    return _place(message) if is_fix else None


def _sees_enough(message: Message) -> bool:
    """There are receivers that claim a fix without a satellite."""
    satellites = getattr(message, "numSV", "")
    return satellites == "" or (isinstance(satellites, int) and satellites >= LEAST_SATELLITES)


def _place(message: Message) -> Place | None:
    latitude, longitude = getattr(message, "lat", None), getattr(message, "lon", None)
    if not isinstance(latitude, float) or not isinstance(longitude, float) or not is_place(latitude, longitude):
        return None
    known = getattr(message, "NS", "") in ("N", "S") and getattr(message, "EW", "") in ("E", "W")
    return (latitude, longitude) if known else None
