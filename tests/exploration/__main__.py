"""`python -m tests.exploration`: every life of the real core that is up to so many lines long.

Each scene is explored breadth first to DEPTH; the one with everything in it until it has STATES, which are also the
most that a scene may have. Several at a time.
"""

import argparse
import sys
from concurrent.futures import ProcessPoolExecutor, as_completed

from tests.exploration.scenes import EVERYTHING, SCENES
from tests.exploration.search import Found, explore

ALL = {scene.name: scene for scene in (*SCENES, EVERYTHING)}


def one(name: str, depth: int, most: int) -> Found:
    """In a process of its own."""
    return explore(ALL[name], depth, min(most, ALL[name].most))


def main() -> int:
    """Exit code 0 when nothing was found."""
    parser = argparse.ArgumentParser(prog="python -m tests.exploration", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("scenes", nargs="*", choices=[*ALL, []], help="none for all")
    parser.add_argument("--depth", type=int, default=18)
    parser.add_argument("--states", type=int, default=25_000, help="the most of one scene")
    parser.add_argument("--jobs", type=int, default=2)
    wanted = parser.parse_args()
    names = wanted.scenes or list(ALL)
    print(f"{'scene':12} {'depth':>5} {'states':>8} {'transitions':>11} {'CPU s':>7}")
    results: list[Found] = []
    with ProcessPoolExecutor(wanted.jobs) as pool:
        for done in as_completed([pool.submit(one, name, wanted.depth, wanted.states) for name in names]):
            found = done.result()
            results.append(found)
            ends = " all of it" if found.exhausted else ""
            figures = f"{found.depth:5} {found.states:8} {found.transitions:11} {found.seconds:7.1f}"
            print(f"{found.scene:12} {figures}{ends}", flush=True)
            if found.story:
                print(f"\n{found.story}", flush=True)
    depth = max(found.depth for found in results)
    states, transitions = sum(found.states for found in results), sum(found.transitions for found in results)
    print(f"{'all':12} {depth:5} {states:8} {transitions:11} {sum(f.seconds for f in results):7.1f}")
    return 1 if any(found.story for found in results) else 0


if __name__ == "__main__":
    sys.exit(main())
