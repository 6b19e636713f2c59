"""What must never happen, written from docs/requirements.md: with its own limits, its own memory and the true time.

It sees what goes in and what comes out, and nothing of how the core decides. Of the state it looks at the lengths of
what must be bounded, and at the floor.
"""

from typing import TYPE_CHECKING, Final, NamedTuple

from firmware.core.effects import Actuate, Answer, AnswerEnded, Effect, HangUp, Report
from firmware.core.events import (
    Action,
    ActuationFinished,
    BrokerLost,
    Event,
    KeyDeactivated,
    KeyPresented,
    OrderReceived,
    RequestReceived,
    TokenPresented,
)
from firmware.core.reports import Record
from firmware.core.state import Durable
from protocol.errors import Code, Refusal, Role
from protocol.messages import Accepted, Operation, Position
from protocol.orders import Ending, Order, OrderKind, Subscription
from protocol.telemetry import Channel, EventKind
from protocol.tokens import RevocationList
from tests.exploration import keyring
from tests.exploration.keyring import Menu, Ring
from tests.support.story_world import BASE_MS

if TYPE_CHECKING:
    from tests.exploration.life import Life

GRACE_MS: Final = 1_800_000
STILL_MS: Final = 5_000
STALE_MS: Final = 2_500
CUT_WITHIN_MS: Final = 1_000
SAVED_EVERY_MS: Final = 60_000
"""How much of its time a module without any clock may lose at a power cut."""
CLOCK_LAG_MS: Final = 2_000
IDLE_MS: Final = 600_000
UNLOCK, DRIVE, LOCK, LOCATE = 1, 2, 4, 8

_AFAR: Final = {OrderKind.UNLOCK: Action.UNLOCK, OrderKind.LOCK: Action.LOCK, OrderKind.FLASH: Action.FLASH}
_NEEDS: Final = {Action.UNLOCK: UNLOCK, Action.LOCK: LOCK, Action.RELEASE_IMMOBILISER: DRIVE}
_NEVER_TO_THE_HOLDER: Final = frozenset(
    {
        Code.BOOKING_ENDED, Code.BOOKING_CUT_OFF, Code.BOOKING_CANCELLED, Code.BOOKING_SUPERSEDED, Code.BOOKING_OVER,
        Code.NOT_YET_VALID, Code.NOT_ADMITTED, Code.VEHICLE_IN_USE, Code.CLOCK_UNCERTAIN, Code.TOKEN_REVOKED,
        Code.WRONG_KEY_EPOCH, Code.WRONG_VEHICLE, Code.SUBSCRIPTION_EXPIRED,
    }
)  # fmt: skip


class Violation(AssertionError):
    """Something that must never happen has happened."""


def _taken(effects: tuple[Effect, ...]) -> bool:
    """The order's result says whether it was taken."""
    results = [e.record for e in effects if isinstance(e, Report) and e.record.channel is Channel.ORDER_RESULT]
    return any(record.reason == "OK" for record in results)


def _closes(event: Event | None) -> bool:
    """Whether its holder asks for what arms the immobiliser, or a release that nobody confirmed is taken back."""
    if isinstance(event, RequestReceived):
        return event.request.operation in (Operation.LOCK, Operation.DISABLE_DRIVE)
    return isinstance(event, ActuationFinished) and event.action is Action.RELEASE_IMMOBILISER and not event.confirmed


class Facts(NamedTuple):
    """What is true and outlives a power cut, once it was saved."""

    holder: str | None = None
    """The phone whose booking has the car."""
    dead: frozenset[str] = frozenset()
    revoked: frozenset[str] = frozenset()
    list_number: int = 0
    doomed_since: int | None = None
    """An end was ordered, and waits for the car to park."""
    may_drive: bool = False
    """Its holder has made driving possible."""
    closing: bool = False
    """Its holder has locked the car since then."""
    stay: tuple[int, int] | None = None
    """From when to when a driver last had the car; still now: to the end of time."""
    parking_at: int | None = None
    """When the fix was taken with which that stay ended: the one position of it that may be known."""
    newest: frozenset[str] = frozenset()
    """Phones that were served: an older phone of the same user is out for ever."""
    done: frozenset[bytes] = frozenset()
    """Named commands that moved something."""
    ordered: frozenset[bytes] = frozenset()
    """Orders from afar that did."""
    subscription: Subscription | None = None
    """What the backend said last, with the highest number."""
    keys: Ring = Ring()
    """Digital keys and owners."""


