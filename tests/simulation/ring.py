"""What is true of digital keys: who was tried, activated, deleted, and who is dead (KEY-3 to KEY-6).

A value, so that what never became durable can be taken back. It is told by what happened, not by what the module
thinks of it: the words and numbers are those of docs/requirements.md.
"""

from typing import TYPE_CHECKING, Final, NamedTuple

from firmware.core.events import (
    CodeTried,
    Event,
    KeyButton,
    KeyDeactivated,
    OrderReceived,
    RequestReceived,
    VehicleKeyUsed,
)
from firmware.core.state import Durable
from protocol.sharing import Key
from protocol.tokens import RevocationList

if TYPE_CHECKING:
    from tests.simulation.world import World

MOST_TRIES: Final = 5
AT_ONCE, UNTIL_KEY_CYCLE, AFTER_LAST_DRIVE = 0, 1, 2
TWO_DAYS_MS: Final = 172_800_000
MILDEST_FIRST: Final = (UNTIL_KEY_CYCLE, AFTER_LAST_DRIVE, AT_ONCE)


class Fate(NamedTuple):
    """What has become of one key. `tries`: comparisons that it failed; `activated`: its code was
    right, `surely` in time for every clock; `deletion`: None, or a policy of 1 or 2;
    `ends_utc_ms`: between which true times the two days after its deletion are over for the module; `unlocked`: of the
    key cycle the first half has happened."""

    tries: int = 0
    activated: bool = False
    surely: bool = False
    dead: bool = False
    deletion: int | None = None
    ends_utc_ms: tuple[int, int] = (0, 0)
    unlocked: bool = False


class Ring(NamedTuple):
    """All keys of one module. `waiting`: shares that were accepted, by token; `driver`: the key that drives;
    `wrong`: codes that were tried since one was right."""

    fates: dict[bytes, Fate] = {}  # noqa: RUF012 (never changed in place)
    list_number: int = 0
    waiting: frozenset[bytes] = frozenset()
    driver: Key | None = None
    wrong: int = 0

    def fate(self, token_id: bytes) -> Fate:
        """What has become of it."""
        return self.fates.get(token_id, Fate())

    def doomed(self, token_id: bytes, **changes: object) -> "Ring":
        """The same with another fate of one key."""
        fate = self.fate(token_id)._replace(**changes)  # type: ignore[arg-type]
        return self._replace(fates={**self.fates, token_id: fate})


def follow(ring: Ring, event: Event | None, durable: Durable, world: "World") -> Ring:
    """The ring after this has happened, and was taken down as `durable`."""
    match event:
        case CodeTried(code):
            ring = _tried(ring, code, world)
        case KeyDeactivated(token_id):
            ring = ring.doomed(token_id, dead=True)
        case OrderReceived(RevocationList() as listed) | RequestReceived(_, _, RevocationList() as listed):
            ring = _listed(ring, listed, world)
        case VehicleKeyUsed(button):
            ring = _key_used(ring, button)
        case _:
            pass
    driver = durable.driver_key
    if driver is not ring.driver:
        ring = ring._replace(driver=driver)
    return _over(ring)


def _tried(ring: Ring, code: bytes, world: "World") -> Ring:
    """KEY-4: the code is compared with that of every share that waits."""
    keychain = world.keychain
    hit = [token_id for token_id in still_waiting(ring, world, surely=False) if keychain.prints[token_id] == code]
    clock = world.auditor.clock
    for token_id in hit:
        left_ms = keychain.keys[token_id].code_until_s * 1000 - world.utc_ms
        if left_ms > -clock.late_ms():
            surely = clock.told and left_ms > clock.early_ms() + clock.late_ms()
            return ring.doomed(token_id, activated=True, surely=surely)._replace(wrong=0)
    if hit:
        return ring
    for token_id in still_waiting(ring, world):
        tries = ring.fate(token_id).tries + 1
        ring = ring.doomed(token_id, tries=tries, dead=tries >= MOST_TRIES)
    return ring._replace(wrong=ring.wrong + 1)


def still_waiting(ring: Ring, world: "World", *, surely: bool = True) -> list[bytes]:
    """The shares that wait for their code, and have not expired: surely, or for all that anybody knows."""
    clock = world.auditor.clock
    now_s = (world.utc_ms + (clock.early_ms() if surely else -clock.late_ms())) // 1000
    keychain, found = world.keychain, []
    for token_id in sorted(ring.waiting & keychain.prints.keys()):
        fate = ring.fate(token_id)
        if not (fate.activated or fate.dead) and now_s < keychain.keys[token_id].expires_s:
            found.append(token_id)
    return found


def _listed(ring: Ring, listed: RevocationList, world: "World") -> Ring:
    """KEY-6: deletions by the main user, as a newer list tells them. They only get stricter."""
    if listed.number <= ring.list_number:
        return ring
    ring = ring._replace(list_number=listed.number)
    for token_id, _ in listed.revoked:
        ring = ring.doomed(token_id, dead=True)
    clock, now = world.auditor.clock, world.utc_ms + TWO_DAYS_MS
    for token_id, policy, _ in listed.fading:
        known = ring.fate(token_id).deletion
        if known is None or MILDEST_FIRST.index(policy) > MILDEST_FIRST.index(known):
            ends = (now - clock.late_ms(), now + clock.early_ms())
            ring = ring.doomed(token_id, deletion=policy, ends_utc_ms=ends, unlocked=False)
    return ring


def _key_used(ring: Ring, button: KeyButton) -> Ring:
    """KEY-6: unlocked, and then locked, with a vehicle key."""
    for token_id, fate in ring.fates.items():
        if fate.deletion != UNTIL_KEY_CYCLE or fate.dead:
            continue
        if button is KeyButton.UNLOCK:
            ring = ring.doomed(token_id, unlocked=True)
        elif fate.unlocked:
            ring = ring.doomed(token_id, dead=True)
    return ring


def _over(ring: Ring) -> Ring:
    """After its last drive: at once when it does not drive."""
    for token_id, fate in ring.fates.items():
        if fate.deletion == AFTER_LAST_DRIVE and not fate.dead:
            drives = ring.driver is not None and ring.driver.token_id == token_id
            if not drives:
                ring = ring.doomed(token_id, dead=True)
    return ring
