"""After a scenario on a module that goes on living: no fault lasts, the car stands locked, no booking is left.

Decides what has to be put back, and in which order. It does not know what the story did.
"""

import contextlib
from datetime import UTC, datetime
from typing import Final

from host_tools.bench.bench import Bench, BenchFailed, BenchRefused
from host_tools.bench.scenario_world import World

BACK: Final = (
    "power on",
    "fault clear",
    "broker up",
    "ble on",
    "gnss back",
    "stop",
    "park",
    "refuel",
    "boot close",
    "door close",
    "keys 0",
    "network none",
    "emergency cancel",
    "emergency answer",
)
AHEAD_S: Final = 2
SETTLES_S: Final = 20
"""A car that drives needs some seconds to stand, and five more to count as parked."""


SAVED: Final = "before-scenario"
"""The name under which the module's state is kept meanwhile."""


async def prepare(bench: Bench) -> None:
    """A module whose memory is ahead of the world's clocks believes no clock: then the world catches up. Its state is
    kept, where the desk may do that."""
    time = (await bench.control("time")).data
    module, world_ms = time.get("module"), time.get("utc_ms")
    floor_ms = module.get("earliest_ms") if isinstance(module, dict) else None
    if isinstance(floor_ms, int) and isinstance(world_ms, int) and floor_ms > world_ms:
        await bench.control(f"time set {datetime.fromtimestamp(floor_ms / 1000 + AHEAD_S, UTC).isoformat()}")
        await bench.control("reboot")
    await _try(bench, f"state save {SAVED}")


async def tidy_up(world: World) -> None:
    """Put everything back. What is so already, or is not there on this bench, is no trouble."""
    bench = world.bench
    await world.close()
    for command in BACK:
        await _try(bench, command)
    await _wait(bench)
    if not await _try(bench, f"state load {SAVED}"):
        with contextlib.suppress(BenchFailed):
            for name in world.bookings:
                await world.send(world.backend.end(world.bookings[name]))
            if world.backend.has_sold:
                await world.send(world.backend.subscription(world.a_year_on()))
        await _wait(bench)
    await _try(bench, "key lock")


async def _wait(bench: Bench) -> None:
    await bench.until(await bench.utc_ms() + SETTLES_S * 1000)


async def _try(bench: Bench, command: str) -> bool:
    """Whether the desk did it."""
    try:
        await bench.control(command)
    except BenchRefused:
        return False
    return True
