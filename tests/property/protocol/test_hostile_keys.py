"""Standing keys and shares from anybody: a value or one error, no forgery, and never more than was granted (KEY-1).

A slow oracle of another make states the rules of SPEC sections 6.8 and 6.9 once more, on claims that a general CBOR
library has read.
"""

import hashlib
import random
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol import cose, keys, sealing, sharing
from protocol.errors import Code, ProtocolError, Role
from protocol.sharing import Activation, Hours, Key
from protocol.tokens import Typ
from tests.support import credentials
from tests.support.credentials import (
    CODE,
    GUEST,
    HANDSHAKE,
    ISSUER,
    MODULE_ID,
    OWNER,
    PLAIN_SHARE,
    SERVICE,
    SHARED,
    STANDING,
    TRUST,
)
from tests.support.hostile import deterministic, is_bytes, is_holder, is_uint, mutate, sloppy, twisted

COUNT = 4_000
P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
TOKEN = credentials.standing()
SHARES = (credentials.share(), sharing.mint_share(PLAIN_SHARE, TOKEN, OWNER))
GENUINE = (TOKEN, sharing.mint_key(SERVICE, ISSUER), *SHARES)
SECONDS = st.integers(0, 2**32 - 1)
CODES = {
    Code.TOKEN_MALFORMED,
    Code.UNKNOWN_ISSUER,
    Code.WRONG_VEHICLE,
    Code.SIGNATURE_INVALID,
    Code.SHARE_INVALID,
}


def opened(parent: bytes, share: bytes) -> Key | None:
    """The shared key, or None when it was refused. Anything but a ProtocolError fails the test."""
    return _accepted(lambda: sharing.verify_share(parent, share, TRUST)[1])


def read(token: bytes) -> Key | None:
    return _accepted(lambda: sharing.verify_key(token, TRUST))


def _accepted(verify: Callable[[], Key]) -> Key | None:
    try:
        return verify()
    except ProtocolError as error:
        refused = error.code
    assert refused in CODES
    return None


# ---------------------------------------------------------------- what was granted comes back
HOURS = st.tuples(st.integers(0, 1439), st.integers(0, 1439)).filter(lambda pair: pair[0] != pair[1])
NAMES = st.text(st.characters(codec="utf-8"), min_size=1, max_size=32).filter(
    lambda name: name.isprintable() and len(name.encode()) <= 32
)


@given(SECONDS, SECONDS, SECONDS, st.sampled_from((Role.OWNER, Role.SERVICE)), st.integers(0, 0xFFFF), SECONDS)
@settings(max_examples=60)
@pytest.mark.req("KEY-1")
def test_every_standing_key_comes_back(nbf: int, exp: int, iat: int, role: Role, permissions: int, epoch: int) -> None:
    key = msgspec.structs.replace(
        STANDING,
        not_before_s=nbf,
        expires_s=exp,
        issued_s=iat,
        role=role,
        permissions=permissions,
        key_epoch=epoch,
    )
    assert read(sharing.mint_key(key, ISSUER)) == (key if nbf < exp else None)


@given(NAMES, HOURS | st.none(), st.none() | st.integers(1, SHARED.expires_s), st.integers(0, 31))
@settings(max_examples=60)
@pytest.mark.req("KEY-2")
def test_every_share_comes_back(
    name: str, hours: tuple[int, int] | None, code_until_s: int | None, permissions: int
) -> None:
    waits = code_until_s is not None
    key = msgspec.structs.replace(
        SHARED,
        name=name,
        permissions=permissions,
        hours=None if hours is None else Hours(*hours),
        activation=Activation.VEHICLE_CODE if waits else Activation.NONE,
        code_until_s=code_until_s or 0,
        sealed_code=SHARED.sealed_code if waits else b"",
    )
    assert opened(TOKEN, sharing.mint_share(key, TOKEN, OWNER)) == key


