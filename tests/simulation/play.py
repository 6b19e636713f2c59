"""One world from beginning to end: trouble, then calm, and then everything has to work again."""

import logging
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, NamedTuple

import structlog

from protocol.errors import Role
from protocol.messages import Operation as Ask
from protocol.orders import DriverRemoval, OrderKind
from protocol.sharing import Activation
from tests.simulation.deeds import MOST_DRIVERS
from tests.simulation.device import Crashed
from tests.simulation.faults import DAY, HOUR, MINUTE
from tests.simulation.ingest import used
from tests.simulation.phone import KeyPhone, Phone
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
    if not _owned(world):
        return
    _guest_gets_in(world)
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


def _owned(world: World) -> bool:
    """OWN-2, SUB-3: a car that nobody owns is coupled, unless it has no option 5GE; there is a place for one driver."""
    heap = world.heap
    if not world.estate.coupled:
        world.estate.coupling(OrderKind.COUPLE, world.estate.account())
        heap.run(heap.now + MINUTE)
        prepared = world.device.profile.vehicle.prepared
        if world.estate.coupled is not prepared:
            world.auditor.fail("nobody_can_own_it", f"prepared: {prepared}")
    drivers = world.device.state.durable.drivers
    for user in drivers[:1] if len(drivers) == MOST_DRIVERS else ():
        world.broker.order(world.backend.signed(OrderKind.REMOVE_DRIVER, DriverRemoval(user), 600))
        heap.run(heap.now + MINUTE)
    return world.estate.coupled


def _guest_gets_in(world: World) -> None:
    """KEY-2, KEY-3: a key that is shared now is activated with its code, unlocks, drives and locks."""
    heap, owner = world.heap, world.estate.own_phone()
    if owner is None or not world.device.profile.vehicle.digital_keys:
        return
    heap.run(heap.now + HOUR + MINUTE)  # any pause after wrong codes, and any of many short keys, is over
    until_s = (world.utc_ms + 400 * DAY) // 1000
    how: dict[str, object] = {"activation": Activation.VEHICLE_CODE, "code_until_s": until_s}
    key = world.keychain.share(owner.key, "the last guest", heap.now - MINUTE, 6 * HOUR, **how)
    phone = world.last_phone = KeyPhone(world, "the last guest", key)
    phone.visit(Ask.STATUS)
    heap.run(heap.now + 20_000)
    world.dense(20_000)
    heap.run(heap.now + 10_000)
    world.menu.enter(world.keychain.codes[key.token_id], calm=True)
    heap.run(heap.now + MINUTE)
    wanted = (Ask.UNLOCK, Ask.ENABLE_DRIVE, Ask.LOCK)
    phone.visit(*wanted)
    heap.run(heap.now + MINUTE)
    if any(ask not in phone.done for ask in wanted) or not world.car.locked:
        world.auditor.fail("no_guest_gets_in", f"a valid guest got as far as {[done.name for done in phone.done]}")
    heap.run(heap.now + MINUTE)


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
