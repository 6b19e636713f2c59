"""Power cuts in numbers: `python -m tests.powercut --images 10000`, over all cores, in chunks of one seed each.

What is done is remembered in a file, so that a long run can be stopped and goes on where it was; a change of the
store or of these tests begins anew. Exit code 1 when a promise was broken.
"""

import argparse
import hashlib
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ProcessPoolExecutor, wait
from pathlib import Path

import msgspec

from tests.powercut.chunk import LIES, Figures, run

ROOT = Path(__file__).parents[2]
JUDGED = ("firmware/adapters/store", "firmware/core", "firmware/keeper.py", "tests/powercut", "tests/support/vfs.py")


class Done(msgspec.Struct):
    """A line of the file: a chunk, and of which code."""

    code: str
    figures: Figures


def fingerprint() -> str:
    """Of the code that the figures hold for."""
    digest = hashlib.sha256()
    for place in JUDGED:
        path = ROOT / place
        for source in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
            digest.update(source.read_bytes())
    return digest.hexdigest()[:16]


def remembered(path: Path, code: str) -> dict[int, Figures]:
    """The chunks that are done already, by seed. A line that was cut short does not count."""
    done: dict[int, Figures] = {}
    for line in path.read_bytes().splitlines() if path.exists() else ():
        try:
            found = msgspec.json.decode(line, type=Done)
        except msgspec.DecodeError:
            continue
        if found.code == code:
            done[found.figures.seed] = found.figures
    return done


def campaign(
    wanted: int, first_seed: int, known: dict[int, Figures], workers: Executor, width: int
) -> Iterator[Figures]:
    """Chunks until there are so many images: those that are known first, then new ones as they are done."""
    images, seed = 0, first_seed
    running: set[Future[Figures]] = set()
    while images < wanted or running:
        while images < wanted and len(running) < width:
            if seed in known:
                images += known[seed].images
                yield known[seed]
            else:
                running.add(workers.submit(run, seed))
            seed += 1
        done, running = wait(running, return_when=FIRST_COMPLETED)
        for future in done:
            images += future.result().images
            yield future.result()


def summary(all_figures: list[Figures]) -> list[str]:
    """The figures, as they stand in docs/durability.md."""
    total = sum(each.images for each in all_figures)
    lines = [
        f"{total} images of {len(all_figures)} lives with {sum(each.operations for each in all_figures)} operations",
        f"  honest card     {sum(each.honest for each in all_figures):8d}",
        f"  cut in recovery {sum(each.recovery for each in all_figures):8d}",
        f"  damaged file    {sum(each.damaged for each in all_figures):8d}, "
        f"rebuilt in {sum(each.rebuilt for each in all_figures)}",
        f"  lying card      {sum(sum(each.lying.values()) for each in all_figures):8d}",
        f"promises broken: {sum(each.failures for each in all_figures)}",
    ]
    for lie in LIES:
        lost: Counter[int] = Counter()
        revived: Counter[int] = Counter()
        for each in all_figures:
            lost.update(each.lost.get(lie, {}))
            revived.update(each.revived.get(lie, {}))
        count = sum(each.lying.get(lie, 0) for each in all_figures)
        lines.append(
            f"card without its last {lie} syncs: {count} images, state older in {sum(lost.values()) - lost[0]}, "
            f"by up to {max(lost, default=0)} operations; a dead booking alive in {sum(revived.values())}, "
            f"dead for up to {max(revived, default=0)} commits"
        )
    return lines


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.powercut", description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=10_000, help="go on until there are so many")
    parser.add_argument("--seed", type=int, default=1, help="the first seed; with --images 1 only this one is run")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--memory", type=Path, default=ROOT / "build" / "powercut.jsonl", help="what is done already")
    options = parser.parse_args(arguments)
    code, began = fingerprint(), time.monotonic()
    options.memory.parent.mkdir(parents=True, exist_ok=True)
    known = remembered(options.memory, code)
    collected: list[Figures] = []
    images = 0
    width = options.workers if options.images > 1 else 1
    with ProcessPoolExecutor(options.workers) as workers, options.memory.open("ab") as memory:
        for figures in campaign(options.images, options.seed, known, workers, width):
            collected.append(figures)
            images += figures.images
            if figures.seed not in known:
                memory.write(msgspec.json.encode(Done(code, figures)) + b"\n")
                memory.flush()
            for example in figures.examples:
                print(f"seed {figures.seed}: {example}", flush=True)
            if sys.stderr.isatty():
                print(f"\r{images} images ", end="", file=sys.stderr)
    print(*summary(collected), sep="\n")
    remembered_count = sum(each.seed in known for each in collected)
    print(f"{time.monotonic() - began:.0f} s on {options.workers} cores, {remembered_count} lives from an earlier run")
    failing = sorted(each.seed for each in collected if each.failures)
    if failing:
        print(f"failing seeds: {failing}; one of them again: python -m tests.powercut --images 1 --seed {failing[0]}")
    return 1 if failing else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
