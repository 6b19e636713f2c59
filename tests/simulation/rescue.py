"""Crashes, the line to the emergency centre, and what was bought of the connected services: the world's side.

What the module makes of it is judged by `subscriber`.
"""

from collections.abc import Callable
from random import Random
from typing import TYPE_CHECKING, Final, NamedTuple

from firmware.core.events import (
    CrashDetected,
    EmergencyAcknowledged,
    EmergencyCancelled,
    EmergencyPressed,
    NetworkServing,
)
from protocol.messages import Operation as Ask
from protocol.orders import OrderKind, Place, ServicePlan
from tests.simulation.car import HOME
from tests.simulation.faults import HOUR, MINUTE, SECOND
from tests.simulation.phone import KeyPhone

if TYPE_CHECKING:
    from tests.simulation.world import World

BELGIUM, GERMANY, FAR_AWAY = 206, 262, 310
ANSWERS_AFTER_MS: Final = 700


class Bought(NamedTuple):
    """A plan, and what comes of it on the days of these worlds, which lie in March 2026: from the table of Belgium and
    Luxembourg, revision of 10 May 2021."""

    packs: tuple[str, ...]
    registered: tuple[int, int, int]
    base_active: bool
    remote: bool
    intelligent: bool
    legal: bool


PLANS: Final = {
    "everything": Bought(("6FP", "6AP", "7GH"), (2024, 5, 1), True, True, True, True),
    "deactivated": Bought(("6AC", "6AP"), (2024, 5, 1), False, False, False, False),
    "for the law": Bought(("6FP", "6AP"), (2024, 5, 1), False, False, False, True),
    "no remote": Bought(("6AK", "6AC"), (2024, 5, 1), True, False, True, False),
    "little": Bought(("6AK",), (2019, 1, 31), True, False, False, False),
}


class Centre:
    """The emergency centre, and the line to it. `deaf`: until when nothing arrives."""

    def __init__(self, world: "World") -> None:
        self.world = world
        self.deaf_until = 0
        self.answered: set[int] = set()

    def call(self, number: int) -> None:
        """A message of the car's comes; it is answered a moment later."""
        device = self.world.device
        if self.world.heap.now < self.deaf_until:
            return
        device.in_this_life(ANSWERS_AFTER_MS, lambda: device.tell(EmergencyAcknowledged(number)))


def crash(world: "World", rng: Random) -> None:
    """The sensors speak; sometimes the power goes with it, and sometimes nobody hears for long."""
    if rng.random() < 0.6:
        lasts = rng.choice((8 * SECOND, 8 * SECOND, MINUTE, 25 * MINUTE))
        world.centre.deaf_until = world.heap.now + lasts
    world.device.tell(CrashDetected())
    world.moment("crashed")
    if rng.random() < 0.2:
        world.power_cut(rng.choice((2 * SECOND, MINUTE, HOUR)))


def button(world: "World", rng: Random) -> None:
    """Somebody presses the emergency button, and may think better of it."""
    world.device.tell(EmergencyPressed())
    if rng.random() < 0.5:
        world.heap.after(rng.choice((3, 9, 12)) * SECOND, lambda: world.device.tell(EmergencyCancelled()))


def abroad(world: "World", rng: Random) -> None:
    """Another country's network serves the car for a while, or none."""
    serve(world, rng.choice((GERMANY, FAR_AWAY, FAR_AWAY, None)))
    world.heap.after(rng.choice((HOUR, 8 * HOUR)), lambda: serve(world, BELGIUM))


def serve(world: "World", mcc: int | None) -> None:
    """A network serves the car from now on."""
    world.serving = mcc
    world.device.tell(NetworkServing(mcc))


def plan(world: "World", rng: Random) -> None:
    """What was bought changes; where the SIM is blocked, a phone carries the news."""
    order(world, rng.choice(list(PLANS)))
    if rng.random() < 0.3:
        send_to_car(world, rng)  # it has arrived already when the SIM is blocked
    if rng.random() < 0.6:
        world.heap.after(rng.choice((10 * MINUTE, 4 * HOUR)), lambda: order(world, "everything"))


def order(world: "World", name: str) -> None:
    """A plan is signed, and sent or carried."""
    world.plans += 1
    world.reach(f"plan: {name}")
    bought = PLANS[name]
    told = ServicePlan(world.plans, "BE", "2021-05-10", bought.registered, bought.packs, base_active=bought.base_active)
    signed = world.backend.signed(OrderKind.SERVICES, told, 86_400)
    world.broker.order(signed)
    courier = KeyPhone(world, f"courier {world.plans}", world.keychain.standing())
    world.last_phone = courier if world.calm_since >= 0 else world.last_phone
    world.heap.after(20 * SECOND, lambda: courier.visit(Ask.PUT, signed=signed))


def send_to_car(world: "World", _: Random) -> None:
    """A destination for whoever drives."""
    world.broker.order(world.backend.signed(OrderKind.SEND_TO_CAR, Place(*HOME, "home"), 600))


CALLS: Final[dict[str, Callable[["World", Random], None]]] = {
    "crash": crash,
    "button": button,
    "abroad": abroad,
    "plan": plan,
    "send_to_car": send_to_car,
}