@given(
    st.tuples(SECONDS, SECONDS).map(sorted).filter(lambda pair: pair[0] < pair[1]),
    st.tuples(SECONDS, SECONDS).map(sorted).filter(lambda pair: pair[0] < pair[1]),
    st.integers(0, 31),
    st.integers(0, 31),
)
@settings(max_examples=150)
@pytest.mark.req("KEY-1", "KEY-2")
def test_a_share_is_good_exactly_when_it_is_no_wider_than_its_parent(
    mine: list[int], theirs: list[int], granted: int, asked: int
) -> None:
    parent = credentials.standing(not_before_s=mine[0], expires_s=mine[1], permissions=granted)
    changes = {"activation": Activation.NONE, "hours": None}
    share = credentials.share(OWNER, parent, not_before_s=theirs[0], expires_s=theirs[1], permissions=asked, **changes)
    narrower = mine[0] <= theirs[0] and theirs[1] <= mine[1] and asked | granted == granted
    assert (opened(parent, share) is not None) is narrower


@given(st.lists(st.tuples(st.integers(0, 31), st.integers(0, 900), st.integers(0, 900)), min_size=1, max_size=4))
@settings(max_examples=60)
@pytest.mark.req("KEY-1")
def test_no_chain_of_shares_ever_grants_more_or_goes_deeper(links: list[tuple[int, int, int]]) -> None:
    """Whoever has a key tries to share it on, each under the last one's key: only the first one is good."""
    parent, holder = TOKEN, OWNER
    for depth, (permissions, later, sooner) in enumerate(links):
        guest = credentials.key(f"guest {depth}")
        share = credentials.share(
            holder,
            parent,
            holder=keys.public_to_bytes(guest.public_key()),
            permissions=permissions,
            not_before_s=STANDING.not_before_s + later,
            expires_s=STANDING.expires_s - sooner,
            code_until_s=STANDING.not_before_s,
        )
        key = opened(parent, share)
        assert (key is not None) is (depth == 0)
        parent, holder = share, guest


# ---------------------------------------------------------------- nothing else is taken
@pytest.mark.req("KEY-1", "SEC-1")
@pytest.mark.parametrize("at", range(8))
def test_every_flipped_bit_of_a_chain_is_refused(at: int) -> None:
    for which in (0, 1):
        for byte in range(len((TOKEN, SHARES[0])[which])):
            chain = [TOKEN, SHARES[0]]
            broken = bytearray(chain[which])
            broken[byte] ^= 1 << at
            chain[which] = bytes(broken)
            assert opened(*chain) is None, (which, byte)
            assert which or read(chain[0]) is None, byte


@pytest.mark.req("KEY-1", "SEC-1")
def test_no_mutated_chain_is_accepted() -> None:
    chance = random.Random(65002)
    for _ in range(COUNT):
        parent, share = TOKEN, chance.choice(SHARES)
        if chance.random() < 0.4:
            parent = mutate(parent, chance, GENUINE)
        else:
            share = mutate(share, chance, GENUINE)
        if (parent, share) != (TOKEN, SHARES[0]) and (parent, share) != (TOKEN, SHARES[1]):
            assert opened(parent, share) is None, (parent.hex(), share.hex())
        if parent not in GENUINE:
            assert read(parent) is None, parent.hex()


@pytest.mark.req("ACC-5", "KEY-6")
def test_the_twin_of_a_signature_makes_no_other_key() -> None:
    """(r, n - s) verifies too: of a parent it breaks the chain, of a share it is the same key, by its identifier."""

    def twin(container: bytes) -> bytes:
        s = P256_ORDER - int.from_bytes(container[-32:], "big")
        return container[:-32] + s.to_bytes(32, "big")

    assert read(twin(TOKEN)) == STANDING
    assert opened(twin(TOKEN), SHARES[0]) is None
    assert opened(TOKEN, twin(SHARES[0])) == SHARED


# ---------------------------------------------------------------- signed by the right key, but wrong
def on_the_curve(cnf: Any) -> bool:
    try:
        sign = b"\x03" if cnf[1][-3] else b"\x02"
        ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), sign + cnf[1][-2])
    except ValueError:
        return False
    return True


def common(claims: Any, wanted: set[int]) -> bool:
    return (
        isinstance(claims, dict)
        and set(claims) == {4, 5, 6, 7, 8, -70001}
        and type(claims[-70001]) is dict
        and wanted <= set(claims[-70001])
        and is_holder(claims[8])
        and on_the_curve(claims[8])
        and is_bytes(claims[7], 16)
        and all(map(is_uint, (claims[4], claims[5], claims[6])))
        and claims[5] < claims[4]
        and is_uint(claims[-70001][4], 65535)
        and is_uint(claims[-70001][5])
        and is_bytes(claims[-70001][1], 8)
    )


