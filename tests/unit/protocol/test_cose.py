"""The COSE_Sign1 container."""

import pytest

from protocol import cose, keys
from protocol.errors import Code, ProtocolError
from tests.support import credentials

ORDER_OF_P256 = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
PUBLIC = credentials.ISSUER.public_key()
DATA = cose.sign1(b"payload", credentials.ISSUER, 65001)


def test_a_container_is_signed_parsed_and_verified() -> None:
    parsed = cose.parse_sign1(DATA)
    assert (parsed.payload, parsed.typ, parsed.key_id) == (b"payload", 65001, keys.key_id(PUBLIC))
    assert len(parsed.signature) == 64
    cose.verify_sign1(parsed, PUBLIC)


def test_signing_is_deterministic() -> None:
    assert cose.sign1(b"payload", credentials.ISSUER, 65001) == DATA


def test_another_key_id_can_be_named() -> None:
    named = cose.sign1(b"", credentials.ISSUER, 65001, key_id=b"another!")
    assert cose.parse_sign1(named).key_id == b"another!"


@pytest.mark.parametrize("size", [0, 23, 24, 255, 256, 900])
def test_payloads_of_each_head_length_fit(size: int) -> None:
    parsed = cose.parse_sign1(cose.sign1(bytes(size), credentials.ISSUER, 65535))
    assert parsed.payload == bytes(size)
    cose.verify_sign1(parsed, PUBLIC)


def test_the_size_is_limited_before_anything_is_read() -> None:
    with pytest.raises(ProtocolError, match="1025 bytes are more than 1024") as refused:
        cose.parse_sign1(bytes(1025))
    assert refused.value.code is Code.TOKEN_MALFORMED
    large = cose.sign1(bytes(2000), credentials.ISSUER, 65003)
    assert cose.parse_sign1(large, 4096).payload == bytes(2000)


HEADER = DATA[2:19]
REST = DATA[20:]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xd2" + DATA,
        b"\x83" + DATA[1:],
        b"\x84\x52" + DATA[2:],
        b"\x84\x51" + HEADER + b"\xa1\x04\x40" + REST,
        b"\x84\x51" + HEADER.replace(b"\x01\x26", b"\x01\x27") + b"\xa0" + REST,
        b"\x84\x51" + HEADER[:13] + b"\x11" + HEADER[14:] + b"\xa0" + REST,
        b"\x84\x51" + HEADER[:15] + (64999).to_bytes(2, "big") + b"\xa0" + REST,
        DATA[:20] + b"\x60" + DATA[28:],
        DATA[:20] + b"\x58\x07" + DATA[21:],
        DATA[:20],
        DATA[:-1],
        DATA + b"\x00",
        DATA[:-66] + b"\x78" + DATA[-65:],
        DATA[:-66] + b"\x58\x41" + DATA[-64:] + b"\x00",
    ],
)
@pytest.mark.req("SEC-1")
def test_any_other_shape_is_refused(data: bytes) -> None:
    with pytest.raises(ProtocolError) as refused:
        cose.parse_sign1(data)
    assert refused.value.code is Code.TOKEN_MALFORMED


def test_the_wrong_key_does_not_verify() -> None:
    with pytest.raises(ProtocolError) as refused:
        cose.verify_sign1(cose.parse_sign1(DATA), credentials.STRANGER.public_key())
    assert refused.value.code is Code.SIGNATURE_INVALID


@pytest.mark.parametrize("signature", [bytes(64), b"\xff" * 64, bytes(32) + b"\x01" * 32, bytes(63)])
def test_a_signature_out_of_range_does_not_verify(signature: bytes) -> None:
    with pytest.raises(ProtocolError) as refused:
        cose.ecdsa_verify(signature, b"data", PUBLIC)
    assert refused.value.code is Code.SIGNATURE_INVALID


def test_the_twin_of_a_signature_verifies_too() -> None:
    """So nothing may be looked up by a hash of the container: revocation goes by the token's identifier."""
    twin_s = ORDER_OF_P256 - int.from_bytes(DATA[-32:], "big")
    twin = DATA[:-32] + twin_s.to_bytes(32, "big")
    assert twin != DATA
    cose.verify_sign1(cose.parse_sign1(twin), PUBLIC)
