"""Credentials and orders: the claims inside COSE_Sign1 (SPEC section 6).

Decides whether bytes are a genuine statement for this module. Refuses to know what time it is, which tokens are
revoked and which epoch counts: that is policy, and lives in `firmware.core.admit`.
"""

from enum import IntEnum, unique
from typing import Final, TypeVar

import msgspec

from protocol import cbor, cose, keys
from protocol.errors import Code, ProtocolError, Role

GRACE_S: Final = 1800
"""exp - end of a booking token: the 30 minutes of CUT-1."""
MAX_LIST_BYTES: Final = 4096
MAX_TIME_S: Final = 2**32 - 1
MODULE_ID_BYTES: Final = 8
_ID_BYTES: Final = 16
_USER_BYTES: Final = 8

_EXP, _NBF, _IAT, _CTI, _CNF, _OURS = 4, 5, 6, 7, 8, -70001
_MODE_AT_ONCE: Final = 0

_Claims = dict[cbor.Value, cbor.Value]
_Signed = TypeVar("_Signed", bound=msgspec.Struct)


@unique
class Typ(IntEnum):
    """Header `typ` (RFC 9596): which kind of statement a container is. 65002 is reserved for shared keys."""

    BOOKING = 65001
    REVOCATION_LIST = 65003
    TIME_ATTESTATION = 65004
    ORDER = 65005
    END_RECEIPT = 65006


class Booking(msgspec.Struct, frozen=True, gc=False):
    """The claims of a booking token. Times are UTC seconds as on the wire; `permissions` are the bits of
    `messages.Permission`; `holder` is the compressed point of the phone's key, not yet checked to lie on the curve
    (the handshake does); `issuer` is the key id of the signer."""

    token_id: bytes
    not_before_s: int
    ends_at_s: int
    expires_s: int
    issued_s: int
    module_id: bytes
    booking_id: bytes
    role: Role
    permissions: int
    key_epoch: int
    user: bytes
    delegation_depth: int
    device_generation: int
    holder: bytes
    issuer: bytes = b""


@unique
class OrderKind(IntEnum):
    """What a signed order tells the module to do."""

    END_BOOKING = 1


class Order(msgspec.Struct, frozen=True, gc=False):
    """A signed order. `expires_s` ends its time to live; `booking_expires_s` is the exp of the booking's token."""

    order_id: bytes
    kind: OrderKind
    module_id: bytes
    issued_s: int
    expires_s: int
    booking_id: bytes
    booking_expires_s: int
    issuer: bytes = b""


class RevocationList(msgspec.Struct, frozen=True, gc=False):
    """The list `number` of withdrawn tokens, each with the exp of the token, after which it may be forgotten."""

    module_id: bytes
    number: int
    issued_s: int
    min_key_epoch: int
    revoked: tuple[tuple[bytes, int], ...]
    issuer: bytes = b""


class TimeAttestation(msgspec.Struct, frozen=True, gc=False):
    """The backend's time, bound to a nonce that this module gave out."""

    module_id: bytes
    nonce: bytes
    now_s: int
    issuer: bytes = b""


class EndReceipt(msgspec.Struct, frozen=True, gc=False):
    """The module's word that a booking has ended (BKG-4). `offline`: the backend did not know yet."""

    module_id: bytes
    booking_id: bytes
    ended_at_s: int
    position_known: bool
    offline: bool


class Trust(msgspec.Struct, frozen=True):
    """Whom a module believes, by key id. The algorithm belongs to the key: ES256 for all."""

    module_id: bytes
    issuers: dict[bytes, keys.PublicKey]


def trust_of(module_id: bytes, issuers: tuple[keys.PublicKey, ...]) -> Trust:
    """Trust in `issuers`, filed under their key ids."""
    return Trust(module_id, {keys.key_id(issuer): issuer for issuer in issuers})


# ---------------------------------------------------------------- small readers, one error for all
def _bad(what: str) -> ProtocolError:
    return ProtocolError(Code.TOKEN_MALFORMED, what)


