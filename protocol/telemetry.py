"""The MQTT interface (SPEC section 10): topics and payloads, JSON with COVESA VSS names and units."""

from enum import StrEnum, unique
from typing import Final

import msgspec

TOPIC_ROOT: Final = "sharebox"
QOS: Final = 1


@unique
class Channel(StrEnum):
    """Last level of a topic `sharebox/<module id in hex>/<channel>`."""

    ONLINE = "online"
    """Retained; also the last will."""
    STATE = "state"
    """Retained: the latest vehicle state, without any position."""
    POSITION = "position"
    """Retained: the latest position that the owner may see; empty while there is none (PRV-3)."""
    TRACK = "track"
    """Positions in order, as the owner may see them: never one from inside a driver's booking (PRV-1)."""
    EVENT = "event"
    """Booking, security and alert events, in order."""
    ORDER = "order"
    """Towards the module: a signed order, COSE_Sign1."""
    ORDER_RESULT = "order/result"
    """What became of an order."""


@unique
class EventKind(StrEnum):
    """What an event tells owner and backend."""

    BOOTED = "module.booted"
    BOOKING_STARTED = "booking.started"
    BOOKING_OVERDUE = "booking.overdue"
    CUTOFF_SOON = "booking.cutoff_soon"
    CUTOFF_PENDING = "booking.cutoff_pending"
    BOOKING_CUT_OFF = "booking.cut_off"
    BOOKING_ENDED = "booking.ended"
    LEFT_UNLOCKED = "alert.left_unlocked"
    LEFT_OPEN = "alert.left_open"
    LOCK_FAILED = "alert.lock_failed"
    ORDER_ACCEPTED = "order.accepted"
    ORDER_REFUSED = "order.refused"
    RECORDS_DROPPED = "telemetry.records_dropped"
    STORE_TROUBLE = "module.store_trouble"


class Online(msgspec.Struct, frozen=True):
    """Payload of `online`."""

    online: bool
    time: str = ""


class Stamp(msgspec.Struct, frozen=True):
    """When a record was made. `seq` counts without gaps per channel; `age_s` is the age when it was sent."""

    seq: int
    time: str
    time_quality: str
    age_s: float = 0.0


class StateReport(msgspec.Struct, frozen=True):
    """Payload of `state`: `signals` maps VSS names to values in VSS units."""

    stamp: Stamp
    signals: dict[str, bool | int | float | str]


class PositionReport(msgspec.Struct, frozen=True):
    """Payload of `position` and `track`. `fix_age_s` is the age of the fix when sent; `parking`: the position at
    the end of a driver's booking. On `position`, `seq` is the version of the retained slot."""

    stamp: Stamp
    latitude: float
    longitude: float
    fix_time: str
    fix_age_s: float
    parking: bool


class EventReport(msgspec.Struct, frozen=True):
    """Payload of `event`. `numbers` names end in their unit."""

    stamp: Stamp
    kind: EventKind
    booking: str = ""
    role: str = ""
    reason: str = ""
    numbers: dict[str, int] = {}


class OrderResult(msgspec.Struct, frozen=True):
    """Payload of `order/result`; `order` is the order's identifier in hex, empty when it was unreadable."""

    order: str
    code: int
    name: str
    pending: bool = False


def topic(module_id: bytes, channel: Channel) -> str:
    """`sharebox/<module id in hex>/<channel>`."""
    return f"{TOPIC_ROOT}/{module_id.hex()}/{channel}"


def parse_topic(text: str) -> tuple[bytes, Channel] | None:
    """The inverse of `topic`, or None for a topic that is not of this interface."""
    root, _, rest = text.partition("/")
    module, _, channel = rest.partition("/")
    try:
        module_id = bytes.fromhex(module)
        # The comparison refuses capitals and blanks, which `fromhex` takes.
        if root != TOPIC_ROOT or len(module_id) != 8 or module_id.hex() != module:
            return None
        return module_id, Channel(channel)
    except ValueError:
        return None


encode = msgspec.json.Encoder(order="deterministic").encode
