"""How eagerly the module shows itself on the air, and to whom (SPEC section 3.1).

Decides the pace of advertising by what may be expected: somebody who is about to come, or nobody. Decides for which key
epoch it can be recognised: a takeover makes strangers of all former holders. Refuses to know intervals, addresses and
beacons: they are the radio's.
"""

from enum import Enum, unique
from typing import Final

import msgspec

from firmware.core import vehicle
from firmware.core.events import CrashDetected, Event, LinkLost, LinkOpened, VehicleKeyUsed
from firmware.core.state import State

BRISK_FOR_MS: Final = 30_000
"""After something that makes it likely that a phone comes, or comes again (BLE-2)."""

_STIRRING: Final = (LinkOpened, LinkLost, VehicleKeyUsed, CrashDetected)


@unique
class Pace(Enum):
    """How often the module advertises."""

    BRISK = "brisk"
    CALM = "calm"
    SLOW = "slow"


class Airtime(msgspec.Struct, frozen=True, gc=False):
    """What the radio is advised. `key_epoch`: whose phones may recognise the module."""

    pace: Pace
    key_epoch: int


def stirs(event: Event) -> bool:
    """Whether `event` makes it likely that a phone comes soon. So does power-up."""
    return isinstance(event, _STIRRING)


def airtime(state: State, now: int) -> Airtime:
    """What the radio is advised at `now`."""
    stirred = now - state.stirred_at_ms < BRISK_FOR_MS
    return Airtime(Pace.BRISK if stirred else _settled(state, now), state.durable.key_epoch)


def slows_at_ms(state: State, now: int) -> int | None:
    """When the pace slackens though nothing happens; None: it does not. That the car has come to stand is told by
    samples, every second, and is worth no deadline of its own."""
    at = state.stirred_at_ms + BRISK_FOR_MS
    return at if now < at and _settled(state, now) is not Pace.BRISK else None


def _settled(state: State, now: int) -> Pace:
    """The pace when nothing has happened for a while."""
    in_use = state.durable.trip.running or state.durable.driver_key is not None
    if not vehicle.parked(state.vehicle, now):
        return Pace.CALM
    return Pace.BRISK if in_use else Pace.SLOW
