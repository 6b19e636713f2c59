"""The vehicle's signals that a module reports: COVESA VSS names, units and ranges; its own under `Private.Sharebox`.

Decides what a value may look like. Refuses to know where it comes from. Nothing from which a track could be rebuilt is
in this list (PRV-6): a signal that is not in it is not sent.
"""

from types import MappingProxyType
from typing import Final, NamedTuple

from protocol.values import Phase


class Signal(NamedTuple):
    """`kind`: `boolean`, `integer`, `number` or `string`. `unit`: as VSS writes it. `allowed`: all that it can say."""

    meaning: str
    kind: str
    unit: str = ""
    least: int | None = None
    most: int | None = None
    allowed: tuple[str, ...] = ()


IGNITION: Final = "Vehicle.LowVoltageSystemState"
LOCKED: Final = "Vehicle.Cabin.Door.Row1.DriverSide.IsLocked"
DOORS_OPEN: Final = "Vehicle.Private.Sharebox.AnyDoorIsOpen"
BOOT_OPEN: Final = "Vehicle.Body.Trunk.Rear.IsOpen"
DRIVE_ENABLED: Final = "Vehicle.Private.Sharebox.DriveIsEnabled"
BOOKING_PHASE: Final = "Vehicle.Private.Sharebox.BookingPhase"
FUEL: Final = "Vehicle.Powertrain.FuelSystem.RelativeLevel"
RANGE: Final = "Vehicle.Powertrain.Range"
ODOMETER: Final = "Vehicle.TraveledDistance"
VOLTAGE: Final = "Vehicle.LowVoltageBattery.CurrentVoltage"

SIGNALS: Final = MappingProxyType(
    {
        IGNITION: Signal("whether the ignition is on", "string", allowed=("OFF", "ON")),
        LOCKED: Signal("whether the doors are locked; they are locked together", "boolean"),
        DOORS_OPEN: Signal("whether any door is open", "boolean"),
        BOOT_OPEN: Signal("whether the boot is open", "boolean"),
        DRIVE_ENABLED: Signal("whether the module has released the immobiliser", "boolean"),
        BOOKING_PHASE: Signal(
            "the life of the booking in the car", "string", allowed=tuple(phase.name.lower() for phase in Phase)
        ),
        FUEL: Signal("level in the tank", "integer", "percent", 0, 100),
        RANGE: Signal("how far it goes with that, in whole km", "integer", "m", 0),
        ODOMETER: Signal("distance since the car was built, in tenths", "number", "km", 0),
        VOLTAGE: Signal("of the 12 V battery, in tenths", "number", "V", 0),
    }
)

SLOW: Final = frozenset({FUEL, RANGE, ODOMETER, VOLTAGE})
"""Told from time to time; the others as soon as they change."""
