"""How far services reach."""

import pytest

from firmware.core.territory import ABROAD, ANYWHERE, ROAMING, Territory, territory, works
from protocol.packs import TABLES, Service

BELGIUM = TABLES["BE", "2021-05-10"]


@pytest.mark.req("SVC-7")
@pytest.mark.parametrize(
    ("mcc", "where"),
    [
        (206, Territory.FULL),  # Belgium
        (270, Territory.FULL),  # Luxembourg
        (208, Territory.DEGRADED),  # France
        (228, Territory.DEGRADED),  # Switzerland
        (234, Territory.DEGRADED),  # United Kingdom
        (286, Territory.NONE),  # Turkey
        (310, Territory.NONE),  # United States
        (0, Territory.NONE),
        (None, Territory.FULL),
    ],
)
def test_the_country_of_the_network_decides(mcc: int | None, where: Territory) -> None:
    assert territory(BELGIUM, mcc) is where


@pytest.mark.req("SVC-7")
def test_less_works_the_further_away_the_car_is() -> None:
    working = {where: {service for service in Service if works(service, where)} for where in Territory}
    assert working[Territory.FULL] == set(Service)
    assert working[Territory.DEGRADED] == ABROAD | ANYWHERE
    assert working[Territory.NONE] == ANYWHERE
    assert {Service.LEGAL_ECALL, Service.INTELLIGENT_ECALL} == ANYWHERE


def test_countries_have_three_digits() -> None:
    assert all(200 <= mcc < 300 for mcc in ROAMING)
