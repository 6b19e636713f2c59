"""What the driver's phone shows, from its own session alone: the slider blue or grey and why, the countdown, the car.

Pure. Decides wording; whether access is granted, and why not, comes from the module.
"""

from typing import Any, Final

from firmware.dashboard.handset import Seen
from firmware.dashboard.picture import what_is_open
from protocol.explain import describe, distance, duration, explain
from protocol.messages import Access, Phase, VehicleState
from protocol.sharing import Key
from protocol.tokens import GRACE_S, Booking

OLD_FIX_MS: Final = 30_000
_DOING: Final = {
    "unlock": "Unlocking …",
    "lock": "Locking …",
    "enable drive": "Enabling …",
    "open boot": "Opening …",
    "end": "Ending …",
}
_LINKS: Final = {
    "off": ("", "Not connected"),
    "looking": ("busy", "Looking for the car …"),
    "on": ("good", "Connected to the car"),
    "lost": ("bad", "Connection lost, looking again soon"),
    "refused": ("bad", "No session"),
}
_GREY: Final = {
    "off": "Not connected",
    "looking": "Looking for the car …",
    "on": "No access",
    "lost": "No connection",
    "refused": "No session",
}


def show(seen: Seen, shown: Booking | Key | None, now_ms: int, *, ask: str) -> dict[str, Any]:
    """For the page. `shown`: what the phone presents; `now_ms`: its clock; `ask`: what its last button is called."""
    blue = is_blue(seen)
    is_, words = _LINKS[seen.link]
    return {
        "link": {"is": is_, "words": words},
        "slider": {"blue": blue, "label": _label(seen, shown, blue), "why": _why(seen, shown)},
        "countdown": _countdown(seen, shown, now_ms) if blue else None,
        "refusal": _refusal(seen),
        "notice": _ended(seen),
        "labels": {
            "connect": "Connect" if seen.link in ("off", "refused") else "Hang up",
            "ask": ask,
        },
        "facts": [] if seen.vehicle is None else _facts(seen.vehicle),
        "place": _place(seen),
        "place_words": _place_words(seen),
        "veil": "" if seen.position is not None else _veil(seen),
    }


def is_blue(seen: Seen) -> bool:
    """The slider's colour: blue while the session says that access is granted."""
    return seen.link == "on" and seen.access is not None and seen.access.granted


def _label(seen: Seen, shown: Booking | Key | None, blue: bool) -> str:
    if seen.doing:
        return _DOING[seen.doing]
    if blue:
        return "Lock" if seen.vehicle is not None and seen.vehicle.locked is False else "Unlock"
    return "No booking, no key" if shown is None else _GREY[seen.link]


def _why(seen: Seen, shown: Booking | Key | None) -> str:
    if seen.link == "on" and seen.access is not None:
        return describe(seen.access)[0]
    if seen.why:
        return seen.why[0].upper() + seen.why[1:]
    return "Ask for the car first" if shown is None else ""


def _countdown(seen: Seen, shown: Booking | Key | None, now_ms: int) -> dict[str, Any] | None:
    access = seen.access
    if access is None or not access.ends_at_ms:
        return None
    at_ms = access.now_ms + now_ms - seen.heard_at_ms
    left_ms = access.ends_at_ms - at_ms
    match access.phase:
        case Phase.OVERDUE:
            to_cutoff_ms = max(0, access.cutoff_at_ms - at_ms)
            words = f"late; access ends in {_whole(to_cutoff_ms)}, once the car is parked"
            return _count("overdue", -left_ms, words, to_cutoff_ms / (GRACE_S * 1000))
        case Phase.CUTOFF_PENDING:
            return _count("pending", -left_ms, "late; access ends as soon as the car is parked", 1.0)
        case _:
            total_ms = _total_ms(access, shown)
            return _count("active", left_ms, "left", left_ms / total_ms)


def _total_ms(access: Access, shown: Booking | Key | None) -> int:
    begins_ms = 0 if shown is None else shown.not_before_s * 1000
    return max(1, access.ends_at_ms - begins_ms)


def _count(is_: str, value_ms: int, words: str, share: float) -> dict[str, Any]:
    shown = round(100 * min(1.0, max(0.0, share)), 1)
    return {"is": is_, "value": _whole(value_ms), "words": words, "share": shown}


def _whole(value_ms: int) -> str:
    return duration(max(0, value_ms) // 1000 * 1000)


def _refusal(seen: Seen) -> list[tuple[str, str]] | None:
    if seen.refusal is None:
        return None
    told = explain(seen.refusal)
    rows = (("Reason", told.reason), ("Rule", told.rule), ("Remedy", told.remedy))
    return [(name, words[0].upper() + words[1:]) for name, words in rows if words]


def _ended(seen: Seen) -> str:
    if seen.ended is None:
        return ""
    away = seen.ended.home_distance_m
    where = "the car does not know where it is" if away is None else f"{distance(away)} from home"
    return f"Ended, {where}. The car has signed a receipt."


def _facts(car: VehicleState) -> list[tuple[str, str, str]]:
    away = car.home_distance_m
    return [
        ("Doors", "unknown" if car.locked is None else "locked" if car.locked else "unlocked", ""),
        ("Open", what_is_open(car.doors_open, car.boot_open), "warn" if car.doors_open or car.boot_open else ""),
        ("Ignition", "unknown" if car.ignition_on is None else "on" if car.ignition_on else "off", ""),
        ("Driving enabled", "yes" if car.drive_enabled else "no", "good" if car.drive_enabled else ""),
        ("Fuel", "unknown" if car.fuel_pct is None else f"{car.fuel_pct} %", ""),
        ("From home", "unknown" if away is None else distance(away), ""),
    ]


def _place(seen: Seen) -> dict[str, Any] | None:
    if seen.position is None:
        return None
    at = (seen.position.latitude_e7 / 1e7, seen.position.longitude_e7 / 1e7)
    return {"at": at, "old": seen.position.age_ms > OLD_FIX_MS}


def _place_words(seen: Seen) -> str:
    if seen.position is None:
        return ""
    return f"The car is here, fix {_whole(seen.position.age_ms)} old"


def _veil(seen: Seen) -> str:
    return "The car does not know where it is" if is_blue(seen) else "Only a session with access shows the car"
