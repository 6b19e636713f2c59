"""What a booking or a key could do at this moment, what would end a key, and what would change a refusal.

The core itself is asked: a step is a pure function, and what it would do is thrown away. So this can not differ from
what a phone would be told. Decides only how to ask, and which facts of the car belong to a refusal.
"""

from collections.abc import Iterator
from typing import Final

import msgspec

from firmware.core import clock, keys, module, vehicle
from firmware.core.effects import Answer
from firmware.core.events import RequestReceived
from firmware.core.state import Link, State
from firmware.core.vehicle import STILL_FOR_MS
from protocol.errors import Code, Refusal
from protocol.explain import duration, instant
from protocol.messages import COMMANDS, Operation, Reply, Request, Status
from protocol.sharing import Key
from protocol.tokens import Booking

OPERATIONS: Final = (
    Operation.UNLOCK,
    Operation.LOCK,
    Operation.ENABLE_DRIVE,
    Operation.DISABLE_DRIVE,
    Operation.LOCATE,
    Operation.END_BOOKING,
)
OF_KEYS: Final = (
    Operation.UNLOCK,
    Operation.LOCK,
    Operation.ENABLE_DRIVE,
    Operation.DISABLE_DRIVE,
    Operation.OPEN_BOOT,
    Operation.LOCATE,
)
_LINK: Final = 0
"""No link of a radio has this number."""
_PARKED: Final = frozenset({Code.NOT_PARKED, Code.END_NOT_POSSIBLE, Code.VEHICLE_IN_USE})
_OPEN: Final = frozenset({Code.DOORS_OPEN, Code.END_NOT_POSSIBLE})


class Verdict(msgspec.Struct, frozen=True):
    """What would become of one operation; `refusal` None: it would be carried out."""

    operation: Operation
    refusal: Refusal | None


class Holding(msgspec.Struct, frozen=True):
    """A booking that the module knows of. `where`: "link 3", or "in the car" when no phone is there."""

    where: str
    booking: Booking
    denied: Refusal | None
    verdicts: tuple[Verdict, ...]


class KeyHolding(msgspec.Struct, frozen=True):
    """A digital key that the module knows of. `where`: "link 3", "drives", or "not here" when no phone is there;
    `until`: what would end it, in words."""

    where: str
    key: Key
    denied: Refusal | None
    verdicts: tuple[Verdict, ...]
    until: tuple[str, ...]


def bookings(state: State, now: int) -> Iterator[Holding]:
    """Every booking that a phone presents or that has the car, with what it could do now."""
    seen = set()
    for link in state.links:
        if link.booking is not None:
            seen.add(link.booking.token_id)
            yield _holding(state, f"link {link.id}", link.booking, now)
    booking = state.durable.trip.booking
    if booking is not None and booking.token_id not in seen:
        yield _holding(state, "in the car" if state.durable.trip.running else "was in the car", booking, now)


def digital_keys(state: State, now: int) -> Iterator[KeyHolding]:
    """Every digital key that a phone presents, that drives, or that was shared and has been here."""
    here = [(f"link {link.id}", link.key) for link in state.links if link.key is not None]
    driver = state.durable.driver_key
    drives = [] if driver is None else [("drives", driver)]
    shared = [("not here", known.key) for known in sorted(state.durable.keys, key=lambda known: known.number)]
    seen = set()
    for where, key in (*here, *drives, *shared):
        if key.token_id not in seen:
            seen.add(key.token_id)
            yield _key_holding(state, where, key, now)


def _holding(state: State, where: str, booking: Booking, now: int) -> Holding:
    alone = msgspec.structs.replace(state, links=(Link(_LINK, now, now, booking),))
    verdicts = tuple(_verdict(alone, operation, now) for operation in OPERATIONS)
    return Holding(where, booking, _denied(alone, now), verdicts)


def _key_holding(state: State, where: str, key: Key, now: int) -> KeyHolding:
    alone = msgspec.structs.replace(state, links=(Link(_LINK, now, now, key=key),))
    verdicts = tuple(_verdict(alone, operation, now) for operation in OF_KEYS)
    until = tuple(each.value for each in keys.what_now(state, key, now).until)
    return KeyHolding(where, key, _denied(alone, now), verdicts, until)


