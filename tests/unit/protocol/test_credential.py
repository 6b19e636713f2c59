"""ID_CRED_x and CRED_x."""

import pytest

from protocol import cbor, credential, keys
from protocol.errors import Code, ProtocolError
from tests.support import credentials
from tests.support.credentials import HANDSHAKE, HOLDER


@pytest.mark.req("PRV-7")
def test_all_modules_have_the_same_name() -> None:
    one = credential.module_credential(HANDSHAKE.public_key(), HANDSHAKE)
    other = credential.module_credential(credentials.STRANGER.public_key())
    assert one.id_cred == other.id_cred == bytes.fromhex("a104410a")
    assert one.private is HANDSHAKE
    assert other.private is None


def test_the_module_s_credential_is_a_claims_set_with_its_key() -> None:
    found = cbor.decode(credential.module_credential(HANDSHAKE.public_key()).cred)
    assert found == {8: {1: {2: b"\x0a", **keys.cose_key(HANDSHAKE.public_key())}}}


def test_the_phone_s_credential_is_its_token() -> None:
    token = credentials.token()
    own = credential.booking_credential(token, HOLDER.public_key(), HOLDER)
    assert own.cred == token
    assert own.id_cred == b"\xa1\x0d" + token
    assert credential.encode_identity(own) == own.id_cred
    identity = credential.decode_identity(own.id_cred + b"\x41\x00")
    assert identity == credential.Identity(own.id_cred, credential.KCWT, token, b"\x41\x00")


@pytest.mark.parametrize(
    ("identifier", "encoded"),
    [
        (b"\x0a", "0a"),
        (b"\x17", "17"),
        (b"\x18", "4118"),
        (b"\x20", "20"),
        (b"\x37", "37"),
        (b"\x38", "4138"),
        (b"", "40"),
        (b"ab", "426162"),
    ],
)
def test_short_identifiers_travel_as_integers(identifier: bytes, encoded: str) -> None:
    assert credential.encode_identifier(identifier).hex() == encoded
    assert credential.decode_identifier(cbor.decode(bytes.fromhex(encoded))) == identifier


@pytest.mark.parametrize("value", [24, -25, b"\x0a", b"\x37", "a", True, None, [1]])
def test_other_identifiers_are_refused(value: cbor.Value) -> None:
    with pytest.raises(ProtocolError) as refused:
        credential.decode_identifier(value)
    assert refused.value.code is Code.MALFORMED


def test_a_key_identifier_travels_without_its_map() -> None:
    own = credential.module_credential(HANDSHAKE.public_key())
    assert credential.encode_identity(own) == b"\x0a"
    assert credential.decode_identity(b"\x0a\x41\x00") == credential.Identity(
        bytes.fromhex("a104410a"), credential.KID, b"\x0a", b"\x41\x00"
    )


@pytest.mark.parametrize("plaintext", ["", "a0", "a104410a", "a2040a0d0a", "a1616141aa", "410a", "80"])
def test_other_identities_are_refused(plaintext: str) -> None:
    with pytest.raises(ProtocolError) as refused:
        credential.decode_identity(bytes.fromhex(plaintext))
    assert refused.value.code is Code.MALFORMED


@pytest.mark.parametrize("id_cred", ["a10401", "a20441aa0d00"])
def test_only_a_lone_key_identifier_is_shortened(id_cred: str) -> None:
    public = HANDSHAKE.public_key()
    own = credential.Credential(bytes.fromhex(id_cred), b"\xa0", public)
    assert credential.encode_identity(own).hex() == id_cred
