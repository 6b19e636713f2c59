"""Many seeds of bad network on all cores; exit code 1 when one of them has failed."""

import argparse
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from tests.outages.play import play_some


def main() -> int:
    """Play them, and say what was reached."""
    parser = argparse.ArgumentParser(description="Outages against a real mosquitto, by seed.")
    parser.add_argument("--seeds", default="0..200", help="A..B, or one")
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    first, _, end = options.seeds.partition("..")
    seeds = list(range(int(first), int(end) if end else int(first) + 1))
    began = time.monotonic()
    reached: Counter[str] = Counter()
    failed: list[str] = []
    parts = [seeds[at :: options.jobs * 4] for at in range(options.jobs * 4)]
    with ProcessPoolExecutor(options.jobs, mp_context=get_context("spawn")) as pool:
        for found, failures in pool.map(play_some, [part for part in parts if part]):
            reached += found
            failed += failures
    print(", ".join(f"{name} {count}" for name, count in sorted(reached.items())))
    print(f"{len(seeds)} seeds, {len(failed)} failed, {time.monotonic() - began:.0f} s")
    print("\n".join(failed))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
