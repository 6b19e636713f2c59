"""What happens to digital keys and owners beside their plans: presses, deletions, guesses, keys that are no good."""

from collections.abc import Callable
from random import Random
from typing import TYPE_CHECKING, Final

from protocol.errors import Role
from protocol.messages import Operation as Ask
from protocol.sharing import Activation, Deletion, Hours
from tests.simulation.estate import key_taken
from tests.simulation.faults import DAY, HOUR, MINUTE, SECOND
from tests.simulation.guests import press_key
from tests.simulation.phone import KeyPhone

if TYPE_CHECKING:
    from tests.simulation.world import World

Mischief = Callable[["World", Random], None]


def press_unlock(world: "World", _: Random) -> None:
    press_key(world, "u")


def press_lock(world: "World", _: Random) -> None:
    press_key(world, "l")


def delete_key(world: "World", rng: Random) -> None:
    """The main user deletes the newest shared key, one way or another, and perhaps another way a moment later."""
    if not world.keychain.shares:
        return
    for policy in rng.sample(list(Deletion), rng.choice((1, 1, 2))):
        world.broker.order(world.backend.delete(world.keychain.shares[-1], policy))


def deactivate(world: "World", rng: Random) -> None:
    """Somebody in the car deactivates one of the shared keys."""
    if world.keychain.shares:
        world.menu.deactivate(rng.choice(world.keychain.shares[-2:]))


def wrong_code(world: "World", _: Random) -> None:
    world.menu.enter("000000", 1)


def guest_comes(world: "World", _: Random) -> None:
    """Whoever has the newest shared key comes to the car."""
    for phone in world.guests[-1:]:
        phone.visit(Ask.UNLOCK)


def owner_comes(world: "World", _: Random) -> None:
    """The owner comes, and changes the mind at once."""
    phone = world.estate.own_phone()
    if phone is not None:
        phone.visit(Ask.UNLOCK, Ask.ENABLE_DRIVE, Ask.LOCK)


KEY_FAULTS: Final[dict[str, Mischief]] = {
    "press_unlock": press_unlock,
    "press_lock": press_lock,
    "delete_key": delete_key,
    "deactivate": deactivate,
    "wrong_code": wrong_code,
    "key_taken": key_taken,
    "guest_comes": guest_comes,
    "owner_comes": owner_comes,
}


# ---------------------------------------------------------------- whoever has no right
def guess_codes(world: "World", rng: Random) -> None:
    """Somebody in the car guesses, patiently or not."""
    wait = rng.choice((2 * SECOND, MINUTE, 11 * MINUTE, 61 * MINUTE))
    for number in range(8):
        world.heap.after(number * wait, lambda: world.dense(15 * SECOND))
        world.heap.after(number * wait + 8 * SECOND, lambda: world.menu.enter("123456", 1))


def code_again(world: "World", rng: Random) -> None:
    """A code once more: one that was used, or one of a key that is over."""
    codes = list(world.keychain.codes.values())
    if codes:
        world.dense(20 * SECOND)
        code = rng.choice(codes[-4:])
        world.heap.after(8 * SECOND, lambda: world.menu.enter(code, 1))


def stale_key(world: "World", rng: Random) -> None:
    """A key of an owner, a dealer or a guest that was genuine once: deleted, expired, of an older owner, or good."""
    known = list(world.keychain.keys.values())
    for key in rng.sample(known, min(2, len(known))):
        phone = KeyPhone(world, f"stale {key.token_id.hex()} {world.backend.number()}", key, online=rng.random() < 0.5)
        phone.visit(Ask.STATUS, Ask.UNLOCK)
        world.heap.after(6 * SECOND, lambda phone=phone: phone.visit(Ask.ENABLE_DRIVE))  # type: ignore[misc]
        world.heap.after(9 * SECOND, lambda phone=phone: phone.visit(Ask.LOCATE))  # type: ignore[misc]


def _with(role: Role = Role.OWNER, **changes: object) -> Mischief:
    """The standing key of the owner of now, but for that."""

    def tries(world: "World", _: Random) -> None:
        key = world.keychain.standing(role, **changes)
        _goes_round(world, KeyPhone(world, f"owner's, but {world.backend.number()}", key))

    return tries


