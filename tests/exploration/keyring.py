"""What is true of digital keys and owners in an explored life, and what must never be done with them.

Written from docs/requirements.md (KEY-1 to KEY-6, OWN-3 to OWN-5), with limits of its own: nobody gets a key but from
the owner of now, a key of an older owner opens nothing, a code works once and for its own key alone, and a deleted key
goes on until the car was unlocked and then locked with a vehicle key.
"""

from typing import TYPE_CHECKING, Final, NamedTuple

from firmware.core.events import (
    CodeEntered,
    CodeTried,
    Event,
    KeyButton,
    KeyDeactivated,
    OrderReceived,
    RequestReceived,
    VehicleKeyUsed,
)
from firmware.core.state import Durable
from protocol.errors import Code, Refusal, Role
from protocol.messages import Operation
from protocol.orders import Coupling, Order, OrderKind, Removal
from protocol.tokens import RevocationList
from tests.support.story_world import BASE_MS

if TYPE_CHECKING:
    from tests.exploration.life import Life

MOST_TRIES: Final = 5
PREPARES_MS: Final = 180_000
NEEDS: Final = {Operation.UNLOCK: 1, Operation.ENABLE_DRIVE: 2, Operation.LOCK: 4, Operation.LOCATE: 8,
                Operation.OPEN_BOOT: 16}  # fmt: skip
PAUSES_MS: Final = (0, 5_000, 30_000, 120_000, 600_000, 3_600_000)
NEVER_TO_A_GOOD_KEY: Final = frozenset(
    {Code.KEY_DELETED, Code.KEY_DEACTIVATED, Code.TOKEN_REVOKED, Code.ACTIVATION_REQUIRED, Code.CODE_DEAD,
     Code.WRONG_KEY_EPOCH, Code.NOT_COUPLED, Code.OUTSIDE_HOURS, Code.BOOKING_OVER, Code.VEHICLE_IN_USE,
     Code.KEY_LIST_FULL, Code.SHARE_INVALID}
)  # fmt: skip


class Ring(NamedTuple):
    """Keys by their names in the story. `tried`: wrong codes that were compared while a key waited; `wrong`: how many
    in a row; `half`: unlocked with a vehicle key since its deletion; `owner`: the account, empty on a bench."""

    activated: frozenset[str] = frozenset()
    tried: tuple[tuple[str, int], ...] = ()
    wrong: int = 0
    dead: frozenset[str] = frozenset()
    cycle: frozenset[str] = frozenset()
    drive: frozenset[str] = frozenset()
    half: frozenset[str] = frozenset()
    driver: str | None = None
    coupled: bool = True
    owner: bytes = b""
    epoch: int = 1
    list_number: int = 0
    known: frozenset[str] = frozenset()


class Wrong(AssertionError):
    """Something that must never happen to a key has happened."""


def must(condition: bool, what: str) -> None:
    """It holds."""
    if not condition:
        raise Wrong(what)


def first(life: "Life") -> Ring:
    """Before anything has happened."""
    return Ring(coupled=life.profile.coupled, epoch=life.profile.key_epoch)


def listed(life: "Life", durable: Durable) -> set[str]:
    """The shared keys that the module remembers. Each was granted by an owner: it stands in the story."""
    names = {held.key.token_id: name for name, held in life.keys.items()}
    for known in durable.keys:
        name = names.get(known.key.token_id)
        must(name is not None and life.keys[name or ""].key == known.key, "a key that nobody granted")
        must(known.key.role is Role.GUEST, "a key that is not shared is listed as one")
    return {names[known.key.token_id] for known in durable.keys}


# ---------------------------------------------------------------- what happens
def follow(ring: Ring, life: "Life", event: Event | None, durable: Durable, signed: object) -> Ring:
    """What is true after this has happened. `durable`: as the module has it now."""
    match event:
        case CodeTried(code):
            ring = _tried(ring, life, code, durable)
        case KeyDeactivated(token_id):
            names = {n for n, held in life.keys.items() if held.key.token_id == token_id}
            ring = ring._replace(dead=ring.dead | (names & ring.known))
        case VehicleKeyUsed(KeyButton.UNLOCK):
            ring = ring._replace(half=ring.half | ring.cycle)
        case VehicleKeyUsed(KeyButton.LOCK):
            ring = ring._replace(dead=ring.dead | (ring.half & ring.cycle))
        case _:
            pass
    if isinstance(signed, RevocationList) and signed.number > ring.list_number:
        ring = _deleted(ring, life, signed)
    ring = _owned(ring, life, event, durable)
    ring = _drives(ring, life, event, durable)
    known = ring.known if event is None else frozenset(listed(life, durable))
    return ring._replace(dead=ring.dead | (ring.drive - {ring.driver}), known=known)


