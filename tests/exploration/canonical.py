"""When two lives are the same as far as anything can happen in them that has not happened before.

Times are compared by what they still decide: differences, cut into the steps in which they matter. Counters, sequence
numbers, identifiers of records and of commands that nobody can repeat are left out.
"""

from collections.abc import Hashable
from typing import Final

from firmware.core import clock
from firmware.core.state import Durable, Link, State
from protocol.orders import Order
from tests.exploration.life import Life
from tests.exploration.scenes import LAST
from tests.support.story_world import BASE_MS

_MINUTE: Final = 60_000
_LINKS: Final = (10_000, 60_000, 600_000)
_NONCES: Final = (30_000, 300_000)
_SAMPLES: Final = (2_501,)
_STANDING: Final = (1_000, 5_000)
_PAUSES: Final = (1, 5_000, 30_000, 120_000, 600_000)
_TAKEOVER: Final = (1, 30_000, 180_000)


def _age(since: int | None, now: int, steps: tuple[int, ...]) -> int:
    """The step in which an age lies; -1 without one."""
    return -1 if since is None else sum(now - since >= step for step in steps)


def canonical(life: Life, landmarks: tuple[int, ...]) -> Hashable:
    """Equal for lives that need not be told apart. `landmarks`: the times that mean something in this scene."""
    passed = sum(life.now >= mark for mark in landmarks)
    near = life.now + 1 in landmarks or life.now in LAST
    audit = life.audit
    facts, kept = audit.facts, audit.kept
    return (
        (passed, near, life.state is None, life.disk_full, life.unsaved, life.broker, bool(life.retained), life.held),
        (life.ignition, life.speed, life.locked, life.doors_open, life.immobilised, life.silent, life.actuators),
        (life.place is None, tuple(sorted(name for name, _ in life.links)), len(life.late), life.nonce == bytes(16)),
        (life.boot_open, life.keys_present),
        _written(life),
        (audit.released, _age(audit.still_since, life.now, _STANDING), _age(audit.heard_at, life.now, _SAMPLES)),
        (
            audit.lied,
            audit.slack_ms > 0,
            audit.unsure_ms // _MINUTE,
            facts._replace(stay=None, doomed_since=None, parking_at=None),
            facts.doomed_since is None,
            facts.stay is None,
            audit.key_over_since is None,
            _age(audit.taking_since, life.now, _TAKEOVER),
        ),
        None
        if kept is facts
        else (kept._replace(stay=None, doomed_since=None, parking_at=None), kept.doomed_since is None),
        None if life.state is None else _state(life, life.state),
        None if life.state is not None and life.disk is life.state.durable else _durable(life.disk),
    )


def _written(life: Life) -> Hashable:
    """What can be sent again, and whether it is late by now."""
    signed = life.written
    if not isinstance(signed, Order):
        return None
    return signed.order_id, BASE_MS + life.now > signed.expires_s * 1000


def _state(life: Life, state: State) -> Hashable:
    now = life.mono
    true_ms = BASE_MS + life.now
    view, time, durable = state.vehicle, state.clock, state.durable
    booking = durable.trip.booking
    end_off = 0 if booking is None else state.end_at_ms + life.booted_at + BASE_MS - booking.ends_at_s * 1000
    earliest, latest = clock.interval(time, now)
    stuck = view.sample.immobilised is False and not durable.drive_enabled
    return (
        _durable(durable),
        (view.sample.ignition_on, view.sample.speed_kmh, view.sample.locked, view.sample.immobilised),
        (view.sample.fix is None, _age(view.at_ms, now, _SAMPLES), _age(view.still_since_ms, now, _STANDING)),
        tuple(sorted(_link(life, link, now) for link in state.links)),
        state.remote,
        None if state.pending is None else (state.pending.operation, state.pending.enabled_before),
        (_minutes(end_off) if booking is not None and durable.trip.running else 0, state.anchored_on_floor),
        (_age(state.nonce_at_ms, now, _NONCES) if state.nonce else None, len(state.failed_handshakes_ms)),
        (sum(state.code_paused_until_ms - now >= step for step in _PAUSES), state.trying),
        None if durable.takeover is None else _age(state.takeover_at_ms, now, _TAKEOVER),
        (state.broker_connected, stuck and now - state.rearmed_at_ms >= 10_000),
        (time.reading_ms is None, time.trusted, None if time.claim is None else time.claim.source),
        (_minutes(true_ms - earliest), None if latest is None else _minutes(latest - true_ms)),
    )


def _minutes(difference_ms: int) -> int:
    """How far off a clock is: to the minute, and ten minutes are as much as an hour."""
    return max(-10, min(10, difference_ms // _MINUTE))


def _durable(durable: Durable | None) -> Hashable:
    if durable is None:
        return None
    trip, slot = durable.trip, durable.slot
    token = None if trip.booking is None else trip.booking.token_id
    return (
        (trip.phase, token, trip.warned, trip.end_requested, trip.end_point is None),
        (durable.drive_enabled, durable.key_epoch, durable.dead_before_s, durable.list_number, durable.forgetful),
        durable.arm_when_parked,
        tuple(sorted((dead.booking_id, dead.reason.value) for dead in durable.dead)),
        (durable.revoked, tuple(sorted(durable.devices))),
        tuple((e.command_id, e.operation, e.code) for e in durable.executed if e.command_id.startswith(b"c")),
        (slot.point is None, slot.parking, slot.acknowledged, slot.version > 0),
        (tuple(sorted((e.order_id, e.code or 0) for e in durable.orders)), durable.subscription),
        tuple((known.key.token_id, known.tries, known.activated) for known in durable.keys),
        tuple(sorted((dead.token_id, dead.code) for dead in durable.dead_keys)),
        tuple((each.token_id, each.policy, each.unlocked) for each in durable.deletions),
        (durable.code_step, None if durable.driver_key is None else durable.driver_key.token_id),
        (durable.ownership.coupled, durable.ownership.owner, durable.ownership.number, durable.drivers),
    )


def _link(life: Life, link: Link, now: int) -> tuple[str, bool, bool, int, str, int, int]:
    denied = 0 if link.denied is None else int(link.denied.code)
    ages = _age(link.opened_at_ms, now, _LINKS), _age(link.active_at_ms, now, _LINKS)
    return life.phone(link.id) or "", link.credential is None, link.failed, denied, repr(link.told), *ages
