"""What can be known of a car from its bus: names of COVESA VSS, how each is read, and how long it lasts.

Decides which values are possible, and what a fact does to a sample. Refuses to know frames and databases.
"""

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from protocol import signals

Value = bool | int | float | str

SPEED: Final = "Vehicle.Speed"
IGNITION: Final = signals.IGNITION
LOCKED: Final = signals.LOCKED
BOOT: Final = signals.BOOT_OPEN
FUEL: Final = signals.FUEL
RANGE: Final = signals.RANGE
ODOMETER: Final = signals.ODOMETER
VOLTAGE: Final = signals.VOLTAGE
DOORS: Final = tuple(
    f"Vehicle.Cabin.Door.{row}.{side}.IsOpen" for row in ("Row1", "Row2") for side in ("DriverSide", "PassengerSide")
)
KEYS: Final = "Vehicle.Private.Sharebox.KeysPresent"
BUTTON: Final = "Vehicle.Private.Sharebox.KeyButton"
IMMOBILISED: Final = "Vehicle.Private.Sharebox.IsImmobilised"
CRASH: Final = "Vehicle.Private.Sharebox.Crash"
COUNTRY: Final = "Vehicle.Private.Sharebox.MobileCountryCode"

UNLOCK: Final = "UNLOCK"
LOCK: Final = "LOCK"
NONE: Final = "NONE"

FAST_MS: Final = 1_000
"""The speed and the ignition may last no longer: with a sample in half a second, 2.5 s are never reached."""
SLOW_MS: Final = 60_000


class Kind(NamedTuple):
    """`words`: what it can say, and the numbers on the bus that say so unless somebody names others; empty: it is a
    number, in `unit`, of `least` to `most`. It lasts `lasts_ms` unless told otherwise, and never above `most_ms`."""

    words: Mapping[str, tuple[int, ...]] = MappingProxyType({})
    unit: str = ""
    least: float = 0.0
    most: float = math.inf
    lasts_ms: int = 1_000
    most_ms: int = 5_000


_FLAG: Final = MappingProxyType({"false": (0,), "true": (1,)})

KINDS: Final[Mapping[str, Kind]] = MappingProxyType(
    {
        SPEED: Kind(unit="km/h", most=655.0, lasts_ms=500, most_ms=FAST_MS),
        IGNITION: Kind(MappingProxyType({"OFF": (0, 1), "ON": (2, 3)}), lasts_ms=500, most_ms=FAST_MS),
        **dict.fromkeys((*DOORS, BOOT, LOCKED, IMMOBILISED), Kind(_FLAG)),
        KEYS: Kind(unit="keys", most=15.0),
        BUTTON: Kind(MappingProxyType({NONE: (0,), UNLOCK: (1,), LOCK: (2,)})),
        CRASH: Kind(_FLAG),
        FUEL: Kind(unit="percent", most=100.0, lasts_ms=10_000, most_ms=SLOW_MS),
        RANGE: Kind(unit="m", most=5_000_000.0, lasts_ms=10_000, most_ms=SLOW_MS),
        ODOMETER: Kind(unit="km", most=16_777_214.0, lasts_ms=10_000, most_ms=SLOW_MS),
        VOLTAGE: Kind(unit="V", most=60.0, lasts_ms=10_000, most_ms=SLOW_MS),
        COUNTRY: Kind(unit="code", most=999.0, lasts_ms=10_000, most_ms=SLOW_MS),
    }
)
"""All facts there are."""


def _flag(value: Value) -> bool:
    return value in ("true", "ON")


FIELDS: Final[Mapping[str, tuple[str, Callable[[Value], bool | int | float]]]] = MappingProxyType(
    {
        SPEED: ("speed_kmh", float),
        IGNITION: ("ignition_on", _flag),
        LOCKED: ("locked", _flag),
        BOOT: ("boot_open", _flag),
        IMMOBILISED: ("immobilised", _flag),
        FUEL: ("fuel_pct", float),
        ODOMETER: ("odometer_m", lambda km: round(float(km) * 1000)),
        VOLTAGE: ("battery_mv", lambda volts: round(float(volts) * 1000)),
        RANGE: ("range_m", lambda metres: round(float(metres))),
        KEYS: ("keys_present", lambda keys: round(float(keys))),
    }
)
"""The field of VehicleSampled that a fact fills, in its unit. Doors are one field together; the rest are no state."""

DOORS_FIELD: Final = "doors_open"


def fields(facts: frozenset[str]) -> frozenset[str]:
    """What of a sample these facts tell."""
    filled = {FIELDS[fact][0] for fact in facts if fact in FIELDS}
    return frozenset(filled | {DOORS_FIELD} if facts & {*DOORS} else filled)


def possible(kind: Kind, number: float) -> float | None:
    """The number when a car can have it. Backwards is a speed, too."""
    number = abs(number) if kind.unit == "km/h" else number
    return number if math.isfinite(number) and kind.least <= number <= kind.most else None
