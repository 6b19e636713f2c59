"""The core against the same rules in `transitions` and `python-statemachine`, in the same run.

    python -m tests.bench.bench_machines [--rounds 60] [--json]

Like with like: the trip rule alone (states, events, guards, actions) against the two machines: over a random life of
bookings, for one look at a car while nothing is due, and for a booking that is admitted and cut off. Beside it the
whole step of the module, which does everything else too: the machines know nothing of clocks, links, privacy,
reports and durable state.

Before anything is measured all have to agree, step by step: on thousands of steps of such lives, the module as well,
and on thousands of moments at the very edges of the rules. The exit code is 1 when they do not, or when a row of the
core's tables was never taken. Goals, which are told and do not change the exit code: the rule alone is at least 10
times as fast as with `transitions` and 100 times as fast as with `python-statemachine`.
"""

import sys
from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise
from random import Random
from typing import Final

from firmware.core import module, trip
from firmware.core.state import State
from firmware.core.trip import TripEvent
from tests.bench.lives import Life, Step, any_moment
from tests.bench.machines import Core, Happening, Moment, Statemachine, Tracker, Transitions
from tests.bench.turns import Row, by_turns, parser, ratios, show
from tests.support.core import NOW, STANDING, linked, running
from tests.support.credentials import BOOKING

RULE: Final = "sharebox, the trip rule"
STEP: Final = "sharebox, the whole step of the module"
TRANSITIONS: Final = "transitions"
STATEMACHINE: Final = "python-statemachine"
GOALS: Final = {TRANSITIONS: 10.0, STATEMACHINE: 100.0}

EVENT_OF: Final = {Happening.ADMITTED: TripEvent.ADMITTED, Happening.ENDED: TripEvent.ENDED}
QUIET: Final = Moment(None, -3_600_000, 60_000)
BEGUN: Final = QUIET._replace(what=Happening.ADMITTED)
LATE: Final = Moment(None, 2_400_000, 60_000)
CHECKED_STEPS: Final = 4_000
TIMED_STEPS: Final = 400


def agree_on_life(steps: Sequence[Step]) -> None:
    """The module and everybody else come to the same verdict after every step."""
    for name, tracker in trackers().items():
        for number, step in enumerate(steps):
            tracker.see(step.moment)
            if tracker.verdict != step.verdict:
                sys.exit(f"{name} disagrees at step {number}, {step.moment}: {tracker.verdict}, not {step.verdict}")


def agree_at_edges(number: int) -> None:
    """Everybody comes to the same verdict at every moment, by the same way, and no way is left out."""
    dice, core = Random(1), Core()
    others = {TRANSITIONS: Transitions(), STATEMACHINE: Statemachine()}
    left = {*trip.EVENTS, *((source, rule.target) for rule in trip.RULES for source in rule.sources)}
    for _ in range(number):
        phase = core.verdict.phase
        moment = any_moment(dice, phase)
        passed = core.see(moment)
        for name, other in others.items():
            way = other.see(moment)
            if (*way, other.verdict) != (*passed, core.verdict):
                sys.exit(f"{name} disagrees in {phase.name} at {moment}: {way} to {other.verdict}, not {core.verdict}")
        if moment.what in EVENT_OF:
            event = phase, EVENT_OF[moment.what]
            left.discard(event)
            phase = trip.EVENTS[event]
        left -= set(pairwise([phase, *passed]))
    if left:
        sys.exit(f"never taken in {number} moments: {sorted(map(str, left))}")


def trackers() -> dict[str, Tracker]:
    """Everybody who knows the rule, without a booking."""
    return {RULE: Core(), TRANSITIONS: Transitions(), STATEMACHINE: Statemachine()}


def seen(tracker: Tracker, moments: Sequence[Moment]) -> Callable[[], object]:
    """A life, again and again: no booking runs when it ends, so another one can begin."""

    def live() -> None:
        for moment in moments:
            tracker.see(moment)

    return live


def stepped(first: State, steps: Sequence[Step]) -> Callable[[], object]:
    """The same life of the whole module."""
    pairs = [(step.event, step.at_ms) for step in steps]

    def live() -> None:
        state = first
        for event, at_ms in pairs:
            state, _ = module.step(state, event, at_ms)

    return live


def over_a_life(rounds: int) -> list[Row]:
    """A step of a random life, on average."""
    life = Life(seed=1)
    life.last(TIMED_STEPS)
    moments = [step.moment for step in life.steps]
    candidates = {name: seen(tracker, moments) for name, tracker in trackers().items()}
    candidates[STEP] = stepped(life.first, life.steps)
    times = by_turns(candidates, rounds)
    return ratios({name: total_s / len(moments) for name, total_s in times.items()}, RULE)


def nothing_due(rounds: int) -> list[Row]:
    """One look at the parked car of a running booking."""
    candidates: dict[str, Callable[[], object]] = {}
    for name, tracker in trackers().items():
        tracker.see(BEGUN)
        candidates[name] = partial(tracker.see, QUIET)
    candidates[STEP] = partial(module.step, linked(running(), BOOKING), STANDING, NOW)
    return ratios(by_turns(candidates, rounds), RULE)


def four_changes(rounds: int) -> list[Row]:
    """A booking is admitted; at the next look it is overdue, long overdue, and cut off."""
    candidates = {name: seen(tracker, (BEGUN, LATE)) for name, tracker in trackers().items()}
    return ratios(by_turns(candidates, rounds), RULE)


def main() -> int:
    """Exit code: see the header."""
    options = parser(__doc__, 60).parse_args()
    life = Life(seed=0)
    life.last(CHECKED_STEPS)
    agree_on_life(life.steps)
    agree_at_edges(CHECKED_STEPS)
    if not options.json:
        changes = sum(before.verdict != after.verdict for before, after in pairwise(life.steps))
        print(f"\nall agree on {len(life.steps)} steps, {changes} changes; and on {CHECKED_STEPS} moments at the edges")
        print(f"goals: {', '.join(f'{times:.0f} x {name}' for name, times in GOALS.items())}")
    for title, measured in TABLES.items():
        rows = measured(options.rounds)
        show(f"the rules of the trip, {title}", rows, "us", as_json=options.json)
        missed = [row.what for row in rows if row.ratio < GOALS.get(row.what, 0)]
        if not options.json:
            print(f"  goals {'MISSED: ' + ', '.join(missed) if missed else 'met'}")
    return 0


TABLES: Final = {
    "a step of a life": over_a_life,
    "nothing due": nothing_due,
    "a booking of four changes": four_changes,
}

if __name__ == "__main__":
    sys.exit(main())
