"""The sentences of a receiver at work as fixes.

Decides when a moment is complete, what day it is, and that a fix whose time stands still is no new one. What a fix is,
`firmware.nmea` says. Refuses to know where the bytes come from.
"""

import datetime
from collections.abc import Callable, Iterator
from datetime import UTC
from typing import Final

from firmware.adapters.gnss.lines import Lines
from firmware.core.events import Fix
from firmware.nmea import DATES, FIXES, Message, Moment, date_of, parsed, time_of

MOST_LINE_BYTES: Final = 512
"""The standard allows 82; receivers have sentences of their own that are longer."""
DATE_LASTS_MS: Final = 3_600_000
"""The day need not come with each fix."""
FIRST_YEAR: Final = 1980
LAST_YEAR: Final = 2105
"""GPS did not exist, and the module's times end."""

DEGREES_E7: Final = 10_000_000
_HALF_A_DAY: Final = datetime.timedelta(hours=12)
_DAY: Final = datetime.timedelta(days=1)


class Sentences:
    """Feed it bytes. `mono_ms`: the module's monotonic clock, for when a fix came."""

    def __init__(self, mono_ms: Callable[[], int]) -> None:
        self._mono_ms = mono_ms
        self._lines = Lines(MOST_LINE_BYTES)
        self._moment = Moment(None)
        self._began_ms = 0
        self._told = True
        self._expected: frozenset[str] = frozenset()
        self._dated: tuple[datetime.datetime, int] | None = None
        self._last_ms: int | None = None

    def feed(self, data: bytes) -> Iterator[Fix]:
        """The fixes that `data` completes. A moment is complete when as much of it came as of the one before, or when
        the next one begins: nobody waits a second for a sentence that this receiver does not send."""
        for line in self._lines.feed(data):
            message = parsed(line, FIXES | DATES)
            if message is None:
                continue
            self._note_date(message)
            if message.msgID in FIXES:
                yield from self._take(message)

    def _take(self, message: Message) -> Iterator[Fix]:
        if self._moment.ends_with(message) or not self._moment.kinds:
            yield from self._complete()
            self._expected = self._moment.kinds
            self._moment, self._began_ms, self._told = Moment(time_of(message)), self._mono_ms(), False
        self._moment.add(message)
        if self._expected and self._moment.kinds >= self._expected:
            yield from self._complete()

    def _complete(self) -> Iterator[Fix]:
        place = None if self._told else self._moment.place()
        self._told = True
        utc_ms = None if place is None else self._utc_ms()
        if place is None or utc_ms is None or utc_ms == self._last_ms:
            return
        self._last_ms = utc_ms
        latitude, longitude = (round(degrees * DEGREES_E7) for degrees in place)
        yield Fix(latitude, longitude, utc_ms, self._began_ms)

    # ------------------------------------------------------------ the day
    def _note_date(self, message: Message) -> None:
        date, time = date_of(message), time_of(message)
        if date is not None and time is not None and FIRST_YEAR <= date.year <= LAST_YEAR:
            self._dated = (datetime.datetime.combine(date, time, UTC), self._mono_ms())

    def _utc_ms(self) -> int | None:
        """Of the moment; None: nobody knows."""
        if self._dated is None or self._moment.time is None or self._began_ms - self._dated[1] > DATE_LASTS_MS:
            return None
        dated = self._dated[0]
        at = datetime.datetime.combine(dated.date(), self._moment.time, UTC)
        if at - dated > _HALF_A_DAY:
            at -= _DAY
        elif dated - at > _HALF_A_DAY:
            at += _DAY
        return round(at.timestamp() * 1000)
