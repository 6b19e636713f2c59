"""The vocabulary of a session: operations, replies and pushes as values (SPEC section 8). As bytes: `messages`."""

from enum import IntEnum, IntFlag, unique
from typing import Final

import msgspec

from protocol.errors import Code, Refusal

PROTOCOL_VERSION: Final = 1
COMMAND_ID_BYTES: Final = 8
MAX_REQUEST_ID: Final = 0xFFFF
MAX_NUMBERS: Final = 16
MAX_TEXT_BYTES: Final = 200
TOKEN_ID_BYTES: Final = 16
MAX_KEYS: Final = 16
"""Shared keys in one list: so many a module remembers."""


@unique
class MessageType(IntEnum):
    """First byte of a reassembled message (SPEC section 5)."""

    EDHOC = 1
    RECORD = 2
    ERROR = 3
    """Unprotected: a refusal before there is a session. A phone shows it, and trusts it no further."""


@unique
class Operation(IntEnum):
    """What a phone can ask for. 10 is reserved: a key is deactivated in the vehicle."""

    UNLOCK = 1
    LOCK = 2
    ENABLE_DRIVE = 3
    DISABLE_DRIVE = 4
    END_BOOKING = 5
    STATUS = 6
    PUT = 7
    """Hand over a signed order, revocation list or time attestation; its header says which."""
    KEYS = 8
    """List the shared keys: for the main user."""
    GET_NONCE = 9
    LOCATE = 11
    OUTCOME = 12
    OPEN_BOOT = 13
    SELF_TEST = 14
    """Test radio, broker, GNSS, doors, immobiliser and clock: for a dealer."""


COMMANDS: Final = frozenset(
    {
        Operation.UNLOCK,
        Operation.LOCK,
        Operation.ENABLE_DRIVE,
        Operation.DISABLE_DRIVE,
        Operation.END_BOOKING,
        Operation.OPEN_BOOT,
    }
)
"""Operations that move something: they carry a command identifier (ACC-7)."""


class Permission(IntFlag):
    """Permission bits of a booking or key (claim `permissions`)."""

    UNLOCK = 1
    DRIVE = 2
    LOCK = 4
    LOCATE = 8
    BOOT = 16


@unique
class Phase(IntEnum):
    """Life cycle of the booking in the module (requirements, "Booking life cycle")."""

    NONE = 0
    ACTIVE = 1
    OVERDUE = 2
    CUTOFF_PENDING = 3
    CUT_OFF = 4
    ENDED = 5


@unique
class PushKind(IntEnum):
    """Unasked messages of the module."""

    ACCESS = 1
    """The access state changed (ACC-10); body: `Access`."""
    NOTICE = 2
    """A message to the driver (CUT-7); body: `Notice`."""


@unique
class NoticeKind(IntEnum):
    """What a `Notice` tells the driver, or (5 and 6) the main user."""

    OVERDUE = 1
    CUTOFF_SOON = 2
    CUT_OFF = 3
    ENDED_BY_ORDER = 4
    KEY_ACCEPTED = 5
    KEY_ACTIVATED = 6


class Request(msgspec.Struct, frozen=True):
    """`command_id` (8 bytes) goes with commands and OUTCOME, `body` with PUT; else both are empty."""

    id: int
    operation: Operation
    command_id: bytes = b""
    body: bytes = b""


class Access(msgspec.Struct, frozen=True):
    """The access state (ACC-10): blue slider or grey, and why. Times in ms, UTC; permissions as bits."""

    granted: bool
    phase: Phase
    permissions: int = 0
    ends_at_ms: int = 0
    cutoff_at_ms: int = 0
    now_ms: int = 0
    refusal: Refusal | None = None


class VehicleState(msgspec.Struct, frozen=True):
    """What an admitted phone may see of the car. None: unknown. `doors_open`, `boot_open` from the last sample."""

    locked: bool | None = None
    doors_open: bool | None = None
    boot_open: bool | None = None
    ignition_on: bool | None = None
    drive_enabled: bool = False
    parked: bool = False
    fuel_pct: int | None = None
    odometer_m: int | None = None
    home_distance_m: int | None = None


class Status(msgspec.Struct, frozen=True):
    """Answer to STATUS; `vehicle` only for an admitted phone (ACC-3)."""

    access: Access
    vehicle: VehicleState | None = None


class Done(msgspec.Struct, frozen=True):
    """A command was carried out. `already`: the target state was there before (ACC-7)."""

    already: bool = False


class Ended(msgspec.Struct, frozen=True):
    """The booking has ended (BKG-3 to BKG-5). `receipt`: a signed end receipt, COSE_Sign1."""

    at_ms: int
    home_distance_m: int | None = None
    position_age_ms: int | None = None
    receipt: bytes = b""


class Nonce(msgspec.Struct, frozen=True):
    """Answer to GET_NONCE: 16 bytes for the backend to sign with the time; good for `valid_ms`."""

    nonce: bytes
    module_id: bytes
    valid_ms: int


class Position(msgspec.Struct, frozen=True):
    """Answer to LOCATE: degrees times 10^7 (WGS 84) and the age of the fix."""

    latitude_e7: int
    longitude_e7: int
    age_ms: int


class Accepted(msgspec.Struct, frozen=True):
    """A PUT was taken. `pending`: it takes effect once the car is parked."""

    pending: bool = False


class Outcome(msgspec.Struct, frozen=True):
    """Answer to OUTCOME: how the command with that identifier ended. `code` OK, a warning or a refusal."""

    operation: Operation
    code: Code
    may_have_succeeded: bool = False


class KeyEntry(msgspec.Struct, frozen=True):
    """One shared key as the vehicle's menu and the main user see it. `number` stays the same as long as the key is
    listed. `expires_at_ms` UTC."""

    number: int
    token_id: bytes
    name: str
    permissions: int
    expires_at_ms: int
    activated: bool
    deleted: bool = False
    """The main user deleted it, and it goes on working until its time has come (KEY-6)."""


class KeyList(msgspec.Struct, frozen=True):
    """Answer to KEYS."""

    keys: tuple[KeyEntry, ...] = ()


class SelfTested(msgspec.Struct, frozen=True):
    """Answer to SELF_TEST. `report`: signed by the module, COSE_Sign1; its claims: `protocol.selftest`."""

    report: bytes


class Notice(msgspec.Struct, frozen=True):
    """A message to the driver; `left_ms`: time until the cutoff, 0 when it is past."""

    kind: NoticeKind
    left_ms: int = 0


Body = Done | Ended | Status | Nonce | Position | Accepted | Outcome | KeyList | SelfTested | Refusal


class Reply(msgspec.Struct, frozen=True):
    """The answer to request `id`. `code` says which body follows: a refusal's own code, else OK or a warning."""

    id: int
    code: Code
    body: Body


class Push(msgspec.Struct, frozen=True):
    """An unasked message."""

    kind: PushKind
    body: Access | Notice


class PublicInfo(msgspec.Struct, frozen=True):
    """What anyone may read (SPEC section 3): nothing that tells one car from another (PRV-7)."""

    version: int = PROTOCOL_VERSION
    max_message_bytes: int = 1024
    max_list_bytes: int = 4096
    suites: tuple[int, ...] = (5,)
    methods: tuple[int, ...] = (1,)
