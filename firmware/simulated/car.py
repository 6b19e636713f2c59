"""The simulated car as values: what it is, how it changes with time, what each hand on it does.

Decides: the physics and the interlocks. All of it is pure: a car and an action, or a car and seconds, give
the next car.
Refuses to know: the module, its events, clocks and faults of the wiring.
"""

import math
from enum import IntEnum, unique
from typing import Final

import msgspec

from firmware.simulated.route import TOWN_LOOP, Route, Waypoint

ACCELERATION_KMH_PER_S: Final = 7.2
"""0 to 50 km/h in 7 s: a compact car, unhurried."""
BRAKING_KMH_PER_S: Final = 12.6
"""3.5 m/s2, firm but not an emergency."""
COASTING_KMH_PER_S: Final = 2.0
"""With the engine off, in gear."""

TANK_L: Final = 50.0
CONSUMPTION_L_PER_KM: Final = 0.065
IDLE_L_PER_H: Final = 0.8

CHARGING_MV: Final = 14_200
RESTING_MV: Final = 12_600
EMPTY_MV: Final = 11_500
DRAIN_MV_PER_H: Final = 2.0
"""20 mA of closed-circuit current on a 60 Ah battery."""

STEP_S: Final = 0.5
"""Longest step of a moving car."""

_KMH_PER_MS: Final = 3.6
_S_PER_H: Final = 3600.0


@unique
class Door(IntEnum):
    """The four doors."""

    FRONT_LEFT = 0
    FRONT_RIGHT = 1
    REAR_LEFT = 2
    REAR_RIGHT = 3


class Car(msgspec.Struct, frozen=True):
    """Everything about the car at one instant. `travelled_m` counts along `route`, `odometer_m` for ever.

    `immobilised`: a start without the key is refused. `parking`: the driver switches off at standstill. `flashes`: how
    often the indicators have flashed for whoever looks for the car. `keys`: vehicle keys that lie in it.
    """

    locked: bool = True
    open_doors: frozenset[Door] = frozenset()
    boot_open: bool = False
    ignition_on: bool = False
    immobilised: bool = True
    parking: bool = False
    speed_kmh: float = 0.0
    target_kmh: float = 0.0
    route: Route = TOWN_LOOP
    travelled_m: float = 0.0
    odometer_m: float = 12_345_678.0
    fuel_l: float = 40.0
    battery_mv: float = float(RESTING_MV)
    flashes: int = 0
    keys: int = 0

    @property
    def position(self) -> Waypoint:
        """Where the car really is."""
        return self.route.position(self.travelled_m)

    @property
    def engine_runs(self) -> bool:
        """Ignition and fuel; idling counts."""
        return self.ignition_on and self.fuel_l > 0


# ---------------------------------------------------------------- time
def advance(car: Car, seconds: float) -> Car:
    """The car `seconds` later, in steps of at most STEP_S while it moves."""
    left_s = seconds
    while left_s > 0:
        moves = car.speed_kmh > 0 or (car.target_kmh > 0 and car.engine_runs)
        step_s = min(left_s, STEP_S) if moves else left_s
        car = _step(car, step_s)
        left_s -= step_s
    return car


def _step(car: Car, seconds: float) -> Car:
    speed_kmh = _next_speed(car, seconds)
    gone_m = (car.speed_kmh + speed_kmh) / 2 / _KMH_PER_MS * seconds
    gone_m = min(gone_m, car.route.left_m(car.travelled_m))
    arrived = speed_kmh == 0
    return msgspec.structs.replace(
        car,
        speed_kmh=speed_kmh,
        travelled_m=car.travelled_m + gone_m,
        odometer_m=car.odometer_m + gone_m,
        fuel_l=_next_fuel(car, gone_m, seconds),
        battery_mv=_next_battery(car, seconds),
        ignition_on=car.ignition_on and not (car.parking and arrived),
        parking=car.parking and not arrived,
    )


def _next_speed(car: Car, seconds: float) -> float:
    if not car.engine_runs:
        return max(0.0, car.speed_kmh - COASTING_KMH_PER_S * seconds)
    left_m = car.route.left_m(car.travelled_m)
    wanted_kmh = car.target_kmh
    if left_m < math.inf:
        # v = sqrt(2 a s), looked at where the car will be after this step
        ahead_m = max(0.0, left_m - car.speed_kmh / _KMH_PER_MS * seconds)
        wanted_kmh = min(wanted_kmh, math.sqrt(2 * BRAKING_KMH_PER_S / _KMH_PER_MS * ahead_m) * _KMH_PER_MS)
    if left_m <= 0 or (car.target_kmh > 0 and wanted_kmh < 1.0 and left_m < 1.0):
        return 0.0
    if wanted_kmh >= car.speed_kmh:
        return min(wanted_kmh, car.speed_kmh + ACCELERATION_KMH_PER_S * seconds)
    return max(wanted_kmh, car.speed_kmh - BRAKING_KMH_PER_S * seconds)


