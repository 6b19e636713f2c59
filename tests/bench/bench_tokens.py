"""How much verifying a booking and a handshake cost, as ratios to one bare P-256 verification in the same run.

    python -m tests.bench.bench_tokens [--rounds 60] [--json]

The exit code is 1 when the goal is missed: a verification costs at most 1.45 bare ones, and less than in each
library that does the like. The library `cwt` needs another major version of cbor2: SHAREBOX_CWT_PYTHON names the
Python of an environment that holds it. There the bare verification is measured too, and its ratio is to that.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Final

from protocol import tokens
from tests.bench import peers
from tests.bench.turns import Candidates, Row, by_turns, parser, ratios, show
from tests.support import credentials, handshakes

ROOT: Final = Path(__file__).resolve().parents[2]
OURS: Final = "sharebox verify_booking"
GOAL: Final = 1.45


def our_candidates() -> Candidates:
    """The verifier, and the module's and both sides' part of a handshake."""
    token = credentials.token()
    _, _, (first, _, third, _) = handshakes.finished()

    def module_side() -> object:
        responder = handshakes.responder()
        responder.message_1(first)
        return responder.message_3(third, handshakes.a_booking)

    return {
        OURS: lambda: tokens.verify_booking(token, credentials.TRUST),
        "sharebox handshake, module's side": module_side,
        "sharebox handshake, both sides": handshakes.finished,
    }


def cwt_row(rounds: int) -> Row:
    """What a process with the library `cwt` measures."""
    python = os.environ.get("SHAREBOX_CWT_PYTHON")
    if not python:
        sys.exit("SHAREBOX_CWT_PYTHON is not set: name a Python that has the library cwt, or run `make bench`.")
    command = [python, "-m", "tests.bench.peers", str(rounds)]
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    except OSError as error:
        sys.exit(f"SHAREBOX_CWT_PYTHON={python}: {error.strerror}. Run `make bench`, which prepares one.")
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        sys.exit(f"SHAREBOX_CWT_PYTHON={python} does not work: {reason}. Install cwt there.")
    measured: dict[str, float] = json.loads(done.stdout)
    return next(row for row in ratios(measured, peers.RAW) if row.what != peers.RAW)


def main() -> int:
    """Exit code: 1 when the goal is missed."""
    options = parser(__doc__, 60).parse_args()
    others = peers.jwt_candidates(peers.json_claims(credentials.BOOKING))
    candidates = {peers.RAW: peers.raw_candidate(), **our_candidates(), **others}
    cwt = cwt_row(options.rounds)
    rows = [*ratios(by_turns(candidates, options.rounds), peers.RAW), cwt]
    show("tokens", rows, "us", as_json=options.json)
    own = next(row for row in rows if row.what == OURS).ratio
    met = own <= GOAL and all(own < row.ratio for row in rows if row.what in others or row is cwt)
    if not options.json:
        print(f"  goal, at most {GOAL} and less than each other library: {'met' if met else 'MISSED'}")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
