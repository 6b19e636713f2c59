"""OpenXC vehicle traces: lines of JSON with name, value and timestamp, as signals of our own.

The format: OpenXC message format, "Trace File Format" and "Official Signals". Decides units, and what is no signal: a
value that is not possible is left out, so that the signal becomes unknown. Refuses to know when a signal is told.
"""

import math
from collections.abc import Callable, Iterable, Iterator
from typing import Final, NamedTuple

import msgspec

from firmware.core.geo import is_place

MOST_LINE_BYTES: Final = 64 * 1024

LATITUDE: Final = "latitude"
LONGITUDE: Final = "longitude"
FIX: Final = "fix"
DOOR: Final = "door"


class Signal(NamedTuple):
    """What a trace says at one moment. `name`: a field of VehicleSampled, or `FIX`, or `DOOR` and which. `at_s` counts
    from anywhere and does not go back. `value` of a fix: latitude and longitude, degrees, WGS 84."""

    at_s: float
    name: str
    value: bool | int | float | tuple[float, float]


class _Message(msgspec.Struct):
    """One line. Whatever else is in it does not matter."""

    name: str
    value: bool | int | float | str
    timestamp: int | float
    event: bool | int | float | str | None = None


_decode: Final = msgspec.json.Decoder(_Message).decode

FIX_WITHIN_S: Final = 1.0
"""Latitude and longitude are messages of their own; further apart they are no place."""
MOST_SPEED_KMH: Final = 655.0
MOST_ODOMETER_KM: Final = 16_777_214.0
_IGNITION: Final = {"off": False, "accessory": False, "run": True, "start": True}
_DOORS: Final = frozenset({"driver", "passenger", "rear_left", "rear_right"})


def openxc(lines: Iterable[bytes]) -> Iterator[Signal]:
    """The signals of a trace that a module can use, in the order of the file."""
    now_s = -math.inf
    place = _Place()
    for line in lines:
        try:
            message = _decode(line.strip(b"\0\r\n\t "))
        except (msgspec.DecodeError, UnicodeDecodeError):
            continue
        if not math.isfinite(message.timestamp):
            continue
        # Slightly out of order is how real traces are.
        now_s = max(now_s, float(message.timestamp))
        if message.name in (LATITUDE, LONGITUDE):
            found = place.told(now_s, message.name, message.value)
            if found is not None:
                yield Signal(now_s, FIX, found)
        elif message.name == "door_status":
            if message.value in _DOORS and isinstance(message.event, bool):
                yield Signal(now_s, f"{DOOR} {message.value}", message.event)
        elif message.name in _SIGNALS:
            name, read = _SIGNALS[message.name]
            value = read(message.value)
            if value is not None:
                yield Signal(now_s, name, value)


class _Place:
    """Two halves of a position on their way to become one."""

    def __init__(self) -> None:
        self._halves: dict[str, tuple[float, float]] = {}

    def told(self, at_s: float, name: str, value: object) -> tuple[float, float] | None:
        degrees = _number(value)
        if degrees is None:
            self._halves.clear()
            return None
        self._halves[name] = (at_s, degrees)
        if len(self._halves) < 2:
            return None
        (one_s, latitude), (other_s, longitude) = self._halves[LATITUDE], self._halves[LONGITUDE]
        if abs(one_s - other_s) > FIX_WITHIN_S:
            return None
        self._halves.clear()
        return (latitude, longitude) if is_place(latitude, longitude) else None


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)


def _between(low: float, high: float) -> Callable[[object], float | None]:
    def read(value: object) -> float | None:
        number = _number(value)
        return number if number is not None and low <= number <= high else None

    return read


def _ignition(value: object) -> bool | None:
    return _IGNITION.get(value) if isinstance(value, str) else None


def _odometer_m(value: object) -> int | None:
    km = _between(0, MOST_ODOMETER_KM)(value)
    return None if km is None else round(km * 1000)


_SIGNALS: Final[dict[str, tuple[str, Callable[[object], bool | int | float | None]]]] = {
    "vehicle_speed": ("speed_kmh", _between(0, MOST_SPEED_KMH)),
    "ignition_status": ("ignition_on", _ignition),
    "fuel_level": ("fuel_pct", _between(0, 100)),
    "odometer": ("odometer_m", _odometer_m),
}
"""OpenXC's names, ours, and the value in our unit."""