def _claims(payload: bytes) -> _Claims:
    try:
        claims = cbor.decode(payload)
    except ProtocolError as error:
        raise _bad(error.detail) from None
    return _map(claims, "claims")


def _map(value: cbor.Value, what: str) -> _Claims:
    if type(value) is not dict:
        raise _bad(f"{what}: not a map")
    return value


def _exactly(claims: _Claims, *wanted: int) -> _Claims:
    """Claims that this version does not know would be rules that it does not keep."""
    if claims.keys() != set(wanted):
        raise _bad("claims are missing or unknown")
    return claims


def _uint(value: cbor.Value, most: int, least: int = 0) -> int:
    if type(value) is not int or not least <= value <= most:
        raise _bad(f"a claim is not a number from {least} to {most}")
    return value


def _bstr(value: cbor.Value, size: int) -> bytes:
    if type(value) is not bytes or len(value) != size:
        raise _bad(f"a claim is not a byte string of {size} bytes")
    return value


def _bool(value: cbor.Value) -> bool:
    if type(value) is not bool:
        raise _bad("a claim is not true or false")
    return value


def _array(value: cbor.Value) -> list[cbor.Value]:
    if type(value) is not list:
        raise _bad("a claim is not an array")
    return value


# ---------------------------------------------------------------- booking
_BOOKING_KEYS: Final = frozenset((_EXP, _NBF, _IAT, _CTI, _CNF, _OURS))
_BOOKING_OURS_KEYS: Final = frozenset((1, 2, 3, 4, 5, 6, 7, 8, 10))


def _holder(value: cbor.Value) -> bytes:
    """The compressed point in {1: COSE_Key}. That it lies on the curve is checked when it is used: doing it here
    would cost as much as half the signature."""
    key = _exactly(_map(_exactly(_map(value, "cnf"), 1)[1], "COSE_Key"), 1, -1, -2, -3)
    if key[1] != 2 or key[-1] != 1:
        raise _bad("the holder's key is not on P-256")
    return (b"\x03" if _bool(key[-3]) else b"\x02") + _bstr(key[-2], 32)


def _booking(payload: bytes, issuer: bytes) -> Booking:
    claims = _claims(payload)
    ours = _map(claims.get(_OURS), "our claims")
    if claims.keys() != _BOOKING_KEYS or ours.keys() != _BOOKING_OURS_KEYS:
        raise _bad("claims are missing or unknown")
    booking = Booking(
        _bstr(claims[_CTI], _ID_BYTES),
        _uint(claims[_NBF], MAX_TIME_S),
        _uint(ours[6], MAX_TIME_S),
        _uint(claims[_EXP], MAX_TIME_S),
        _uint(claims[_IAT], MAX_TIME_S),
        _bstr(ours[1], MODULE_ID_BYTES),
        _bstr(ours[2], _ID_BYTES),
        Role(_uint(ours[3], 3)),
        _uint(ours[4], 0xFFFF),
        _uint(ours[5], 2**32 - 1),
        _bstr(ours[7], _USER_BYTES),
        _uint(ours[8], 1),
        _uint(ours[10], 2**32 - 1),
        _holder(claims[_CNF]),
        issuer,
    )
    if not booking.not_before_s < booking.ends_at_s == booking.expires_s - GRACE_S:
        raise _bad("the times do not keep nbf < end and exp = end + 1800 s")
    return booking


def verify_booking(data: bytes, trust: Trust) -> Booking:
    """The claims of a genuine booking token for this module, at any time.

    Cheap checks first, the signature last. Raises ProtocolError TOKEN_MALFORMED, UNKNOWN_ISSUER, WRONG_VEHICLE or
    SIGNATURE_INVALID.
    """
    parsed = cose.parse_sign1(data)
    if parsed.typ != Typ.BOOKING:
        raise _bad(f"typ {parsed.typ} is not a booking token")
    public = _issuer(parsed, trust)
    booking = _booking(parsed.payload, parsed.key_id)
    _for_us(booking.module_id, trust)
    cose.verify_sign1(parsed, public)
    return booking