def _tried(ring: Ring, life: "Life", code: bytes, durable: Durable) -> Ring:
    """KEY-4. Whether it was taken shows in what the module remembers; whether it may be, does not."""
    waiting = {name for name in listed(life, durable) if life.keys[name].code} - ring.activated - ring.dead
    right = {name for name in waiting if life.keys[name].code == code}
    active = {name for name in listed(life, durable) if _active(life, durable, name)}
    fresh = (active & {name for name, held in life.keys.items() if held.code}) - ring.activated
    tries = dict(ring.tried)
    for name in sorted(fresh):
        must(name in right, f"{name} is activated, and not with its code")
        must(tries.get(name, 0) < MOST_TRIES, f"{name} is activated after {tries.get(name, 0)} wrong codes")
        must(BASE_MS + life.now < life.keys[name].key.code_until_s * 1000 + 60_000 or life.audit.lied, "too late")
    if right:
        return ring._replace(activated=ring.activated | fresh, wrong=0 if fresh else ring.wrong)
    for name in sorted(waiting):
        tries[name] = tries.get(name, 0) + 1
        must(tries[name] <= MOST_TRIES, f"a code was compared with that of {name} {tries[name]} times")
    spent = {name for name in waiting if tries[name] >= MOST_TRIES}
    return ring._replace(tried=tuple(sorted(tries.items())), wrong=ring.wrong + 1, dead=ring.dead | spent)


def _active(life: "Life", durable: Durable, name: str) -> bool:
    return any(known.activated for known in durable.keys if known.key.token_id == life.keys[name].key.token_id)


def _deleted(ring: Ring, life: "Life", signed: RevocationList) -> Ring:
    """KEY-6: stricter, never milder."""
    names = {held.key.token_id: name for name, held in life.keys.items()}
    gone = {names[token_id] for token_id, _ in signed.revoked if token_id in names}
    guests = {name for name, held in life.keys.items() if held.parent is not None}
    gone |= {name for name in guests if life.keys[name].key.parent in {life.keys[each].key.token_id for each in gone}}
    fading = [(names[token_id], policy) for token_id, policy, _ in signed.fading if token_id in names]
    cycle = {name for name, policy in fading if policy == 1} - ring.cycle
    drive = {name for name, policy in fading if policy == 2}
    return ring._replace(
        list_number=signed.number, dead=ring.dead | gone, cycle=ring.cycle | cycle, drive=ring.drive | drive
    )


def _owned(ring: Ring, life: "Life", event: Event | None, durable: Durable) -> Ring:
    """OWN-3 to OWN-5: by the order of the one, all at once; or after three minutes of everything being as it must."""
    said = durable.ownership
    if (said.coupled, said.owner) == (ring.coupled, ring.owner):
        must(durable.key_epoch >= ring.epoch, "the keys' epoch falls")
        return ring._replace(epoch=durable.key_epoch)
    signed = event.signed if isinstance(event, OrderReceived) and isinstance(event.signed, Order) else None
    if not said.coupled:
        order = signed is not None and signed.kind is OrderKind.REMOVE_OWNER and isinstance(signed.details, Removal)
        must(order, "nobody gave the car up")
        assert signed is not None
        assert isinstance(signed.details, Removal)
        must(ring.owner in (b"", signed.details.owner), "somebody else gave the car up")
        must(life.audit.facts.holder is None and ring.driver is None, "given up while somebody has it")
    elif not ring.coupled:
        told = None if signed is None or signed.kind is not OrderKind.COUPLE else signed.details
        must(isinstance(told, Coupling), "coupled by nobody")
        assert isinstance(told, Coupling)
        vin = life.profile.vehicle.vin or told.vin
        must(told.owner == said.owner and told.vin == vin, "another owner or car was coupled")
        return ring._replace(coupled=True, owner=said.owner, epoch=durable.key_epoch)
    else:
        begun = life.audit.taking_since
        must(begun is not None and life.now - begun >= PREPARES_MS, "taken over before its time")
        must(life.broker != "down" and life.keys_present >= 2, "taken over without a connection or both keys")
        must(life.audit.parked_since(life) is not None, "taken over while it moves")
    must(durable.key_epoch == ring.epoch + 1, "the keys of the old owner live on")
    left = (durable.keys, durable.deletions, durable.drivers, durable.driver_key, durable.slot.point)
    must(not any(left) and not durable.trip.running and not durable.drive_enabled, "something of the old owner is left")
    return Ring(
        dead=ring.dead, coupled=said.coupled, owner=said.owner, epoch=durable.key_epoch, list_number=ring.list_number
    )


