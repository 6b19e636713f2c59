"""Until when each connected service was bought (SVC-1, SVC-2).

Decides which plans this module can read, and looks them up in the tables of packs. Refuses to know what time it is.
"""

from datetime import date
from functools import lru_cache
from typing import Final

from protocol import durations
from protocol.durations import NEVER, RENEWALS, Renewal
from protocol.orders import ServicePlan
from protocol.packs import TABLES, Service, Table

_UNKNOWN: Final = Table("", frozenset(), ())
_NAMES: Final = frozenset(service.value for service in Service)


def readable(plan: ServicePlan) -> bool:
    """Whether this module knows every word of `plan`."""
    known = (plan.market, plan.revision) in TABLES and all(table(plan).packs_of(code) for code in plan.packs)
    return known and all(each in _NAMES and months in RENEWALS for each, months, _ in plan.renewals)


def table(plan: ServicePlan) -> Table:
    """The packs among which was chosen; none when another version of this module knew them."""
    return TABLES.get((plan.market, plan.revision), _UNKNOWN)


@lru_cache(maxsize=64)
def until(plan: ServicePlan, service: Service) -> date:
    """The last day of `service`: the latest over all packs with it, and its renewals. Asked with every look at the car,
    of a plan that changes once a year."""
    packs = [pack for code in plan.packs for pack in table(plan).packs_of(code)]
    granted = [months for pack in packs for each, months in pack.services if each is service]
    renewals = [Renewal(months, date(*day)) for each, months, day in plan.renewals if each == service]
    return durations.last_day(date(*plan.first_registration), granted, renewals)


def bought(plan: ServicePlan, service: Service) -> bool:
    """Whether it ever was."""
    return until(plan, service) != NEVER
