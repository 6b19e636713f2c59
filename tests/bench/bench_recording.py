"""What a recorder costs the module: ten minutes of a driven car, as ratios to the same without anybody watching.

    python -m tests.bench.bench_recording [--rounds 15] [--json]

CPU time of the pump with everything in memory, a sample a second and a request every ten; half a second of virtual time
is no time. The recording's thread is part of it. Last, a replay of the same.
"""

import asyncio
import itertools
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

from firmware.bench.recorder import Recorder
from firmware.witness import Witness
from host_tools.virtual_time import VirtualTimeLoop
from protocol.messages import Operation, Request
from tests.bench.turns import by_turns, parser, ratios, show
from tests.support.core import DRIVING
from tests.support.module_files import PROVISIONING
from tests.support.ports import Bench
from tests.support.recordings import played

LASTS_S: Final = 600
ALONE: Final = "ten minutes of a module, nobody watches"


async def drive(witness: Witness | None) -> None:
    """Ten minutes."""
    bench = Bench(networked=False)
    bench.witness = witness
    bench.watched = False
    bench.vehicle.sample = DRIVING
    async with bench.at_work():
        phone = await bench.phone()
        for number in range(1, LASTS_S // 10 + 1):
            await phone.ask(Request(number, Operation.STATUS))
            await asyncio.sleep(10)


def lived(witness: Callable[[], Witness | None]) -> Callable[[], object]:
    """The same, on a loop of its own."""

    def live() -> None:
        with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
            runner.run(drive(witness()))

    return live


def main() -> int:
    """Exit code: 1 when a replay comes out otherwise."""
    options = parser(__doc__, 15).parse_args()
    with tempfile.TemporaryDirectory() as directory:
        numbers = itertools.count()

        def recorded() -> Path:
            path = Path(directory) / f"{next(numbers)}.jsonl"
            recorder = Recorder(PROVISIONING, with_keys=True)
            recorder.start(path)
            lived(lambda: recorder)()
            recorder.stop()
            return path

        kept = recorded()
        candidates: dict[str, Callable[[], object]] = {
            ALONE: lived(lambda: None),
            "a recorder that is idle": lived(lambda: Recorder(PROVISIONING)),
            "a recorder that records": lambda: recorded().unlink(),
            "a replay of it": lambda: played(kept),
        }
        show("recording", ratios(by_turns(candidates, options.rounds), ALONE), "ms", as_json=options.json)
        outcome = played(kept)
        size = kept.stat().st_size
        if not options.json:
            print(f"  {size / outcome.steps:.0f} bytes a step, {outcome.steps} steps")
    return 0 if outcome.divergence is None else 1


if __name__ == "__main__":
    sys.exit(main())
