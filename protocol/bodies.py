"""Bodies of replies and refusals as CBOR maps with small integer keys (SPEC section 8). Whole messages: `messages`."""

from typing import Final, assert_never

from protocol import cbor
from protocol.errors import Code, ProtocolError, Refusal
from protocol.values import (
    MAX_KEYS,
    MAX_NUMBERS,
    MAX_TEXT_BYTES,
    TOKEN_ID_BYTES,
    Accepted,
    Access,
    Body,
    Done,
    Ended,
    KeyEntry,
    KeyList,
    Nonce,
    Operation,
    Outcome,
    Phase,
    Position,
    SelfTested,
    Status,
    VehicleState,
)

BODY_KINDS: Final[tuple[type[Body], ...]] = (
    Done,
    Ended,
    Status,
    Nonce,
    Position,
    Accepted,
    Outcome,
    KeyList,
    SelfTested,
)


# ---------------------------------------------------------------- small readers, one error for all
def bad(what: str) -> ProtocolError:
    return ProtocolError(Code.MALFORMED, what)


def read_uint(value: object, what: str, most: int = 2**63) -> int:
    if type(value) is not int or not 0 <= value <= most:
        raise bad(f"{what} is not an unsigned integer up to {most}")
    return value


def read_int(value: object, what: str) -> int:
    if type(value) is not int or not -(2**63) <= value <= 2**63:
        raise bad(f"{what} is not an integer")
    return value


def read_bytes(value: object, what: str, size: int | None = None) -> bytes:
    if type(value) is not bytes or (size is not None and len(value) != size):
        raise bad(f"{what} is not a byte string" + (f" of {size} bytes" if size is not None else ""))
    return value


def read_bool(value: object, what: str) -> bool:
    if type(value) is not bool:
        raise bad(f"{what} is not true or false")
    return value


def read_text(value: object, what: str) -> str:
    if type(value) is not str or len(value) > MAX_TEXT_BYTES:
        raise bad(f"{what} is not a text of at most {MAX_TEXT_BYTES} characters")
    return value


def read_map(value: object, what: str) -> dict[object, object]:
    if type(value) is not dict:
        raise bad(f"{what} is not a map")
    return value


def read_array(value: object, what: str, most: int) -> list[object]:
    if type(value) is not list or len(value) > most:
        raise bad(f"{what} is not an array of at most {most} items")
    return value


def read_code(value: object) -> Code:
    try:
        return Code(read_uint(value, "status", 255))
    except ValueError:
        raise bad("unknown status") from None


def _sparse(**fields: cbor.Value) -> dict[cbor.Value, cbor.Value]:
    """{1: first, 2: second, ...} without the fields that are None."""
    return {key: value for key, value in enumerate(fields.values(), 1) if value is not None}


# ---------------------------------------------------------------- refusals
def refusal_to_map(refusal: Refusal) -> dict[cbor.Value, cbor.Value]:
    """{1: rule, 2: {name: number}, 3: temporary, 4: may have succeeded, 5: remedy}; the code travels outside."""
    numbers: dict[cbor.Value, cbor.Value] = dict(refusal.numbers)
    return {
        1: refusal.rule,
        2: numbers,
        3: refusal.temporary,
        4: refusal.may_have_succeeded,
        5: refusal.remedy,
    }


def refusal_from_map(code: Code, value: object) -> Refusal:
    """The inverse of `refusal_to_map`; numbers come back sorted by name."""
    fields = read_map(value, "refusal")
    numbers = read_map(fields.get(2), "numbers")
    if len(numbers) > MAX_NUMBERS:
        raise bad("too many numbers")
    pairs = tuple(sorted((read_text(name, "name"), read_int(number, "number")) for name, number in numbers.items()))
    return Refusal(
        code,
        read_text(fields.get(1), "rule"),
        pairs,
        read_bool(fields.get(3), "temporary"),
        read_bool(fields.get(4), "may have succeeded"),
        read_text(fields.get(5), "remedy"),
    )


# ---------------------------------------------------------------- bodies
def access_to_map(access: Access) -> dict[cbor.Value, cbor.Value]:
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


