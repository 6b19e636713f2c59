"""Requests, replies and pushes inside a session, and the public information (SPEC sections 7 to 9).

Everything here is bytes <-> values. Whether a request is granted is decided in `firmware.core`.
"""

from enum import IntEnum, IntFlag, unique
from typing import Final

import msgspec

from protocol import cbor
from protocol.errors import FIRST_WARNING, Code, ProtocolError, Refusal

PROTOCOL_VERSION: Final = 1
COMMAND_ID_BYTES: Final = 8
MAX_REQUEST_ID: Final = 0xFFFF
MAX_NUMBERS: Final = 16
MAX_TEXT_BYTES: Final = 200


@unique
class MessageType(IntEnum):
    """First byte of a reassembled message (SPEC section 5)."""

    EDHOC = 1
    RECORD = 2
    ERROR = 3
    """Unprotected: a refusal before there is a session. A phone shows it, and trusts it no further."""


@unique
class Operation(IntEnum):
    """What a phone can ask for. 8 and 10 are reserved for shared keys."""

    UNLOCK = 1
    LOCK = 2
    ENABLE_DRIVE = 3
    DISABLE_DRIVE = 4
    END_BOOKING = 5
    STATUS = 6
    PUT = 7
    """Hand over a signed order, revocation list or time attestation; its header says which."""
    GET_NONCE = 9
    LOCATE = 11
    OUTCOME = 12


COMMANDS: Final = frozenset(
    {Operation.UNLOCK, Operation.LOCK, Operation.ENABLE_DRIVE, Operation.DISABLE_DRIVE, Operation.END_BOOKING}
)
"""Operations that move something: they carry a command identifier (ACC-7)."""


class Permission(IntFlag):
    """Permission bits of a booking (claim `permissions`)."""

    UNLOCK = 1
    DRIVE = 2
    LOCK = 4
    LOCATE = 8


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
    """What a `Notice` tells the driver."""

    OVERDUE = 1
    CUTOFF_SOON = 2
    CUT_OFF = 3
    ENDED_BY_ORDER = 4


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


class Notice(msgspec.Struct, frozen=True):
    """A message to the driver; `left_ms`: time until the cutoff, 0 when it is past."""

    kind: NoticeKind
    left_ms: int = 0


Body = Done | Ended | Status | Nonce | Position | Accepted | Outcome | Refusal


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


_BODY_KINDS: Final[tuple[type[Body], ...]] = (Done, Ended, Status, Nonce, Position, Accepted, Outcome)
_WITH_COMMAND_ID: Final = COMMANDS | {Operation.OUTCOME}


# ---------------------------------------------------------------- small readers, one error for all
def _bad(what: str) -> ProtocolError:
    return ProtocolError(Code.MALFORMED, what)


def _uint(value: object, what: str, most: int = 2**63) -> int:
    if type(value) is not int or not 0 <= value <= most:
        raise _bad(f"{what} is not an unsigned integer up to {most}")
    return value


def _int(value: object, what: str) -> int:
    if type(value) is not int or not -(2**63) <= value <= 2**63:
        raise _bad(f"{what} is not an integer")
    return value


def _bytes(value: object, what: str, size: int | None = None) -> bytes:
    if type(value) is not bytes or (size is not None and len(value) != size):
        raise _bad(f"{what} is not a byte string" + (f" of {size} bytes" if size is not None else ""))
    return value


def _bool(value: object, what: str) -> bool:
    if type(value) is not bool:
        raise _bad(f"{what} is not true or false")
    return value


def _text(value: object, what: str) -> str:
    if type(value) is not str or len(value) > MAX_TEXT_BYTES:
        raise _bad(f"{what} is not a text of at most {MAX_TEXT_BYTES} characters")
    return value


def _map(value: object, what: str) -> dict[object, object]:
    if type(value) is not dict:
        raise _bad(f"{what} is not a map")
    return value


def _code(value: object) -> Code:
    try:
        return Code(_uint(value, "status", 255))
    except ValueError:
        raise _bad("unknown status") from None


