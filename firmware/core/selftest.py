"""A dealer has the module show what it can do: radio, broker, satellites, clock, doors, immobiliser (OWN-1).

It works before there is an owner, and is the only thing that moves then. The car is parked and nobody's; it is locked,
unlocked and locked again, released and armed again, one after the other, each confirmed by the car: it ends locked and
armed, whatever fails on the way. What came of it the module signs.
"""

from typing import Final

import msgspec

from firmware.core import clock, geo, vehicle
from firmware.core.clock import Quality
from firmware.core.draft import Draft
from firmware.core.effects import Actuate, AnswerTested
from firmware.core.events import Action, ActuationFinished
from firmware.core.state import Link, SelfTest, State
from protocol.errors import Code, Refusal, Role, refuse
from protocol.selftest import MOST_DETAIL, Part, Report, Result

replace = msgspec.structs.replace

STEPS: Final = (Action.LOCK, Action.UNLOCK, Action.LOCK, Action.RELEASE_IMMOBILISER, Action.ARM_IMMOBILISER)
OF_DOORS: Final = frozenset({Action.LOCK, Action.UNLOCK})
FIX_LASTS_MS: Final = 60_000
"""A fix that is older says where the car was, not that the receiver works."""

_COMMAND: Final = b"selftest"


def asked(draft: Draft, link: Link, request_id: int) -> Refusal | None:
    """Begin, or say why not. The answer comes when it is over."""
    refused = _not_now(draft.state, link, draft.now)
    if refused is None:
        draft.state = replace(draft.state, testing=SelfTest(link.id, request_id))
        draft.order(Actuate(STEPS[0], _command(0)))
    return refused


def finished(draft: Draft, event: ActuationFinished) -> bool:
    """The car answered. True when it was to a step of the test: on to the next one, or the report."""
    test = draft.state.testing
    if test is None or event.command_id != _command(test.step):
        return False
    seen = vehicle.acted(draft.state.vehicle, event.action, confirmed=event.confirmed)
    counted = {"doors" if event.action in OF_DOORS else "immobiliser": 1} if event.confirmed else {}
    test = replace(
        test,
        step=test.step + 1,
        doors=test.doors + counted.get("doors", 0),
        immobiliser=test.immobiliser + counted.get("immobiliser", 0),
    )
    draft.state = replace(draft.state, vehicle=seen, testing=test)
    if test.step < len(STEPS) and _may_go_on(draft.state, STEPS[test.step], draft.now):
        draft.order(Actuate(STEPS[test.step], _command(test.step)))
    else:
        draft.state = replace(draft.state, testing=None)
        draft.order(AnswerTested(test.link, test.request_id, report(draft.state, test, draft.now)))
    return True


def report(state: State, test: SelfTest, now: int) -> Report:
    """What the module can say of itself at this moment, after the steps of `test`."""
    fix = geo.usable(state.vehicle.sample.fix)
    fix_age_ms = None if fix is None else max(0, now - fix.taken_at_ms)
    earliest, latest = clock.interval(state.clock, now)
    doors, immobiliser = (sum((step in OF_DOORS) is wanted for step in STEPS) for wanted in (True, False))
    results = (
        Result(Part.RADIO, passed=True, detail=len(state.links)),
        Result(Part.BROKER, passed=state.broker_connected),
        Result(Part.GNSS, fix_age_ms is not None and fix_age_ms <= FIX_LASTS_MS, _bounded(fix_age_ms)),
        Result(
            Part.CLOCK,
            clock.quality(state.clock, now) is Quality.SYNCED,
            None if latest is None else _bounded(latest - earliest),
        ),
        Result(Part.DOORS, test.doors == doors, test.doors),
        Result(Part.IMMOBILISER, test.immobiliser == immobiliser, test.immobiliser),
    )
    return Report(state.profile.module_id, clock.utc(state.clock, now) // 1000, results)


def _not_now(state: State, link: Link, now: int) -> Refusal | None:
    if link.credential is None or link.credential.role is not Role.SERVICE:
        return refuse(Code.ROLE_REQUIRED, remedy="Only a dealer's key tests a module.")
    if state.busy or state.durable.takeover is not None:
        return refuse(Code.BUSY)
    if state.durable.trip.running or state.durable.driver_key is not None:
        return refuse(Code.VEHICLE_IN_USE, remedy="Somebody has the car: test it when nobody has.")
    if not vehicle.parked(state.vehicle, now):
        return refuse(Code.NOT_PARKED, numbers=(("parked_ms", vehicle.parked_for_ms(state.vehicle, now)),))
    sample = vehicle.current(state.vehicle, now)
    if sample.doors_open or sample.boot_open:
        numbers = (("doors_open", int(bool(sample.doors_open))), ("boot_open", int(bool(sample.boot_open))))
        return refuse(Code.DOORS_OPEN, numbers=numbers)
    return None


def _may_go_on(state: State, action: Action, now: int) -> bool:
    """Locking hurts nobody. What has to do with the engine waits for no car that is not surely parked; one that was
    released is armed as soon as it is (`module`)."""
    return action in OF_DOORS or vehicle.parked(state.vehicle, now)


def _command(step: int) -> bytes:
    return _COMMAND + bytes([step])


def _bounded(value: int | None) -> int | None:
    return None if value is None else min(value, MOST_DETAIL)
