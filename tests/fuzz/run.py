"""The quick engine from the command line: `python -m tests.fuzz.run --inputs 1000000`; `make fuzz`.

A fault is printed, its input is kept under build/fuzz/faults, and the exit code is 1.
"""

import argparse
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tests.fuzz import engine
from tests.fuzz.engine import Report
from tests.fuzz.targets import TARGETS

FAULTS: Final = Path("build/fuzz/faults")
_ROW: Final = "{:<13} {:>10} {:>10} {:>8} {:>8} {:>9} {:>9} {:>7}"


def line(report: Report) -> str:
    """One row of the table."""
    return _ROW.format(
        report.target,
        f"{report.inputs:,}",
        f"{report.pieces:,}",
        f"{report.cpu_s:.1f}",
        f"{report.slowest_s * 1000:.1f}",
        f"{report.grown_bytes // 1024:,}",
        f"{report.grown_objects:,}",
        len(report.faults),
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """0 when nothing was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"by default all: {', '.join(TARGETS)}")
    parser.add_argument("--inputs", type=int, default=1_000_000, help="malformed messages for each interface")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args(arguments)
    unknown = [name for name in options.targets if name not in TARGETS]
    if unknown:
        parser.error(f"no target is called {unknown[0]!r}; there are {', '.join(TARGETS)}")
    wanted = [TARGETS[name] for name in options.targets or TARGETS]
    print(_ROW.format("target", "inputs", "messages", "CPU s", "max ms", "KiB more", "objects", "faults"))
    begun, cpu_s, messages, troubled = time.monotonic(), 0.0, 0, False
    for report in engine.campaign(wanted, options.inputs, options.seed, options.workers):
        print(line(report), flush=True)
        cpu_s += report.cpu_s
        messages += report.pieces
        for trouble in report.troubles:
            print(f"  {trouble}")
            troubled = True
        for fault in report.faults:
            print(f"  kept: {engine.keep(FAULTS, report.target, fault.data)}")
    passed = time.monotonic() - begun
    print(f"{messages:,} malformed messages, {cpu_s:.0f} CPU s in {passed:.0f} s, seed {options.seed}")
    return int(troubled)


if __name__ == "__main__":
    sys.exit(main())
