"""What a module is fitted with by its file: the simulated car, or the parts of a real one.

Wiring, nothing is decided here but which part is built. Libraries that only a real car needs are brought in when it
has such a part.
"""

from collections.abc import Callable
from contextlib import suppress
from typing import Final, NamedTuple

from firmware.config import Config, ConfigError, VehicleTable
from firmware.core.events import Action
from firmware.hardware import HardwareVehicle, StandIn
from firmware.ports import PartLost, VehiclePart, VehiclePort
from firmware.simulated.vehicle import SIGNALS, SimulatedVehicle
from firmware.wiring import CanTable, GnssTable, GpioTable, InputTable, PartName

INSTALL: Final = "install what it needs: pip install 'sharebox[hardware]'"

_TOLD_BY: Final[dict[PartName, frozenset[str]]] = {
    "gpio": frozenset({"locked", "doors_open", "boot_open", "immobilised"}),
    "can": SIGNALS - {"fix", "locked", "immobilised"},
    "gnss": frozenset({"fix"}),
}
"""What the simulated car tells in place of each part. What relays move, only whoever has them knows."""

MonoMs = Callable[[], int]


class Fitted(NamedTuple):
    """`hands`: the simulated car, where there is one."""

    vehicle: VehiclePort
    hands: SimulatedVehicle | None = None


def fitted(config: Config, simulated: SimulatedVehicle, mono_ms: MonoMs) -> Fitted:
    """The vehicle of the file, `simulated` or with it. Raises ConfigError."""
    if config.vehicle.kind != "hardware":
        return Fitted(simulated, simulated)
    made = parts(config, mono_ms)
    instead = config.vehicle.simulate
    if not instead:
        return Fitted(HardwareVehicle(made))
    made["simulated"] = StandIn(
        simulated,
        mono_ms,
        gives=frozenset[str]().union(*(_TOLD_BY[part] for part in instead)),
        actions=frozenset(Action) if "gpio" in instead else frozenset(),
        events="can" in instead,
    )
    return Fitted(HardwareVehicle(made), simulated)


def parts(config: Config, mono_ms: MonoMs) -> dict[str, VehiclePart]:
    """The real parts, by name, in the order in which they go before each other: a wire that somebody has laid before
    what the bus says. Relays are in their safe posture when this returns. Raises ConfigError."""
    table = config.vehicle
    made: dict[str, VehiclePart] = {}
    for name, build in (("gpio", _gpio), ("can", _can), ("gnss", _gnss)):
        try:
            part = build(config, table, mono_ms)
        except ImportError as error:
            raise ConfigError(f"[vehicle.{name}]: {error}; {INSTALL}") from None
        if part is not None:
            made[name] = part
    return made


# ---------------------------------------------------------------- pins
def _gpio(_config: Config, vehicle: VehicleTable, mono_ms: MonoMs) -> VehiclePart | None:
    if vehicle.gpio is None:
        return None
    from firmware.adapters.gpio.lines import requester
    from firmware.adapters.gpio.pins import Pins
    from firmware.adapters.gpio.settings import Input, Relay, Wiring

    def wire(table: InputTable) -> Input:
        return Input(table.line, table.active_low, table.pull, table.debounce_ms)

    table: GpioTable = vehicle.gpio
    relays, inputs = table.relays, table.inputs
    pulses = {
        action: Relay(relay.line, relay.active_low, relay.pulse_ms)
        for action, relay in (
            (Action.UNLOCK, relays.unlock),
            (Action.LOCK, relays.lock),
            (Action.OPEN_BOOT, relays.boot),
            (Action.FLASH, relays.flash),
        )
        if relay is not None
    }
    wires = {
        field: tuple(wire(each) for each in several if each is not None)
        for field, several in (
            ("ignition_on", (inputs.ignition,)),
            ("doors_open", inputs.doors),
            ("boot_open", (inputs.boot,)),
            ("locked", (inputs.locked,)),
            ("immobilised", (inputs.immobilised,)),
        )
        if any(each is not None for each in several)
    }
    held = relays.immobiliser
    immobiliser = None if held is None else Relay(held.line, held.active_low)
    pins = Pins(Wiring(table.chip, pulses, immobiliser, wires), requester(table.chip), mono_ms)
    # Else it is tried again, and complained about, as soon as the module is at work.
    with suppress(PartLost):
        pins.open()
    return pins


# ---------------------------------------------------------------- bus
def _can(config: Config, vehicle: VehicleTable, mono_ms: MonoMs) -> VehiclePart | None:
    if vehicle.can is None:
        return None
    from firmware.adapters.can.bus import CanBus, opener
    from firmware.adapters.can.matrix import Matrix, MatrixError, Wanted

    table: CanTable = vehicle.can
    try:
        if table.dbc:
            wanted = {
                fact: Wanted(each.signal, each.timeout_ms, each.scale, each.values)
                for fact, each in table.signals.items()
            }
            matrix = Matrix(config.path(table.dbc), wanted)
        else:
            matrix = Matrix()
    except MatrixError as error:
        raise ConfigError(f"[vehicle.can]: {error}") from None
    return CanBus(opener(table.interface, table.channel, table.bitrate, matrix.identifiers), matrix, mono_ms)


# ---------------------------------------------------------------- receiver
def _gnss(_config: Config, vehicle: VehicleTable, mono_ms: MonoMs) -> VehiclePart | None:
    if vehicle.gnss is None:
        return None
    from firmware.adapters.gnss.receiver import Daemon, Satellites, SerialPort
    from firmware.adapters.gnss.reports import Reports
    from firmware.adapters.gnss.sentences import Sentences

    table: GnssTable = vehicle.gnss
    if table.device:
        return Satellites(SerialPort(table.device, table.baud), lambda: Sentences(mono_ms))
    host, _, port = table.gpsd.rpartition(":")
    return Satellites(Daemon(host, int(port)), lambda: Reports(mono_ms))
