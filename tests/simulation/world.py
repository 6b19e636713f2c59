"""One module and everything around it, on virtual time, from one seed.

The world knows the truth: the time, where the car is and whether it moves, what is on the disk. The module knows
what it is told. `auditor` compares the two after every step.
"""

from collections import Counter
from datetime import UTC, datetime
from hashlib import blake2b
from random import Random
from typing import TYPE_CHECKING, Final

from firmware.core import sim
from firmware.core.effects import Actuate, Answer, AnswerMenu, Effect, HangUp, Report
from firmware.core.events import Action, BrokerConnected, BrokerLost, Event, TimeOffered, TimeSource
from firmware.core.state import Profile, State, Vehicle
from protocol.messages import Accepted, Nonce
from protocol.orders import OrderKind
from protocol.telemetry import EventKind
from tests.simulation.air import Air
from tests.simulation.attacks import ATTACKS, attack
from tests.simulation.auditor import Auditor
from tests.simulation.broker import EPOCH, Backend, Broker
from tests.simulation.car import HOME, Car
from tests.simulation.chance import chance
from tests.simulation.device import Device
from tests.simulation.drivers import Driver
from tests.simulation.estate import DEEDS, VIN, Estate
from tests.simulation.faults import DAY, FAULTS, MINUTE, SECOND
from tests.simulation.guests import Guest, Menu, press_key
from tests.simulation.heap import Heap
from tests.simulation.ingest import Ingest
from tests.simulation.keychain import Keychain
from tests.simulation.mischief import KEY_ATTACKS, KEY_FAULTS
from tests.simulation.ordering import ORDERS
from tests.simulation.rescue import BELGIUM, CALLS, Centre, order, serve
from tests.simulation.script import Operation, at_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.simulation.phone import KeyPhone, Phone, Visitor

BASE_MS: Final = int(datetime(2026, 3, 1, tzinfo=UTC).timestamp() * 1000)
PLACE_EVERY_MS: Final = 6 * MINUTE
SPARSE_MS: Final = {"idle": 300 * SECOND, "driving": 40 * SECOND, "overdue": 60 * SECOND}
MOMENT_OF: Final = {
    EventKind.BOOKING_STARTED: "started",
    EventKind.BOOKING_OVERDUE: "overdue",
    EventKind.CUTOFF_PENDING: "pending",
    EventKind.BOOKING_CUT_OFF: "cut",
    EventKind.BOOKING_ENDED: "ended",
    EventKind.KEY_ACCEPTED: "accepted",
    EventKind.KEY_ACTIVATED: "activated",
    EventKind.KEY_DELETED: "deleted",
    EventKind.TAKEOVER_PROGRESS: "taking_over",
}
AT_ONCE: Final = frozenset(
    {"cut_before_commit", "cut_after_commit", "disk_full", "dead", "mute", "slow", "silent", "doors"}
)


class Trap:
    """Trouble that waits for the `nth` time from now on that a moment comes."""

    def __init__(self, nth: int, what: str, delay_ms: int, rng: Random) -> None:
        self.left = nth
        self.what = what
        self.delay_ms = delay_ms
        self.rng = rng


