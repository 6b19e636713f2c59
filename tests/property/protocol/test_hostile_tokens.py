"""20 000 mutated tokens and 20 000 correctly signed hostile ones: one exception type, none accepted wrongly.

The verifier is compared with a slow oracle of another make: it reads with a general CBOR library, and states the
rules of SPEC section 6 once more.
"""

import random
from collections.abc import Callable
from typing import Any

import pytest

from protocol import cose, keys, tokens
from protocol.errors import ProtocolError
from tests.support import credentials
from tests.support.credentials import ATTESTATION, BOOKING, FADING_LIST, ISSUER, ORDER, TRUST
from tests.support.hostile import deterministic, is_bytes, is_holder, is_uint, mutate, sloppy, twisted

COUNT = 20_000
KID = keys.key_id(ISSUER.public_key())
GENUINE = (
    tokens.mint_booking(BOOKING, ISSUER),
    tokens.mint_order(ORDER, ISSUER),
    tokens.mint_revocation_list(FADING_LIST, ISSUER),
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
@pytest.mark.req("SEC-1", "ACC-6")
def test_no_mutated_token_is_accepted() -> None:
    chance = random.Random(9528)
    changed = 0
    for _ in range(COUNT):
        original = chance.choice(GENUINE)
        data = mutate(original, chance, GENUINE)
        if data in GENUINE:
            continue
        changed += 1
        assert verify(data) is None, data.hex()
    assert changed > 0.95 * COUNT


# ---------------------------------------------------------------- signed, but wrong
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
            payload = twisted(payload, chance)
    return typ, payload, cose.sign1(payload, ISSUER, typ, KID)


def good_booking(claims: dict[Any, Any]) -> bool:
    if set(claims) != {4, 5, 6, 7, 8, -70001} or type(claims[-70001]) is not dict:
        return False
    ours = claims[-70001]
    return (
        set(ours) == {1, 2, 3, 4, 5, 6, 7, 8, 10}
        and is_holder(claims[8])
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
            and is_uint(entry[1], 2)
            and is_uint(entry[2])
            for entry in claims[5]
        )
        and (firsts := [entry[1] == 0 for entry in claims[5]]) == sorted(firsts, reverse=True)
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
    claims = deterministic(payload)
    return isinstance(claims, dict) and RULES[typ](claims)


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
