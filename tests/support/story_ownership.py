"""Words of a story about whose car it is: what the backend orders about owners, drivers and homes, and what holds then.

    order couple Ann 1 person=Anna    Ann's account becomes the owner's; 1 is the number of the order
    order remove Ann 2                Ann gives the car up
    order take-over Ben 3             Ben's account wants it without the owner
    order unlist D                    D leaves the list of drivers
    order home far                    the car lives far away; `order home here`: where it stands at first

An order is good for a day, a takeover for ten minutes; `issued=D1T10:00:00` lets it be older. Other words: `story`.
"""

from typing import Final

import msgspec

from firmware.core import ownership, takeover
from firmware.core.state import Profile, Vehicle
from protocol.orders import Coupling, Details, DriverRemoval, Order, OrderKind, Place, Removal
from protocol.selftest import Part
from protocol.telemetry import FIX_TIME, Channel
from tests.support.story_world import BASE_MS, FAR_AWAY, HOME, MODULE_ID, World, milliseconds

VIN: Final = "WMWXU71090TU12345"
DAY_S: Final = 86_400
PLACES: Final = {"far": FAR_AWAY, "here": HOME}
COUPLINGS: Final = {"couple": OrderKind.COUPLE, "take-over": OrderKind.TAKE_OVER}


def factory(now: int = 0, *, prepared: bool = True) -> World:
    """A module as it leaves the dealer's hands: nobody owns it."""
    car = Vehicle(VIN, "DE", prepared)
    return World(now, profile=Profile(MODULE_ID, 1, None, BASE_MS + now - 86_400_000, car, coupled=False))


def pseudonym(name: str) -> bytes:
    """An account or a person."""
    return name.encode().ljust(8, b"a")


# ---------------------------------------------------------------- what the backend signs
def signed(world: World, words: list[str]) -> Order | None:
    """The order that these words mean, after the word `order`; None: they mean another one."""
    plain = [word for word in words if "=" not in word]
    said = dict(word.split("=", 1) for word in words if "=" in word)
    details: Details
    match plain:
        case ["couple" | "take-over" as verb, account, number]:
            kind, person = COUPLINGS[verb], pseudonym(said.get("person", account))
            details = Coupling(int(number), pseudonym(account), person, said.get("vin", VIN), int(number))
        case ["remove", account, number]:
            kind, details = OrderKind.REMOVE_OWNER, Removal(int(number), pseudonym(account))
        case ["unlist", driver]:
            kind, details = OrderKind.REMOVE_DRIVER, DriverRemoval(world.bookings[driver].user)
        case ["home", place]:
            kind, details = OrderKind.HOME, Place(*PLACES[place])
        case _:
            return None
    issued_s = (BASE_MS + world.now) // 1000
    if "issued" in said:
        issued_s = (BASE_MS + milliseconds(said["issued"].replace("T", " "))) // 1000
    ttl_s = 600 if kind is OrderKind.TAKE_OVER else DAY_S
    order_id = "/".join(plain).encode().ljust(16, b"o")[:16]
    return Order(order_id, kind, world.profile.module_id, issued_s, issued_s + ttl_s, details)


# ---------------------------------------------------------------- what holds then
def claims(world: World, words: list[str]) -> bool | None:
    """Claims about owners; None: it is none."""
    durable = world.state.durable
    match words:
        case ["owner", account]:
            return durable.ownership.coupled and durable.ownership.owner == pseudonym(account)
        case ["no", "owner"]:
            return not durable.ownership.coupled
        case ["epoch", number]:
            return durable.key_epoch == int(number)
        case ["home", "none"]:
            return ownership.home(world.state) is None
        case ["home", place]:
            return ownership.home(world.state) == PLACES[place]
        case ["drivers", number]:
            return len(durable.drivers) == int(number)
        case ["progress", percent]:
            return takeover.progress_pct(world.state, world.mono) == int(percent)
        case ["no", "takeover"]:
            return durable.takeover is None
        case ["shared", "until", *until]:
            told = durable.subscription
            return told is not None and told.sharing_until_s * 1000 == BASE_MS + milliseconds(" ".join(until))
        case ["nothing", "of", "the", "old", "owner"]:
            return _nothing_left(world)
        case _:
            return _tested(world, words)


def _nothing_left(world: World) -> bool:
    """Whether nothing of an owner's is stored, nobody of theirs connected, and no position of theirs waits."""
    durable = world.state.durable
    empty = (durable.keys, durable.deletions, durable.drivers, durable.devices, durable.executed, durable.destination)
    positions = [each for each in world.outbox if each.reveals_position and each.number < durable.erased_before]
    return not any((*empty, durable.trip.booking, durable.driver_key, positions, world.links))


def positions_since(world: World, since: str) -> list[str]:
    """When the positions were fixed that were published from that time of the story on."""
    told = [
        msgspec.json.decode(payload, type=dict[str, object])
        for at, channel, payload in world.published
        if at >= milliseconds(since) and payload and channel in (Channel.TRACK, Channel.POSITION)
    ]
    return [str(each[FIX_TIME]) for each in told]


def _tested(world: World, words: list[str]) -> bool | None:
    match words:
        case ["tested", "well"]:
            return bool(world.reports) and world.reports[-1].passed
        case ["failed", *parts]:
            failed = [each.part for each in world.reports[-1].results if not each.passed]
            return failed == [Part[part.upper()] for part in parts]
        case ["no", "report"]:
            return not world.reports
        case _:
            return None
