"""`python -m tests.privacy --seeds 0..1000`: random days of a shared car, and what the broker got to know of each."""

import argparse
import asyncio
import sys
import time
import traceback
from concurrent.futures import ProcessPoolExecutor, as_completed
from typing import Final

from host_tools.backend.broker import Broker
from host_tools.virtual_time import VirtualTimeLoop
from tests.privacy.judge import Proof, judge
from tests.privacy.life import Life
from tests.privacy.schedule import draw
from tests.support.owners_view import OwnersView

CHUNK: Final = 10
NOTHING: Final = Proof(*(0,) * len(Proof._fields))


async def day(broker: Broker, seed: int) -> Proof:
    """Live and judge one day. Raises AssertionError."""
    async with OwnersView(broker, f"privacy {seed}") as view:
        life = Life(view)
        await life.live(draw(seed))
        return judge(life)


async def days(seeds: range) -> tuple[Proof, dict[int, str]]:
    """The sum of what these days have shown, and which of them have failed, and why."""
    total, failures = NOTHING, {}
    for seed in seeds:
        async with Broker() as broker:
            try:
                proof = await day(broker, seed)
            except Exception as error:  # broad: whatever it was, the seed tells it again
                where = traceback.extract_tb(error.__traceback__)[-1]
                failures[seed] = f"{where.name}: {type(error).__name__} {str(error).partition(chr(10))[0]}"
            else:
                total = Proof(*map(sum, zip(total, proof, strict=True)))
    return total, failures


def run(first: int, last: int) -> tuple[Proof, dict[int, str]]:
    """In a process of its own."""
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(days(range(first, last)))


def main() -> int:
    """Exit code 0 when no day has failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.privacy", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seeds", default="0..1000", help="A..B: from A up to and without B")
    parser.add_argument("--jobs", type=int, default=2)
    wanted = parser.parse_args()
    first, last = (int(part) for part in wanted.seeds.split(".."))
    begun, done, total = time.monotonic(), 0, NOTHING
    failures: dict[int, str] = {}
    with ProcessPoolExecutor(wanted.jobs) as pool:
        chunks = [pool.submit(run, at, min(at + CHUNK, last)) for at in range(first, last, CHUNK)]
        for future in as_completed(chunks):
            proof, failed = future.result()
            total = Proof(*map(sum, zip(total, proof, strict=True)))
            failures |= failed
            done += CHUNK
            for seed, why in failed.items():
                print(f"seed {seed}: {why}", flush=True)
            if done % 100 == 0:
                print(f"{min(done, last - first)} days after {time.monotonic() - begun:.0f} s", flush=True)
    print(", ".join(f"{name.replace('_', ' ')} {value}" for name, value in total._asdict().items()))
    print(f"{last - first} days, {len(failures)} failed")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