def _decode(data: bytes) -> cbor.Value:
    try:
        return cbor.decode(data)
    except ProtocolError as error:
        raise _bad(error.detail) from None


def _sparse(**fields: cbor.Value) -> dict[cbor.Value, cbor.Value]:
    """{1: first, 2: second, ...} without the fields that are None."""
    return {key: value for key, value in enumerate(fields.values(), 1) if value is not None}


# ---------------------------------------------------------------- requests
def encode_request(request: Request) -> bytes:
    """[id, operation] or [id, operation, argument] as deterministic CBOR."""
    head: list[cbor.Value] = [request.id, int(request.operation)]
    argument = request.command_id or request.body
    return cbor.encode([*head, argument] if argument else head)


def decode_request(data: bytes) -> Request:
    """The request in `data`. Raises ProtocolError MALFORMED, or UNKNOWN_OPERATION (with a readable id)."""
    value = _decode(data)
    if type(value) is not list or not 2 <= len(value) <= 3:
        raise _bad("a request is an array of two or three items")
    request_id = _uint(value[0], "request id", MAX_REQUEST_ID)
    if request_id == 0:
        raise _bad("request id 0 is reserved for pushes")
    try:
        operation = Operation(_uint(value[1], "operation"))
    except ValueError:
        raise ProtocolError(Code.UNKNOWN_OPERATION, f"operation {value[1]}") from None
    argument = _bytes(value[2], "argument") if len(value) == 3 else b""
    if operation in _WITH_COMMAND_ID:
        return Request(request_id, operation, command_id=_bytes(argument, "command id", COMMAND_ID_BYTES))
    if operation is Operation.PUT:
        if not argument:
            raise _bad("PUT without an object")
        return Request(request_id, operation, body=argument)
    if len(value) == 3:
        raise _bad(f"{operation.name} takes no argument")
    return Request(request_id, operation)


def readable_request_id(data: bytes) -> int:
    """The id of a request that `decode_request` refused, so that the refusal reaches its asker; 0 if unreadable."""
    try:
        value = cbor.decode(data)
    except ProtocolError:
        return 0
    if type(value) is list and value and type(value[0]) is int and 0 < value[0] <= MAX_REQUEST_ID:
        return value[0]
    return 0


# ---------------------------------------------------------------- refusals
def refusal_to_map(refusal: Refusal) -> dict[cbor.Value, cbor.Value]:
    """{1: rule, 2: {name: number}, 3: temporary, 4: may have succeeded, 5: remedy}; the code travels outside."""
    numbers: dict[cbor.Value, cbor.Value] = dict(refusal.numbers)
    return {1: refusal.rule, 2: numbers, 3: refusal.temporary, 4: refusal.may_have_succeeded, 5: refusal.remedy}


def refusal_from_map(code: Code, value: object) -> Refusal:
    """The inverse of `refusal_to_map`; numbers come back sorted by name."""
    fields = _map(value, "refusal")
    numbers = _map(fields.get(2), "numbers")
    if len(numbers) > MAX_NUMBERS:
        raise _bad("too many numbers")
    pairs = tuple(sorted((_text(name, "name"), _int(number, "number")) for name, number in numbers.items()))
    return Refusal(
        code,
        _text(fields.get(1), "rule"),
        pairs,
        _bool(fields.get(3), "temporary"),
        _bool(fields.get(4), "may have succeeded"),
        _text(fields.get(5), "remedy"),
    )


def encode_error(refusal: Refusal) -> bytes:
    """Body of an unprotected ERROR message: [status, refusal map]."""
    return cbor.encode([int(refusal.code), refusal_to_map(refusal)])


def decode_error(data: bytes) -> Refusal:
    """The inverse of `encode_error`. Raises ProtocolError MALFORMED."""
    value = _decode(data)
    if type(value) is not list or len(value) != 2:
        raise _bad("an error is an array of two items")
    return refusal_from_map(_code(value[0]), value[1])


