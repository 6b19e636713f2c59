"""A car on a virtual CAN bus that speaks the matrix which comes with the package."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import can
import cantools
from cantools.database.can import Database

from firmware.adapters.can.matrix import OWN, Identifier

_LOADED = cantools.database.load_file(OWN, cache_dir=None)
assert isinstance(_LOADED, Database)
DATABASE: Database = _LOADED

AT_REST: dict[str, dict[str, float]] = {
    "Crash": {"CrashState": 0},
    "Motion": {"Speed": 0},
    "Power": {"IgnitionState": 0},
    "Closures": {
        "DoorFrontLeft": 0,
        "DoorFrontRight": 0,
        "DoorRearLeft": 0,
        "DoorRearRight": 0,
        "Boot": 0,
        "Locks": 1,
    },
    "Keys": {"KeysPresent": 0, "KeyButton": 0, "Immobiliser": 1},
    "Energy": {"FuelLevel": 55.5, "Range": 480, "BatteryVoltage": 12.6},
    "Distance": {"Odometer": 12345.6},
    "Mobile": {"CountryCode": 262},
}
"""Parked, locked, everything closed, in Germany."""


def frame(message: str, **signals: float) -> tuple[Identifier, bytes]:
    """A message of the matrix; what is not given is as AT_REST, and may be impossible."""
    definition = DATABASE.get_message_by_name(message)
    data = definition.encode({**AT_REST[message], **signals}, strict=False)
    return Identifier(definition.frame_id, False), data


class CanCar:
    """All messages of the car, each as it stands; `said` changes it, `silent` messages are not sent."""

    def __init__(self, bus: can.BusABC) -> None:
        self.bus = bus
        self.said = {message: dict(signals) for message, signals in AT_REST.items()}
        self.silent: set[str] = set()

    def say(self, message: str, **signals: float) -> None:
        """From now on, and at once."""
        self.said[message].update(signals)
        self.send(message)

    def send(self, *messages: str) -> None:
        """Once; all of them when none is named."""
        for message in messages or tuple(self.said):
            if message not in self.silent:
                identifier, data = frame(message, **self.said[message])
                self.raw(identifier.number, data)

    def raw(self, number: int, data: bytes, *, extended: bool = False, remote: bool = False) -> None:
        """Any frame. A car does not wait for whoever should listen."""
        sent = can.Message(arbitration_id=number, data=data, is_extended_id=extended, is_remote_frame=remote)
        with suppress(can.CanOperationError):
            self.bus.send(sent, timeout=0)

    def error(self, kinds: int) -> None:
        """An error frame, as the kernel makes one of what the controller says."""
        self.bus.send(can.Message(arbitration_id=kinds, data=bytes(8), is_error_frame=True, is_extended_id=False))

    async def speak(self) -> None:
        """Send all again and again: what matters fast, as often as it must be, the rest once a second."""
        while True:
            self.send()
            for _ in range(3):
                await asyncio.sleep(0.25)
                self.send("Motion", "Power")
            await asyncio.sleep(0.2)


@contextmanager
def can_car(channel: str) -> Iterator[CanCar]:
    """On the virtual bus `channel`, of this process."""
    with can.Bus(channel, "virtual", ignore_config=True) as bus:
        yield CanCar(bus)
