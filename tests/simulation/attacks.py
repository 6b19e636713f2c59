"""What somebody does who has no right to the car, or no longer, or not yet. None of them can forge a signature."""

from collections.abc import Callable
from random import Random
from typing import TYPE_CHECKING, Final

import msgspec

from firmware.core.events import HandshakeBegun, HandshakeFailed, LinkLost, OrderReceived, RequestReceived
from protocol.errors import Role
from protocol.messages import Operation, Request
from protocol.orders import Order
from protocol.tokens import Booking, RevocationList
from tests.simulation.air import Central
from tests.simulation.phone import Phone

if TYPE_CHECKING:
    from tests.simulation.world import World

HOUR_MS: Final = 3_600_000


class Stranger(Central):
    """Connects, and has no key."""

    forging = False

    def let_in(self, *, refused: bool) -> None:
        if self.forging and not refused:
            self.world.device.tell(HandshakeFailed(self.link))


def flood(world: "World", name: str, _: Random) -> None:
    """Take every link, and say nothing."""
    for number in range(4):
        world.air.connect(Stranger(world, f"{name} {number}"))


def forge(world: "World", name: str, _: Random) -> None:
    """Seven handshakes with a key that nobody signed."""
    stranger = Stranger(world, name)
    stranger.forging = True
    if not world.air.connect(stranger):
        return
    for number in range(7):
        world.heap.after(number * 700, lambda: world.air.send(stranger, HandshakeBegun(stranger.link)))
    world.heap.after(9_000, lambda: world.air.leave(stranger))


def naked(world: "World", name: str, _: Random) -> None:
    """Ask without any handshake, on the link of one's own."""
    stranger = Stranger(world, name)
    if world.air.connect(stranger):
        for operation in (Operation.UNLOCK, Operation.ENABLE_DRIVE, Operation.LOCATE, Operation.END_BOOKING):
            request = Request(1, operation, b"stranger")
            world.air.send(stranger, RequestReceived(stranger.link, request))
        world.heap.after(3_000, lambda: world.air.leave(stranger))


def gone_link(world: "World", _: str, __: Random) -> None:
    """Ask over a link that has just been lost by somebody else."""
    for link in list(world.air.links)[:1]:
        world.air.links.pop(link).lost()
        world.device.tell(LinkLost(link))
        world.device.tell(RequestReceived(link, Request(2, Operation.UNLOCK, b"gonelink")))
        world.device.tell(RequestReceived(link, Request(3, Operation.ENABLE_DRIVE, b"gonelink")))


def stale(world: "World", name: str, rng: Random) -> None:
    """A phone with a booking that was genuine once."""
    past = [b for b in world.backend.bookings if b.ends_at_s * 1000 < world.utc_ms] or world.backend.bookings
    if past:
        phone = Phone(world, name, rng.choice(past[-6:]), online=rng.random() < 0.5)
        phone.visit(Operation.STATUS, Operation.UNLOCK)
        world.heap.after(4_000, lambda: phone.visit(Operation.ENABLE_DRIVE))
        world.heap.after(6_000, lambda: phone.visit(Operation.LOCATE))


def _with(**changes: object) -> Callable[["World", str, Random], None]:
    def attack(world: "World", name: str, _: Random) -> None:
        now = world.heap.now
        booking = world.backend.booking(name[:8], Role.DRIVER, now - 60_000, now + HOUR_MS)
        phone = Phone(world, name, msgspec.structs.replace(booking, **changes))
        phone.visit(Operation.STATUS, Operation.UNLOCK)
        world.heap.after(5_000, lambda: phone.visit(Operation.LOCATE))

    return attack


def early(world: "World", name: str, _: Random) -> None:
    """A booking of tomorrow."""
    begins = world.heap.now + 24 * HOUR_MS
    phone = Phone(world, name, world.backend.booking(name[:8], Role.VIP, begins, begins + HOUR_MS))
    phone.visit(Operation.UNLOCK)
    world.heap.after(5_000, lambda: phone.visit(Operation.STATUS))


def no_permission(world: "World", name: str, _: Random) -> None:
    """A booking that may lock, and no more; it gives the car back."""
    now = world.heap.now
    booking = world.backend.booking(name[:8], Role.GUEST, now - 60_000, now + HOUR_MS, permissions=4)
    phone = Phone(world, name, booking)
    for number, operation in enumerate((Operation.UNLOCK, Operation.ENABLE_DRIVE, Operation.LOCATE)):
        world.heap.after(number * 5_000, lambda operation=operation: phone.visit(operation))  # type: ignore[misc]
    world.heap.after(25_000, lambda: phone.visit(Operation.END_BOOKING))


