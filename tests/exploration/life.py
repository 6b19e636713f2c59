"""One life of a module, in values that are never changed in place: to fork it is to copy a handful of references.

The world is that of `tests.support.story_world`, line for line, without its records and with the disk of the pump:
what could not be saved is tried again at the next step. A line that is applied here can be played there.
"""

from typing import Final, cast

from firmware.core import module, reporting
from firmware.core.effects import Actuate, Answer, Effect, HangUp, Persist, Report, TryCode
from firmware.core.events import (
    Action,
    ActuationFinished,
    BrokerConnected,
    BrokerLost,
    CodeEntered,
    CodeTried,
    Event,
    Fix,
    HandshakeBegun,
    KeyButton,
    KeyDeactivated,
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
    VehicleKeyUsed,
    VehicleSampled,
)
from firmware.core.state import Durable, Profile, State
from protocol.messages import Nonce, Operation, Request
from protocol.orders import Ending, Order, OrderKind
from protocol.tokens import Booking, RevocationList, TimeAttestation
from tests.exploration import keyring
from tests.exploration.auditor import Auditor
from tests.support import story_keys, story_ownership
from tests.support.ordering import remote, subscription
from tests.support.story_world import BASE_MS, FAR_AWAY, HOME, MODULE_ID, OPERATIONS, Held, World, token_id_of

PROFILE: Final = Profile(MODULE_ID, 1, HOME, BASE_MS - 86_400_000)
SPARSE_MS: Final = 20_000
"""Longer gaps are looked at in their first five and last ten seconds only; deadlines are kept in between."""

Signed = Order | RevocationList | TimeAttestation


