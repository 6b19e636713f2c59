"""What the car asks service for by itself: an inspection, a 12 V battery (SVC-1, Teleservices).

Decides when it is time to ask, and asks once. Nobody who has not bought the service is asked for.
"""

from typing import Final

import msgspec

from firmware.core import reporting, services, vehicle
from firmware.core.draft import Draft
from firmware.core.incidents import Asked
from protocol.packs import Service
from protocol.telemetry import EventKind

INSPECTION_EVERY_M: Final = 30_000_000
LOW_MV: Final = 11_800
"""At rest: the battery may not start the engine any more."""
WELL_MV: Final = 12_300

replace = msgspec.structs.replace


def settle(draft: Draft) -> None:
    """Look at what the car says of itself."""
    if draft.durable.services is None or services.refusal(draft.state, Service.TELESERVICES, draft.now) is not None:
        return
    sample = vehicle.current(draft.state.vehicle, draft.now)
    if sample.odometer_m is not None:
        _inspection(draft, sample.odometer_m // INSPECTION_EVERY_M * INSPECTION_EVERY_M)
    if sample.battery_mv is not None and sample.ignition_on is False:
        _battery(draft, sample.battery_mv)


def _inspection(draft: Draft, reached_m: int) -> None:
    """An odometer that is seen for the first time has had its inspections so far."""
    asked = draft.durable.asked
    if asked.inspection_m is None or reached_m > asked.inspection_m:
        _note(draft, replace(asked, inspection_m=reached_m))
        if asked.inspection_m is not None:
            _ask(draft, "inspection", ("odometer_m", reached_m))


def _battery(draft: Draft, millivolts: int) -> None:
    asked = draft.durable.asked
    if not asked.battery and millivolts < LOW_MV:
        _note(draft, replace(asked, battery=True))
        _ask(draft, "battery", ("battery_mv", millivolts))
    elif asked.battery and millivolts >= WELL_MV:
        _note(draft, replace(asked, battery=False))


def _note(draft: Draft, asked: Asked) -> None:
    draft.keep(replace(draft.durable, asked=asked))


def _ask(draft: Draft, what: str, number: tuple[str, int]) -> None:
    reporting.event(draft, EventKind.TELESERVICE, reason=what, numbers=(number,))
