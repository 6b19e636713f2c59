"""What can be known of a car from its bus."""

import math

import msgspec
import pytest

from firmware.adapters.can import facts
from firmware.core.events import VehicleSampled

pytestmark = pytest.mark.req("HW-1")


def test_facts_are_fields_of_a_sample() -> None:
    known = {*VehicleSampled.__struct_fields__}
    assert {field for field, _ in facts.FIELDS.values()} <= known
    assert facts.fields(frozenset(facts.KINDS)) == known - {"fix"}
    assert facts.fields(frozenset({facts.BUTTON, facts.CRASH, facts.COUNTRY})) == frozenset()
    assert facts.fields(frozenset({facts.DOORS[3]})) == {"doors_open"}


@pytest.mark.req("CUT-2", "CUT-3")
def test_nothing_that_decides_whether_a_car_is_parked_can_last_as_long_as_a_sample() -> None:
    for fact in (facts.SPEED, facts.IGNITION):
        assert facts.KINDS[fact].lasts_ms <= 500
        assert facts.KINDS[fact].most_ms <= 1_000


@pytest.mark.parametrize(
    ("fact", "number", "possible"),
    [
        (facts.SPEED, 50.0, 50.0),
        (facts.SPEED, -5.0, 5.0),
        (facts.SPEED, 656.0, None),
        (facts.FUEL, 100.0, 100.0),
        (facts.FUEL, -0.5, None),
        (facts.FUEL, 100.5, None),
        (facts.ODOMETER, math.nan, None),
        (facts.VOLTAGE, math.inf, None),
    ],
)
def test_what_no_car_has_is_not_possible(fact: str, number: float, possible: float | None) -> None:
    assert facts.possible(facts.KINDS[fact], number) == possible


def test_each_kind_has_a_unit_or_words() -> None:
    for kind in facts.KINDS.values():
        assert bool(kind.unit) is not bool(kind.words)
        assert 0 < kind.lasts_ms <= kind.most_ms
    assert msgspec.json.encode(dict(facts.KINDS[facts.IGNITION].words)) == b'{"OFF":[0,1],"ON":[2,3]}'
