"""How things are measured here: candidates take turns in one run, medians are compared, ratios are reported.

What only computes is measured in CPU time: on a busy machine the wall clock also counts what others do, now in one
candidate's turn, now in another's. Another machine changes the microseconds but hardly the ratios. Standard library
only: this runs in the environments of other libraries too.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Final

BATCH_S: Final = 0.004
UNITS: Final = {"us": 1e6, "ms": 1e3}

Candidates = Mapping[str, Callable[[], object]]


@dataclass(frozen=True)
class Row:
    """A measured thing: median seconds of one go, and the ratio to `to`, measured in the same turns."""

    what: str
    median_s: float
    ratio: float
    to: str


def by_turns(candidates: Candidates, rounds: int, clock: Callable[[], float] = time.process_time) -> dict[str, float]:
    """Median seconds of one call of each; in each round each is called for about 4 ms. `clock` gives seconds; CPU
    time unless the candidates wait for something."""
    calls = {name: _calls_a_batch(call, clock) for name, call in candidates.items()}
    times: dict[str, list[float]] = {name: [] for name in candidates}
    for _ in range(rounds):
        for name, call in candidates.items():
            began = clock()
            for _ in range(calls[name]):
                call()
            times[name].append((clock() - began) / calls[name])
    return medians(times)


def _calls_a_batch(call: Callable[[], object], clock: Callable[[], float]) -> int:
    call()
    began = clock()
    for _ in range(5):
        call()
    return max(1, round(BATCH_S / ((clock() - began) / 5)))


def medians(times: Mapping[str, Sequence[float]]) -> dict[str, float]:
    """The median of each."""
    return {name: statistics.median(found) for name, found in times.items()}


def ratios(measured: Mapping[str, float], to: str) -> list[Row]:
    """One row for each, with its ratio to the one named `to`."""
    return [Row(name, found, found / measured[to], to) for name, found in measured.items()]


def parser(what: str | None, rounds: int) -> argparse.ArgumentParser:
    """The options that all measurements have; `what` is the docstring whose first line is shown."""
    made = argparse.ArgumentParser(description=(what or "").split("\n", 1)[0])
    made.add_argument("--rounds", type=int, default=rounds, help=f"turns, {rounds} unless given")
    made.add_argument("--json", action="store_true", help="JSON lines instead of a table")
    return made


def show(title: str, rows: Sequence[Row], unit: str, *, as_json: bool) -> None:
    """The table, or the same as JSON lines."""
    if as_json:
        for row in rows:
            print(json.dumps({"bench": title, **asdict(row)}))
        return
    to = dict.fromkeys(row.to for row in rows)
    print(f"\n{title}; ratio to: {', '.join(to)}")
    for row in rows:
        print(f"  {row.what:52}{row.median_s * UNITS[unit]:>10.1f} {unit}{row.ratio:>9.2f} x")