def _must(condition: bool, what: str) -> None:
    if not condition:
        raise Violation(what)


class Auditor:
    """One per life, forked with it."""

    def __init__(self, keys: Ring | None = None) -> None:
        self.facts = self.kept = Facts(keys=keys or Ring())
        self.released = False
        """What the immobiliser was told last, since the module has power."""
        self.still_since: int | None = None
        self.heard_at: int | None = None
        self.fixed_at: int | None = None
        self.slack_ms = 0
        """How far the module's time may lag behind the truth, and nobody could tell it."""
        self.lied = False
        """Somebody told a wrong time that it could not know to be wrong."""
        self.unsure_ms = CLOCK_LAG_MS
        """How far the best clock may be off."""
        self.cut_at: int | None = None
        self.active_at: tuple[tuple[int, int], ...] = ()
        self.menu = Menu()
        self.taking_since: int | None = None
        """Since when a takeover goes on, with everything as it needs it."""
        self.key_over_since: int | None = None
        """Since when the key that drives is dead."""

    def fork(self) -> "Auditor":
        """The same memory for another life."""
        other = Auditor.__new__(Auditor)
        other.__dict__.update(self.__dict__)
        return other

    # ------------------------------------------------------------ what goes in
    def sampled(self, life: "Life") -> None:
        """The module hears of the car."""
        unbroken = self.heard_at is not None and life.now - self.heard_at <= STALE_MS
        still = life.ignition is False and life.speed == 0
        self.still_since = None if not still else self.still_since if unbroken and self.still_since else life.now
        self.heard_at = life.now
        self.fixed_at = self.fixed_at if life.place is None else life.now
        if not still or life.keys_present < 2:
            self.taking_since = None

    def cut(self, life: "Life") -> None:
        """The power fails: what was not saved is gone."""
        self.cut_at = life.now

    def booted(self, life: "Life", rtc_ms: int | None) -> None:
        """The power is back."""
        self.facts = self.kept
        off_ms = 0 if self.cut_at is None else life.now - self.cut_at
        if rtc_ms is None or rtc_ms < 0:
            self.slack_ms += off_ms + SAVED_EVERY_MS
        self.lied = bool(rtc_ms)
        self.released, self.still_since, self.heard_at, self.fixed_at = False, None, None, None
        self.cut_at, self.active_at = None, ()
        self.taking_since = self.key_over_since = None

    def told_time(self, wrong_s: int, nonce_age_ms: int = 0) -> None:
        """Somebody tells the time; over a nonce it is as sure as half of the time that the nonce took."""
        self.unsure_ms = max(self.unsure_ms, nonce_age_ms // 2 + CLOCK_LAG_MS)
        self.lied = self.lied or wrong_s != 0

    def parked_since(self, life: "Life") -> int | None:
        """From when on the module has had to know that the car is parked; None: it is not, or it can not know."""
        fresh = self.heard_at is not None and life.now - self.heard_at <= STALE_MS
        if not fresh or self.still_since is None or life.now - self.still_since < STILL_MS:
            return None
        return self.still_since + STILL_MS

    # ------------------------------------------------------------ what comes out
    def stepped(self, life: "Life", event: Event | None, effects: tuple[Effect, ...]) -> None:
        """After every step, before its effects are carried out. `event` None: it has just booted."""
        asking = life.phone(event.link) if isinstance(event, RequestReceived | TokenPresented | KeyPresented) else None
        if isinstance(event, RequestReceived | TokenPresented | KeyPresented):
            others = tuple(each for each in self.active_at if each[0] != event.link)
            self.active_at = (*others, (event.link, life.now))
        if asking in life.bookings:
            self._rebinds(life, asking or "")
        before = self.facts.keys
        self._keys(life, event, effects)
        for effect in effects:
            # First: who has the car after this step, whatever the order of its effects.
            if isinstance(effect, Report):
                self._reported(life, asking, effect.record)
        for effect in effects:
            match effect:
                case Actuate():
                    self._actuated(life, event, asking, effect, before)
                case Answer(link, reply):
                    self._answered(life, event, life.phone(link), reply.body)
                case AnswerEnded(link):
                    holder = life.bookings[life.phone(link) or ""].booking_id
                    _must(holder in {life.bookings[name].booking_id for name in self.facts.dead}, "ended, and not dead")
                case HangUp(link):
                    self._hung_up(life, link)
                case _:
                    pass
        if isinstance(event, OrderReceived) and _taken(effects):
            self._ordered(life, event.signed)
        self._now(life, booted=event is None)

    def _keys(self, life: "Life", event: Event | None, effects: tuple[Effect, ...]) -> None:
        """What is true of keys and owners now."""
        assert life.state is not None
        self.menu = keyring.compares(self.facts.keys, life, event, self.menu)
        if isinstance(event, BrokerLost):
            self.taking_since = None
        elif isinstance(event, OrderReceived) and isinstance(event.signed, Order) and self.taking_since is None:
            self.taking_since = life.now if event.signed.kind is OrderKind.TAKE_OVER else None
        accepted = any(isinstance(e, Answer) and isinstance(e.reply.body, Accepted) for e in effects)
        taken = accepted if isinstance(event, RequestReceived) else _taken(effects)
        signed = event.signed if taken and isinstance(event, RequestReceived | OrderReceived) else None
        old = self.facts.keys
        ring = keyring.follow(old, life, event, life.state.durable, signed)
        self.facts = self.facts._replace(keys=ring)
        if ring.epoch != old.epoch:
            self.facts = self.facts._replace(subscription=None)
        if isinstance(event, KeyDeactivated):
            gone = {name for name in ring.dead - old.dead if life.link(name) is not None}
            hung = {life.phone(effect.link) for effect in effects if isinstance(effect, HangUp)}
            _must(gone <= hung, "a deactivated key keeps its link")

    def _reported(self, life: "Life", asking: str | None, record: Record) -> None:
        if record.point is not None:
            self._may_know(record.point.utc_ms - BASE_MS, "recorded")
        if record.channel is not Channel.EVENT or not record.booking:
            return
        facts = self.facts
        match record.kind:
            case EventKind.BOOKING_STARTED:
                _must(asking is not None and asking == self._name(life, record, asking), "starts for nobody")
                assert asking is not None
                self._starts(life, asking)
            case EventKind.BOOKING_ENDED | EventKind.BOOKING_CUT_OFF:
                name = facts.holder
                _must(name is not None and life.bookings[name].booking_id.hex() == record.booking, "another one ends")
                assert name is not None
                booking = life.bookings[name]
                _must(self.parked_since(life) is not None, "taken from a car that is not surely parked")
                late_ms = life.now - (booking.ends_at_s * 1000 - BASE_MS)
                if record.kind is EventKind.BOOKING_CUT_OFF:
                    _must(self.lied or late_ms > GRACE_MS - self.unsure_ms, "cut off too early")
                if record.reason == "superseded":
                    _must(self.lied or late_ms >= -self.unsure_ms, "superseded before its end")
                stay = facts.stay if booking.role is Role.OWNER or facts.stay is None else (facts.stay[0], life.now)
                same = {n for n, b in life.bookings.items() if b.booking_id == booking.booking_id}
                self.facts = facts._replace(
                    holder=None, dead=facts.dead | same, doomed_since=None, may_drive=False, stay=stay,
                    parking_at=self.fixed_at,
                )  # fmt: skip
            case _:
                pass

    def _name(self, life: "Life", record: Record, asking: str | None) -> str | None:
        """The phone that asks, when the record is about its booking."""
        return asking if asking and life.bookings[asking].booking_id.hex() == record.booking else None

    def _starts(self, life: "Life", name: str) -> None:
        facts, booking = self.facts, life.bookings[name]
        _must(name not in facts.dead, "a dead booking revives")
        _must(name not in facts.revoked, "a revoked booking starts")
        _must(facts.holder is None, "two bookings have the car")
        self._no_newer(life, name)
        told = facts.subscription
        if told is not None:
            over = life.now >= told.sharing_until_s * 1000 - BASE_MS + self.unsure_ms + CLOCK_LAG_MS
            _must(not told.paused and (self.lied or not over), "starts without a subscription")
        begins, ends = booking.not_before_s * 1000 - BASE_MS, booking.ends_at_s * 1000 - BASE_MS
        _must(self.lied or begins <= life.now < ends, "starts outside its window")
        stay = facts.stay if booking.role is Role.OWNER else (life.now, 2**62)
        self.facts = facts._replace(
            holder=name, doomed_since=None, may_drive=False, closing=False, stay=stay, newest=facts.newest | {name}
        )

    def _rebinds(self, life: "Life", name: str) -> None:
        """ACC-11: the newer device of the user who has the car takes the booking over."""
        facts, mine = self.facts, life.bookings[name]
        running = None if facts.holder is None else life.bookings[facts.holder]
        same = running is not None and (running.booking_id, running.user) == (mine.booking_id, mine.user)
        newer = running is not None and mine.device_generation > running.device_generation
        if same and newer and name not in facts.revoked | facts.dead and not life.disk_full:
            self.facts = facts._replace(holder=name, newest=facts.newest | {name})

    def _no_newer(self, life: "Life", name: str) -> None:
        mine = life.bookings[name]
        for other in self.facts.newest:
            theirs = life.bookings[other]
            newer = theirs.user == mine.user and theirs.device_generation > mine.device_generation
            _must(not newer, "a replaced phone is served")

    def _actuated(self, life: "Life", event: Event | None, asking: str | None, effect: Actuate, before: Ring) -> None:
        """`before`: what was true of keys before this step."""
        action, facts, driver = effect.action, self.facts, before.driver
        if action is Action.ARM_IMMOBILISER:
            if self.released and facts.may_drive and (facts.holder is not None or driver is not None):
                _must(self.parked_since(life) is not None, "armed in a car that is not surely parked")
                why = facts.closing or _closes(event)
                if driver is not None:
                    why = why or bool(keyring.why_not(facts.keys, life, driver, 2)) or self.lied
                _must(why, "armed though nobody asked for it")
                self.facts = facts._replace(may_drive=False, closing=False)
            self.released = False
            return
        if event is None:
            _must(action is Action.RELEASE_IMMOBILISER, "opens or closes at boot")
            somebody = facts.holder is not None or facts.keys.driver is not None
            _must(somebody and facts.may_drive, "released at boot without a booking or a key")
            self.released = True
            return
        if isinstance(event, OrderReceived) and isinstance(event.signed, Order):
            self._from_afar(life, event.signed, effect)
            return
        if action is Action.LOCK and not effect.command_id:
            _must(asking is not None and asking in facts.dead, "locks by itself")
            return
        _must(isinstance(event, RequestReceived), f"{action.value} without a request")
        assert isinstance(event, RequestReceived)
        _must(effect.command_id == event.request.command_id, "another command")
        if asking in life.keys:
            keyring.moves((before, facts.keys), life, asking or "", event.request.operation)
        else:
            self._admitted(life, asking, _NEEDS[action], action.value)
            facts = self.facts
        _must(effect.command_id not in facts.done, "a command moves something twice")
        if effect.command_id.startswith(b"c"):
            facts = facts._replace(done=facts.done | {effect.command_id})
        if action is Action.RELEASE_IMMOBILISER:
            facts, self.released = facts._replace(may_drive=True, closing=False), True
        else:
            facts = facts._replace(closing=facts.closing or action is Action.LOCK)
        self.facts = facts

    def _from_afar(self, life: "Life", order: Order, effect: Actuate) -> None:
        """SVC-3: the order's own action, once, in time, paid for, of a parked car that no driver has."""
        facts = self.facts
        told = facts.subscription
        _must(
            _AFAR.get(order.kind) is effect.action and effect.command_id == order.order_id, "another action from afar"
        )
        _must(order.order_id not in facts.ordered, "an order moves something twice")
        _must(not self._secret(life), "moved from afar while a driver has the car")
        _must(self.lied or life.now <= order.expires_s * 1000 - BASE_MS, "a late order moves something")
        paid = told is not None and life.now < told.remote_until_s * 1000 - BASE_MS
        _must(told is not None and (self.lied or paid), "moved from afar, and nobody has paid for it")
        _must(self.parked_since(life) is not None, "moved from afar, and not surely parked")
        _must(effect.action is not Action.LOCK or not life.doors_open, "locked from afar with open doors")
        self.facts = facts._replace(ordered=facts.ordered | {order.order_id})

    def _admitted(self, life: "Life", name: str | None, needed: int, what: str) -> None:
        """Exactly the phone whose booking has the car, with this permission."""
        _must(name is not None and self.facts.holder is not None, f"{what} for nobody")
        assert name is not None
        assert self.facts.holder is not None
        mine, running = life.bookings[name], life.bookings[self.facts.holder]
        same = mine.booking_id == running.booking_id and mine.user == running.user
        _must(same and name not in self.facts.dead, f"{what} for a phone whose booking does not have the car")
        self._no_newer(life, name)
        self.facts = self.facts._replace(holder=name, newest=self.facts.newest | {name})
        _must(bool(running.permissions & needed), f"{what} without the permission")

    def _answered(self, life: "Life", event: Event | None, name: str | None, body: object) -> None:
        if name in life.keys:
            self._answered_a_key(life, event, name or "", body)
        elif isinstance(body, Position):
            self._admitted(life, name, LOCATE, "a position")
        command = isinstance(event, RequestReceived) and event.request.operation is not Operation.PUT
        if isinstance(body, Refusal) and command and name is not None and name == self.facts.holder:
            _must(body.code not in _NEVER_TO_THE_HOLDER, f"who has the car is refused with {body.code.name}")
        if isinstance(body, Accepted) and isinstance(event, RequestReceived):
            self._ordered(life, event.signed)

    def _answered_a_key(self, life: "Life", event: Event | None, name: str, body: object) -> None:
        if not isinstance(event, RequestReceived):
            return
        if isinstance(body, Position):
            keyring.moves((self.facts.keys,), life, name, Operation.LOCATE)
        elif isinstance(body, Refusal):
            keyring.refused(self.facts.keys, life, name, event.request.operation, body)

    def _ordered(self, life: "Life", signed: object) -> None:
        facts = self.facts
        if isinstance(signed, Order) and isinstance(signed.details, Ending):
            same = {n for n, b in life.bookings.items() if b.booking_id == signed.details.booking_id}
            if facts.holder in same:
                self.facts = facts._replace(doomed_since=life.now if facts.doomed_since is None else facts.doomed_since)
            else:
                self.facts = facts._replace(dead=facts.dead | same)
        if isinstance(signed, Order) and isinstance(signed.details, Subscription):
            newer = facts.subscription is None or signed.details.number > facts.subscription.number
            self.facts = facts._replace(subscription=signed.details if newer else facts.subscription)
        if isinstance(signed, RevocationList) and signed.number > facts.list_number:
            tokens = {token_id for token_id, _ in signed.revoked}
            hit = frozenset(
                name
                for name, booking in life.bookings.items()
                if booking.token_id in tokens or booking.key_epoch < signed.min_key_epoch
            )
            doomed = life.now if facts.holder in hit and facts.doomed_since is None else facts.doomed_since
            self.facts = facts._replace(revoked=hit, list_number=signed.number, doomed_since=doomed)

    def _hung_up(self, life: "Life", link: int) -> None:
        name = life.phone(link)
        if name is None or name != self.facts.holder:
            return
        since = dict(self.active_at).get(link)
        idle = since is None or life.now - since >= IDLE_MS
        _must(idle, "the link of who has the car is dropped")

    def _now(self, life: "Life", *, booted: bool) -> None:
        """What holds after every step."""
        facts, state = self.facts, life.state
        assert state is not None
        holds = facts.may_drive and (facts.holder is not None or facts.keys.driver is not None)
        _must(self.released or not (booted and holds), "a reboot takes the car away")
        _must(holds or not self.released, "released, and nobody may drive")
        parked = self.parked_since(life)
        if not keyring.over(facts.keys, life):
            self.key_over_since = None
        elif self.key_over_since is None:
            self.key_over_since = life.now
        elif parked is not None and self.released:
            due = max(parked, self.key_over_since) + CUT_WITHIN_MS
            _must(life.now <= due, "a dead key drives on in a parked car")
        if facts.holder is not None and parked is not None:
            ends = life.bookings[facts.holder].ends_at_s * 1000 - BASE_MS
            due = max(ends + GRACE_MS + 1, parked) + CUT_WITHIN_MS + self.slack_ms + CLOCK_LAG_MS * (self.slack_ms > 0)
            _must(life.now <= due, "overdue for longer than 30 minutes and parked, and not cut off")
            if facts.doomed_since is not None:
                _must(
                    life.now <= max(facts.doomed_since, parked) + CUT_WITHIN_MS, "ordered to end, parked, and not ended"
                )
        durable = state.durable
        _must(len(state.links) <= 3, "too many links")
        _must(len(durable.orders) <= 64 and len(state.said_ms) <= 10, "the memory is not bounded")
        _must(len(durable.dead) <= 256 and len(durable.executed) <= 64, "the memory is not bounded")
        _must(len(durable.devices) <= 64 and len(state.failed_handshakes_ms) <= 64, "the memory is not bounded")

    def saved(self, life: "Life", old: Durable | None, new: Durable) -> None:
        """The state goes to the disk."""
        _must(old is None or new.floor_ms >= old.floor_ms, "the floor falls")
        _must(new.floor_ms <= BASE_MS + life.now, "the floor is ahead of the time")
        settled = {(e.user, e.command_id): e.code for e in (old.executed if old else ()) if e.code is not None}
        for entry in new.executed:
            known = settled.get((entry.user, entry.command_id))
            _must(known is None or known is entry.code, "a command has two outcomes")
        self.kept = self.facts

    # ------------------------------------------------------------ positions
    def _secret(self, life: "Life") -> bool:
        holder = self.facts.holder
        return holder is not None and life.bookings[holder].role is not Role.OWNER

    def _may_know(self, fixed_at: int, what: str) -> None:
        stay = self.facts.stay
        if fixed_at == self.facts.parking_at:
            return
        _must(stay is None or not stay[0] < fixed_at < stay[1], f"a position from inside a driver's booking is {what}")

    def retained(self, life: "Life") -> None:
        """Something was published to be retained."""
        shows = b"atitude" in life.retained
        _must(not (shows and self._secret(life)), "a position is published during a driver's booking")

    def left(self, life: "Life") -> None:
        """A record with a position left."""
        _must(not self._secret(life), "a position leaves during a driver's booking")

    def delivered(self, life: "Life") -> None:
        """The broker has had everything that it can have by now."""
        _must(not (life.retained and self._secret(life)), "a position stays retained during a driver's booking")
