"""Digital keys -> what they may do now, or a refusal with its numbers (KEY-1, KEY-2, KEY-5, KEY-9).

The chain was verified before; here it is decided, for every request anew and never remembered, whether this key opens
this car now. A key that was shared is noted when it comes for the first time, and the main user is told. Refuses to
know of codes (`activation`), and how a key dies (`deletion`). A subscription that is over stops new bookings, not
keys: they are the vehicle's.
"""

from enum import Enum, unique
from typing import Final

import msgspec

from firmware.core import admit, clock, hours, ledger, reporting
from firmware.core.draft import Draft
from firmware.core.effects import Tell
from firmware.core.state import KEYS_KEPT, Durable, Fading, KnownKey, Link, State
from protocol.errors import Code, Refusal, Role, refuse
from protocol.messages import KeyEntry, Notice, NoticeKind, Operation, Permission, Push, PushKind
from protocol.sharing import Activation, Deletion, Key
from protocol.telemetry import EventKind

replace = msgspec.structs.replace

MOST_NUMBER: Final = 99
"""Of a key in the vehicle's menu: two digits."""
MOST_TRIES: Final = 5
"""Wrong codes, then the key is dead (KEY-4)."""
FADES_WITHIN_MS: Final = 48 * 3_600_000
"""So long at most lives a key that dies after its last drive, once it was deleted."""

_OF_BIT: Final = {
    Operation.UNLOCK: Permission.UNLOCK,
    Operation.LOCK: Permission.LOCK,
    Operation.ENABLE_DRIVE: Permission.DRIVE,
    Operation.DISABLE_DRIVE: Permission.DRIVE,
    Operation.LOCATE: Permission.LOCATE,
    Operation.OPEN_BOOT: Permission.BOOT,
}


@unique
class Until(Enum):
    """What would end a key that is good."""

    EXPIRY = "goes on until its last moment"
    HOURS = "goes on until its hours are over for today"
    KEY_CYCLE = "goes on until the car is unlocked and then locked with a vehicle key"
    KEY_LOCK = "the car was unlocked with a vehicle key: goes on until it is locked with one"
    LAST_DRIVE = "goes on until its drive is over, two days at most"


_UNTIL: Final = {
    Deletion.IMMEDIATE: Until.EXPIRY,
    Deletion.UNTIL_KEY_CYCLE: Until.KEY_CYCLE,
    Deletion.AFTER_LAST_DRIVE_OR_48H: Until.LAST_DRIVE,
}


class WhatNow(msgspec.Struct, frozen=True, gc=False):
    """What a key can still do right now, why it can do no more, and what would end it."""

    operations: tuple[Operation, ...]
    refusal: Refusal | None
    until: tuple[Until, ...]


# ---------------------------------------------------------------- questions
def refusal(state: State, key: Key, now: int) -> Refusal | None:
    """Why this key may do nothing now; None: it may do what its permissions allow."""
    return (
        unfit(state, key)
        or hours.outside_window(state.clock, key, now)
        or _not_active(state, key, now)
        or hours.outside_hours(state.clock, key, now)
        or _in_use(state, key, now)
    )


def spent(state: State, key: Key, now: int) -> Refusal | None:
    """The same for a key that drives: only what is certain ends a drive."""
    no = refusal(state, key, now)
    return None if no is None or no.code is Code.CLOCK_UNCERTAIN else no


def unfit(state: State, key: Key) -> Refusal | None:
    """What no time, no code and no free car can mend."""
    durable = state.durable
    if key.module_id != state.profile.module_id:
        return refuse(Code.WRONG_VEHICLE, remedy="This key is for another car: walk to that one.")
    if key.role is not Role.SERVICE:
        if not state.profile.vehicle.digital_keys:
            return refuse(Code.KEYS_UNAVAILABLE)
        if not durable.ownership.coupled:
            return refuse(Code.NOT_COUPLED)
    code = ledger.dead_key(durable, key)
    if code is not None:
        return _of_the_dead(key, code)
    if key.key_epoch != durable.key_epoch:
        numbers = (("key_epoch", key.key_epoch), ("vehicle_epoch", durable.key_epoch))
        return refuse(Code.WRONG_KEY_EPOCH, role=key.role, numbers=numbers)
    return _replaced(durable, key)


def permissions(key: Key) -> int:
    """The bits that count: a dealer's key moves nothing."""
    return 0 if key.role is Role.SERVICE else key.permissions


def find(durable: Durable, token_id: bytes) -> KnownKey | None:
    """The shared key with this token, if it has been here and is not dead."""
    return next((known for known in durable.keys if known.key.token_id == token_id), None)


def expired(state: State, key: Key, now: int) -> bool:
    """Whether it is over for ever, as far as a clock can tell that more than the module's own stands for."""
    earliest, _ = clock.interval(state.clock, now)
    return key.expires_s * 1000 <= (earliest if state.clock.trusted else clock.floor(state.clock, now))


def fading(durable: Durable, token_id: bytes) -> tuple[Fading, ...]:
    """Its deletions by the main user that have not taken effect yet."""
    return tuple(each for each in durable.deletions if each.token_id == token_id)


