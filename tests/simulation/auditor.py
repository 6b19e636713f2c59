"""The auditor: what must never happen, from docs/requirements.md and the truth of the simulated world alone.

Its limits are literals. It uses no rule, constant or clock of the core: what it sees of a module is what leaves it
(actions, answers, publications) and what is really on its disk.
"""

from itertools import pairwise
from typing import TYPE_CHECKING, Final

from firmware.core.effects import Actuate, Effect, HangUp, Persist, Report
from firmware.core.events import (
    Action,
    ActuationFinished,
    Event,
    HandshakeFailed,
    LinkLost,
    OrderReceived,
    RequestReceived,
    TokenPresented,
    Trouble,
    VehicleSampled,
)
from firmware.core.state import Durable, State
from firmware.ports import StoredRecord
from protocol.errors import Code, Refusal, Role
from protocol.messages import Accepted, Access, Done, Ended, Nonce, Operation, Outcome, Position, Push, Reply, Status
from protocol.orders import Order
from protocol.telemetry import EventKind
from protocol.tokens import Booking, RevocationList, TimeAttestation
from tests.simulation.afar import Afar
from tests.simulation.car import HOME, LIE_MS
from tests.simulation.clocks import Deadline, TrueClock
from tests.simulation.deeds import Deeds
from tests.simulation.locksmith import Locksmith
from tests.simulation.privacy import Privacy
from tests.simulation.subscriber import Subscriber
from tests.simulation.tenure import RUNNING, Tenure, Violation, another, follow, names, orders, passing, taken
from tests.simulation.workshop import Workshop

if TYPE_CHECKING:
    from tests.simulation.world import World

NEEDS: Final = {Operation.UNLOCK: 1, Operation.ENABLE_DRIVE: 2, Operation.DISABLE_DRIVE: 2, Operation.LOCK: 4,
                Operation.LOCATE: 8}  # fmt: skip
MAY_REFUSE_THE_HOLDER: Final = frozenset(
    {Code.BUSY, Code.STORAGE_FAILED, Code.VEHICLE_NO_RESPONSE, Code.COMMAND_ID_REUSED, Code.NOT_PARKED,
     Code.END_NOT_POSSIBLE, Code.DOORS_OPEN, Code.PERMISSION_MISSING, Code.POSITION_UNKNOWN, Code.OUTCOME_UNKNOWN,
     Code.NONCE_UNKNOWN, Code.CLOCK_UNCERTAIN, Code.ORDER_LATE, Code.ORDER_UNSUPPORTED, Code.LIST_OUTDATED}
)  # fmt: skip