def _drives(ring: Ring, life: "Life", event: Event | None, durable: Durable) -> Ring:
    driver = durable.driver_key
    name = None if driver is None else next(n for n, held in life.keys.items() if held.key.token_id == driver.token_id)
    if name is not None and name != ring.driver and event is not None:
        must(isinstance(event, RequestReceived), f"{name} drives and has not asked for it")
        assert isinstance(event, RequestReceived)
        asks = event.request.operation is Operation.ENABLE_DRIVE and life.phone(event.link) == name
        must(asks, f"{name} drives and has not asked for it")
    return ring._replace(driver=name)


# ---------------------------------------------------------------- what may be
def why_not(ring: Ring, life: "Life", name: str, needed: int) -> str:
    """Why this key must be refused now, for certain; empty: it may be good."""
    held, audit = life.keys[name], life.audit
    key, now = held.key, BASE_MS + life.now
    holder = audit.facts.holder
    other = holder is not None and life.bookings[holder].user != key.user
    parents = {n for n, each in life.keys.items() if each.key.token_id == key.parent}
    shared = bool(key.parent)
    reasons = (
        (not ring.coupled, "nobody owns the car"),
        (key.key_epoch != ring.epoch, "it is of an older owner"),
        (shared and (held.parent is None or held.parent.role is not Role.OWNER), "it was shared by no owner"),
        (shared and bool(key.permissions & ~(held.parent or key).permissions), "it may more than its parent"),
        (name in ring.dead or bool(parents & ring.dead), "it is dead"),
        (name in ring.drive and ring.driver != name, "its last drive is over"),
        (bool(held.code) and name not in ring.activated, "its code was not entered"),
        (other, "somebody else's booking runs"),
        (bool(needed) and not key.permissions & needed, "it lacks the permission"),
        (not audit.lied and now < key.not_before_s * 1000, "it is not valid yet"),
        (not audit.lied and now >= key.expires_s * 1000 + audit.unsure_ms + audit.slack_ms, "it has expired"),
    )
    return next((reason for holds, reason in reasons if holds), "")


def moves(rings: tuple[Ring, ...], life: "Life", name: str, operation: Operation) -> None:
    """Something is opened, released, locked or shown for this key. `rings`: what was true before, and is: a key that
    locks after its last drive dies of it."""
    reasons = [why_not(ring, life, name, NEEDS.get(operation, 0)) for ring in rings]
    must(not all(reasons), f"{operation.name} by {name}, though {reasons[0]}")


def refused(ring: Ring, life: "Life", name: str, operation: Operation, refusal: Refusal) -> None:
    """A good key is refused for reasons of the car's only."""
    if refusal.code not in NEVER_TO_A_GOOD_KEY or name in ring.drive or life.audit.lied:
        return
    key, now = life.keys[name].key, BASE_MS + life.now
    inside = key.not_before_s * 1000 + life.audit.slack_ms + 60_000 < now < key.expires_s * 1000 - 60_000
    if inside and key.hours is None and not why_not(ring, life, name, NEEDS.get(operation, 0)):
        tried = life.keys[name].code and dict(ring.tried).get(name, 0)
        must(bool(tried), f"{name} is refused {operation.name} with {refusal.code.name}, and is good")


def over(ring: Ring, life: "Life") -> bool:
    """Whether the key that drives is dead: then it loses the engine once the car is parked."""
    return ring.driver is not None and bool(why_not(ring, life, ring.driver, 2))


class Menu(NamedTuple):
    """When codes were compared: `wrong_at` the last wrong one, or the boot."""

    wrong_at: int = 0
    entered: bool = False


def compares(ring: Ring, life: "Life", event: Event | None, menu: Menu) -> Menu:
    """KEY-4: only in a parked car, and not before the pause after the last wrong one is over."""
    match event:
        case None:
            return Menu(life.now)
        case CodeEntered():
            return menu._replace(entered=life.audit.parked_since(life) is not None)
        case CodeTried():
            must(menu.entered, "a code is compared that was not entered in a parked car")
            pause = PAUSES_MS[min(ring.wrong, len(PAUSES_MS) - 1)]
            must(ring.wrong == 0 or life.now - menu.wrong_at >= pause, "a code is compared before the pause is over")
            return Menu(life.now)
        case _:
            return menu
