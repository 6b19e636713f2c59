"""What the owner has paid for, as the backend signed it last (SUB-1, SUB-2, SVC-3).

Decides which subscription counts and whether remote orders are paid for. When bookings may begin: `admit`.
"""

from datetime import UTC, datetime
from typing import Final

import msgspec

from firmware.core import clock
from firmware.core.draft import Draft
from firmware.core.state import State
from protocol import durations
from protocol.claims import MAX_TIME_S
from protocol.errors import Code, Refusal, refuse
from protocol.messages import Accepted
from protocol.orders import Subscription

replace = msgspec.structs.replace

YEAR: Final[durations.Months] = 12


def first(number: int, begins_s: int) -> Subscription:
    """SUB-1: what comes with a coupling: sharing and remote services for one year, not renewed by itself. It is over at
    the end of the day, UTC, that has the same date a year later (28 February after a leap day)."""
    last = durations.last_day(datetime.fromtimestamp(begins_s, UTC).date(), [YEAR])
    until_s = min(durations.over_at_s(last) or MAX_TIME_S, MAX_TIME_S)
    return Subscription(number, until_s, until_s)


def take(draft: Draft, told: Subscription) -> Accepted | Refusal:
    """Take over a newer subscription. Numbers only rise; the same number again is the same subscription."""
    known = draft.durable.subscription
    if known is None or told.number > known.number:
        draft.keep(replace(draft.durable, subscription=told))
    elif told.number < known.number:
        numbers = (("number", told.number), ("known_number", known.number))
        return refuse(Code.SUBSCRIPTION_OUTDATED, numbers=numbers)
    return Accepted()


def remote_inactive(state: State, now: int) -> Refusal | None:
    """SVC-3: why remote orders are not carried out: nobody has ever paid, or it is not certain that they still are
    paid for. Pausing is about sharing alone."""
    subscription = state.durable.subscription
    if subscription is None:
        return refuse(Code.REMOTE_INACTIVE)
    _, latest = clock.interval(state.clock, now)
    until_ms = subscription.remote_until_s * 1000
    if latest is not None and latest < until_ms:
        return None
    over_for_ms = max(0, clock.utc(state.clock, now) - until_ms)
    return refuse(Code.REMOTE_INACTIVE, numbers=(("over_for_ms", over_for_ms),))
