"""The world of a story: one module with its car, phones, disk and broker, in true time.

The car is sampled every second, deadlines are kept as the pump keeps them, the actuators work, and the courier
delivers what the core lets leave. Around every single step stands what must hold in every story (`_never`). What
the lines of a story mean is in `story`.
"""

import re
from datetime import UTC, datetime
from typing import NamedTuple

import msgspec

from firmware.core import clock, module, reporting, sim
from firmware.core.access import access, granted
from firmware.core.effects import (
    Actuate,
    Answer,
    AnswerEnded,
    AnswerMenu,
    AnswerTested,
    Effect,
    HangUp,
    Persist,
    Report,
    Say,
    Tell,
    TryCode,
)
from firmware.core.events import (
    Action,
    ActuationFinished,
    BrokerConnected,
    BrokerLost,
    CodeTried,
    Event,
    Fix,
    HandshakeBegun,
    KeyPresented,
    LinkLost,
    LinkOpened,
    OrderReceived,
    PositionSlotAcknowledged,
    RequestReceived,
    StorageFailed,
    Ticked,
    TimeOffered,
    TimeSource,
    TokenPresented,
    VehicleSampled,
)
from firmware.core.reporting import Message
from firmware.core.reports import Record
from firmware.core.state import KEYS_KEPT, Durable, Profile, State
from protocol import selftest
from protocol.errors import Code, Refusal, Role
from protocol.messages import Access, Body, Nonce, Operation, Permission, Push, Request, SelfTested
from protocol.orders import Ending, Order, OrderKind
from protocol.sharing import Key
from protocol.telemetry import Channel
from protocol.tokens import Booking, EndReceipt, RevocationList, TimeAttestation
from tests.support.interface import watch

HOUR_MS = 3_600_000
LONG_MS = 7 * 24 * HOUR_MS
BASE_MS = int(datetime(2026, 11, 2, tzinfo=UTC).timestamp() * 1000)
MODULE_ID = bytes.fromhex("5b0e000000000001")
HOME = (481_371_540, 115_761_240)
FAR_AWAY = (482_000_000, 116_500_000)
ALL = int(Permission.UNLOCK | Permission.DRIVE | Permission.LOCK | Permission.LOCATE)
DENSE_MS = 4 * 3600 * 1000
"""In longer gaps between two lines the car is only looked at in the first five and the last ten seconds; in between
only deadlines are kept, and the module hears nothing of the car."""
SPARSE_MS = 20_000
"""The same for stories of a whole day that are played many times."""

OPERATIONS = {
    "unlock": Operation.UNLOCK,
    "lock": Operation.LOCK,
    "drive": Operation.ENABLE_DRIVE,
    "undrive": Operation.DISABLE_DRIVE,
    "end": Operation.END_BOOKING,
    "status": Operation.STATUS,
    "locate": Operation.LOCATE,
    "nonce": Operation.GET_NONCE,
    "outcome": Operation.OUTCOME,
    "boot": Operation.OPEN_BOOT,
    "keys": Operation.KEYS,
    "test": Operation.SELF_TEST,
}
MOVES = (Action.UNLOCK, Action.RELEASE_IMMOBILISER, Action.OPEN_BOOT)
Signed = Order | RevocationList | TimeAttestation
TIME = re.compile(r"(?:D(\d+) )?(\d\d):(\d\d):(\d\d)(?:\.(\d{3}))?")


def milliseconds(text: str) -> int:
    """`12:30:00.001` or `D3 08:00:00` as ms after BASE."""
    match = TIME.fullmatch(text.strip())
    assert match is not None, f"not a time: {text!r}"
    day, hour, minute, second, ms = (int(part or 0) for part in match.groups())
    return (((day * 24 + hour) * 60 + minute) * 60 + second) * 1000 + ms


