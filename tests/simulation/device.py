"""A module in the simulator: the real core behind the pump's rules, on the simulator's time.

As `firmware.pump` and `firmware.outbox` do it: what permits waits for the disk, what denies does not, only what is
durable is acknowledged, one publication at a time, and each record is forgotten when the broker has acknowledged it.
"""

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import msgspec

from firmware.core import module, reporting, sim
from firmware.core.effects import (
    Actuate,
    Answer,
    AnswerEnded,
    AnswerMenu,
    AnswerTested,
    CallEmergency,
    ContinueHandshake,
    Effect,
    HangUp,
    Persist,
    RefuseHandshake,
    Say,
    Tell,
    TryCode,
)
from firmware.core.events import (
    Action,
    ActuationFinished,
    CodeTried,
    Event,
    NetworkServing,
    StorageFailed,
    Ticked,
    TimeOffered,
    TimeSource,
)
from firmware.core.reports import Record
from firmware.core.state import Profile, State
from firmware.keeper import Keeper
from protocol.errors import Code, refuse
from protocol.messages import Accepted, Done, Outcome, Reply, SelfTested
from tests.simulation.disk import Disk, PowerFailed, at_once
from tests.simulation.uplink import Uplink
from tests.support.interface import watch

if TYPE_CHECKING:
    from tests.simulation.world import World

ACTS_AFTER_MS: Final = 200
GIVES_UP_AFTER_MS: Final = 2_000
SPINS: Final = 50
"""Ticks at one moment: more of them, and the module never sleeps."""


class Crashed(Exception):
    """The core raised, which it never may."""


