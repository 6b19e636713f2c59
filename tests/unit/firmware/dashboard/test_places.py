"""The scene's own roads and places."""

from firmware.bench.grammar import split
from firmware.core.geo import HOME_RADIUS_M
from firmware.dashboard import places
from firmware.demo import rig
from firmware.simulated.route import distance_m


def test_home_is_where_the_module_thinks_that_it_is() -> None:
    assert tuple(round(degrees * 1e7) for degrees in places.HOME.at) == rig.HOME
    assert distance_m(places.parked_car().position, places.HOME.at) < 1


def test_every_place_is_found_by_its_name_and_no_other() -> None:
    assert [places.find(place.id) for place in places.PLACES] == list(places.PLACES)
    assert places.find("moon") is None


def test_a_road_joins_any_two_places_and_the_desk_is_told_where_it_leads() -> None:
    layout = places.layout()
    assert layout["home_radius_m"] == HOME_RADIUS_M
    roads = layout["roads"]
    *straight, around = roads
    assert len(straight) == len(places.PLACES) * (len(places.PLACES) - 1) / 2
    assert distance_m(around[0], around[-1]) < 1
    lake = places.PLACES[0]
    assert split(lake.command) == ["drive", "110", "--to", str(lake.at.latitude), str(lake.at.longitude)]
