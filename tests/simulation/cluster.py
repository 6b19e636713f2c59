"""A Dask cluster on this machine for a campaign: a scheduler and two workers, each a process of its own, on loopback.

    python -m tests.simulation.cluster --seeds 0..200

On many machines the scheduler and the workers are started there (`dask scheduler`, `dask worker HOST:8786`, with this
project installed), and `campaign --scheduler HOST:8786` does the rest.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from tests.simulation.campaign import ROOT, campaign, executor_for, seeds_of

WORKERS: Final = 2
STARTS_WITHIN_S: Final = 60.0


@contextmanager
def _process(arguments: list[str]) -> Iterator[subprocess.Popen[bytes]]:
    """A process that ends with this block."""
    paths = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")]))
    command = [sys.executable, "-m", *arguments]
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": paths},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def cluster(folder: Path) -> Iterator[str]:
    """Start it; yields the address of the scheduler."""
    found = folder / "scheduler.json"
    folder.mkdir(parents=True, exist_ok=True)
    found.unlink(missing_ok=True)
    with ExitStack() as running:
        options = ["--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file", str(found)]
        scheduler = running.enter_context(_process(["distributed.cli.dask_scheduler", *options]))
        address = _address(scheduler, found)
        for number in range(WORKERS):
            options = [address, "--nthreads", "1", "--no-dashboard", "--no-nanny", "--host", "127.0.0.1"]
            options += ["--name", f"worker-{number}", "--local-directory", str(folder)]
            running.enter_context(_process(["distributed.cli.dask_worker", *options]))
        yield address


def _address(scheduler: subprocess.Popen[bytes], found: Path) -> str:
    """The scheduler says in a file where it is, unless it ends before."""
    until = time.monotonic() + STARTS_WITHIN_S
    while not (found.exists() and found.stat().st_size):
        try:
            scheduler.wait(0.1)
        except subprocess.TimeoutExpired:
            if time.monotonic() < until:
                continue
        sys.exit("cluster: the scheduler did not start; is Dask installed? make setup-cluster")
    address: str = json.loads(found.read_text())["address"]
    return address


def main() -> int:
    """See the header."""
    parser = argparse.ArgumentParser(prog="cluster")
    parser.add_argument("--seeds", type=seeds_of, default=range(64), metavar="A..B")
    parser.add_argument("--days", type=float, default=3.0)
    options = parser.parse_args()
    with cluster(ROOT / "build" / "simulation" / "cluster") as address, executor_for(address) as executor:
        summary = campaign(executor, options.seeds, options.days, state=None)
    print("\n".join(summary.lines()))
    return 1 if summary.failures else 0


if __name__ == "__main__":
    sys.exit(main())
