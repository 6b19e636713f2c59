"""The loop around the core: take an event, step, make it durable, carry the effects out, sleep until the deadline.

Plumbing only. What a step permits waits for the disk; what it denies, locks, arms or hangs up does not wait.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Final

import structlog

from firmware import VERSION
from firmware.answers import Spoken, acknowledges, spoken, turns, unacknowledged
from firmware.core import module, sim
from firmware.core.airtime import Airtime, airtime
from firmware.core.effects import (
    Actuate,
    AnswerMenu,
    CallEmergency,
    Effect,
    EndEmergency,
    HangUp,
    Persist,
    Say,
    TryCode,
)
from firmware.core.events import (
    Action,
    ActuationFinished,
    BrokerConnected,
    BrokerLost,
    CodeTried,
    EmergencyAcknowledged,
    Event,
    LinkLost,
    LinkOpened,
    StorageFailed,
    Ticked,
    VehicleSampled,
)
from firmware.core.state import Profile, State
from firmware.gate import Gate
from firmware.gateway import Gateway, Heard
from firmware.keeper import Keeper
from firmware.menu import Menu
from firmware.outbox import Courier
from firmware.patience import Patience
from firmware.ports import BrokerPort, EmergencyPort, LinkId, RadioPort, StorePort, VehicleFact, VehiclePort
from firmware.switchboard import Switchboard
from firmware.witness import Witness

MOST_EVENTS: Final = 512
"""Events that may wait. What comes from outside may fill half of it; the rest is for facts that nobody repeats: a
link that is gone, an action that is finished, what the broker has acknowledged."""
ACTUATION_WITHIN_S: Final = 2.0

Observer = Callable[[Event, State, tuple[Effect, ...]], None]

log = structlog.get_logger("sharebox")


class Pump:
    """One module at work. `monotonic_ms` must not go back; `observer` sees every step after it was adopted, `witness`
    everything that comes in and goes out."""

    def __init__(  # noqa: PLR0913 - everything around a module, once
        self,
        profile: Profile,
        gateway: Gateway,
        *,
        radio: RadioPort,
        vehicle: VehiclePort,
        store: StorePort,
        broker: BrokerPort | None,
        emergency: EmergencyPort | None = None,
        monotonic_ms: Callable[[], int],
        observer: Observer | None = None,
        witness: Witness | None = None,
    ) -> None:
        self._profile = profile
        self._gateway = gateway
        self._radio = radio
        self._vehicle = vehicle
        self._gate = None if broker is None else Gate(broker, "the SIM is for no telemetry", opened=True)
        self._emergency = emergency
        self._now = monotonic_ms
        self._observer = observer
        self._witness = witness or Witness()
        gateway.overhear(self._witness.drew)
        self._events: asyncio.Queue[Event] = asyncio.Queue(MOST_EVENTS)
        self._doors: asyncio.Queue[Actuate] = asyncio.Queue(MOST_EVENTS)
        self._immobiliser: asyncio.Queue[Actuate] = asyncio.Queue(MOST_EVENTS)
        self._switchboard = Switchboard(radio)
        self._store = Patience(store, lambda: module.patience_ms(self.state, self._now()), lambda: self.post(Ticked()))
        self._keeper = Keeper(self._store, monotonic_ms, self.post)
        self._courier = Courier(
            self._keeper,
            self._gate,
            lambda: (self.state, self._now()),
            self.post,
            version=VERSION,
            witness=self._witness,
        )
        self._advised: Airtime | None = None
        self.menu = Menu(lambda: self.state, gateway.code_print, self.post)
        self.state: State
        self.started = asyncio.Event()

    # ------------------------------------------------------------ life
    async def run(self, first: tuple[Event, ...] = ()) -> None:
        """Boot from the store and work until cancelled. `first`: facts known at power-up, such as the RTC's time.

        Raises StoreFailed when the store can not be read; an ExceptionGroup with RadioUnavailable when the radio can
        not be opened, or with what the vehicle or the broker gave up on.
        """
        try:
            await self._live(first)
        finally:
            await self._store.close()

    async def _live(self, first: tuple[Event, ...]) -> None:
        durable, trouble = await self._keeper.recall(self._profile)
        now = self._now()
        self.state, effects = module.boot(durable, self._profile, now, trouble)
        self._witness.booted(durable, trouble, now, (self.state, effects))
        await self._carry_out(Ticked(), self.state, effects)
        for event in first:
            await self._step(event)
        async with asyncio.TaskGroup() as group:
            for actions in (self._doors, self._immobiliser):
                group.create_task(self._actuate(actions))
            group.create_task(self._vehicle.run(self._vehicle_told))
            if self._gate is not None:
                group.create_task(self._gate.run(self._broker_connected, self._broker_lost, self._broker_said))
                group.create_task(self._courier.run())
            if self._emergency is not None:
                group.create_task(self._emergency.run(self._emergency_acknowledged))
            try:
                await self._radio.start(self)
                self.started.set()
                await self._work()
            finally:
                await self._switchboard.close()
                await self._radio.stop()

    def post(self, event: Event) -> None:
        """Tell the core a fact. One that finds no room takes the place of the oldest that comes again by itself, or of
        the oldest when there is none."""
        if self._events.full():
            log.warning("event queue full", event_type=type(event).__name__)
            self._make_room()
        self._events.put_nowait(event)
        self._witness.posted(event)

    def _make_room(self) -> None:
        waiting = [self._events.get_nowait() for _ in range(self._events.qsize())]
        gone = next((at for at, event in enumerate(waiting) if isinstance(event, VehicleSampled | Ticked)), 0)
        for event in (*waiting[:gone], *waiting[gone + 1 :]):
            self._events.put_nowait(event)

    def _crowded(self) -> bool:
        return self._events.qsize() >= MOST_EVENTS // 2

    async def _work(self) -> None:
        while True:
            try:
                event = self._events.get_nowait()
            except asyncio.QueueEmpty:
                event = await self._wait()
            await self._step(event)

    async def _wait(self) -> Event:
        deadline = module.next_deadline(self.state, self._now())
        if self._keeper.due_at_ms is not None:
            deadline = min(deadline, self._keeper.due_at_ms)
        try:
            async with asyncio.timeout(max(0, deadline - self._now()) / 1000):
                return await self._events.get()
        except TimeoutError:
            return Ticked()

    # ------------------------------------------------------------ one step, one transaction
    async def _step(self, event: Event) -> None:
        state, effects = self._decide(event)
        if any(isinstance(effect, Persist) and effect.required for effect in effects):
            if await self._save(state, effects):
                await self._carry_out(event, state, effects, saved=True)
                return
            state, effects = self._decide(StorageFailed(event))
        await self._carry_out(event, state, effects)

    def _decide(self, event: Event) -> tuple[State, tuple[Effect, ...]]:
        now = self._now()
        made = module.step(self.state, event, now)
        self._witness.stepped(event, now, made)
        return made

    async def _save(self, state: State, effects: tuple[Effect, ...]) -> bool:
        saved = await self._keeper.save(state, effects)
        self._witness.saved(saved, owes_state=self._keeper.owes_state)
        return saved

    async def _carry_out(self, event: Event, state: State, effects: tuple[Effect, ...], *, saved: bool = False) -> None:
        """Adopt the state; restrict and hang up at once (CUT-4); acknowledge only what is durable."""
        self.state = state
        self._advise(state)
        if self._gate is not None:
            self._gate.set(sim.uplink(state))
        self._courier.guard()
        at_once, later = turns(effects)
        for at in at_once:
            self._perform(effects[at])
        if not saved and (self._keeper.is_due or any(isinstance(effect, Persist) for effect in effects)):
            saved = await self._save(state, effects)
        durable = saved or not self._keeper.owes_state
        for at in later:
            effect = effects[at]
            self._perform(unacknowledged(effect) if acknowledges(effect) and not durable else effect)
        self._courier.wake(stored=saved)
        if self._observer is not None:
            self._observer(event, state, effects)

    def _perform(self, effect: Effect) -> None:
        heard, flooded = Heard(), False
        match effect:
            case Actuate():
                immobiliser = effect.action in (Action.RELEASE_IMMOBILISER, Action.ARM_IMMOBILISER)
                (self._immobiliser if immobiliser else self._doors).put_nowait(effect)
            case HangUp(link):
                self._switchboard.hang_up(link)
            case TryCode(code, ticket):
                self.post(CodeTried(code, ticket))
            case AnswerMenu(ticket, refusal):
                self.menu.answered(ticket, refusal)
            case Say(record):
                self._courier.say(record)
            case CallEmergency() | EndEmergency():
                self._in_emergency(effect)
            case _ if isinstance(effect, Spoken):
                heard = spoken(self._gateway, effect)
                flooded = self._floods(heard)
            case _:
                return
        self._witness.did(effect, heard, flooded=flooded)
        if isinstance(effect, Spoken):
            self._heard(effect.link, heard, flooded)

    # ------------------------------------------------------------ the car
    def _vehicle_told(self, fact: VehicleFact) -> None:
        """A sample that finds no room is dropped: the next one says more. Nobody repeats the other facts."""
        if not (isinstance(fact, VehicleSampled) and self._crowded()):
            self.post(fact)

    async def _actuate(self, actions: asyncio.Queue[Actuate]) -> None:
        """One action at a time, each answered within a bound. Doors that are stuck do not delay arming (CUT-4)."""
        while True:
            order = await actions.get()
            confirmed = False
            with suppress(TimeoutError):
                async with asyncio.timeout(ACTUATION_WITHIN_S):
                    confirmed = await self._vehicle.actuate(order.action)
            self.post(ActuationFinished(order.action, confirmed, order.command_id))

    # ------------------------------------------------------------ the links
    def _advise(self, state: State) -> None:
        advice = airtime(state, self._now())
        if advice != self._advised:
            self._advised = advice
            self._radio.advise(advice)

    def link_opened(self, link: LinkId, payload: int) -> None:
        """See `ports.LinkListener`."""
        self._gateway.opened(link, payload)
        self._witness.opened(link, payload)
        self._switchboard.opened(link)
        self.post(LinkOpened(link))

    def payload_changed(self, link: LinkId, payload: int) -> None:
        """See `ports.LinkListener`."""
        self._gateway.payload_changed(link, payload)
        self._witness.payload_changed(link, payload)

    def fragment_received(self, link: LinkId, fragment: bytes) -> None:
        """See `ports.LinkListener`."""
        now = self._now()
        heard = self._gateway.received(link, fragment, now)
        flooded = self._floods(heard)
        self._witness.heard(link, fragment, now, heard, flooded=flooded)
        self._heard(link, heard, flooded)

    def link_closed(self, link: LinkId) -> None:
        """See `ports.LinkListener`."""
        self._gateway.closed(link)
        self._witness.closed(link)
        self._switchboard.closed(link)
        self.post(LinkLost(link))

    def _floods(self, heard: Heard) -> bool:
        return bool(heard.events) and self._crowded()

    def _heard(self, link: LinkId, heard: Heard, flooded: bool) -> None:
        if flooded:
            log.warning("link floods", link=link)
            self._gateway.closed(link)
            self._switchboard.hang_up(link)
            return
        self._switchboard.send(link, heard.fragments)
        for event in heard.events:
            self.post(event)
        if heard.hang_up:
            self._switchboard.hang_up(link)

    # ------------------------------------------------------------ the emergency centre
    def _in_emergency(self, effect: CallEmergency | EndEmergency) -> None:
        match effect:
            case _ if self._emergency is None:
                log.warning("there is no line for emergency calls")
            case CallEmergency(number, message, lasts_s):
                self._emergency.call(number, message, lasts_s)
            case EndEmergency():
                self._emergency.hang_up()

    def _emergency_acknowledged(self, number: int) -> None:
        self.post(EmergencyAcknowledged(number))

    # ------------------------------------------------------------ the broker
    def _broker_connected(self) -> None:
        self.post(BrokerConnected())

    def _broker_lost(self) -> None:
        self.post(BrokerLost())

    def _broker_said(self, topic: str, payload: bytes, correlation: bytes) -> None:
        if self._crowded():
            log.warning("order dropped, too many at once")
            return
        event = self._gateway.order(topic, payload, correlation)
        self._witness.ordered(topic, payload, correlation, event)
        self.post(event)
