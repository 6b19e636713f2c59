"""Connected services: which of them work now, and what becomes of orders about them (SVC-1 to SVC-7).

Decides whether a service is active here and now. What was bought until when is `entitlement`; what the SIM is for is
`sim`; how far services reach is `territory`. Nothing here is asked by whoever stands beside the car with a phone.
"""

from datetime import date

import msgspec

from firmware.core import clock, entitlement, reporting, sim
from firmware.core.draft import Draft
from firmware.core.sim import Sim
from firmware.core.state import State
from firmware.core.territory import territory, works
from protocol import durations
from protocol.errors import Code, Refusal, refuse
from protocol.messages import Accepted
from protocol.orders import Place, ServicePlan
from protocol.packs import Service
from protocol.telemetry import EventKind

replace = msgspec.structs.replace


class Standing(msgspec.Struct, frozen=True, gc=False):
    """How a service stands. `until`: its last day, `durations.FOREVER` when it has none. `refusal`: why it does not
    work now, None when it does."""

    service: Service
    until: date
    refusal: Refusal | None


# ---------------------------------------------------------------- what works
def refusal(state: State, service: Service, now: int) -> Refusal | None:
    """Why `service` does not work now; None: it does."""
    plan = state.durable.services
    if plan is None or (service is Service.LEGAL_ECALL and sim.legal_ecall(state)):
        return None
    if sim.of(state) is not Sim.ACTIVE:
        return refuse(Code.SIM_BLOCKED)
    over_at_s = durations.over_at_s(entitlement.until(plan, service))
    if over_at_s is not None:
        earliest, latest = clock.interval(state.clock, now)
        over_for_ms = earliest - over_at_s * 1000
        if over_for_ms >= 0:
            # A service that was never bought has been over for no particular time.
            numbers = (("over_for_ms", over_for_ms),) if entitlement.bought(plan, service) else ()
            return refuse(Code.SERVICE_INACTIVE, numbers=numbers)
        if latest is None or latest >= over_at_s * 1000:
            return refuse(Code.CLOCK_UNCERTAIN)
    if not works(service, territory(entitlement.table(plan), state.serving_mcc)):
        return refuse(Code.OUT_OF_TERRITORY, numbers=(("country_code", state.serving_mcc or 0),))
    return None


def emergency(state: State, now: int) -> Service | None:
    """The service that an emergency call is made with; None: none is active (SVC-8). The mandatory one does not end and
    cannot be deactivated. In doubt about the time, and at any place, the other is active as well."""
    plan = state.durable.services
    if sim.legal_ecall(state):
        return Service.LEGAL_ECALL
    if plan is None:
        return Service.INTELLIGENT_ECALL
    over_at_s = durations.over_at_s(entitlement.until(plan, Service.INTELLIGENT_ECALL))
    over = over_at_s is not None and clock.interval(state.clock, now)[0] >= over_at_s * 1000
    return Service.INTELLIGENT_ECALL if plan.base_active and not over else None


def standings(state: State, now: int) -> tuple[Standing, ...]:
    """All services that were ever bought, for people; nothing when nobody has said which."""
    plan = state.durable.services
    if plan is None:
        return ()
    return tuple(
        Standing(service, entitlement.until(plan, service), refusal(state, service, now))
        for service in Service
        if entitlement.bought(plan, service)
    )


# ---------------------------------------------------------------- orders
def take(draft: Draft, plan: ServicePlan) -> Accepted | Refusal:
    """Take over a newer plan: what was bought, renewed, deactivated or reactivated. Reactivation brings back exactly
    what is still within its time, for nothing but time was ever counted (SVC-6)."""
    known = draft.durable.services
    if not entitlement.readable(plan):
        return refuse(Code.ORDER_UNSUPPORTED)
    if known is not None and plan.number < known.number:
        return refuse(Code.ORDER_OUTDATED, numbers=(("number", plan.number), ("known_number", known.number)))
    if known is None or plan.number > known.number:
        before = sim.of(draft.state)
        draft.keep(replace(draft.durable, services=plan))
        after = sim.of(draft.state)
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
