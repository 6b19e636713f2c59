"""What is remembered of an emergency, and of what the car has asked for. Decides nothing: `ecall`, `teleservice`."""

import msgspec

from firmware.core.reports import Point


class Call(msgspec.Struct, frozen=True, gc=False):
    """An emergency call that nobody has answered. `number` counts the module's calls; `message`: how often it was sent;
    `raised_ms`: UTC, as well as the module knew it; `dated`: by a clock; `point`: where the car was, as far as that is
    known, and `trusted`: it was measured there and then; `stood_ms`: how long it had stood with the power on
    when it was last sent."""

    number: int
    automatic: bool
    raised_ms: int
    dated: bool
    message: int = 0
    point: Point | None = None
    trusted: bool = False
    stood_ms: int = 0


class Asked(msgspec.Struct, frozen=True, gc=False):
    """What the car has asked service for already (Teleservices). `inspection_m`: up to that reading of the odometer,
    None before it was ever known; `battery`: since the 12 V battery was last well."""

    inspection_m: int | None = None
    battery: bool = False