def good_key(claims: Any) -> bool:
    if not common(claims, {1, 3, 4, 5, 7, 10}):
        return False
    ours = claims[-70001]
    return (
        len(ours) == 6
        and ours[1] == MODULE_ID
        and is_uint(ours[3], 4)
        and ours[3] in (0, 4)
        and is_bytes(ours[7], 8)
        and is_uint(ours[10])
    )


def good_hours(value: Any) -> bool:
    return type(value) is list and len(value) == 2 and all(is_uint(at, 1439) for at in value) and value[0] != value[1]


def good_share(claims: Any) -> bool:
    if not common(claims, {1, 3, 4, 5, 9, 11, 12}):
        return False
    ours = claims[-70001]
    rest = set(ours) - {1, 3, 4, 5, 9, 11, 12}
    code = {13, 14} <= rest and is_uint(ours[13], claims[4], 1) and is_bytes(ours[14], 55)
    return (
        (code if is_uint(ours[12], 1, 1) else is_uint(ours[12], 0) and not rest & {13, 14})
        and rest <= {13, 14, 15}
        and good_hours(ours.get(15, [0, 1]))
        and is_uint(ours[3], 3, 3)
        and type(ours[11]) is str
        and 0 < len(ours[11].encode()) <= 32
        and ours[11].isprintable()
        and (ours[1], ours[5], ours[9]) == (MODULE_ID, STANDING.key_epoch, hashlib.sha256(TOKEN).digest())
        and ours[4] | STANDING.permissions == STANDING.permissions
        and claims[5] >= STANDING.not_before_s
        and claims[4] <= STANDING.expires_s
    )


@pytest.mark.req("KEY-1", "KEY-2", "SEC-1")
def test_a_signed_key_or_share_is_accepted_exactly_when_it_keeps_the_rules() -> None:
    chance = random.Random(65007)
    accepted = 0
    for _ in range(COUNT):
        parsed = cose.parse_sign1(chance.choice(GENUINE))
        change = sloppy if chance.random() < 0.1 else twisted
        payload = change(parsed.payload, chance)
        claims = deterministic(payload)
        if parsed.typ == Typ.KEY:
            wanted = good_key(claims)
            found = read(cose.sign1(payload, ISSUER, Typ.KEY))
        else:
            wanted = good_share(claims)
            found = opened(TOKEN, cose.sign1(payload, OWNER, Typ.SHARE))
        assert (found is not None) == wanted, (parsed.typ, payload.hex())
        accepted += wanted
    assert 0.02 * COUNT < accepted < 0.5 * COUNT, "both answers must be tried"


# ---------------------------------------------------------------- activation codes
@given(st.integers(0, 999_999), st.binary(min_size=16, max_size=16), st.integers(1, 2**200))
@settings(max_examples=40)
@pytest.mark.req("KEY-4")
def test_every_code_is_opened_by_its_module_for_its_share_alone(number: int, token_id: bytes, secret: int) -> None:
    code, ephemeral = f"{number:06}", keys.private_from_bytes(secret.to_bytes(32, "big"))
    sealed = sealing.seal(code, HANDSHAKE.public_key(), token_id, ephemeral)
    assert sealing.unseal(sealed, HANDSHAKE, token_id) == code
    for module, share in ((GUEST, token_id), (HANDSHAKE, bytes([token_id[0] ^ 1]) + token_id[1:])):
        with pytest.raises(ProtocolError):
            sealing.unseal(sealed, module, share)


@given(st.binary(max_size=70))
@pytest.mark.req("KEY-4", "SEC-1")
def test_no_bytes_are_a_sealed_code_that_nobody_sealed(data: bytes) -> None:
    with pytest.raises(ProtocolError) as refused:
        sealing.unseal(data, HANDSHAKE, SHARED.token_id)
    assert refused.value.code is Code.SHARE_INVALID


@pytest.mark.req("KEY-4")
def test_the_prints_of_all_codes_are_different() -> None:
    """Else a wrong code could open a key. All of them take a minute; a tenth stands for them."""
    prints = {sealing.code_print(f"{number:06}", HANDSHAKE) for number in range(0, 1_000_000, 101)}
    assert len(prints) == len(range(0, 1_000_000, 101))
    assert sealing.code_print(CODE, HANDSHAKE) != sealing.code_print(CODE, GUEST)
