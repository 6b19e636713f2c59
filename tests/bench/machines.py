"""The life cycle of a booking, as `firmware.core.trip` has it, written with two libraries for state machines.

The same states, events, guards and actions, each in the library's own words and in the fastest of its usual forms:
transitions as data, guards and actions by name on a model. Guards that are arguments of the trigger, guards that are
bound methods, and (python-statemachine) transitions without an event were slower or no faster. Both models change in
place, which the core's trip never does. No one environment has to hold the libraries, so they are imported by name.
"""

import importlib
from collections.abc import Callable, Sequence
from enum import Enum
from typing import Any, Final, NamedTuple, Protocol

import msgspec

from firmware.core import trip, vehicle
from firmware.core.state import EndReason, Trip
from firmware.core.trip import Facts, TripEvent
from protocol.messages import Phase

GRACE_MS: Final = 1_800_000
WARN_FROM_MS: Final = 1_500_000
STILL_FOR_MS: Final = 5_000


class Happening(Enum):
    """What somebody does to a booking."""

    ADMITTED = "a booking is admitted"
    ENDED = "its driver ends it"
    ORDERED = "its end is ordered"


class Moment(NamedTuple):
    """What a step of the trip is decided by: what somebody does, if anything, and what holds then."""

    what: Happening | None
    overdue_ms: int
    parked_for_ms: int


class Verdict(NamedTuple):
    """Where a booking stands."""

    phase: Phase
    warned: bool
    end_ordered: bool


class Tracker(Protocol):
    """Somebody who decides about one booking after the other."""

    def see(self, moment: Moment) -> Sequence[Phase]:
        """Decide. Returns the phases that were gone through because a condition holds, in order."""

    @property
    def verdict(self) -> Verdict:
        """Where the booking stands now."""


class Core:
    """What `firmware.core.bookings` does to the trip, without the consequences."""

    def __init__(self) -> None:
        self.trip = Trip()

    def see(self, moment: Moment) -> Sequence[Phase]:
        """See `Tracker`."""
        match moment.what:
            case None:
                pass
            case Happening.ADMITTED:
                self.trip = Trip(trip.happened(self.trip, TripEvent.ADMITTED).phase)
            case Happening.ENDED:
                self.trip = trip.happened(self.trip, TripEvent.ENDED)
            case Happening.ORDERED:
                self.trip = trip.requested(self.trip, EndReason.ORDER)
        facts = Facts(moment.overdue_ms, moment.parked_for_ms >= vehicle.STILL_FOR_MS)
        self.trip, passed = trip.settle(self.trip, facts)
        if trip.warn_due(self.trip, facts):
            self.trip = msgspec.structs.replace(self.trip, warned=True)
        return passed

    @property
    def verdict(self) -> Verdict:
        """See `Tracker`."""
        return Verdict(self.trip.phase, self.trip.warned, self.trip.end_requested is not None)


class Model:
    """Guards and actions, found by their names. `state` is kept by the library."""

    state: str
    admit: Callable[[], object]
    end: Callable[[], object]
    settle: Callable[[], object]
    """Take one transition whose condition holds: true when there was one."""

    def __init__(self) -> None:
        self.overdue_ms = 0
        self.parked_for_ms = 0
        self.warned = False
        self.end_ordered = False
        self.passed: list[Phase] = []

    def end_reached(self) -> bool:
        """Guard."""
        return self.overdue_ms >= 0

    def warning_due(self) -> bool:
        """Guard."""
        return not self.warned and self.overdue_ms >= WARN_FROM_MS

    def long_overdue(self) -> bool:
        """Guard."""
        return self.overdue_ms > GRACE_MS

    def parked(self) -> bool:
        """Guard."""
        return self.parked_for_ms >= STILL_FOR_MS

    def ordered(self) -> bool:
        """Guard."""
        return self.end_ordered

    def begin(self) -> None:
        """Action."""
        self.warned = self.end_ordered = False

    def warn(self) -> bool:
        """Action."""
        self.warned = True
        return True

    def see(self, moment: Moment) -> Sequence[Phase]:
        """See `Tracker`."""
        what, self.overdue_ms, self.parked_for_ms = moment
        self.passed = []
        match what:
            case None:
                pass
            case Happening.ADMITTED:
                self.admit()
            case Happening.ENDED:
                self.end()
            case Happening.ORDERED:
                self.end_ordered = True
        while self.settle():
            pass
        return self.passed

    @property
    def verdict(self) -> Verdict:
        """See `Tracker`."""
        return Verdict(PHASES[self.state], self.warned, self.end_ordered)


PHASES: Final = {phase.name.lower(): phase for phase in Phase}
RUNNING: Final = ["active", "overdue", "cutoff_pending"]
ENDS: Final = ["ordered", "parked"]


class Transitions(Model):
    """With `transitions`."""

    def __init__(self) -> None:
        super().__init__()
        importlib.import_module("transitions").Machine(
            self,
            states=list(PHASES),
            initial="none",
            transitions=[
                {"trigger": "admit", "source": ["none", "ended", "cut_off"], "dest": "active", "after": "begin"},
                {"trigger": "end", "source": RUNNING, "dest": "ended"},
                _settle("active", "overdue", "end_reached"),
                _settle("overdue", "cutoff_pending", "long_overdue"),
                _settle("cutoff_pending", "cut_off", ["parked", "long_overdue"]),
                _settle(RUNNING, "ended", ENDS),
                {"trigger": "settle", "source": "overdue", "dest": None, "conditions": "warning_due", "after": "warn"},
            ],
            auto_transitions=False,
            ignore_invalid_triggers=True,  # nothing settles when no booking runs
        )

    def went(self) -> None:
        """Action."""
        self.passed.append(PHASES[self.state])


def _settle(source: str | list[str], dest: str, conditions: str | list[str]) -> dict[str, object]:
    return {"trigger": "settle", "source": source, "dest": dest, "conditions": conditions, "after": "went"}


class Statemachine(Model):
    """With `python-statemachine`: its settings are those of its class `StateMachine`, save that nothing has to
    settle."""

    def __init__(self) -> None:
        super().__init__()
        create: Any = importlib.import_module("statemachine.io").create_machine_class_from_definition
        end: Final = [{"target": "ended"}]
        admit: Final = [{"target": "active", "on": "begin"}]
        ordered: Final = {"target": "ended", "cond": ENDS, "on": "went"}
        overdue: Final = {"target": "overdue", "cond": "end_reached", "on": "went"}
        pending: Final = {"target": "cutoff_pending", "cond": "long_overdue", "on": "went"}
        cut_off: Final = {"target": "cut_off", "cond": ["parked", "long_overdue"], "on": "went"}
        warned: Final = {"target": "overdue", "internal": True, "cond": "warning_due", "on": "warn"}
        machine = create(
            "TripMachine",
            {
                "none": {"initial": True, "on": {"admit": admit}},
                "active": {"on": {"end": end, "settle": [overdue, ordered]}},
                "overdue": {"on": {"end": end, "settle": [pending, ordered, warned]}},
                "cutoff_pending": {"on": {"end": end, "settle": [cut_off, ordered]}},
                "cut_off": {"on": {"admit": admit}},
                "ended": {"on": {"admit": admit}},
            },
            allow_event_without_transition=True,
            enable_self_transition_entries=False,
            atomic_configuration_update=True,
            catch_errors_as_events=False,
        )(self)
        self.admit, self.end, self.settle = machine.admit, machine.end, machine.settle

    def went(self, target: Any) -> bool:
        """Action; the library gives the state that is gone to."""
        self.passed.append(PHASES[target.id])
        return True