def make_booking(name: str, role: Role, begins: str, ends: str, **changes: object) -> Booking:
    """A booking whose identifiers are made of its name."""
    begins_s, ends_s = (int((BASE_MS + milliseconds(at)) / 1000) for at in (begins, ends))
    booking = Booking(
        token_id=token_id_of(name),
        not_before_s=begins_s,
        ends_at_s=ends_s,
        expires_s=ends_s + 1800,
        issued_s=begins_s - 86_400,
        module_id=MODULE_ID,
        booking_id=name.encode().ljust(16, b"b"),
        role=role,
        permissions=ALL,
        key_epoch=1,
        user=name.encode().ljust(8, b"u"),
        delegation_depth=0,
        device_generation=1,
        holder=b"\x02" + name.encode().ljust(32, b"h"),
    )
    return msgspec.structs.replace(booking, **changes)


def token_id_of(name: str) -> bytes:
    """The token of the booking called `name`."""
    return name.encode().ljust(16, b"t")


class Held(NamedTuple):
    """What a phone authenticates itself with: a key, the print of its code, and what it was shared from."""

    key: Key
    code: bytes = b""
    parent: Key | None = None


class Answered(NamedTuple):
    """A reply, with what the module will sign when it is the reply to an end."""

    code: Code
    body: Body
    receipt: EndReceipt | None = None


class Car:
    """The ground truth: what the car really does, whatever the module knows of it."""

    def __init__(self) -> None:
        self.ignition: bool | None = False
        self.speed: float | None = 0.0
        self.locked: bool | None = True
        self.doors_open: bool | None = False
        self.boot_open: bool | None = False
        self.immobilised = True
        self.silent = False
        self.actuators = "alive"
        """Or "dead": nothing moves; "slow": it moves, and nobody hears of it; "mute": it moves and says it did not."""
        self.place: tuple[int, int] | None = HOME
        self.fix_age_ms = 0
        self.flashes = 0
        self.keys_present: int | None = 1

    @property
    def moving(self) -> bool:
        """Whether the wheels turn or the engine may be running."""
        return self.ignition is not False or self.speed != 0

    def sample(self, now: int, mono: int) -> VehicleSampled:
        """What the module is told at `now`, when its own clock shows `mono`."""
        fix = None
        if self.place is not None:
            age = self.fix_age_ms
            fix = Fix(self.place[0], self.place[1], BASE_MS + now - age, mono - age)
        return VehicleSampled(
            self.ignition,
            self.speed,
            self.locked,
            self.doors_open,
            self.boot_open,
            self.immobilised,
            60.0,
            1_000_000 + now // 100,
            12_600,
            fix,
            keys_present=self.keys_present,
        )


