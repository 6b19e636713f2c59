"""For whom driving is possible: a booking, or a digital key, and how it ends (CUT-3, CUT-4, KEY-6).

Decides what the immobiliser should be. A key never has the car as a booking has it: it makes driving possible, and
while it drives nothing is taken away; what has to be taken away is taken as soon as the car is parked.
"""

import msgspec

from firmware.core import keys, reporting, vehicle
from firmware.core.draft import Draft
from firmware.core.effects import Actuate
from firmware.core.events import Action
from firmware.core.state import Durable, State
from firmware.core.usage import Use
from protocol.errors import Refusal
from protocol.sharing import Key

replace = msgspec.structs.replace


def posture(durable: Durable) -> Action:
    """What the immobiliser should be: released for a live booking or a key that may drive, never by the absence of
    one."""
    released = durable.drive_enabled and (durable.trip.running or durable.driver_key is not None)
    return Action.RELEASE_IMMOBILISER if released else Action.ARM_IMMOBILISER


def is_of(durable: Durable, key: Key | None) -> bool:
    """Whether it is with this key that driving is possible, where it is; while a booking runs, it is with that."""
    return durable.trip.running or durable.driver_key == key


def begin(draft: Draft, key: Key | None) -> None:
    """Driving becomes possible: with `key`, or with the booking that runs, whoever of its user asks for it. The caller
    sees to it that this is durable first."""
    durable = draft.durable
    mine = None if durable.trip.running else key
    if durable.driver_key != mine:
        _log_over(draft, "another key")
        if mine is not None:
            reporting.use(draft, Use.STARTED, mine, mine.name)
    draft.keep(replace(draft.durable, drive_enabled=True, arm_when_parked=False, driver_key=mine))


def over(draft: Draft, reason: str = "") -> None:
    """Driving is possible no more. The caller arms the immobiliser."""
    _log_over(draft, reason)
    draft.keep(replace(draft.durable, drive_enabled=False, arm_when_parked=False, driver_key=None))


def spent(state: State, now: int) -> Refusal | None:
    """Why the key that drives may do so no more: nothing is taken from a moving car, it is armed when it is parked. A
    clock that is not certain ends no drive."""
    key = state.durable.driver_key
    return None if key is None else keys.spent(state, key, now)


def waits_for_parking(state: State, now: int) -> bool:
    """Whether the moment at which the car counts as parked changes something for the immobiliser."""
    return state.durable.arm_when_parked or spent(state, now) is not None


def settle(draft: Draft) -> None:
    """A car that was locked while it stood is armed as soon as it counts as parked, driving on calls that off; and one
    whose key died on the way."""
    durable, now = draft.durable, draft.now
    why = spent(draft.state, now)
    if not durable.arm_when_parked and why is None:
        return
    parked = vehicle.parked(draft.state.vehicle, now)
    if parked:
        over(draft, "" if why is None else why.code.name.lower())
        draft.order(Actuate(Action.ARM_IMMOBILISER))
    elif durable.arm_when_parked and vehicle.current(draft.state.vehicle, now).ignition_on:
        draft.keep(replace(durable, arm_when_parked=False))


def _log_over(draft: Draft, reason: str) -> None:
    key = draft.durable.driver_key
    if key is not None:
        reporting.use(draft, Use.ENDED, key, reason or key.name)
