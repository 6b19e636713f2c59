"""Credentials and orders: the claims inside COSE_Sign1 (SPEC section 6).

Decides whether bytes are a genuine statement for this module. Refuses to know what time it is, which tokens
are revoked and which epoch counts: that is policy, and lives in `firmware.core.admit`.
"""

import re
from enum import IntEnum, unique
from typing import Final

import msgspec

from protocol import cbor, claims, cose, keys, orders
from protocol.errors import Code, ProtocolError, Role
from protocol.orders import Order

GRACE_S: Final = 1800
"""exp - end of a booking token: the 30 minutes of CUT-1."""
MAX_LIST_BYTES: Final = 4096

_EXP, _NBF, _IAT, _CTI, _CNF, _OURS = 4, 5, 6, 7, 8, -70001  # RFC 8392, RFC 8747, and a private one
_AT_ONCE: Final = 0
_LAST_POLICY: Final = 2


@unique
class Typ(IntEnum):
    """Header `typ` (RFC 9596): which kind of statement a container is."""

    BOOKING = 65001
    SHARE = 65002
    REVOCATION_LIST = 65003
    TIME_ATTESTATION = 65004
    ORDER = 65005
    END_RECEIPT = 65006
    KEY = 65007
    SELF_TEST = 65008


class Booking(msgspec.Struct, frozen=True, gc=False):
    """The claims of a booking token. Times are UTC seconds as on the wire; `permissions` are the bits of
    `messages.Permission`; `issuer` is the key id of the signer.

    `holder` is the compressed point of the phone's key. That it lies on the curve is checked when the key is
    used, in the handshake: doing it here would cost as much as a third of the signature check.
    """

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


class RevocationList(msgspec.Struct, frozen=True, gc=False):
    """List `number` of withdrawn tokens, each with the token's exp, after which it may be forgotten. `revoked`: at
    once. `fading`: (token id, `sharing.Deletion`, exp) of shared keys that go on for a while (KEY-6)."""

    module_id: bytes
    number: int
    issued_s: int
    min_key_epoch: int
    revoked: tuple[tuple[bytes, int], ...]
    issuer: bytes = b""
    fading: tuple[tuple[bytes, int, int], ...] = ()


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


# ---------------------------------------------------------------- booking
# Deterministic encoding leaves a booking's claims one form, so one pattern is their whole grammar. Through
# `cbor` and `claims` the whole verification takes 1.75 instead of 1.2 times the bare signature check.
_U32: Final = rb"([\x00-\x17]|\x18[\x18-\xff]|\x19[\x01-\xff].|\x1a(?!\x00\x00).{4})"
_U16: Final = rb"([\x00-\x17]|\x18[\x18-\xff]|\x19[\x01-\xff].)"
_BOOKING: Final = re.compile(
    rb"\xa6\x04" + _U32  # exp
    + rb"\x05" + _U32  # nbf
    + rb"\x06" + _U32  # iat
    + rb"\x07\x50(.{16})"  # cti
    + rb"\x08\xa1\x01\xa4\x01\x02\x20\x01\x21\x58\x20(.{32})\x22([\xf4\xf5])"  # cnf: x and sign of y
    + rb"\x3a\x00\x01\x11\x70\xa9"  # our own claims
    + rb"\x01\x48(.{8})"  # module
    + rb"\x02\x50(.{16})"  # booking
    + rb"\x03([\x00-\x03])"  # role
    + rb"\x04" + _U16  # permissions
    + rb"\x05" + _U32  # key epoch
    + rb"\x06" + _U32  # end
    + rb"\x07\x48(.{8})"  # user
    + rb"\x08([\x00\x01])"  # delegation depth
    + rb"\x0a" + _U32,  # device generation
    re.DOTALL,
)  # fmt: skip


def _number(encoded: bytes) -> int:
    """The value of an unsigned integer in its CBOR form."""
    return encoded[0] if len(encoded) == 1 else int.from_bytes(encoded[1:], "big")


def _booking(payload: bytes, issuer: bytes) -> Booking:
    match = _BOOKING.fullmatch(payload)
    if match is None:
        raise claims.bad("the claims are not those of a booking token")
    exp, nbf, iat, cti, x, sign, module, booking, role, permissions, epoch, end, user, depth, generation = (
        match.groups()
    )
    value = Booking(
        cti,
        _number(nbf),
        _number(end),
        _number(exp),
        _number(iat),
        module,
        booking,
        Role(role[0]),
        _number(permissions),
        _number(epoch),
        user,
        depth[0],
        _number(generation),
        (b"\x03" if sign == b"\xf5" else b"\x02") + x,
        issuer,
    )
    if not value.not_before_s < value.ends_at_s == value.expires_s - GRACE_S:
        raise claims.bad("the times do not keep nbf < end and exp = end + 1800 s")
    return value


