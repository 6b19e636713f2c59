"""How much a step of the core costs, as ratios to one `dataclasses.replace` in the same run.

    python -m tests.bench.bench_core [--rounds 60] [--json]

The dataclass is frozen and has as many fields as the module's state: what a state machine of immutable values pays
in plain Python for changing one field, before it has decided anything.
"""

import dataclasses
import sys
from collections.abc import Callable
from typing import Final

import msgspec

from firmware.core import module
from firmware.core.events import Event, Ticked, TokenPresented
from firmware.core.state import State
from protocol.messages import Operation
from tests.bench.turns import by_turns, parser, ratios, show
from tests.support.core import DRIVING, NOW, STANDING, a_state, linked, request, running
from tests.support.credentials import BOOKING

REPLACE: Final = "dataclasses.replace, as many fields"


def replaced() -> Callable[[], object]:
    """A copy of a frozen dataclass with one field changed."""
    names = State.__struct_fields__
    made = dataclasses.make_dataclass("Equal", names, frozen=True)
    state = made(*(None for _ in names))
    return lambda: dataclasses.replace(state, **{names[0]: 1})


def stepped(state: State, event: Event) -> Callable[[], object]:
    """One step from `state`."""
    return lambda: module.step(state, event, NOW)


def main() -> int:
    """Exit code: 0."""
    options = parser(__doc__, 60).parse_args()
    parked = linked(running(), BOOKING)
    driving = running(vehicle=msgspec.structs.replace(parked.vehicle, sample=DRIVING, still_since_ms=None))
    candidates = {
        REPLACE: replaced(),
        "tick with nothing due": stepped(parked, Ticked()),
        "sample, parked, booked": stepped(parked, STANDING),
        "sample, driving, booked": stepped(driving, DRIVING),
        "token presented": stepped(linked(a_state(), None), TokenPresented(1, BOOKING)),
        "request UNLOCK": stepped(parked, request(Operation.UNLOCK)),
        "request STATUS": stepped(parked, request(Operation.STATUS, command_id=b"")),
        "next deadline": lambda: module.next_deadline(parked, NOW),
    }
    show("core", ratios(by_turns(candidates, options.rounds), REPLACE), "us", as_json=options.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
