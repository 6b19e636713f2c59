"""The quick engine: a seeded mutator over all cores. Counts inputs, faults, time and memory; remembers what failed.

The other engine, guided by coverage, is in `guided`; both run the targets of `targets`.
"""

import contextlib
import gc
import hashlib
import logging
import os
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import groupby
from pathlib import Path
from random import Random
from typing import Final

import msgspec
import structlog

from tests.fuzz.mutate import Mutator
from tests.fuzz.target import Program, Target

CORPUS: Final = Path(__file__).parent / "corpus"
"""What reached something new once, by target."""
REGRESSIONS: Final = Path(__file__).parent / "regressions"
"""What failed once, by target."""

CHUNK: Final = 25_000
WARM_UP: Final = 1_000
"""Inputs after which caches are full, and memory is measured for the first time."""
MOST_GROWTH_BYTES: Final = 8 * 2**20
MOST_OBJECTS: Final = 2_000
"""More of these after a chunk than after its warm-up is growth: the allocator's fragments stay far below."""
MOST_INPUT_S: Final = 0.25
"""CPU time that one input may take: a hundred times what the longest takes, far below what anything quadratic would."""
_FAULTS_KEPT: Final = 5


class Fault(msgspec.Struct, frozen=True):
    """An input that did not end as it should, and how it ended."""

    data: bytes
    what: str


class Report(msgspec.Struct, frozen=True):
    """What came of some inputs to one target. `pieces`: malformed messages in them. `digest`: of the inputs, to see
    that two runs were the same."""

    target: str
    inputs: int
    pieces: int
    cpu_s: float
    slowest_s: float = 0.0
    grown_bytes: int = 0
    grown_objects: int = 0
    faults: tuple[Fault, ...] = ()
    digest: str = ""

    @property
    def troubles(self) -> list[str]:
        """Why this is no pass."""
        found = [f"{fault.what} on {fault.data.hex()}" for fault in self.faults]
        if self.slowest_s > MOST_INPUT_S:
            found.append(f"an input took {self.slowest_s:.3f} s")
        if self.grown_bytes > MOST_GROWTH_BYTES or self.grown_objects > MOST_OBJECTS:
            found.append(f"memory grew by {self.grown_bytes} bytes, {self.grown_objects} objects")
        return found


def stored(folder: Path, target: str) -> list[bytes]:
    """The inputs kept for a target, in a fixed order."""
    return [path.read_bytes() for path in sorted((folder / target).glob("*"))]


def keep(folder: Path, target: str, data: bytes) -> Path:
    """Keep an input, named by its content."""
    place = folder / target
    place.mkdir(parents=True, exist_ok=True)
    path = place / hashlib.sha256(data).hexdigest()[:16]
    path.write_bytes(data)
    return path


def run_chunk(target: Target, seed: int, number: int, count: int) -> Report:
    """`count` inputs in this process; the same for the same seed and number."""
    seeds = [*target.seeds(), *stored(CORPUS, target.name)]
    rng = Random(f"{seed} {target.name} {number}")
    mutator = Mutator(rng, seeds, target.words, target.most_bytes)
    run, clock, wall, digest = target.run, time.thread_time, time.perf_counter, hashlib.sha256()
    faults: list[Fault] = []
    slowest, pieces = 0.0, Program.pieces
    warm = (0, 0)
    begun = clock()
    for done in range(count):
        if done == min(WARM_UP, count // 2):
            warm = memory()
        data = mutator.next()
        digest.update(data)
        began = wall()
        try:
            run(data)
        except Exception:  # broad: whatever comes out of a target is what we are looking for
            if len(faults) < _FAULTS_KEPT:
                faults.append(Fault(data, traceback.format_exc(limit=-3).replace("\n", " | ")))
        if wall() - began > slowest:
            slowest = max(slowest, _cpu_s(run, data))
    cpu_s = clock() - begun
    size, objects = memory()
    pieces = max(count, Program.pieces - pieces)
    grown = (size - warm[0], objects - warm[1])
    return Report(target.name, count, pieces, cpu_s, slowest, *grown, tuple(faults), digest.hexdigest())


def _cpu_s(run: Callable[[bytes], None], data: bytes) -> float:
    """What an input takes that seemed to take long: it is run again, for others are at work on the machine. Asking for
    CPU time at every input would take longer than many an input."""
    begun = time.thread_time()
    with contextlib.suppress(Exception):  # broad: it was caught and kept the first time
        run(data)
    return time.thread_time() - begun


def memory() -> tuple[int, int]:
    """Bytes that this process holds, and objects that the collector knows, after collecting."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE"), len(gc.get_objects())


def replay(target: Target, inputs: Iterable[bytes]) -> int:
    """Run stored inputs; what fails passes through. How many there were."""
    count = 0
    for count, data in enumerate(inputs, 1):  # noqa: B007 - it is the answer
        target.run(data)
    return count


def campaign(targets: Sequence[Target], inputs: int, seed: int, workers: int) -> Iterator[Report]:
    """`inputs` for each target (fewer where `one_in` says so), over `workers` processes; one report a target."""
    jobs = [
        (target.name, seed, number, min(CHUNK, wanted - number * CHUNK))
        for target in targets
        for wanted in [max(1, int(inputs / target.one_in))]
        for number in range(-(-wanted // CHUNK))
    ]
    with ProcessPoolExecutor(max_workers=workers) as pool:
        for _, reports in groupby(pool.map(_job, jobs), key=lambda report: report.target):
            yield merged(list(reports))


def merged(reports: Sequence[Report]) -> Report:
    """One report of several chunks: the worst of each figure."""
    return Report(
        reports[0].target,
        sum(report.inputs for report in reports),
        sum(report.pieces for report in reports),
        sum(report.cpu_s for report in reports),
        max(report.slowest_s for report in reports),
        max(report.grown_bytes for report in reports),
        max(report.grown_objects for report in reports),
        tuple(fault for report in reports for fault in report.faults)[:_FAULTS_KEPT],
        hashlib.sha256("".join(report.digest for report in reports).encode()).hexdigest(),
    )


def quiet() -> None:
    """What is logged about broken files is no news here."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))


def _job(job: tuple[str, int, int, int]) -> Report:
    from tests.fuzz.targets import TARGETS

    quiet()
    name, seed, number, count = job
    return run_chunk(TARGETS[name], seed, number, count)
