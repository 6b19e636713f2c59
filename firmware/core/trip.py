"""The life of a booking in the car, and the 30-minute cutoff. The whole rule is in this file.

    none -> active -> overdue -> cutoff_pending -> cut_off,   and `ended` from any that runs

Two kinds of transition, kept apart. EVENTS: somebody does something (a token is admitted, an end is commanded).
RULES: a condition holds, whatever led there. The cutoff is of the second kind, so a late tick, a reboot, an
engine stop and a time sync all reach it, once. Who may present or end a booking is `admit` and `requests`; what
a change means for links, actuators and reports is `bookings`.
"""

from collections.abc import Callable
from enum import Enum, unique
from typing import Final, NamedTuple

import msgspec

from firmware.core.state import RUNNING, EndReason, Trip
from protocol.messages import Phase

GRACE_MS: Final = 30 * 60 * 1000
"""Overdue for longer than this, and parked: cut off (CUT-2)."""
WARN_BEFORE_MS: Final = 5 * 60 * 1000
"""Owner and driver are told this long before (CUT-7)."""


class Facts(msgspec.Struct, frozen=True, gc=False):
    """All that the rules may look at. `overdue_ms`: since the booking's end, negative before it."""

    overdue_ms: int
    parked: bool


@unique
class TripEvent(Enum):
    """What somebody can do to a booking."""

    ADMITTED = "a booking is admitted"
    ENDED = "the driver ends it, or a newer booking supersedes it"


EVENTS: Final = {
    (Phase.NONE, TripEvent.ADMITTED): Phase.ACTIVE,
    (Phase.ENDED, TripEvent.ADMITTED): Phase.ACTIVE,
    (Phase.CUT_OFF, TripEvent.ADMITTED): Phase.ACTIVE,
    (Phase.ACTIVE, TripEvent.ENDED): Phase.ENDED,
    (Phase.OVERDUE, TripEvent.ENDED): Phase.ENDED,
    (Phase.CUTOFF_PENDING, TripEvent.ENDED): Phase.ENDED,
}
"""Anything that is not in this table is a bug of ours."""


class Rule(NamedTuple):
    """When the booking is in one of `sources` and `holds`, it goes to `target`."""

    name: str
    sources: frozenset[Phase]
    target: Phase
    holds: Callable[[Trip, Facts], bool]


RULES: Final = (
    Rule(
        "the booking's end is reached",
        frozenset({Phase.ACTIVE}),
        Phase.OVERDUE,
        lambda _, f: f.overdue_ms >= 0,
    ),
    Rule(
        "overdue for longer than 30:00",
        frozenset({Phase.OVERDUE}),
        Phase.CUTOFF_PENDING,
        lambda _, f: f.overdue_ms > GRACE_MS,
    ),
    Rule(
        "parked",
        frozenset({Phase.CUTOFF_PENDING}),
        Phase.CUT_OFF,
        # Asked again: after a reboot the first clock may have been fast, and a better one has said so since.
        lambda _, f: f.parked and f.overdue_ms > GRACE_MS,
    ),
    Rule(
        "an end was ordered, and parked",
        RUNNING,
        Phase.ENDED,
        lambda trip, f: trip.end_requested is not None and f.parked,
    ),
)
"""In this order, again and again until none holds."""


def by_phase(rules: tuple[Rule, ...]) -> dict[Phase, tuple[Rule, ...]]:
    """The rules that lead from each phase, in their order."""
    return {phase: tuple(rule for rule in rules if phase in rule.sources) for phase in Phase}


RULES_FROM: Final = by_phase(RULES)


def settle(trip: Trip, facts: Facts) -> tuple[Trip, tuple[Phase, ...]]:
    """Apply RULES until none holds. Returns the trip and the phases it went through, in order."""
    passed: tuple[Phase, ...] = ()
    while True:
        for rule in RULES_FROM[trip.phase]:
            if rule.holds(trip, facts):
                trip = msgspec.structs.replace(trip, phase=rule.target)
                passed += (rule.target,)
                break
        else:
            return trip, passed


def happened(trip: Trip, event: TripEvent) -> Trip:
    """Apply EVENTS. A pair that is not in the table is a bug of the caller."""
    return msgspec.structs.replace(trip, phase=EVENTS[trip.phase, event])


def requested(trip: Trip, reason: EndReason) -> Trip:
    """Remember that the booking is to end as soon as the car is parked. The first reason stays."""
    return trip if trip.end_requested is not None else msgspec.structs.replace(trip, end_requested=reason)


def warn_due(trip: Trip, facts: Facts) -> bool:
    """Whether "5 minutes to the cutoff" has to be said now: once, while overdue."""
    return trip.phase is Phase.OVERDUE and not trip.warned and facts.overdue_ms >= GRACE_MS - WARN_BEFORE_MS


def next_overdue_ms(trip: Trip) -> int | None:
    """How far past the booking's end (ms, may be negative elsewhere) the clock alone changes something next."""
    if trip.phase is Phase.ACTIVE:
        return 0
    if trip.phase is Phase.OVERDUE:
        return GRACE_MS + 1 if trip.warned else GRACE_MS - WARN_BEFORE_MS
    return None


def waits_for_parking(trip: Trip) -> bool:
    """Whether the moment at which the car counts as parked changes something."""
    return trip.phase is Phase.CUTOFF_PENDING or (trip.running and trip.end_requested is not None)
