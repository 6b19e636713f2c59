"""P-256 keys on the wire."""

import hashlib

import pytest

from protocol import cbor, keys
from protocol.errors import Code, ProtocolError
from tests.support import credentials

PUBLIC = credentials.HOLDER.public_key()
ORDER_OF_P256 = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


def test_a_public_key_travels_as_33_bytes() -> None:
    data = keys.public_to_bytes(PUBLIC)
    assert len(data) == 33
    assert keys.public_from_bytes(data) == PUBLIC


def test_a_key_id_is_the_head_of_the_hash_of_x() -> None:
    x = keys.public_to_bytes(PUBLIC)[1:]
    assert keys.x_bytes(PUBLIC) == x
    assert keys.key_id(PUBLIC) == hashlib.sha256(x).digest()[:8]


@pytest.mark.parametrize("name", ["holder", "issuer", "one more", "another"])
def test_a_cose_key_carries_x_and_the_sign_of_y(name: str) -> None:
    public = credentials.key(name).public_key()
    value = keys.cose_key(public)
    assert value == {1: 2, -1: 1, -2: keys.x_bytes(public), -3: public.public_numbers().y % 2 == 1}
    assert keys.public_from_cose_key(value) == public


GOOD = keys.cose_key(PUBLIC)


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        {},
        {**GOOD, 2: b"\x0a"},
        {**GOOD, 1: 1},
        {**GOOD, -1: 2},
        {**GOOD, -1: True},
        {**GOOD, -2: "x"},
        {**GOOD, -2: bytes(31)},
        {**GOOD, -3: bytes(32)},
        {**GOOD, -2: b"\xff" * 32},
    ],
)
def test_another_cose_key_is_refused(value: cbor.Value) -> None:
    with pytest.raises(ProtocolError) as refused:
        keys.public_from_cose_key(value)
    assert refused.value.code is Code.MALFORMED


@pytest.mark.parametrize("data", [b"", bytes(33), b"\x02" + b"\xff" * 32, b"\x04" + bytes(32), b"\x02" + bytes(64)])
def test_bytes_that_are_no_point_are_refused(data: bytes) -> None:
    with pytest.raises(ProtocolError) as refused:
        keys.public_from_bytes(data)
    assert refused.value.code is Code.MALFORMED


def test_a_private_key_is_32_bytes() -> None:
    data = keys.private_to_bytes(credentials.HOLDER)
    assert len(data) == 32
    assert keys.private_from_bytes(data).public_key() == PUBLIC
    assert keys.private_to_bytes(keys.private_from_bytes((1).to_bytes(32, "big"))) == (1).to_bytes(32, "big")


@pytest.mark.parametrize("data", [b"", bytes(31), bytes(32), ORDER_OF_P256.to_bytes(32, "big"), b"\xff" * 32])
def test_bytes_that_are_no_private_key_are_refused(data: bytes) -> None:
    with pytest.raises(ProtocolError) as refused:
        keys.private_from_bytes(data)
    assert refused.value.code is Code.MALFORMED
