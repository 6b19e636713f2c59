"""How many of the planted defects the simulator finds, and how quickly.

    python -m tests.simulation.hunt [--limit 30] [NAME ...]

Each defect is put into the core of a process of its own, and seeds are played from 0 on until one fails.
"""

import argparse
import multiprocessing
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from itertools import count
from typing import NamedTuple

from tests.simulation.defects import DEFECTS
from tests.simulation.planting import planted
from tests.simulation.play import play


class Hunted(NamedTuple):
    """What became of a defect: `rule` is empty when no seed failed within the limit."""

    name: str
    seeds: int
    cpu_s: float
    rule: str


def hunt(name: str, limit_s: float) -> Hunted:
    """Play seeds with the defect in the core until one fails, or the CPU time is over."""
    (defect,) = (defect for defect in DEFECTS if defect.name == name)
    began = time.process_time()
    with planted(defect):
        for seed in count():
            rule = play(seed).violation[0]
            spent = time.process_time() - began
            if rule or spent >= limit_s:
                return Hunted(name, seed + 1, spent, rule)
    raise AssertionError("counting never ends")


def main() -> int:
    """See the header."""
    parser = argparse.ArgumentParser(prog="hunt")
    parser.add_argument("--limit", type=float, default=30.0, help="CPU seconds a defect")
    parser.add_argument("names", nargs="*")
    options = parser.parse_args()
    names = options.names or [defect.name for defect in DEFECTS]
    found = 0
    with ProcessPoolExecutor(os.cpu_count(), mp_context=multiprocessing.get_context("spawn")) as pool:
        for hunted in pool.map(hunt, names, [options.limit] * len(names)):
            found += bool(hunted.rule)
            verdict = hunted.rule or "NOT FOUND"
            print(f"{hunted.name:28} {verdict:30} seed {hunted.seeds:4} {hunted.cpu_s:6.1f} CPU s", flush=True)
    print(f"{found} of {len(names)} found")
    return 0 if found >= 0.9 * len(names) else 1


if __name__ == "__main__":
    sys.exit(main())
