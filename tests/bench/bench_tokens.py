"""How much verifying a booking and a handshake cost, as ratios to one bare P-256 verification in the same run.

    python tests/bench/bench_tokens.py [--rounds 60] [--json]

Candidates take turns in short batches, so that a busy machine hits all alike; medians are compared. PyJWT and
joserfc run in this process when they are installed. The library `cwt` needs another major version of cbor2: give the
Python of an environment that holds it in SHAREBOX_CWT_PYTHON; that process measures the bare verification as well, and
its ratio is to that.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

ROOT: Final = Path(__file__).resolve().parents[2]
RAW: Final = "cryptography P-256 verify"
OURS: Final = "sharebox verify_booking"
BATCH_S: Final = 0.004
NOW_S: Final = 1_790_001_000
GOAL: Final = 1.45

Candidates = dict[str, Callable[[], object]]


def measure(candidates: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Median microseconds of one call of each, all taking turns."""
    batches: dict[str, int] = {}
    for name, call in candidates.items():
        call()
        began = time.perf_counter()
        for _ in range(5):
            call()
        batches[name] = max(1, round(BATCH_S / ((time.perf_counter() - began) / 5)))
    times: dict[str, list[float]] = {name: [] for name in candidates}
    for _ in range(rounds):
        for name, call in candidates.items():
            began = time.perf_counter()
            for _ in range(batches[name]):
                call()
            times[name].append((time.perf_counter() - began) / batches[name])
    return {name: statistics.median(found) * 1e6 for name, found in times.items()}


def raw_candidate() -> Callable[[], object]:
    """One verification of a signature over as many bytes as a booking token has."""
    private = ec.generate_private_key(ec.SECP256R1())
    algorithm = ec.ECDSA(hashes.SHA256())
    data = bytes(180)
    signature = private.sign(data, algorithm)
    public = private.public_key()
    return lambda: public.verify(signature, data, algorithm)


# ---------------------------------------------------------------- candidates of this process
def our_candidates() -> Candidates:
    """The verifier, and the module's and both sides' part of a handshake."""
    from protocol import tokens
    from tests.support import credentials, handshakes

    token = credentials.token()
    _, _, (first, _, third, _) = handshakes.finished()

    def module_side() -> object:
        responder = handshakes.responder()
        responder.message_1(first)
        return responder.message_3(third, handshakes.a_booking)

    return {
        OURS: lambda: tokens.verify_booking(token, credentials.TRUST),
        "sharebox handshake, module side": module_side,
        "sharebox handshake, both sides": handshakes.finished,
    }


def claims() -> dict[str, object]:
    """What a booking says, as JSON claims with the same facts."""
    from tests.support.credentials import BOOKING

    return {
        "exp": 2**31,
        "nbf": BOOKING.not_before_s - 2**28,
        "iat": BOOKING.issued_s - 2**28,
        "jti": BOOKING.token_id.hex(),
        "aud": BOOKING.module_id.hex(),
        "cnf": {"jwk": {"kty": "EC", "crv": "P-256", "x": "A" * 43, "y": "A" * 43}},
        "booking": BOOKING.booking_id.hex(),
        "role": int(BOOKING.role),
        "permissions": BOOKING.permissions,
        "epoch": BOOKING.key_epoch,
        "end": BOOKING.ends_at_s,
        "user": BOOKING.user.hex(),
        "depth": BOOKING.delegation_depth,
        "generation": BOOKING.device_generation,
    }


