"""What time it is, as an interval, and whom to believe about it (CLK-1 to CLK-4).

Module time is [earliest, latest]. The floor rises with elapsed monotonic time, less what the crystal may be fast,
and with what an issuer signed; nothing else moves it, and it never falls. This file knows nothing of bookings.
"""

from enum import Enum, unique
from typing import Final

import msgspec

from firmware.core.events import TimeSource

DAY_MS: Final = 86_400_000
MOST_JUMP_MS: Final = 366 * DAY_MS
"""A time further above the floor than this needs a second source (CLK-4)."""
SYNC_LASTS_MS: Final = DAY_MS
AGREE_MS: Final = 120_000
"""Two sources closer than this agree: a phone network's or a GNSS receiver's time is never minutes off."""
DRIFT_PPM: Final = 100
"""Worst crystal of the boards in question."""
ASK_EVERY_MS: Final = 600_000
"""A source that says the time all the time, such as GNSS, is heard this often."""
NONCE_LASTS_MS: Final = 300_000
"""A phone has this long to fetch a time attestation."""
NONCE_SHARED_MS: Final = 30_000
"""Whoever asks within this time gets the same nonce, so that a phone that asks all the time spoils no other's."""
SIGNED_RESOLUTION_MS: Final = 1_000
"""Signed times are whole seconds."""

MOST_UTC_MS: Final = 2**32 * 1_000
"""Tokens carry seconds in 32 bits; a time beyond that (year 2106) is nonsense."""

UNCERTAINTY_MS: Final = {TimeSource.RTC: 2_000, TimeSource.GNSS: 500, TimeSource.NETWORK: 1_000}


@unique
class Quality(Enum):
    """How good the module's time is."""

    SYNCED = "synced"
    HOLDOVER = "holdover"
    FLOOR = "floor"


class Claim(msgspec.Struct, frozen=True, gc=False):
    """A time that one source alone claims. `source` None: signed."""

    source: TimeSource | None
    utc_ms: int
    at_ms: int


class Clock(msgspec.Struct, frozen=True, gc=False):
    """`floor_ms` and `reading_ms` are UTC at the monotonic times beside them; `reading_ms` None: floor only."""

    floor_ms: int
    floor_at_ms: int = 0
    reading_ms: int | None = None
    reading_at_ms: int = 0
    uncertainty_ms: int = 0
    trusted: bool = False
    claim: Claim | None = None


def floor(clock: Clock, now: int) -> int:
    """The earliest UTC time that it can be, ms."""
    elapsed_ms = now - clock.floor_at_ms
    return clock.floor_ms + elapsed_ms - elapsed_ms * DRIFT_PPM // 1_000_000


def utc(clock: Clock, now: int) -> int:
    """The best estimate of UTC, ms; the floor when there is nothing better."""
    if clock.reading_ms is None:
        return floor(clock, now)
    return max(clock.reading_ms + now - clock.reading_at_ms, floor(clock, now))


def interval(clock: Clock, now: int) -> tuple[int, int | None]:
    """(earliest, latest) UTC in ms; latest None: it can be any time after the earliest."""
    if clock.reading_ms is None:
        return floor(clock, now), None
    slack = clock.uncertainty_ms + (now - clock.reading_at_ms) * DRIFT_PPM // 1_000_000
    estimate = utc(clock, now)
    return max(estimate - slack, floor(clock, now)), estimate + slack


def quality(clock: Clock, now: int) -> Quality:
    """SYNCED for 24 h after a source better than the RTC, HOLDOVER while a clock runs on, FLOOR without one."""
    if clock.reading_ms is None:
        return Quality.FLOOR
    fresh = clock.trusted and now - clock.reading_at_ms <= SYNC_LASTS_MS
    return Quality.SYNCED if fresh else Quality.HOLDOVER


