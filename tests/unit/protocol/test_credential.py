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


@pytest.mark.req("KEY-1")
def test_a_key_travels_by_value_and_a_shared_one_with_its_parent() -> None:
    token, share = credentials.standing(), credentials.share()
    standing = credential.key_credential(token, credentials.OWNER.public_key(), credentials.OWNER)
    assert standing.cred == token
    assert cbor.decode(standing.id_cred) == {-70001: cbor.decode(token)}
    identity = credential.decode_identity(credential.encode_identity(standing) + b"\x40")
    assert identity == credential.Identity(standing.id_cred, credential.STANDING_KEY, token, b"\x40")
    shared = credential.share_credential(token, share, credentials.GUEST.public_key())
    assert cbor.decode(shared.id_cred) == {-70002: [cbor.decode(token), cbor.decode(share)]}
    identity = credential.decode_identity(credential.encode_identity(shared))
    assert (identity.label, identity.value) == (credential.SHARED_KEY, shared.cred)
    assert credential.split_chain(identity.value) == (token, share)


@pytest.mark.req("KEY-1", "SEC-1")
@pytest.mark.parametrize("value", ["", "82", "8280", "80", "8180", "838080", "83808080", "a18080", "82808080"])
def test_a_chain_is_two_items_and_no_more(value: str) -> None:
    with pytest.raises(ProtocolError) as refused:
        credential.split_chain(bytes.fromhex(value))
    assert refused.value.code is Code.TOKEN_MALFORMED


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
