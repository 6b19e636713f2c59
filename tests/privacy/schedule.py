"""A day in the life of a shared car, drawn from a seed: who comes, how far they drive, how it ends, and when there is
no network or no power. Knows neither module nor broker.
"""

from enum import Enum, unique
from random import Random
from typing import Final, NamedTuple

from protocol.errors import Role

MOST_STAYS: Final = 5
MOST_LEGS: Final = 3


@unique
class Ending(Enum):
    """How somebody's turn with the car ends."""

    DRIVER = "ends it with the phone"
    CARRIED = "is ended by an order that the phone carries"
    MQTT = "is ended by an order of the backend"
    CUT_OFF = "is cut off"
    SUPERSEDED = "leaves an overdue booking to the next one"


@unique
class Mishap(Enum):
    """What happens at a moment."""

    NOTHING = "nothing"
    NETWORK = "the network goes or comes back"
    POWER = "the module loses its power"


class Leg(NamedTuple):
    """A drive of so many seconds, and what happens before it, in the middle of it, and when the car has parked."""

    seconds: float
    mishaps: tuple[Mishap, Mishap, Mishap]
    locates: bool


class Stay(NamedTuple):
    """Somebody has the car. `role` None: somebody with the physical key, and no booking."""

    name: str
    role: Role | None
    legs: tuple[Leg, ...]
    ending: Ending
    before: Mishap

    @property
    def hidden(self) -> bool:
        """Whether the owner must not see where the car is (PRV-1, PRV-4)."""
        return self.role not in (None, Role.OWNER)


def draw(seed: int) -> tuple[Stay, ...]:
    """The day of that seed. At least one driver comes; what is left overdue finds somebody who comes next."""
    rng = Random(f"privacy {seed}")
    stays = [_stay(rng, number) for number in range(rng.randint(2, MOST_STAYS))]
    if not any(stay.hidden for stay in stays):
        stays.append(_stay(rng, len(stays))._replace(role=Role.DRIVER, ending=Ending.DRIVER))
    return tuple(_possible(stay, stays[number + 1 :]) for number, stay in enumerate(stays))


def _stay(rng: Random, number: int) -> Stay:
    role = rng.choices((Role.DRIVER, Role.VIP, Role.GUEST, Role.OWNER, None), (4, 2, 2, 2, 2))[0]
    legs = tuple(_leg(rng) for _ in range(rng.randint(1, MOST_LEGS)))
    ending = rng.choices(tuple(Ending), (4, 2, 2, 1, 2))[0]
    return Stay(f"person {number}", role, legs, ending, _mishap(rng))


def _leg(rng: Random) -> Leg:
    return Leg(rng.uniform(5, 90), (_mishap(rng), _mishap(rng), _mishap(rng)), rng.random() < 0.3)


def _mishap(rng: Random) -> Mishap:
    return rng.choices(tuple(Mishap), (14, 5, 1))[0]


def _possible(stay: Stay, later: list[Stay]) -> Stay:
    """Only a booking supersedes a booking; an order needs a network or a phone."""
    if stay.ending is Ending.SUPERSEDED and not (later and later[0].role is not None):
        return stay._replace(ending=Ending.DRIVER)
    return stay