def mint_booking(booking: Booking, issuer: keys.PrivateKey) -> bytes:
    """The token that says `booking`, signed by `issuer`, whatever `booking.issuer` is. Checks nothing."""
    ours: _Claims = {
        1: booking.module_id,
        2: booking.booking_id,
        3: int(booking.role),
        4: int(booking.permissions),
        5: booking.key_epoch,
        6: booking.ends_at_s,
        7: booking.user,
        8: booking.delegation_depth,
        10: booking.device_generation,
    }
    cnf: _Claims = {1: {1: 2, -1: 1, -2: booking.holder[1:], -3: booking.holder[0] == 3}}
    claims: _Claims = {
        _EXP: booking.expires_s,
        _NBF: booking.not_before_s,
        _IAT: booking.issued_s,
        _CTI: booking.token_id,
        _CNF: cnf,
        _OURS: ours,
    }
    return cose.sign1(cbor.encode(claims), issuer, Typ.BOOKING)


# ---------------------------------------------------------------- orders, lists, time
def _issuer(parsed: cose.Sign1, trust: Trust) -> keys.PublicKey:
    public = trust.issuers.get(parsed.key_id)
    if public is None:
        raise ProtocolError(Code.UNKNOWN_ISSUER, f"no trusted issuer has the key id {parsed.key_id.hex()}")
    return public


def _for_us(module_id: bytes, trust: Trust) -> None:
    if module_id != trust.module_id:
        raise ProtocolError(Code.WRONG_VEHICLE, f"meant for the module {module_id.hex()}")


def _revoked(value: cbor.Value) -> tuple[bytes, int]:
    entry = _array(value)
    if len(entry) != 3 or _uint(entry[1], 1) != _MODE_AT_ONCE:
        raise _bad("an entry is not [token id, 0, exp]")
    return _bstr(entry[0], _ID_BYTES), _uint(entry[2], MAX_TIME_S)


def _list(payload: bytes, issuer: bytes) -> RevocationList:
    claims = _exactly(_claims(payload), 1, 2, 3, 4, 5)
    return RevocationList(
        _bstr(claims[1], MODULE_ID_BYTES),
        _uint(claims[2], 2**32 - 1, 1),
        _uint(claims[3], MAX_TIME_S),
        _uint(claims[4], 2**32 - 1),
        tuple(_revoked(entry) for entry in _array(claims[5])),
        issuer,
    )


def _attestation(payload: bytes, issuer: bytes) -> TimeAttestation:
    claims = _exactly(_claims(payload), 1, 2, 3)
    return TimeAttestation(
        _bstr(claims[1], MODULE_ID_BYTES), _bstr(claims[2], _ID_BYTES), _uint(claims[3], MAX_TIME_S), issuer
    )


def _order(payload: bytes, issuer: bytes) -> Order:
    claims = _exactly(_claims(payload), _EXP, _IAT, _CTI, _OURS)
    ours = _exactly(_map(claims[_OURS], "our claims"), 1, 2, 3)
    if _uint(ours[2], 0xFFFF) != OrderKind.END_BOOKING:
        raise ProtocolError(Code.ORDER_UNSUPPORTED, f"order kind {ours[2]}")
    details = _exactly(_map(ours[3], "order details"), 1, 2)
    order = Order(
        _bstr(claims[_CTI], _ID_BYTES),
        OrderKind.END_BOOKING,
        _bstr(ours[1], MODULE_ID_BYTES),
        _uint(claims[_IAT], MAX_TIME_S),
        _uint(claims[_EXP], MAX_TIME_S),
        _bstr(details[1], _ID_BYTES),
        _uint(details[2], MAX_TIME_S),
        issuer,
    )
    if order.issued_s > order.expires_s:
        raise _bad("the order expires before it was issued")
    return order


_READERS: Final = {Typ.ORDER: _order, Typ.REVOCATION_LIST: _list, Typ.TIME_ATTESTATION: _attestation}


