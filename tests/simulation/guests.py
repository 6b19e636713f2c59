"""People with a shared key, from the share to its end: honest ones, and some who enter what they should not."""

from typing import TYPE_CHECKING, Final

from firmware.core.events import CodeEntered, KeyButton, KeyDeactivated, VehicleKeyUsed
from protocol.errors import Code, Refusal
from protocol.messages import Operation as Ask
from protocol.sharing import Activation, Deletion, Key
from tests.simulation.chance import chance
from tests.simulation.faults import HOUR, MINUTE, SECOND
from tests.simulation.keychain import hours_of, print_of
from tests.simulation.phone import KeyPhone

if TYPE_CHECKING:
    from tests.simulation.script import Operation
    from tests.simulation.world import World

DANCES: Final = ("l", "u", "lu", "lu", "ul", "ul", "uul", "lul", "uull")
"""What is done with a vehicle key, one press after the other."""

AGAIN: Final = {Code.CODE_PAUSED: 1_000, Code.NOT_PARKED: 7_000, Code.STORAGE_FAILED: 5_000,
                Code.CLOCK_UNCERTAIN: 60_000}  # fmt: skip
"""After these the same code is entered again, so much later."""


class Menu:
    """The vehicle's own menu: who stands at it enters a code, or deactivates a key."""

    def __init__(self, world: "World") -> None:
        self.world = world
        self._tickets = 0
        self._entered: dict[int, tuple[str, int]] = {}

    def enter(self, digits: str, times: int = 3, *, calm: bool = False) -> None:
        """Enter a code; after a pause that was asked for, and a moment later otherwise, once more. When all trouble is
        over, only who is `calm`."""
        if self.world.calm_since >= 0 and not calm:
            return
        self._tickets += 1
        ticket = self._tickets
        self._entered[ticket] = digits, times
        self.world.device.tell(CodeEntered(print_of(digits), ticket))

    def deactivate(self, key: Key) -> None:
        """Deactivate a shared key."""
        self._tickets += 1
        self.world.device.tell(KeyDeactivated(key.token_id, self._tickets))

    def answered(self, ticket: int, refusal: Refusal | None) -> None:
        """The menu says what became of it."""
        digits, times = self._entered.pop(ticket, ("", 0))
        if refusal is None or times <= 1 or refusal.code not in AGAIN:
            return
        self.world.dense(15 * SECOND)
        wait = (refusal.number("pause_ms") or 0) + AGAIN[refusal.code]
        if wait < HOUR:
            self.world.heap.after(wait, lambda: self.enter(digits, times - 1))


