"""How much life the simulator lives in a CPU second, as a ratio to real time and to an event heap with nothing in it.

    python -m tests.bench.bench_simulation [--rounds 24] [--json]

Each round plays one seed: trouble, calm, and that everything works again; every step is audited. In the same turn the
simulator's own heap is emptied of as many events as the modules made steps, and those do nothing. The ratio to it says
what a step costs with its world, faults, auditor and records, beside what no simulator can do without. Times are CPU
times. The exit code is 1 when a rule was broken.
"""

import json
import sys
import time
from typing import Final

from tests.bench.turns import medians, parser, ratios, show
from tests.simulation.faults import DAY
from tests.simulation.heap import Heap
from tests.simulation.play import play

EMPTY: Final = "empty heap, as many events"
WORLD: Final = "simulated world, audited"
FIRST_SEED: Final = 5_000
DAY_S: Final = 86_400
WAITING: Final = 100
"""Events that the empty heap holds at a time."""


def emptied(events: int) -> None:
    """So many events that do nothing but ask for the next one."""
    heap = Heap()
    left = max(events - WAITING, 0)

    def happen() -> None:
        nonlocal left
        if left:
            left -= 1
            heap.after(WAITING, happen)

    for number in range(min(events, WAITING)):
        heap.at(number, happen)
    heap.run(DAY)
    assert not left, "events were left over"


def measured(seeds: range) -> tuple[dict[str, float], float]:
    """Median CPU seconds of a day of a module, and how many days all seeds lived in a CPU second."""
    play(seeds.start)  # warms up
    times: dict[str, list[float]] = {EMPTY: [], WORLD: []}
    lived_days = took_s = 0.0
    for seed in seeds:
        began = time.process_time()
        played = play(seed)
        world_s = time.process_time() - began
        if played.violation[0]:
            sys.exit(f"seed {seed}: {played.violation[1]}; for its story run `make sim SEED={seed}`")
        began = time.process_time()
        emptied(played.steps)
        times[EMPTY].append((time.process_time() - began) / played.days)
        times[WORLD].append(world_s / played.days)
        lived_days += played.days
        took_s += world_s
    return medians(times), lived_days / took_s


def main() -> int:
    """Exit code: 1 when a rule was broken."""
    options = parser(__doc__, 24).parse_args()
    found, days_a_s = measured(range(FIRST_SEED, FIRST_SEED + options.rounds))
    show("simulator, a day of a module", ratios(found, EMPTY), "ms", as_json=options.json)
    if options.json:
        print(json.dumps({"bench": "simulator, speed", "days_a_cpu_s": days_a_s, "times_real": days_a_s * DAY_S}))
    else:
        print(f"  {days_a_s:.1f} days of a module in a CPU second, {days_a_s * DAY_S:.0f} times real time")
    return 0


if __name__ == "__main__":
    sys.exit(main())
