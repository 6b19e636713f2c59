"""When a digital key is good: between its first and its last moment, and at its hours of the day (KEY-2, CLK-2).

Decides by the module's time as an interval: the whole of it must lie inside. Refuses to know what else may stand
against a key: `keys`.
"""

from collections.abc import Iterator
from typing import Final

from firmware.core import clock
from firmware.core.clock import DAY_MS, Clock
from protocol.errors import Code, Refusal, refuse
from protocol.sharing import Hours, Key

MINUTE_MS: Final = 60_000

_NEW_KEY: Final = "Ask the main user for a new key."
_FETCH_ANEW: Final = "Let the app fetch the key anew."


def outside_window(time: Clock, key: Key, now: int) -> Refusal | None:
    """Why it is not between the key's first moment and its last one; None: for certain it is."""
    earliest, latest = clock.interval(time, now)
    opens_ms, ends_ms = key.not_before_s * 1000, key.expires_s * 1000
    # The clock of the phone that signed it may be a little fast: only what is certain counts there.
    signed_ms = max(opens_ms, key.issued_s * 1000)
    if latest is not None and latest < signed_ms:
        numbers = (("starts_in_ms", signed_ms - clock.utc(time, now)),)
        return refuse(Code.NOT_YET_VALID, numbers=numbers, rule="KEY-2", remedy="Wait until the key becomes good.")
    if earliest >= ends_ms:
        numbers = (("over_for_ms", clock.utc(time, now) - ends_ms),)
        remedy = _NEW_KEY if key.parent else _FETCH_ANEW
        return refuse(Code.BOOKING_OVER, numbers=numbers, rule="KEY-2", remedy=remedy)
    if latest is None:
        return refuse(Code.CLOCK_UNCERTAIN)
    if earliest < opens_ms or latest >= ends_ms:
        return refuse(Code.CLOCK_UNCERTAIN, numbers=(("uncertainty_ms", latest - earliest),))
    return None


def outside_hours(time: Clock, key: Key, now: int) -> Refusal | None:
    """Why it is not one of the key's hours; None: for certain it is, or every hour is."""
    if key.hours is None:
        return None
    earliest, latest = clock.interval(time, now)
    if latest is None:
        return refuse(Code.CLOCK_UNCERTAIN)
    since_ms, lasts_ms = _since_opening(key.hours, earliest)
    until_ms = since_ms + latest - earliest
    if until_ms < lasts_ms:
        return None
    if since_ms >= lasts_ms and until_ms < DAY_MS:
        return refuse(Code.OUTSIDE_HOURS, numbers=(("opens_in_ms", DAY_MS - since_ms),))
    return refuse(Code.CLOCK_UNCERTAIN, numbers=(("uncertainty_ms", latest - earliest),))


def ends_at_ms(time: Clock, key: Key, now: int) -> int:
    """When a key that is good now will be good no more if nothing happens: its last moment, or the end of its hours.
    UTC."""
    ends_ms = key.expires_s * 1000
    if key.hours is None:
        return ends_ms
    utc_ms = clock.utc(time, now)
    since_ms, lasts_ms = _since_opening(key.hours, utc_ms)
    return min(ends_ms, utc_ms + lasts_ms - since_ms)


def changes_at_ms(time: Clock, key: Key, now: int) -> int | None:
    """The monotonic time at which time alone makes the key good or bad next, or uncertain; None: never again."""
    earliest, latest = clock.interval(time, now)
    bounds = (earliest,) if latest is None else (earliest, latest)
    waits = [edge - bound for bound in bounds for edge in _edges(key, bound) if edge > bound]
    return now + min(waits) if waits else None


def _edges(key: Key, utc_ms: int) -> Iterator[int]:
    """The moments at which the key becomes good or bad, those after `utc_ms` among them."""
    yield key.not_before_s * 1000
    yield key.issued_s * 1000
    yield key.expires_s * 1000
    if key.hours is not None and utc_ms < key.expires_s * 1000:
        since_ms, lasts_ms = _since_opening(key.hours, utc_ms)
        yield utc_ms - since_ms + lasts_ms
        yield utc_ms - since_ms + DAY_MS


def from_the_future(time: Clock, key: Key, now: int) -> bool:
    """Whether the key says that it was signed at a time that has not come. A share is signed by a phone, which may say
    what it likes; what such a key leaves behind must not stand against keys of times to come."""
    _, latest = clock.interval(time, now)
    return key.issued_s * 1000 > (clock.floor(time, now) + clock.MOST_JUMP_MS if latest is None else latest)


def _since_opening(hours: Hours, utc_ms: int) -> tuple[int, int]:
    """How long ago the key's hours began last, and how long they last."""
    since_ms = (utc_ms - hours.from_min * MINUTE_MS) % DAY_MS
    return since_ms, (hours.to_min - hours.from_min) * MINUTE_MS % DAY_MS
