"""One world from beginning to end: trouble, then calm, and then everything has to work again."""

import logging
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, NamedTuple

import structlog

from protocol.errors import Role
from protocol.messages import Operation as Ask
from tests.simulation.device import Crashed
from tests.simulation.faults import DAY, HOUR, MINUTE
from tests.simulation.ingest import used
from tests.simulation.phone import Phone
from tests.simulation.reached import counting
from tests.simulation.script import Operation, script
from tests.simulation.tenure import Violation
from tests.simulation.world import World

DAYS: Final = 3.0


class Played(NamedTuple):
    """What became of a seed. `violation`: name and text, empty when there was none."""

    seed: int
    days: float
    violation: tuple[str, str]
    trace: str
    counters: Counter[str]
    steps: int


def play(
    seed: int,
    days: float = DAYS,
    operations: list[Operation] | None = None,
    tell: Callable[[str], None] | None = None,
) -> Played:
    """Live through a seed, or through these operations of it."""
    todo = script(seed, days) if operations is None else operations
    first = World(seed, todo, tell)
    worlds = [first]
    if any(operation.car for operation in todo):
        worlds.append(World(seed, todo, tell, neighbour=first))
    counters: Counter[str] = Counter()
    violation = ("", "")
    try:
        with _quiet(), counting(counters):
            first.heap.run(int(days * DAY))
            for world in worlds:
                settle(world)
    except Violation as found:
        violation = (found.name, str(found))
    except Crashed as found:
        violation = ("core_raised", f"core_raised: {found}, at {first.time()}")
    if violation[0]:
        first.say(f"VIOLATION {violation[1]}")
    for world in worlds:
        counters += world.counters
    lived = first.heap.now / DAY * len(worlds)
    trace = " ".join(world.hash.hexdigest() for world in worlds)
    return Played(seed, lived, violation, trace, counters, sum(world.device.steps for world in worlds))


@contextmanager
def _quiet() -> Iterator[None]:
    """A module in trouble has much to log; nobody reads it here."""
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    try:
        yield
    finally:
        structlog.configure(**before)


def settle(world: World) -> None:
    """Liveness: the faults have stopped. The booking in the car ends, a valid phone gets in, the backlog drains."""
    heap, auditor = world.heap, world.auditor
    world.calm()
    heap.run(heap.now + 2 * MINUTE)
    running = auditor.ram.booking
    if running is not None:
        _out_with(world)
    now = heap.now
    booking = world.backend.booking("the next", Role.DRIVER, now - MINUTE, now + 6 * HOUR)
    phone = world.last_phone = Phone(world, "the next phone", booking)
    phone.visit(Ask.STATUS, Ask.UNLOCK, Ask.ENABLE_DRIVE)
    heap.run(heap.now + 2 * MINUTE)
    if Ask.ENABLE_DRIVE not in phone.done or world.car.locked or world.car.immobilised:
        auditor.fail("nobody_gets_in", f"a valid phone got as far as {[done.name for done in phone.done]}")
    world.drive(10 * MINUTE, by_key=False)
    heap.run(heap.now + 12 * MINUTE)
    phone.visit(Ask.LOCK, Ask.END_BOOKING)
    heap.run(heap.now + 5 * MINUTE)
    if Ask.END_BOOKING not in phone.done or not world.car.locked or not world.car.immobilised:
        auditor.fail("nobody_gets_out", f"a valid phone got as far as {[done.name for done in phone.done]}")
    _drained(world)


def _out_with(world: World) -> None:
    """An overdue parked booking is cut off; one that has time left is ended by an order."""
    heap, auditor = world.heap, world.auditor
    deadline = auditor.deadline(auditor.ram)
    if deadline.latest < heap.now + 8 * HOUR:
        heap.run(max(heap.now, deadline.latest) + 3 * MINUTE)
    else:
        running = auditor.ram.booking
        assert running is not None
        world.broker.order(world.backend.end_order(running))
        heap.run(heap.now + 3 * MINUTE)
    if auditor.ram.booking is not None:
        auditor.fail("never_cut_off", "overdue or ordered to end, parked, and nothing is wrong any more")


def _drained(world: World) -> None:
    """TEL-3, PRV-2: everything that was durable has arrived, and the owner sees where the car is parked."""
    heap = world.heap
    heap.run(heap.now + 10 * MINUTE)
    for _ in range(60):
        if not world.device.disk.records:
            break
        heap.run(heap.now + 10 * MINUTE)
    lost = world.ingest.undelivered(world.auditor.numbers)
    if lost:
        world.auditor.fail("never_delivered", f"{len(lost)}, first {lost[0]}")
    disk = world.device.disk
    said = used(disk.usage, world.device.profile.module_id)
    if not disk.replaced and said != world.auditor.uses:
        world.auditor.fail("usage_log_lies", f"{said[-4:]} instead of {world.auditor.uses[-4:]}")
    if not world.broker.retained or b'"parking":true' not in world.broker.retained:
        world.auditor.fail("parking_unknown", f"the broker retains {world.broker.retained!r}")
