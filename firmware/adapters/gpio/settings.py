"""Which pins move the car, and which tell of it. Values only."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Literal, NamedTuple

from firmware.core.events import Action

LineId = int | str
"""Offset on the chip, or the line's own name."""
Pull = Literal["up", "down", "none"]

LEAST_PULSE_MS: Final = 20
MOST_PULSE_MS: Final = 1_000
"""An action has 2 s, its confirmation included; and no motor likes more."""
PULSE_MS: Final = 300
MOST_DEBOUNCE_MS: Final = 1_000
DEBOUNCE_MS: Final = 30

INPUTS: Final = ("ignition_on", "doors_open", "boot_open", "locked", "immobilised")
"""Fields of VehicleSampled that a wire can tell."""


class Relay(NamedTuple):
    """An output. Not energised is safe: nothing moves, and driving is not possible without the key."""

    line: LineId
    active_low: bool = False
    pulse_ms: int = PULSE_MS


class Input(NamedTuple):
    """An input: active is "on", "open", "locked", "armed"."""

    line: LineId
    active_low: bool = False
    pull: Pull = "none"
    debounce_ms: int = DEBOUNCE_MS


class Wiring(NamedTuple):
    """`pulses`: relays that are energised for a moment. `immobiliser`: energised while driving is possible without the
    key. `inputs`: by field; several wires are doors, of which any may be open."""

    chip: str
    pulses: Mapping[Action, Relay] = MappingProxyType({})
    immobiliser: Relay | None = None
    inputs: Mapping[str, tuple[Input, ...]] = MappingProxyType({})