def verify_signed(data: bytes, trust: Trust) -> Order | RevocationList | TimeAttestation:
    """The genuine order, revocation list (up to 4096 bytes) or time attestation for this module.

    Raises ProtocolError TOKEN_MALFORMED, UNKNOWN_ISSUER, ORDER_UNSUPPORTED, WRONG_VEHICLE or SIGNATURE_INVALID.
    """
    parsed = cose.parse_sign1(data, MAX_LIST_BYTES)
    if parsed.typ != Typ.REVOCATION_LIST and len(data) > cose.MAX_BYTES:
        raise _bad(f"{len(data)} bytes are more than {cose.MAX_BYTES}")
    public = _issuer(parsed, trust)
    value: Order | RevocationList | TimeAttestation
    match parsed.typ:
        case Typ.ORDER:
            value = _order(parsed.payload, parsed.key_id)
        case Typ.REVOCATION_LIST:
            value = _list(parsed.payload, parsed.key_id)
        case Typ.TIME_ATTESTATION:
            value = _attestation(parsed.payload, parsed.key_id)
        case _:
            raise _bad(f"typ {parsed.typ} is neither an order, a revocation list nor a time attestation")
    _for_us(value.module_id, trust)
    cose.verify_sign1(parsed, public)
    return value


def mint_order(order: Order, issuer: keys.PrivateKey) -> bytes:
    """The signed form of `order`. Checks nothing."""
    details: _Claims = {1: order.booking_id, 2: order.booking_expires_s}
    ours: _Claims = {1: order.module_id, 2: int(order.kind), 3: details}
    claims: _Claims = {_EXP: order.expires_s, _IAT: order.issued_s, _CTI: order.order_id, _OURS: ours}
    return cose.sign1(cbor.encode(claims), issuer, Typ.ORDER)


def mint_revocation_list(value: RevocationList, issuer: keys.PrivateKey) -> bytes:
    """The signed form of `value`. Checks nothing."""
    entries: list[cbor.Value] = [[token_id, _MODE_AT_ONCE, expires_s] for token_id, expires_s in value.revoked]
    claims: _Claims = {1: value.module_id, 2: value.number, 3: value.issued_s, 4: value.min_key_epoch, 5: entries}
    return cose.sign1(cbor.encode(claims), issuer, Typ.REVOCATION_LIST)


def mint_time_attestation(value: TimeAttestation, issuer: keys.PrivateKey) -> bytes:
    """The signed form of `value`. Checks nothing."""
    claims: _Claims = {1: value.module_id, 2: value.nonce, 3: value.now_s}
    return cose.sign1(cbor.encode(claims), issuer, Typ.TIME_ATTESTATION)


# ---------------------------------------------------------------- end receipt
def verify_receipt(data: bytes, public: keys.PublicKey) -> EndReceipt:
    """The receipt that the module with the signing key `public` gave.

    Raises ProtocolError TOKEN_MALFORMED, UNKNOWN_ISSUER or SIGNATURE_INVALID.
    """
    parsed = cose.parse_sign1(data)
    if parsed.typ != Typ.END_RECEIPT:
        raise _bad(f"typ {parsed.typ} is not an end receipt")
    if parsed.key_id != keys.key_id(public):
        raise ProtocolError(Code.UNKNOWN_ISSUER, "the receipt is of another module")
    claims = _exactly(_claims(parsed.payload), 1, 2, 3, 4, 5)
    receipt = EndReceipt(
        _bstr(claims[1], MODULE_ID_BYTES),
        _bstr(claims[2], _ID_BYTES),
        _uint(claims[3], MAX_TIME_S),
        _bool(claims[4]),
        _bool(claims[5]),
    )
    cose.verify_sign1(parsed, public)
    return receipt


def mint_receipt(receipt: EndReceipt, private: keys.PrivateKey) -> bytes:
    """The signed form of `receipt`, by the module's signing key."""
    claims: _Claims = {
        1: receipt.module_id,
        2: receipt.booking_id,
        3: receipt.ended_at_s,
        4: receipt.position_known,
        5: receipt.offline,
    }
    return cose.sign1(cbor.encode(claims), private, Typ.END_RECEIPT)
