"""The car's signals by name: COVESA VSS where it has one, and the module's own short one; values as they are typed.

Decides names, units and what may be typed. Units in results are those of VSS.
"""

import math
from collections.abc import Callable
from typing import Final, NamedTuple

from firmware.bench.grammar import Kind
from firmware.core.events import VehicleSampled
from firmware.core.geo import usable
from protocol import signals as vss
from protocol.telemetry import LATITUDE, LONGITUDE

SPEED: Final = "Vehicle.Speed"
IMMOBILISED: Final = "Vehicle.Private.Sharebox.IsImmobilised"
KEYS: Final = "Vehicle.Private.Sharebox.VehicleKeysInside"
DEGREES_E7: Final = 1e7

Value = bool | int | float | str | None


class Signal(NamedTuple):
    """`field`: of a sample. `shown`: the value in VSS's units; `read`: the inverse, from what was typed."""

    field: str
    name: str
    shown: Callable[[float], Value]
    read: Callable[[str], object]


def _switch(word: str) -> bool:
    if word.lower() in ("true", "on", "yes", "1"):
        return True
    if word.lower() in ("false", "off", "no", "0"):
        return False
    raise ValueError("it is neither on nor off")


def _number(per: float, *, whole: bool, most: float = 1e9) -> Callable[[str], object]:
    def read(word: str) -> object:
        try:
            value = float(word)
        except ValueError:
            raise ValueError("it is no number") from None
        if not math.isfinite(value) or not 0 <= value <= most:
            raise ValueError(f"it is not between 0 and {most:g}")
        return round(value * per) if whole else value * per

    return read


_ALL: Final = (
    Signal("ignition_on", vss.IGNITION, lambda on: "ON" if on else "OFF", _switch),
    Signal("locked", vss.LOCKED, bool, _switch),
    Signal("doors_open", vss.DOORS_OPEN, bool, _switch),
    Signal("boot_open", vss.BOOT_OPEN, bool, _switch),
    Signal("immobilised", IMMOBILISED, bool, _switch),
    Signal("speed_kmh", SPEED, lambda value: value, _number(1.0, whole=False, most=400)),
    Signal("fuel_pct", vss.FUEL, lambda value: value, _number(1.0, whole=False, most=100)),
    Signal("range_m", vss.RANGE, lambda value: value, _number(1.0, whole=True, most=1e8)),
    Signal("odometer_m", vss.ODOMETER, lambda value: round(value / 1000, 1), _number(1000.0, whole=True, most=1e7)),
    Signal("battery_mv", vss.VOLTAGE, lambda value: round(value / 1000, 2), _number(1000.0, whole=True, most=100)),
    Signal("keys_present", KEYS, lambda value: value, _number(1.0, whole=True, most=2)),
)
SIGNALS: Final = {signal.field: signal for signal in _ALL}
FIX: Final = "fix"
"""The receiver's last fix: it can be hidden, and is moved by driving."""
_BY_NAME: Final = {signal.name.lower(): signal.field for signal in _ALL} | {each: each for each in (*SIGNALS, FIX)}


def field_of(word: str) -> str:
    """The field that is called so. Raises ValueError."""
    found = _BY_NAME.get(word.lower())
    if found is None:
        raise ValueError("there is no such signal")
    return found


def read(field: str, word: str) -> object:
    """A typed value for `field`; `unknown` is None. Raises ValueError."""
    if word.lower() == "unknown":
        return None
    if field == FIX:
        raise ValueError("a fix can only be `unknown`; drive there")
    return SIGNALS[field].read(word)


def shown(sample: VehicleSampled) -> dict[str, object]:
    """What the bus tells, by VSS name, None for what it does not; with the position in degrees."""
    found: dict[str, object] = {}
    for signal in _ALL:
        value = getattr(sample, signal.field)
        found[signal.name] = None if value is None else signal.shown(value)
    fix = usable(sample.fix)
    found[LATITUDE] = None if fix is None else fix.latitude_e7 / DEGREES_E7
    found[LONGITUDE] = None if fix is None else fix.longitude_e7 / DEGREES_E7
    return found


SIGNAL: Final = Kind[object]("SIGNAL", field_of, lambda: (*SIGNALS, FIX, *(each.name for each in _ALL)))
SETTABLE: Final = Kind[object]("SIGNAL", field_of, lambda: (*SIGNALS, *(each.name for each in _ALL)))