def _next_fuel(car: Car, gone_m: float, seconds: float) -> float:
    if not car.engine_runs:
        return car.fuel_l
    burnt_l = max(gone_m / 1000 * CONSUMPTION_L_PER_KM, seconds / _S_PER_H * IDLE_L_PER_H)
    return max(0.0, car.fuel_l - burnt_l)


def _next_battery(car: Car, seconds: float) -> float:
    if car.engine_runs:
        return float(CHARGING_MV)
    rested_mv = min(car.battery_mv, float(RESTING_MV))
    return max(float(EMPTY_MV), rested_mv - DRAIN_MV_PER_H * seconds / _S_PER_H)


# ---------------------------------------------------------------- hands
def lock(car: Car) -> Car:
    """Central locking, by the module or the key. An open door locks once it is closed."""
    return msgspec.structs.replace(car, locked=True)


def unlock(car: Car) -> Car:
    """Central locking, by the module or the key."""
    return msgspec.structs.replace(car, locked=False)


def flash(car: Car) -> Car:
    """The indicators, once."""
    return msgspec.structs.replace(car, flashes=car.flashes + 1)


def arm(car: Car) -> Car:
    """Starts without the key are refused from now on. A running engine goes on."""
    return msgspec.structs.replace(car, immobilised=True)


def release(car: Car) -> Car:
    """Starts without the key are possible from now on."""
    return msgspec.structs.replace(car, immobilised=False)


def open_door(car: Car, door: Door, *, from_inside: bool = False) -> Car | None:
    """None: locked. From inside the handle always works, and unlocks."""
    if car.locked and not from_inside:
        return None
    return msgspec.structs.replace(car, open_doors=car.open_doors | {door}, locked=car.locked and not from_inside)


def close_door(car: Car, door: Door) -> Car:
    """Closing a closed door changes nothing."""
    return msgspec.structs.replace(car, open_doors=car.open_doors - {door})


def open_boot(car: Car) -> Car | None:
    """None: locked."""
    return None if car.locked else msgspec.structs.replace(car, boot_open=True)


def release_boot(car: Car) -> Car:
    """By the module: its latch has a motor of its own, and the doors stay locked."""
    return msgspec.structs.replace(car, boot_open=True)


def close_boot(car: Car) -> Car:
    """Closing a closed boot changes nothing."""
    return msgspec.structs.replace(car, boot_open=False)


def ignition_on(car: Car, *, with_key: bool) -> Car | None:
    """None: the immobiliser refuses. The key's transponder starts the car in every state (ACC-9)."""
    if car.ignition_on:
        return car
    if car.immobilised and not with_key:
        return None
    return msgspec.structs.replace(car, ignition_on=True)


def ignition_off(car: Car) -> Car:
    """A moving car rolls on and slows down."""
    return msgspec.structs.replace(car, ignition_on=False, parking=False, target_kmh=0.0)


def drive(car: Car, speed_kmh: float, route: Route | None = None) -> Car | None:
    """Drive at `speed_kmh`, on a new `route` from its start if given, else on along the present one; at its end, back
    the way it came, to and fro for ever. None: the engine does not run."""
    if not car.engine_runs:
        return None
    if route is None and car.route.left_m(car.travelled_m) < 1:
        route = car.route.back()
    driving = msgspec.structs.replace(car, target_kmh=speed_kmh, parking=False)
    return driving if route is None else msgspec.structs.replace(driving, route=route, travelled_m=0.0)


def stop(car: Car, *, then_park: bool = False) -> Car:
    """Brake to a standstill; `then_park` switches the ignition off there."""
    stands = car.speed_kmh == 0
    return msgspec.structs.replace(
        car,
        target_kmh=0.0,
        parking=then_park and not stands and car.ignition_on,
        ignition_on=car.ignition_on and not (then_park and stands),
    )


def refuel(car: Car) -> Car:
    """The tank is full."""
    return msgspec.structs.replace(car, fuel_l=TANK_L)


def put_keys(car: Car, keys: int) -> Car:
    """So many vehicle keys lie in the car from now on."""
    return msgspec.structs.replace(car, keys=keys)


def crash(car: Car) -> Car:
    """It stands at once, and the body controller opens the doors for whoever comes to help. The ignition stays on."""
    return msgspec.structs.replace(car, speed_kmh=0.0, target_kmh=0.0, parking=False, locked=False)
