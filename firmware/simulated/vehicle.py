"""The simulated vehicle: a `VehiclePort` with a driver's hands and the faults of a real car.

Decides: when the module gets a sample, how long an actuator takes, and what a fault hides.
Refuses to know: bookings and permissions; physics is in `car`, places in `route`.

Time comes from outside: `mono_ms` moves the car, `utc_ms` stamps the fixes, and asyncio paces the samples, so
the same program gives the same samples on virtual time.
"""

import asyncio
from collections.abc import Callable, Iterable
from enum import Enum, unique
from typing import TYPE_CHECKING, Final

import msgspec

from firmware.core.events import (
    Action,
    CrashDetected,
    EmergencyCancelled,
    EmergencyPressed,
    Fix,
    KeyButton,
    NetworkServing,
    VehicleKeyUsed,
    VehicleSampled,
)
from firmware.ports import VehicleFact
from firmware.simulated import car as model
from firmware.simulated.car import Car, Door
from firmware.simulated.gnss import Receiver
from firmware.simulated.route import Route, Waypoint

if TYPE_CHECKING:
    from firmware.simulated.player import Player

SAMPLE_PERIOD_S: Final = 0.5
ACTUATION_S: Final = 0.15
"""A central-locking motor, end stop to end stop."""
CONFIRMATION_S: Final = 1.5
"""How long the body controller waits for a confirmation that does not come; the port allows 2 s."""

DEFAULT_SPEED_KMH: Final = 50.0

SIGNALS: Final = frozenset(VehicleSampled.__struct_fields__)
"""Names of what a sample can tell."""

_ACTUATORS: Final[dict[Action, Callable[[Car], Car]]] = {
    Action.UNLOCK: model.unlock,
    Action.LOCK: model.lock,
    Action.RELEASE_IMMOBILISER: model.release,
    Action.ARM_IMMOBILISER: model.arm,
    Action.FLASH: model.flash,
    Action.OPEN_BOOT: model.release_boot,
}


@unique
class ActuatorFault(Enum):
    """How an actuator fails."""

    NO_CONFIRMATION = "moves, but does not confirm"
    DEAD = "does not move"


class Snapshot(msgspec.Struct, frozen=True):
    """The car as somebody beside it sees it, faults of the wiring aside."""

    locked: bool
    open_doors: tuple[Door, ...]
    boot_open: bool
    ignition_on: bool
    immobilised: bool
    speed_kmh: float
    fuel_pct: float
    odometer_m: int
    battery_mv: int
    latitude: float
    longitude: float
    has_fix: bool
    keys: int


