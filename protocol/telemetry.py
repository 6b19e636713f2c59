"""The MQTT interface (SPEC section 10): topics and payloads, JSON with COVESA VSS names and units.

Decides what a message looks like. Refuses to know when one is sent, and to whom.
"""

import zlib
from collections.abc import Iterable
from enum import StrEnum, unique
from typing import Annotated, Final, NamedTuple

import msgspec

from protocol.errors import Code, ProtocolError, Role

TOPIC_ROOT: Final = "sharebox"
QOS: Final = 1
CONTENT_TYPE: Final = "application/json"
CONTENT_ENCODING: Final = ("content-encoding", "deflate")
"""The user property of a `backlog`: zlib, RFC 1950."""
SPEC_VERSION: Final = "1.0"
"""Of CloudEvents."""
LATITUDE: Final = "Vehicle.CurrentLocation.Latitude"
LONGITUDE: Final = "Vehicle.CurrentLocation.Longitude"
FIX_TIME: Final = "Vehicle.CurrentLocation.Timestamp"
MAX_CORRELATION_BYTES: Final = 64
EMERGENCY: Final = "emergency"
"""From the module to the emergency centre, and to nobody else: EN 15722, with the position of the car."""
ACKNOWLEDGEMENT: Final = "emergency/ack"
"""Towards the module: the centre has the call whose number is the correlation data."""
CALL_BYTES: Final = 4
"""Of the number of a call as correlation data, big-endian."""
MAX_BACKLOG_RECORDS: Final = 64
MAX_BACKLOG_BYTES: Final = 256 * 1024
"""A backlog that inflates to more than this is none of ours."""


@unique
class Channel(StrEnum):
    """Last level of a topic `sharebox/<module id in hex>/<channel>`. Emergency calls have topics of their own."""

    ONLINE = "online"
    """Retained; also the last will."""
    STATE = "state"
    """Retained: the latest vehicle state, without any position."""
    POSITION = "position"
    """Retained: the latest position that the owner may see; empty while there is none (PRV-3)."""
    TRACK = "track"
    """Positions in order, as the owner may see them: never one from inside a driver's booking (PRV-1)."""
    EVENT = "event"
    """Booking and module events, in order."""
    ALERT = "alert"
    """What somebody should look at now, in order; it overtakes all that waits on other channels."""
    BACKLOG = "backlog"
    """Records of other channels that waited, in order, compressed."""
    HEALTH = "health"
    """Retained: how the module is, without anything of the car."""
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
    RECORDS_DROPPED = "telemetry.records_dropped"
    STORE_TROUBLE = "module.store_trouble"
    KEY_ACCEPTED = "key.accepted"
    KEY_ACTIVATED = "key.activated"
    KEY_DEACTIVATED = "key.deactivated"
    KEY_DELETED = "key.deleted"
    CODE_WRONG = "key.code_wrong"
    CODE_DEAD = "alert.code_dead"
    """An activation code was guessed at until it died (KEY-4)."""
    OWNER_COUPLED = "owner.coupled"
    OWNER_REMOVED = "owner.removed"
    TAKEOVER_PROGRESS = "owner.takeover_progress"
    TAKEOVER_FAILED = "owner.takeover_failed"
    OWNER_CHANGED = "alert.owner_changed"
    """Without the previous owner (OWN-4)."""
    SIM_CHANGED = "services.sim_changed"
    TELESERVICE = "services.teleservice"
    ECALL_RAISED = "alert.ecall_raised"
    ECALL_CANCELLED = "ecall.cancelled"
    ECALL_ACKNOWLEDGED = "ecall.acknowledged"
    ECALL_STALE = "alert.ecall_stale"
    """It was never answered, and is too old to be sent as if it had just happened (SVC-8)."""
    ECALL_IMPOSSIBLE = "alert.ecall_impossible"
    """No emergency service is active: nobody was called."""


RECORD_CHANNELS: Final = frozenset({Channel.STATE, Channel.TRACK, Channel.EVENT, Channel.ALERT, Channel.ORDER_RESULT})
"""Channels whose messages are records: kept until acknowledged, counted, and allowed in a backlog."""

_ALERTS: Final = frozenset(
    {kind for kind in EventKind if kind.startswith("alert.")} | {EventKind.STORE_TROUBLE, EventKind.TAKEOVER_FAILED}
)


@unique
class StoreCondition(StrEnum):
    """What the module's durable memory is capable of."""

    OK = "ok"
    FULL = "full"
    READ_ONLY = "read only"
    FAILING = "failing"


def described(text: str, **rules: object) -> msgspec.Meta:
    """What is written beside a type is for the description of the interface: a reader takes what it can read. `rules`
    are words of JSON Schema."""
    return msgspec.Meta(description=text, extra_json_schema=dict(rules))


Instant = Annotated[str, described("RFC 3339, UTC, with milliseconds", format="date-time")]
Hex = Annotated[str, msgspec.Meta(extra_json_schema={"pattern": "^([0-9a-f]{2})*$"})]
Count = Annotated[int, msgspec.Meta(extra_json_schema={"minimum": 0})]
Seconds = Annotated[float, msgspec.Meta(extra_json_schema={"minimum": 0})]


class Online(msgspec.Struct, frozen=True):
    """Whether the module is connected."""

    online: bool
    time: Annotated[str, described("may be empty")] = ""


class Stamp(msgspec.Struct, frozen=True):
    """When a record was made."""

    seq: Annotated[int, described("counts without gaps per channel, over boots too", minimum=1)]
    boot: Annotated[Count, msgspec.Meta(description="number of the boot that made it, 0 before they were counted")]
    time: Instant
    time_quality: Annotated[str, described("how far the time can be trusted", enum=["synced", "holdover", "floor"])]
    age_s: Annotated[Seconds, msgspec.Meta(description="when it was sent")] = 0.0


