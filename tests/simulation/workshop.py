"""The auditor of a dealer's self-test: the one thing that moves a car that nobody owns (OWN-1)."""

from typing import TYPE_CHECKING, Final

from firmware.core.effects import Actuate, AnswerTested, Effect
from firmware.core.events import Action, ActuationFinished, Event, RequestReceived
from protocol.errors import Role
from protocol.messages import Operation

if TYPE_CHECKING:
    from tests.simulation.auditor import Auditor

STEPS: Final = (Action.LOCK, Action.UNLOCK, Action.LOCK, Action.RELEASE_IMMOBILISER, Action.ARM_IMMOBILISER)


class Workshop:
    """Looks at self-tests of one module."""

    def __init__(self, auditor: "Auditor") -> None:
        self.auditor = auditor
        self.step = -1
        """How many steps of the test that goes on have been ordered, -1: none does."""

    def booting(self) -> None:
        """No test goes on over a reboot."""
        self.step = -1

    def orders(self, effect: Actuate, event: Event) -> bool:
        """Whether this action is a step of a test; then it is judged."""
        auditor = self.auditor
        if isinstance(event, RequestReceived) and event.request.operation is Operation.SELF_TEST:
            key = auditor.locksmith.sessions.get(event.link)
            if key is None or key.role is not Role.SERVICE or auditor.locksmith.verdict(key, 0).no:
                auditor.fail("tested_by_nobody", "a self-test without a dealer's key")
            self.step = 0
        elif self.step < 0 or not isinstance(event, ActuationFinished) or effect.command_id == b"":
            return False
        if auditor.ram.booking is not None or auditor.ram.driver is not None:
            auditor.fail("tested_in_use", "somebody has the car")
        if auditor.parked_for() < 5_000 and effect.action not in (Action.LOCK, Action.UNLOCK):
            auditor.fail("tested_unparked", f"{effect.action.value}, parked for {auditor.parked_for()} ms")
        if self.step >= len(STEPS) or effect.action is not STEPS[self.step]:
            auditor.fail("another_action", f"{effect.action.value} as step {self.step} of a self-test")
        self.step += 1
        return True

    def told(self, effects: tuple[Effect, ...]) -> None:
        """It is over: with everything confirmed the car is locked and armed, whatever it was before."""
        for effect in effects:
            if isinstance(effect, AnswerTested):
                passed = all(result.passed for result in effect.report.results[-2:])
                car = self.auditor.world.car
                if passed and (self.step != len(STEPS) or not (car.locked and car.immobilised)):
                    self.auditor.fail("passed_untested", f"after {self.step} steps")
                self.step = -1
                self.auditor.world.reach("tested: passed" if passed else "tested: failed")
