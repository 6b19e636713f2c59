"""One world to look at, or a few.

python -m tests.simulation.run --seed 7             the whole story; a violation is shrunk and stored under build/
python -m tests.simulation.run --seeds 0..100       one line for each that fails
python -m tests.simulation.run --trace FILE         a stored trace again
python -m tests.simulation.run --seeds 0..4 --hash  the hash of each trace, to compare interpreters
"""

import argparse
import sys
from pathlib import Path

from tests.simulation.campaign import ROOT, seeds_of
from tests.simulation.play import DAYS, Played, play
from tests.simulation.shrink import load, shrink, store, tale


def main() -> int:
    """See the header."""
    parser = argparse.ArgumentParser(prog="sim")
    parser.add_argument("--seed", type=int)
    parser.add_argument("--seeds", type=seeds_of, metavar="A..B")
    parser.add_argument("--trace", type=Path, metavar="FILE")
    parser.add_argument("--days", type=float, default=DAYS)
    parser.add_argument("--hash", action="store_true")
    options = parser.parse_args()
    if options.trace is not None:
        seed, days, operations = load(options.trace)
        return _verdict(play(seed, days, operations, print))
    if options.seeds is not None:
        return _several(options.seeds, options.days, hashes=options.hash)
    return _verdict(play(options.seed or 0, options.days, tell=print), options.days)


def _several(seeds: range, days: float, *, hashes: bool) -> int:
    failed = 0
    for seed in seeds:
        played = play(seed, days)
        if hashes:
            print(seed, played.trace)
        if played.violation[0]:
            failed += 1
            _verdict(played, days)
    print(f"{len(seeds)} seeds, {failed} violations")
    return 1 if failed else 0


def _verdict(played: Played, shrinks_days: float = 0.0) -> int:
    if not played.violation[0]:
        print(f"seed {played.seed}: {played.days:.1f} days, {played.steps} steps, no violation, trace {played.trace}")
        return 0
    print(f"seed {played.seed}: {played.violation[1]}")
    if shrinks_days:
        shrunk = shrink(played.seed, shrinks_days, played.violation[0])
        print("\n".join(tale(shrunk)))
        print(f"stored: {store(shrunk, ROOT / 'build' / 'simulation')}")
    return 1


if __name__ == "__main__":
    sys.exit(main())