def verify_booking(data: bytes, trust: Trust) -> Booking:
    """The claims of a genuine booking token for this module, at any time.

    Cheap checks first, the signature last. Raises ProtocolError TOKEN_MALFORMED, UNKNOWN_ISSUER,
    WRONG_VEHICLE or SIGNATURE_INVALID.
    """
    parsed = cose.parse_sign1(data)
    if parsed.typ != Typ.BOOKING:
        raise claims.bad(f"typ {parsed.typ} is not a booking token")
    public = issuer_of(parsed, trust)
    booking = _booking(parsed.payload, parsed.key_id)
    must_be_for(booking.module_id, trust)
    cose.verify_sign1(parsed, public)
    return booking


def mint_booking(booking: Booking, issuer: keys.PrivateKey) -> bytes:
    """The token that says `booking`, signed by `issuer`, whatever `booking.issuer` is. Checks nothing."""
    ours: claims.Claims = {
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
    cnf: claims.Claims = {1: {1: 2, -1: 1, -2: booking.holder[1:], -3: booking.holder[0] == 3}}
    found: claims.Claims = {
        _EXP: booking.expires_s,
        _NBF: booking.not_before_s,
        _IAT: booking.issued_s,
        _CTI: booking.token_id,
        _CNF: cnf,
        _OURS: ours,
    }
    return cose.sign1(cbor.encode(found), issuer, Typ.BOOKING)


# ---------------------------------------------------------------- orders, lists, time
def issuer_of(parsed: cose.Sign1, trust: Trust) -> keys.PublicKey:
    """The key of whoever says to have signed it. Raises ProtocolError UNKNOWN_ISSUER."""
    public = trust.issuers.get(parsed.key_id)
    if public is None:
        raise ProtocolError(Code.UNKNOWN_ISSUER, f"no trusted issuer has the key id {parsed.key_id.hex()}")
    return public


def must_be_for(module_id: bytes, trust: Trust) -> None:
    """Raises ProtocolError WRONG_VEHICLE unless this is the module."""
    if module_id != trust.module_id:
        raise ProtocolError(Code.WRONG_VEHICLE, f"meant for the module {module_id.hex()}")


def _withdrawn(value: cbor.Value) -> tuple[bytes, int, int]:
    """Token id, policy and exp of an entry."""
    entry = claims.array(value)
    if len(entry) != 3:
        raise claims.bad("an entry is not [token id, policy, exp]")
    return (
        claims.bstr(entry[0], claims.ID_BYTES),
        claims.uint(entry[1], _LAST_POLICY),
        claims.uint(entry[2], claims.MAX_TIME_S),
    )


def _list(payload: bytes, issuer: bytes) -> RevocationList:
    found = claims.exactly(claims.decode(payload), 1, 2, 3, 4, 5)
    entries = [_withdrawn(entry) for entry in claims.array(found[5])]
    if entries != sorted(entries, key=lambda entry: entry[1] != _AT_ONCE):
        raise claims.bad("entries that take effect at once do not come first")
    return RevocationList(
        claims.bstr(found[1], claims.MODULE_ID_BYTES),
        claims.uint(found[2], 2**32 - 1, 1),
        claims.uint(found[3], claims.MAX_TIME_S),
        claims.uint(found[4], 2**32 - 1),
        tuple((token_id, exp) for token_id, policy, exp in entries if policy == _AT_ONCE),
        issuer,
        tuple(entry for entry in entries if entry[1] != _AT_ONCE),
    )


def _attestation(payload: bytes, issuer: bytes) -> TimeAttestation:
    found = claims.exactly(claims.decode(payload), 1, 2, 3)
    return TimeAttestation(
        claims.bstr(found[1], claims.MODULE_ID_BYTES),
        claims.bstr(found[2], claims.ID_BYTES),
        claims.uint(found[3], claims.MAX_TIME_S),
        issuer,
    )


def verify_signed(data: bytes, trust: Trust) -> Order | RevocationList | TimeAttestation:
    """The genuine order, revocation list (up to 4096 bytes) or time attestation for this module.

    Raises ProtocolError TOKEN_MALFORMED, UNKNOWN_ISSUER, ORDER_UNSUPPORTED, WRONG_VEHICLE or
    SIGNATURE_INVALID.
    """
    parsed = cose.parse_sign1(data, MAX_LIST_BYTES)
    if parsed.typ != Typ.REVOCATION_LIST and len(data) > cose.MAX_BYTES:
        raise claims.bad(f"{len(data)} bytes are more than {cose.MAX_BYTES}")
    public = issuer_of(parsed, trust)
    value: Order | RevocationList | TimeAttestation
    match parsed.typ:
        case Typ.ORDER:
            value = orders.read(parsed.payload, parsed.key_id)
        case Typ.REVOCATION_LIST:
            value = _list(parsed.payload, parsed.key_id)
        case Typ.TIME_ATTESTATION:
            value = _attestation(parsed.payload, parsed.key_id)
        case _:
            raise claims.bad(f"typ {parsed.typ} is neither an order, a revocation list nor a time attestation")
    must_be_for(value.module_id, trust)
    cose.verify_sign1(parsed, public)
    return value


def addressee(data: bytes) -> bytes:
    """For which module an order or revocation list is, whoever signed it. Raises ProtocolError TOKEN_MALFORMED or
    ORDER_UNSUPPORTED."""
    parsed = cose.parse_sign1(data, MAX_LIST_BYTES)
    match parsed.typ:
        case Typ.ORDER:
            return orders.read(parsed.payload, parsed.key_id).module_id
        case Typ.REVOCATION_LIST:
            return _list(parsed.payload, parsed.key_id).module_id
        case _:
            raise claims.bad(f"typ {parsed.typ} is neither an order nor a revocation list")


def mint_order(order: Order, issuer: keys.PrivateKey) -> bytes:
    """The signed form of `order`. Checks nothing."""
    return cose.sign1(cbor.encode(orders.written(order)), issuer, Typ.ORDER)


def mint_revocation_list(value: RevocationList, issuer: keys.PrivateKey) -> bytes:
    """The signed form of `value`. Checks nothing."""
    entries: list[cbor.Value] = [[token_id, _AT_ONCE, expires_s] for token_id, expires_s in value.revoked]
    entries += [[token_id, policy, expires_s] for token_id, policy, expires_s in value.fading]
    found: claims.Claims = {
        1: value.module_id,
        2: value.number,
        3: value.issued_s,
        4: value.min_key_epoch,
        5: entries,
    }
    return cose.sign1(cbor.encode(found), issuer, Typ.REVOCATION_LIST)


def mint_time_attestation(value: TimeAttestation, issuer: keys.PrivateKey) -> bytes:
    """The signed form of `value`. Checks nothing."""
    found: claims.Claims = {1: value.module_id, 2: value.nonce, 3: value.now_s}
    return cose.sign1(cbor.encode(found), issuer, Typ.TIME_ATTESTATION)


# ---------------------------------------------------------------- end receipt
def verify_receipt(data: bytes, public: keys.PublicKey) -> EndReceipt:
    """The receipt that the module with the signing key `public` gave.

    Raises ProtocolError TOKEN_MALFORMED, UNKNOWN_ISSUER or SIGNATURE_INVALID.
    """
    parsed = cose.parse_sign1(data)
    if parsed.typ != Typ.END_RECEIPT:
        raise claims.bad(f"typ {parsed.typ} is not an end receipt")
    if parsed.key_id != keys.key_id(public):
        raise ProtocolError(Code.UNKNOWN_ISSUER, "the receipt is of another module")
    found = claims.exactly(claims.decode(parsed.payload), 1, 2, 3, 4, 5)
    receipt = EndReceipt(
        claims.bstr(found[1], claims.MODULE_ID_BYTES),
        claims.bstr(found[2], claims.ID_BYTES),
        claims.uint(found[3], claims.MAX_TIME_S),
        claims.flag(found[4]),
        claims.flag(found[5]),
    )
    cose.verify_sign1(parsed, public)
    return receipt


def mint_receipt(receipt: EndReceipt, private: keys.PrivateKey) -> bytes:
    """The signed form of `receipt`, by the module's signing key."""
    found: claims.Claims = {
        1: receipt.module_id,
        2: receipt.booking_id,
        3: receipt.ended_at_s,
        4: receipt.position_known,
        5: receipt.offline,
    }
    return cose.sign1(cbor.encode(found), private, Typ.END_RECEIPT)