def access_from_map(value: object) -> Access:
    fields = read_map(value, "access")
    refusal = fields.get(7)
    if refusal is not None and (type(refusal) is not list or len(refusal) != 2):
        raise bad("access: the refusal is an array of two items")
    try:
        phase = Phase(read_uint(fields.get(2), "phase"))
    except ValueError:
        raise bad("unknown phase") from None
    return Access(
        read_bool(fields.get(1), "granted"),
        phase,
        read_uint(fields.get(3), "permissions", 0xFFFF),
        read_uint(fields.get(4), "ends at"),
        read_uint(fields.get(5), "cutoff at"),
        read_uint(fields.get(6), "now"),
        None if refusal is None else refusal_from_map(read_code(refusal[0]), refusal[1]),
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
    fields = read_map(value, "vehicle")

    def flag(key: int, what: str) -> bool | None:
        return None if fields.get(key) is None else read_bool(fields[key], what)

    def number(key: int, what: str) -> int | None:
        return None if fields.get(key) is None else read_uint(fields[key], what)

    return VehicleState(
        flag(1, "locked"),
        flag(2, "doors open"),
        flag(3, "boot open"),
        flag(4, "ignition on"),
        read_bool(fields.get(5), "drive enabled"),
        read_bool(fields.get(6), "parked"),
        number(7, "fuel"),
        number(8, "odometer"),
        number(9, "home distance"),
    )


def _key_to_map(key: KeyEntry) -> dict[cbor.Value, cbor.Value]:
    return _sparse(
        number=key.number,
        token_id=key.token_id,
        name=key.name,
        permissions=key.permissions,
        expires_at_ms=key.expires_at_ms,
        activated=key.activated,
        deleted=key.deleted,
    )


def _key_from_map(value: object) -> KeyEntry:
    fields = read_map(value, "key")
    return KeyEntry(
        read_uint(fields.get(1), "number"),
        read_bytes(fields.get(2), "token id", TOKEN_ID_BYTES),
        read_text(fields.get(3), "name"),
        read_uint(fields.get(4), "permissions", 0xFFFF),
        read_uint(fields.get(5), "expires at"),
        read_bool(fields.get(6), "activated"),
        read_bool(fields.get(7), "deleted"),
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
            return _sparse(access=access_to_map(body.access), vehicle=vehicle)
        case Nonce():
            return {1: body.nonce, 2: body.module_id, 3: body.valid_ms}
        case Position():
            return {1: body.latitude_e7, 2: body.longitude_e7, 3: body.age_ms}
        case Accepted():
            return {1: body.pending}
        case Outcome():
            return {1: int(body.operation), 2: int(body.code), 3: body.may_have_succeeded}
        case KeyList():
            return {1: [_key_to_map(key) for key in body.keys]}
        case SelfTested():
            return {1: body.report}
        case _:
            assert_never(body)


def body_from_map(kind: int, value: object) -> Body:
    fields = read_map(value, "body")
    match BODY_KINDS[kind]:
        case kind_ if kind_ is Done:
            return Done(read_bool(fields.get(1), "already"))
        case kind_ if kind_ is Ended:
            distance, age = fields.get(2), fields.get(3)
            return Ended(
                read_uint(fields.get(1), "at"),
                None if distance is None else read_uint(distance, "distance"),
                None if age is None else read_uint(age, "age"),
                read_bytes(fields.get(4, b""), "receipt"),
            )
        case kind_ if kind_ is Status:
            vehicle = fields.get(2)
            return Status(access_from_map(fields.get(1)), None if vehicle is None else _vehicle_from_map(vehicle))
        case kind_ if kind_ is Nonce:
            return Nonce(
                read_bytes(fields.get(1), "nonce", 16),
                read_bytes(fields.get(2), "module id", 8),
                read_uint(fields.get(3), "valid"),
            )
        case kind_ if kind_ is Position:
            return Position(
                read_int(fields.get(1), "latitude"),
                read_int(fields.get(2), "longitude"),
                read_uint(fields.get(3), "age"),
            )
        case kind_ if kind_ is Accepted:
            return Accepted(read_bool(fields.get(1), "pending"))
        case kind_ if kind_ is KeyList:
            return KeyList(tuple(map(_key_from_map, read_array(fields.get(1), "keys", MAX_KEYS))))
        case kind_ if kind_ is SelfTested:
            return SelfTested(read_bytes(fields.get(1), "report"))
        case _:
            try:
                operation = Operation(read_uint(fields.get(1), "operation"))
            except ValueError:
                raise bad("unknown operation") from None
            return Outcome(operation, read_code(fields.get(2)), read_bool(fields.get(3), "may have succeeded"))
