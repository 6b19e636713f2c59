"""Which services work now, and what becomes of orders about them."""

from datetime import date

import msgspec
import pytest

from firmware.core import services
from firmware.core.clock import Clock
from firmware.core.state import State, Vehicle
from protocol.durations import FOREVER
from protocol.errors import Code, Refusal
from protocol.messages import Accepted
from protocol.orders import Place, ServicePlan
from protocol.packs import Service
from protocol.telemetry import EventKind
from tests.support.core import FLOOR_MS, NOW, a_state, draft, events

replace = msgspec.structs.replace

PLAN = ServicePlan(5, "BE", "2021-05-10", (2023, 10, 10), ("6AK", "6AC", "6AP"))
"""Remote services without an end, apps until 10 October 2026."""
LAST_MS = 1_791_676_799_999
"""The end of 10 October 2026, UTC."""
HOTEL = Place(508_503_000, 43_517_000, "Brussels")


def told(plan: ServicePlan | None, utc_ms: int = LAST_MS, **state: object) -> State:
    return replace(a_state(utc_ms, services=plan), **state)


def code(refusal: Refusal | None) -> Code | None:
    return None if refusal is None else refusal.code


@pytest.mark.req("SVC-2")
def test_a_service_works_to_the_end_of_its_last_day() -> None:
    assert services.refusal(told(PLAN), Service.APPS, NOW) is None
    over = services.refusal(told(PLAN, LAST_MS + 1), Service.APPS, NOW)
    assert over is not None
    assert (over.code, over.numbers, over.rule) == (Code.SERVICE_INACTIVE, (("over_for_ms", 0),), "SVC-2")
    week = services.refusal(told(PLAN, LAST_MS + 7 * 86_400_000 + 1), Service.APPS, NOW)
    assert week is not None
    assert week.number("over_for_ms") == 604_800_000


@pytest.mark.req("SVC-2", "CLK-2")
def test_near_the_end_the_time_has_to_be_certain() -> None:
    unsure = Clock(FLOOR_MS, NOW, LAST_MS - 500, NOW, 1_000)
    assert code(services.refusal(told(PLAN, clock=unsure), Service.APPS, NOW)) is Code.CLOCK_UNCERTAIN
    timeless = Clock(LAST_MS - 86_400_000, NOW)
    assert code(services.refusal(told(PLAN, clock=timeless), Service.APPS, NOW)) is Code.CLOCK_UNCERTAIN
    assert services.refusal(told(PLAN, clock=timeless), Service.REMOTE, NOW) is None, "it has no end"


@pytest.mark.req("SVC-2")
def test_what_was_never_bought_is_not_active() -> None:
    never = services.refusal(told(PLAN), Service.CONCIERGE, NOW)
    assert never is not None
    assert (never.code, never.numbers) == (Code.SERVICE_INACTIVE, ())


@pytest.mark.req("SVC-4", "SVC-5", "SVC-6")
def test_without_the_base_services_nothing_works_and_with_them_what_is_still_in_its_time() -> None:
    off = replace(PLAN, base_active=False)
    for service in Service:
        assert code(services.refusal(told(off), service, NOW)) is Code.SIM_BLOCKED
    before = [services.refusal(told(PLAN, LAST_MS + 1), service, NOW) for service in Service]
    again = replace(PLAN, number=7)
    assert [services.refusal(told(again, LAST_MS + 1), service, NOW) for service in Service] == before


@pytest.mark.req("SVC-5")
def test_what_the_law_wants_works_without_the_base_services() -> None:
    off = replace(PLAN, base_active=False, packs=("6AC", "6AF"))
    assert services.refusal(told(off), Service.LEGAL_ECALL, NOW) is None
    assert code(services.refusal(told(off), Service.INTELLIGENT_ECALL, NOW)) is Code.SIM_BLOCKED


@pytest.mark.req("SVC-7")
def test_abroad_services_degrade_and_far_away_they_end() -> None:
    plan = replace(PLAN, packs=("7GK",))
    found = {
        mcc: {
            service
            for service in (Service.REMOTE, Service.SEND_TO_CAR, Service.TRAFFIC)
            if services.refusal(told(plan, serving_mcc=mcc), service, NOW) is None
        }
        for mcc in (206, 208, 286)
    }
    assert found == {
        206: {Service.REMOTE, Service.SEND_TO_CAR, Service.TRAFFIC},
        208: {Service.REMOTE, Service.SEND_TO_CAR},
        286: set(),
    }
    away = services.refusal(told(plan, serving_mcc=286), Service.REMOTE, NOW)
    assert away is not None
    assert (away.code, away.numbers, away.temporary) == (Code.OUT_OF_TERRITORY, (("country_code", 286),), True)


