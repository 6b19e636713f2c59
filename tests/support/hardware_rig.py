"""A module with a real car's parts: pins behind libgpiod's calls, a virtual CAN bus, and a receiver on a terminal line.

The car is ours: relays move it, and it tells of that on its bus.
"""

import asyncio
import datetime
import os
import pty
import tty
from datetime import UTC
from typing import Final

import can
import msgspec

from firmware.adapters.can.bus import CanBus, opener
from firmware.adapters.can.matrix import Matrix
from firmware.adapters.gnss.receiver import Satellites, SerialPort
from firmware.adapters.gnss.sentences import Sentences
from firmware.adapters.gpio.pins import Pins
from firmware.adapters.gpio.settings import LineId, Relay, Wiring
from firmware.bench.rack import Parts
from firmware.core.events import Action
from firmware.demo.rig import Rig
from firmware.hardware import HardwareVehicle
from host_tools.virtual_time import VirtualTimeLoop
from tests.support.can_car import CanCar
from tests.support.pins import Chip
from tests.support.sentences import gga, rmc

UNLOCK, LOCK, IMMOBILISER = 5, 6, 13
PULSE_MS: Final = 20


class HardwareRig(Rig):
    """A Rig whose vehicle is made of parts. `car` speaks on the bus, `chip` has the relays."""

    def __init__(self) -> None:
        super().__init__("hardware")
        self.chip = Chip()
        self.chip.moved = self._relay_moved
        self.channel = f"hardware {id(self)}"
        self.bus = can.Bus(self.channel, "virtual", ignore_config=True)
        self.can_car = CanCar(self.bus)
        self.unplugged = False
        self._heard: can.BusABC | None = None
        self.receiver, line = pty.openpty()
        tty.setraw(line)
        self._line = line
        self.hardware: HardwareVehicle

    def _parts(self) -> Parts:
        mono_ms = self.clock.monotonic_ms
        matrix = Matrix()
        open_bus = opener("virtual", self.channel, None, matrix.identifiers)

        def opened() -> can.BusABC:
            if self.unplugged:
                raise OSError("No such device")
            self._heard = open_bus()
            return self._heard

        pulses = {Action.UNLOCK: Relay(UNLOCK, pulse_ms=PULSE_MS), Action.LOCK: Relay(LOCK, pulse_ms=PULSE_MS)}
        self._loop = asyncio.get_running_loop()
        self.hardware = HardwareVehicle(
            {
                "gpio": Pins(Wiring("chip", pulses, Relay(IMMOBILISER)), self.chip, mono_ms),
                "can": CanBus(opened, matrix, mono_ms),
                "gnss": Satellites(SerialPort(os.ttyname(self._line), 9600), lambda: Sentences(mono_ms)),
            }
        )
        return msgspec.structs.replace(super()._parts(), vehicle=self.hardware)

    def _relay_moved(self, line: LineId, active: bool) -> None:
        if active and line in (UNLOCK, LOCK):
            locks = 1.0 if line == LOCK else 0.0
            self._loop.call_soon_threadsafe(lambda: self.can_car.say("Closures", Locks=locks))

    def unplug(self) -> None:
        """The module's CAN adapter, until `unplugged` is False again."""
        self.unplugged = True
        if self._heard is not None:
            self._heard.shutdown()

    def close(self) -> None:
        """After the module is gone."""
        self.bus.shutdown()
        os.close(self.receiver)
        os.close(self._line)

    # ------------------------------------------------------------ the sky
    def sees(self, minutes_east: float = 31.0) -> None:
        """The receiver says where the car is, at the rig's own time."""
        at = datetime.datetime.fromtimestamp(self.clock.rtc().utc_ms / 1000, UTC)
        place = f"4807.0380,N,011{minutes_east:07.4f},E"
        time = at.strftime("%H%M%S.%f")[:-4]
        os.write(self.receiver, rmc(time, place=place, date=at.strftime("%d%m%y")) + gga(time, place=place))

    async def found(self, minutes_east: float) -> None:
        """Wait until the module knows this place. Bytes on a terminal take real time, so none passes meanwhile."""
        wanted = round((11 + minutes_east / 60) * 1e7)

        def unknown() -> bool:
            fix = self.hardware.sample().fix
            return fix is None or abs(fix.longitude_e7 - wanted) > 10

        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualTimeLoop)
        while unknown():
            self.sees(minutes_east)
            with loop.hold():
                await asyncio.sleep(0.02)
            await asyncio.sleep(1)
