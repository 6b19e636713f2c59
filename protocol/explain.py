"""Refusals and access states in words (ACC-8), from codes and numbers alone: what a phone shows, and a bench."""

from datetime import UTC, datetime
from typing import Final

import msgspec

from protocol.errors import Code, Refusal, one_line
from protocol.messages import Access, Notice, NoticeKind, Permission, Phase

REASONS: Final[dict[Code, str]] = {
    Code.OK: "done",
    Code.MALFORMED: "the request could not be read",
    Code.UNKNOWN_OPERATION: "the module does not know this operation",
    Code.NOT_ADMITTED: "no booking or key was presented that is good now",
    Code.PERMISSION_MISSING: "the permission is missing",
    Code.UNKNOWN_ISSUER: "the module does not know who issued it",
    Code.SIGNATURE_INVALID: "the signature is not genuine",
    Code.TOKEN_MALFORMED: "the booking or key could not be read",
    Code.WRONG_VEHICLE: "it is for another car",
    Code.HOLDER_KEY_MISMATCH: "it was made for another phone",
    Code.WRONG_KEY_EPOCH: "it is from before the car's keys were changed",
    Code.NOT_YET_VALID: "the booking has not begun",
    Code.BOOKING_OVER: "the booking is over",
    Code.CLOCK_UNCERTAIN: "the module is not sure what time it is",
    Code.VEHICLE_IN_USE: "another booking is running",
    Code.BOOKING_ENDED: "the booking was ended",
    Code.BOOKING_CUT_OFF: "the booking was cut off",
    Code.BOOKING_SUPERSEDED: "a newer booking took over",
    Code.BOOKING_CANCELLED: "the booking was cancelled",
    Code.TOKEN_REVOKED: "it was withdrawn",
    Code.DEVICE_REPLACED: "the user has moved to a newer phone",
    Code.NOT_PARKED: "the car is not parked",
    Code.DOORS_OPEN: "a door or the boot is open",
    Code.END_NOT_POSSIBLE: "the booking cannot be ended yet",
    Code.VEHICLE_NO_RESPONSE: "the car did not confirm the command",
    Code.OUTCOME_UNKNOWN: "the module does not remember this command",
    Code.COMMAND_ID_REUSED: "the identifier was used for another command",
    Code.POSITION_UNKNOWN: "the module does not know where the car is",
    Code.STORAGE_FAILED: "the module could not write to its memory",
    Code.BUSY: "the module is busy with another command",
    Code.HANDSHAKE_FAILED: "module and phone could not authenticate each other",
    Code.TOO_MANY_HANDSHAKES: "too many failed attempts to connect",
    Code.NONCE_UNKNOWN: "the time was not signed for this module's request",
    Code.ORDER_LATE: "the order came too late",
    Code.ORDER_UNSUPPORTED: "the module does not know this order",
    Code.LIST_OUTDATED: "the module has a newer list",
    Code.MESSAGE_TOO_LARGE: "the message is too long",
    Code.FRAMING: "the message was damaged on its way",
    Code.SESSION_OVER: "the session has ended",
    Code.SUBSCRIPTION_EXPIRED: "the owner's subscription to sharing is over, or sharing is paused",
    Code.REMOTE_INACTIVE: "the car has no remote services",
    Code.SUBSCRIPTION_OUTDATED: "the module has a newer subscription",
    Code.ACTIVATION_REQUIRED: "the shared key waits for its activation code",
    Code.CODE_WRONG: "the activation code is not the one of a key that waits",
    Code.CODE_EXPIRED: "the time for entering the activation code is over",
    Code.CODE_DEAD: "too many wrong activation codes were entered",
    Code.CODE_PAUSED: "no activation code is taken for a while, after wrong ones",
    Code.CODE_UNEXPECTED: "no shared key waits for an activation code",
    Code.KEY_DEACTIVATED: "the key was deactivated in the vehicle",
    Code.KEY_DELETED: "the main user deleted the key",
    Code.KEY_LIST_FULL: "the vehicle has as many shared keys as it can remember",
    Code.SHARE_INVALID: "the key was not shared in a way that this car accepts",
    Code.OUTSIDE_HOURS: "the key is not good at this hour",
    Code.KEYS_UNAVAILABLE: "this vehicle has no digital keys",
    Code.NOT_COUPLED: "the car has no owner yet",
    Code.NOT_PREPARED: "the vehicle is not prepared for sharing",
    Code.NO_MODULE: "the vehicle has no sharing module",
    Code.ALREADY_OWNED: "the car has an owner",
    Code.VIN_INVALID: "the vehicle identification number is not right",
    Code.KEYS_MISSING: "not all vehicle keys are in the car",
    Code.NOT_CONNECTED: "the module has no connection to the backend",
    Code.TAKEOVER_INTERRUPTED: "the takeover was interrupted",
    Code.DRIVER_LIST_FULL: "as many drivers as the car can have share it already",
    Code.SERVICE_INACTIVE: "the service is not active",
    Code.SIM_BLOCKED: "the car's SIM is blocked",
    Code.OUT_OF_TERRITORY: "the service does not work in this country",
    Code.ROLE_REQUIRED: "the credential does not have the role for it",
    Code.ORDER_OUTDATED: "the module has a newer order",
    Code.OVERDUE: "the booking is over, and the car is still in use",
    Code.OUTSIDE_HOME_AREA: "the car is outside its home area",
}

