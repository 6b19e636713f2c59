"""Digital keys: the owner's standing key, and what the owner shares of it (SPEC sections 6.8 and 6.9).

Decides whether bytes are a genuine key for this module, and whether a share keeps within what it was shared from.
Refuses to know what time it is, which keys are deleted and whether a code was entered: that is `firmware.core.keys`.
"""

import hashlib
from enum import IntEnum, unique
from typing import Final, NamedTuple

import msgspec

from protocol import cbor, claims, cose, keys, sealing, tokens
from protocol.errors import Code, ProtocolError, Role
from protocol.tokens import Trust, Typ

MOST_NAME_BYTES: Final = 32
USER_BYTES: Final = 8
DAY_MIN: Final = 24 * 60

_EXP, _NBF, _IAT, _CTI, _CNF, _OURS = 4, 5, 6, 7, 8, -70001
_MAX: Final = 2**32 - 1
_STANDING: Final = (Role.OWNER, Role.SERVICE)


@unique
class Activation(IntEnum):
    """What has to happen in the vehicle before a shared key is good (KEY-2)."""

    NONE = 0
    VEHICLE_CODE = 1


@unique
class Deletion(IntEnum):
    """When a shared key that the main user deleted stops working (KEY-6). UNTIL_KEY_CYCLE is the default."""

    IMMEDIATE = 0
    UNTIL_KEY_CYCLE = 1
    AFTER_LAST_DRIVE_OR_48H = 2


class Hours(msgspec.Struct, frozen=True, gc=False):
    """The part of each day at which a key is good: minutes after midnight UTC, 0 to 1439, `from_min` in it and `to_min`
    no more. `from_min` above `to_min` goes over midnight; they are never equal."""

    from_min: int
    to_min: int


class Key(msgspec.Struct, frozen=True, gc=False):
    """The claims of a standing key (role OWNER or SERVICE, `parent` empty) or of a shared one (role GUEST). Times are
    UTC seconds; `permissions` are the bits of `messages.Permission`; `holder` is the compressed point of the phone's
    key; `parent` is the token id of the standing key that it was shared from; `code_until_s`: the activation code may
    be entered before it.

    `issued_s` of a share is what the owner's phone took for the time: nothing to set a clock by."""

    token_id: bytes
    not_before_s: int
    expires_s: int
    issued_s: int
    module_id: bytes
    role: Role
    permissions: int
    key_epoch: int
    user: bytes
    holder: bytes
    device_generation: int = 0
    parent: bytes = b""
    name: str = ""
    activation: Activation = Activation.NONE
    code_until_s: int = 0
    sealed_code: bytes = b""
    hours: Hours | None = None
    issuer: bytes = b""


# ---------------------------------------------------------------- what the claims of both have in common
class _Common(NamedTuple):
    """Claims that every key has."""

    token_id: bytes
    not_before_s: int
    expires_s: int
    issued_s: int
    holder: bytes


def _common(found: claims.Claims) -> _Common:
    common = _Common(
        claims.bstr(found[_CTI], claims.ID_BYTES),
        claims.uint(found[_NBF], claims.MAX_TIME_S),
        claims.uint(found[_EXP], claims.MAX_TIME_S),
        claims.uint(found[_IAT], claims.MAX_TIME_S),
        _holder(found[_CNF]),
    )
    if not common.not_before_s < common.expires_s:
        raise claims.bad("the key expires before it begins")
    return common


def _holder(value: cbor.Value) -> bytes:
    """The compressed point of a `cnf` claim, which lies on the curve."""
    try:
        return keys.public_to_bytes(keys.public_from_cose_key(claims.exactly(value, 1)[1]))
    except ProtocolError as error:
        raise claims.bad(error.detail) from None


def _written(key: Key, ours: claims.Claims) -> bytes:
    cnf: claims.Claims = {1: {1: 2, -1: 1, -2: key.holder[1:], -3: key.holder[0] == 3}}
    found: claims.Claims = {
        _EXP: key.expires_s,
        _NBF: key.not_before_s,
        _IAT: key.issued_s,
        _CTI: key.token_id,
        _CNF: cnf,
        _OURS: ours,
    }
    return cbor.encode(found)


