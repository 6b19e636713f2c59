"""Finds positions, and what a track can be rebuilt from, in whatever the broker was told during a booking.

A closed world: a key that is not known to be harmless is a finding, so a new field can not slip in. What is known
to be a time, an age or a slow signal is checked for being one; every other number must lie outside the area the car
has been in, in degrees or scaled by a power of ten, however it was rounded.
"""

import json
import re
from collections.abc import Iterator
from datetime import datetime

from protocol.telemetry import Channel, decode_backlog, parse_topic
from protocol.telemetry import topic as telemetry_topic

SLOW_SIGNALS = {
    "Vehicle.Powertrain.FuelSystem.RelativeLevel": (0, 100),
    "Vehicle.Powertrain.Range": (0, 800_000),
    "Vehicle.TraveledDistance": (12_000, 14_000),
    "Vehicle.LowVoltageBattery.CurrentVoltage": (11, 15),
}
"""Their values on the rig's car, in VSS units (%, m, km, V): by chance they could look like a coordinate."""

FLAGS_AND_PHASES = {
    "Vehicle.LowVoltageSystemState",
    "Vehicle.Cabin.Door.Row1.DriverSide.IsLocked",
    "Vehicle.Private.Sharebox.AnyDoorIsOpen",
    "Vehicle.Body.Trunk.Rear.IsOpen",
    "Vehicle.Private.Sharebox.DriveIsEnabled",
    "Vehicle.Private.Sharebox.BookingPhase",
}
ENVELOPE = {"stamp", "time_quality", "signals", "kind", "role", "reason", "numbers", "online", "pending"}
ENVELOPE |= {"store", "version"}
COUNTS = {"seq", "code", "boot", "left_ms", "overdue_ms", "parked_ms", "total", "queued", "dropped", "uptime_s"}
COUNTS |= {each.name.lower() for each in Channel}
"""Whole numbers that say how many, or how long."""
IDENTIFIERS = {"booking", "order", "name"}
TIMES = {"time"}
AGES = {"age_s"}
KNOWN = ENVELOPE | COUNTS | IDENTIFIERS | TIMES | AGES | FLAGS_AND_PHASES | SLOW_SIGNALS.keys()
CHANNELS = {
    Channel.ONLINE,
    Channel.STATE,
    Channel.EVENT,
    Channel.ALERT,
    Channel.HEALTH,
    Channel.ORDER,
    Channel.ORDER_RESULT,
}
"""What may be said during a driver's booking; on `position` only the withdrawal, on `track` nothing."""

_NUMBER = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?(?![\w])")
_SLACK_DEG = 0.006
"""Half of what rounding to two decimals takes away, and a little."""
_SCALES = (1, 1e5, 1e6, 1e7)


class Area:
    """Where the car has been: grows with each place."""

    def __init__(self) -> None:
        self._latitudes: list[float] = []
        self._longitudes: list[float] = []

    def visit(self, latitude: float, longitude: float) -> None:
        """The car was here."""
        self._latitudes.append(latitude)
        self._longitudes.append(longitude)

    @property
    def size_deg(self) -> float:
        """The longer side of the area."""
        return max(max(line) - min(line) for line in (self._latitudes, self._longitudes))

    def __contains__(self, number: float) -> bool:
        return any(
            min(line) - _SLACK_DEG <= number / scale <= max(line) + _SLACK_DEG
            for line in (self._latitudes, self._longitudes)
            for scale in _SCALES
        )


def leaks(topic: str, payload: bytes, area: Area) -> Iterator[str]:
    """What this message, sent during a driver's booking, tells about the way: one line a finding."""
    parsed = parse_topic(topic)
    if parsed is None:
        yield f"{topic}: no topic of a module"
        return
    if parsed[1] is Channel.ORDER:
        return
    if parsed[1] is Channel.BACKLOG:
        for entry in decode_backlog(payload):
            yield from leaks(telemetry_topic(parsed[0], entry.channel), entry.report, area)
        return
    if parsed[1] not in CHANNELS and payload:
        yield f"{topic}: nothing may be said on {parsed[1]}: {payload!r}"
    if payload:
        yield from (f"{topic}: {found} in {payload!r}" for found in _value(json.loads(payload), "", area))


def numbers_of_the_way(text: str, area: Area) -> list[str]:
    """Numbers in any text that lie in the area."""
    return [number for number in _NUMBER.findall(text) if float(number) in area]


def _value(value: object, key: str, area: Area) -> Iterator[str]:
    match value:
        case dict():
            for name, inner in value.items():
                if name not in KNOWN:
                    yield f"unknown key {name!r}"
                yield from _value(inner, name, area)
        case list():
            for inner in value:
                yield from _value(inner, key, area)
        case _ if key in SLOW_SIGNALS:
            least, most = SLOW_SIGNALS[key]
            if not isinstance(value, int | float) or not least <= value <= most:
                yield f"{key} is {value!r}"
        case _ if key in AGES or key in COUNTS:
            whole = key in COUNTS
            if not isinstance(value, int if whole else float) or not 0 <= value < (10_000_000 if whole else 864_000):
                yield f"{key} is {value!r}"
        case _ if key in TIMES and isinstance(value, str) and _is_time(value):
            pass
        case bool() | None:
            pass
        case _:
            yield from (f"{key} tells {number}" for number in numbers_of_the_way(str(value), area))


def _is_time(text: str) -> bool:
    try:
        return datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False