# ---------------------------------------------------------------- bodies
def _access_to_map(access: Access) -> dict[cbor.Value, cbor.Value]:
    refusal = access.refusal
    return _sparse(
        granted=access.granted,
        phase=int(access.phase),
        permissions=access.permissions,
        ends_at_ms=access.ends_at_ms,
        cutoff_at_ms=access.cutoff_at_ms,
        now_ms=access.now_ms,
        refusal=None if refusal is None else [int(refusal.code), refusal_to_map(refusal)],
    )


def _access_from_map(value: object) -> Access:
    fields = _map(value, "access")
    refusal = fields.get(7)
    if refusal is not None and (type(refusal) is not list or len(refusal) != 2):
        raise _bad("access: the refusal is an array of two items")
    try:
        phase = Phase(_uint(fields.get(2), "phase"))
    except ValueError:
        raise _bad("unknown phase") from None
    return Access(
        _bool(fields.get(1), "granted"),
        phase,
        _uint(fields.get(3), "permissions", 0xFFFF),
        _uint(fields.get(4), "ends at"),
        _uint(fields.get(5), "cutoff at"),
        _uint(fields.get(6), "now"),
        None if refusal is None else refusal_from_map(_code(refusal[0]), refusal[1]),
    )


def _vehicle_to_map(vehicle: VehicleState) -> dict[cbor.Value, cbor.Value]:
    return _sparse(
        locked=vehicle.locked,
        doors_open=vehicle.doors_open,
        boot_open=vehicle.boot_open,
        ignition_on=vehicle.ignition_on,
        drive_enabled=vehicle.drive_enabled,
        parked=vehicle.parked,
        fuel_pct=vehicle.fuel_pct,
        odometer_m=vehicle.odometer_m,
        home_distance_m=vehicle.home_distance_m,
    )


def _vehicle_from_map(value: object) -> VehicleState:
    fields = _map(value, "vehicle")

    def flag(key: int, what: str) -> bool | None:
        return None if fields.get(key) is None else _bool(fields[key], what)

    def number(key: int, what: str) -> int | None:
        return None if fields.get(key) is None else _uint(fields[key], what)

    return VehicleState(
        flag(1, "locked"),
        flag(2, "doors open"),
        flag(3, "boot open"),
        flag(4, "ignition on"),
        _bool(fields.get(5), "drive enabled"),
        _bool(fields.get(6), "parked"),
        number(7, "fuel"),
        number(8, "odometer"),
        number(9, "home distance"),
    )


def body_to_map(body: Body) -> dict[cbor.Value, cbor.Value]:
    """The map of a reply's body; the keys are those of SPEC section 8."""
    match body:
        case Refusal():
            return refusal_to_map(body)
        case Done():
            return {1: body.already}
        case Ended():
            return _sparse(
                at_ms=body.at_ms,
                home_distance_m=body.home_distance_m,
                position_age_ms=body.position_age_ms,
                receipt=body.receipt or None,
            )
        case Status():
            vehicle = None if body.vehicle is None else _vehicle_to_map(body.vehicle)
            return _sparse(access=_access_to_map(body.access), vehicle=vehicle)
        case Nonce():
            return {1: body.nonce, 2: body.module_id, 3: body.valid_ms}
        case Position():
            return {1: body.latitude_e7, 2: body.longitude_e7, 3: body.age_ms}
        case Accepted():
            return {1: body.pending}
        case Outcome():
            return {1: int(body.operation), 2: int(body.code), 3: body.may_have_succeeded}


