"""The reports of gpsd as fixes: its TPV objects, one JSON object a line.

The format: gpsd's client protocol ("gpsd_json"). Decides what a fix is: measured, with a place and a time, and not the
one that was told last. Refuses to know where the bytes come from.
"""

import datetime
from collections.abc import Callable, Iterator
from typing import Final

import msgspec

from firmware.adapters.gnss.lines import Lines
from firmware.core.events import Fix
from firmware.core.geo import is_place

MOST_LINE_BYTES: Final = 16 * 1024
"""gpsd's longest reply has 10 KiB."""
WATCH: Final = b'?WATCH={"enable":true,"json":true};\n'
"""What has to be asked for once, after connecting."""
FIX_2D: Final = 2
DEGREES_E7: Final = 10_000_000

_NOT_MEASURED: Final = frozenset({5, 7, 8})
"""Status: dead reckoning alone, surveyed in, simulated."""


class _Report(msgspec.Struct, tag_field="class", tag="TPV"):
    """What of it is of use."""

    mode: int = 0
    status: int = 0
    lat: float | None = None
    lon: float | None = None
    time: datetime.datetime | None = None


_decode: Final = msgspec.json.Decoder(_Report).decode


class Reports:
    """Feed it bytes. `mono_ms`: the module's monotonic clock, for when a fix came."""

    def __init__(self, mono_ms: Callable[[], int]) -> None:
        self._mono_ms = mono_ms
        self._lines = Lines(MOST_LINE_BYTES)
        self._last_ms: int | None = None

    def feed(self, data: bytes) -> Iterator[Fix]:
        """The fixes in the lines that `data` completes."""
        for line in self._lines.feed(data):
            fix = _fix(line, self._mono_ms())
            if fix is not None and fix.utc_ms != self._last_ms:
                self._last_ms = fix.utc_ms
                yield fix


def _fix(line: bytes, mono_ms: int) -> Fix | None:
    try:
        report = _decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    latitude, longitude, time = report.lat, report.lon, report.time
    if report.mode < FIX_2D or report.status in _NOT_MEASURED:
        return None
    if latitude is None or longitude is None or not is_place(latitude, longitude):
        return None
    if time is None or time.tzinfo is None:
        return None
    utc_ms = round(time.timestamp() * 1000)
    return Fix(round(latitude * DEGREES_E7), round(longitude * DEGREES_E7), utc_ms, mono_ms)