class StateReport(msgspec.Struct, frozen=True):
    """The state of the vehicle: VSS names, values in VSS units (`protocol.signals`). What is not known is left out."""

    stamp: Stamp
    signals: dict[str, bool | int | float | str]


class PositionReport(msgspec.Struct, frozen=True):
    """Where the car was. On `position`, `seq` is the version of what is retained."""

    stamp: Stamp
    latitude: Annotated[float, described("degrees, WGS 84", minimum=-90, maximum=90)] = msgspec.field(name=LATITUDE)
    longitude: Annotated[float, described("degrees, WGS 84", minimum=-180, maximum=180)] = msgspec.field(name=LONGITUDE)
    fix_time: Instant = msgspec.field(name=FIX_TIME)
    fix_age_s: Annotated[Seconds, msgspec.Meta(description="age of the fix when it was sent")]
    parking: Annotated[bool, described("whether a driver's booking ended here")]


class EventReport(msgspec.Struct, frozen=True):
    """What has happened."""

    stamp: Stamp
    kind: EventKind
    booking: Annotated[Hex, msgspec.Meta(description="empty when it is about none")] = ""
    role: Annotated[str, described("of who has the booking", enum=["", *(role.name.lower() for role in Role)])] = ""
    reason: str = ""
    numbers: Annotated[dict[str, int], described("what decided it; names end in their unit")] = {}


class OrderResult(msgspec.Struct, frozen=True):
    """What became of an order. An answer that is no record, because it is sent at once or never, has no stamp."""

    order: Annotated[Hex, msgspec.Meta(description="its identifier, empty when it was unreadable or a list")]
    code: Annotated[Count, msgspec.Meta(description="0 when it was taken")]
    name: str
    pending: Annotated[bool, described("takes effect once the car is parked")] = False
    numbers: Annotated[
        dict[str, int],
        described("what decided it, names end in their unit; `unanswered`: answers that were left out before this one"),
    ] = {}
    stamp: Stamp | msgspec.UnsetType = msgspec.UNSET


class Health(msgspec.Struct, frozen=True):
    """How the module is."""

    time: Instant
    uptime_s: Count
    boot: Annotated[int, described("number of this boot", minimum=1)]
    queued: Annotated[Count, msgspec.Meta(description="records that wait for the broker")]
    dropped: Annotated[Count, msgspec.Meta(description="records that were ever given up")]
    store: StoreCondition
    version: str


class Entry(NamedTuple):
    """A record in a backlog, as it would have been sent on its own channel."""

    channel: Channel
    report: bytes


class _Packed(msgspec.Struct, frozen=True):
    channel: Channel
    report: msgspec.Raw


def topic(module_id: bytes, channel: Channel) -> str:
    """`sharebox/<module id in hex>/<channel>`."""
    return f"{TOPIC_ROOT}/{module_id.hex()}/{channel}"


def emergency_topic(module_id: bytes) -> str:
    """Where emergency calls go."""
    return f"{TOPIC_ROOT}/{module_id.hex()}/{EMERGENCY}"


def acknowledgement_topic(module_id: bytes) -> str:
    """Where whoever has an emergency call says so."""
    return f"{TOPIC_ROOT}/{module_id.hex()}/{ACKNOWLEDGEMENT}"


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


def channel_of(kind: EventKind) -> Channel:
    """Where an event is told."""
    return Channel.ALERT if kind in _ALERTS else Channel.EVENT


def attributes(
    module_id: bytes, channel: Channel, number: str, boot: int, kind: str, time: str
) -> tuple[tuple[str, str], ...]:
    """The CloudEvents attributes of a message as MQTT user properties (binary mode). The same `channel`, `number` and
    `boot` are the same event, however often it comes."""
    return (
        ("specversion", SPEC_VERSION),
        ("id", f"{boot}-{channel}-{number}"),
        ("source", f"/{TOPIC_ROOT}/{module_id.hex()}"),
        ("type", f"{TOPIC_ROOT}.{kind}"),
        ("time", time),
    )


def encode_backlog(entries: Iterable[Entry]) -> bytes:
    """Payload of `backlog`. The limits are the caller's to keep."""
    return zlib.compress(encode([_Packed(entry.channel, msgspec.Raw(entry.report)) for entry in entries]))


def _refused(detail: str) -> ProtocolError:
    return ProtocolError(Code.MALFORMED, f"backlog: {detail}")


def decode_backlog(payload: bytes) -> list[Entry]:
    """The records in a backlog, in order. Raises ProtocolError; never holds more than MAX_BACKLOG_BYTES of it."""
    inflater = zlib.decompressobj()
    try:
        text = inflater.decompress(payload, MAX_BACKLOG_BYTES + 1)
    except zlib.error as error:
        raise _refused(f"not compressed as a backlog is ({error})") from None
    if len(text) > MAX_BACKLOG_BYTES:
        raise _refused(f"inflates to more than {MAX_BACKLOG_BYTES} bytes")
    if not inflater.eof or inflater.unused_data:
        raise _refused("cut off, or followed by something else")
    try:
        packed = msgspec.json.decode(text, type=list[_Packed])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _refused(f"no list of records ({error})") from None
    if len(packed) > MAX_BACKLOG_RECORDS:
        raise _refused(f"{len(packed)} records, at most {MAX_BACKLOG_RECORDS} are allowed")
    for entry in packed:
        if entry.channel not in RECORD_CHANNELS:
            raise _refused(f"{entry.channel} has no place in a backlog")
    return [Entry(entry.channel, bytes(entry.report)) for entry in packed]
