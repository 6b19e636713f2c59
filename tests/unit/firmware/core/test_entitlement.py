"""What was bought until when, and which plans can be read."""

from datetime import date

import msgspec
import pytest

from firmware.core import entitlement
from protocol.durations import FOREVER, NEVER
from protocol.orders import ServicePlan
from protocol.packs import TABLES, Service

replace = msgspec.structs.replace

PLAN = ServicePlan(1, "BE", "2021-05-10", (2020, 2, 29), ("6AK", "7GH"))


@pytest.mark.req("SVC-2")
@pytest.mark.parametrize(
    ("service", "until"),
    [
        (Service.SEND_TO_CAR, FOREVER),  # three years in 6AK, without an end in 7GH
        (Service.APPS, date(2023, 2, 28)),  # three years in both
        (Service.REMOTE, FOREVER),
        (Service.TRAFFIC, date(2024, 2, 29)),  # renewed for a year
        (Service.CONCIERGE, date(2024, 9, 30)),  # in no pack, bought alone
        (Service.LEGAL_ECALL, NEVER),
    ],
)
def test_packs_overlap_and_renewals_extend(service: Service, until: date) -> None:
    renewals = (("real-time-traffic", 12, (2023, 1, 5)), ("concierge", 1, (2024, 8, 30)))
    assert entitlement.until(replace(PLAN, renewals=renewals), service) == until


@pytest.mark.req("SVC-2")
def test_a_pack_without_the_service_changes_nothing() -> None:
    alone, together = (replace(PLAN, packs=packs) for packs in (("6AN",), ("6AN", "6AP", "6UM")))
    assert entitlement.until(alone, Service.CONCIERGE) == entitlement.until(together, Service.CONCIERGE)
    assert not entitlement.bought(alone, Service.REMOTE)
    assert entitlement.bought(together, Service.REMOTE)


@pytest.mark.req("SVC-1")
@pytest.mark.parametrize(
    ("change", "readable"),
    [
        ({}, True),
        ({"market": "LU"}, True),
        ({"packs": ()}, True),
        ({"market": "DE"}, False),
        ({"revision": "2026-01-01"}, False),
        ({"packs": ("6AK", "6XX")}, False),
        ({"renewals": (("remote-services", 12, (2024, 1, 1)),)}, True),
        ({"renewals": (("remote services", 12, (2024, 1, 1)),)}, False),
        ({"renewals": (("remote-services", 3, (2024, 1, 1)),)}, False),
    ],
    ids=str,
)
def test_a_plan_is_read_whole_or_not_at_all(change: dict[str, object], readable: bool) -> None:
    assert entitlement.readable(replace(PLAN, **change)) is readable


def test_a_plan_that_another_version_took_over_grants_nothing_and_breaks_nothing() -> None:
    foreign = replace(PLAN, market="DE", packs=("6AK", "6XX"))
    assert entitlement.table(foreign) not in TABLES.values()
    assert {entitlement.until(foreign, service) for service in Service} == {NEVER}
