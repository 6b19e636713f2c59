"""The tables of a real car in the file of `sharebox run`: what each may say.

Decides which wiring is refused because it would say "parked" when a wire breaks. `docs/hardware.md` shows it whole.
"""

from typing import Annotated, Final, Literal

import msgspec

LineNumber = Annotated[int, msgspec.Meta(ge=0, le=4095)]
LineName = Annotated[str, msgspec.Meta(min_length=1, max_length=32)]
PulseMs = Annotated[int, msgspec.Meta(ge=20, le=1_000)]
DebounceMs = Annotated[int, msgspec.Meta(ge=0, le=1_000)]
TimeoutMs = Annotated[int, msgspec.Meta(ge=0, le=60_000)]
Bitrate = Annotated[int, msgspec.Meta(ge=10_000, le=1_000_000)]
Baud = Annotated[int, msgspec.Meta(ge=1200, le=4_000_000)]
Name = Annotated[str, msgspec.Meta(min_length=1)]
Endpoint = Annotated[str, msgspec.Meta(pattern=r"^([^\s:]+:[0-9]{1,5})?$")]

PartName = Literal["gpio", "can", "gnss"]
PARTS: Final[tuple[PartName, ...]] = ("gpio", "can", "gnss")


class RelayTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A relay that is energised for `pulse_ms`. `line`: offset on the chip, or the line's name."""

    line: LineNumber | LineName
    active_low: bool = False
    pulse_ms: PulseMs = 300


class ImmobiliserTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The relay that is energised while driving is possible without the key."""

    line: LineNumber | LineName
    active_low: bool = False


class RelaysTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[vehicle.gpio.relays]`."""

    unlock: RelayTable | None = None
    lock: RelayTable | None = None
    boot: RelayTable | None = None
    flash: RelayTable | None = None
    immobiliser: ImmobiliserTable | None = None

    def __post_init__(self) -> None:
        if (self.unlock is None) != (self.lock is None):
            raise ValueError("unlock and lock go together")


class InputTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A wire: active is "on", "open", "locked", "armed"."""

    line: LineNumber | LineName
    active_low: bool = False
    pull: Literal["up", "down", "none"] = "none"
    debounce_ms: DebounceMs = 30


class InputsTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[vehicle.gpio.inputs]`."""

    ignition: InputTable | None = None
    doors: Annotated[tuple[InputTable, ...], msgspec.Meta(max_length=8)] = ()
    boot: InputTable | None = None
    locked: InputTable | None = None
    immobilised: InputTable | None = None

    def __post_init__(self) -> None:
        if self.ignition is not None and not _broken_is_active(self.ignition):
            raise ValueError(
                "a wire that breaks must say that the ignition is on: wire it so that off closes a contact, with "
                '`pull = "up"`, or `pull = "down"` and `active_low = true`'
            )


def _broken_is_active(wire: InputTable) -> bool:
    """Whether the pull, which is all that is left when a wire breaks, makes it active."""
    return wire.pull == ("down" if wire.active_low else "up")


class GpioTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[vehicle.gpio]`: relays and wires on one chip."""

    chip: Name = "/dev/gpiochip0"
    relays: RelaysTable = RelaysTable()
    inputs: InputsTable = InputsTable()

    def __post_init__(self) -> None:
        lines = [table.line for table in self.tables()]
        if not lines:
            raise ValueError("name relays or inputs, or leave the table out")
        if len(set(lines)) < len(lines):
            raise ValueError("each relay and each input needs a `line` of its own")

    def tables(self) -> "tuple[RelayTable | ImmobiliserTable | InputTable, ...]":
        """Everything that has a line."""
        relays, inputs = self.relays, self.inputs
        ones = (relays.unlock, relays.lock, relays.boot, relays.flash, relays.immobiliser)
        others = (inputs.ignition, inputs.boot, inputs.locked, inputs.immobilised)
        return tuple(each for each in (*ones, *others, *inputs.doors) if each is not None)


class SignalTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which signal of a DBC file is a fact: MESSAGE.SIGNAL. `timeout_ms`: it is unknown when it was not heard for so
    long; 0: as usual. `scale`: to the fact's unit. `values`: the numbers for each thing that it can say."""

    signal: Name
    timeout_ms: TimeoutMs = 0
    scale: float = 1.0
    values: dict[str, tuple[int, ...]] = {}


class CanTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[vehicle.can]`: a bus as python-can names it. `dbc` and `signals`: another car's matrix, facts by VSS name."""

    interface: Name = "socketcan"
    channel: Name = "can0"
    bitrate: Bitrate | None = None
    dbc: str = ""
    signals: dict[str, SignalTable] = {}

    def __post_init__(self) -> None:
        if bool(self.dbc) != bool(self.signals):
            raise ValueError("dbc and signals go together")


class GnssTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[vehicle.gnss]`: a receiver on a serial line, or `gpsd`, "HOST:PORT"."""

    device: str = ""
    baud: Baud = 9600
    gpsd: Endpoint = ""

    def __post_init__(self) -> None:
        if bool(self.device) == bool(self.gpsd):
            raise ValueError("name either `device` or `gpsd`")