_OF_KEYS: Final[dict[Code, str]] = {
    Code.NOT_YET_VALID: "the key is not good yet",
    Code.BOOKING_OVER: "the key has expired",
}
"""Where the same code means a key, by a rule about keys."""

_NOTICES: Final[dict[NoticeKind, str]] = {
    NoticeKind.OVERDUE: "The booking is over. Bring the car back: {} left.",
    NoticeKind.CUTOFF_SOON: "Access ends in {}, once the car is parked.",
    NoticeKind.CUT_OFF: "Access has ended: the booking was cut off.",
    NoticeKind.ENDED_BY_ORDER: "The booking was ended by the backend.",
    NoticeKind.KEY_ACCEPTED: "A key that you shared was accepted.",
    NoticeKind.KEY_ACTIVATED: "A key that you shared was activated.",
}

_PHRASES: Final[dict[str, str]] = {
    "overdue_ms": "overdue {}",
    "parked_ms": "parked for {}",
    "starts_in_ms": "begins in {}",
    "over_for_ms": "over for {}",
    "ends_in_ms": "ends in {}",
    "cutoff_in_ms": "cut-off in {}",
    "left_ms": "{} left",
    "uncertainty_ms": "uncertain by {}",
    "retry_in_ms": "again in {}",
    "pause_ms": "again in {}",
    "opens_in_ms": "good again in {}",
    "late_by_ms": "late by {}",
}
"""Where a name alone does not read well; any other name is used as it stands, with its unit."""

_CLAIMS: Final[dict[str, str]] = {
    "not_parked": "not parked",
    "doors_open": "a door is open",
    "boot_open": "the boot is open",
    "same_person": "of the same person",
}
"""Numbers that are claims: 1 says that it holds; 0 is not worth a word."""


class Explanation(msgspec.Struct, frozen=True):
    """A refusal in words, one line each. `remedy` may be empty."""

    reason: str
    rule: str
    remedy: str

    def lines(self) -> tuple[str, ...]:
        """The lines to show, labelled."""
        shown = [f"Reason: {self.reason}"]
        if self.rule:
            shown.append(f"Rule:   {self.rule}")
        if self.remedy:
            shown.append(f"Remedy: {self.remedy}")
        return tuple(shown)


def explain(refusal: Refusal) -> Explanation:
    """Reason with the numbers that decided it, rule, and what to do."""
    rule = f"{one_line(refusal.rule)} ({refusal.code.name})" if refusal.rule else refusal.code.name
    remedy = one_line(refusal.remedy)
    if refusal.may_have_succeeded:
        remedy = f"It may have been carried out all the same. {remedy}".rstrip()
    return Explanation(sentence(refusal), rule, remedy)


