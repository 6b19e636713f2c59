"""What the desk works on: a module on a stand, which outlives the module's power. Seams only."""

from contextlib import AbstractContextManager
from typing import Protocol

import msgspec

from firmware.bench.disk import StoreSwitch
from firmware.bench.recorder import Recorder
from firmware.bench.rescue import EmergencySwitch
from firmware.bench.switches import BrokerSwitch, RadioSwitch
from firmware.bench.taps import Taps
from firmware.core.effects import Effect
from firmware.core.events import Event
from firmware.core.state import Profile, State
from firmware.ports import VoidFrom
from firmware.pump import Pump
from firmware.simulated.vehicle import SimulatedVehicle


class Time(Protocol):
    """The bench's time: the world's UTC, and the module's monotonic clock."""

    @property
    def rate(self) -> float:
        """Bench seconds in a real second; 0 while frozen."""

    def utc_ms(self) -> int:
        """UTC of the world around the module: what its RTC and the satellites say."""

    def set_utc(self, utc_ms: int) -> None:
        """From now on the world says so; the module believes it by its own rules. Time does not pass by this."""

    def monotonic_ms(self) -> int:
        """Time that has passed, also what was moved; never goes back."""

    async def move(self, seconds: float) -> None:
        """Let that much time pass at once; returns when it has. Raises DeskError NOT_HERE without a bench clock."""

    def freeze(self) -> None:
        """No time passes. Raises DeskError NOT_HERE."""

    def go(self) -> None:
        """Time passes as outside. Raises DeskError NOT_HERE."""

    def race(self, factor: float) -> None:
        """Time passes `factor` times as fast. Raises DeskError NOT_HERE."""

    def passing(self) -> AbstractContextManager[None]:
        """Inside time passes even while it is frozen: something has to come to its end."""


class Facts(msgspec.Struct, frozen=True):
    """What of the provisioning may be known by everybody. Keys as compressed points, `issuers` by key id."""

    module_id: bytes
    key_epoch: int = 0
    handshake_key: bytes = b""
    signing_key: bytes = b""
    issuers: tuple[bytes, ...] = ()


class Contents(msgspec.Struct, frozen=True):
    """What a disk is to hold, as `StorePort.commit` takes it."""

    state: bytes
    vital: bytes
    void_from: VoidFrom


class Stand(Protocol):
    """A module on a stand. `pump` is None without power; everything else stays."""

    @property
    def pump(self) -> Pump | None:
        """The module at work."""

    @property
    def profile(self) -> Profile:
        """What provisioning fixed and may be shown."""

    @property
    def facts(self) -> Facts:
        """What may be shown of it."""

    @property
    def vehicle(self) -> SimulatedVehicle | None:
        """The simulated car; None: another one."""

    @property
    def time(self) -> Time:
        """The bench's time."""

    @property
    def radio(self) -> RadioSwitch:
        """Between the module and everything that carries phones."""

    @property
    def ble(self) -> RadioSwitch:
        """Between that and Bluetooth."""

    @property
    def broker(self) -> BrokerSwitch | None:
        """Between the module and its broker; None: it has none."""

    @property
    def emergency(self) -> EmergencySwitch | None:
        """Between the module and the emergency centre; None: it has no such line."""

    @property
    def store(self) -> StoreSwitch:
        """Between the module and its disk."""

    @property
    def recorder(self) -> Recorder | None:
        """What can write down all that the module is told and does; None: nothing can."""

    @property
    def steps(self) -> Taps[Event, State, tuple[Effect, ...]]:
        """Hears every step of the module, of every boot."""

    @property
    def powered(self) -> Taps[str]:
        """Hears "on", "off" and "cut"."""

    async def power_on(self, *, rtc_offset_s: float | None = 0.0) -> None:
        """Boot; returns when the module is on the air. The RTC is off by so much; None: it has lost the time. With
        power already, nothing. Raises DeskError FAILED."""

    async def power_off(self, *, cut: bool) -> None:
        """Take the power away: at once, or in good order. Without power, nothing."""

    async def restart(self, *, rtc_offset_s: float | None = 0.0, contents: Contents | None = None) -> None:
        """Off in good order, `contents` onto the disk in place of what is there, and on: nobody else switches in
        between. Without power it begins with the second. Raises DeskError FAILED, and StoreFailed when the contents
        could not be stored: then there is no power."""
