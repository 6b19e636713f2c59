"""`python -m tests.exploration.hunt [NAME ...]`: which planted defects the exploration finds, and how quickly.

The defects are those of the simulator. Each gets a process of its own and at most so much CPU time; the scenes are
explored one after the other, each time further.
"""

import argparse
import multiprocessing
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from typing import Final, NamedTuple

from tests.exploration.scenes import SCENES
from tests.exploration.search import explore
from tests.simulation.defects import DEFECTS
from tests.simulation.planting import planted

BLIND: Final = frozenset(
    {
        "anyone_may_locate", "few_outcomes", "handshakes_unlimited", "odd_speed_is_zero", "number_used_twice",
        "attestation_replayed", "outcome_overwritten", "vips_are_not_hidden", "end_with_open_doors", "no_hang_up",
        "afar_with_open_doors", "afar_before_durable", "subscription_falls_with_the_card",
    }
)  # fmt: skip
"""What no scene has in it: guests, odd speeds, strangers, many commands, what records say. The simulator has."""


class Hunted(NamedTuple):
    """`story` is empty when nothing was found."""

    name: str
    scene: str
    states: int
    cpu_s: float
    story: str


def hunt(name: str, limit_s: float, depth: int = 18) -> Hunted:
    """Explore with the defect in the core until something is found, or the time is over."""
    (defect,) = (defect for defect in DEFECTS if defect.name == name)
    began, states = time.process_time(), 0
    with planted(defect):
        for share in (300, 1_500, 30_000):
            for scene in SCENES:
                found = explore(scene, depth, share)
                states += found.states
                spent = time.process_time() - began
                if found.story or spent > limit_s:
                    return Hunted(name, scene.name if found.story else "", states, spent, found.story)
    return Hunted(name, "", states, time.process_time() - began, "")


def main() -> int:
    """Exit code 0 when all were found that can be."""
    parser = argparse.ArgumentParser(prog="python -m tests.exploration.hunt")
    parser.add_argument("names", nargs="*")
    parser.add_argument("--limit", type=float, default=30.0, help="CPU seconds a defect")
    parser.add_argument("--stories", action="store_true", help="print the story of each")
    parser.add_argument("--jobs", type=int, default=2)
    wanted = parser.parse_args()
    names = wanted.names or [defect.name for defect in DEFECTS]
    missed = []
    with ProcessPoolExecutor(wanted.jobs, mp_context=multiprocessing.get_context("spawn")) as pool:
        for hunted in pool.map(hunt, names, [wanted.limit] * len(names)):
            if not hunted.story:
                missed.append(hunted.name)
            verdict = hunted.scene or ("no scene has it" if hunted.name in BLIND else "NOT FOUND")
            print(f"{hunted.name:28} {verdict:16} {hunted.states:7} states {hunted.cpu_s:6.1f} CPU s", flush=True)
            if wanted.stories:
                print(f"\n{hunted.story}")
    print(f"{len(names) - len(missed)} of {len(names)} found")
    return 1 if set(missed) - BLIND else 0


if __name__ == "__main__":
    sys.exit(main())
