"""20 000 mutated tokens and 20 000 correctly signed hostile ones: one exception type, none accepted wrongly.

The verifier is compared with a slow oracle of another make: it reads with a general CBOR library, and states the
rules of SPEC section 6 once more.
"""

import random
from collections.abc import Callable
from typing import Any

import cbor2
import pytest

from protocol import cbor, cose, keys, tokens
from protocol.errors import ProtocolError
from tests.support import credentials
from tests.support.credentials import ATTESTATION, BOOKING, ISSUER, ORDER, REVOCATION_LIST, TRUST

COUNT = 20_000
KID = keys.key_id(ISSUER.public_key())
GENUINE = (
    tokens.mint_booking(BOOKING, ISSUER),
    tokens.mint_order(ORDER, ISSUER),
    tokens.mint_revocation_list(REVOCATION_LIST, ISSUER),
    tokens.mint_time_attestation(ATTESTATION, ISSUER),
)


def verify(data: bytes) -> object:
    """By both verifiers; what either accepts. Anything but a ProtocolError escapes and fails the test."""
    accepted: object = None
    checks: tuple[Callable[[bytes, tokens.Trust], object], ...] = (tokens.verify_booking, tokens.verify_signed)
    for check in checks:
        try:
            found = check(data, TRUST)
        except ProtocolError:
            continue
        assert accepted is None
        accepted = found
    return accepted


# ---------------------------------------------------------------- mutated
def mutate(data: bytes, chance: random.Random) -> bytes:
    found = bytearray(data)
    for _ in range(chance.choice((1, 1, 1, 2, 5))):
        at = chance.randrange(len(found) or 1)
        match chance.randrange(7):
            case 0:
                found[at : at + 1] = bytes((found[at] ^ 1 << chance.randrange(8),)) if found else b"x"
            case 1:
                found[at : at + 1] = chance.randbytes(1)
            case 2:
                del found[at : at + chance.choice((1, 1, 2, 8, 64))]
            case 3:
                found[at:at] = chance.randbytes(chance.choice((1, 1, 2, 8)))
            case 4:
                found += chance.randbytes(chance.choice((1, 64)))
            case 5:
                other = chance.choice(GENUINE)
                found[at : at + 40] = other[at : at + 40]
            case _:
                found[at:at] = found[at : at + chance.choice((1, 9, 100))]
    return bytes(found)


@pytest.mark.req("SEC-1", "ACC-6")
def test_no_mutated_token_is_accepted() -> None:
    chance = random.Random(9528)
    changed = 0
    for _ in range(COUNT):
        original = chance.choice(GENUINE)
        data = mutate(original, chance)
        if data in GENUINE:
            continue
        changed += 1
        assert verify(data) is None, data.hex()
    assert changed > 0.95 * COUNT


# ---------------------------------------------------------------- signed, but wrong
WRONG: tuple[Callable[[random.Random], Any], ...] = (
    lambda chance: chance.choice((0, 1, 4, -1, 23, 24, 2**32 - 1, 2**32, 2**64 - 1, -(2**64), 1_790_000_000)),
    lambda chance: chance.randbytes(chance.choice((0, 1, 7, 8, 9, 15, 16, 17, 31, 32, 33))),
    lambda chance: chance.choice((None, True, False, "", "x", 1.5, [], {}, [1], {1: 1}, b"")),
    lambda chance: cbor2.CBORTag(chance.choice((0, 1, 2, 24, 61)), b"x"),
)


def twist(value: Any, chance: random.Random) -> Any:
    """`value` with one thing changed somewhere inside."""
    if isinstance(value, dict) and value and chance.random() < 0.9:
        found = dict(value)
        key = chance.choice(list(found))
        match chance.randrange(8):
            case 0:
                del found[key]
            case 1:
                found[chance.choice((0, 9, 11, 99, -1, "x", b"x", -70002))] = chance.choice(WRONG)(chance)
            case _:
                found[key] = twist(found[key], chance)
        return found
    if isinstance(value, list) and value and chance.random() < 0.9:
        found_list = list(value)
        found_list[chance.randrange(len(value))] = twist(chance.choice(value), chance)
        return found_list
    if type(value) is int and chance.random() < 0.3:
        return value + chance.choice((-1, 1, 1800, -1800))
    return chance.choice(WRONG)(chance)


def sloppy(payload: bytes, chance: random.Random) -> bytes:
    """The same claims in another encoding, or with something added."""
    match chance.randrange(6):
        case 0:
            return payload + chance.randbytes(1)
        case 1:
            return b"\xb8" + bytes((payload[0] & 31,)) + payload[1:]
        case 2:
            return b"\xbf" + payload[1:] + b"\xff"
        case 3:
            return b"\xd9\xd9\xf7" + payload
        case 4:
            return cbor2.dumps(dict(reversed(cbor2.loads(payload).items())))
        case _:
            return bytes((payload[0] + 1,)) + payload[1:] + b"\x18\x63\x00"


