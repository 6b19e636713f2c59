"""Where the simulated car drives: waypoints on the earth, and the place at a distance along them.

Decides: lengths and positions. Pure.
Refuses to know: speed, time and roads. Between waypoints the way is straight.
"""

import math
from bisect import bisect_right
from collections.abc import Sequence
from itertools import pairwise
from typing import Final, NamedTuple

EARTH_RADIUS_M: Final = 6_371_008.8
"""Mean radius of the WGS 84 ellipsoid."""


class Waypoint(NamedTuple):
    """Degrees, WGS 84; north and east are positive."""

    latitude: float
    longitude: float


class Route:
    """A way through at least two different waypoints; a `loop` leads back to the first and goes on for ever."""

    def __init__(self, waypoints: Sequence[Waypoint], *, loop: bool = False) -> None:
        points = tuple(waypoints)
        if loop:
            points += points[:1]
        self.loop = loop
        self._points = points
        self._starts_m = [0.0]
        for start, end in pairwise(points):
            self._starts_m.append(self._starts_m[-1] + distance_m(start, end))
        if self.length_m <= 0:
            raise ValueError("a route needs at least two different waypoints")

    @property
    def length_m(self) -> float:
        """Metres from the first to the last waypoint, or once around."""
        return self._starts_m[-1]

    def back(self) -> "Route":
        """The same way from its end to its start, and round again for ever."""
        return Route(self._points[::-1], loop=True)

    def left_m(self, travelled_m: float) -> float:
        """Metres still to go after `travelled_m`; infinite on a loop."""
        return math.inf if self.loop else max(0.0, self.length_m - travelled_m)

    def position(self, travelled_m: float) -> Waypoint:
        """The place `travelled_m` metres after the start; the end of the route for anything beyond it."""
        at_m = travelled_m % self.length_m if self.loop else min(max(travelled_m, 0.0), self.length_m)
        leg = min(bisect_right(self._starts_m, at_m), len(self._starts_m) - 1)
        start, end = self._points[leg - 1], self._points[leg]
        leg_m = self._starts_m[leg] - self._starts_m[leg - 1]
        share = (at_m - self._starts_m[leg - 1]) / leg_m if leg_m else 0.0
        return Waypoint(
            start.latitude + share * (end.latitude - start.latitude),
            start.longitude + share * (end.longitude - start.longitude),
        )


def distance_m(start: Waypoint, end: Waypoint) -> float:
    """Great-circle distance in metres (haversine)."""
    north = math.radians(end.latitude - start.latitude)
    east = math.radians(end.longitude - start.longitude)
    half = (
        math.sin(north / 2) ** 2
        + math.cos(math.radians(start.latitude)) * math.cos(math.radians(end.latitude)) * math.sin(east / 2) ** 2
    )
    return 2 * EARTH_RADIUS_M * math.asin(min(1.0, math.sqrt(half)))


TOWN_LOOP: Final = Route(
    (
        Waypoint(48.14400, 11.55820),
        Waypoint(48.14620, 11.56510),
        Waypoint(48.14780, 11.57290),
        Waypoint(48.14330, 11.57790),
        Waypoint(48.13960, 11.58640),
        Waypoint(48.13330, 11.58390),
        Waypoint(48.13220, 11.57560),
        Waypoint(48.13320, 11.56640),
        Waypoint(48.13900, 11.56590),
        Waypoint(48.14040, 11.55990),
    ),
    loop=True,
)
"""Once around the old town of Munich, 6.1 km."""