# ---------------------------------------------------------------- standing keys
def mint_key(key: Key, issuer: keys.PrivateKey) -> bytes:
    """The token of a standing key, signed by `issuer`, whatever `key.issuer` is. Checks nothing."""
    ours: claims.Claims = {
        1: key.module_id,
        3: int(key.role),
        4: key.permissions,
        5: key.key_epoch,
        7: key.user,
        10: key.device_generation,
    }
    return cose.sign1(_written(key, ours), issuer, Typ.KEY)


def verify_key(data: bytes, trust: Trust) -> Key:
    """The claims of a genuine standing key for this module, at any time.

    Raises ProtocolError TOKEN_MALFORMED, UNKNOWN_ISSUER, WRONG_VEHICLE or SIGNATURE_INVALID.
    """
    parsed = cose.parse_sign1(data)
    if parsed.typ != Typ.KEY:
        raise claims.bad(f"typ {parsed.typ} is not a standing key")
    public = tokens.issuer_of(parsed, trust)
    key = _standing(parsed)
    tokens.must_be_for(key.module_id, trust)
    cose.verify_sign1(parsed, public)
    return key


def read_key(data: bytes) -> Key:
    """The claims of a standing key, whoever signed it: for the phone that was given it. Raises ProtocolError
    TOKEN_MALFORMED."""
    parsed = cose.parse_sign1(data)
    if parsed.typ != Typ.KEY:
        raise claims.bad(f"typ {parsed.typ} is not a standing key")
    return _standing(parsed)


def _standing(parsed: cose.Sign1) -> Key:
    found = claims.exactly(claims.decode(parsed.payload), _EXP, _NBF, _IAT, _CTI, _CNF, _OURS)
    ours = claims.exactly(found[_OURS], 1, 3, 4, 5, 7, 10)
    common = _common(found)
    role = Role(claims.uint(ours[3], max(Role)))
    if role not in _STANDING:
        raise claims.bad(f"a standing key is not for a {role.name.lower()}")
    return Key(
        common.token_id,
        common.not_before_s,
        common.expires_s,
        common.issued_s,
        claims.bstr(ours[1], claims.MODULE_ID_BYTES),
        role,
        claims.uint(ours[4], 0xFFFF),
        claims.uint(ours[5], _MAX),
        claims.bstr(ours[7], USER_BYTES),
        common.holder,
        device_generation=claims.uint(ours[10], _MAX),
        issuer=parsed.key_id,
    )


# ---------------------------------------------------------------- shared keys
def guest_user(holder: bytes) -> bytes:
    """The pseudonym of whoever has a shared key, from the compressed point of their phone's key: they need no account
    for it, and nobody can claim another's (KEY-7)."""
    return hashlib.sha256(holder).digest()[:USER_BYTES]


def mint_share(key: Key, parent: bytes, holder: keys.PrivateKey) -> bytes:
    """The token of a shared key, signed by `holder`, the key that the standing key's token `parent` names. Role, user,
    parent and issuer follow from these, whatever `key` says. Checks nothing."""
    ours: claims.Claims = {
        1: key.module_id,
        3: int(Role.GUEST),
        4: key.permissions,
        5: key.key_epoch,
        9: hashlib.sha256(parent).digest(),
        11: key.name,
        12: int(key.activation),
    }
    if key.activation is Activation.VEHICLE_CODE:
        ours |= {13: key.code_until_s, 14: key.sealed_code}
    if key.hours is not None:
        ours[15] = [key.hours.from_min, key.hours.to_min]
    return cose.sign1(_written(key, ours), holder, Typ.SHARE)


def verify_share(parent: bytes, share: bytes, trust: Trust) -> tuple[Key, Key]:
    """The claims of a genuine standing key for this module, and of what its holder shared of it, at any time.

    Raises ProtocolError TOKEN_MALFORMED when one of them can not be read; UNKNOWN_ISSUER, WRONG_VEHICLE or
    SIGNATURE_INVALID for the standing key; SHARE_INVALID for every rule that the share does not keep.
    """
    parsed = _parent(parent)
    public = tokens.issuer_of(parsed, trust)
    owner, shared = _chain(parsed, parent, share)
    tokens.must_be_for(owner.module_id, trust)
    cose.verify_sign1(parsed, public)
    return owner, shared


def read_share(parent: bytes, share: bytes) -> tuple[Key, Key]:
    """The same, whoever signed the standing key and whichever module it is for: for the phone that was given them.
    Raises ProtocolError TOKEN_MALFORMED or SHARE_INVALID."""
    return _chain(_parent(parent), parent, share)