def hostile(chance: random.Random) -> tuple[int, bytes, bytes]:
    """Kind, payload and container of something that the true issuer signed."""
    parsed = cose.parse_sign1(chance.choice(GENUINE))
    payload, typ = parsed.payload, parsed.typ
    match chance.randrange(10):
        case 0:
            payload = sloppy(payload, chance)
        case 1:
            typ = chance.choice((65000, 65001, 65002, 65003, 65004, 65005, 65006, 65535))
        case _:
            value = cbor2.loads(payload)
            for _ in range(chance.choice((1, 1, 2))):
                value = twist(value, chance)
            try:
                payload = cbor.encode(value)
            except (AssertionError, OverflowError):
                payload = cbor2.dumps(value)
    return typ, payload, cose.sign1(payload, ISSUER, typ, KID)


def is_uint(value: Any, most: int = 2**32 - 1, least: int = 0) -> bool:
    return type(value) is int and least <= value <= most


def is_bytes(value: Any, size: int) -> bool:
    return type(value) is bytes and len(value) == size


def good_booking(claims: dict[Any, Any]) -> bool:
    if set(claims) != {4, 5, 6, 7, 8, -70001} or type(claims[-70001]) is not dict or type(claims[8]) is not dict:
        return False
    ours, cnf = claims[-70001], claims[8]
    if set(ours) != {1, 2, 3, 4, 5, 6, 7, 8, 10} or set(cnf) != {1} or type(cnf[1]) is not dict:
        return False
    key = cnf[1]
    return (
        set(key) == {1, -1, -2, -3}
        and (type(key[1]), key[1], type(key[-1]), key[-1]) == (int, 2, int, 1)
        and is_bytes(key[-2], 32)
        and type(key[-3]) is bool
        and is_bytes(claims[7], 16)
        and (ours[1], is_bytes(ours[2], 16), is_bytes(ours[7], 8)) == (credentials.MODULE_ID, True, True)
        and is_uint(ours[3], 3)
        and is_uint(ours[4], 65535)
        and is_uint(ours[8], 1)
        and all(map(is_uint, (claims[4], claims[5], claims[6], ours[5], ours[6], ours[10])))
        and claims[5] < ours[6] == claims[4] - 1800
    )


def good_order(claims: dict[Any, Any]) -> bool:
    if set(claims) != {4, 6, 7, -70001} or type(claims[-70001]) is not dict or set(claims[-70001]) != {1, 2, 3}:
        return False
    module, kind, details = (claims[-70001][key] for key in (1, 2, 3))
    return (
        (type(kind), kind, module) == (int, 1, credentials.MODULE_ID)
        and type(details) is dict
        and set(details) == {1, 2}
        and is_bytes(details[1], 16)
        and is_uint(details[2])
        and is_uint(claims[4])
        and is_uint(claims[6], claims[4])
        and is_bytes(claims[7], 16)
    )


def good_list(claims: dict[Any, Any]) -> bool:
    return (
        set(claims) == {1, 2, 3, 4, 5}
        and claims[1] == credentials.MODULE_ID
        and is_uint(claims[2], least=1)
        and is_uint(claims[3])
        and is_uint(claims[4])
        and type(claims[5]) is list
        and all(
            type(entry) is list
            and len(entry) == 3
            and is_bytes(entry[0], 16)
            and is_uint(entry[1], 0)
            and is_uint(entry[2])
            for entry in claims[5]
        )
    )


def good_attestation(claims: dict[Any, Any]) -> bool:
    return (
        set(claims) == {1, 2, 3}
        and claims[1] == credentials.MODULE_ID
        and is_bytes(claims[2], 16)
        and is_uint(claims[3])
    )


RULES = {65001: good_booking, 65003: good_list, 65004: good_attestation, 65005: good_order}


def oracle(typ: int, payload: bytes) -> bool:
    if typ not in RULES:
        return False
    try:
        claims = cbor2.loads(payload, allow_indefinite=False, allow_duplicate_keys=False)
        deterministic = cbor.encode(claims) == payload
    except (cbor2.CBORDecodeError, AssertionError, OverflowError):
        return False
    return deterministic and isinstance(claims, dict) and RULES[typ](claims)


@pytest.mark.req("SEC-1", "ACC-6")
def test_a_signed_token_is_accepted_exactly_when_it_keeps_the_rules() -> None:
    chance = random.Random(8392)
    accepted = 0
    for _ in range(COUNT):
        typ, payload, data = hostile(chance)
        wanted = oracle(typ, payload)
        accepted += wanted
        assert (verify(data) is not None) == wanted, (typ, payload.hex())
    assert 0.01 * COUNT < accepted < 0.3 * COUNT, "both answers must be tried"
