"""The auditor of the SIM and of emergency calls, from docs/requirements.md and the truth alone (SVC-3 to SVC-8).

A SIM that is not active carries nothing but an emergency call. A crash calls at once, ahead of everything, and again
every five seconds until somebody answers; never for what is twenty minutes old, and only with a service that is active.
"""

from typing import TYPE_CHECKING, Final

from firmware.core.effects import CallEmergency, Effect
from firmware.core.events import (
    CrashDetected,
    EmergencyAcknowledged,
    EmergencyCancelled,
    EmergencyPressed,
    Event,
)
from firmware.core.state import Durable, State
from protocol.orders import ServicePlan
from tests.simulation.rescue import FAR_AWAY, PLANS, Bought

if TYPE_CHECKING:
    from tests.simulation.auditor import Auditor

AGAIN_MS: Final = 5_000
STALE_MS: Final = 1_200_000
THINKS_MS: Final = 10_000
SPEAKS_WITHIN_MS: Final = 3_500
"""After a boot: the clock is given a moment to say how old the call is."""


class Subscriber:
    """Looks at what leaves one car over its SIM."""

    def __init__(self, auditor: "Auditor") -> None:
        self.auditor = auditor
        self.plan: ServicePlan | None = None
        self.raised_at: int | None = None
        """True time of the crash or the button that a call is about; None: there is no call."""
        self.last_at: int | None = None
        """The same of a call that was answered last."""
        self.number = 0
        self.message = 0
        self.durable_message = 0
        self.life = 0
        """Of the module, in which the call was raised."""
        self.called_at = -1
        """Module time of the last message in this life, -1: none."""
        self.pressed_at = -1
        self.over: set[int] = set()
        """Calls that were answered, and the disk knows it."""
        self.answered: set[int] = set()
        """Those that were answered in this life."""
        self.kept = False
        """Whether the call is on the disk."""

    def booting(self) -> None:
        """A call that was durable goes on; its last message may not have been."""
        self.called_at = self.pressed_at = -1
        self.message = min(self.message, self.durable_message)
        self.answered.clear()
        if not self.kept:
            self.raised_at = None
        elif self.raised_at is None:
            self.raised_at = self.last_at  # the answer was not durable when the power failed

    def card_replaced(self, stored: Durable) -> None:
        """An older card, or none: what was bought is what it says, and a call may be lost with it, or go on."""
        self.plan = stored.services
        self.kept, self.message = stored.call is not None, 0
        if not self.kept:
            self.raised_at = None

    # ------------------------------------------------------------ what is true
    def bought(self) -> Bought | None:
        """What the newest plan brings; None: nobody has ever said."""
        plan = self.plan
        if plan is None:
            return None
        known = (each for each in PLANS.values() if (each.packs, each.base_active) == (plan.packs, plan.base_active))
        return next(known)

    @property
    def active(self) -> bool:
        """Whether anything but a call may leave."""
        return self.plan is None or self.plan.base_active

    @property
    def callable(self) -> bool:
        """Whether any emergency service is active."""
        bought = self.bought()
        legal = self.auditor.world.device.profile.vehicle.legal_ecall
        return legal or bought is None or bought.intelligent or bought.legal

    def hears(self, event: Event) -> None:
        """A fact is about to be told."""
        world = self.auditor.world
        match event:
            case CrashDetected() if self.raised_at is None and self.callable:
                self.raised_at, self.life = world.heap.now, world.device.life
                self.pressed_at = -1
            case EmergencyPressed() if self.pressed_at < 0 and self.raised_at is None:
                self.pressed_at = world.device.mono
            case EmergencyCancelled():
                self.pressed_at = -1
            case EmergencyAcknowledged(number) if number == self.number and self.raised_at is not None:
                self.answered.add(number)
                self.raised_at, self.last_at = None, self.raised_at
                world.reach("call: answered")
            case _:
                pass

    def committed(self, durable: Durable) -> None:
        """The disk has it."""
        signed = [order.details for order in self.auditor.world.backend.orders]
        if durable.services is not None and durable.services is not self.plan and durable.services not in signed:
            self.auditor.fail("plan_invented", repr(durable.services))
        self.kept = durable.call is not None
        self.durable_message = 0 if durable.call is None else durable.call.message
        if not self.kept:
            self.over |= self.answered

    def adopted(self, event: Event, state: State, effects: tuple[Effect, ...]) -> None:
        """The module has decided."""
        plan = state.durable.services
        if plan is not self.plan:
            if plan is not None and self.plan is not None and plan.number < self.plan.number:
                self.auditor.fail("plan_fell", f"from {self.plan.number} to {plan.number}")
            self.plan = plan
        calls = [effect for effect in effects if isinstance(effect, CallEmergency)]
        for effect in calls:
            self._calls(effect)
        if isinstance(event, CrashDetected) and self.raised_at == self.auditor.world.heap.now and not calls:
            self.auditor.fail("call_not_made", "a crash, and nobody is called at once")
        if state.durable.call is None and self.raised_at is not None:
            self._given_up()
        self._silent()

    def _given_up(self) -> None:
        """It is not answered, and is called no more: it is too old, or no service is active any longer."""
        assert self.raised_at is not None
        clock = self.auditor.clock
        age = self.auditor.world.heap.now - self.raised_at
        if self.callable and age + clock.early_ms() + clock.late_ms() + 3_000 < STALE_MS:
            self.auditor.fail("call_given_up", f"after {age} ms")
        self.auditor.world.reach("call: given up")
        self.raised_at = None

    def _silent(self) -> None:
        """Repeated until answered."""
        if self.raised_at is None:
            return
        mono = self.auditor.world.device.mono
        quiet = mono - self.called_at if self.called_at >= 0 else mono
        if quiet > (AGAIN_MS + 1_000 if self.called_at >= 0 else SPEAKS_WITHIN_MS) and self.kept:
            self.auditor.fail("call_not_repeated", f"silent for {quiet} ms")

    def _calls(self, effect: CallEmergency) -> None:
        fail, world, mono = self.auditor.fail, self.auditor.world, self.auditor.world.device.mono
        if effect.call in self.over | self.answered:
            fail("called_after_the_answer", f"call {effect.call}")
        if self.raised_at is None:
            if self.pressed_at < 0 or mono - self.pressed_at < THINKS_MS:
                fail("called_for_nothing", "no crash, and nobody pressed the button for ten seconds")
            self.raised_at, self.pressed_at, self.life = world.heap.now, -1, world.device.life
        if not self.callable:
            fail("called_without_a_service", f"call {effect.call}")
        unsure_ms = self.auditor.clock.early_ms() + self.auditor.clock.late_ms()
        # After a power cut nobody knows how old a call is that no clock has dated, and it does not say.
        aged = effect.msd.at_s > 0 or self.life == world.device.life
        if aged and world.heap.now - self.raised_at > STALE_MS + unsure_ms:
            fail("stale_call_sent_as_live", f"{world.heap.now - self.raised_at} ms after it was raised")
        if effect.call == self.number and effect.msd.message <= self.message:
            fail("call_not_counted", f"message {effect.msd.message} after {self.message}")
        self.number, self.message, self.called_at = effect.call, effect.msd.message, mono
        world.reach("call: repeated" if effect.msd.message > 1 else "call: made")
        if not self.active:
            world.reach("call: on a blocked SIM")

    # ------------------------------------------------------------ what leaves
    def leaves(self, channel: str) -> None:
        """Something is handed over to the ordinary line (SVC-4, SVC-5)."""
        if not self.active:
            self.auditor.fail("byte_on_a_blocked_sim", f"on {channel}")

    def moves_from_afar(self, what: str) -> None:
        """SVC-3, SVC-7: an order from afar is carried out."""
        bought = self.bought()
        if bought is not None and not bought.remote:
            self.auditor.fail("service_not_bought", what)
        if bought is not None and self.auditor.world.serving == FAR_AWAY:
            self.auditor.fail("moved_out_of_territory", what)