class World:
    """One module with its phones, car and broker. `now` is true time in ms after BASE; the module's monotonic
    clock starts at 0 at each boot."""

    def __init__(
        self, now: int = 0, module_id: bytes = MODULE_ID, dense_ms: int = DENSE_MS, profile: Profile | None = None
    ) -> None:
        self.now = now
        self.dense_ms = dense_ms
        self.booted_at = now
        self.powered = True
        self.car = Car()
        self.bookings: dict[str, Booking] = {}
        self.keys: dict[str, Held] = {}
        self.menu: list[Refusal | None] = []
        self.fails_at_try = False
        """The power is cut when a code is about to be compared."""
        self.dead_keys: set[bytes] = set()
        self.links: dict[str, int] = {}
        self.next_link = 1
        self.next_request = 1
        self.profile = profile or Profile(module_id, 1, HOME, BASE_MS + now - 86_400_000)
        self.disk: bytes | None = None
        self.disk_full = False
        self.outbox: list[Record] = []
        self.broker_up = False
        self.gated = False
        self.published: list[tuple[int, Channel, bytes]] = []
        self.events: list[str] = []
        self.answers: list[Answered] = []
        self.reports: list[selftest.Report] = []
        self.unanswered: list[ActuationFinished] = []
        self.last_actuation: Action | None = None
        self.nonce = bytes(16)
        self.pushes: list[tuple[str, Push]] = []
        self.hung_up: set[str] = set()
        self.retained: bytes = b""
        self.effects: list[Effect] = []
        self.state: State
        self.boot(rtc_ms=0)

    # ------------------------------------------------------------ the shell, as the pump does it
    @property
    def mono(self) -> int:
        """The module's monotonic clock."""
        return self.now - self.booted_at

    def boot(self, rtc_ms: int | None) -> None:
        """Power up from the disk; `rtc_ms`: how wrong the RTC is, None: it knows nothing."""
        self.booted_at = self.now
        self.powered = True
        self.links.clear()
        self.unanswered.clear()
        durable = None if self.disk is None else msgspec.msgpack.decode(self.disk, type=Durable)
        self.state, effects = module.boot(durable, self.profile, self.mono)
        self._carry_out(Ticked(), self.state, effects)
        if rtc_ms is not None:
            self.tell(TimeOffered(TimeSource.RTC, BASE_MS + self.now + rtc_ms))
        if self.broker_up:
            self.tell(BrokerConnected())

    def cut_power(self) -> None:
        """Nothing works until it boots again; every phone loses its link, and the broker the module."""
        self.powered = False
        self.links.clear()

    def look(self) -> None:
        """The car is sampled."""
        self.tell(self.car.sample(self.now, self.mono))

    def answer_actuations(self) -> None:
        """The actuators that were slow say that they have done it."""
        finished, self.unanswered = self.unanswered, []
        for event in finished:
            self.tell(event)

    def tell(self, event: Event) -> None:
        """One step, with everything the pump does around it. A module without power hears nothing."""
        if not self.powered:
            return
        state, effects = module.step(self.state, event, self.mono)
        if self.disk_full and any(isinstance(effect, Persist) and effect.required for effect in effects):
            state, effects = module.step(self.state, StorageFailed(event), self.mono)
        self._carry_out(event, state, effects)
        self._gate()
        self._deliver()

    def _gate(self) -> None:
        """Before the broker stands a gate: without a SIM for it there is no connection."""
        opened = sim.uplink(self.state)
        if self.broker_up and not opened and self.state.broker_connected:
            self.tell(BrokerLost())
        elif self.broker_up and opened and self.gated:
            self.gated = False
            self.tell(BrokerConnected())
        self.gated = not opened

    def _carry_out(self, event: Event, state: State, effects: tuple[Effect, ...]) -> None:
        before, self.state = getattr(self, "state", state), state
        self._never(event, before, effects)
        self.effects.extend(effects)
        done: list[Event] = []
        for effect in effects:
            match effect:
                case Persist() if not self.disk_full:
                    self.disk = msgspec.msgpack.encode(state.durable)
                case Report(record):
                    self.outbox.append(record)
                    if record.kind is not None:
                        self.events.append(record.kind.value)
                case Say(record) if self.broker_up:
                    self._publish(reporting.record_message(state, record, self.mono))
                case Actuate(action, command_id):
                    finished = ActuationFinished(action, self._actuate(action), command_id)
                    (self.unanswered if self.car.actuators == "slow" else done).append(finished)
                case Answer(_, reply):
                    self.answers.append(Answered(reply.code, reply.body))
                    self.nonce = reply.body.nonce if isinstance(reply.body, Nonce) else self.nonce
                case AnswerEnded(_, _, code, body, receipt):
                    self.answers.append(Answered(code, body, receipt))
                case AnswerTested(_, _, report):
                    self.reports.append(report)
                    self.answers.append(Answered(Code.OK, SelfTested(b"")))
                case TryCode(code, ticket) if not self.fails_at_try:
                    done.append(CodeTried(code, ticket))
                case AnswerMenu(_, refusal):
                    self.menu.append(refusal)
                case Tell(link, push):
                    self.pushes.append((self._name(link), push))
                case HangUp(link):
                    name = self._name(link)
                    self.hung_up.add(name)
                    self.links.pop(name, None)
                    done.append(LinkLost(link))
                case _:
                    pass
        for event_ in done:
            self.tell(event_)
        if self.fails_at_try and any(isinstance(effect, TryCode) for effect in effects):
            self.cut_power()

    def _actuate(self, action: Action) -> bool:
        if action in (Action.RELEASE_IMMOBILISER, Action.ARM_IMMOBILISER):
            self.last_actuation = action
        if self.car.actuators == "dead":
            return False
        match action:
            case Action.UNLOCK:
                self.car.locked = False
            case Action.LOCK:
                self.car.locked = True
            case Action.RELEASE_IMMOBILISER:
                self.car.immobilised = False
            case Action.ARM_IMMOBILISER:
                self.car.immobilised = True
            case Action.FLASH:
                self.car.flashes += 1
            case Action.OPEN_BOOT:
                self.car.boot_open = True
        return self.car.actuators != "mute"

    def _deliver(self) -> None:
        """The courier: the slot first, then every record that may leave."""
        while self.broker_up and self.powered and self.state.broker_connected:
            message = reporting.slot_message(self.state, self.mono)
            if message is not None:
                self._publish(message)
                self.retained = message.payload
                version = self.state.durable.slot.version
                self.tell(PositionSlotAcknowledged(version))
                continue
            self.outbox = [record for record in self.outbox if not reporting.erased(self.state, record)]
            sendable = [r for r in self.outbox if reporting.may_leave(self.state, reveals_position=r.reveals_position)]
            if not sendable:
                break
            self.outbox.remove(sendable[0])
            self._publish(reporting.record_message(self.state, sendable[0], self.mono))
        if self.broker_up and self.powered and self.state.broker_connected:
            assert not (self.secret and self.retained), "a position is retained during a driver's booking"

    def _publish(self, message: Message) -> None:
        watch.said(self.state.profile.module_id, message)
        payload = message.payload
        assert sim.uplink(self.state), "something left, and the SIM is not for it"
        self.published.append((self.now, message.channel, payload))
        assert not (self.secret and b"atitude" in payload), f"a position left during a driver's booking: {payload!r}"
        assert not re.search(b"[Ss]peed|[Hh]eading|[Ss]treet|[Cc]ell", payload), f"a track can be rebuilt: {payload!r}"

    @property
    def secret(self) -> bool:
        """Whether anybody but the owner has the car, or nobody owns it."""
        trip = self.state.durable.trip
        if not self.state.durable.ownership.coupled:
            return True
        return trip.running and trip.booking is not None and trip.booking.role is not Role.OWNER

    def _never(self, event: Event, before: State, effects: tuple[Effect, ...]) -> None:
        """What holds in every story, at every step."""
        durable = self.state.durable
        moving = self.car.moving
        for effect in effects:
            if isinstance(effect, Actuate) and effect.action is Action.ARM_IMMOBILISER and moving:
                assert module.posture(before.durable) is Action.ARM_IMMOBILISER, "taken from a moving car"
            if isinstance(effect, Actuate) and effect.action in MOVES:
                order = event.signed if isinstance(event, OrderReceived) and not self.secret else None
                afar = isinstance(order, Order) and order.order_id == effect.command_id
                tested = before.testing is not None or self.state.testing is not None
                mine = durable.trip.running or self._by_key(effect)
                assert mine or afar or tested, "moved something without a running booking or a live key"
            if isinstance(effect, Report) and self.secret:
                told = effect.record.point is not None and not effect.record.parking
                assert not told, "a position is recorded during a driver's booking"
        assert clock.floor(self.state.clock, self.mono) >= before.durable.floor_ms, "the floor fell"
        dead = {d.booking_id for d in durable.dead}
        running = durable.trip.booking if durable.trip.running else None
        assert running is None or running.booking_id not in dead, "a dead booking runs"
        self._never_of_keys(durable, effects)

    def _by_key(self, effect: Actuate) -> bool:
        """Whether a live key asked for it on a link, or it is the posture of one that drives."""
        if not effect.command_id:
            return effect.action is Action.RELEASE_IMMOBILISER and self.state.durable.driver_key is not None
        pending = self.state.pending
        link = None if pending is None else self.state.link(pending.link)
        return link is not None and link.key is not None and granted(self.state, link, self.mono)

    def _never_of_keys(self, durable: Durable, effects: tuple[Effect, ...]) -> None:
        """A key that died on the disk stays dead, a shared key is not known twice, and a key drives or a booking."""
        if not self.disk_full and any(isinstance(effect, Persist) for effect in effects):
            self.dead_keys |= {dead.token_id for dead in durable.dead_keys}
        known = [known.key.token_id for known in durable.keys]
        assert not set(known) & self.dead_keys, "a dead key revives"
        assert len(set(known)) == len(known) <= KEYS_KEPT, "a key is known twice, or there are too many"
        assert durable.driver_key is None or (durable.drive_enabled and not durable.trip.running), "two drive"
        for link in self.state.links:
            dead = link.key is not None and {link.key.token_id, link.key.parent} & self.dead_keys
            assert not (dead and granted(self.state, link, self.mono)), "a dead key is granted"

    def _name(self, link: int) -> str:
        return next((name for name, number in self.links.items() if number == link), f"link {link}")

    # ------------------------------------------------------------ time
    def advance(self, to: int) -> None:
        """Let time pass until `to`: samples every second, ticks at deadlines."""
        assert to >= self.now, "time only goes on"
        if not self.powered:
            self.now = to
            return
        if to - self.now > self.dense_ms:
            self.advance(self.now + 5_000)
            self._skip(to - 10_000)
        while self.now < to:
            due = module.next_deadline(self.state, self.mono) + self.booted_at
            sample_at = (self.now // 1000 + 1) * 1000
            self.now = min(to, sample_at, max(due, self.now + 1))
            if self.now == sample_at and not self.car.silent:
                self.look()
            if self.now >= due:
                self.tell(Ticked())

    def _skip(self, to: int) -> None:
        """Pass a long time: only deadlines. In a very long one the time, which is due to be saved each minute, is saved
        each hour."""
        while True:
            due = module.next_deadline(self.state, self.mono) + self.booted_at
            if due >= to:
                self.now = to
                return
            if to - self.now > LONG_MS:
                saved = msgspec.structs.replace(self.state, saved_at_ms=self.mono + HOUR_MS)
                due = max(due, min(module.next_deadline(saved, self.mono) + self.booted_at, self.now + HOUR_MS))
            self.now = max(due, self.now + 1)
            self.tell(Ticked())

    # ------------------------------------------------------------ phones
    def present(self, name: str) -> None:
        """A phone connects, if there is room for it, and authenticates itself with its booking."""
        if name not in self.links:
            self.connect(name)
        if name not in self.links:
            return
        self.tell(HandshakeBegun(self.links[name]))
        if name in self.keys:
            self.tell(KeyPresented(self.links[name], *self.keys[name]))
        else:
            self.tell(TokenPresented(self.links[name], self.bookings[name]))

    def connect(self, name: str) -> None:
        """A central connects and says nothing."""
        self.links[name] = self.next_link
        self.next_link += 1
        self.hung_up.discard(name)
        self.tell(LinkOpened(self.links[name]))

    def leave(self, name: str) -> None:
        """A central goes away."""
        if name in self.links:
            self.tell(LinkLost(self.links.pop(name)))

    def ask(
        self, name: str, operation: Operation, command_id: bytes = b"", signed: Signed | None = None
    ) -> Answered | None:
        """A request over the phone's session, which is opened first when it has none; returns the answer."""
        if name not in self.links:
            self.present(name)
        if name not in self.links:
            return None
        request_id, self.next_request = self.next_request, self.next_request % 60_000 + 1
        if operation in OPERATIONS.values() and not command_id:
            command_id = request_id.to_bytes(8, "big")
        before = len(self.answers)
        request = Request(request_id, operation, command_id)
        self.tell(RequestReceived(self.links[name], request, signed, request_id.to_bytes(16, "big")))
        return self.answers[before] if len(self.answers) > before else None

    def access(self, name: str) -> Access:
        """The access state as the phone would read it now; it connects first when it is not connected."""
        if name not in self.links:
            self.present(name)
        link = self.state.link(self.links[name])
        assert link is not None
        return access(self.state, link, self.mono)

    def order_end(self, name: str) -> Order:
        """A signed end order for a booking, good for an hour."""
        booking = self.bookings[name]
        issued_s = (BASE_MS + self.now) // 1000
        return Order(
            b"order-" + name.encode().ljust(10, b"o"),
            OrderKind.END_BOOKING,
            MODULE_ID,
            issued_s,
            issued_s + 3600,
            Ending(booking.booking_id, booking.expires_s),
        )