def sentence(refusal: Refusal) -> str:
    """The reason alone, on one line: "the booking was cut off: overdue 31 min 04 s, parked for 12 s"."""
    reason = REASONS.get(refusal.code, refusal.code.name)
    if refusal.rule.startswith("KEY-"):
        reason = _OF_KEYS.get(refusal.code, reason)
    shown = [(name, value) for name, value in refusal.numbers if value or name not in _CLAIMS]
    numbers = ", ".join(number_in_words(name, value) for name, value in shown)
    return f"{reason}: {numbers}" if numbers else reason


def number_in_words(name: str, value: int) -> str:
    """One deciding number; its name ends in its unit (`_ms`, `_s`, `_m`, `_kmh`, `_pct`, `_at_ms`)."""
    if name.endswith("_at_ms"):
        return f"{_plain(name.removesuffix('_ms'))} {instant(value)}"
    if name.startswith(("permission", "missing_permission")):
        return f"{_plain(name)} {permissions_in_words(value)}"
    if name in _CLAIMS:
        return _CLAIMS[name] if value else f"not: {_CLAIMS[name]}"
    stem, text = _unit(name, value)
    phrase = _PHRASES.get(name)
    return f"{_plain(stem)} {text}" if phrase is None else phrase.format(text)


def _unit(name: str, value: int) -> tuple[str, str]:
    stem, _, unit = name.rpartition("_")
    match unit:
        case "ms":
            return stem, duration(value)
        case "s":
            return stem, duration(value * 1000)
        case "m":
            return stem, distance(value)
        case "kmh":
            return stem, f"{value} km/h"
        case "pct":
            return stem, f"{value} %"
        case _:
            return name, str(value)


def _plain(name: str) -> str:
    return one_line(name.replace("_", " "))


def duration(value_ms: int) -> str:
    """`1864000` -> "31 min 04 s". Whole units, rounded down; below one second in milliseconds."""
    sign = "-" if value_ms < 0 else ""
    seconds, rest_ms = divmod(abs(value_ms), 1000)
    if seconds == 0:
        return f"{sign}{rest_ms} ms" if rest_ms else "0 s"
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{sign}{days} d {hours:02} h {minutes:02} min"
    if hours:
        return f"{sign}{hours} h {minutes:02} min {seconds:02} s"
    if minutes:
        return f"{sign}{minutes} min {seconds:02} s"
    return f"{sign}{seconds} s"


def distance(value_m: int) -> str:
    """`301` -> "301 m", `12345` -> "12.3 km"."""
    return f"{value_m} m" if abs(value_m) < 10_000 else f"{value_m / 1000:.1f} km"


def instant(value_ms: int) -> str:
    """UTC milliseconds -> "2026-07-01 10:30:00 UTC"."""
    try:
        return datetime.fromtimestamp(value_ms // 1000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    except (OverflowError, ValueError, OSError):
        return f"{value_ms} ms UTC"


def permissions_in_words(bits: int) -> str:
    """`5` -> "unlock, lock"; nothing -> "none"."""
    names = [permission.name.lower() for permission in Permission if permission.name and bits & permission]
    return ", ".join(names) or "none"


def describe(access: Access) -> tuple[str, ...]:
    """The access state (ACC-10) in lines: the verdict first, then time left, or reason, rule and remedy."""
    if not access.granted:
        if access.refusal is None:
            return (f"Access denied ({access.phase.name.lower().replace('_', ' ')})",)
        return ("Access denied", *explain(access.refusal).lines())
    shown = [f"Access granted: {permissions_in_words(access.permissions)}"]
    left_ms = access.ends_at_ms - access.now_ms
    match access.phase:
        case Phase.OVERDUE:
            shown.append(f"Overdue {duration(-left_ms)}: {_until_cutoff(access)}")
        case Phase.CUTOFF_PENDING:
            shown.append(f"Overdue {duration(-left_ms)}: access ends as soon as the car is parked")
        case _ if access.ends_at_ms:
            shown.append(f"Until {instant(access.ends_at_ms)} ({duration(left_ms)} left)")
        case _:
            pass
    return tuple(shown)


def _until_cutoff(access: Access) -> str:
    return f"cut-off in {duration(access.cutoff_at_ms - access.now_ms)}, once the car is parked"


def announce(notice: Notice) -> str:
    """A notice to the driver (CUT-7) as one line."""
    return _NOTICES[notice.kind].format(duration(notice.left_ms))
