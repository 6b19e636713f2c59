"""Many short lives of the shell: `python -m tests.shell.run --seeds 0..1000`; `make shell SEEDS=0..1000`.

For each seed one life without a power cut, one with, and one of a whole rig for each mishap. The same seed is the same
life; what fails is printed as the call that repeats it, and the exit code is 1.
"""

import argparse
import logging
import os
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import chain
from random import Random
from typing import NamedTuple

import structlog

from tests.shell import air, world
from tests.shell.air import Mishap

SEEDS_A_JOB = 5
LONGEST_LIFE_STEPS = 1_800
"""About as many steps as a life on the ports takes before it is healed."""


class Failure(NamedTuple):
    """How to see it again, and what it was."""

    call: str
    what: str


class Lives(NamedTuple):
    """How many there were, how many replies phones had, how many mishaps happened, and what failed."""

    number: int
    replies: int
    mishaps: int
    failures: list[Failure]


def lives_of(seed: int) -> Lives:
    """All lives of one seed."""
    rng = Random(f"steps {seed}")
    replies = mishaps = 0
    failures = []
    for cut in (None, rng.randrange(1, LONGEST_LIFE_STEPS)):
        try:
            replies += world.live(seed, cut).replies
        except Exception as error:  # broad: whatever comes out is what we are looking for
            failures.append(Failure(f"tests.shell.world.live({seed}, {cut})", repr(error)))
    steps = LONGEST_LIFE_STEPS
    for mishap in Mishap:
        step = rng.randrange(1, steps)
        try:
            life = air.live(seed, mishap, step)
        except Exception as error:  # broad: as above
            failures.append(Failure(f"tests.shell.air.live({seed}, {mishap}, {step})", repr(error)))
        else:
            mishaps += life.happened
            steps = life.steps if mishap is Mishap.NONE else steps
    return Lives(2 + len(Mishap), replies, mishaps, failures)


def job(seeds: range) -> Lives:
    """The lives of some seeds, in a process of its own."""
    quiet()
    return total(map(lives_of, seeds))


def total(lives: Iterator[Lives]) -> Lives:
    """All of them together."""
    found = list(lives)
    number, replies, mishaps = (sum(column) for column in zip(*(each[:3] for each in found), strict=True))
    return Lives(number, replies, mishaps, list(chain.from_iterable(each.failures for each in found)))


def quiet() -> None:
    """What the module logs about broken links is no news here."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))


def parse_seeds(text: str) -> range:
    """`7` or `0..1000`, the end left out."""
    first, dots, last = text.partition("..")
    return range(int(first), int(last) if dots else int(first) + 1)


def main(arguments: Sequence[str] | None = None) -> int:
    """0 when nothing was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=parse_seeds, default=range(200), metavar="A..B")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args(arguments)
    seeds, begun = options.seeds, time.monotonic()
    parts = [seeds[at : at + SEEDS_A_JOB] for at in range(0, len(seeds), SEEDS_A_JOB)]
    with ProcessPoolExecutor(max_workers=options.workers) as pool:
        found = total(pool.map(job, parts))
    for failure in found.failures:
        print(f"{failure.call}\n  {failure.what}")
    print(
        f"{found.number:,} lives, {found.replies:,} replies judged, {found.mishaps:,} mishaps, "
        f"{len(found.failures)} failures, {time.monotonic() - begun:.0f} s"
    )
    return int(bool(found.failures))


if __name__ == "__main__":
    sys.exit(main())
