"""Whose car it is, from the backend's side: it couples, removes and hands over, and the owner's phone has a key.

What the module makes of it is judged by `deeds`.
"""

from collections.abc import Callable
from random import Random
from typing import TYPE_CHECKING, Final

from protocol.errors import Role
from protocol.messages import Operation as Ask
from protocol.orders import Coupling, DriverRemoval, OrderKind, Place, Removal
from tests.simulation.car import HOME
from tests.simulation.faults import FAULTS, HOUR, MINUTE, SECOND
from tests.simulation.phone import KeyPhone

if TYPE_CHECKING:
    from tests.simulation.world import World

VIN: Final = "WBA3A5G59DNP26082"


class Estate:
    """The owner of one car. `owner`: the account, as the module has it durably; empty: nobody, or never told."""

    def __init__(self, world: "World") -> None:
        self.world = world
        self.owner = b""
        self.coupled = True
        self.numbers = 0
        self.phone: KeyPhone | None = None
        self.phones: list[KeyPhone] = []
        """Of all owners so far, of now and of before."""
        self._count = 0

    def changed(self, owner: bytes, coupled: bool, epoch: int) -> None:
        """The module has it durably. Its backend hears of it at once, and whoever comes next gets new keys."""
        if (owner, coupled, epoch) == (self.owner, self.coupled, self.world.backend.epoch):
            return
        self.owner, self.coupled = owner, coupled
        self.world.backend.epoch = epoch
        self.phone = None
        self.world.moment("changed_hands")

    def own_phone(self) -> KeyPhone | None:
        """The phone with the owner's standing key; None while nobody owns the car."""
        if not self.coupled:
            return None
        bookings = self.world.backend.bookings
        newest = max([1, *(b.device_generation for b in bookings if b.user == b"owner___")])
        if self.phone is None or self.phone.key.device_generation < newest:
            self._count += 1
            key = self.world.keychain.standing(device_generation=newest)
            self.phone = KeyPhone(self.world, f"owner's {self._count}", key)
            self.phones.append(self.phone)
        return self.phone

    def account(self) -> bytes:
        """A new account."""
        self._count += 1
        return f"acct{self._count:04}".encode()

    def coupling(self, kind: OrderKind, owner: bytes, vin: str = VIN, ttl_s: int = 600) -> None:
        """COUPLE or TAKE_OVER, signed and sent."""
        backend = self.world.backend
        self.numbers += 1
        details = Coupling(self.numbers, owner, b"person" + owner[-2:], vin, backend.next_subscription())
        self.world.broker.order(backend.signed(kind, details, ttl_s))

    def removal(self, owner: bytes) -> None:
        """REMOVE_OWNER, signed and sent."""
        self.numbers += 1
        self.world.broker.order(self.world.backend.signed(OrderKind.REMOVE_OWNER, Removal(self.numbers, owner), 600))


def couple(world: "World", rng: Random) -> None:
    """Somebody adds the car to an account; sometimes it is another car, or one that is owned."""
    vin = VIN if rng.random() < 0.8 else "WBA3A5G59DNP26083"
    world.estate.coupling(OrderKind.COUPLE, world.estate.account(), vin)


def remove(world: "World", rng: Random) -> None:
    """The owner gives the car up, or somebody else tries to; later it is coupled again."""
    estate = world.estate
    estate.removal(estate.owner if rng.random() < 0.8 else b"stranger")
    world.heap.after(rng.choice((MINUTE, HOUR)), lambda: couple(world, rng))


def take_over(world: "World", rng: Random) -> None:
    """Somebody with both vehicle keys takes the car over; every condition is there, or nearly, or not for long."""
    estate, car = world.estate, world.car
    world.dense(5 * MINUTE)
    car.keys = 2 if rng.random() < 0.9 else 1
    world.heap.after(10 * SECOND, lambda: estate.coupling(OrderKind.TAKE_OVER, estate.account()))
    if rng.random() < 0.3:
        world.heap.after(rng.randrange(11, 200) * SECOND, lambda: key_taken(world, rng))
    world.heap.after(5 * MINUTE, lambda: setattr(car, "keys", 0))
    old = estate.phones[-1:]
    for phone in old:
        world.heap.after(5 * MINUTE, lambda phone=phone: phone.visit(Ask.STATUS, Ask.UNLOCK))  # type: ignore[misc]


def key_taken(world: "World", rng: Random) -> None:
    """One of the vehicle keys leaves the car, for a moment or for long."""
    car = world.car
    if car.keys:
        car.keys -= 1
        if rng.random() < 0.5:
            world.heap.after(rng.choice((1_500, 20 * SECOND)), lambda: setattr(car, "keys", 2))


def home(world: "World", rng: Random) -> None:
    """The owner says where home is."""
    place = Place(HOME[0] + rng.randrange(3) * 10_000, HOME[1], "home")
    world.broker.order(world.backend.signed(OrderKind.HOME, place, 86_400))


def remove_driver(world: "World", rng: Random) -> None:
    """The owner takes somebody off the list of drivers."""
    users = sorted({booking.user for booking in world.backend.bookings})
    if users:
        world.broker.order(world.backend.signed(OrderKind.REMOVE_DRIVER, DriverRemoval(rng.choice(users)), 86_400))


def own_visit(world: "World", rng: Random) -> None:
    """The owner uses the car with the standing key, and looks at the keys that are out."""
    phone = world.estate.own_phone()
    if phone is None:
        return
    phone.visit(Ask.STATUS, Ask.UNLOCK, Ask.ENABLE_DRIVE, Ask.KEYS, stay_ms=rng.choice((0, MINUTE)))
    lasts = rng.choice((2 * MINUTE, 20 * MINUTE))
    world.heap.after(20 * SECOND, lambda: world.drive(lasts, by_key=False))
    world.heap.after(40 * SECOND + lasts, lambda: phone.visit(Ask.LOCATE, Ask.LOCK, Ask.DISABLE_DRIVE))


def test_itself(world: "World", rng: Random) -> None:
    """A dealer lets the module test itself; some try more than that with such a key."""
    phone = KeyPhone(world, f"dealer {world.backend.number()}", world.keychain.standing(Role.SERVICE))
    world.dense(MINUTE)
    if rng.random() < 0.3:
        world.heap.after(8 * SECOND, lambda: FAULTS["mute"](world, rng))
    world.heap.after(8 * SECOND, lambda: phone.visit(Ask.SELF_TEST, stay_ms=20 * SECOND))
    if rng.random() < 0.5:
        world.heap.after(MINUTE, lambda: phone.visit(Ask.UNLOCK))
        world.heap.after(2 * MINUTE, lambda: phone.visit(Ask.LOCATE))


DEEDS: Final[dict[str, Callable[["World", Random], None]]] = {
    "couple": couple,
    "remove": remove,
    "take_over": take_over,
    "home": home,
    "remove_driver": remove_driver,
    "own_visit": own_visit,
    "self_test": test_itself,
}