class Auditor:
    """Looks at every step of one module."""

    def __init__(self, world: "World") -> None:
        self.world = world
        self.clock = TrueClock(world)
        self.afar = Afar(self)
        self.privacy = Privacy(self)
        self.locksmith = Locksmith(self)
        self.deeds = Deeds(self)
        self.workshop = Workshop(self)
        self.subscriber = Subscriber(self)
        self.ram = Tenure()
        self.disk = Tenure()
        self.sessions: dict[int, Booking] = {}
        """Which booking each link has truly authenticated with."""
        self.cause: RequestReceived | None = None
        """The request that is being dealt with."""
        self.signed: Order | RevocationList | None = None
        """What the backend signed that is being dealt with."""
        self.floor_ms = 0
        self.executed: set[tuple[bytes, bytes]] = set()
        self.given: set[tuple[bytes, bytes]] = set()
        """Commands that reached the module, by user; those which moved something; and the last acknowledged."""
        self.asked: dict[tuple[int, int], bytes] = {}
        self.done: list[tuple[bytes, bytes]] = []
        self.numbers: dict[int, bytes] = {}
        """Committed records that the broker has not got yet."""
        self.failures: list[int] = []
        self.failed: set[int] = set()
        """When handshakes failed lately, and the links whose last one did."""
        self.hung_up: set[int] = set()
        """Links that the module has hung up since the boot; it may take a moment until they are lost."""
        self.sampled_at = -1
        self.still_since = -1
        self.stood_at = 0
        """When the samples began to say that the car stands, in the world's time."""
        self.nonces: dict[bytes, int] = {}
        """Nonces given out since the boot, and when first (the module's time); the newest is the last."""
        self.uses: list[tuple[str, str]] = []
        self.fix_known = False
        self.doors_open = False
        self.seen_at = 0
        """The place of the last fix that the module was told."""

    def fail(self, name: str, detail: str) -> None:
        """It happened."""
        raise Violation(name, f"{detail}, at {self.world.time()}")

    # ------------------------------------------------------------ what the module was told
    def parked_for(self) -> int:
        """For how long the samples have said that the car is parked, in the module's own time; -1 when they do not.
        A sample older than 2.5 s, or a hole longer than that, says nothing."""
        mono = self.world.device.mono
        if self.still_since < 0 or mono - self.sampled_at > 2_500:
            return -1
        return mono - self.still_since

    @property
    def moving(self) -> bool:
        """Whether the car truly moves, for so long that a sample of before says nothing any more, or that a bus which
        has said "standing" since before it drove off has lied for longer than any does."""
        car = self.world.car
        moves_for = self.world.heap.now - car.moves_since
        deceived = self.still_since >= 0 and self.stood_at <= car.moves_since and moves_for <= LIE_MS
        return not car.standing and moves_for > 2_500 and not deceived

    def sample(self, sample: VehicleSampled) -> None:
        """A sample is about to be told."""
        mono = self.world.device.mono
        still = sample.ignition_on is False and sample.speed_kmh == 0
        hole = self.sampled_at < 0 or mono - self.sampled_at > 2_500
        if not still:
            self.still_since = -1
        elif self.still_since < 0 or hole:
            self.still_since, self.stood_at = mono, self.world.heap.now
        self.sampled_at = mono
        self.doors_open = sample.doors_open is not False
        self.fix_known = sample.fix is not None and sample.fix.latitude_e7 != 0
        if sample.fix is not None and sample.fix.latitude_e7:
            self.seen_at = (sample.fix.latitude_e7 - HOME[0]) // 10_000
        if sample.fix is not None and sample.fix.taken_at_ms == mono and sample.fix.latitude_e7:
            self.clock.offered("gnss", self.world.car.gnss_error_ms)

    def offered(self, source: str, error_ms: int) -> None:
        """A clock outside is about to say the time, so much wrong."""
        self.clock.offered(source, error_ms)

    def hears(self, event: Event) -> None:
        """A fact is about to be told."""
        self.cause = event if isinstance(event, RequestReceived) else None
        self.signed = None
        self.locksmith.hears(event)
        self.deeds.hears(event)
        self.subscriber.hears(event)
        match event:
            case VehicleSampled():
                self.sample(event)
            case OrderReceived(signed):
                self.signed = signed
                self.world.dense(9_000)
            case RequestReceived(link, request, signed) if self._user(link) is not None:
                self.signed = None if isinstance(signed, TimeAttestation) else signed
                if isinstance(signed, TimeAttestation):
                    self._attested(signed)
                if request.operation is not Operation.OUTCOME:
                    self.given.add((self._user(link) or b"", request.command_id))
                    self.asked[link, request.id] = request.command_id
            case TokenPresented(link, booking):
                self.sessions[link] = booking
                self.failed.discard(link)
            case LinkLost(link):
                self.sessions.pop(link, None)
            case HandshakeFailed(link):
                self.failures = [*self.failures, self.world.device.mono][-10:]
                self.failed.add(link)
            case _:
                pass

    def _user(self, link: int) -> bytes | None:
        """Whose session it is."""
        held = self.sessions.get(link) or self.locksmith.sessions.get(link)
        return None if held is None else held.user

    def _attested(self, signed: TimeAttestation) -> None:
        """The time was signed at some moment of its nonce's life; which one, the module can not know (CLK-2)."""
        self.clock.told = True
        if list(self.nonces)[-1:] != [signed.nonce]:
            return
        half_ms = (self.world.device.mono - self.nonces[signed.nonce]) // 2
        if half_ms <= 150_000:
            self.clock.offered("signed", half_ms)
            self.clock.offered("signed", -half_ms)

    def deadline(self, tenure: Tenure) -> Deadline:
        """Between which true times the module may think that the cutoff falls due."""
        return tenure.window or self.clock.after_reboot(tenure.due_at)

    # ------------------------------------------------------------ power and disk
    def booting(self, stored: Durable | None, trouble: Trouble | None) -> None:
        """The module is about to boot from this."""
        if trouble is not None and stored is not None:
            self._card_replaced(stored)
        elif stored != self.world.device.disk.durable:
            self.fail("state_not_restored", "the module boots from something else than was committed")
        self.sampled_at = self.still_since = -1
        self.cause = self.signed = None
        self.locksmith.booting()
        self.deeds.booting(stored)
        self.workshop.booting()
        self.subscriber.booting()
        self.sessions.clear()
        self.hung_up.clear()
        self.asked.clear()
        self.failures.clear()
        self.nonces.clear()
        self.privacy.settled_since = self.world.heap.now
        self.fix_known = False
        floor_ms = self.floor_ms if stored is None else stored.floor_ms
        self.clock.booted(floor_ms)
        self.ram = self.disk = self.disk._replace(window=None)

    def _card_replaced(self, stored: Durable) -> None:
        """What the card no longer holds can not be asked for; the dead stay dead, and the floor stays where it was."""
        if stored.floor_ms < self.floor_ms:
            self.fail("floor_fell", "with the card")
        booking = stored.trip.booking if int(stored.trip.phase) in RUNNING else None
        if booking is not None and booking.booking_id in self.disk.dead:
            self.fail("dead_booking_revived", "with the card")
        due_at = 0 if booking is None else booking.ends_at_s * 1000 + 1_800_000 - self.world.base_ms
        self.disk = self.disk._replace(
            booking=booking, due_at=due_at, released=stored.drive_enabled, ordered_at=-1, named=False,
            driver=stored.driver_key,
        )  # fmt: skip
        self.locksmith.card_replaced(stored)
        self.deeds.card_replaced(stored)
        self.subscriber.card_replaced(stored)
        self.executed.clear()
        self.done.clear()
        self.numbers = {number: record.body for number, record in self.world.device.disk.records.items()}
        self.world.ingest.after_the_card()
        self.privacy.may_be_told(owed=False)

    def power_lost(self) -> None:
        """What was not durable is gone."""
        self.ram = self.disk
        self.locksmith.power_lost()
        self.deeds.power_lost()

    def committed(self, durable: Durable, records: tuple[StoredRecord, ...], lost: list[StoredRecord]) -> None:
        """The disk has it."""
        self.locksmith.committed(durable)
        self.deeds.committed(durable)
        self.afar.committed(durable)
        self.subscriber.committed(durable)
        if durable.floor_ms < self.floor_ms:
            self.fail("floor_fell", f"from {self.floor_ms} to {durable.floor_ms}")
        if durable.floor_ms > self.world.utc_ms + self.clock.drift_ms():
            ahead = durable.floor_ms - self.world.utc_ms
            self.fail("floor_ahead_of_time", f"by {ahead} ms, and nobody signed that")
        self.floor_ms = durable.floor_ms
        between = passing(self.disk, durable)
        before, self.disk = self.disk, follow(self.ram, durable, self.signed, self.clock)
        self._used(before, between, self.disk)
        for record in records:
            if self.numbers.get(record.number, record.body) != record.body:
                self.fail("record_overwritten", f"record {record.number} was committed and is another one now")
            self.numbers[record.number] = record.body
        for record in lost:
            self.numbers.pop(record.number, None)
        self.world.moment("committed")

    def _used(self, before: Tenure, between: Booking | None, after: Tenure) -> None:
        """BKG-7: who has had the car, for the usage log at the end."""
        ids = [before.holder, after.holder] if between is None else [before.holder, between.booking_id, after.holder]
        for left, had in pairwise(ids):
            if left != had:
                self.uses += [(use, who.hex()) for use, who in (("left", left), ("had", had)) if who]

    # ------------------------------------------------------------ each step
    def adopted(self, event: Event, before: State | None, state: State, effects: tuple[Effect, ...]) -> None:
        """The module has decided; nothing of it has been carried out yet."""
        durable = state.durable
        self.locksmith.adopted(event, before, state, effects)
        self.deeds.adopted(event, before, state, effects)
        old, between = self.ram, passing(self.ram, durable)
        new = follow(old, durable, self.signed, self.clock)
        held = [old, new] if between is None else [old, taken(old, between, self.clock), new]
        if before is not None:
            for earlier, later in pairwise(held):
                self._changed(earlier, later, effects)
                if later.booking is not None and another(earlier, later.booking):
                    self.afar.begins(durable)
                    self.deeds.begins(later.booking, before.durable)
        self.hung_up |= {effect.link for effect in effects if isinstance(effect, HangUp)}
        for effect in effects:
            if not isinstance(effect, Actuate) or self.workshop.orders(effect, event):
                continue
            if not self.afar.ordered(effect, self.signed, new.booking, durable):
                self._ordered(effect, held, event, before is None)
        self.workshop.told(effects)
        self.subscriber.adopted(event, state, effects)
        if len(state.links) > 3 or len(durable.executed) > 64 or len(durable.dead) > 256 or len(effects) > 64:
            self.fail("unbounded", "links, outcomes, dead bookings or effects outgrow their limit")
        self.ram = new
        self._late(new)
        self.privacy.retained()

    def _changed(self, old: Tenure, new: Tenure, effects: tuple[Effect, ...]) -> None:
        """A booking came, went, or got another device."""
        reported = [e.record.kind for e in effects if isinstance(e, Report)]
        if old.booking == new.booking:
            return
        if old.booking is not None and (new.booking is None or new.booking.booking_id != old.booking.booking_id):
            self._ended(old, new, effects, reported)
        if new.booking is not None and (old.booking is None or new.booking.booking_id != old.booking.booking_id):
            self._began(old, new.booking, effects, reported)
        elif new.booking is not None and old.booking is not None:
            genuine = any(
                (b.token_id, b.user, b.role) == (new.booking.token_id, old.booking.user, old.booking.role)
                and b.device_generation >= old.booking.device_generation
                for b in self.sessions.values()
            )
            kept = (new.booking.ends_at_s, new.booking.permissions) == (old.booking.ends_at_s, old.booking.permissions)
            if not (genuine and kept):
                self.fail("booking_changed", "the running booking is another one without a newer device of its user")

    def _began(
        self, old: Tenure, booking: Booking, effects: tuple[Effect, ...], reported: list[EventKind | None]
    ) -> None:
        """ACC-3 to ACC-6, ACC-11, CLK-2, BKG-1."""
        who = f"booking {booking.booking_id.hex()[-4:]}"
        if booking not in self.sessions.values():
            self.fail("started_without_its_phone", who)
        if booking.booking_id in old.dead:
            self.fail("dead_booking_revived", who)
        if booking.token_id in old.revoked | self.disk.revoked:
            self.fail("revoked_booking_started", who)
        if booking.module_id != self.world.device.profile.module_id:
            self.fail("foreign_booking_started", who)
        if dict(old.newest).get((booking.user, booking.key_epoch), 0) > booking.device_generation:
            self.fail("replaced_device_started", who)
        if not self.clock.told:
            self.fail("started_without_time", f"{who}: nobody has said the time since the boot")
        early, late = self.clock.early_ms(), self.clock.late_ms()
        now = self.world.utc_ms
        if not booking.not_before_s * 1000 - early <= now < booking.ends_at_s * 1000 + late:
            self.fail("started_outside_its_window", f"{who}, clock {early} ms fast or {late} ms slow at most")
        too_early = self.world.heap.now < self.deadline(old).earliest - 1_800_000
        if old.driver is not None and old.released and self.parked_for() < 5_000:
            self.fail("taken_over_too_early", f"{who}: a key drives, parked for {self.parked_for()} ms")
        if old.booking is not None and (too_early or self.parked_for() < 5_000):
            self.fail("taken_over_too_early", f"{who}: parked for {self.parked_for()} ms")
        if EventKind.BOOKING_STARTED not in reported:
            self.fail("start_not_reported", who)
        if not any(isinstance(e, Persist) and e.required for e in effects):
            self.fail("started_before_durable", who)

    def _ended(
        self,
        old: Tenure,
        new: Tenure,
        effects: tuple[Effect, ...],
        reported: list[EventKind | None],
    ) -> None:
        """CUT-1 to CUT-3, BKG-2, BKG-3: why a booking may end, and what has to happen with it."""
        assert old.booking is not None
        self.privacy.may_be_told(owed=old.booking.role is not Role.OWNER and self.fix_known)
        if self.parked_for() < 5_000:
            self.fail("taken_from_a_moving_car", f"a booking ends, parked for {self.parked_for()} ms")
        if self.moving:
            self.fail("taken_from_a_moving_car", "a booking ends")
        cut = EventKind.BOOKING_CUT_OFF in reported
        if not cut and EventKind.BOOKING_ENDED not in reported:
            self.fail("end_not_reported", "a booking ends")
        if not any(isinstance(e, Actuate) and e.action is Action.ARM_IMMOBILISER for e in effects):
            self.fail("not_armed", "a booking ends and the immobiliser stays released")
        if cut:
            early = self.deadline(old).earliest - self.world.heap.now
            if early > 0:
                self.fail("cut_off_too_early", f"{early} ms")
            held = {link for link, b in self.sessions.items() if b.token_id == old.booking.token_id}
            there = {link.id for link in self.world.device.state.links}
            kept = (held & there) - self.hung_up - {e.link for e in effects if isinstance(e, HangUp)}
            if kept:
                self.fail("link_kept_after_cutoff", f"links {kept}")
            return
        cause = self.cause
        holder = None if cause is None else self.sessions.get(cause.link)
        asked = (
            cause is not None
            and cause.request.operation is Operation.END_BOOKING
            and holder is not None
            and (holder.booking_id, holder.token_id) == (old.booking.booking_id, old.booking.token_id)
        )
        if asked and self.doors_open:
            self.fail("ended_with_open_doors", "the driver was not told to close them")
        ordered = old.ordered_at >= 0 or old.named or names(self.signed, old.booking)
        ordered = ordered or orders(self.signed, old.booking, self.ram, self.clock)
        if not (asked or ordered or new.booking is not None or self.deeds.changes):
            self.fail("ended_by_nobody", "no driver, order or other booking")

    def _late(self, tenure: Tenure) -> None:
        """CUT-4, and the same for an ordered end: one second after its conditions hold, no booking is alive."""
        if tenure.booking is None:
            return
        parked = self.parked_for()
        if parked < 5_000:
            return
        now = self.world.heap.now
        ready_at = now - (parked - 5_000)
        late = now - max(self.deadline(tenure).latest, ready_at)
        if late > 1_000:
            self.fail("not_cut_off", f"overdue and parked, and alive {late} ms later")
        if tenure.ordered_at >= 0 and now > max(tenure.ordered_at, ready_at) + 1_000:
            self.fail("order_not_carried_out", "ordered to end and parked for longer than a second")

    # ------------------------------------------------------------ actions
    def _ordered(self, effect: Actuate, held: list[Tenure], event: Event, booting: bool) -> None:
        """An action is ordered: who asked for it?"""
        old, new = held[0], held[-1]
        match effect.action:
            case Action.ARM_IMMOBILISER:
                self._takes(old, event, booting)
            case Action.LOCK:
                self._locks(held, effect)
            case Action.RELEASE_IMMOBILISER if not effect.command_id:
                if not (booting and old.may_drive):
                    self.fail("released_without_command", f"at {type(event).__name__}")
            case _:
                self._gives(effect, new)

    def _locks(self, held: list[Tenure], effect: Actuate) -> None:
        """The module never locks by itself (CUT-7)."""
        cause = self.cause
        booking = None if cause is None else self.sessions.get(cause.link)
        if cause is None or cause.request.operation not in (Operation.LOCK, Operation.END_BOOKING):
            self.fail("locked_by_itself", "nobody asked")
            return
        if cause.link in self.locksmith.sessions:
            self.locksmith.gives(effect, cause.request.operation, cause.link)
            return
        # A request may also be what starts its booking, and the same request may end it.
        admitted = {tenure.booking.booking_id for tenure in held if tenure.booking is not None}
        if booking is None or booking.booking_id not in admitted:
            self.fail("locked_without_admission", "somebody without the car asked")

    def _takes(self, old: Tenure, event: Event, booting: bool) -> None:
        """Nothing is taken away from a moving car, or from one of which nobody knows (CUT-3)."""
        if not old.may_drive:
            return
        if booting:
            self.fail("taken_at_boot", "the immobiliser is armed although a running booking may drive")
        car = self.world.car
        if self.moving and not car.by_key and not car.immobilised:
            self.fail("taken_from_a_moving_car", "the immobiliser is armed")
        # A release that nobody saw happen was not given yet.
        failed = isinstance(event, ActuationFinished) and not event.confirmed
        if self.parked_for() < 5_000 and not failed:
            self.fail("taken_from_an_unknown_car", f"armed, parked for {self.parked_for()} ms")

    def _gives(self, effect: Actuate, new: Tenure) -> None:
        """ACC-1 to ACC-3, ACC-7: only to the phone that holds the running booking, each command once."""
        cause = self.cause
        what = effect.action.value
        booking = None if cause is None else self.sessions.get(cause.link)
        if cause is not None and cause.link in self.locksmith.sessions:
            self.locksmith.gives(effect, cause.request.operation, cause.link)
            return
        if cause is None or booking is None:
            self.fail("moved_without_admission", what)
            return
        self.deeds.moves(what)
        running = new.booking
        if running is None or (booking.token_id, booking.booking_id) != (running.token_id, running.booking_id):
            self.fail("moved_without_admission", f"{what} by a booking that has not the car")
            return
        wanted = {Action.UNLOCK: Operation.UNLOCK, Action.RELEASE_IMMOBILISER: Operation.ENABLE_DRIVE}
        if wanted.get(effect.action, cause.request.operation) is not cause.request.operation:
            self.fail("another_action", f"{what} for {cause.request.operation.name}")
        if not running.permissions & NEEDS[cause.request.operation]:
            self.fail("moved_without_permission", what)
        if running.booking_id in new.dead or (running.token_id in new.revoked and new.ordered_at < 0):
            self.fail("moved_for_a_dead_booking", what)
        self.once(booking.user, effect.command_id, what)

    def once(self, user: bytes, command_id: bytes, what: str, *, durable: bool = True) -> None:
        """ACC-7, PWR-1: a command moves something once, and only when it is on the disk."""
        if (user, command_id) in self.executed:
            self.fail("command_executed_twice", what)
        self.executed.add((user, command_id))
        remembered = self.world.device.disk.durable
        known = remembered is not None and any(e.command_id == command_id for e in remembered.executed)
        if durable and not known:
            self.fail("moved_before_durable", what)

    # ------------------------------------------------------------ answers
    def _holds(self, link: int) -> bool:
        booking, running = self.sessions.get(link), self.ram.booking
        return (
            booking is not None
            and running is not None
            and (booking.token_id, booking.booking_id) == (running.token_id, running.booking_id)
        )

    def told(self, link: int, push: Push) -> None:
        """The module tells a phone something unasked."""
        if isinstance(push.body, Access):
            self._access(link, push.body)

    def _access(self, link: int, access: Access) -> None:
        if access.granted and not (self._holds(link) or self.locksmith.holds(link)):
            self.fail("granted_to_another", f"link {link} is told that it has access{self.locksmith.reason(link)}")
        if access.refusal is not None:
            self.reasons(access.refusal)
            self._refused_the_holder(link, access.refusal)

    def reasons(self, refusal: Refusal) -> None:
        """ACC-8."""
        self.world.reach(f"code: {refusal.code.name}")
        if not refusal.rule or not refusal.remedy or refusal.code == 0:
            self.fail("refused_without_reason", refusal.code.name)

    def answered(self, link: int, reply: Reply) -> None:
        """The module answers a request."""
        body = reply.body
        cause = self.cause if self.cause is not None and self.cause.link == link else None
        match body:
            case Refusal():
                self.reasons(body)
                self._refused_the_holder(link, body)
            case Status():
                self._access(link, body.access)
                if body.vehicle is not None and not (self._holds(link) or self.locksmith.holds(link)):
                    self.fail("car_shown_to_another", f"link {link}")
            case Position():
                running = self.ram.booking
                mine = self._holds(link) and running is not None and running.permissions & 8
                if not (mine or self.locksmith.holds(link, 8)):
                    self.fail("located_without_admission", f"link {link}")
            case Done() | Ended():
                self._outcome(link, self.asked.get((link, reply.id), b""))
            case Nonce():
                # It may be shared with whoever asked for it before.
                self.nonces[body.nonce] = self.nonces.pop(body.nonce, self.world.device.mono)
            case Accepted() if cause is not None and isinstance(cause.signed, TimeAttestation):
                age = self.world.device.mono - self.nonces.pop(cause.signed.nonce, -1_000_000)
                if age > 330_000:
                    self.fail("time_replayed", "an attestation for no nonce of the last minutes was accepted")
            case Outcome() if cause is not None:
                self._remembered(link, cause.request.command_id, body)
            case _:
                pass

    def _refused_the_holder(self, link: int, refusal: Refusal) -> None:
        """CUT-1: until 30:00 after its end everything works for whoever has the car."""
        in_time = self._holds(link) and self.world.heap.now < self.deadline(self.ram).earliest
        if in_time and refusal.code not in MAY_REFUSE_THE_HOLDER:
            self.fail("refused_the_holder", refusal.code.name)
        self.locksmith.refused(link, refusal)
        self._forgotten(link, refusal)
        if refusal.code is Code.PERMISSION_MISSING and self._holds(link) and self.cause is not None:
            running = self.ram.booking
            assert running is not None
            if running.permissions & NEEDS.get(self.cause.request.operation, 0):
                self.fail("refused_the_holder", "a permission that it carries")

    def _outcome(self, link: int, command_id: bytes) -> None:
        user = self._user(link)
        if user is not None and command_id:
            self.done = [*self.done, (user, command_id)][-30:]

    def _forgotten(self, link: int, refusal: Refusal) -> None:
        """ACC-7: the last 64 are remembered; 30 of them all the more."""
        user = self._user(link)
        if refusal.code is not Code.OUTCOME_UNKNOWN or user is None or self.cause is None:
            return
        if (user, self.cause.request.command_id) in self.done:
            self.fail("outcome_forgotten", "a command that was acknowledged")

    def _remembered(self, link: int, command_id: bytes, outcome: Outcome) -> None:
        """ACC-7: what was acknowledged is what is remembered, also after a reboot."""
        user = self._user(link)
        if user is None:
            self.fail("outcome_told_to_nobody", f"link {link}")
            return
        key = (user, command_id)
        if key in self.done and outcome.code not in (Code.OK, Code.OVERDUE, Code.OUTSIDE_HOME_AREA):
            self.fail("two_outcomes", f"acknowledged, and now {outcome.code.name}")
        if key not in self.given:
            self.fail("outcome_of_another", "the outcome of a command that this user never gave")

    # ------------------------------------------------------------ strangers
    def let_in(self, link: int) -> None:
        """A handshake may go on (after five failures in a minute nobody who has failed tries)."""
        mono = self.world.device.mono
        if link in self.failed and len([at for at in self.failures if mono - at < 60_000]) >= 5:
            self.fail("handshakes_unlimited", f"link {link}")

    def refused_handshake(self, link: int, refusal: Refusal) -> None:
        """Who is refused has failed himself, and is told so: a stranger's failures keep no driver out (ACC-1)."""
        if link not in self.failed and any(link == known.id for known in self.world.device.state.links):
            self.fail("kept_out_by_others", f"link {link}")
        self.reasons(refusal)