class Device:
    """One module. `drift_ppm`: how much too fast its crystal runs."""

    def __init__(self, world: "World", profile: Profile, capacity: int, drift_ppm: int) -> None:
        self.world = world
        self.profile = profile
        self.disk = Disk(world, capacity)
        self.drift_ppm = drift_ppm
        self.powered = False
        self.life = 0
        """Counts the boots: what was begun in an earlier life is gone."""
        self.booted_at = 0
        self.state: State
        self.steps = 0
        self.keeper: Keeper
        self._tick_at = -1
        self.opened = True
        """Whether the SIM carries more than emergency calls."""
        self._spins = (0, 0)
        self._actions: tuple[deque[Actuate], deque[Actuate]] = (deque(), deque())
        """For the doors, and for the immobiliser."""
        self._acting = [False, False]
        self.uplink = Uplink(self)

    # ------------------------------------------------------------ time and power
    @property
    def mono(self) -> int:
        """Its monotonic clock, ms since it booted."""
        passed = self.world.heap.now - self.booted_at
        return passed + passed * self.drift_ppm // 1_000_000

    def boot(self, rtc_error_ms: int | None) -> None:
        """Power up; `rtc_error_ms` None: the RTC knows nothing."""
        if self.powered:
            return
        self.powered = True
        self.life += 1
        self.booted_at = self.world.heap.now
        self._actions = (deque(), deque())
        self._acting = [False, False]
        self.uplink.rest()
        self._tick_at = -1
        self.opened = True
        self.keeper = Keeper(self.disk, lambda: self.mono, lambda event: self.in_this_life(0, lambda: self.tell(event)))
        stored, trouble = at_once(self.keeper.recall(self.profile))
        self.world.auditor.booting(stored, trouble)
        try:
            self.state, effects = module.boot(stored, self.profile, self.mono, trouble)
            self._carry_out(Ticked(), None, self.state, effects)
        except PowerFailed:
            self.world.power_cut(2_000)
            return
        self.world.moment("booted")
        if rtc_error_ms is not None:
            self.world.auditor.offered("rtc", rtc_error_ms)
            self.tell(TimeOffered(TimeSource.RTC, self.world.utc_ms + rtc_error_ms))
        self.tell(NetworkServing(self.world.serving))
        if self.world.broker.up:
            self.in_this_life(3_000, self.world.connect_broker)

    def power_off(self) -> None:
        """From one moment to the next."""
        self.powered = False
        self.world.auditor.power_lost()
        self.world.ingest.power_lost(self.disk.durable, self.life)

    def in_this_life(self, delay_ms: int, do: Callable[[], None]) -> None:
        """Do it later, unless the module has lost its power until then."""
        life = self.life

        def later() -> None:
            if self.powered and self.life == life:
                do()

        self.world.heap.after(delay_ms, later)

    # ------------------------------------------------------------ one step, one transaction
    def tell(self, event: Event) -> None:
        """A fact reaches the core. A module without power hears nothing."""
        if not self.powered:
            return
        self.world.auditor.hears(event)
        try:
            self._step(event)
        except PowerFailed:
            self.world.power_cut(5_000)
            return
        self._sleep()

    def _call(self, event: Event) -> tuple[State, tuple[Effect, ...]]:
        self.steps += 1
        try:
            return module.step(self.state, event, self.mono)
        except Exception as error:
            raise Crashed(f"{type(error).__name__}: {error} at {event!r}") from error

    def _step(self, event: Event) -> None:
        state, effects = self._call(event)
        if any(isinstance(effect, Persist) and effect.required for effect in effects):
            if self._save(state, effects):
                self._carry_out(event, self.state, state, effects, saved=True)
                return
            state, effects = self._call(StorageFailed(event))
        self._carry_out(event, self.state, state, effects)

    def _carry_out(
        self, event: Event, before: State | None, state: State, effects: tuple[Effect, ...], *, saved: bool = False
    ) -> None:
        self.state = state
        opened, self.opened = self.opened, sim.uplink(state)
        if opened is not self.opened:
            self.world.gate(opened=self.opened)
        self.uplink.guard()
        if effects or before is None or state.durable is not before.durable:
            self.world.auditor.adopted(event, before, state, effects)
        acknowledgements = [effect for effect in effects if _acknowledges(effect)]
        for effect in effects:
            if not _acknowledges(effect):
                self._perform(effect)
        if not saved and (self.keeper.is_due or any(isinstance(effect, Persist) for effect in effects)):
            saved = self._save(state, effects)
        durable = saved or not self.keeper.owes_state
        for effect in acknowledgements:
            self._perform(effect if durable else _unacknowledged(effect))
        self.world.stepped(event, before, state, effects)
        self.uplink.wake()

    def _save(self, state: State, effects: tuple[Effect, ...]) -> bool:
        """The real keeper writes; it never has to wait, for the disk is one of the simulator's."""
        self.disk.writes = state.durable
        return at_once(self.keeper.save(state, effects))

    def _perform(self, effect: Effect) -> None:
        world = self.world
        match effect:
            case Actuate():
                which = 1 if effect.action in (Action.RELEASE_IMMOBILISER, Action.ARM_IMMOBILISER) else 0
                self._actions[which].append(effect)
                self._act(which)
            case Answer(link, reply):
                world.auditor.answered(link, reply)
                world.air.answer(link, reply)
            case AnswerEnded(link, request_id, code, body, _):
                reply = Reply(request_id, code, body)
                world.auditor.answered(link, reply)
                world.air.answer(link, reply)
            case Tell(link, push):
                world.auditor.told(link, push)
            case ContinueHandshake(link):
                world.auditor.let_in(link)
                world.air.handshake_answered(link, refused=False)
            case RefuseHandshake(link, refusal):
                world.auditor.refused_handshake(link, refusal)
                world.air.handshake_answered(link, refused=True)
            case HangUp(link):
                world.air.module_hangs_up(link)
            case Say(record):
                self._say(record)
            case AnswerTested(link, request_id, _):
                world.air.answer(link, Reply(request_id, Code.OK, SelfTested(b"signed")))
            case CallEmergency(number, _):
                world.centre.call(number)
            case TryCode(code, ticket):
                world.auditor.locksmith.tries(effect)
                self.in_this_life(0, lambda: self.tell(CodeTried(code, ticket)))
                world.moment("tried")
            case AnswerMenu(ticket, refusal):
                world.auditor.locksmith.answered_at_the_menu(effect)
                world.menu.answered(ticket, refusal)
            case _:
                pass

    def _sleep(self) -> None:
        """Wake at the next deadline, as the pump does."""
        due = module.next_deadline(self.state, self.mono)
        if self.keeper.due_at_ms is not None:
            due = min(due, self.keeper.due_at_ms)
        # The inverse of `mono`, rounded up.
        at = self.booted_at + -(-due * 1_000_000 // (1_000_000 + self.drift_ppm))
        at = max(at, self.world.heap.now)
        if at == self._tick_at:
            return
        self._tick_at = at
        self.in_this_life(at - self.world.heap.now, lambda: self._tick(at))

    def _tick(self, at: int) -> None:
        if self._tick_at != at:
            return
        moment, times = self._spins
        self._spins = (at, times + 1 if moment == at else 1)
        if self._spins[1] > SPINS:
            raise Crashed(f"it ticks for ever at {self.mono} ms")
        self._tick_at = -1
        self.tell(Ticked())

    # ------------------------------------------------------------ the car
    def _act(self, which: int) -> None:
        """One action at a time on the doors, one on the immobiliser, each answered within two seconds."""
        if self._acting[which] or not self._actions[which]:
            return
        self._acting[which] = True
        order = self._actions[which].popleft()
        car = self.world.car
        alive = car.actuators == "alive"
        if car.actuators == "slow":
            self.world.heap.after(GIVES_UP_AFTER_MS + 400, lambda: self._moved(order.action))
        elif car.actuators != "dead":
            self.in_this_life(ACTS_AFTER_MS, lambda: self._moved(order.action))
        delay = ACTS_AFTER_MS if alive else GIVES_UP_AFTER_MS
        # One that dies on the way moves nothing and confirms nothing.
        self.in_this_life(delay, lambda: self._acted(which, order, confirmed=alive and car.actuators == "alive"))

    def _moved(self, action: Action) -> None:
        self.world.car.act(action)
        self.world.car_changed()

    def _acted(self, which: int, order: Actuate, *, confirmed: bool) -> None:
        self._acting[which] = False
        self._act(which)
        self.tell(ActuationFinished(order.action, confirmed, order.command_id))

    # ------------------------------------------------------------ the courier
    def _say(self, answer: Record) -> None:
        """An answer that is no record: now or never."""
        if not (self.state.broker_connected and self.opened):
            return
        message = reporting.record_message(self.state, answer, self.mono)
        watch.said(self.profile.module_id, message)
        self.world.auditor.privacy.published(message.channel, message.payload)
        self.world.trace(message.payload)
        self.world.broker.publish(message, lambda _: None)


def _acknowledges(effect: Effect) -> bool:
    if isinstance(effect, Answer):
        return isinstance(effect.reply.body, Done | Accepted | Outcome)
    if isinstance(effect, Say):
        return effect.record.reason == "OK"
    return isinstance(effect, AnswerEnded) or (isinstance(effect, AnswerMenu) and effect.refusal is None)


def _unacknowledged(effect: Effect) -> Effect:
    assert isinstance(effect, Answer | AnswerEnded | AnswerMenu | Say)
    refusal = refuse(Code.STORAGE_FAILED, may_have_succeeded=True)
    if isinstance(effect, AnswerMenu):
        return AnswerMenu(effect.ticket, refusal)
    if isinstance(effect, Say):
        numbers = (("code", int(refusal.code)), ("pending", 0))
        return Say(msgspec.structs.replace(effect.record, reason=refusal.code.name, numbers=numbers))
    request_id = effect.reply.id if isinstance(effect, Answer) else effect.request_id
    return Answer(effect.link, Reply(request_id, refusal.code, refusal))
