"""How long a service lasts: calendar arithmetic over whole days, in UTC (SVC-2).

Decides on which day a service is active for the last time. Refuses to know packs, markets and what time it is.

A period of years or months ends with the day that has the same number as the day from which it is counted, or with
the last day of the month where there is no such day: 29 February 2020 and three years are over at the end of 28
February 2023 (as in Regulation (EEC, Euratom) 1182/71, article 3). Several packs with the same service: the latest of
their ends counts. A renewal goes on from the end, or begins on the day on which it was bought when the service was
over by then. Renewals that follow on one another are added up before they are counted, so that twice six months are
twelve, and the end of a month stays one.
"""

import calendar
from collections.abc import Iterable
from datetime import date
from typing import Final, NamedTuple

from dateutil.relativedelta import relativedelta

Months = int
UNLIMITED: Final[Months] = 0
"""A duration without an end."""

NEVER: Final = date.min
"""The last day of a service that never was active."""
FOREVER: Final = date.max
"""The last day of a service without an end."""

RENEWALS: Final = frozenset({12, 6, 1})
"""Months for which services are renewed."""

_DAY_S: Final = 86_400


class Renewal(NamedTuple):
    """So many months more, bought on that day."""

    months: Months
    bought: date


def last_day(registered: date, durations: Iterable[Months], renewals: Iterable[Renewal] = ()) -> date:
    """The last day on which a service is active that packs contain for `durations`, counted from the first
    registration, and that was renewed in this order. NEVER without packs and renewals; FOREVER when one is UNLIMITED.
    """
    granted = list(durations)
    if UNLIMITED in granted:
        return FOREVER
    since, months = registered, max(granted, default=0)
    end = _after(since, months) if months else NEVER
    for renewal in renewals:
        if renewal.bought > end:
            since, months = renewal.bought, 0
        months += renewal.months
        end = _after(since, months)
    return end


def over_at_s(last: date) -> int | None:
    """The first second, UTC, at which a service with that last day is no longer active; None: there is none."""
    return None if last == FOREVER else calendar.timegm(last.timetuple()) + _DAY_S


def _after(since: date, months: Months) -> date:
    """The day with the same number, so many months later; FOREVER beyond the calendar."""
    try:
        return since + relativedelta(months=months)
    except (ValueError, OverflowError):
        return FOREVER
