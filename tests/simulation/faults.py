"""What can go wrong around a module, each for a while. After a while everything mends itself."""

from collections.abc import Callable
from random import Random
from typing import TYPE_CHECKING, Final

import msgspec

from protocol.errors import Role
from protocol.messages import Operation
from tests.simulation.car import LIE_MS
from tests.simulation.phone import Phone

if TYPE_CHECKING:
    from tests.simulation.world import World

SECOND: Final = 1_000
MINUTE: Final = 60_000
HOUR: Final = 3_600_000
DAY: Final = 24 * HOUR


def power(world: "World", rng: Random) -> None:
    world.power_cut(rng.choice((SECOND, 30 * SECOND, 10 * MINUTE, 2 * HOUR)))


def cut_before_commit(world: "World", _: Random) -> None:
    world.device.disk.fuse = "before"


def cut_after_commit(world: "World", _: Random) -> None:
    world.device.disk.fuse = "after"


def card_lost(world: "World", _: Random) -> None:
    _card(world, "lost")


def card_rolled_back(world: "World", _: Random) -> None:
    _card(world, "rolled back")


def _card(world: "World", what: str) -> None:
    world.power_cut(2 * SECOND)
    if not world.device.powered:
        world.device.disk.card = what


def disk_full(world: "World", rng: Random) -> None:
    disk = world.device.disk
    disk.full = True
    world.heap.after(rng.choice((2 * SECOND, MINUTE, 30 * MINUTE)), lambda: setattr(disk, "full", False))


def link_loss(world: "World", _: Random) -> None:
    for link in list(world.air.links):
        world.air.drop(link)


def radio_bad(world: "World", rng: Random) -> None:
    world.air.loss = rng.choice((0.1, 0.4))
    world.heap.after(10 * MINUTE, lambda: setattr(world.air, "loss", 0.0))


def broker_down(world: "World", rng: Random) -> None:
    world.lose_broker(rng.choice((20 * SECOND, 10 * MINUTE, 3 * HOUR, 9 * HOUR)))


def broker_drop(world: "World", _: Random) -> None:
    world.lose_broker(3 * SECOND)


def _bus(kind: str, *lasts_ms: int) -> Callable[["World", Random], None]:
    def fault(world: "World", rng: Random) -> None:
        world.disturb_bus(kind, rng.choice(lasts_ms))

    return fault


def rtc_wrong(world: "World", rng: Random) -> None:
    error = rng.choice((-DAY, -HOUR, -MINUTE, MINUTE, HOUR, DAY))
    _rtc(world, rng, error)


def rtc_fast(world: "World", _: Random) -> None:
    """Three hours fast, for one boot that comes at once."""
    world.rtc_error_ms = 3 * HOUR
    world.heap.after(MINUTE, lambda: setattr(world, "rtc_error_ms", 0))
    world.power_cut(2 * SECOND)


def rtc_lost(world: "World", rng: Random) -> None:
    _rtc(world, rng, None)


def far_future(world: "World", rng: Random) -> None:
    _rtc(world, rng, 1_200 * DAY)


def _rtc(world: "World", rng: Random, error_ms: int | None) -> None:
    """It is wrong from the next boot on, which comes soon; an hour or a day later it is right again."""
    world.rtc_error_ms = error_ms
    world.heap.after(rng.choice((HOUR, DAY)), lambda: setattr(world, "rtc_error_ms", 0))
    world.power_cut(rng.choice((2 * SECOND, 2 * SECOND, HOUR)))


def gnss_spoof(world: "World", rng: Random) -> None:
    car = world.car
    car.gnss_error_ms = rng.choice((-HOUR, -90 * SECOND, 90 * SECOND, 90 * SECOND, 90 * SECOND, HOUR, 500 * DAY))
    world.heap.after(20 * MINUTE, lambda: setattr(car, "gnss_error_ms", 0))


def _gnss(kind: str) -> Callable[["World", Random], None]:
    def fault(world: "World", rng: Random) -> None:
        car = world.car
        car.gnss = kind
        car.forget()
        world.heap.after(rng.choice((MINUTE, 40 * MINUTE, 3 * HOUR)), lambda: setattr(car, "gnss", "good"))

    return fault


def network_wrong(world: "World", rng: Random) -> None:
    world.network_error_ms = rng.choice((-HOUR, -90 * SECOND, 90 * SECOND, 90 * SECOND, HOUR, 500 * DAY))
    world.heap.after(HOUR, lambda: setattr(world, "network_error_ms", 0))
    world.lose_broker(5 * SECOND)


def _actuators(kind: str) -> Callable[["World", Random], None]:
    def fault(world: "World", rng: Random) -> None:
        car = world.car
        car.actuators = kind
        world.heap.after(rng.choice((3 * SECOND, 20 * SECOND, 2 * MINUTE)), lambda: setattr(car, "actuators", "alive"))

    return fault


def doors(world: "World", rng: Random) -> None:
    car = world.car
    car.doors_open = True
    world.car_changed()

    def close() -> None:
        car.doors_open = False
        world.car_changed()

    world.heap.after(rng.choice((20 * SECOND, 10 * MINUTE)), close)


