"""What the page shows of time, car and scene: facts as texts. Pure; decides wording only."""

from datetime import UTC, datetime
from typing import Any, Final

from firmware.core.trip import GRACE_MS
from firmware.simulated.vehicle import Snapshot
from protocol.explain import duration

WARNING_MS: Final = 5 * 60_000
BEYOND_MS: Final = 1_000
"""Behind a deadline, so that what it brings can be seen."""
RATES: Final = {0.0: "frozen", 1.0: "real"}


def clock(utc_ms: int) -> str:
    """`10:00:00`."""
    return datetime.fromtimestamp(utc_ms / 1000, UTC).strftime("%H:%M:%S")


def time(utc_ms: int, rate: float, *, moving: bool, under_way: bool, next_: "tuple[str, int] | None") -> dict[str, Any]:
    """`under_way`: something that was pressed has not come to its end. `next_`: what comes next, and in how many ms."""
    pace = "moves" if moving else RATES.get(rate, "races")
    words = {"frozen": "paused", "real": "real time", "moves": "time moves"}.get(pace, f"{rate:g}×")  # noqa: RUF001
    return {
        "clock": clock(utc_ms),
        "date": datetime.fromtimestamp(utc_ms / 1000, UTC).strftime("%a %-d %b %Y, UTC"),
        "pace": pace,
        "pace_words": words,
        "under_way": under_way,
        "next": "" if next_ is None else f"To {next_[0]}, in {_short(next_[1])}",
    }


def what_is_open(door: object, boot: object) -> str:
    """What somebody is told to be open; None is not known, and then nobody says that nothing is."""
    is_open = [name for name, yes in (("door", door), ("boot", boot)) if yes]
    return " and ".join(is_open) or ("unknown" if door is None or boot is None else "nothing")


def next_deadline(end_at_ms: int | None, now_ms: int) -> tuple[str, int] | None:
    """What a running booking comes to next, and in how many ms. `end_at_ms`: its end on the monotonic clock."""
    if end_at_ms is None:
        return None
    deadlines = (
        ("the booking’s end", end_at_ms),  # noqa: RUF001 - an apostrophe as it is printed
        ("the last warning", end_at_ms + GRACE_MS - WARNING_MS),
        ("the cutoff", end_at_ms + GRACE_MS),
    )
    return next(((name, at - now_ms) for name, at in deadlines if at > now_ms), None)


def _short(value_ms: int) -> str:
    """Minutes are enough from a minute on."""
    minutes = value_ms // 60_000
    return duration(value_ms // 1000 * 1000) if minutes < 1 else duration(minutes * 60_000).removesuffix(" 00 s")


def car(seen: Snapshot, flashes: int, way_to: "tuple[float, float] | None") -> dict[str, Any]:
    """The car as somebody beside it sees it. `way_to`: where it drives to."""
    at = (seen.latitude, seen.longitude)
    moves = seen.speed_kmh > 0
    return {
        "locked": seen.locked,
        "doors": [number in seen.open_doors for number in range(4)],
        "boot": seen.boot_open,
        "ignition": seen.ignition_on,
        "moves": moves,
        "flashes": flashes,
        "keys": seen.keys,
        "facts": [
            ("Doors", "locked" if seen.locked else "unlocked", ""),
            ("Ignition", "on" if seen.ignition_on else "off", "good" if seen.ignition_on else ""),
            ("Immobiliser", "armed" if seen.immobilised else "released", ""),
            ("Speed", f"{seen.speed_kmh:.0f} km/h", ""),
            ("Fuel", f"{seen.fuel_pct:.0f} %", "warn" if seen.fuel_pct < 10 else ""),
            ("Odometer", f"{seen.odometer_m / 1000:.1f} km", ""),
            ("12 V battery", f"{seen.battery_mv / 1000:.1f} V", ""),
        ],
        "place": {"at": at, "old": not seen.has_fix},
        "way": [at, way_to] if moves and way_to is not None else [],
    }
