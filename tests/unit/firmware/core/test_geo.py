"""Positions: which are possible, and how far apart they are."""

import pytest

from firmware.core import geo
from firmware.core.events import Fix

MUNICH = Fix(481_371_540, 115_761_240, 1_790_000_000_000, 0)


@pytest.mark.req("TEL-7")
@pytest.mark.parametrize(
    "impossible",
    [
        None,
        Fix(0, 0, 1_790_000_000_000, 0),
        Fix(900_000_001, 0, 1_790_000_000_000, 0),
        Fix(-900_000_001, 0, 1_790_000_000_000, 0),
        Fix(0, 1_800_000_001, 1_790_000_000_000, 0),
        Fix(481_371_540, 115_761_240, -1, 0),
        Fix(481_371_540, 115_761_240, 4_294_967_296_001, 0),
    ],
)
def test_an_impossible_fix_is_none(impossible: Fix | None) -> None:
    assert geo.usable(impossible) is None


@pytest.mark.parametrize(
    "possible",
    [
        MUNICH,
        Fix(0, 1, 0, 0),
        Fix(1, 0, 4_294_967_296_000, 0),
        Fix(900_000_000, 1_800_000_000, 1, 0),
        Fix(-900_000_000, -1_800_000_000, 1, 0),
    ],
)
def test_a_possible_fix_is_used_as_it_is(possible: Fix) -> None:
    assert geo.usable(possible) == possible


@pytest.mark.parametrize(
    ("a", "b", "metres"),
    [
        ((0, 0), (0, 0), 0.0),
        ((0, 0), (10_000_000, 0), 111_195.08),
        ((0, 0), (0, 10_000_000), 111_195.08),
        ((600_000_000, 0), (600_000_000, 10_000_000), 55_596.90),
        ((0, 0), (0, 1_800_000_000), 20_015_114.35),
        ((481_371_540, 115_761_240), (525_200_660, 134_049_540), 504_307.7),
    ],
)
def test_distances_are_those_of_the_sphere(a: tuple[int, int], b: tuple[int, int], metres: float) -> None:
    assert geo.distance_m(a, b) == pytest.approx(metres, abs=1)
    assert geo.distance_m(b, a) == pytest.approx(geo.distance_m(a, b))


def test_distances_are_exact_and_the_other_side_of_the_earth_is_half_of_it_away() -> None:
    quarter = 6_371_008.8 * 1.5707963267948966
    assert geo.distance_m((0, 0), (900_000_000, 0)) == pytest.approx(quarter, rel=1e-9)
    for latitude in range(0, 900_000_000, 7_654_321):
        opposite = geo.distance_m((latitude, 1_234_567), (-latitude, 1_234_567 - 1_800_000_000))
        assert opposite == pytest.approx(2 * quarter, rel=1e-6)


@pytest.mark.req("TEL-7")
@pytest.mark.parametrize(
    ("latitude", "longitude", "is_place"),
    [
        (48.1, 11.5, True),
        (90.0, -180.0, True),
        (-90.0, 180.0, True),
        (0.0, 0.1, True),
        (0.1, 0.0, True),
        (0.0, 0.0, False),
        (-0.0, 0.0, False),
        (90.1, 1.0, False),
        (-90.5, 1.0, False),
        (1.0, 180.1, False),
        (1.0, -181.0, False),
        (float("nan"), 1.0, False),
        (1.0, float("inf"), False),
    ],
)
def test_a_place_is_on_earth_and_not_where_receivers_without_a_fix_are(
    latitude: float, longitude: float, is_place: bool
) -> None:
    assert geo.is_place(latitude, longitude) is is_place