class SimulatedVehicle:
    """`VehiclePort`, and the hands of whoever is at the car. Verbs act at once and tell whether it worked."""

    def __init__(self, utc_ms: Callable[[], int], mono_ms: Callable[[], int], *, car: Car | None = None) -> None:
        self._utc_ms = utc_ms
        self._mono_ms = mono_ms
        self._car = car if car is not None else Car()
        self._moved_at_ms = mono_ms()
        self._receiver = Receiver()
        self._changed = asyncio.Event()
        self._actuator_faults: dict[Action, ActuatorFault] = {}
        self._hidden: frozenset[str] = frozenset()
        self._overrides: dict[str, object] = {}
        self._bus_silent = False
        self._boot_ajar = False
        self._player: Player | None = None
        self._tell: Callable[[VehicleFact], None] | None = None
        self._serving: NetworkServing | None = None

    # ------------------------------------------------------------ the module's side
    async def run(self, told: Callable[[VehicleFact], None]) -> None:
        """As VehiclePort: a sample every SAMPLE_PERIOD_S, and at once after each change by hand or actuator."""
        self._tell = told
        try:
            if self._serving is not None:
                told(self._serving)
            await self._sampling(told)
        finally:
            self._tell = None

    async def _sampling(self, sampled: Callable[[VehicleSampled], None]) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time() + SAMPLE_PERIOD_S
        while True:
            self._changed.clear()
            told = None if self._bus_silent else self._told()
            if told is not None:
                sampled(told)
            try:
                async with asyncio.timeout_at(due):
                    await self._changed.wait()
            except TimeoutError:
                # Not asked of the clock again: a timer may fire a rounding error before its time.
                due = max(due + SAMPLE_PERIOD_S, loop.time())

    async def actuate(self, action: Action) -> bool:
        """As VehiclePort."""
        fault = self._actuator_faults.get(action)
        await asyncio.sleep(ACTUATION_S)
        if fault is not ActuatorFault.DEAD:
            self._change(_ACTUATORS[action](self._now()))
        if fault is None:
            return True
        await asyncio.sleep(CONFIRMATION_S)
        return False

    def sample(self) -> VehicleSampled:
        """What the bus tells at this instant."""
        car = self._now()
        seen = VehicleSampled(
            ignition_on=car.ignition_on,
            speed_kmh=round(car.speed_kmh, 1),
            locked=car.locked,
            doors_open=bool(car.open_doors),
            boot_open=car.boot_open or self._boot_ajar,
            immobilised=car.immobilised,
            fuel_pct=_fuel_pct(car),
            odometer_m=int(car.odometer_m),
            battery_mv=_battery_mv(car),
            fix=self._look(car),
            range_m=int(car.fuel_l / model.CONSUMPTION_L_PER_KM) * 1000,
            keys_present=car.keys,
        )
        return self._falsified(seen)

    # ------------------------------------------------------------ doors and key
    def open_door(self, door: Door = Door.FRONT_LEFT, *, from_inside: bool = False) -> bool:
        """False: locked."""
        return self._try(model.open_door(self._now(), door, from_inside=from_inside))

    def close_door(self, door: Door = Door.FRONT_LEFT) -> bool:
        """Always works."""
        return self._try(model.close_door(self._now(), door))

    def open_boot(self) -> bool:
        """False: locked."""
        return self._try(model.open_boot(self._now()))

    def close_boot(self) -> bool:
        """False: it is ajar, and does not latch."""
        return self._try(None if self._boot_ajar else model.close_boot(self._now()))

    def use_key(self, button: KeyButton) -> None:
        """The vehicle key. Works in every state of the module, the actuators' faults included (ACC-9)."""
        by_key = model.unlock if button is KeyButton.UNLOCK else model.lock
        self._change(by_key(self._now()))
        if not self._bus_silent:
            self._happened(VehicleKeyUsed(button))

    def put_keys(self, keys: int) -> None:
        """So many vehicle keys lie in the car from now on."""
        self._change(model.put_keys(self._now(), keys))

    # ------------------------------------------------------------ network and emergency
    def serve(self, mcc: int | None) -> None:
        """From now on a mobile network of this country serves the car; None: none does."""
        self._serving = NetworkServing(mcc)
        self._happened(self._serving)

    def crash(self) -> None:
        """The car stands at once, and its crash sensors speak, on a wire of their own."""
        self._change(model.crash(self._now()))
        self._happened(CrashDetected())

    def press_emergency(self) -> None:
        """The emergency button."""
        self._happened(EmergencyPressed())

    def cancel_emergency(self) -> None:
        """The emergency button, once more."""
        self._happened(EmergencyCancelled())

    # ------------------------------------------------------------ driving
    def turn_ignition(self, on: bool, *, with_key: bool = False) -> bool:
        """False: the immobiliser refused the start. Switching off always works."""
        car = self._now()
        return self._try(model.ignition_on(car, with_key=with_key) if on else model.ignition_off(car))

    def drive(self, route: Route | None = None, speed_kmh: float = DEFAULT_SPEED_KMH) -> bool:
        """Along `route` from its start, or on along the present one. False: the engine does not run."""
        return self._try(model.drive(self._now(), speed_kmh, route))

    def drive_to(self, place: Waypoint, speed_kmh: float = DEFAULT_SPEED_KMH) -> bool:
        """Straight to `place`, and stop there. False: the engine does not run, or the car is there already."""
        here = self._now().position
        return here != place and self.drive(Route((here, place)), speed_kmh)

    def stop(self) -> None:
        """Brake to a standstill; the ignition stays on."""
        self._change(model.stop(self._now()))

    def park(self) -> None:
        """Brake to a standstill, then switch the ignition off."""
        self._change(model.stop(self._now(), then_park=True))

    def refuel(self) -> None:
        """The tank is full."""
        self._change(model.refuel(self._now()))

    # ------------------------------------------------------------ faults
    def lose_fix(self) -> None:
        """Underground: the last fix grows old."""
        self._receiver.sees_sky = False

    def regain_fix(self) -> None:
        """Under the open sky again."""
        self._receiver.sees_sky = True
        self._changed.set()

    def break_actuator(self, action: Action, fault: ActuatorFault) -> None:
        """From now on `action` fails so."""
        self._actuator_faults[action] = fault

    def repair_actuator(self, action: Action) -> None:
        """It works."""
        self._actuator_faults.pop(action, None)

    def repair_actuators(self) -> None:
        """All actuators work."""
        self._actuator_faults.clear()

    def hide(self, *signals: str) -> None:
        """These signals, and only these, are unknown (None) from now on. Names as in SIGNALS."""
        _known(signals)
        self._hidden = frozenset(signals)
        self._changed.set()

    @property
    def hidden(self) -> frozenset[str]:
        """The signals that are unknown."""
        return self._hidden

    def override(self, signal: str, value: object) -> None:
        """From now on the bus tells `value`, of the signal's own type, whatever the car does; None: unknown."""
        _known((signal,))
        self._overrides[signal] = value
        self._changed.set()

    def release(self, *signals: str) -> None:
        """The bus tells the truth about these again."""
        _known(signals)
        for signal in signals:
            self._overrides.pop(signal, None)
        self._hidden -= {*signals}
        self._changed.set()

    @property
    def overrides(self) -> dict[str, object]:
        """What the bus is made to tell."""
        return dict(self._overrides)

    def silence_bus(self, silent: bool = True) -> None:
        """No samples at all while silent."""
        self._bus_silent = silent
        self._changed.set()

    def leave_boot_ajar(self, ajar: bool = True) -> None:
        """The boot's contact says open, whatever is done to the boot."""
        self._boot_ajar = ajar
        self._changed.set()

    # ------------------------------------------------------------ traces
    @property
    def player(self) -> "Player | None":
        """The trace that is played."""
        return self._player

    def play(self, player: "Player | None") -> None:
        """Tell what a trace tells in place of the truth, faults on top; None: the truth again."""
        self._player = player
        self._changed.set()

    # ------------------------------------------------------------ looking
    def snapshot(self) -> Snapshot:
        """The car at this instant."""
        car = self._now()
        return Snapshot(
            locked=car.locked,
            open_doors=tuple(sorted(car.open_doors)),
            boot_open=car.boot_open or self._boot_ajar,
            ignition_on=car.ignition_on,
            immobilised=car.immobilised,
            speed_kmh=round(car.speed_kmh, 1),
            fuel_pct=_fuel_pct(car),
            odometer_m=int(car.odometer_m),
            battery_mv=_battery_mv(car),
            latitude=car.position.latitude,
            longitude=car.position.longitude,
            has_fix=self._receiver.sees_sky,
            keys=car.keys,
        )

    # ------------------------------------------------------------ inside
    def _now(self) -> Car:
        now_ms = self._mono_ms()
        self._car = model.advance(self._car, (now_ms - self._moved_at_ms) / 1000)
        self._moved_at_ms = now_ms
        return self._car

    def _told(self) -> VehicleSampled | None:
        """What goes to the module; None: nothing."""
        seen = self.sample()
        if self._player is None:
            return seen
        played = self._player.look(seen, utc_ms=self._utc_ms(), mono_ms=self._mono_ms())
        return None if played is None else self._falsified(played)

    def _falsified(self, seen: VehicleSampled) -> VehicleSampled:
        if not self._hidden and not self._overrides:
            return seen
        return msgspec.structs.replace(seen, **{**self._overrides, **dict.fromkeys(self._hidden)})

    def _look(self, car: Car) -> Fix | None:
        return self._receiver.look(car.position, utc_ms=self._utc_ms(), mono_ms=self._mono_ms())

    def _happened(self, fact: VehicleFact) -> None:
        if self._tell is not None:
            self._tell(fact)

    def _try(self, changed: Car | None) -> bool:
        if changed is None:
            return False
        self._change(changed)
        return True

    def _change(self, changed: Car) -> None:
        self._car = changed
        self._changed.set()


def _known(signals: Iterable[str]) -> None:
    unknown = {*signals} - SIGNALS
    if unknown:
        raise ValueError(f"no signal is called {', '.join(sorted(unknown))}: {', '.join(sorted(SIGNALS))}")


def _fuel_pct(car: Car) -> float:
    return round(100 * car.fuel_l / model.TANK_L, 1)


def _battery_mv(car: Car) -> int:
    return int(round(car.battery_mv, -1))