class Life:
    """`now` is true time in ms after BASE_MS. `state` None: no power."""

    def __init__(
        self, bookings: dict[str, Booking], now: int, keys: dict[str, Held] | None = None, profile: Profile = PROFILE
    ) -> None:
        self.bookings = bookings
        self.keys = keys or {}
        self.profile = profile
        self.now = now
        self.booted_at = now
        self.state: State | None = None
        self.disk: Durable | None = None
        self.unsaved = False
        self.disk_full = False
        self.broker = "down"
        """Or "up"; or "deaf": what it takes it never acknowledges."""
        self.published_version = 0
        self.retained: bytes = b""
        self.held = False
        """A record that reveals a position waits in the outbox."""
        self.links: tuple[tuple[str, int], ...] = ()
        self.next_link = 1
        self.next_request = 1
        self.written: Signed = remote("state", "r0", now)
        """What the backend signed last for the broker."""
        self.nonce = bytes(16)
        self.nonce_at = now
        self.late: tuple[ActuationFinished, ...] = ()
        self.ignition: bool | None = False
        self.speed = 0.0
        self.locked = True
        self.doors_open = False
        self.immobilised = True
        self.silent = False
        self.actuators = "alive"
        self.place: tuple[int, int] | None = HOME
        self.boot_open = False
        self.keys_present = 1
        self.cut_at_try = False
        """The power fails when a code is about to be compared."""
        self.audit = Auditor(keyring.first(self))
        self.boot(0)

    def fork(self) -> "Life":
        """Another life with the same past."""
        other = Life.__new__(Life)
        other.__dict__.update(self.__dict__)
        other.audit = self.audit.fork()
        return other

    @property
    def mono(self) -> int:
        """The module's monotonic clock."""
        return self.now - self.booted_at

    def phone(self, link: int) -> str | None:
        """Whose link that is."""
        return next((name for name, number in self.links if number == link), None)

    def link(self, name: str) -> int | None:
        """The link of that phone."""
        return next((number for known, number in self.links if known == name), None)

    # ------------------------------------------------------------ the shell
    def boot(self, rtc_ms: int | None) -> None:
        """Power up from the disk; `rtc_ms`: how wrong the RTC is, None: it knows nothing."""
        self.audit.booted(self, rtc_ms)
        self.booted_at, self.links, self.late, self.published_version = self.now, (), (), 0
        self.unsaved = False
        self.state, effects = module.boot(self.disk, self.profile, 0)
        self._carry_out(None, effects)
        if rtc_ms is not None:
            self.tell(TimeOffered(TimeSource.RTC, BASE_MS + self.now + rtc_ms))
        if self.broker != "down":
            self.tell(BrokerConnected())

    def tell(self, event: Event) -> None:
        """One step, with everything that the pump and the courier do around it."""
        if self.state is None:
            return
        before = self.state
        state, effects = module.step(before, event, self.mono)
        if self.disk_full and any(isinstance(effect, Persist) and effect.required for effect in effects):
            state, effects = module.step(before, StorageFailed(event), self.mono)
        self.state = state
        self._carry_out(event, effects)
        self._deliver()

    def _carry_out(self, event: Event | None, effects: tuple[Effect, ...]) -> None:
        self.audit.stepped(self, event, effects)
        assert self.state is not None
        persist = any(isinstance(effect, Persist) for effect in effects)
        if persist or self.unsaved:
            self.unsaved = self.disk_full
            if not self.disk_full:
                self.audit.saved(self, self.disk, self.state.durable)
                self.disk = self.state.durable
        done: list[Event] = []
        for effect in effects:
            match effect:
                case Report(record):
                    self.held = self.held or record.point is not None
                case Actuate(action, command_id):
                    finished = ActuationFinished(action, self._actuate(action), command_id)
                    if self.actuators == "slow":
                        self.late = (*self.late, finished)
                    else:
                        done.append(finished)
                case Answer(_, reply):
                    if isinstance(reply.body, Nonce) and reply.body.nonce != self.nonce:
                        self.nonce, self.nonce_at = reply.body.nonce, self.now
                case TryCode(code, ticket) if not self.cut_at_try:
                    done.append(CodeTried(code, ticket))
                case TryCode():
                    self.audit.cut(self)
                    self.state, self.links, self.late = None, (), ()
                    return
                case HangUp(link):
                    self.links = tuple(each for each in self.links if each[1] != link)
                    done.append(LinkLost(link))
                case _:
                    pass
        for each in done:
            self.tell(each)

    def _actuate(self, action: Action) -> bool:
        if self.actuators == "dead":
            return False
        match action:
            case Action.UNLOCK | Action.LOCK:
                self.locked = action is Action.LOCK
            case Action.FLASH:
                pass
            case Action.OPEN_BOOT:
                self.boot_open = True
            case _:
                self.immobilised = action is Action.ARM_IMMOBILISER
        return self.actuators != "mute"

    def _deliver(self) -> None:
        if self.broker == "down" or self.state is None or not self.state.broker_connected:
            return
        version = self.state.durable.slot.version
        if version > self.published_version or self.broker == "up":
            message = reporting.slot_message(self.state, self.mono)
            if message is not None:
                self.retained, self.published_version = message.payload, version
                self.audit.retained(self)
                if self.broker == "up":
                    self.tell(PositionSlotAcknowledged(version))
                    return
        if self.held and reporting.may_leave(self.state, reveals_position=True):
            self.audit.left(self)
            self.held = False
        self.audit.delivered(self)

    # ------------------------------------------------------------ time
    def advance(self, to: int) -> None:
        """Let time pass: samples every second, ticks at deadlines."""
        if self.state is None:
            self.now = to
            return
        if to - self.now > SPARSE_MS:
            self.advance(self.now + 5_000)
            while (due := module.next_deadline(self.state, self.mono) + self.booted_at) < to - 10_000:
                self.now = max(due, self.now + 1)
                self.tell(Ticked())
            self.now = to - 10_000
        while self.now < to:
            due = module.next_deadline(self.state, self.mono) + self.booted_at
            sample_at = (self.now // 1000 + 1) * 1000
            self.now = min(to, sample_at, max(due, self.now + 1))
            if self.now == sample_at and not self.silent:
                self.look()
            if self.now >= due:
                self.tell(Ticked())

    def look(self) -> None:
        """The car is sampled."""
        if self.state is None:
            return
        fix = None if self.place is None else Fix(*self.place, BASE_MS + self.now, self.mono)
        mileage = 1_000_000 + self.now // 100
        sample = VehicleSampled(
            self.ignition, self.speed, self.locked, self.doors_open, self.boot_open, self.immobilised, 60.0, mileage,
            12_600, fix, keys_present=self.keys_present,
        )  # fmt: skip
        self.audit.sampled(self)
        self.tell(sample)

    # ------------------------------------------------------------ lines of a story
    def play(self, line: str) -> None:
        """What a line of a story without its time and claims says."""
        match line.split():
            case ["."]:
                pass
            case ["car", *words]:
                self._car(words)
            case ["broker", "acknowledges"]:
                self.broker = "up"
                self.tell(PositionSlotAcknowledged(self.published_version))
            case ["broker", state]:
                self.broker = state
                self.published_version = 0
                self.tell(BrokerLost() if state == "down" else BrokerConnected())
            case ["power", "fails"]:
                self.audit.cut(self)
                self.state, self.links, self.late = None, (), ()
            case ["reboot" | "power", *rtc]:
                self.boot(0 if not rtc else None if rtc[1] == "lost" else int(rtc[1]) * 1000)
            case ["disk", state]:
                self.disk_full = state == "full"
                self.tell(Ticked())
            case ["time", source, wrong]:
                self.audit.told_time(int(wrong))
                self.tell(TimeOffered(TimeSource(source), BASE_MS + self.now + int(wrong) * 1000))
            case ["menu", "enters", code, *cut]:
                self.cut_at_try = bool(cut)
                self.tell(CodeEntered(story_keys.printed(code)))
                self.cut_at_try = False
            case ["menu", "deactivates", name]:
                self.tell(KeyDeactivated(token_id_of(name)))
            case [*words, "is", "written"]:
                self.written = self._signed(words)
            case ["order" | "list" | "subscription", *_] as words:
                signed = self._signed(words)
                assert isinstance(signed, Order | RevocationList)
                self.written = signed
                self.tell(OrderReceived(signed))
            case [name, "presents"]:
                self.present(name)
            case [name, "leaves"]:
                self._leave(name)
            case [name, "carries", *words]:
                self.ask(name, Operation.PUT, signed=self._signed(words))
            case [name, verb]:
                self.ask(name, OPERATIONS[verb])
            case [name, verb, _, command]:
                self.ask(name, OPERATIONS[verb], command.encode().ljust(8, b"c"))
            case _:
                raise AssertionError(f"no such line: {line!r}")

    def _car(self, words: list[str]) -> None:
        match words:
            case ["drives"]:
                self.ignition, self.speed = True, 90.0
                self.place = None if self.place is None else FAR_AWAY
            case ["parks"]:
                self.ignition, self.speed = False, 0.0
            case ["rolls"]:
                self.ignition, self.speed = False, 1.0
            case ["ignition", "unknown"]:
                self.ignition = None
            case ["doors", state]:
                self.doors_open = state == "open"
            case ["key", state]:
                self.locked = state == "locks"
                self.tell(VehicleKeyUsed(KeyButton.LOCK if self.locked else KeyButton.UNLOCK))
            case ["has", number, "keys"]:
                self.keys_present = int(number)
            case ["silent"]:
                self.silent = True
                return
            case ["speaks"]:
                self.silent = False
            case ["fix", "lost"]:
                self.place = None
            case ["fix", "back"]:
                self.place = FAR_AWAY
            case ["actuators", "answer"]:
                late, self.late = self.late, ()
                for event in late:
                    self.tell(event)
                return
            case ["actuators", state]:
                self.actuators = state
                return
            case _:
                raise AssertionError(f"no such thing about the car: {words}")
        self.look()

    def present(self, name: str) -> None:
        """A phone connects, if there is room for it, and authenticates itself."""
        if self.link(name) is None:
            self.links = (*self.links, (name, self.next_link))
            self.next_link += 1
            self.tell(LinkOpened(self.next_link - 1))
        link = self.link(name)
        if link is not None:
            self.tell(HandshakeBegun(link))
            if name in self.keys:
                self.tell(KeyPresented(link, *self.keys[name]))
            else:
                self.tell(TokenPresented(link, self.bookings[name]))

    def _leave(self, name: str) -> None:
        link = self.link(name)
        if link is not None:
            self.links = tuple(each for each in self.links if each[1] != link)
            self.tell(LinkLost(link))

    def ask(self, name: str, operation: Operation, command_id: bytes = b"", signed: Signed | None = None) -> None:
        """A request over the phone's session, which is opened first when it has none."""
        if self.link(name) is None:
            self.present(name)
        link = self.link(name)
        if link is None:
            return
        number, self.next_request = self.next_request, self.next_request % 60_000 + 1
        if operation is not Operation.PUT and not command_id:
            command_id = number.to_bytes(8, "big")
        self.tell(RequestReceived(link, Request(number, operation, command_id), signed, number.to_bytes(16, "big")))

    def _signed(self, words: list[str]) -> Signed:
        issued_s = (BASE_MS + self.now) // 1000
        match words:
            case ["order", "again"]:
                return self.written
            case ["order", verb, "as", name]:
                return remote(verb, name, self.now)
            case ["subscription", number, "sharing", sharing, "remote", remote_until, *paused]:
                return subscription(number, sharing, remote_until, self.now, paused=bool(paused))
            case ["order", "end", name]:
                booking, order_id = self.bookings[name], b"order-" + name.encode().ljust(10, b"o")
                until = issued_s + 3600
                return Order(
                    order_id,
                    OrderKind.END_BOOKING,
                    MODULE_ID,
                    issued_s,
                    until,
                    Ending(booking.booking_id, booking.expires_s),
                )
            case ["order", *what] if (order := story_ownership.signed(cast("World", self), what)) is not None:
                return order
            case ["list", number, "epoch", epoch, *names]:
                world = cast("World", self)
                revoked = tuple(story_keys.withdrawn(world, name) for name in names if "/" not in name)
                fading = story_keys.fading(world, names)
                return RevocationList(MODULE_ID, int(number), issued_s, int(epoch), revoked, fading=fading)
            case ["time", wrong]:
                self.audit.told_time(int(wrong), self.now - self.nonce_at)
                return TimeAttestation(MODULE_ID, self.nonce, issued_s + int(wrong))
            case _:
                raise AssertionError(f"nobody signs {words}")