def key_drive(world: "World", rng: Random) -> None:
    if world.car.standing:
        world.drive(rng.choice((2 * MINUTE, 20 * MINUTE)), by_key=True)


def key_locks(world: "World", _: Random) -> None:
    world.car.locked = not world.car.locked
    world.car_changed()


def order_end(world: "World", rng: Random) -> None:
    if world.backend.bookings:
        order = world.backend.end_order(world.backend.bookings[-1])
        if rng.random() < 0.5 or not world.phones:
            world.broker.order(order)
        else:
            world.phones[-1].visit(Operation.PUT, signed=order)


def revoke(world: "World", rng: Random) -> None:
    if world.backend.bookings:
        listed = world.backend.revoke(world.backend.bookings[-1])
        if rng.random() < 0.7 or not world.phones:
            world.broker.order(listed)
        else:
            world.phones[0].visit(Operation.PUT, signed=listed)


def rival(world: "World", rng: Random) -> None:
    """Another driver wants the car now; where she gets it she gives it back after a while."""
    now = world.heap.now
    booking = world.backend.booking(f"rival{now % 1000}", Role.VIP, now - MINUTE, now + 2 * HOUR)
    phone = Phone(world, f"rival {booking.token_id.hex()}", booking)
    if rng.random() < 0.3:
        phone.visit(Operation.END_BOOKING)  # a change of mind, while the broker still hears of the start
        return
    phone.visit(Operation.STATUS, Operation.UNLOCK, Operation.ENABLE_DRIVE, stay_ms=rng.choice((0, 3 * MINUTE)))
    world.heap.after(12 * MINUTE, lambda: phone.visit(Operation.LOCK, Operation.END_BOOKING))
    if world.phones:
        other = world.phones[-1]
        world.heap.after(MINUTE, lambda: other.visit(Operation.STATUS, Operation.UNLOCK))


def waver(world: "World", rng: Random) -> None:
    """A driver takes the car and gives it back at once, while the broker is away and comes back a moment before: on a
    slow connection what is to be retained changes again before the broker has answered, and often there is no room on
    the way for the change, because of what has been done meanwhile."""
    now = world.heap.now
    booking = world.backend.booking(f"waverer{now % 1000}", Role.VIP, now - MINUTE, now + 2 * HOUR)
    phone = Phone(world, f"waverer {booking.token_id.hex()}", booking)
    pairs = rng.choice((0, 1, 2, 2, 2))
    world.lose_broker(3_700 + 1_240 * pairs + rng.randrange(1_900))
    phone.visit(*(Operation.UNLOCK, Operation.LOCK) * pairs, Operation.END_BOOKING)


def rebind(world: "World", rng: Random) -> None:
    """The driver changes to a newer phone; the old one tries once more."""
    if not world.phones:
        return
    old = world.phones[-1]
    number = world.backend.number()
    renewed = msgspec.structs.replace(
        old.booking, token_id=(number + 5_000_000).to_bytes(16, "big"), issued_s=world.utc_ms // 1000,
        device_generation=old.booking.device_generation + 1, holder=b"\x03" + number.to_bytes(32, "big"),
    )  # fmt: skip
    world.backend.bookings.append(renewed)
    phone = Phone(world, f"newer {number}", renewed, hasty=old.hasty)
    phone.visit(Operation.STATUS, Operation.LOCATE, stay_ms=rng.choice((0, MINUTE)))
    world.heap.after(20 * SECOND, lambda: old.visit(Operation.STATUS))
    world.phones.append(phone)


FAULTS: Final[dict[str, Callable[["World", Random], None]]] = {
    "power": power,
    "cut_before_commit": cut_before_commit,
    "cut_after_commit": cut_after_commit,
    "disk_full": disk_full,
    "card_lost": card_lost,
    "card_rolled_back": card_rolled_back,
    "link_loss": link_loss,
    "radio_bad": radio_bad,
    "broker_down": broker_down,
    "broker_drop": broker_drop,
    "silent": _bus("silent", 2_000, 3_000, 10 * SECOND, 10 * MINUTE, HOUR),
    "zero": _bus("zero", 1_500, LIE_MS),
    "nan": _bus("nan", SECOND, MINUTE),
    "unknown": _bus("unknown", SECOND, MINUTE),
    "dim": _bus("dim", SECOND, MINUTE),
    "negative": _bus("negative", SECOND, MINUTE),
    "rtc_wrong": rtc_wrong,
    "rtc_fast": rtc_fast,
    "rtc_lost": rtc_lost,
    "far_future": far_future,
    "gnss_spoof": gnss_spoof,
    "gnss_lost": _gnss("lost"),
    "gnss_nonsense": _gnss("nonsense"),
    "network_wrong": network_wrong,
    "dead": _actuators("dead"),
    "mute": _actuators("mute"),
    "slow": _actuators("slow"),
    "doors": doors,
    "key_drive": key_drive,
    "key_locks": key_locks,
    "order_end": order_end,
    "revoke": revoke,
    "rival": rival,
    "rebind": rebind,
    "waver": waver,
}
