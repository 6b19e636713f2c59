"""The auditor of digital keys, from docs/requirements.md and the truth alone (KEY-1 to KEY-9, ACC-3, ACC-11).

What a key may do is asked anew for everything that it does. Some of it nobody can know to the second: then the module
may say yes or no. Where it must say no, it must not move a thing; where it must say yes, it may only refuse for
reasons of the car's.
"""

from typing import TYPE_CHECKING, Final, NamedTuple

from firmware.core.effects import Actuate, AnswerMenu, Effect, HangUp, TryCode
from firmware.core.events import (
    Action,
    CodeEntered,
    Event,
    KeyDeactivated,
    KeyPresented,
    LinkLost,
    LinkOpened,
    TokenPresented,
)
from firmware.core.state import Durable, State
from protocol.errors import Code, Refusal, Role
from protocol.messages import Operation
from protocol.sharing import Activation, Hours, Key
from protocol.tokens import Booking
from tests.simulation.ring import MOST_TRIES, Fate, Ring, follow, still_waiting

if TYPE_CHECKING:
    from tests.simulation.auditor import Auditor

NEEDS: Final = {Operation.UNLOCK: 1, Operation.ENABLE_DRIVE: 2, Operation.DISABLE_DRIVE: 2, Operation.LOCK: 4,
                Operation.LOCATE: 8, Operation.OPEN_BOOT: 16}  # fmt: skip
ACTION_OF: Final = {Operation.UNLOCK: Action.UNLOCK, Operation.ENABLE_DRIVE: Action.RELEASE_IMMOBILISER,
                    Operation.LOCK: Action.LOCK, Operation.DISABLE_DRIVE: Action.ARM_IMMOBILISER,
                    Operation.OPEN_BOOT: Action.OPEN_BOOT}  # fmt: skip
PERMITS: Final = (Operation.UNLOCK, Operation.ENABLE_DRIVE, Operation.OPEN_BOOT)
PAUSES_MS: Final = (0, 5_000, 30_000, 120_000, 600_000, 3_600_000)
"""KEY-4: how long after so many wrong codes."""
REASONS_OF_THE_CAR: Final = frozenset(
    {Code.BUSY, Code.STORAGE_FAILED, Code.VEHICLE_NO_RESPONSE, Code.COMMAND_ID_REUSED, Code.NOT_PARKED,
     Code.DOORS_OPEN, Code.POSITION_UNKNOWN, Code.OUTCOME_UNKNOWN, Code.NONCE_UNKNOWN, Code.CLOCK_UNCERTAIN,
     Code.ORDER_LATE, Code.ORDER_UNSUPPORTED, Code.LIST_OUTDATED, Code.ROLE_REQUIRED, Code.UNKNOWN_OPERATION,
     Code.NOT_CONNECTED}
)  # fmt: skip
DAY_MIN: Final = 1440


class Verdict(NamedTuple):
    """`no`: why it must be refused for certain, else empty; `unsure`: nobody can know."""

    no: str
    unsure: bool


def _inside(hours: Hours, utc_ms: int) -> bool:
    minute = utc_ms // 60_000 % DAY_MIN
    if hours.from_min <= hours.to_min:
        return hours.from_min <= minute < hours.to_min
    return minute >= hours.from_min or minute < hours.to_min


def _newer(known: dict[tuple[bytes, int], int], key: Key | Booking) -> None:
    who = key.user, key.key_epoch
    known[who] = max(known.get(who, 0), key.device_generation)


