"""What is known of the car, and whether it is parked. Silence is never "parked"."""

from math import isfinite
from typing import Final

import msgspec

from firmware.core.events import Action, VehicleSampled
from firmware.core.state import VehicleView

STILL_FOR_MS: Final = 5_000
"""Parked: ignition off and speed not above zero, both for this long."""
SAMPLE_LASTS_MS: Final = 2_500
"""A sample older than this says nothing about now, and a hole longer than this breaks a run of samples."""


def sampled(view: VehicleView, sample: VehicleSampled, now: int) -> VehicleView:
    """The view after one more sample. A fuel level that is no number is not known."""
    if sample.fuel_pct is not None and not isfinite(sample.fuel_pct):
        sample = msgspec.structs.replace(sample, fuel_pct=None)
    if not is_still(sample):
        return VehicleView(sample, now, None)
    unbroken = view.at_ms is not None and now - view.at_ms <= SAMPLE_LASTS_MS
    since = view.still_since_ms if unbroken and view.still_since_ms is not None else now
    return VehicleView(sample, now, since)


def acted(view: VehicleView, action: Action, *, confirmed: bool) -> VehicleView:
    """The view after the module moved something itself, ahead of the next sample. What nobody saw is not known."""
    match action:
        case Action.UNLOCK | Action.LOCK:
            locked = action is Action.LOCK if confirmed else None
            sample = msgspec.structs.replace(view.sample, locked=locked)
        case Action.FLASH:
            return view
        case Action.OPEN_BOOT:
            sample = msgspec.structs.replace(view.sample, boot_open=True if confirmed else None)
        case _:
            assert action in (Action.RELEASE_IMMOBILISER, Action.ARM_IMMOBILISER)
            immobilised = action is Action.ARM_IMMOBILISER if confirmed else None
            sample = msgspec.structs.replace(view.sample, immobilised=immobilised)
    return msgspec.structs.replace(view, sample=sample)


def is_still(sample: VehicleSampled) -> bool:
    """Ignition known to be off, and speed known to be zero. Not a number, negative or unknown is not zero."""
    speed = sample.speed_kmh
    return sample.ignition_on is False and speed is not None and isfinite(speed) and speed == 0


def fresh(view: VehicleView, now: int) -> bool:
    """Whether the last sample still says something about now."""
    return view.at_ms is not None and now - view.at_ms <= SAMPLE_LASTS_MS


def parked_for_ms(view: VehicleView, now: int) -> int:
    """Since when the car has been standing, ms; 0 when it moves or nobody knows."""
    return now - view.still_since_ms if view.still_since_ms is not None and fresh(view, now) else 0


def parked(view: VehicleView, now: int) -> bool:
    """The rule of the requirements, "The 30-minute cutoff"."""
    return parked_for_ms(view, now) >= STILL_FOR_MS


def parked_at_ms(view: VehicleView, now: int) -> int | None:
    """When the car will count as parked if nothing changes: a deadline; None when it can not or already does."""
    if view.still_since_ms is None or view.at_ms is None:
        return None
    at = view.still_since_ms + STILL_FOR_MS
    return at if now < at <= view.at_ms + SAMPLE_LASTS_MS else None


def current(view: VehicleView, now: int) -> VehicleSampled:
    """The last sample while it is fresh, else one that knows nothing but the last fix, fuel, range and odometer."""
    if fresh(view, now):
        return view.sample
    old = view.sample
    return VehicleSampled(fuel_pct=old.fuel_pct, odometer_m=old.odometer_m, fix=old.fix, range_m=old.range_m)
