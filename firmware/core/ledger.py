"""What is dead, revoked or replaced, and how each command ended: memory with limits that never forgets a no.

Dead bookings are forgotten only once their tokens have expired for certain and many others have died since. When
there are more than fit, the ones issued first are covered by one date: anything issued up to it is refused (ACC-5,
bounded).
"""

from typing import Final

import msgspec

from firmware.core.state import (
    DEAD_KEPT,
    DEAD_KEYS_KEPT,
    ORDERS_KEPT,
    OUTCOMES_KEPT,
    USERS_KEPT,
    DeadBooking,
    DeadKey,
    Durable,
    Executed,
    Ordered,
)
from protocol.errors import Code
from protocol.messages import Operation
from protocol.sharing import Key
from protocol.tokens import Booking, RevocationList

REVOKED_KEPT: Final = 256
"""More than the longest list has; what many lists after each other have named."""
EXPIRED_KEPT: Final = 64
"""With so many dead, the expired ones go. Not sooner: a longer token of the same booking must not wake it."""

replace = msgspec.structs.replace


def bury(durable: Durable, dead: DeadBooking, floor_ms: int) -> Durable:
    """Remember that `dead` never opens the car again. The first reason stays."""
    if any(known.booking_id == dead.booking_id for known in durable.dead):
        return durable
    kept = [*durable.dead, dead]
    expired = [known for known in durable.dead if known.expires_s * 1000 <= floor_ms]
    for known in expired[: max(0, len(kept) - EXPIRED_KEPT)]:
        kept.remove(known)
    before = durable.dead_before_s
    if len(kept) > DEAD_KEPT:
        oldest = min(kept, key=lambda known: known.issued_s)
        kept.remove(oldest)
        before = max(before, oldest.issued_s + 1)
    return replace(durable, dead=tuple(kept), dead_before_s=before)


def revoke(durable: Durable, listed: RevocationList) -> Durable:
    """Take over a newer revocation list. What an older one named stays named until it has expired, for a no is never
    taken back; the key epoch only rises."""
    return replace(
        durable,
        revoked=named(listed.revoked, durable.revoked, durable.floor_ms),
        list_number=listed.number,
        key_epoch=max(durable.key_epoch, listed.min_key_epoch),
    )


def named(
    newer: tuple[tuple[bytes, int], ...], older: tuple[tuple[bytes, int], ...], floor_ms: int
) -> tuple[tuple[bytes, int], ...]:
    """What either of two lists has withdrawn and has not expired for certain; all of the newer one. Beyond REVOKED_KEPT
    the older ones that expire first are forgotten."""
    known = dict(newer)
    left = [(token_id, expires_s) for token_id, expires_s in older if token_id not in known]
    alive = sorted((each for each in left if each[1] * 1000 > floor_ms), key=lambda each: -each[1])
    return (*known.items(), *alive[: max(0, REVOKED_KEPT - len(known))])


def withdrawn(durable: Durable, token_id: bytes) -> bool:
    """Whether a list names this token, or named it for later and that has come."""
    return any(token_id == each for each, _ in durable.revoked) or any(
        token_id == dead.token_id for dead in durable.dead_keys
    )


def dead_key(durable: Durable, key: Key) -> Code | None:
    """Why a key never opens the car again, and a shared key with the one that it was shared from; None: it does."""
    for dead in durable.dead_keys:
        if dead.token_id == key.token_id:
            return dead.code
    if withdrawn(durable, key.token_id):
        return Code.KEY_DELETED if key.parent else Code.TOKEN_REVOKED
    if key.parent and withdrawn(durable, key.parent):
        return Code.TOKEN_REVOKED
    return Code.TOKEN_REVOKED if key.issued_s < durable.keys_before_s else None


def bury_key(durable: Durable, dead: DeadKey, floor_ms: int) -> Durable:
    """Remember that a key never opens the car again, and forget the rest of it. The first reason stays. Those that have
    expired for certain go; when there are still more than fit, the ones issued first are covered by one date."""
    kept = [known for known in durable.dead_keys if known.expires_s * 1000 > floor_ms]
    if all(known.token_id != dead.token_id for known in kept):
        kept.append(dead)
    before = durable.keys_before_s
    if len(kept) > DEAD_KEYS_KEPT:
        oldest = min(kept, key=lambda known: known.issued_s)
        kept.remove(oldest)
        before = max(before, oldest.issued_s + 1)
    return replace(
        durable,
        dead_keys=tuple(kept),
        keys_before_s=before,
        keys=tuple(known for known in durable.keys if known.key.token_id != dead.token_id),
        deletions=tuple(each for each in durable.deletions if each.token_id != dead.token_id),
    )


def bind(durable: Durable, held: Booking | Key) -> Durable:
    """Remember the user's newest device (ACC-11). Beyond USERS_KEPT the one seen longest ago is forgotten."""
    others = [entry for entry in durable.devices if entry[0] != held.user]
    newest = max(held.device_generation, dict(durable.devices).get(held.user, 0))
    return replace(durable, devices=(*others, (held.user, newest))[-USERS_KEPT:])


def executed(durable: Durable, user: bytes, command_id: bytes) -> Executed | None:
    """The command of this user with this identifier, if it is among the last 64."""
    return next((e for e in durable.executed if e.command_id == command_id and e.user == user), None)


def begin(durable: Durable, user: bytes, command_id: bytes, operation: Operation) -> Durable:
    """Remember that a command is being carried out, before anything moves."""
    return _remember(durable, Executed(command_id, user, operation, None))


def finish(durable: Durable, user: bytes, command_id: bytes, operation: Operation, code: Code) -> Durable:
    """Remember how it ended."""
    return _remember(durable, Executed(command_id, user, operation, code))


def ordered(durable: Durable, order_id: bytes) -> Ordered | None:
    """What became of the order with this identifier, if it is among the last 64."""
    return next((e for e in durable.orders if e.order_id == order_id), None)


def note_order(durable: Durable, entry: Ordered) -> Durable:
    """Remember what became of an order. When there are more than fit, the one issued first is covered by one date:
    what was issued up to it may have been carried out before."""
    kept = [*(e for e in durable.orders if e.order_id != entry.order_id), entry]
    before = durable.orders_before_s
    if len(kept) > ORDERS_KEPT:
        oldest = min(kept, key=lambda e: e.issued_s)
        kept.remove(oldest)
        before = max(before, oldest.issued_s + 1)
    return replace(durable, orders=tuple(kept), orders_before_s=before)


def _remember(durable: Durable, entry: Executed) -> Durable:
    others = [e for e in durable.executed if (e.command_id, e.user) != (entry.command_id, entry.user)]
    return replace(durable, executed=(*others, entry)[-OUTCOMES_KEPT:])
