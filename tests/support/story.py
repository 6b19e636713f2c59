"""Stories: a rule as literal times and values, one event a line, beside what the car must do.

    play('''
        bookings: A driver 10:00:00 - 12:00:00
        10:00:00      A presents   | A granted, active, position withdrawn
        12:00:00      .            | overdue, event booking.overdue
        12:30:00.000  .            | overdue
        12:30:00.001  .            | cut_off, hung up A, armed
    ''')

Left of the bar: a time (`12:00:00`, `12:30:00.001`, `D3 08:00:00` for day 3, UTC from BASE) and what happens (`.`
nothing but time). Right of it: what holds then. The car is sampled every second in between, deadlines are kept as
the pump keeps them, the actuators work, and the courier delivers what the core lets leave. Around every single
step the engine checks what must hold in every story (`_never`).
"""

import re
from datetime import UTC, datetime

import msgspec

from firmware.core import admit, clock, module, reporting
from firmware.core.access import access
from firmware.core.effects import Actuate, Answer, AnswerEnded, Effect, HangUp, Persist, Report, Tell
from firmware.core.events import (
    Action,
    ActuationFinished,
    BrokerConnected,
    BrokerLost,
    Event,
    Fix,
    HandshakeBegun,
    HandshakeFailed,
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
from firmware.core.reports import Record
from firmware.core.state import Durable, Profile, State
from protocol.errors import Code, Refusal, Role
from protocol.messages import Access, Body, Operation, Permission, Phase, Push, Request
from protocol.telemetry import Channel
from protocol.tokens import Booking, Order, OrderKind, RevocationList, TimeAttestation

BASE_MS = int(datetime(2026, 11, 2, tzinfo=UTC).timestamp() * 1000)
MODULE_ID = bytes.fromhex("5b0e000000000001")
HOME = (481_371_540, 115_761_240)
FAR_AWAY = (482_000_000, 116_500_000)
ALL = int(Permission.UNLOCK | Permission.DRIVE | Permission.LOCK | Permission.LOCATE)
DENSE_MS = 4 * 3600 * 1000
"""In longer gaps between two lines the car is only looked at in the last ten seconds and around deadlines."""

OPERATIONS = {
    "unlock": Operation.UNLOCK,
    "lock": Operation.LOCK,
    "drive": Operation.ENABLE_DRIVE,
    "undrive": Operation.DISABLE_DRIVE,
    "end": Operation.END_BOOKING,
    "status": Operation.STATUS,
    "locate": Operation.LOCATE,
    "nonce": Operation.GET_NONCE,
}
_TIME = re.compile(r"(?:D(\d+) )?(\d\d):(\d\d):(\d\d)(?:\.(\d{3}))?")


def milliseconds(text: str) -> int:
    """`12:30:00.001` or `D3 08:00:00` as ms after BASE."""
    match = _TIME.fullmatch(text.strip())
    assert match is not None, f"not a time: {text!r}"
    day, hour, minute, second, ms = (int(part or 0) for part in match.groups())
    return (((day * 24 + hour) * 60 + minute) * 60 + second) * 1000 + ms


def make_booking(name: str, role: Role, begins: str, ends: str, **changes: object) -> Booking:
    """A booking whose identifiers are made of its name."""
    begins_s, ends_s = (int((BASE_MS + milliseconds(at)) / 1000) for at in (begins, ends))
    booking = Booking(
        token_id=name.encode().ljust(16, b"t"),
        not_before_s=begins_s,
        ends_at_s=ends_s,
        expires_s=ends_s + 1800,
        issued_s=begins_s,
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
        self.dead_actuators = False
        self.place: tuple[int, int] | None = HOME
        self.fix_age_ms = 0

    @property
    def moving(self) -> bool:
        """Whether the wheels turn or the engine may be running."""
        return self.ignition is not False or self.speed != 0

    def sample(self, now: int) -> VehicleSampled:
        """What the module is told."""
        fix = None
        if self.place is not None:
            age = self.fix_age_ms
            fix = Fix(self.place[0], self.place[1], BASE_MS + now - age, now - age)
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
        )


class World:
    """One module with its phones, car and broker. `now` is true time in ms after BASE; the module's monotonic
    clock starts at 0 at each boot."""

    def __init__(self) -> None:
        self.now = 0
        self.booted_at = 0
        self.car = Car()
        self.bookings: dict[str, Booking] = {}
        self.links: dict[str, int] = {}
        self.next_link = 1
        self.next_request = 1
        self.profile = Profile(MODULE_ID, 1, HOME, BASE_MS - 86_400_000)
        self.disk: bytes | None = None
        self.disk_full = False
        self.outbox: list[Record] = []
        self.broker_up = False
        self.published: list[tuple[int, Channel, bytes]] = []
        self.events: list[str] = []
        self.answers: list[Body] = []
        self.pushes: dict[str, list[Push]] = {}
        self.hung_up: set[str] = set()
        self.retained: bytes = b""
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
        self.links.clear()
        durable = None if self.disk is None else msgspec.msgpack.decode(self.disk, type=Durable)
        self.state, effects = module.boot(durable, self.profile, self.mono)
        self._carry_out(Ticked(), self.state, effects)
        if rtc_ms is not None:
            self.tell(TimeOffered(TimeSource.RTC, BASE_MS + self.now + rtc_ms))
        if self.broker_up:
            self.tell(BrokerConnected())

    def tell(self, event: Event) -> None:
        """One step, with everything the pump does around it."""
        state, effects = module.step(self.state, event, self.mono)
        if self.disk_full and any(isinstance(effect, Persist) and effect.required for effect in effects):
            state, effects = module.step(self.state, StorageFailed(event), self.mono)
        self._carry_out(event, state, effects)
        self._deliver()

    def _carry_out(self, event: Event, state: State, effects: tuple[Effect, ...]) -> None:
        before, self.state = getattr(self, "state", state), state
        self._never(before, effects)
        done: list[Event] = []
        for effect in effects:
            match effect:
                case Persist() if not self.disk_full:
                    self.disk = msgspec.msgpack.encode(state.durable)
                case Report(record):
                    self.outbox.append(record)
                    if record.kind is not None:
                        self.events.append(record.kind.value)
                case Actuate(action, command_id):
                    done.append(ActuationFinished(action, self._actuate(action), command_id))
                case Answer(_, reply):
                    self.answers.append(reply.body)
                case AnswerEnded(_, _, _, body, _):
                    self.answers.append(body)
                case Tell(link, push):
                    self.pushes.setdefault(self._name(link), []).append(push)
                case HangUp(link):
                    name = self._name(link)
                    self.hung_up.add(name)
                    self.links.pop(name, None)
                    done.append(LinkLost(link))
                case _:
                    pass
        for event_ in done:
            self.tell(event_)

    def _actuate(self, action: Action) -> bool:
        if self.car.dead_actuators:
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
        return True

    def _deliver(self) -> None:
        """The courier: the slot first, then every record that may leave."""
        while self.broker_up and self.state.broker_connected:
            message = reporting.slot_message(self.state, self.mono)
            if message is not None:
                self._publish(message.channel, message.payload)
                self.retained = message.payload
                version = self.state.durable.slot.version
                self.tell(PositionSlotAcknowledged(version))
                continue
            sendable = [r for r in self.outbox if reporting.may_leave(self.state, reveals_position=r.reveals_position)]
            if not sendable:
                return
            self.outbox.remove(sendable[0])
            record = reporting.record_message(self.state, sendable[0], self.mono)
            self._publish(record.channel, record.payload)

    def _publish(self, channel: Channel, payload: bytes) -> None:
        self.published.append((self.now, channel, payload))
        trip = self.state.durable.trip
        secret = trip.running and trip.booking is not None and trip.booking.role is not Role.OWNER
        assert not (secret and b"atitude" in payload), f"a position left during a driver's booking: {payload!r}"

    def _never(self, before: State, effects: tuple[Effect, ...]) -> None:
        """What holds in every story, at every step."""
        durable = self.state.durable
        moving = self.car.moving
        for effect in effects:
            if isinstance(effect, Actuate) and effect.action is Action.ARM_IMMOBILISER and moving:
                assert not (before.durable.drive_enabled and before.durable.trip.running), "taken from a moving car"
            if isinstance(effect, Actuate) and effect.action in (Action.UNLOCK, Action.RELEASE_IMMOBILISER):
                assert durable.trip.running, "moved something without a running booking"
        assert clock.floor(self.state.clock, self.mono) >= before.durable.floor_ms, "the floor fell"
        dead = {d.booking_id for d in durable.dead}
        running = durable.trip.booking if durable.trip.running else None
        assert running is None or running.booking_id not in dead, "a dead booking runs"

    def _name(self, link: int) -> str:
        return next((name for name, number in self.links.items() if number == link), f"link {link}")

    # ------------------------------------------------------------ time
    def advance(self, to: int) -> None:
        """Let time pass until `to`: samples every second, ticks at deadlines."""
        assert to >= self.now, "time only goes on"
        if to - self.now > DENSE_MS:
            self._skip(to - 10_000)
        while self.now < to:
            due = module.next_deadline(self.state, self.mono) + self.booted_at
            sample_at = (self.now // 1000 + 1) * 1000
            self.now = min(to, sample_at, max(due, self.now + 1))
            if self.now == sample_at and not self.car.silent:
                self.tell(self.car.sample(self.mono))
            if self.now >= due:
                self.tell(Ticked())

    def _skip(self, to: int) -> None:
        """Pass a long time: only deadlines, with a few samples before and after each."""
        while True:
            due = module.next_deadline(self.state, self.mono) + self.booted_at
            if due >= to:
                self.now = to
                return
            self.now = max(due, self.now + 1)
            self.tell(Ticked())

    # ------------------------------------------------------------ phones
    def present(self, name: str) -> None:
        """A phone connects and authenticates itself with its booking."""
        if name not in self.links:
            self.connect(name)
        self.tell(HandshakeBegun(self.links[name]))
        self.tell(TokenPresented(self.links[name], self.bookings[name]))

    def connect(self, name: str) -> None:
        """A central connects and says nothing."""
        self.links[name] = self.next_link
        self.next_link += 1
        self.hung_up.discard(name)
        self.tell(LinkOpened(self.links[name]))

    def leave(self, name: str) -> None:
        """A central goes away."""
        self.tell(LinkLost(self.links.pop(name)))

    def ask(self, name: str, operation: Operation, command_id: bytes = b"", signed: object = None) -> Body | None:
        """A request over the phone's session, which is opened first when it has none; returns the answer."""
        if name not in self.links:
            self.present(name)
        request_id, self.next_request = self.next_request, self.next_request % 60_000 + 1
        if operation in OPERATIONS.values() and not command_id:
            command_id = request_id.to_bytes(8, "big")
        before = len(self.answers)
        request = Request(request_id, operation, command_id)
        assert signed is None or isinstance(signed, Order | RevocationList | TimeAttestation)
        self.tell(RequestReceived(self.links[name], request, signed, request_id.to_bytes(16, "big")))
        return self.answers[before] if len(self.answers) > before else None

    def access(self, name: str) -> Access:
        """The access state as the phone would read it now."""
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
            booking.booking_id,
            booking.expires_s,
        )


class Story:
    """Reads and plays the lines."""

    def __init__(self, world: World | None = None) -> None:
        self.world = world or World()
        self.answer: Body | None = None
        self.seen_events = 0
        self.line = ""

    def play(self, text: str) -> World:
        """Play every line; a claim that does not hold fails with the line."""
        for raw in text.strip().splitlines():
            self.line = raw.strip()
            if not self.line or self.line.startswith("#"):
                continue
            if self.line.startswith("bookings:"):
                self._booking(self.line.removeprefix("bookings:").strip())
                continue
            left, _, claims = self.line.partition("|")
            match = _TIME.match(left.strip())
            assert match is not None, f"no time in {self.line!r}"
            self.seen_events = len(self.world.events)
            self.world.hung_up.clear()
            self.world.advance(milliseconds(match.group()))
            self._do(left.strip()[match.end() :].split())
            for claim in filter(None, (c.strip() for c in claims.split(","))):
                self._check(claim)
        return self.world

    def _booking(self, text: str) -> None:
        """`A driver 10:00:00 - 12:00:00`, then optional `field=value` (integers)."""
        match = re.fullmatch(rf"(\w+) (\w+) ({_TIME.pattern}) - ({_TIME.pattern})(.*)", text)
        assert match is not None, f"not a booking: {text!r}"
        name, role, begins, ends, rest = match[1], match[2], match[3], match[9], match[15]
        changes: dict[str, object] = {}
        for part in rest.split():
            field, _, value = part.partition("=")
            text_fields = ("user", "booking_id", "token_id")
            sizes = {"user": 8, "booking_id": 16, "token_id": 16}
            changes[field] = value.encode().ljust(sizes[field], b"_") if field in text_fields else int(value)
        self.world.bookings[name] = make_booking(name, Role[role.upper()], begins, ends, **changes)

    # ------------------------------------------------------------ what happens
    def _do(self, words: list[str]) -> None:
        match words:
            case [] | ["."]:
                pass
            case ["car", *state]:
                self._car(state)
            case ["broker", "up"]:
                self.world.broker_up = True
                self.world.tell(BrokerConnected())
            case ["broker", "down"]:
                self.world.broker_up = False
                self.world.tell(BrokerLost())
            case ["reboot"]:
                self.world.boot(rtc_ms=0)
            case ["reboot", "rtc", "lost"]:
                self.world.boot(rtc_ms=None)
            case ["reboot", "rtc", wrong]:
                self.world.boot(rtc_ms=int(wrong) * 1000)
            case ["disk", state]:
                self.world.disk_full = state == "full"
            case ["time", source, wrong]:
                offered = TimeOffered(TimeSource(source), BASE_MS + self.world.now + int(wrong) * 1000)
                self.world.tell(offered)
            case ["order", "end", name]:
                self.world.tell(OrderReceived(self.world.order_end(name)))
            case ["stranger", "fails"]:
                self.world.tell(HandshakeFailed(0))
            case [name, "presents"]:
                self.world.present(name)
            case [name, "connects"]:
                self.world.connect(name)
            case [name, "leaves"]:
                self.world.leave(name)
            case [name, "carries", "end", "of", other]:
                self.answer = self.world.ask(name, Operation.PUT, signed=self.world.order_end(other))
            case [name, verb] if verb in OPERATIONS:
                self.answer = self.world.ask(name, OPERATIONS[verb])
            case [name, verb, "as", command] if verb in OPERATIONS:
                self.answer = self.world.ask(name, OPERATIONS[verb], command.encode().ljust(8, b"c"))
            case [name, "asks", "outcome", "of", command]:
                self.answer = self.world.ask(name, Operation.OUTCOME, command.encode().ljust(8, b"c"))
            case _:
                raise AssertionError(f"no such event: {' '.join(words)!r}")

    def _car(self, words: list[str]) -> None:
        car = self.world.car
        match words:
            case ["drives"]:
                car.ignition, car.speed, car.place = True, 90.0, FAR_AWAY
            case ["stops"]:
                car.speed = 0.0
            case ["parks"]:
                car.ignition, car.speed = False, 0.0
            case ["parks", "at", "home"]:
                car.ignition, car.speed, car.place = False, 0.0, HOME
            case ["rolls"]:
                car.ignition, car.speed = False, 1.0
            case ["ignition", state]:
                car.ignition = {"on": True, "off": False, "unknown": None}[state]
            case ["speed", value]:
                car.speed = None if value == "unknown" else float(value)
            case ["doors", state]:
                car.doors_open = {"open": True, "closed": False, "unknown": None}[state]
            case ["boot", state]:
                car.boot_open = {"open": True, "closed": False, "unknown": None}[state]
            case ["key", "unlocks"]:
                car.locked = False
            case ["key", "locks"]:
                car.locked = True
            case ["silent"]:
                car.silent = True
                return
            case ["speaks"]:
                car.silent = False
            case ["actuators", state]:
                car.dead_actuators = state == "dead"
            case ["fix", "lost"]:
                car.place = None
            case ["fix", "aged", seconds]:
                car.fix_age_ms = int(seconds) * 1000
            case ["metres", "north", metres]:
                # One degree of latitude on the sphere of `geo`.
                car.place = (HOME[0] + round(float(metres) / 111_195.08 * 1e7), HOME[1])
            case _:
                raise AssertionError(f"no such thing about the car: {' '.join(words)!r}")
        self.world.tell(car.sample(self.world.mono))

    # ------------------------------------------------------------ what must hold
    def _check(self, claim: str) -> None:
        why = f"{claim!r} does not hold in the line\n    {self.line}\n    {self._situation()}"
        words = claim.split()
        trip = self.world.state.durable.trip
        fresh = self.world.events[self.seen_events :]
        match words:
            case ["none" | "active" | "overdue" | "cutoff_pending" | "cut_off" | "ended" as phase]:
                assert trip.phase is Phase[phase.upper()], why
            case ["ok"]:
                assert self.answer is not None, why
                assert not isinstance(self.answer, Refusal), why
            case ["refused", code]:
                assert isinstance(self.answer, Refusal), why
                assert self.answer.code is Code[code], why
            case [name, "granted"]:
                assert self.world.access(name).granted, why
            case [name, "denied", code]:
                refusal = self.world.access(name).refusal
                assert refusal is not None, why
                assert refusal.code is Code[code], why
            case ["hung", "up", name]:
                assert name in self.world.hung_up, why
            case [name, "connected"]:
                assert name in self.world.links, why
            case ["armed"]:
                assert self.world.car.immobilised, why
                assert module.posture(self.world.state.durable) is Action.ARM_IMMOBILISER, why
            case ["released"]:
                assert not self.world.car.immobilised, why
                assert module.posture(self.world.state.durable) is Action.RELEASE_IMMOBILISER, why
            case ["locked" | "unlocked" as state]:
                assert self.world.car.locked is (state == "locked"), why
            case ["event", name]:
                assert name in fresh, why
            case ["no", "event", name]:
                assert name not in fresh, why
            case ["no", "events"]:
                assert not fresh, why
            case ["position", "retained"]:
                assert b"atitude" in self.world.retained, why
            case ["position", "withdrawn"]:
                slot = self.world.state.durable.slot
                assert slot.point is None, why
                assert slot.acknowledged is self.world.broker_up, why
                assert not (self.world.broker_up and self.world.retained), why
            case ["position", "waits"]:
                slot = self.world.state.durable.slot
                assert slot.point is not None, why
                assert not slot.acknowledged, why
            case [name, ("=" | "<" | ">") as sign, value]:
                self._number(name, sign, int(value), why)
            case _:
                raise AssertionError(f"no such claim: {claim!r}")

    def _number(self, name: str, sign: str, value: int, why: str) -> None:
        """A number of the last answer: a field of a body, or one of a refusal's numbers."""
        answer = self.answer
        number = answer.number(name) if isinstance(answer, Refusal) else getattr(answer, name)
        assert number is not None, why
        assert {"=": number == value, "<": number < value, ">": number > value}[sign], f"{why}\n    it is {number}"

    def _situation(self) -> str:
        trip = self.world.state.durable.trip
        overdue = admit.overdue_ms(self.world.state, self.world.mono) if trip.running else None
        return f"phase {trip.phase.name}, overdue_ms {overdue}, answer {self.answer}, links {self.world.links}"


def play(text: str, world: World | None = None) -> World:
    """Play a story; returns the world for further questions."""
    return Story(world).play(text)
