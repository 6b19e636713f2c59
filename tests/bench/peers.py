"""Other libraries doing what `tokens.verify_booking` does: a signature checked with P-256, and claims read.

As a program (`python -m tests.bench.peers ROUNDS`) it measures `cwt`, in the environment that holds it, and prints
JSON. There is nothing of this project there, so nothing of it is imported above; and no one environment holds all
the libraries, so they are imported by name.
"""

import importlib
import json
import sys
from typing import TYPE_CHECKING, Any, Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from tests.bench.turns import Candidates, by_turns

if TYPE_CHECKING:
    from collections.abc import Callable

    from protocol.tokens import Booking

RAW: Final = "cryptography P-256 verify"
SIGNED_BYTES: Final = 180
"""About as many as are signed of a booking token."""


def raw_candidate() -> "Callable[[], object]":
    """One bare verification."""
    private = ec.generate_private_key(ec.SECP256R1())
    algorithm = ec.ECDSA(hashes.SHA256())
    data = bytes(SIGNED_BYTES)
    signature = private.sign(data, algorithm)
    public = private.public_key()
    return lambda: public.verify(signature, data, algorithm)


def json_claims(booking: "Booking") -> dict[str, object]:
    """What a booking says, as JSON claims; the times are such that it is valid for years."""
    return {
        "exp": 2**32,
        "nbf": 1_500_000_000,
        "iat": 1_500_000_000,
        "jti": booking.token_id.hex(),
        "aud": booking.module_id.hex(),
        "cnf": {"jwk": {"kty": "EC", "crv": "P-256", "x": "A" * 43, "y": "A" * 43}},
        "booking": booking.booking_id.hex(),
        "role": int(booking.role),
        "permissions": booking.permissions,
        "epoch": booking.key_epoch,
        "end": booking.ends_at_s,
        "user": booking.user.hex(),
        "depth": booking.delegation_depth,
        "generation": booking.device_generation,
    }


def jwt_candidates(claims: dict[str, object]) -> Candidates:
    """PyJWT and joserfc, with keys that were imported before."""
    private = ec.generate_private_key(ec.SECP256R1())
    public, audience = private.public_key(), str(claims["aud"])
    pyjwt = importlib.import_module("jwt")
    text = pyjwt.encode(claims, private, "ES256")
    jose = importlib.import_module("joserfc.jwt")
    key = importlib.import_module("joserfc.jwk").ECKey.import_key(private)
    encoded = jose.encode({"alg": "ES256"}, claims, key)
    registry = jose.JWTClaimsRegistry(aud={"essential": True, "value": audience})

    def joserfc_decode() -> object:
        token = jose.decode(encoded, key, ["ES256"])
        registry.validate(token.claims)
        return token

    return {
        "PyJWT decode": lambda: pyjwt.decode(text, public, ["ES256"], audience=audience),
        "joserfc decode": joserfc_decode,
    }


def cwt_candidate() -> "Callable[[], object]":
    """The library `cwt`, with the same claims as a booking token."""
    cwt = importlib.import_module("cwt")
    private = ec.generate_private_key(ec.SECP256R1())
    secret = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    public = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    signer = cwt.COSEKey.from_pem(secret, alg="ES256", kid="issuer01")
    verifier = cwt.COSEKey.from_pem(public, alg="ES256", kid="issuer01")
    ours = {1: bytes(8), 2: bytes(16), 3: 2, 4: 15, 5: 3, 6: 1_790_007_200, 7: bytes(8), 8: 0, 10: 1}
    key: dict[int, Any] = {1: 2, -1: 1, -2: bytes(32), -3: True}
    body = {4: 2**32, 5: 1_500_000_000, 6: 1_500_000_000, 7: bytes(16), 8: {1: key}, -70001: ours}
    token = cwt.encode(body, signer)
    return lambda: cwt.decode(token, verifier)


if __name__ == "__main__":
    print(json.dumps(by_turns({RAW: raw_candidate(), "cwt decode": cwt_candidate()}, int(sys.argv[1]))))
