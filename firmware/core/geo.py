"""Positions: which are possible, and how far apart they are (TEL-7, BKG-5)."""

from math import asin, cos, radians, sin, sqrt
from typing import Final

from firmware.core.clock import MOST_UTC_MS
from firmware.core.events import Fix

EARTH_RADIUS_M: Final = 6_371_008.8
"""Mean radius, IUGG."""
HOME_RADIUS_M: Final = 300.0
"""A position further away is outside the home area (BKG-5)."""


def usable(fix: Fix | None) -> Fix | None:
    """The fix, unless it can not be: out of range, or the (0, 0) that receivers without a fix send."""
    if fix is None or (fix.latitude_e7 == 0 and fix.longitude_e7 == 0) or not 0 <= fix.utc_ms <= MOST_UTC_MS:
        return None
    return fix if abs(fix.latitude_e7) <= 900_000_000 and abs(fix.longitude_e7) <= 1_800_000_000 else None


def is_place(latitude: float, longitude: float) -> bool:
    """Whether it is on Earth, degrees, and not the (0, 0) that receivers without a fix send."""
    return abs(latitude) <= 90 and abs(longitude) <= 180 and (latitude, longitude) != (0.0, 0.0)


def distance_m(a: tuple[int, int], b: tuple[int, int]) -> float:
    """Great-circle distance in metres between two points in degrees times 10^7 (haversine)."""
    (lat_a, lon_a), (lat_b, lon_b) = ((radians(lat / 1e7), radians(lon / 1e7)) for lat, lon in (a, b))
    h = sin((lat_b - lat_a) / 2) ** 2 + cos(lat_a) * cos(lat_b) * sin((lon_b - lon_a) / 2) ** 2
    return 2 * EARTH_RADIUS_M * asin(min(1.0, sqrt(h)))