def stale(clock: Clock, now: int) -> bool:
    """Whether it is worth asking a source again."""
    return clock.reading_ms is None or not clock.trusted or now - clock.reading_at_ms >= ASK_EVERY_MS


def offered(clock: Clock, source: TimeSource, utc_ms: int, now: int) -> Clock:
    """What remains to be believed after `source` said it is `utc_ms`. Never raises the floor.

    A source that is a little below the floor means the floor: an issuer's clock is seconds off at times, and would
    otherwise make every source a liar for ever.
    """
    below_ms = max(0, floor(clock, now) - utc_ms)
    if below_ms > AGREE_MS or utc_ms > MOST_UTC_MS:
        return clock
    utc_ms += below_ms
    if not _plausible(clock, utc_ms, now) and not _seconded(clock, source, utc_ms, now):
        return msgspec.structs.replace(clock, claim=Claim(source, utc_ms, now))
    if source is TimeSource.RTC and clock.reading_ms is not None:
        return clock
    return _adopt(clock, utc_ms, UNCERTAINTY_MS[source] + below_ms, now, trusted=source is not TimeSource.RTC)


def attested(clock: Clock, utc_ms: int, nonce_age_ms: int, now: int) -> Clock:
    """After a backend signed the time over a nonce of `nonce_age_ms`: it is between `utc_ms` and that much later."""
    if utc_ms + nonce_age_ms + SIGNED_RESOLUTION_MS < floor(clock, now):
        return clock
    if utc_ms - floor(clock, now) > MOST_JUMP_MS and not _seconded(clock, None, utc_ms, now):
        return msgspec.structs.replace(clock, claim=Claim(None, utc_ms, now))
    half = (nonce_age_ms + SIGNED_RESOLUTION_MS) // 2
    believed = _adopt(clock, utc_ms + half, half, now, trusted=True)
    return raised(believed, utc_ms, now)


def raised(clock: Clock, signed_ms: int, now: int) -> Clock:
    """After verified material was issued at `signed_ms`: it can not be earlier than that.

    A reading that this proves slow moves up and grows as uncertain as it was wrong; one that was wrong by more
    than AGREE_MS is dropped. A floor more than MOST_JUMP_MS up is not believed without a clock that agrees.
    """
    _, latest = interval(clock, now)
    low = floor(clock, now)
    if signed_ms <= low:
        return clock
    if signed_ms - low > MOST_JUMP_MS and (latest is None or signed_ms > latest):
        return clock
    lifted = msgspec.structs.replace(clock, floor_ms=signed_ms, floor_at_ms=now)
    if clock.reading_ms is None or latest is None or signed_ms <= latest:
        return lifted
    late = signed_ms - latest
    if late > AGREE_MS:
        return msgspec.structs.replace(lifted, reading_ms=None, trusted=False)
    return msgspec.structs.replace(
        lifted, reading_ms=signed_ms, reading_at_ms=now, uncertainty_ms=clock.uncertainty_ms + late
    )


def _plausible(clock: Clock, utc_ms: int, now: int) -> bool:
    """Whether one source alone may be believed: near the floor, and not against a clock that runs."""
    if utc_ms - floor(clock, now) > MOST_JUMP_MS:
        return False
    return clock.reading_ms is None or abs(utc_ms - utc(clock, now)) <= AGREE_MS


def _seconded(clock: Clock, source: TimeSource | None, utc_ms: int, now: int) -> bool:
    """Whether another source has claimed the same."""
    claim = clock.claim
    return (
        claim is not None and claim.source is not source and abs(claim.utc_ms + now - claim.at_ms - utc_ms) <= AGREE_MS
    )


def _adopt(clock: Clock, utc_ms: int, uncertainty_ms: int, now: int, *, trusted: bool) -> Clock:
    return msgspec.structs.replace(
        clock,
        reading_ms=utc_ms,
        reading_at_ms=now,
        uncertainty_ms=uncertainty_ms,
        trusted=trusted,
        claim=None,
    )
