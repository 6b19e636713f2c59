"""Many seeds on many cores or many machines: chunks behind the `Executor` of the standard library.

    python -m tests.simulation.campaign --seeds 0..10000                             a process for each core
    python -m tests.simulation.campaign --seeds 0..10000 --scheduler tcp://host:8786  a Dask cluster

What is done is kept under build/; a campaign that was stopped goes on where it was. It fails when a seed broke a
rule, or when something that has to be seen at least once was not.
"""

import argparse
import json
import multiprocessing
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from hashlib import blake2b
from importlib import import_module
from pathlib import Path
from typing import Final, NamedTuple

from tests.simulation.play import DAYS, play
from tests.simulation.reached import missing

ROOT: Final = Path(__file__).parents[2]
STATE: Final = ROOT / "build" / "simulation" / "campaign.json"
CHUNK: Final = 8
"""Seeds of one piece of work: it should take a second or more."""
AHEAD: Final = 64
"""Pieces that are given out at a time."""
YEAR_DAYS: Final = 365.25


class Chunk(NamedTuple):
    """What became of some seeds. `failures`: seed, rule, text."""

    first: int
    failures: list[tuple[int, str, str]]
    counters: dict[str, int]
    days: float
    steps: int
    cpu_s: float


def run_chunk(first: int, last: int, days: float) -> Chunk:
    """Play the seeds `first` to `last` - 1, here and now."""
    began = time.process_time()
    failures, counters, lived, steps = [], Counter[str](), 0.0, 0
    for seed in range(first, last):
        played = play(seed, days)
        counters += played.counters
        lived += played.days
        steps += played.steps
        if played.violation[0]:
            failures.append((seed, *played.violation))
    return Chunk(first, failures, dict(counters), lived, steps, time.process_time() - began)


class Summary(NamedTuple):
    """A campaign as a whole."""

    seeds: int
    failures: list[tuple[int, str, str]]
    counters: Counter[str]
    days: float
    steps: int
    cpu_s: float
    wall_s: float

    @property
    def missing(self) -> list[str]:
        """What was never seen."""
        return missing(self.counters)

    def lines(self) -> list[str]:
        """For people."""
        years = self.days / YEAR_DAYS
        found = [f"  seed {seed}: {text}" for seed, _, text in sorted(self.failures)[:20]]
        unseen = [f"  {name}" for name in self.missing]
        rarest = ", ".join(f"{name} {count}" for name, count in sorted(self.counters.items(), key=lambda c: c[1])[:5])
        return [
            f"{self.seeds} seeds, {years:.2f} module-years, {self.steps} steps in {self.cpu_s:.0f} CPU s and "
            f"{self.wall_s:.0f} s: {self.days / max(self.cpu_s, 0.001):.1f} days a CPU second",
            f"{len(self.failures)} violations",
            *found,
            f"{len(self.missing)} of the wanted counters never reached; rarest: {rarest}",
            *unseen,
        ]


def fingerprint() -> str:
    """Of everything that a result depends on: another core is another campaign."""
    digest = blake2b(digest_size=8)
    for folder in ("firmware", "protocol", "tests/simulation"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            digest.update(path.read_bytes())
    return digest.hexdigest()


def campaign(
    executor: Executor,
    seeds: range,
    days: float = DAYS,
    state: Path | None = STATE,
    progress: Callable[[str], None] = print,
) -> Summary:
    """Play all these seeds; what `state` says is done of the same campaign is not done again."""
    began = time.monotonic()
    about = {"code": fingerprint(), "days": days, "first": seeds.start, "chunk": CHUNK}
    done = _resume(state, about)
    firsts = [first for first in range(seeds.start, seeds.stop, CHUNK) if f"{first}..{_end(first, seeds)}" not in done]
    if done:
        progress(f"{len(done)} chunks were done before")
    waiting: set[Future[Chunk]] = set()
    todo = iter(firsts)
    told = began
    while True:
        for first in todo:
            waiting.add(executor.submit(run_chunk, first, _end(first, seeds), days))
            if len(waiting) >= AHEAD:
                break
        if not waiting:
            break
        ready, waiting = wait(waiting, return_when=FIRST_COMPLETED)
        for future in ready:
            chunk = future.result()
            done[f"{chunk.first}..{_end(chunk.first, seeds)}"] = chunk
            for seed, _, text in chunk.failures:
                progress(f"seed {seed}: {text}")
        _keep(state, about, done)
        if time.monotonic() - told > 10 or not waiting:
            told = time.monotonic()
            lived = sum(chunk.days for chunk in done.values()) / YEAR_DAYS
            progress(f"{len(done)} chunks, {lived:.2f} module-years after {told - began:.0f} s")
    wanted = [done[f"{first}..{_end(first, seeds)}"] for first in range(seeds.start, seeds.stop, CHUNK)]
    return _summary(seeds, wanted, time.monotonic() - began)


def _end(first: int, seeds: range) -> int:
    return min(first + CHUNK, seeds.stop)


def _summary(seeds: range, chunks: list[Chunk], wall_s: float) -> Summary:
    counters: Counter[str] = Counter()
    for chunk in chunks:
        counters.update(chunk.counters)
    failures = [failure for chunk in chunks for failure in chunk.failures]
    return Summary(
        len(seeds),
        failures,
        counters,
        sum(chunk.days for chunk in chunks),
        sum(chunk.steps for chunk in chunks),
        sum(chunk.cpu_s for chunk in chunks),
        wall_s,
    )


def _resume(state: Path | None, about: dict[str, object]) -> dict[str, Chunk]:
    if state is None or not state.exists():
        return {}
    stored = json.loads(state.read_text())
    if stored["about"] != about:
        return {}
    # JSON makes lists of the tuples that failures are.
    return {
        name: Chunk(*value)._replace(failures=[(seed, rule, text) for seed, rule, text in value[1]])
        for name, value in stored["done"]
    }


def _keep(state: Path | None, about: dict[str, object], done: dict[str, Chunk]) -> None:
    if state is None:
        return
    state.parent.mkdir(parents=True, exist_ok=True)
    fresh = state.with_suffix(f".{os.getpid()}")
    fresh.write_text(json.dumps({"about": about, "done": list(done.items())}))
    fresh.replace(state)


@contextmanager
def executor_for(scheduler: str) -> Iterator[Executor]:
    """A process for each core, or a Dask cluster (the extra `cluster`)."""
    if not scheduler:
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(os.cpu_count(), mp_context=context) as pool:
            yield pool
        return
    try:
        distributed = import_module("distributed")
    except ImportError:
        sys.exit("campaign: Dask is not installed: make setup-cluster")
    with distributed.Client(scheduler, timeout="20s") as client, client.get_executor(pure=False) as pool:
        yield pool


def seeds_of(text: str) -> range:
    """`A..B`: from A up to and without B."""
    first, _, last = text.partition("..")
    return range(int(first), int(last))


def main() -> int:
    """See the header."""
    parser = argparse.ArgumentParser(prog="campaign")
    parser.add_argument("--seeds", type=seeds_of, default=range(400), metavar="A..B")
    parser.add_argument("--days", type=float, default=DAYS)
    parser.add_argument("--scheduler", default="", help="address of a Dask scheduler")
    parser.add_argument("--afresh", action="store_true", help="forget what was done before")
    options = parser.parse_args()
    if options.afresh:
        STATE.unlink(missing_ok=True)
    with executor_for(options.scheduler) as executor:
        summary = campaign(executor, options.seeds, options.days)
    print("\n".join(summary.lines()))
    return 1 if summary.failures or summary.missing else 0


if __name__ == "__main__":
    sys.exit(main())
