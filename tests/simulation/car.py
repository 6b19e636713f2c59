"""The car as it really is, and what the module is told of it."""

from typing import Final

from firmware.core.events import Action, Fix, VehicleSampled

HOME: Final = (481_371_540, 115_761_240)
LIE_MS: Final = 4_000
"""A bus that says "standing" of a moving car does so for less than the five seconds that make a car parked."""


class Car:
    """Ground truth. A place is a number; each becomes a latitude of its own, so a position tells where it is from."""

    def __init__(self) -> None:
        self.ignition = False
        self.moving = False
        self.by_key = False
        self.moves_since = 0
        """When it last drove off."""
        self.locked = True
        self.doors_open = False
        self.immobilised = True
        self.actuators = "alive"
        """Or "dead": nothing moves; "mute": it moves and says that it did not; "slow": it moves when it is too late."""
        self.bus = "speaks"
        """Or "silent", or what it says of the speed instead of the truth."""
        self.gnss = "good"
        """Or "lost", "nonsense"."""
        self.gnss_error_ms = 0
        self.place = 0
        self.boots_opened = 0
        self.odometer_m = 1_000_000
        self.keys = 0
        """Vehicle keys that lie in it."""
        self._fix: tuple[int, int, int] | None = None

    @property
    def standing(self) -> bool:
        """Whether it truly is parked: wheels and engine at rest."""
        return not self.moving and not self.ignition

    def position(self) -> tuple[int, int]:
        """Degrees times 10^7."""
        return HOME[0] + self.place * 10_000, HOME[1]

    def act(self, action: Action) -> bool:
        """Carry an action out; whether the car says that it did."""
        if self.actuators == "dead":
            return False
        match action:
            case Action.UNLOCK:
                self.locked = False
            case Action.LOCK:
                self.locked = True
            case Action.OPEN_BOOT:
                self.boots_opened += 1
            case Action.RELEASE_IMMOBILISER:
                self.immobilised = False
            case Action.ARM_IMMOBILISER:
                self.immobilised = True
        return self.actuators == "alive"

    def sample(self, utc_ms: int, mono: int) -> VehicleSampled | None:
        """What the bus says, or None while it is silent."""
        if self.bus == "silent":
            return None
        speed: float | None = 50.0 if self.moving else 0.0
        ignition: bool | None = self.ignition
        match self.bus:
            case "zero":
                speed, ignition = 0.0, False
            case "nan":
                speed = float("nan")
            case "unknown":
                speed, ignition = None, None
            case "dim":
                speed, ignition = 0.0, None
            case "negative":
                speed, ignition = -1.0, False
            case _:
                pass
        if self.gnss == "good":
            latitude, longitude = self.position()
            self._fix = (latitude, longitude, utc_ms + self.gnss_error_ms)
            fix: Fix | None = Fix(latitude, longitude, utc_ms + self.gnss_error_ms, mono)
        elif self.gnss == "nonsense":
            fix = Fix(0, 0, utc_ms, mono)
        else:
            # Nobody has forgotten where it was last.
            fix = None if self._fix is None else Fix(*self._fix, mono - 60_000)
        seen = self.locked, self.doors_open, False, self.immobilised, 60.0, self.odometer_m, 12_600, fix
        return VehicleSampled(ignition, speed, *seen, keys_present=self.keys)

    def forget(self) -> None:
        """The receiver lost its power."""
        self._fix = None