def listed(state: State) -> tuple[KeyEntry, ...]:
    """The shared keys that are good or wait for their code, by number (KEY-6). As of the last minute."""
    durable = state.durable
    return tuple(
        KeyEntry(
            known.number,
            known.key.token_id,
            known.key.name,
            known.key.permissions,
            known.key.expires_s * 1000,
            known.activated,
            bool(fading(durable, known.key.token_id)),
        )
        for known in sorted(_live(state, state.saved_at_ms), key=lambda each: each.number)
    )


def what_now(state: State, key: Key, now: int) -> WhatNow:
    """What the key can still do right now, and what would end it."""
    no = refusal(state, key, now)
    if no is not None:
        return WhatNow((), no, ())
    held = permissions(key)
    deleted = fading(state.durable, key.token_id)
    until = [Until.KEY_LOCK if each.unlocked else _UNTIL[each.policy] for each in deleted]
    until.append(Until.EXPIRY if key.hours is None else Until.HOURS)
    return WhatNow(tuple(each for each, bit in _OF_BIT.items() if held & bit), None, tuple(until))


# ---------------------------------------------------------------- the first time
def received(draft: Draft, link: Link, key: Key) -> None:
    """A phone that holds this key asks for something: note a shared key that was not here before, what permits is
    durable first (KEY-5); note the main user's newest phone (ACC-11)."""
    if unfit(draft.state, key) is not None:
        return
    durable = draft.durable
    if not key.parent:
        if key.device_generation > dict(durable.devices).get(key.user, 0):
            draft.keep(ledger.bind(durable, key))
        return
    live = _live(draft.state, draft.now)
    known = find(durable, key.token_id) is not None or expired(draft.state, key, draft.now)
    if known or len(live) >= KEYS_KEPT or hours.from_the_future(draft.state.clock, key, draft.now):
        return
    # A phone that was replaced or withdrawn since grants no new key; those that it granted before go on.
    ungranted = None if link.parent is None else unfit(draft.state, link.parent)
    if ungranted is not None:
        draft.set_link(replace(link, denied=ungranted))
        return
    number = _fresh({known.number for known in live})
    activated = key.activation is Activation.NONE
    noted = KnownKey(number, key, clock.utc(draft.state.clock, draft.now), link.code, 0, activated)
    draft.keep(replace(durable, keys=(*live, noted)))
    draft.required = True
    reporting.event(draft, EventKind.KEY_ACCEPTED, key, key.name, (("key_number", number),))
    tell_main_user(draft, NoticeKind.KEY_ACCEPTED)


def tell_main_user(draft: Draft, kind: NoticeKind) -> None:
    """A message to each phone that holds a main user's key (KEY-5)."""
    for link in draft.state.links:
        if link.key is not None and link.key.role is Role.OWNER and unfit(draft.state, link.key) is None:
            draft.order(Tell(link.id, Push(PushKind.NOTICE, Notice(kind))))


# ---------------------------------------------------------------- parts
def _live(state: State, now: int) -> tuple[KnownKey, ...]:
    return tuple(known for known in state.durable.keys if not expired(state, known.key, now))


def _fresh(taken: set[int]) -> int:
    """A number for the menu: above all others while there is one, so that who has a number in mind does not hit another
    key (KEY-6)."""
    above = max(taken, default=0) + 1
    return above if above <= MOST_NUMBER else min(set(range(1, MOST_NUMBER + 1)) - taken)


def _of_the_dead(key: Key, code: Code) -> Refusal:
    if code is not Code.TOKEN_REVOKED:
        return refuse(code)
    remedy = "Ask the main user for a new key." if key.parent else "Log in anew in the app."
    return refuse(code, rule="KEY-6", remedy=f"It was withdrawn: {remedy}")


def _replaced(durable: Durable, key: Key) -> Refusal | None:
    """ACC-11: a main user has one phone at a time."""
    newest = dict(durable.devices).get(key.user, 0)
    if key.parent or key.device_generation >= newest:
        return None
    numbers = (("device_generation", key.device_generation), ("newest_generation", newest))
    return refuse(Code.DEVICE_REPLACED, numbers=numbers)


def _not_active(state: State, key: Key, now: int) -> Refusal | None:
    """A shared key that was never noted, or whose code nobody has entered (KEY-3)."""
    if not key.parent:
        return None
    known = find(state.durable, key.token_id)
    if known is None:
        if len(_live(state, now)) >= KEYS_KEPT:
            return refuse(Code.KEY_LIST_FULL, numbers=(("listed", KEYS_KEPT),))
        no = refuse(Code.NOT_ADMITTED, rule="KEY-5", remedy="The key is noted as soon as you ask for something.")
        return replace(no, temporary=True)
    if known.activated:
        return None
    left = MOST_TRIES - known.tries
    if left <= 0:
        return refuse(Code.CODE_DEAD)
    return refuse(Code.ACTIVATION_REQUIRED, numbers=(("tries_left", left),))


def _in_use(state: State, key: Key, now: int) -> Refusal | None:
    """ACC-4: a booking of somebody else runs. One's own booking and one's own key go together."""
    trip = state.durable.trip
    if key.role is Role.SERVICE or not trip.running or trip.booking is None or trip.booking.user == key.user:
        return None
    return admit.in_use(state, key.role, now)
