"""Events: facts in the past tense that adapters tell the core. Nothing here can be fed back as an order.

Times are integers in milliseconds; positions are degrees times 10^7. None in a sample means: not known.
"""

from enum import Enum, unique

import msgspec

from protocol.errors import Code
from protocol.messages import Request
from protocol.orders import Order
from protocol.sharing import Key
from protocol.telemetry import Channel
from protocol.tokens import Booking, RevocationList, TimeAttestation


class Event(msgspec.Struct, frozen=True, gc=False):
    """Base of all events."""


class Fix(msgspec.Struct, frozen=True, gc=False):
    """A GNSS fix: degrees times 10^7 (WGS 84), its own UTC time, and the monotonic time at which it came."""

    latitude_e7: int
    longitude_e7: int
    utc_ms: int
    taken_at_ms: int


class VehicleSampled(Event, frozen=True, gc=False):
    """One look at the car, at least every second. `fix` is the last known fix, however old."""

    ignition_on: bool | None = None
    speed_kmh: float | None = None
    locked: bool | None = None
    doors_open: bool | None = None
    boot_open: bool | None = None
    immobilised: bool | None = None
    fuel_pct: float | None = None
    odometer_m: int | None = None
    battery_mv: int | None = None
    fix: Fix | None = None
    range_m: int | None = None
    keys_present: int | None = None
    """Vehicle keys in the car."""


@unique
class KeyButton(Enum):
    """What the vehicle key can do from outside."""

    UNLOCK = "unlock"
    LOCK = "lock"


class VehicleKeyUsed(Event, frozen=True, gc=False):
    """Somebody unlocked or locked the car with a vehicle key (KEY-6)."""

    button: KeyButton


class NetworkServing(Event, frozen=True, gc=False):
    """The mobile network that serves the car: its country by the code that it sends (ITU-T E.212); None: there is no
    network."""

    mcc: int | None


class CrashDetected(Event, frozen=True, gc=False):
    """The crash sensors have spoken (SVC-8)."""


class EmergencyPressed(Event, frozen=True, gc=False):
    """Somebody pressed the emergency button."""


class EmergencyCancelled(Event, frozen=True, gc=False):
    """Somebody took it back."""


class EmergencyAcknowledged(Event, frozen=True, gc=False):
    """The emergency centre has the call `call`: nobody need repeat it."""

    call: int


class Ticked(Event, frozen=True, gc=False):
    """A deadline of `next_deadline` was reached, or time simply passed."""


class LinkOpened(Event, frozen=True, gc=False):
    """A central connected."""

    link: int


class LinkLost(Event, frozen=True, gc=False):
    """A central went away, whoever hung up."""

    link: int


class HandshakeBegun(Event, frozen=True, gc=False):
    """A peer sent its first handshake message; the module answers only when the core lets it."""

    link: int


class HandshakeFailed(Event, frozen=True, gc=False):
    """A peer failed to authenticate."""

    link: int


class TokenPresented(Event, frozen=True, gc=False):
    """A handshake succeeded: the peer holds the key of this booking, and a trusted issuer signed it."""

    link: int
    booking: Booking


class KeyPresented(Event, frozen=True, gc=False):
    """A handshake succeeded: the peer holds this key, whose chain was verified. `code`: the print of its activation
    code, empty when it needs none. `parent`: the standing key that it was shared from."""

    link: int
    key: Key
    code: bytes = b""
    parent: Key | None = None


class CodeEntered(Event, frozen=True, gc=False):
    """Somebody entered an activation code in the vehicle's menu: its print, never the code. `ticket` goes back with
    the answer."""

    code: bytes
    ticket: int = 0


class CodeTried(Event, frozen=True, gc=False):
    """The try was counted and is durable: now the code may be compared (KEY-4)."""

    code: bytes
    ticket: int = 0


class KeyDeactivated(Event, frozen=True, gc=False):
    """Somebody deactivated a shared key in the vehicle's menu (KEY-6)."""

    token_id: bytes
    ticket: int = 0


class RequestReceived(Event, frozen=True, gc=False):
    """A request came through a session. `signed`: what a PUT carried, verified. `entropy`: 16 fresh random bytes."""

    link: int
    request: Request
    signed: Order | RevocationList | TimeAttestation | None = None
    entropy: bytes = bytes(16)


class LinkActive(Event, frozen=True, gc=False):
    """Bytes that count as traffic came over a session (a record that verified)."""

    link: int


class OrderReceived(Event, frozen=True, gc=False):
    """A verified order or list came from the broker; `correlation` goes back with the answer."""

    signed: Order | RevocationList
    correlation: bytes = b""


class OrderUnreadable(Event, frozen=True, gc=False):
    """Something came from the broker that did not verify; `code` says why, `correlation` goes back with the answer."""

    code: Code
    correlation: bytes = b""


@unique
class Action(Enum):
    """What the module can do to the car."""

    UNLOCK = "unlock"
    LOCK = "lock"
    RELEASE_IMMOBILISER = "release immobiliser"
    ARM_IMMOBILISER = "arm immobiliser"
    FLASH = "flash"
    OPEN_BOOT = "open boot"


class ActuationFinished(Event, frozen=True, gc=False):
    """The car confirmed an action, or did not. `command_id` is empty for actions nobody asked for."""

    action: Action
    confirmed: bool
    command_id: bytes = b""


@unique
class TimeSource(Enum):
    """Where a time came from."""

    RTC = "rtc"
    GNSS = "gnss"
    NETWORK = "network"


class TimeOffered(Event, frozen=True, gc=False):
    """A clock outside said what time it is; whether it is believed is decided in `clock`."""

    source: TimeSource
    utc_ms: int


class BrokerConnected(Event, frozen=True, gc=False):
    """The MQTT session stands."""


class BrokerLost(Event, frozen=True, gc=False):
    """The MQTT session is gone."""


class PositionSlotAcknowledged(Event, frozen=True, gc=False):
    """The broker acknowledged version `version` of the retained position (or its clearing)."""

    version: int


@unique
class Trouble(Enum):
    """What became of the stored state before this boot."""

    REBUILT = "rebuilt"
    """It was lost: what must never be forgotten came from the record beside it."""
    ROLLED_BACK = "rolled back"
    """It is older than the record beside it."""
    READ_ONLY = "read only"
    """It can be read and not written: nothing that must be durable can be permitted."""


class RecordsDropped(Event, frozen=True, gc=False):
    """The outbox was full and gave records up: `total`, and how many of them in each channel, since the store is new
    (TEL-4)."""

    total: int
    channels: tuple[tuple[Channel, int], ...] = ()


class StorageFailed(Event, frozen=True, gc=False):
    """The step that `event` caused could not be made durable and was undone."""

    event: Event