class World:
    """`tell` gets every line of the story, when somebody wants to read it. A world with a `neighbour` shares its time:
    a second car, with a module and a backend of its own."""

    def __init__(
        self,
        seed: int,
        operations: list[Operation],
        tell: "Callable[[str], None] | None" = None,
        neighbour: "World | None" = None,
    ) -> None:
        self.seed = seed
        self.base_ms = BASE_MS
        self.neighbour = neighbour
        self.heap: Heap = Heap() if neighbour is None else neighbour.heap
        number = 0 if neighbour is None else 1
        self.counters: Counter[str] = Counter()
        self.tell = tell
        self.hash = blake2b(digest_size=8)
        self.rtc_error_ms: int | None = 0
        self.network_error_ms = 0
        self.phones: list[Phone] = []
        self.guests: list[KeyPhone] = []
        self.traps: dict[str, list[Trap]] = {}
        self.car = Car()
        self.air = Air(self)
        self.broker = Broker(self)
        self.backend: Backend = Backend(self)
        self.keychain = Keychain(self)
        self.estate: Estate = Estate(self)
        self.menu: Menu = Menu(self)
        self.centre: Centre = Centre(self)
        self.serving: int | None = BELGIUM
        self.plans = 0
        self.ingest = Ingest(self)
        self.auditor = Auditor(self)
        self._dense_until = 0
        self._look_at = -1
        self._places = 0
        self._drive = 0
        self._broker_until = 0
        self._bus = 0
        self.calm_since = -1
        """Since when nothing goes wrong any more and nobody but the last phone comes, -1: not yet."""
        self.last_phone: Visitor | None = None
        self._settings: tuple[int, ...] = (0, 10_000, 1, 1, 1, 160)
        vehicle = self._schedule(operations, number)
        drift, capacity, rtc, gnss, broker, self.broker.latency_ms = self._settings
        self.rtc_error_ms = 0 if rtc else None
        self.car.gnss = "good" if gnss else "lost"
        self.broker.up = bool(broker)
        profile = _profile(number, vehicle)
        self.estate.coupled = profile.coupled
        self.device = Device(self, profile, capacity, drift)
        self.auditor.floor_ms = profile.floor_ms
        self.heap.at(0, lambda: self.device.boot(self.rtc_error_ms))
        self.heap.at(1_000, self._plan_look)
        if neighbour is not None:
            neighbour.neighbour = self

    def _schedule(self, operations: list[Operation], number: int) -> tuple[int, ...]:
        """What happens to this car, each at its time; returns what the dealer wrote down about it."""
        vehicle: tuple[int, ...] = (1, 1, 1, 0)
        for operation in operations:
            if operation.car != number:
                continue
            if operation.kind == "settings":
                self._settings = tuple(int(value) for value in operation.args)
            elif operation.kind == "vehicle":
                vehicle = tuple(int(value) for value in operation.args)
            else:
                self.heap.at(operation.at_ms, lambda operation=operation: self._happens(operation))  # type: ignore[misc]
        return vehicle

    # ------------------------------------------------------------ telling
    @property
    def utc_ms(self) -> int:
        """True time, UTC."""
        return self.base_ms + self.heap.now

    def time(self) -> str:
        """True time, for people."""
        return at_text(self.heap.now)

    def reach(self, name: str) -> None:
        """Something that a campaign has to have seen happened."""
        self.counters[name] += 1

    def trace(self, data: bytes) -> None:
        """What makes two runs the same."""
        self.hash.update(self.heap.now.to_bytes(8, "big"))
        self.hash.update(data)

    def say(self, text: str) -> None:
        """A line of the story."""
        if self.tell is not None:
            self.tell(f"{self.time()}  {text}")

    def stepped(self, event: Event, before: State | None, state: State, effects: tuple[Effect, ...]) -> None:
        """The module has taken a step: which moments has it come to?"""
        for effect in effects:
            match effect:
                case Report(record) if record.kind in MOMENT_OF:
                    self.moment(MOMENT_OF[record.kind])
                case Actuate(Action.UNLOCK):
                    self.moment("unlocked")
                case Actuate(Action.RELEASE_IMMOBILISER):
                    self.moment("released")
                case Actuate(Action.ARM_IMMOBILISER):
                    self.moment("armed")
                case HangUp():
                    self.moment("hung_up")
                case Answer(_, reply) if isinstance(reply.body, Nonce):
                    self.moment("nonce")
                case Answer(_, reply) if isinstance(reply.body, Accepted) and reply.body.pending:
                    self.moment("ordered")
                case Report(record) if dict(record.numbers).get("pending"):
                    self.moment("ordered")
                case _:
                    pass
        if self.tell is not None and effects:
            self._narrate(event, before, state, effects)

    def _narrate(self, event: Event, before: State | None, state: State, effects: tuple[Effect, ...]) -> None:
        phase = state.durable.trip.phase.name.lower()
        changed = before is None or before.durable.trip.phase is not state.durable.trip.phase
        words = []
        for effect in effects:
            match effect:
                case Actuate(action):
                    words.append(action.value)
                case Answer(_, reply):
                    words.append(f"answers {reply.code.name}")
                case Report(record) if record.kind is not None:
                    words.append(f"reports {record.kind.value}")
                case HangUp(link):
                    words.append(f"hangs up {link}")
                case AnswerMenu(_, refusal):
                    words.append(f"the menu says {'done' if refusal is None else refusal.code.name}")
                case _:
                    pass
        if words or changed:
            name = type(event).__name__
            if name == "RequestReceived":
                name = f"RequestReceived {event.request.operation.name} on {event.link}"  # type: ignore[attr-defined]
            self.say(f"  {name:32} -> {', '.join(words)}{f' [{phase}]' if changed else ''}")

    # ------------------------------------------------------------ operations and traps
    def _happens(self, operation: Operation) -> None:
        if self.calm_since >= 0:
            return
        rng = chance(self.seed, operation.number, operation.kind)
        self.say(f"{operation.kind} {' '.join(map(str, operation.args))}")
        match operation.kind:
            case "booking":
                Driver(self, operation)
            case "share":
                Guest(self, operation)
            case "deed":
                self.reach(f"deed: {operation.args[0]}")
                (DEEDS | CALLS)[str(operation.args[0])](self, rng)
            case "fault" | "attack":
                self.inject(str(operation.args[0]), rng)
            case "order":
                self.reach(f"order: {operation.args[0]}")
                ORDERS[str(operation.args[0])](self, rng)
            case "trap":
                moment, nth, what, delay = operation.args
                self.traps.setdefault(str(moment), []).append(Trap(int(nth), str(what), int(delay), rng))
            case _:
                raise AssertionError(f"no such operation: {operation}")

    def moment(self, name: str) -> None:
        """Something has just become possible: whoever waited for it strikes."""
        self.counters[f"moment: {name}"] += 1
        for trap in self.traps.get(name, ()):
            trap.left -= 1
            if trap.left == 0:
                if trap.delay_ms == 0 and trap.what in AT_ONCE:
                    self.inject(trap.what, trap.rng)
                else:
                    self.heap.after(trap.delay_ms, lambda trap=trap: self.inject(trap.what, trap.rng))  # type: ignore[misc]

    def inject(self, what: str, rng: Random) -> None:
        """A fault or an attack happens now."""
        if self.calm_since >= 0:
            return
        self.say(f"! {what}")
        if what in ATTACKS:
            attack(self, what, rng)
        elif what in KEY_ATTACKS:
            self.reach(f"attack: {what}")
            KEY_ATTACKS[what](self, rng)
        elif what in KEY_FAULTS:
            self.reach(f"fault: {what}")
            KEY_FAULTS[what](self, rng)
        else:
            self.reach(f"fault: {what}")
            FAULTS[what](self, rng)

    def power_cut(self, off_ms: int) -> None:
        """The module has no power for a while."""
        if not self.device.powered:
            return
        self.say(f"  power fails for {off_ms} ms")
        self.device.power_off()
        self.air.all_gone()
        self.heap.after(off_ms, lambda: self.device.boot(self.rtc_error_ms))

    # ------------------------------------------------------------ broker
    def gate(self, *, opened: bool) -> None:
        """The SIM's gate before the broker (SVC-4)."""
        if opened:
            self.device.in_this_life(300, self.connect_broker)
        else:
            self.broker.broken = True
            self.broker.session += 1
            self.device.in_this_life(0, self._broker_gone)

    def lose_broker(self, lasts_ms: int) -> None:
        """The connection breaks, and comes back."""
        if not self._settings[4]:
            return
        self.broker.up, self.broker.broken = False, True
        self.broker.session += 1
        self._broker_until = max(self._broker_until, self.heap.now + lasts_ms)
        self.device.in_this_life(500, self._broker_gone)
        self.heap.after(lasts_ms, self._broker_back)

    def sever_broker(self) -> None:
        """The module breaks its connection by itself, and makes another one at once."""
        self.broker.broken = True
        self.broker.session += 1
        self.device.in_this_life(0, lambda: self.device.tell(BrokerLost()))
        self.device.in_this_life(300, self.connect_broker)

    def _broker_gone(self) -> None:
        if self.broker.broken:
            self.device.tell(BrokerLost())

    def _broker_back(self) -> None:
        if self.heap.now >= self._broker_until and not self.broker.up:
            self.broker.up = True
            self.device.in_this_life(2_000, self.connect_broker)

    def connect_broker(self) -> None:
        """The module's client has connected, and hears the network's time."""
        device = self.device
        if not self.broker.up or not device.powered or device.state.broker_connected or not sim.uplink(device.state):
            return
        self.broker.session += 1
        self.broker.broken = False
        device.tell(BrokerConnected())
        if device.powered:
            self.auditor.offered("network", self.network_error_ms)
            device.tell(TimeOffered(TimeSource.NETWORK, self.utc_ms + self.network_error_ms))
        self.broker.release()
        self.moment("connected")

    # ------------------------------------------------------------ the car
    def drive(self, lasts_ms: int, *, by_key: bool) -> None:
        """Drive off, if the car lets one, and park that much later. A physical key always does (ACC-9)."""
        car = self.car
        if not car.standing or (not by_key and car.immobilised):
            return
        if by_key:
            press_key(self, "u")
        self._drive += 1
        drive = self._drive
        car.ignition = car.moving = True
        car.by_key = by_key
        car.moves_since = self.heap.now
        car.doors_open = False
        self._go_on(drive)
        self.say(f"the car drives off{' with the physical key' if by_key else ''}")
        self.car_changed()
        self.moment("drove_off")
        self.heap.after(lasts_ms, lambda: self.park(drive))

    def _go_on(self, drive: int) -> None:
        if self._drive != drive or not self.car.moving:
            return
        self._places += 1
        self.car.place = self._places
        self.car.odometer_m += 4_000
        self.auditor.privacy.comes_to(self.car.place)
        self.heap.after(PLACE_EVERY_MS, lambda: self._go_on(drive))

    def park(self, drive: int) -> None:
        """Stop and switch off."""
        if self._drive != drive or not self.car.moving:
            return
        self.car.ignition = self.car.moving = self.car.by_key = False
        self.say("the car parks")
        self.car_changed()
        self.moment("parked")

    def tidy_up(self) -> None:
        """The driver closes what is open."""
        self.car.doors_open = False
        self.car_changed()

    def disturb_bus(self, kind: str, lasts_ms: int) -> None:
        """The bus says something else, or nothing, for a while."""
        if kind == "zero" and self.car.bus == "zero":
            return
        self._bus += 1
        bus = self._bus
        self.car.bus = kind
        self.dense(min(lasts_ms, MINUTE) + 10 * SECOND)

        def speak() -> None:
            if self._bus == bus:
                self.car.bus = "speaks"
                self.car_changed()

        self.heap.after(lasts_ms, speak)

    def car_changed(self) -> None:
        """The bus is awake for a while after anything happens to the car."""
        self.dense(12 * SECOND)

    def dense(self, lasts_ms: int) -> None:
        """A sample every second for a while."""
        self._dense_until = max(self._dense_until, self.heap.now + lasts_ms)
        if self._look_at > self.heap.now + SECOND:
            self._plan_look()

    def _plan_look(self) -> None:
        at = self.heap.now + self._interval()
        self._look_at = at
        self.heap.at(at, lambda: self._look(at))

    def _interval(self) -> int:
        if self.heap.now < self._dense_until or self.air.links:
            return SECOND
        if not self.car.standing:
            return SPARSE_MS["driving"]
        return SPARSE_MS["overdue" if self._due() else "idle"]

    def _due(self) -> bool:
        """Whether the booking in the car is to end soon, or should have ended."""
        tenure = self.auditor.ram
        if tenure.booking is None:
            return False
        return tenure.ordered_at >= 0 or self.heap.now + 3 * MINUTE > self.auditor.deadline(tenure).earliest

    def _look(self, at: int) -> None:
        if self._look_at != at:
            return
        if self.device.powered:
            sample = self.car.sample(self.utc_ms, self.device.mono)
            if sample is not None:
                self.device.tell(sample)
            if self.car.standing and self.heap.now >= self._dense_until and self._due():
                # Whether it is cut off in time can only be seen by looking for longer than five seconds.
                self._dense_until = self.heap.now + 9 * SECOND
        self._plan_look()

    # ------------------------------------------------------------ the end of all trouble
    def calm(self) -> None:
        """From now on nothing goes wrong any more."""
        self.calm_since = self.heap.now
        self.traps.clear()
        device, car = self.device, self.car
        device.disk.full, device.disk.fuse = False, ""
        self.air.loss = 0.0
        car.bus, car.gnss, car.actuators, car.gnss_error_ms = "speaks", "good", "alive", 0
        car.doors_open = False
        self._bus += 1
        self.rtc_error_ms = self.network_error_ms = self.centre.deaf_until = 0
        for visitor in (*self.phones, *self.guests, *self.estate.phones):
            visitor.tasks.clear()
            self.air.leave(visitor)
        self.park(self._drive)
        device.boot(0)
        serve(self, BELGIUM)
        if self.plans:
            # Whatever was bought and waits for a connection: what is bought now counts.
            self.heap.after(15_000, lambda: order(self, "everything"))
        self._broker_until = self.heap.now
        self.broker.up = True
        if any(order.kind is OrderKind.SUBSCRIPTION for order in self.backend.orders):
            # Whoever comes next has paid.
            self.heap.after(10_000, lambda: ORDERS["renewed"](self, chance(self.seed, "calm")))
        self.heap.after(2_000, self.connect_broker)
        self.dense(20 * SECOND)


def _profile(number: int, vehicle: tuple[int, ...]) -> Profile:
    """What the dealer wrote down: whether it is coupled already, prepared, takes digital keys, and has the eCall."""
    coupled, prepared, digital_keys, legal_ecall = map(bool, vehicle)
    about = Vehicle(VIN, "DE", prepared, digital_keys, legal_ecall)
    module_id = bytes.fromhex(f"5b0e00000000000{number + 1}")
    return Profile(module_id, EPOCH, HOME, BASE_MS - DAY, about, coupled)
