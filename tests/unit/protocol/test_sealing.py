"""Activation codes: sealed to one module, and compared by their prints."""

import pytest

from protocol import keys, sealing
from protocol.errors import Code, ProtocolError
from protocol.schedule import shared_secret
from tests.support import credentials
from tests.support.credentials import CODE, HANDSHAKE, SHARE_ID, STRANGER

SEALED = sealing.seal(CODE, HANDSHAKE.public_key(), SHARE_ID, credentials.key("ephemeral, code"))


def refused(sealed: bytes, module: keys.PrivateKey = HANDSHAKE, token_id: bytes = SHARE_ID) -> Code:
    with pytest.raises(ProtocolError) as raised:
        sealing.unseal(sealed, module, token_id)
    return raised.value.code


@pytest.mark.req("KEY-4")
@pytest.mark.parametrize("code", ["000000", "042917", "999999"])
def test_the_module_opens_what_was_sealed_for_it(code: str) -> None:
    sealed = sealing.seal(code, HANDSHAKE.public_key(), SHARE_ID, credentials.key("once"))
    assert len(sealed) == sealing.SEALED_BYTES == 55
    assert sealing.unseal(sealed, HANDSHAKE, SHARE_ID) == code
    assert code.encode() not in sealed


@pytest.mark.req("KEY-4")
def test_nobody_else_opens_it_and_it_belongs_to_one_share() -> None:
    assert refused(SEALED, module=STRANGER) is Code.SHARE_INVALID
    assert refused(SEALED, token_id=bytes(16)) is Code.SHARE_INVALID


@pytest.mark.req("KEY-4", "SEC-1")
def test_every_flipped_bit_is_noticed() -> None:
    for at in range(len(SEALED)):
        for bit in range(8):
            broken = bytearray(SEALED)
            broken[at] ^= 1 << bit
            assert refused(bytes(broken)) is Code.SHARE_INVALID


@pytest.mark.req("SEC-1")
@pytest.mark.parametrize(
    "sealed", [b"", SEALED[:33], SEALED[:40], SEALED[:-1], SEALED + b"\x00", b"\x02" + b"\xff" * 54]
)
def test_another_length_or_a_point_off_the_curve_is_refused(sealed: bytes) -> None:
    assert refused(sealed) is Code.SHARE_INVALID


@pytest.mark.req("SEC-1")
def test_what_a_phone_sealed_and_is_no_code_is_refused() -> None:
    ephemeral = credentials.key("ephemeral, nonsense")
    public = keys.public_to_bytes(ephemeral.public_key())
    module = HANDSHAKE.public_key()
    cipher, nonce = sealing._cipher(shared_secret(ephemeral, module), public, keys.public_to_bytes(module))
    for digits in (b"\xff12345", b"12345", b"0123456", b""):
        assert refused(public + cipher.encrypt(nonce, digits, SHARE_ID)) is Code.SHARE_INVALID


@pytest.mark.parametrize(
    "text", ["", "12345", "1234567", "12345a", " 12345", "\uff11\uff12\uff13\uff14\uff15\uff16", "12345\n"]
)
def test_only_six_digits_are_a_code(text: str) -> None:
    assert not sealing.is_code(text)
    with pytest.raises(ValueError, match="6 digits"):
        sealing.seal(text, HANDSHAKE.public_key(), SHARE_ID, credentials.key("once"))


@pytest.mark.req("KEY-4")
def test_a_print_tells_codes_and_modules_apart_and_nothing_else() -> None:
    printed = sealing.code_print(CODE, HANDSHAKE)
    assert len(printed) == sealing.PRINT_BYTES == 16
    assert printed == sealing.code_print(CODE, HANDSHAKE)
    assert printed != sealing.code_print("042918", HANDSHAKE)
    assert printed != sealing.code_print(CODE, STRANGER)


def test_the_bytes_are_those_of_the_specification() -> None:
    """Anybody can compute them: HKDF-SHA256, ChaCha20-Poly1305 and HMAC over what SPEC section 6.9 names."""
    assert SEALED.hex() == VECTOR_SEALED
    assert sealing.code_print(CODE, HANDSHAKE).hex() == VECTOR_PRINT


VECTOR_SEALED = (
    "0329778d6d4700b6801f33b4c54e0477d4fbe97e96e3dd577195c12ce407b797b68d9f547cf8862d80b59d27f021acdd55cd0f8bb0f6e6"
)
VECTOR_PRINT = "013b9a3f4c85e2d702ae97506f599331"
