"""EDHOC's cipher suites and key schedule (RFC 9528 sections 3.6 and 4).

Decides which bytes follow from which secret. Knows neither messages nor roles.
"""

import hashlib
import hmac
from collections.abc import Callable
from typing import Final, NamedTuple

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESCCM, ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from protocol import cbor, keys

HASH_BYTES: Final = 32

Aead = AESCCM | ChaCha20Poly1305


class Suite(NamedTuple):
    """What differs between the suites; hash, curve and signature are SHA-256, P-256 and ES256 in all."""

    aead: Callable[[bytes], Aead]
    key_bytes: int
    iv_bytes: int
    mac_bytes: int


SUITES: Final = {
    2: Suite(lambda key: AESCCM(key, 8), 16, 13, 8),
    3: Suite(lambda key: AESCCM(key, 16), 16, 13, 16),
    5: Suite(ChaCha20Poly1305, 32, 12, 16),
}


def digest(*parts: bytes) -> bytes:
    """SHA-256 over the parts together."""
    return hashlib.sha256(b"".join(parts)).digest()


def extract(salt: bytes, secret: bytes) -> bytes:
    """EDHOC_Extract: 32 bytes."""
    return hmac.digest(salt, secret, "sha256")


def kdf(prk: bytes, label: int, context: bytes, length: int) -> bytes:
    """EDHOC_KDF: `length` bytes, at most 8160."""
    info = cbor.encode(label) + cbor.encode(context) + cbor.encode(length)
    return HKDFExpand(hashes.SHA256(), length, info).derive(prk)


def shared_secret(private: keys.PrivateKey, public: keys.PublicKey) -> bytes:
    """ECDH: the x coordinate, 32 bytes."""
    return private.exchange(ec.ECDH(), public)


def xor(data: bytes, keystream: bytes) -> bytes:
    """Two strings of the same length."""
    return bytes(a ^ b for a, b in zip(data, keystream, strict=True))
