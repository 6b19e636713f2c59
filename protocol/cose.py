"""COSE_Sign1 containers (RFC 9052 section 4.2) in the one form of SPEC section 6.

Decides what the container looks like and whether its signature is right. Which key may sign what is decided
in `tokens`; the algorithm is ES256 because the keys say so, never because a container does.
"""

from typing import Final

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from protocol import cbor, keys
from protocol.errors import Code, ProtocolError

MAX_BYTES: Final = 1024
SIGNATURE_BYTES: Final = 64
FIRST_TYP: Final = 65000
"""Start of the private-use range of header `typ` (RFC 9596: a CoAP content format)."""

# The protected header {1: -7, 4: key id, 16: typ} has one form: 17 bytes, the key id at 5 and typ at 15.
_HEADER_START: Final = b"\xa3\x01\x26\x04\x48"
_HEADER_TYP: Final = b"\x10\x19"
_HEADER_BYTES: Final = 17
_ARRAY_OF_4: Final = b"\x84"
_EMPTY_MAP: Final = b"\xa0"
_SIGNATURE_CONTEXT: Final = b"\x84\x6aSignature1"
_NO_EXTERNAL_DATA: Final = b"\x40"
_PAYLOAD_AT: Final = len(_ARRAY_OF_4) + 1 + _HEADER_BYTES + len(_EMPTY_MAP)

# RFC 6979: the same claims give the same bytes, and a signer needs no randomness.
_SIGN: Final = ec.ECDSA(hashes.SHA256(), deterministic_signing=True)
_VERIFY: Final = ec.ECDSA(hashes.SHA256())


class Sign1(msgspec.Struct, frozen=True, gc=False):
    """A container whose shape is right and whose signature has not been looked at."""

    protected: bytes
    payload: bytes
    signature: bytes
    key_id: bytes
    typ: int


def _bad(what: str) -> ProtocolError:
    return ProtocolError(Code.TOKEN_MALFORMED, what)


def _to_be_signed(protected: bytes, payload: bytes) -> bytes:
    return _SIGNATURE_CONTEXT + cbor.encode(protected) + _NO_EXTERNAL_DATA + cbor.encode(payload)


def signature_to_der(signature: bytes) -> bytes:
    """The ASN.1 form, which the library takes, of r || s."""
    return encode_dss_signature(int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big"))


def ecdsa_sign(data: bytes, private: keys.PrivateKey) -> bytes:
    """ES256 over `data`: r || s, 64 bytes."""
    r, s = decode_dss_signature(private.sign(data, _SIGN))
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def ecdsa_verify(signature: bytes, data: bytes, public: keys.PublicKey) -> None:
    """Raises ProtocolError SIGNATURE_INVALID unless `signature` (r || s, 64 bytes) is right."""
    if len(signature) != SIGNATURE_BYTES:
        raise ProtocolError(Code.SIGNATURE_INVALID, f"a signature has {SIGNATURE_BYTES} bytes")
    try:
        public.verify(signature_to_der(signature), data, _VERIFY)
    except InvalidSignature:
        raise ProtocolError(Code.SIGNATURE_INVALID, "the signature does not fit") from None


def parse_sign1(data: bytes, max_bytes: int = MAX_BYTES) -> Sign1:
    """The parts of a container. Looks at size and shape only. Raises ProtocolError TOKEN_MALFORMED."""
    if len(data) > max_bytes:
        raise _bad(f"{len(data)} bytes are more than {max_bytes}")
    if data[:2] != b"\x84\x51" or data[_PAYLOAD_AT - 1 : _PAYLOAD_AT] != _EMPTY_MAP:
        raise _bad("not an untagged COSE_Sign1 with an empty unprotected header")
    protected = data[2 : _PAYLOAD_AT - 1]
    if protected[:5] != _HEADER_START or protected[13:15] != _HEADER_TYP:
        raise _bad("the protected header is not {1: -7, 4: key id, 16: typ}")
    typ = int.from_bytes(protected[15:], "big")
    if typ < FIRST_TYP:
        raise _bad(f"typ {typ} is not of this protocol")
    try:
        payload, end = cbor.decode_first(data, _PAYLOAD_AT)
    except ProtocolError as error:
        raise _bad(error.detail) from None
    if type(payload) is not bytes:
        raise _bad("the payload is not a byte string")
    if data[end : end + 2] != b"\x58\x40" or len(data) != end + 2 + SIGNATURE_BYTES:
        raise _bad("the signature is not the last 64 bytes")
    return Sign1(protected, payload, data[end + 2 :], protected[5:13], typ)


def verify_sign1(parsed: Sign1, public: keys.PublicKey) -> None:
    """Raises ProtocolError SIGNATURE_INVALID unless `public` signed it."""
    ecdsa_verify(parsed.signature, _to_be_signed(parsed.protected, parsed.payload), public)


def sign1(payload: bytes, private: keys.PrivateKey, typ: int, key_id: bytes | None = None) -> bytes:
    """A signed container; `key_id` (8 bytes) is that of `private` unless given."""
    if key_id is None:
        key_id = keys.key_id(private.public_key())
    protected = cbor.encode({1: -7, 4: key_id, 16: typ})
    signature = ecdsa_sign(_to_be_signed(protected, payload), private)
    return _ARRAY_OF_4 + cbor.encode(protected) + _EMPTY_MAP + cbor.encode(payload) + cbor.encode(signature)