def replay_order(world: "World", _: str, rng: Random) -> None:
    """An order once more, over the broker."""
    if world.backend.orders:
        world.device.tell(OrderReceived(rng.choice(world.backend.orders)))


def replay_list(world: "World", _: str, rng: Random) -> None:
    """A list that was withdrawn long ago."""
    if world.backend.lists:
        world.device.tell(OrderReceived(rng.choice(world.backend.lists)))


def replay_time(world: "World", name: str, rng: Random) -> None:
    """An attestation that was signed for another nonce: one that was used, or one that was kept for later."""
    if not world.backend.bookings:
        return
    phone = Phone(world, name, world.backend.bookings[-1], online=False)
    if rng.random() < 0.3:
        phone.visit(Operation.PUT)
        if world.backend.attestations and phone.tasks:
            phone.tasks[0].signed = rng.choice(world.backend.attestations)
        return
    phone.hoards = True
    phone.visit(Operation.GET_NONCE)

    def later() -> None:
        phone.visit(Operation.GET_NONCE, Operation.PUT)
        if phone.tasks and phone.hoard is not None:
            phone.tasks[-1].signed = phone.hoard

    world.heap.after(rng.choice((6, 20)) * 60_000, later)


def withdrawn(world: "World", name: str, _: Random) -> None:
    """A booking that was revoked before its phone came to the car."""
    booking = _of_now(world, name)
    _comes_too_late(world, name, booking, world.backend.revoke(booking))


def cancelled(world: "World", name: str, _: Random) -> None:
    """A booking that was ordered to end before its phone came to the car."""
    booking = _of_now(world, name)
    _comes_too_late(world, name, booking, world.backend.end_order(booking))


def _of_now(world: "World", name: str) -> Booking:
    now = world.heap.now
    return world.backend.booking(name[:8], Role.DRIVER, now - 60_000, now + HOUR_MS)


def _comes_too_late(world: "World", name: str, booking: Booking, signed: Order | RevocationList) -> None:
    """The module hears of it over the broker and from another phone; then the phone comes."""
    world.broker.order(signed)
    if world.phones:
        world.phones[-1].visit(Operation.PUT, signed=signed)
    phone = Phone(world, name, booking)
    world.heap.after(20_000, lambda: phone.visit(Operation.UNLOCK))
    world.heap.after(60_000, lambda: phone.visit(Operation.END_BOOKING))


def forged_nothing(world: "World", name: str, _: Random) -> None:
    """Hand over something that is no order."""
    if world.backend.bookings:
        Phone(world, name, world.backend.bookings[-1], online=False).visit(Operation.PUT)


def reuse_command(world: "World", _: str, rng: Random) -> None:
    """Give a command under the identifier of another one."""
    for phone in world.phones[-1:]:
        if phone.commands:
            phone.ask_again(Operation.LOCK, phone.commands[0])
            phone.ask_again(Operation.OUTCOME, phone.commands[-1])
            if rng.random() < 0.5:
                phone.ask_again(Operation.UNLOCK, phone.commands[0])


def other_outcome(world: "World", name: str, rng: Random) -> None:
    """Ask what became of somebody else's command."""
    others = [phone for phone in world.phones if phone.commands]
    if others:
        target = others[-1]
        booking = next((b for b in world.backend.bookings if b.user != target.booking.user), None)
        if booking is not None:
            Phone(world, name, booking, online=False).ask_again(Operation.OUTCOME, rng.choice(target.commands))


def foreign(world: "World", name: str, rng: Random) -> None:
    """A genuine booking for the car beside this one, or for one that nobody knows."""
    theirs = [] if world.neighbour is None else world.neighbour.backend.bookings
    if theirs:
        Phone(world, name, rng.choice(theirs)).visit(Operation.STATUS, Operation.UNLOCK)
    else:
        _with(module_id=b"another!")(world, name, rng)


ATTACKS: Final[dict[str, Callable[["World", str, Random], None]]] = {
    "flood": flood,
    "forge": forge,
    "naked": naked,
    "gone_link": gone_link,
    "stale": stale,
    "foreign": foreign,
    "epoch": _with(key_epoch=0),
    "early": early,
    "no_permission": no_permission,
    "withdrawn": withdrawn,
    "cancelled": cancelled,
    "replay_order": replay_order,
    "replay_list": replay_list,
    "replay_time": replay_time,
    "forged_nothing": forged_nothing,
    "reuse_command": reuse_command,
    "other_outcome": other_outcome,
}


def attack(world: "World", kind: str, rng: Random) -> None:
    """Do it, if the module has power to be attacked."""
    if world.device.powered:
        world.reach(f"attack: {kind}")
        ATTACKS[kind](world, f"{kind} {world.backend.number()}", rng)