class Locksmith:
    """Looks at every key of one module."""

    def __init__(self, auditor: "Auditor") -> None:
        self.auditor = auditor
        self.ram = Ring()
        self.disk = Ring()
        self.sessions: dict[int, Key] = {}
        """Which key each link has truly authenticated with."""
        self.event: Event | None = None
        """What has been told and not been taken down yet."""
        self.entered: dict[int, bool] = {}
        """Codes that were entered, by ticket: whether the car was parked then."""
        self.compared: dict[bytes, int] = {}
        """How often a wrong code was compared with that of a share. No power cut takes it back."""
        self.wrong_at = 0
        """When a wrong code was compared last, or when the module booted since (its own time)."""
        self.seen: dict[tuple[bytes, int], int] = {}
        self.served: dict[tuple[bytes, int], int] = {}
        """Of each owner, with keys of an epoch, the newest phone that has come to the car, and the newest served."""
        self.forgotten: set[bytes] = set()
        """Keys that were here before the card was replaced: they may have to be activated once more."""
        self.ended_at: int | None = None
        """Since when the key that drives must be refused."""

    # ------------------------------------------------------------ what the module is told
    def hears(self, event: Event) -> None:
        """A fact is about to be told."""
        self.event = event
        match event:
            case KeyPresented(link, key):
                self.sessions[link] = key
                _newer(self.seen, key)
                self.auditor.sessions.pop(link, None)
                self.auditor.failed.discard(link)
            case TokenPresented(link, booking):
                _newer(self.seen, booking)
                self.sessions.pop(link, None)
            case LinkLost(link) | LinkOpened(link):
                self.sessions.pop(link, None)
            case CodeEntered(_, ticket):
                self.entered[ticket] = self.auditor.parked_for() >= 5_000 and not self.auditor.moving
            case _:
                pass

    def booting(self) -> None:
        """Whatever was not durable is gone."""
        self.sessions.clear()
        self.entered.clear()
        self.event, self.wrong_at, self.ended_at = None, 0, None

    def power_lost(self) -> None:
        """What was not durable is gone."""
        self.ram = self.disk

    def card_replaced(self, stored: Durable) -> None:
        """Another card, or an older state of it: what a key had been through may be forgotten, what is dead not. A key
        that drove goes on to drive where the older state knows it, and no other one."""
        driver = self.disk.driver if stored.driver_key == self.disk.driver else None
        fates = {token_id: fate._replace(tries=0) for token_id, fate in self.disk.fates.items()}
        self.disk = self.disk._replace(fates=fates, driver=driver, waiting=frozenset(), wrong=0)
        self.ram = self.disk
        self.compared.clear()
        self.forgotten |= self.auditor.world.keychain.keys.keys()

    # ------------------------------------------------------------ each step
    def committed(self, durable: Durable) -> None:
        """The disk has it."""
        self.disk = self._next(durable)
        self._listed(self.disk, durable)

    def _next(self, durable: Durable) -> Ring:
        ring = follow(self.ram, self.event, durable, self.auditor.world)
        waiting = frozenset(known.key.token_id for known in durable.keys)
        return ring if waiting == ring.waiting else ring._replace(waiting=waiting)

    def _noted(self, durable: Durable, before: Durable) -> None:
        """A share that is noted for the first time, from a phone that was not replaced."""
        old = {known.key.token_id for known in before.keys}
        for known in durable.keys:
            if known.key.token_id not in old and self._older(self.served, known.key):
                self.auditor.fail("a_replaced_phone_shares", known.key.name)

    def adopted(self, event: Event, before: State | None, state: State, effects: tuple[Effect, ...]) -> None:
        """The module has decided."""
        self.event = event
        old, self.ram = self.ram, self._next(state.durable)
        self.event = None
        if before is None or state.durable.keys is not before.durable.keys:
            self._listed(self.ram, state.durable)
            if before is not None:
                self._noted(state.durable, before.durable)
        if self.ram.driver is not old.driver:
            self._drives(old, self.ram)
        if self.ram.wrong > old.wrong:
            self._wrong(old, self.ram)
        if isinstance(event, KeyDeactivated):
            self._hung_up(event.token_id, effects)
        self._goes_on()

    def _listed(self, ring: Ring, durable: Durable) -> None:
        """What the module remembers of shares has a reason."""
        fail = self.auditor.fail
        if len(durable.keys) > 16 or len(durable.dead_keys) > 128:
            fail("unbounded", "remembered keys outgrow their limit")
        for known in durable.keys:
            token = known.key.token_id
            if self.auditor.world.keychain.keys.get(token) != known.key or known.key.role is not Role.GUEST:
                fail("key_invented", f"{known.key.name} was never shared like that")
            fate = ring.fate(token)
            if known.activated and known.key.activation is Activation.VEHICLE_CODE and not fate.activated:
                fail("activated_without_its_code", known.key.name)
            if known.tries < fate.tries and not known.activated:
                fail("tries_forgotten", f"{known.tries} of {fate.tries}")

    def _wrong(self, old: Ring, new: Ring) -> None:
        """A wrong code was compared. How often cannot be taken back by cutting the power (KEY-4)."""
        self.wrong_at = self.auditor.world.device.mono
        for token_id, fate in new.fates.items():
            if fate.tries > old.fate(token_id).tries:
                self.compared[token_id] = self.compared.get(token_id, 0) + 1
                if self.compared[token_id] > MOST_TRIES:
                    self.auditor.fail("code_tried_too_often", f"{self.compared[token_id]} times")

    def _drives(self, old: Ring, new: Ring) -> None:
        self.ended_at = None
        cause, key = self.auditor.cause, new.driver
        if key is None or (old.driver is not None and old.driver.token_id == key.token_id):
            return
        mine = None if cause is None else self.sessions.get(cause.link)
        if cause is None or mine != key or cause.request.operation is not Operation.ENABLE_DRIVE:
            self.auditor.fail("drives_without_asking", key.name or key.role.name)

    def _hung_up(self, token_id: bytes, effects: tuple[Effect, ...]) -> None:
        """KEY-6: in mid-connection too."""
        there = {link.id for link in self.auditor.world.device.state.links}
        held = {link for link, key in self.sessions.items() if key.token_id == token_id} & there
        kept = held - self.auditor.hung_up - {effect.link for effect in effects if isinstance(effect, HangUp)}
        if kept:
            self.auditor.fail("link_kept_after_deactivation", f"links {kept}")

    def _goes_on(self) -> None:
        """A key that is over while it drives loses the engine once the car is parked: never before, and not later."""
        key, auditor = self.ram.driver, self.auditor
        if key is None:
            return
        if self._over(key):
            self.ended_at = auditor.world.heap.now if self.ended_at is None else self.ended_at
        else:
            self.ended_at = None
            return
        parked = auditor.parked_for()
        since = auditor.world.heap.now - self.ended_at
        if auditor.ram.released and parked >= 5_000 and min(since, parked - 5_000) > 1_000:
            auditor.fail("a_dead_key_drives_on", f"parked for {parked} ms, over for {since} ms")

    def _over(self, key: Key) -> bool:
        """Whether it is over, for certain: dead, deleted, expired or out of its hours."""
        fate, now = self.ram.fate(key.token_id), self.auditor.world.utc_ms
        late = self.auditor.clock.late_ms()
        parent = self.ram.fate(key.parent) if key.parent else Fate()
        two_days = fate.deletion == 2 and now >= fate.ends_utc_ms[1] + late
        return fate.dead or parent.dead or two_days or now - late >= key.expires_s * 1000

    # ------------------------------------------------------------ what a key may
    def verdict(self, key: Key, needed: int) -> Verdict:
        """Whether it must be refused now, and whether anybody can know. `needed`: the permission's bit, or 0."""
        auditor = self.auditor
        world, realm, clock = auditor.world, auditor.deeds.ram, auditor.clock
        now, early, late = world.utc_ms, auditor.clock.early_ms(), auditor.clock.late_ms()
        fate, parent = self.ram.fate(key.token_id), self.ram.fate(key.parent or b"-")
        running = auditor.ram.booking
        foreign = running is not None and running.user != key.user and key.role is not Role.SERVICE
        waits = key.activation is Activation.VEHICLE_CODE and not fate.activated
        drives = self.ram.driver is not None and self.ram.driver.token_id == key.token_id
        faded = fate.deletion == 2 and (not drives or now >= fate.ends_utc_ms[1] + late)
        digital = world.device.profile.vehicle.digital_keys
        certain = (
            (key.module_id != world.device.profile.module_id, "for another car"),
            (key.role is not Role.SERVICE and not digital, "for a car that takes no digital keys"),
            (key.role is not Role.SERVICE and not realm.coupled, "for a car that nobody owns"),
            (key.key_epoch != realm.epoch, "for older keys of the car"),
            (world.keychain.account.get(key.token_id) not in (b"", realm.owner), "of another owner"),
            (fate.dead or faded, "that is dead"),
            (parent.dead, "whose main user's key is dead"),
            (not key.parent and self._older(self.served, key), "of an older phone"),
            (not clock.told, "before anybody has said the time"),
            (now + early < key.not_before_s * 1000, "that is not valid yet"),
            (now - late >= key.expires_s * 1000, "that has expired"),
            (waits, "that was not activated"),
            (not self._ever_inside(key.hours, now - late, now + early), "out of its hours"),
            (foreign, "while somebody else's booking runs"),
            (bool(needed) and not key.permissions & needed, "without the permission"),
            (key.role is Role.SERVICE and bool(needed), "of a dealer"),
        )
        no = next((reason for holds, reason in certain if holds), "")
        unsure = (
            not key.not_before_s * 1000 + late <= now < key.expires_s * 1000 - early
            or not self._always_inside(key.hours, now - late, now + early)
            or fate.deletion == 2
            or self._older(self.seen, key)
            or running is not None
            or key.token_id in self.forgotten
            or (key.activation is Activation.VEHICLE_CODE and (not fate.surely or self._tried_more_often(key)))
        )
        return Verdict(no, unsure)

    def _older(self, known: dict[tuple[bytes, int], int], key: Key) -> bool:
        """Whether its owner, or that of the key that it was shared from, has a newer phone."""
        own = self.auditor.world.keychain.keys.get(key.parent, key)
        return known.get((own.user, own.key_epoch), 0) > own.device_generation

    def _tried_more_often(self, key: Key) -> bool:
        """A try that was counted, and the power failed before it was compared."""
        durable = self.auditor.world.device.state.durable
        return any(k.token_id == key.token_id for k in durable.dead_keys) and not self.ram.fate(key.token_id).activated

    @staticmethod
    def _ever_inside(hours: Hours | None, first_ms: int, last_ms: int) -> bool:
        if hours is None or last_ms - first_ms >= DAY_MIN * 60_000:
            return True
        return any(_inside(hours, at) for at in (*range(first_ms, last_ms, 60_000), last_ms))

    @staticmethod
    def _always_inside(hours: Hours | None, first_ms: int, last_ms: int) -> bool:
        if hours is None or last_ms - first_ms >= DAY_MIN * 60_000:
            return hours is None
        return all(_inside(hours, at) for at in (*range(first_ms, last_ms, 60_000), last_ms))

    def gives(self, effect: Actuate, operation: Operation, link: int) -> None:
        """An action that a key has asked for: unlock, release, lock, arm, open the boot."""
        auditor, key, what = self.auditor, self.sessions[link], effect.action.value
        verdict = self.verdict(key, NEEDS.get(operation, 0))
        if verdict.no:
            auditor.fail("moved_by_a_bad_key", f"{what} by a key {verdict.no}")
        if ACTION_OF.get(operation) is not effect.action and effect.action is not Action.ARM_IMMOBILISER:
            auditor.fail("another_action", f"{what} for {operation.name}")
        auditor.world.reach(f"key: {operation.name}")
        if operation in PERMITS:
            _newer(self.served, key)
        if effect.command_id:
            auditor.once(key.user, effect.command_id, what, durable=operation in PERMITS)

    def holds(self, link: int, needed: int = 0) -> bool:
        """Whether a key's link may be told that it has access, or be shown something."""
        key = self.sessions.get(link)
        return key is not None and not self.verdict(key, needed).no

    def reason(self, link: int) -> str:
        """Why a link's key is no good, for the telling."""
        return f": with a key {self.verdict(self.sessions[link], 0).no}" if link in self.sessions else ""

    def refused(self, link: int, refusal: Refusal) -> None:
        """What must be granted is refused for reasons of the car's only."""
        key, cause = self.sessions.get(link), self.auditor.cause
        if key is None or refusal.code in REASONS_OF_THE_CAR:
            return
        needed = 0 if cause is None or cause.link != link else NEEDS.get(cause.request.operation, 0)
        verdict = self.verdict(key, needed)
        if not verdict.no and not verdict.unsure and key.role is not Role.SERVICE:
            full = refusal.code is Code.KEY_LIST_FULL and len(self.ram.waiting) >= 16
            if not full:
                self.auditor.fail("refused_a_good_key", f"{refusal.code.name} for {key.name or key.role.name}")
        self.auditor.world.reach("key: refused")

    # ------------------------------------------------------------ codes
    def tries(self, effect: TryCode) -> None:
        """A code is about to be compared: the try must be on the disk (KEY-4)."""
        auditor, mono = self.auditor, self.auditor.world.device.mono
        if not self.entered.get(effect.ticket, False):
            auditor.fail("code_taken_in_a_moving_car", "or one that nobody entered")
        pause = PAUSES_MS[min(self.ram.wrong, len(PAUSES_MS) - 1)]
        if self.ram.wrong and mono - self.wrong_at < pause:
            auditor.fail("code_taken_too_soon", f"{mono - self.wrong_at} ms after the {self.ram.wrong}. wrong one")
        disk = auditor.world.device.disk.durable
        kept = {} if disk is None else {known.key.token_id: known.tries for known in disk.keys}
        for token_id in still_waiting(self.ram, auditor.world):
            fate = self.ram.fate(token_id)
            if kept.get(token_id, MOST_TRIES) <= fate.tries:
                auditor.fail("try_not_durable", f"{kept.get(token_id, 0)} on the disk, {fate.tries} before")

    def answered_at_the_menu(self, effect: AnswerMenu) -> None:
        """The menu says what became of it."""
        if effect.refusal is not None:
            self.auditor.reasons(effect.refusal)