def _denied(state: State, now: int) -> Refusal | None:
    """Why the only link there is may do nothing."""
    status = _asked(state, Request(1, Operation.STATUS), now)
    return status.body.access.refusal if status is not None and isinstance(status.body, Status) else None


def _verdict(state: State, operation: Operation, now: int) -> Verdict:
    command_id = _unused(state) if operation in COMMANDS else b""
    answer = _asked(state, Request(1, operation, command_id), now)
    refusal = answer.body if answer is not None and isinstance(answer.body, Refusal) else None
    return Verdict(operation, refusal)


def _asked(state: State, request: Request, now: int) -> Reply | None:
    """The answer that would come at once, None when the car would have to move first."""
    _, effects = module.step(state, RequestReceived(_LINK, request), now)
    return next((each.reply for each in effects if isinstance(each, Answer) and each.link == _LINK), None)


def _unused(state: State) -> bytes:
    """An identifier that no command has had."""
    used = {each.command_id for each in state.durable.executed}
    return next(found for n in range(len(used) + 1) if (found := n.to_bytes(8, "big")) not in used)


def changes(refusal: Refusal, state: State, now: int) -> tuple[str, ...]:
    """What would change it, from the general to what can be seen of this car at this moment."""
    found = [refusal.remedy] if refusal.remedy else []
    if refusal.code in _PARKED:
        found += _until_parked(state, now)
    if refusal.code in _OPEN:
        found += _what_is_open(state, now)
    if refusal.code is Code.VEHICLE_IN_USE and state.durable.trip.running:
        left_ms = state.end_at_ms - now
        when = f"ends in {duration(left_ms)}" if left_ms > 0 else f"is overdue by {duration(-left_ms)}"
        found.append(f"The running booking {when}: end it, or wait.")
    if refusal.code in (Code.CLOCK_UNCERTAIN, Code.NOT_YET_VALID, Code.OUTSIDE_HOURS):
        found.append(_what_time(state, now))
    if refusal.code is Code.CODE_PAUSED:
        left_ms = state.code_paused_until_ms - now
        found.append(f"{duration(left_ms)} more." if left_ms > 0 else "The pause is over.")
    if refusal.code is Code.KEYS_MISSING:
        keys_present = vehicle.current(state.vehicle, now).keys_present
        found.append(f"Vehicle keys in the car now: {'unknown' if keys_present is None else keys_present}.")
    return tuple(found)


def _until_parked(state: State, now: int) -> Iterator[str]:
    sample, stood_ms = vehicle.current(state.vehicle, now), vehicle.parked_for_ms(state.vehicle, now)
    if vehicle.parked(state.vehicle, now):
        yield f"The car is parked, for {duration(stood_ms)}."
    elif stood_ms or (sample.ignition_on is False and sample.speed_kmh == 0):
        yield f"The car stands with the ignition off: {duration(STILL_FOR_MS - stood_ms)} more, and it is parked."
    elif not vehicle.fresh(state.vehicle, now):
        yield "Nobody knows whether the car is parked: the bus is silent."
    else:
        ignition = {True: "on", False: "off", None: "unknown"}[sample.ignition_on]
        speed = "unknown" if sample.speed_kmh is None else f"{sample.speed_kmh:g} km/h"
        yield f"Ignition {ignition}, speed {speed}: park with the ignition off for {duration(STILL_FOR_MS)}."


def _what_is_open(state: State, now: int) -> Iterator[str]:
    sample = vehicle.current(state.vehicle, now)
    for name, is_open in (("A door", sample.doors_open), ("The boot", sample.boot_open)):
        if is_open is not False:
            yield f"{name} is open: close it." if is_open else f"Whether {name.lower()} is open is unknown."


def _what_time(state: State, now: int) -> str:
    earliest, latest = clock.interval(state.clock, now)
    until = "any time after that" if latest is None else instant(latest)
    quality = clock.quality(state.clock, now).value
    return f"To the module it is between {instant(earliest)} and {until} ({quality}): satellites or a phone mend it."