def test_a_module_that_was_never_told_behaves_as_if_all_were_bought() -> None:
    assert [services.refusal(told(None, serving_mcc=310), service, NOW) for service in Service] == [None] * len(Service)
    assert services.standings(told(None), NOW) == ()


@pytest.mark.req("SVC-8")
@pytest.mark.parametrize(
    ("plan", "legal", "service"),
    [
        (None, False, Service.INTELLIGENT_ECALL),
        (None, True, Service.LEGAL_ECALL),
        (PLAN, False, Service.INTELLIGENT_ECALL),
        (PLAN, True, Service.LEGAL_ECALL),
        (replace(PLAN, base_active=False), False, None),
        (replace(PLAN, base_active=False), True, Service.LEGAL_ECALL),
        (replace(PLAN, packs=("6AP",)), False, None),
        (replace(PLAN, packs=("6AP",), renewals=(("intelligent-emergency-call", 1, (2026, 9, 10)),)), False,
         Service.INTELLIGENT_ECALL),
        (replace(PLAN, packs=("6AP",), renewals=(("intelligent-emergency-call", 1, (2026, 9, 9)),)), False, None),
    ],
)  # fmt: skip
def test_any_emergency_service_is_enough_for_a_call(
    plan: ServicePlan | None, legal: bool, service: Service | None
) -> None:
    state = told(plan)
    state = replace(state, profile=replace(state.profile, vehicle=Vehicle(legal_ecall=legal)), serving_mcc=310)
    assert services.emergency(state, NOW) is service


def test_in_doubt_about_the_time_an_emergency_service_is_active() -> None:
    plan = replace(PLAN, packs=("6AP",), renewals=(("intelligent-emergency-call", 1, (2026, 9, 10)),))
    timeless = Clock(LAST_MS - 86_400_000, NOW)
    assert services.emergency(told(plan, clock=timeless), NOW) is Service.INTELLIGENT_ECALL


def test_people_see_each_service_that_was_ever_bought() -> None:
    found = {each.service: each for each in services.standings(told(PLAN, LAST_MS + 1), NOW)}
    assert set(found) == {
        *(Service.APPS, Service.HOTLINE, Service.INTELLIGENT_ECALL, Service.MY_INFO),
        *(Service.REMOTE, Service.SEND_TO_CAR, Service.VOICE_CONTROL),
    }
    assert (found[Service.APPS].until, code(found[Service.APPS].refusal)) == (date(2026, 10, 10), Code.SERVICE_INACTIVE)
    assert (found[Service.REMOTE].until, found[Service.REMOTE].refusal) == (FOREVER, None)


# ---------------------------------------------------------------- orders
@pytest.mark.req("SVC-1")
def test_the_newest_plan_counts() -> None:
    made = draft(told(PLAN))
    older = services.take(made, replace(PLAN, number=4, packs=()))
    assert isinstance(older, Refusal)
    assert (older.code, older.numbers) == (Code.ORDER_OUTDATED, (("number", 4), ("known_number", 5)))
    assert services.take(made, replace(PLAN, packs=())) == Accepted(), "the same number is the same plan"
    assert made.durable.services == PLAN
    newer = replace(PLAN, number=6, packs=("7GK",))
    assert services.take(made, newer) == Accepted()
    assert made.durable.services == newer
    assert events(made.effects) == []


def test_a_plan_that_can_not_be_read_changes_nothing() -> None:
    made = draft(told(PLAN))
    refused = services.take(made, replace(PLAN, number=6, packs=("6XX",)))
    assert isinstance(refused, Refusal)
    assert refused.code is Code.ORDER_UNSUPPORTED
    assert made.durable.services == PLAN


@pytest.mark.req("SVC-4", "SVC-6")
def test_what_the_sim_is_for_is_told_when_it_changes() -> None:
    made = draft(told(None))
    for number, active in ((1, True), (2, False), (3, False), (4, True)):
        services.take(made, replace(PLAN, number=number, base_active=active))
    assert events(made.effects) == [EventKind.SIM_CHANGED] * 2
    reasons = [effect.record.reason for effect in made.effects if hasattr(effect, "record")]
    assert reasons == ["blocked", "active"]


@pytest.mark.req("SVC-1")
def test_a_destination_is_sent_to_the_car_while_the_service_is_active() -> None:
    made = draft(told(PLAN))
    assert services.send_to_car(made, HOTEL) == Accepted()
    assert made.durable.destination == HOTEL
    late = draft(told(PLAN, LAST_MS + 1))
    refused = services.send_to_car(late, HOTEL)
    assert isinstance(refused, Refusal)
    assert refused.code is Code.SERVICE_INACTIVE
    assert late.durable.destination is None
