"""The scene's own roads and places: what the maps draw instead of streets, and where one can drive to.

Between any two places there is a straight road, because that is how the simulated car drives; and the round that the
cars of scenarios make.
"""

from itertools import combinations
from typing import Any, Final

import msgspec

from firmware.core.geo import HOME_RADIUS_M
from firmware.simulated.car import Car
from firmware.simulated.route import TOWN_LOOP, Route, Waypoint

ROUND_POINTS: Final = 60


class Place(msgspec.Struct, frozen=True):
    """Somewhere to drive to, and how fast one gets there."""

    id: str
    name: str
    at: Waypoint
    speed_kmh: int

    @property
    def command(self) -> str:
        """The desk's command for driving there from wherever the car is."""
        return f"drive {self.speed_kmh} --to {self.at.latitude} {self.at.longitude}"


HOME: Final = Place("home", "Home", Waypoint(48.1375, 11.5755), 50)
PLACES: Final = (
    Place("lake", "The lake", Waypoint(47.9990, 11.3520), 110),
    Place("garden", "The beer garden", Waypoint(48.1631, 11.6049), 30),
    Place("airport", "The airport", Waypoint(48.3540, 11.7830), 120),
    HOME,
)


def find(place_id: str) -> Place | None:
    """The place of that name, None when there is none."""
    return next((place for place in PLACES if place.id == place_id), None)


def layout() -> dict[str, Any]:
    """What every map shows, whoever looks at it."""
    return {
        "home": HOME.at,
        "home_radius_m": HOME_RADIUS_M,
        "roads": [*((start.at, end.at) for start, end in combinations(PLACES, 2)), _around(TOWN_LOOP)],
        "places": [{"name": place.name, "at": place.at} for place in PLACES],
    }


def _around(loop: Route) -> tuple[Waypoint, ...]:
    """A loop as the way of one round."""
    return tuple(loop.position(loop.length_m * part / ROUND_POINTS) for part in range(ROUND_POINTS + 1))


def parked_car() -> Car:
    """A car at home, locked."""
    return Car(route=Route((HOME.at, PLACES[0].at)))
