"""What authenticates a party in a handshake, and how it is named on the wire (RFC 9528 section 3.5).

Decides the form of ID_CRED_x and CRED_x. Whether a credential is to be believed is the resolver's business.
"""

from typing import Final

import msgspec

from protocol import cbor, keys
from protocol.errors import Code, ProtocolError

KID: Final = 4
KCWT: Final = 13
KCCS: Final = 14
STANDING_KEY: Final = -70001
"""Private use (RFC 9052 section 11.1): the token of a standing key, by value."""
SHARED_KEY: Final = -70002
"""The same for [token of the standing key, share]."""
MODULE_KID: Final = b"\x0a"
"""The same for every module: a name that told cars apart would let a stranger follow one (PRV-7)."""

_CNF: Final = 8
_PAIR: Final = b"\x82"


class Credential(msgspec.Struct, frozen=True):
    """`id_cred`: the CBOR map ID_CRED_x; `cred`: the CBOR item CRED_x; `private` only for one's own."""

    id_cred: bytes
    cred: bytes
    public: keys.PublicKey
    private: keys.PrivateKey | None = None


class Identity(msgspec.Struct, frozen=True):
    """The first part of a plaintext: ID_CRED_x as a map, its label and value, and what follows it.

    `value` is the key identifier for KID, else the CBOR item as it came.
    """

    id_cred: bytes
    label: int
    value: bytes
    rest: bytes


def module_credential(public: keys.PublicKey, private: keys.PrivateKey | None = None) -> Credential:
    """The module's static Diffie-Hellman key as a CWT claims set {8: {1: COSE_Key}}, named by MODULE_KID."""
    key: dict[cbor.Value, cbor.Value] = {2: MODULE_KID, **keys.cose_key(public)}
    return Credential(cbor.encode({KID: MODULE_KID}), cbor.encode({_CNF: {1: key}}), public, private)


def booking_credential(
    token: bytes, holder_public: keys.PublicKey, holder_private: keys.PrivateKey | None = None
) -> Credential:
    """The phone's key as its booking token says it: the token itself travels, as kcwt."""
    return Credential(cbor.encode({KCWT: 0})[:-1] + token, token, holder_public, holder_private)


def key_credential(
    token: bytes, holder_public: keys.PublicKey, holder_private: keys.PrivateKey | None = None
) -> Credential:
    """The phone's key as the token of its standing key says it."""
    return Credential(cbor.encode({STANDING_KEY: 0})[:-1] + token, token, holder_public, holder_private)


def share_credential(
    parent: bytes, share: bytes, holder_public: keys.PublicKey, holder_private: keys.PrivateKey | None = None
) -> Credential:
    """The phone's key as its share says it, with the token of the standing key that it was shared from."""
    chain = _PAIR + parent + share
    return Credential(cbor.encode({SHARED_KEY: 0})[:-1] + chain, chain, holder_public, holder_private)


def split_chain(value: bytes) -> tuple[bytes, bytes]:
    """Parent and share of the CBOR item that a shared key travels as. Raises ProtocolError TOKEN_MALFORMED."""
    try:
        _, end = cbor.decode_first(value, len(_PAIR))
        cbor.decode(value[end:])
    except ProtocolError as error:
        raise ProtocolError(Code.TOKEN_MALFORMED, error.detail) from None
    if value[: len(_PAIR)] != _PAIR:
        raise ProtocolError(Code.TOKEN_MALFORMED, "a shared key is not [standing key, share]")
    return value[len(_PAIR) : end], value[end:]


# ---------------------------------------------------------------- wire forms
def _is_short(identifier: bytes) -> bool:
    """One byte that is the CBOR form of an integer from -24 to 23 travels as it is (RFC 9528 section 3.3.2)."""
    return len(identifier) == 1 and (identifier[0] < 0x18 or 0x20 <= identifier[0] < 0x38)


def encode_identifier(identifier: bytes) -> bytes:
    """A connection or key identifier as it travels."""
    return identifier if _is_short(identifier) else cbor.encode(identifier)


def decode_identifier(value: cbor.Value) -> bytes:
    """The inverse of `encode_identifier`, of the decoded item. Raises ProtocolError MALFORMED."""
    if type(value) is int and -24 <= value <= 23:
        return cbor.encode(value)
    if type(value) is not bytes or _is_short(value):
        raise ProtocolError(Code.MALFORMED, "an identifier is not a byte string, or not in its short form")
    return value


def encode_identity(credential: Credential) -> bytes:
    """ID_CRED_x as it travels: of {4: kid} only the identifier."""
    found = cbor.decode(credential.id_cred)
    if type(found) is dict and found.keys() == {KID} and type(found[KID]) is bytes:
        return encode_identifier(found[KID])
    return credential.id_cred


def decode_identity(plaintext: bytes) -> Identity:
    """ID_CRED_x at the start of a plaintext. Raises ProtocolError MALFORMED."""
    found, end = cbor.decode_first(plaintext)
    if type(found) is not dict:
        kid = decode_identifier(found)
        return Identity(cbor.encode({KID: kid}), KID, kid, plaintext[end:])
    label = next(iter(found), None)
    if type(label) is not int or len(found) != 1 or label == KID:
        raise ProtocolError(Code.MALFORMED, "a credential is not named by one header parameter, in its short form")
    value_at = 1 + len(cbor.encode(label))
    return Identity(plaintext[:end], label, plaintext[value_at:end], plaintext[end:])
