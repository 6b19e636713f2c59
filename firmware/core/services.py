"""Connected services: which are bought, which work now, and what the SIM is for (SVC-1 to SVC-7).

Decides whether a service is active, and whether anything may leave over the mobile network at all. A module that was
never told which services were bought behaves as if all were: it is a bench, or older than these orders.

Deactivating the base services blocks the SIM. A vehicle with the mandatory emergency call keeps it, for that call and
for nothing else: `uplink` is then closed, and the emergency line alone is asked nothing (`ecall`).
"""

from datetime import date
from enum import Enum, unique
from typing import Final

import msgspec

from firmware.core import clock, reporting
from firmware.core.draft import Draft
from firmware.core.state import State
from firmware.core.territory import territory, works
from protocol import durations
from protocol.durations import NEVER, RENEWALS, Renewal
from protocol.errors import Code, Refusal, refuse
from protocol.messages import Accepted
from protocol.orders import Place, ServicePlan
from protocol.packs import TABLES, Service, Table
from protocol.telemetry import EventKind

replace = msgspec.structs.replace

_NAMES: Final = frozenset(service.value for service in Service)


@unique
class Sim(Enum):
    """What the SIM in the car is for."""

    ACTIVE = "active"
    ECALL_ONLY = "emergency call only"
    BLOCKED = "blocked"


class Standing(msgspec.Struct, frozen=True, gc=False):
    """How a service stands. `until`: its last day, `durations.FOREVER` when it has none. `refusal`: why it does not
    work now, None when it does."""

    service: Service
    until: date
    refusal: Refusal | None


# ---------------------------------------------------------------- what the SIM is for
def legal_ecall(state: State) -> bool:
    """Whether the vehicle has the mandatory emergency call: its papers say so, or a pack that it was sold with."""
    plan = state.durable.services
    sold = plan is not None and _bought(plan, Service.LEGAL_ECALL)
    return state.profile.vehicle.legal_ecall or sold


def sim(state: State) -> Sim:
    """SVC-4, SVC-5: the SIM is blocked by deactivation alone, and never where the law wants it."""
    plan = state.durable.services
    if plan is None or plan.base_active:
        return Sim.ACTIVE
    return Sim.ECALL_ONLY if legal_ecall(state) else Sim.BLOCKED


def uplink(state: State) -> bool:
    """Whether anything but an emergency call may leave."""
    return sim(state) is Sim.ACTIVE


# ---------------------------------------------------------------- what works
def refusal(state: State, service: Service, now: int) -> Refusal | None:
    """Why `service` does not work now; None: it does."""
    plan = state.durable.services
    if plan is None:
        return None
    if sim(state) is not Sim.ACTIVE:
        return refuse(Code.SIM_BLOCKED)
    over_at_s = durations.over_at_s(until(plan, service))
    if over_at_s is not None:
        earliest, latest = clock.interval(state.clock, now)
        over_for_ms = earliest - over_at_s * 1000
        if over_for_ms >= 0:
            # A service that was never bought has been over for no particular time.
            numbers = (("over_for_ms", over_for_ms),) if _bought(plan, service) else ()
            return refuse(Code.SERVICE_INACTIVE, numbers=numbers)
        if latest is None or latest >= over_at_s * 1000:
            return refuse(Code.CLOCK_UNCERTAIN)
    if not works(service, territory(_table(plan), state.serving_mcc)):
        return refuse(Code.OUT_OF_TERRITORY, numbers=(("country_code", state.serving_mcc or 0),))
    return None


def emergency(state: State, now: int) -> Service | None:
    """The service that an emergency call is made with; None: none is active (SVC-8). The mandatory one does not end and
    cannot be deactivated. In doubt about the time, and at any place, the other is active as well."""
    plan = state.durable.services
    if legal_ecall(state):
        return Service.LEGAL_ECALL
    if plan is None:
        return Service.INTELLIGENT_ECALL
    over_at_s = durations.over_at_s(until(plan, Service.INTELLIGENT_ECALL))
    over = over_at_s is not None and clock.interval(state.clock, now)[0] >= over_at_s * 1000
    return Service.INTELLIGENT_ECALL if plan.base_active and not over else None


def until(plan: ServicePlan, service: Service) -> date:
    """The last day of `service`: the latest over all packs with it, and its renewals (SVC-2)."""
    packs = [pack for code in plan.packs for pack in _table(plan).packs_of(code)]
    granted = [months for pack in packs for each, months in pack.services if each is service]
    renewals = [Renewal(months, date(*bought)) for each, months, bought in plan.renewals if each == service]
    return durations.last_day(date(*plan.first_registration), granted, renewals)


def standings(state: State, now: int) -> tuple[Standing, ...]:
    """All services that were ever bought, for people; nothing when nobody has said which."""
    plan = state.durable.services
    if plan is None:
        return ()
    return tuple(
        Standing(service, until(plan, service), refusal(state, service, now))
        for service in Service
        if _bought(plan, service)
    )


# ---------------------------------------------------------------- orders
def take(draft: Draft, plan: ServicePlan) -> Accepted | Refusal:
    """Take over a newer plan: what was bought, renewed, deactivated or reactivated. Reactivation brings back exactly
    what is still within its time, for nothing but time was ever counted (SVC-6)."""
    known = draft.durable.services
    if not _readable(plan):
        return refuse(Code.ORDER_UNSUPPORTED)
    if known is not None and plan.number < known.number:
        return refuse(Code.ORDER_OUTDATED, numbers=(("number", plan.number), ("known_number", known.number)))
    if known is None or plan.number > known.number:
        before = sim(draft.state)
        draft.keep(replace(draft.durable, services=plan))
        after = sim(draft.state)
        if after is not before:
            reporting.event(draft, EventKind.SIM_CHANGED, reason=after.value)
    return Accepted()


def send_to_car(draft: Draft, place: Place) -> Accepted | Refusal:
    """A destination for whoever drives; it takes the place of the last one."""
    inactive = refusal(draft.state, Service.SEND_TO_CAR, draft.now)
    if inactive is not None:
        return inactive
    draft.keep(replace(draft.durable, destination=place))
    return Accepted()


def _readable(plan: ServicePlan) -> bool:
    """Whether this module knows every word of the plan."""
    table = TABLES.get((plan.market, plan.revision))
    packs = table is not None and all(table.packs_of(code) for code in plan.packs)
    return packs and all(each in _NAMES and months in RENEWALS for each, months, _ in plan.renewals)


def _table(plan: ServicePlan) -> Table:
    return TABLES[plan.market, plan.revision]


def _bought(plan: ServicePlan, service: Service) -> bool:
    return until(plan, service) != NEVER