def _parent(data: bytes) -> cose.Sign1:
    parsed = cose.parse_sign1(data)
    if parsed.typ != Typ.KEY:
        raise _invalid("only a standing key can be shared")
    return parsed


def _chain(parsed: cose.Sign1, parent: bytes, share: bytes) -> tuple[Key, Key]:
    """Everything but what the issuer signed."""
    parsed_share = cose.parse_sign1(share)
    if parsed_share.typ != Typ.SHARE:
        raise claims.bad(f"typ {parsed_share.typ} is not a share")
    owner = _standing(parsed)
    shared, shared_from = _shared(parsed_share, owner)
    if shared_from != hashlib.sha256(parent).digest():
        raise _invalid("it was shared from another key")
    signer = keys.public_from_bytes(owner.holder)
    if shared.issuer != keys.key_id(signer):
        raise _invalid("it was signed by another phone")
    _must_be_narrower(owner, shared)
    try:
        cose.verify_sign1(parsed_share, signer)
    except ProtocolError as error:
        raise _invalid(error.detail) from None
    return owner, shared


def _must_be_narrower(owner: Key, shared: Key) -> None:
    for kept, what in (
        (owner.role is Role.OWNER, "only an owner's key can be shared"),
        (shared.module_id == owner.module_id, "it is for another car than the key that it was shared from"),
        (shared.key_epoch == owner.key_epoch, "it has another key epoch than the key that it was shared from"),
        (not shared.permissions & ~owner.permissions, "it permits more than the key that it was shared from"),
        (shared.not_before_s >= owner.not_before_s, "it begins before the key that it was shared from"),
        (shared.expires_s <= owner.expires_s, "it is good for longer than the key that it was shared from"),
    ):
        if not kept:
            raise _invalid(what)


def _shared(parsed: cose.Sign1, owner: Key) -> tuple[Key, bytes]:
    """A share, and the hash of what it was shared from."""
    found = claims.exactly(claims.decode(parsed.payload), _EXP, _NBF, _IAT, _CTI, _CNF, _OURS)
    ours = claims.within(found[_OURS], (1, 3, 4, 5, 9, 11, 12), (13, 14, 15))
    common = _common(found)
    claims.uint(ours[3], Role.GUEST, Role.GUEST)
    name = claims.text(ours[11], MOST_NAME_BYTES, 1)
    if len(name.encode()) > MOST_NAME_BYTES:
        raise claims.bad(f"a name has more than {MOST_NAME_BYTES} bytes")
    activation, code_until_s, sealed_code = _activation(ours, common.expires_s)
    key = Key(
        common.token_id,
        common.not_before_s,
        common.expires_s,
        common.issued_s,
        claims.bstr(ours[1], claims.MODULE_ID_BYTES),
        Role.GUEST,
        claims.uint(ours[4], 0xFFFF),
        claims.uint(ours[5], _MAX),
        guest_user(common.holder),
        common.holder,
        parent=owner.token_id,
        name=name,
        activation=activation,
        code_until_s=code_until_s,
        sealed_code=sealed_code,
        hours=_hours(ours),
        issuer=parsed.key_id,
    )
    return key, claims.bstr(ours[9], 32)


def _activation(ours: claims.Claims, expires_s: int) -> tuple[Activation, int, bytes]:
    """Policy, end of the code and the sealed code; the last two come with a code and only with one."""
    activation = Activation(claims.uint(ours[12], max(Activation)))
    waits = activation is Activation.VEHICLE_CODE
    if [claim in ours for claim in (13, 14)] != [waits, waits]:
        raise claims.bad("a sealed code comes with its end, and with the policy that asks for it")
    if not waits:
        return activation, 0, b""
    return activation, claims.uint(ours[13], expires_s, 1), claims.bstr(ours[14], sealing.SEALED_BYTES)


def _hours(ours: claims.Claims) -> Hours | None:
    if 15 not in ours:
        return None
    pair = claims.array(ours[15])
    if len(pair) != 2 or pair[0] == pair[1]:
        raise claims.bad("hours are not two different minutes of the day")
    return Hours(claims.uint(pair[0], DAY_MIN - 1), claims.uint(pair[1], DAY_MIN - 1))


def _invalid(what: str) -> ProtocolError:
    return ProtocolError(Code.SHARE_INVALID, what)