class Guest:
    """One shared key, and whoever it was shared with."""

    def __init__(self, world: "World", operation: "Operation") -> None:
        permissions, hours, coded, deletion, lasts = (int(value) for value in operation.args)
        self.world = world
        self.rng = chance(world.seed, operation.number, "guest")
        owner = world.estate.own_phone()
        if owner is None:
            return
        now = world.heap.now
        code_until_s = (world.utc_ms + self.rng.choice((20 * MINUTE, 12 * HOUR))) // 1000
        self.key = world.keychain.share(
            owner.key,
            f"guest {operation.number}",
            now - MINUTE,
            lasts,
            permissions=permissions,
            hours=hours_of(hours, world.utc_ms),
            activation=Activation.VEHICLE_CODE if coded else Activation.NONE,
            code_until_s=code_until_s if coded else 0,
        )
        self.phone = KeyPhone(world, f"guest {operation.number}", self.key, online=self.rng.random() < 0.8)
        world.guests.append(self.phone)
        self._plan(coded, deletion)

    def _plan(self, coded: int, deletion: int) -> None:
        heap, rng, phone = self.world.heap, self.rng, self.phone
        at = heap.now + rng.randrange(SECOND, 5 * MINUTE)
        heap.at(at, lambda: phone.visit(Ask.STATUS, Ask.UNLOCK))
        if coded:
            at = self._activates(at + 20 * SECOND)
        for _ in range(rng.choice((1, 2, 3))):
            at += rng.choice((MINUTE, 20 * MINUTE, 3 * HOUR))
            at = self._uses(at)
        if deletion < 0:
            return
        at -= rng.choice((0, 0, 90 * SECOND))  # it may be driving
        heap.at(at, lambda: self._deleted(Deletion(deletion)))
        for press in rng.choice(DANCES):
            at += rng.choice((2 * SECOND, 30 * SECOND, 10 * MINUTE))
            heap.at(at, lambda press=press: press_key(self.world, press))  # type: ignore[misc]
            if rng.random() < 0.6:
                heap.at(at + SECOND, lambda: phone.visit(Ask.UNLOCK, Ask.LOCK))
        heap.at(at + MINUTE, lambda: phone.visit(Ask.STATUS))
        heap.at(at + 2 * MINUTE, lambda: phone.visit(Ask.UNLOCK))

    def _activates(self, at: int) -> int:
        """Enter the code in the vehicle, some after wrong ones, some twice, some never."""
        world, rng, code = self.world, self.rng, self.world.keychain.codes[self.key.token_id]
        for _ in range(rng.choice((0, 0, 0, 1, 2, 4, 6))):
            world.heap.at(at - 7 * SECOND, lambda: world.dense(20 * SECOND))
            world.heap.at(at, lambda: world.menu.enter("000000"))
            at += rng.choice((3 * SECOND, 3 * MINUTE, 61 * MINUTE))
        for _ in range(rng.choice((0, 1, 1, 1, 1, 2))):
            world.heap.at(at - 7 * SECOND, lambda: world.dense(20 * SECOND))
            world.heap.at(at, lambda: world.menu.enter(code))
            at += MINUTE
        return at

    def _uses(self, at: int) -> int:
        world, rng, phone = self.world, self.rng, self.phone
        match rng.randrange(4):
            case 0:
                world.heap.at(at, lambda: phone.visit(Ask.UNLOCK, Ask.LOCATE))
                world.heap.at(at + 20 * SECOND, lambda: phone.visit(Ask.OPEN_BOOT))
                world.heap.at(at + MINUTE, lambda: phone.visit(Ask.LOCK, Ask.OUTCOME))
                return at + MINUTE
            case 1:
                world.heap.at(at, lambda: phone.visit(Ask.OPEN_BOOT))
                world.heap.at(at + 20 * SECOND, lambda: phone.visit(Ask.KEYS))
                return at + 30 * SECOND
            case _:
                lasts, stays = rng.choice((2 * MINUTE, 15 * MINUTE)), rng.choice((0, 2 * MINUTE))
                world.heap.at(at, lambda: phone.visit(Ask.UNLOCK, Ask.ENABLE_DRIVE, stay_ms=stays))
                world.heap.at(at + 30 * SECOND, lambda: self._drives(lasts))
                last = rng.choice(((Ask.LOCK,), (Ask.DISABLE_DRIVE, Ask.LOCK), (Ask.STATUS,)))
                world.heap.at(at + 45 * SECOND + lasts, lambda: phone.visit(*last))
                return at + MINUTE + lasts

    def _drives(self, lasts_ms: int) -> None:
        if self.world.calm_since < 0:
            self.world.drive(lasts_ms, by_key=False)

    def _deleted(self, policy: Deletion) -> None:
        """The main user deletes the key; the list comes over the broker, or somebody carries it."""
        world, listed = self.world, self.world.backend.delete(self.key, policy)
        world.reach(f"deletion: {policy.name}")
        if self.rng.random() < 0.6:
            world.broker.order(listed)
        else:
            self.phone.visit(Ask.PUT, signed=listed)


def press_key(world: "World", press: str) -> None:
    """Somebody unlocks or locks with a vehicle key."""
    if world.calm_since >= 0:
        return
    button = KeyButton.UNLOCK if press == "u" else KeyButton.LOCK
    world.car.locked = button is KeyButton.LOCK
    world.device.tell(VehicleKeyUsed(button))
    world.car_changed()
    if button is KeyButton.UNLOCK:
        world.moment("half_way")
