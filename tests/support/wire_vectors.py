"""Vectors of everything that is signed or sealed, and of every message: for other implementations, and against changes
that nobody meant. `python -m tests.support.wire_vectors` writes the file anew.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from protocol import beacon, credential, keys, messages, sealing, selftest, sharing, tokens
from protocol.errors import Code, ProtocolError, Refusal, Role
from protocol.values import (
    Accepted,
    Access,
    Done,
    Ended,
    KeyEntry,
    KeyList,
    Nonce,
    Notice,
    NoticeKind,
    Operation,
    Outcome,
    Phase,
    Position,
    Push,
    PushKind,
    Reply,
    Request,
    SelfTested,
    Status,
    VehicleState,
)
from tests.support import credentials
from tests.support.credentials import (
    DEALER,
    GUEST,
    HANDSHAKE,
    ISSUER,
    ORDER,
    OWNER,
    PLAIN_SHARE,
    REPORT,
    SERVICE,
    SHARED,
    SIGNER,
    STANDING,
    STRANGER,
    TRUST,
)

FILE: Final = Path("tests/vectors/wire-v1.json")


class Kind(NamedTuple):
    """One kind of thing: what its byte strings are, how they are read, and some that are and are not accepted."""

    parts: tuple[str, ...]
    read: Callable[..., object]
    accepted: tuple[tuple[bytes, ...], ...]
    refused: tuple[tuple[bytes, ...], ...] = ()


def _flipped(data: bytes) -> bytes:
    return data[:-1] + bytes([data[-1] ^ 1])


# ---------------------------------------------------------------- what is signed or sealed
_TOKEN: Final = credentials.standing()
_SERVICE: Final = sharing.mint_key(SERVICE, ISSUER)
_SHARE: Final = credentials.share()
_LIST: Final = tokens.mint_revocation_list(credentials.FADING_LIST, ISSUER)
_REPORT: Final = selftest.mint(REPORT, SIGNER)


def _wrong_list(**changes: object) -> bytes:
    return tokens.mint_revocation_list(msgspec.structs.replace(credentials.FADING_LIST, **changes), ISSUER)


def _order(**changes: object) -> bytes:
    return tokens.mint_order(msgspec.structs.replace(ORDER, **changes), ISSUER)


def _known(secret: bytes, key_epoch: bytes, heard: bytes) -> dict[str, object]:
    """The beacon key of that epoch, and whether what was heard is a beacon of it."""
    key = beacon.key_of(secret, int.from_bytes(key_epoch, "big"))
    return {"beacon_key": key, "is_of": beacon.is_of(key, heard)}


def _opened(sealed: bytes, token_id: bytes) -> dict[str, object]:
    """The digits, and the print by which a module compares them."""
    code = sealing.unseal(sealed, HANDSHAKE, token_id)
    return {"code": code, "print": sealing.code_print(code, HANDSHAKE)}


_SIGNED: Final[dict[str, Kind]] = {
    "booking": Kind(
        ("token",),
        lambda token: tokens.verify_booking(token, TRUST),
        ((credentials.token(),),),
        tuple(
            (token,)
            for token in (
                credentials.token(STRANGER),
                credentials.token(module_id=b"not ours"),
                _flipped(credentials.token()),
                _TOKEN,
            )
        ),
    ),
    "standing key": Kind(
        ("token",),
        lambda token: sharing.verify_key(token, TRUST),
        ((_TOKEN,), (_SERVICE,)),
        tuple(
            (token,)
            for token in (
                credentials.standing(STRANGER),
                credentials.standing(module_id=b"not ours"),
                _flipped(_TOKEN),
                credentials.standing(role=Role.GUEST),
                _SHARE,
            )
        ),
    ),
    "shared key": Kind(
        ("parent", "share"),
        lambda parent, share: sharing.verify_share(parent, share, TRUST),
        ((_TOKEN, _SHARE), (_TOKEN, sharing.mint_share(PLAIN_SHARE, _TOKEN, OWNER))),
        (
            (_TOKEN, credentials.share(permissions=63)),
            (_TOKEN, credentials.share(expires_s=STANDING.expires_s + 1)),
            (_TOKEN, credentials.share(not_before_s=STANDING.not_before_s - 1)),
            (_TOKEN, credentials.share(key_epoch=STANDING.key_epoch + 1)),
            (_TOKEN, credentials.share(module_id=b"not ours")),
            (_TOKEN, credentials.share(STRANGER)),
            (_SHARE, credentials.share(GUEST, _SHARE)),
            (_SERVICE, credentials.share(DEALER, _SERVICE, permissions=0)),
            (credentials.standing(token_id=bytes(16)), _SHARE),
            (_TOKEN, _flipped(_SHARE)),
            (_flipped(_TOKEN), credentials.share(OWNER, _flipped(_TOKEN))),
            (_TOKEN, credentials.share(name="")),
        ),
    ),
    "sealed code": Kind(
        ("sealed", "token_id"),
        _opened,
        ((SHARED.sealed_code, SHARED.token_id),),
        (
            (SHARED.sealed_code, bytes(16)),
            (_flipped(SHARED.sealed_code), SHARED.token_id),
            (SHARED.sealed_code[:-1], SHARED.token_id),
        ),
    ),
    "order, revocation list or time attestation": Kind(
        ("signed",),
        lambda signed: tokens.verify_signed(signed, TRUST),
        (
            *((tokens.mint_order(order, ISSUER),) for order in credentials.ORDERS),
            (tokens.mint_revocation_list(credentials.REVOCATION_LIST, ISSUER),),
            (_LIST,),
            (tokens.mint_time_attestation(credentials.ATTESTATION, ISSUER),),
        ),
        (
            (_wrong_list(fading=((bytes(16), 3, 1),)),),
            (_wrong_list(number=0),),
            (_flipped(_LIST),),
            (_order(kind=99),),
            (_order(expires_s=ORDER.issued_s - 1),),
            (_order(module_id=b"not ours"),),
        ),
    ),
    "end receipt": Kind(
        ("signed",),
        lambda signed: tokens.verify_receipt(signed, SIGNER.public_key()),
        ((tokens.mint_receipt(credentials.RECEIPT, SIGNER),),),
        ((_REPORT,),),
    ),
    "self-test report": Kind(
        ("signed",),
        lambda signed: selftest.verify(signed, SIGNER.public_key()),
        ((_REPORT,),),
        (
            (selftest.mint(REPORT, STRANGER),),
            (selftest.mint(msgspec.structs.replace(REPORT, results=REPORT.results[::-1]), SIGNER),),
            (_flipped(_REPORT),),
        ),
    ),
}


def _named(identity: bytes) -> dict[str, object]:
    """Header label and credential of ID_CRED_I; of a shared key its two tokens."""
    found = credential.decode_identity(identity)
    if found.label != credential.SHARED_KEY:
        return {"label": found.label, "credential": found.value}
    parent, share = credential.split_chain(found.value)
    return {"label": found.label, "parent": parent, "share": share}


_IDENTITIES: Final = {
    "identity": Kind(
        ("id_cred_i",),
        _named,
        (
            (b"\xa1\x0d" + credentials.token(),),
            (b"\xa1\x3a\x00\x01\x11\x70" + _TOKEN,),
            (b"\xa1\x3a\x00\x01\x11\x71\x82" + _TOKEN + _SHARE,),
        ),
        (
            (b"\xa1\x3a\x00\x01\x11\x71\x81" + _SHARE,),
            (b"\xa1\x3a\x00\x01\x11\x71" + _SHARE,),
            (b"\xa2\x0d" + credentials.token() + b"\x3a\x00\x01\x11\x70" + _TOKEN,),
        ),
    )
}


# ---------------------------------------------------------------- messages
def request(operation: Operation) -> Request:
    """Each operation as a phone asks for it."""
    if operation is Operation.PUT:
        return Request(1, operation, body=_order())
    carries = operation in messages.COMMANDS or operation is Operation.OUTCOME
    return Request(1, operation, command_id=b"commands" if carries else b"")


_ACCESS: Final = Access(True, Phase.ACTIVE, 31, 1_790_007_200_000, 1_790_009_000_000, 1_790_000_000_000)
_DENIED: Final = Refusal(Code.ACTIVATION_REQUIRED, "KEY-3", (("tries_left", 5),), True, False, "Enter the code.")
_ANSWERS: Final[tuple[Reply | Push, ...]] = (
    Reply(7, Code.OK, Done(already=True)),
    Reply(7, Code.OUTSIDE_HOME_AREA, Ended(1_790_000_000_000, 12, 3, tokens.mint_receipt(credentials.RECEIPT, SIGNER))),
    Reply(7, Code.OK, Status(_ACCESS, VehicleState(True, False, False, True, True, True, 55, 99_000, 12))),
    Reply(7, Code.OK, Nonce(bytes(16), credentials.MODULE_ID, 60_000)),
    Reply(7, Code.OK, Position(481_371_540, -115_761_240, 9)),
    Reply(7, Code.OK, Accepted(pending=True)),
    Reply(7, Code.OK, Outcome(Operation.OPEN_BOOT, Code.BUSY, may_have_succeeded=True)),
    Reply(
        7,
        Code.OK,
        KeyList((KeyEntry(1, SHARED.token_id, SHARED.name, SHARED.permissions, SHARED.expires_s * 1000, False, True),)),
    ),
    Reply(7, Code.OK, SelfTested(_REPORT)),
    Reply(7, Code.CODE_PAUSED, Refusal(Code.CODE_PAUSED, "KEY-4", (("pause_ms", 5_000),), True, False, "Wait.")),
    Push(PushKind.ACCESS, Access(False, Phase.NONE, refusal=_DENIED)),
    *(Push(PushKind.NOTICE, Notice(kind, 5)) for kind in NoticeKind),
)

_MESSAGES: Final[dict[str, Kind]] = {
    "request": Kind(
        ("plaintext",),
        messages.decode_request,
        tuple((messages.encode_request(request(operation)),) for operation in Operation),
        tuple((bytes.fromhex(text),) for text in ("82010a", "830108f4", "82010d", "830e0d4101", "820008")),
    ),
    "answer": Kind(
        ("plaintext",),
        messages.decode_answer,
        (
            *(
                (messages.encode_reply(answer) if isinstance(answer, Reply) else messages.encode_push(answer),)
                for answer in _ANSWERS
            ),
            (bytes.fromhex("830002a201070200"),),  # a notice of a later version: to be ignored, so it says nothing
        ),
        tuple((bytes.fromhex(text),) for text in ("84010008a0", "84010009a0", "84010001a0")),
    ),
}

# ---------------------------------------------------------------- on the air
_RADIO_SECRET: Final = bytes(range(16))
_EPOCHS: Final = (bytes(4), b"\x00\x00\x00\x03", b"\xff\xff\xff\xff")
_BEACONS: Final = {
    "beacon": Kind(
        ("radio_secret", "key_epoch", "beacon"),
        _known,
        (
            *(
                (
                    _RADIO_SECRET,
                    epoch,
                    beacon.make(beacon.key_of(_RADIO_SECRET, int.from_bytes(epoch, "big")), b"nonce"),
                )
                for epoch in _EPOCHS
            ),
            (_RADIO_SECRET, _EPOCHS[0], beacon.make(beacon.key_of(_RADIO_SECRET, 3), b"nonce")),
            (_RADIO_SECRET, _EPOCHS[0], bytes(12)),
        ),
    )
}

KINDS: Final = {**_SIGNED, **_IDENTITIES, **_MESSAGES, **_BEACONS}


# ---------------------------------------------------------------- the file
def _plain(value: object) -> object:
    """Bytes in hex, enumerations as numbers."""
    if isinstance(value, msgspec.Struct):
        return _fields(value)
    match value:
        case bytes():
            return value.hex()
        case dict():
            return {key: _plain(each) for key, each in value.items()}
        case tuple():
            return [_plain(each) for each in value]
        case _:
            return value


def _fields(value: msgspec.Struct) -> dict[str, object]:
    return {name: _plain(getattr(value, name)) for name in value.__struct_fields__}


def outcome(kind: Kind, parts: tuple[bytes, ...]) -> dict[str, object]:
    """What these bytes say, or the name of the code with which they are refused."""
    try:
        return {"says": _plain(kind.read(*parts))}
    except ProtocolError as error:
        return {"refused": error.code.name}


def render() -> str:
    """The whole file."""
    vectors = [
        {
            "kind": name,
            **{part: data.hex() for part, data in zip(kind.parts, parts, strict=True)},
            **outcome(kind, parts),
        }
        for name, kind in KINDS.items()
        for parts in (*kind.accepted, *kind.refused)
    ]
    return json.dumps({"keys": _keys(), "vectors": vectors}, indent=1, ensure_ascii=False) + "\n"


def _keys() -> dict[str, str]:
    """What a reader needs besides: whom the module trusts, and what it is."""
    return {
        "module_id": credentials.MODULE_ID.hex(),
        "issuer_public": keys.public_to_bytes(ISSUER.public_key()).hex(),
        "module_signing_public": keys.public_to_bytes(SIGNER.public_key()).hex(),
        "module_handshake_private": keys.private_to_bytes(HANDSHAKE).hex(),
    }


if __name__ == "__main__":
    FILE.write_text(render(), encoding="utf-8")