def _body_from_map(kind: int, value: object) -> Body:
    fields = _map(value, "body")
    match _BODY_KINDS[kind]:
        case kind_ if kind_ is Done:
            return Done(_bool(fields.get(1), "already"))
        case kind_ if kind_ is Ended:
            distance, age = fields.get(2), fields.get(3)
            return Ended(
                _uint(fields.get(1), "at"),
                None if distance is None else _uint(distance, "distance"),
                None if age is None else _uint(age, "age"),
                _bytes(fields.get(4, b""), "receipt"),
            )
        case kind_ if kind_ is Status:
            vehicle = fields.get(2)
            return Status(_access_from_map(fields.get(1)), None if vehicle is None else _vehicle_from_map(vehicle))
        case kind_ if kind_ is Nonce:
            return Nonce(
                _bytes(fields.get(1), "nonce", 16), _bytes(fields.get(2), "module id", 8), _uint(fields.get(3), "valid")
            )
        case kind_ if kind_ is Position:
            return Position(
                _int(fields.get(1), "latitude"), _int(fields.get(2), "longitude"), _uint(fields.get(3), "age")
            )
        case kind_ if kind_ is Accepted:
            return Accepted(_bool(fields.get(1), "pending"))
        case _:
            try:
                operation = Operation(_uint(fields.get(1), "operation"))
            except ValueError:
                raise _bad("unknown operation") from None
            return Outcome(operation, _code(fields.get(2)), _bool(fields.get(3), "may have succeeded"))


# ---------------------------------------------------------------- replies and pushes
def encode_reply(reply: Reply) -> bytes:
    """[id, status, kind of body, body]; a refusal has kind 0."""
    kind = 0 if isinstance(reply.body, Refusal) else 1 + _BODY_KINDS.index(type(reply.body))
    return cbor.encode([reply.id, int(reply.code), kind, body_to_map(reply.body)])


def encode_push(push: Push) -> bytes:
    """[0, kind, body]: three items, so it can not be mistaken for a reply."""
    if isinstance(push.body, Access):
        return cbor.encode([0, int(push.kind), _access_to_map(push.body)])
    return cbor.encode([0, int(push.kind), {1: int(push.body.kind), 2: push.body.left_ms}])


def decode_answer(data: bytes) -> Reply | Push:
    """What came from the module inside a record. Raises ProtocolError MALFORMED."""
    value = _decode(data)
    if type(value) is not list or not 3 <= len(value) <= 4:
        raise _bad("an answer is an array of three or four items")
    if len(value) == 3:
        return _push(value)
    request_id = _uint(value[0], "request id", MAX_REQUEST_ID)
    code = _code(value[1])
    kind = _uint(value[2], "kind of body", len(_BODY_KINDS))
    if (kind == 0) != (Code.OK < code < FIRST_WARNING):
        raise _bad("status and body disagree")
    body = refusal_from_map(code, value[3]) if kind == 0 else _body_from_map(kind - 1, value[3])
    return Reply(request_id, code, body)


def _push(value: list[cbor.Value]) -> Push:
    if value[0] != 0:
        raise _bad("a push has the id 0")
    try:
        kind = PushKind(_uint(value[1], "kind of push"))
        if kind is PushKind.ACCESS:
            return Push(kind, _access_from_map(value[2]))
        fields = _map(value[2], "notice")
        return Push(kind, Notice(NoticeKind(_uint(fields.get(1), "notice")), _uint(fields.get(2), "left")))
    except ValueError:
        raise _bad("unknown kind of push or notice") from None


# ---------------------------------------------------------------- public information
def encode_public_info(info: PublicInfo) -> bytes:
    """{1: version, 2: longest message, 3: longest list, 4: suites, 5: methods}."""
    return cbor.encode(
        {
            1: info.version,
            2: info.max_message_bytes,
            3: info.max_list_bytes,
            4: list(info.suites),
            5: list(info.methods),
        }
    )


def decode_public_info(data: bytes) -> PublicInfo:
    """The inverse; unknown keys are ignored so that newer modules can say more."""
    fields = _map(_decode(data), "public information")

    def numbers(key: int) -> tuple[int, ...]:
        values = fields.get(key)
        if type(values) is not list or len(values) > MAX_NUMBERS:
            raise _bad("suites and methods are short arrays")
        return tuple(_uint(value, "suite or method", 255) for value in values)

    return PublicInfo(
        _uint(fields.get(1), "version", 255),
        _uint(fields.get(2), "longest message", 0xFFFF),
        _uint(fields.get(3), "longest list", 0xFFFF),
        numbers(4),
        numbers(5),
    )