def jwt_candidates() -> Candidates:
    """The peers that can be imported here."""
    found: Candidates = {}
    private = ec.generate_private_key(ec.SECP256R1())
    body = claims()
    audience = str(body["aud"])
    try:
        import jwt
    except ImportError:
        pass
    else:
        text = jwt.encode(body, private, "ES256")
        public = private.public_key()
        found["PyJWT decode"] = lambda: jwt.decode(text, public, ["ES256"], audience=audience)
    try:
        from joserfc import jwt as jose
        from joserfc.jwk import ECKey
    except ImportError:
        pass
    else:
        numbers = private.private_numbers().private_value
        key = ECKey.import_key(ec.derive_private_key(numbers, ec.SECP256R1()))
        encoded = jose.encode({"alg": "ES256"}, body, key)
        registry = jose.JWTClaimsRegistry(aud={"essential": True, "value": audience})

        def joserfc_decode() -> object:
            token = jose.decode(encoded, key, ["ES256"])
            registry.validate(token.claims)
            return token

        found["joserfc decode"] = joserfc_decode
    return found


# ---------------------------------------------------------------- the process with the library cwt
def cwt_candidates() -> Candidates:
    """To be called in an environment that holds `cwt`; imports nothing of this project."""
    import cwt  # type: ignore[import-not-found]  # only in an environment of its own
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

    private = ec.generate_private_key(ec.SECP256R1())
    secret = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    open_ = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    signer = cwt.COSEKey.from_pem(secret, alg="ES256", kid="issuer01")
    verifier = cwt.COSEKey.from_pem(open_, alg="ES256", kid="issuer01")
    ours = {1: bytes(8), 2: bytes(16), 3: 2, 4: 15, 5: 3, 6: 1_790_007_200, 7: bytes(8), 8: 0, 10: 1}
    key = {1: 2, -1: 1, -2: bytes(32), -3: True}
    body = {4: 2**31, 5: 1_500_000_000, 6: 1_500_000_000, 7: bytes(16), 8: {1: key}, -70001: ours}
    token = cwt.encode(body, signer)
    return {"cwt decode": lambda: cwt.decode(token, verifier)}


def in_other_python(python: str, rounds: int) -> dict[str, float]:
    """What the process with `cwt` measured."""
    command = [python, str(Path(__file__).resolve()), "--cwt-child", "--rounds", str(rounds)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        sys.exit(f"SHAREBOX_CWT_PYTHON={python} does not work: {reason}. Install cwt there, or unset it.")
    found: dict[str, float] = json.loads(done.stdout)
    return found


# ---------------------------------------------------------------- report
def report(measured: Mapping[str, float], other: Mapping[str, float]) -> list[dict[str, object]]:
    """Rows of name, microseconds and ratio to the bare verification of the same process."""
    return [
        {"what": name, "us": round(us, 1), "ratio_to_raw": round(us / source[RAW], 2)}
        for source in (measured, other)
        for name, us in source.items()
        if name != RAW or source is measured
    ]


def main(arguments: list[str]) -> int:
    """Print the table, or JSON lines. Exit code 1 when the goal is missed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--json", action="store_true", help="JSON lines only")
    parser.add_argument("--cwt-child", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.cwt_child:
        print(json.dumps(measure({RAW: raw_candidate(), **cwt_candidates()}, options.rounds)))
        return 0
    sys.path.insert(0, str(ROOT))
    measured = measure({RAW: raw_candidate(), **our_candidates(), **jwt_candidates()}, options.rounds)
    python = os.environ.get("SHAREBOX_CWT_PYTHON")
    rows = report(measured, in_other_python(python, options.rounds) if python else {})
    for row in rows:
        print(json.dumps(row))
    own = measured[OURS] / measured[RAW]
    peers = {str(row["what"]): float(str(row["ratio_to_raw"])) for row in rows if str(row["what"]).endswith("decode")}
    met = own <= GOAL and all(own < ratio for ratio in peers.values())
    if not options.json:
        print(f"\n{'':34}{'us':>9}{'x raw':>8}")
        for row in rows:
            print(f"{row['what']!s:34}{row['us']:>9}{row['ratio_to_raw']:>8}")
        if not python:
            print("cwt: not measured; name the Python of an environment that holds it in SHAREBOX_CWT_PYTHON")
        print(f"goal (at most {GOAL} x raw, faster than each peer): {'met' if met else 'MISSED'}")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