def _goes_round(world: "World", phone: KeyPhone) -> None:
    for number, ask in enumerate((Ask.UNLOCK, Ask.ENABLE_DRIVE, Ask.OPEN_BOOT, Ask.LOCATE)):
        world.heap.after(number * 6 * SECOND, lambda ask=ask: phone.visit(ask))  # type: ignore[misc]


def foreign_key(world: "World", rng: Random) -> None:
    """A genuine key of the car beside this one, or of one that nobody knows."""
    theirs = [] if world.neighbour is None else list(world.neighbour.keychain.keys.values())
    key = rng.choice(theirs) if theirs else world.keychain.standing(module_id=b"another!")
    _goes_round(world, KeyPhone(world, f"foreign {world.backend.number()}", key))


def _shared(world: "World", begins_ms: int, lasts_ms: int, **changes: object) -> None:
    owner = world.estate.own_phone()
    if owner is None:
        return
    key = world.keychain.share(owner.key, "narrow", world.heap.now + begins_ms, lasts_ms, **changes)
    _goes_round(world, KeyPhone(world, f"narrow {world.backend.number()}", key))


def narrow_key(world: "World", rng: Random) -> None:
    """A shared key that may do little, at no hour of this one, or not yet."""
    minute = world.utc_ms // MINUTE % 1440
    match rng.randrange(3):
        case 0:
            _shared(world, -MINUTE, HOUR, permissions=rng.choice((1, 4, 8, 16)))
        case 1:
            _shared(world, -MINUTE, DAY, hours=Hours((minute + 120) % 1440, (minute + 240) % 1440))
        case _:
            _shared(world, 2 * HOUR, HOUR)


def unactivated(world: "World", _: Random) -> None:
    """A shared key whose code nobody has entered."""
    code_until_s = (world.utc_ms + HOUR) // 1000
    _shared(world, -MINUTE, HOUR, activation=Activation.VEHICLE_CODE, code_until_s=code_until_s)


def older_phone(world: "World", _: Random) -> None:
    """The owner has a newer phone; the older one tries once more."""
    owner = world.estate.own_phone()
    if owner is None:
        return
    number = world.backend.number()
    newer = world.keychain.standing(device_generation=owner.key.device_generation + 1)
    phone = KeyPhone(world, f"newer owner's {number}", newer)
    world.estate.phone = phone
    world.estate.phones.append(phone)
    phone.visit(Ask.STATUS, Ask.UNLOCK)
    again = KeyPhone(world, f"older owner's {number}", owner.key)
    shared = world.keychain.share(owner.key, "of an older phone", world.heap.now - MINUTE, HOUR)
    guest = KeyPhone(world, f"older owner's guest {number}", shared)
    world.heap.after(20 * SECOND, lambda: _goes_round(world, again))
    world.heap.after(MINUTE, lambda: _goes_round(world, guest))


def many_keys(world: "World", _: Random) -> None:
    """More shared keys than anybody remembers."""
    for number in range(18):
        world.heap.after(number * 4 * SECOND, lambda: _noted(world))


def _noted(world: "World") -> None:
    owner = world.estate.own_phone()
    if owner is not None and world.calm_since < 0:
        key = world.keychain.share(owner.key, "one of many", world.heap.now - MINUTE, 20 * MINUTE, permissions=4)
        KeyPhone(world, f"one of many {world.backend.number()}", key).visit(Ask.STATUS)


KEY_ATTACKS: Final[dict[str, Mischief]] = {
    "guess_codes": guess_codes,
    "code_again": code_again,
    "stale_key": stale_key,
    "foreign_key": foreign_key,
    "old_epoch_key": _with(key_epoch=0),
    "early_key": _with(not_before_s=4_000_000_000, expires_s=4_100_000_000),
    "dealer": _with(Role.SERVICE, permissions=31),
    "narrow_key": narrow_key,
    "unactivated": unactivated,
    "older_phone": older_phone,
    "many_keys": many_keys,
}
