"""P-256 keys: their identifiers and their forms on the wire (SPEC section 6).

Decides which bytes are a key. Makes no key and stores none.
"""

import hashlib
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec

from protocol import cbor
from protocol.errors import Code, ProtocolError

PrivateKey = ec.EllipticCurvePrivateKey
PublicKey = ec.EllipticCurvePublicKey

CURVE: Final = ec.SECP256R1()
KEY_ID_BYTES: Final = 8
PUBLIC_BYTES: Final = 33
PRIVATE_BYTES: Final = 32

_KTY, _CRV, _X, _Y = 1, -1, -2, -3
_EC2, _P256 = 2, 1


def _bad(what: str) -> ProtocolError:
    return ProtocolError(Code.MALFORMED, what)


def x_bytes(public: PublicKey) -> bytes:
    """The x coordinate, 32 bytes."""
    return public.public_numbers().x.to_bytes(32, "big")


def key_id(public: PublicKey) -> bytes:
    """The first 8 bytes of SHA-256 over the x coordinate."""
    return hashlib.sha256(x_bytes(public)).digest()[:KEY_ID_BYTES]


def public_to_bytes(public: PublicKey) -> bytes:
    """The compressed point (SEC 1 section 2.3.3): 33 bytes."""
    numbers = public.public_numbers()
    return bytes((2 | numbers.y & 1,)) + numbers.x.to_bytes(32, "big")


def public_from_bytes(data: bytes) -> PublicKey:
    """The key of a compressed point. Raises ProtocolError MALFORMED, also for a point off the curve."""
    if len(data) != PUBLIC_BYTES:
        raise _bad(f"a public key has {PUBLIC_BYTES} bytes, not {len(data)}")
    try:
        return ec.EllipticCurvePublicKey.from_encoded_point(CURVE, data)
    except ValueError:
        raise _bad("a public key is not a compressed point on P-256") from None


def cose_key(public: PublicKey) -> dict[cbor.Value, cbor.Value]:
    """The COSE_Key (RFC 9052 section 7, RFC 9053 section 7.1.1) with y as its sign bit."""
    compressed = public_to_bytes(public)
    return {_KTY: _EC2, _CRV: _P256, _X: compressed[1:], _Y: compressed[0] == 3}


def public_from_cose_key(value: cbor.Value) -> PublicKey:
    """The inverse of `cose_key`. Raises ProtocolError MALFORMED."""
    if type(value) is not dict or value.keys() != {_KTY, _CRV, _X, _Y}:
        raise _bad("a COSE_Key is not a map of four parameters")
    if (value[_KTY], value[_CRV]) != (_EC2, _P256) or value[_CRV] is True:  # which equals 1
        raise _bad("a COSE_Key is not an EC2 key on P-256")
    x, sign = value[_X], value[_Y]
    if type(x) is not bytes or type(sign) is not bool:
        raise _bad("a COSE_Key has no x coordinate with a sign bit")
    return public_from_bytes((b"\x03" if sign else b"\x02") + x)


def private_to_bytes(private: PrivateKey) -> bytes:
    """The secret scalar, 32 bytes."""
    return private.private_numbers().private_value.to_bytes(PRIVATE_BYTES, "big")


def private_from_bytes(data: bytes) -> PrivateKey:
    """The inverse of `private_to_bytes`. Raises ProtocolError MALFORMED."""
    if len(data) != PRIVATE_BYTES:
        raise _bad(f"a private key has {PRIVATE_BYTES} bytes, not {len(data)}")
    try:
        return ec.derive_private_key(int.from_bytes(data, "big"), CURVE)
    except ValueError:
        raise _bad("a private key is not between 1 and the order of P-256") from None
