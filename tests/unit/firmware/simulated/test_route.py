"""Places and lengths along a route."""

import math

import pytest

from firmware.simulated.route import TOWN_LOOP, Route, Waypoint, distance_m

START = Waypoint(48.0, 11.0)
NORTH = Waypoint(48.01, 11.0)
NORTH_EAST = Waypoint(48.01, 11.02)


def test_a_hundredth_of_a_degree_north_is_1112_metres() -> None:
    assert distance_m(START, NORTH) == pytest.approx(1111.95, abs=0.01)
    assert distance_m(NORTH, START) == distance_m(START, NORTH)


def test_a_degree_east_shrinks_with_the_latitude() -> None:
    assert distance_m(Waypoint(60, 10), Waypoint(60, 11)) == pytest.approx(55_600, rel=0.001)
    assert distance_m(Waypoint(0, 10), Waypoint(0, 11)) == pytest.approx(111_195, rel=0.001)


def test_a_route_passes_its_waypoints_and_stops_at_its_end() -> None:
    route = Route((START, NORTH, NORTH_EAST))
    first_leg_m = distance_m(START, NORTH)
    assert route.position(0) == START
    assert route.position(first_leg_m / 2) == pytest.approx((48.005, 11.0))
    assert route.position(first_leg_m) == pytest.approx(NORTH)
    assert route.position(route.length_m) == pytest.approx(NORTH_EAST)
    assert route.position(route.length_m + 500) == pytest.approx(NORTH_EAST)
    assert route.left_m(route.length_m - 3) == pytest.approx(3)
    assert route.left_m(route.length_m + 3) == 0


def test_the_way_back_leads_to_the_start_and_round_again() -> None:
    there = Route((START, NORTH, NORTH_EAST))
    back = there.back()
    assert back.loop
    assert back.position(0) == NORTH_EAST
    assert back.position(there.length_m) == pytest.approx(START)
    assert back.position(100) == pytest.approx(there.position(there.length_m - 100))


def test_a_loop_comes_home_and_never_ends() -> None:
    loop = Route((START, NORTH, NORTH_EAST), loop=True)
    assert loop.length_m == pytest.approx(
        distance_m(START, NORTH) + distance_m(NORTH, NORTH_EAST) + distance_m(NORTH_EAST, START)
    )
    assert loop.position(loop.length_m) == pytest.approx(START)
    assert loop.position(7 * loop.length_m + 100) == pytest.approx(loop.position(100))
    assert loop.left_m(10**9) == math.inf


def test_a_repeated_waypoint_does_no_harm() -> None:
    route = Route((START, START, NORTH, NORTH))
    assert route.position(0) == START
    assert route.position(route.length_m) == pytest.approx(NORTH)


@pytest.mark.parametrize("waypoints", [(), (START,), (START, START)])
def test_a_route_that_leads_nowhere_is_refused(waypoints: tuple[Waypoint, ...]) -> None:
    with pytest.raises(ValueError, match="two different waypoints"):
        Route(waypoints)


def test_the_built_in_loop_stays_in_the_middle_of_munich() -> None:
    assert TOWN_LOOP.length_m == pytest.approx(6130, abs=10)
    centre = Waypoint(48.14, 11.57)
    for at_m in range(0, 6200, 50):
        assert distance_m(TOWN_LOOP.position(at_m), centre) < 2000
        assert distance_m(TOWN_LOOP.position(at_m), TOWN_LOOP.position(at_m + 50)) <= 50.1
