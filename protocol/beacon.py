"""What a module says about itself on the air, so that its own phones know it and nobody else does (SPEC section 3.1).

Decides how the key comes from the module's secret, and what thirteen bytes are a beacon of a key. Makes no randomness:
the nonce is an argument. Refuses to know when it changes, and what carries it.
"""

import hmac
from typing import Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

SECRET_BYTES: Final = 16
KEY_BYTES: Final = 16
NONCE_BYTES: Final = 5
TAG_BYTES: Final = 8
BEACON_BYTES: Final = NONCE_BYTES + TAG_BYTES

_LABEL: Final = b"sharebox beacon"
_EPOCH_BYTES: Final = 4


def key_of(secret: bytes, key_epoch: int) -> bytes:
    """The beacon key of one key epoch, 16 bytes. Whoever has that of an epoch learns nothing about that of another.
    `secret`: the module's, 16 bytes."""
    assert len(secret) == SECRET_BYTES, "a radio secret has 16 bytes"
    info = _LABEL + key_epoch.to_bytes(_EPOCH_BYTES, "big")
    return HKDF(hashes.SHA256(), KEY_BYTES, None, info).derive(secret)


def make(key: bytes, nonce: bytes) -> bytes:
    """A beacon, 13 bytes: `nonce`, 5 bytes that must be new for each, and its tag. To whoever has no key they are
    random bytes."""
    assert len(nonce) == NONCE_BYTES, "a beacon's nonce has 5 bytes"
    return nonce + _tag(key, nonce)


def is_of(key: bytes, beacon: bytes) -> bool:
    """Whether somebody with `key` made `beacon`. Total: what has another length is nobody's. Anybody may have recorded
    it and sent it again, so it is a hint whom to ask, and no proof."""
    nonce, tag = beacon[:NONCE_BYTES], beacon[NONCE_BYTES:]
    return len(beacon) == BEACON_BYTES and hmac.compare_digest(tag, _tag(key, nonce))


def _tag(key: bytes, nonce: bytes) -> bytes:
    return hmac.digest(key, _LABEL + nonce, "sha256")[:TAG_BYTES]
