"""What the backend orders in a simulated world, beside the ends of bookings: from afar, and about the subscription."""

from collections.abc import Callable
from random import Random
from typing import TYPE_CHECKING, Final

from protocol.orders import OrderKind
from tests.simulation.faults import DAY, HOUR, MINUTE, SECOND

if TYPE_CHECKING:
    from tests.simulation.world import World

YEAR: Final = 400 * DAY


def renewed(world: "World", _: Random) -> None:
    """Paid for, for longer than any world lasts."""
    world.broker.order(world.backend.subscribe(YEAR, YEAR))


def paused(world: "World", rng: Random) -> None:
    """Sharing is paused for a while."""
    world.broker.order(world.backend.subscribe(YEAR, YEAR, paused=True))
    world.heap.after(rng.choice((10 * MINUTE, 4 * HOUR)), lambda: renewed(world, rng))


def ending(world: "World", rng: Random) -> None:
    """Nobody pays any longer, for a while."""
    world.broker.order(world.backend.subscribe(rng.choice((MINUTE, HOUR)), rng.choice((MINUTE, HOUR))))
    world.heap.after(rng.choice((90 * MINUTE, 6 * HOUR)), lambda: renewed(world, rng))


def afar(world: "World", rng: Random) -> None:
    """One or two orders from afar; some come again, at once or when they are late."""
    if rng.random() < 0.4:
        renewed(world, rng)
    world.heap.after(15 * MINUTE, lambda: world.dense(20 * SECOND))
    kinds = (OrderKind.UNLOCK, OrderKind.UNLOCK, OrderKind.LOCK, OrderKind.FLASH, OrderKind.REQUEST_STATE)
    world.dense(MINUTE)  # the bus is awake for whoever watches the car
    for number in range(rng.choice((1, 2))):
        order = world.backend.from_afar(rng.choice(kinds), rng.choice((10, 120, 600)))
        at = 8 * SECOND + number * rng.choice((50, 5 * SECOND))
        world.heap.after(at, lambda order=order: world.broker.order(order))  # type: ignore[misc]
        if rng.random() < 0.6:
            again = at + rng.choice((200, SECOND, 30 * SECOND, 15 * MINUTE))
            world.heap.after(again, lambda order=order: world.broker.order(order))  # type: ignore[misc]


ORDERS: Final[dict[str, Callable[["World", Random], None]]] = {
    "afar": afar,
    "renewed": renewed,
    "paused": paused,
    "ending": ending,
}
