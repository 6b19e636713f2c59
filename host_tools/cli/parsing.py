"""What people type: durations (`2h30m`), instants (`+1h`, `2026-07-01T10:00Z`; UTC), hours, pseudonyms, hex."""

import hashlib
import re
from datetime import UTC, date, datetime
from typing import Final

from host_tools.cli.exits import CliError, Exit
from protocol.orders import PSEUDONYM_BYTES
from protocol.sharing import Hours

_UNITS_S: Final = {"w": 7 * 86_400, "d": 86_400, "h": 3600, "m": 60, "s": 1}
_DURATION: Final = re.compile(r"(?:(\d{1,9})w)?(?:(\d{1,9})d)?(?:(\d{1,9})h)?(?:(\d{1,9})m)?(?:(\d{1,9})s)?")
_HOURS: Final = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)")
_LONG_HEX: Final = re.compile(r"[0-9A-Fa-f]{8,}")


def parse_duration(text: str) -> int:
    """Seconds of "2h30m", "3w", "90s". Raises CliError USAGE."""
    match = _DURATION.fullmatch(text.strip())
    if match is None or not any(match.groups()):
        raise CliError(Exit.USAGE, f"'{text}' is no duration. Write it like 45m, 2h30m or 3w.")
    return sum(int(count or 0) * unit_s for count, unit_s in zip(match.groups(), _UNITS_S.values(), strict=True))


def parse_instant(text: str, now_s: int) -> int:
    """UTC seconds of "now", "+1h", "-10m", "2026-07-01T10:00Z" or seconds since 1970. Raises CliError USAGE."""
    text = text.strip()
    if text == "now":
        return now_s
    if text[:1] in ("+", "-"):
        delta_s = parse_duration(text[1:])
        return now_s + delta_s if text[0] == "+" else now_s - delta_s
    if re.fullmatch(r"\d{9,10}", text):
        return int(text)
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise CliError(Exit.USAGE, f"'{text}' is no time. Write now, +1h, or 2026-07-01T10:00Z (UTC).") from None
    if instant.tzinfo is None:
        instant = instant.replace(tzinfo=UTC)
    return int(instant.timestamp())


def parse_window(from_: str, for_: str | None, until: str | None, now_s: int, *, usual: str) -> tuple[int, int]:
    """Begin and end, UTC seconds, of --from, and --for or --until; `usual` is how long without them. Raises CliError
    USAGE."""
    starts_s = parse_instant(from_, now_s)
    if for_ is not None and until is not None:
        raise CliError(Exit.USAGE, "--for and --until contradict each other. Give one of them.")
    return starts_s, starts_s + parse_duration(for_ or usual) if until is None else parse_instant(until, now_s)


def parse_hex(text: str, size: int, what: str) -> bytes:
    """`size` bytes of hexadecimal digits; `what` they are goes into the error. Raises CliError USAGE."""
    try:
        data = bytes.fromhex(text)
    except ValueError:
        data = b""
    if len(data) != size:
        raise CliError(Exit.USAGE, f"'{text}' is not {what}. It has {2 * size} hexadecimal digits.")
    return data


def parse_pseudonym(text: str) -> bytes:
    """The 8 bytes that 16 hexadecimal digits say, or those made of a name: the same name, the same pseudonym. Raises
    CliError USAGE."""
    if len(text) != 2 * PSEUDONYM_BYTES and _LONG_HEX.fullmatch(text):
        raise CliError(Exit.USAGE, f"'{text}' is no pseudonym. It has 16 hexadecimal digits; or give a name.")
    if not text.strip() or not text.isprintable():
        raise CliError(Exit.USAGE, f"{text!r} is no pseudonym. Give 16 hexadecimal digits, or a name.")
    try:
        return parse_hex(text, PSEUDONYM_BYTES, "a pseudonym")
    except CliError:
        return hashlib.sha256(text.encode()).digest()[:PSEUDONYM_BYTES]


def parse_hours(text: str) -> Hours:
    """The hours of each day in "08:00-18:00", UTC. Raises CliError USAGE."""
    match = _HOURS.fullmatch(text.strip())
    if match is None:
        raise CliError(Exit.USAGE, f"'{text}' are no hours. Write them like 08:00-18:00 (UTC).")
    from_h, from_min, to_h, to_min = (int(group) for group in match.groups())
    hours = Hours(60 * from_h + from_min, 60 * to_h + to_min)
    if hours.from_min == hours.to_min:
        raise CliError(Exit.USAGE, f"'{text}' are no hours: they end when they begin. Leave them out for all day.")
    return hours


def parse_date(text: str) -> tuple[int, int, int]:
    """Year, month and day of "2021-05-10". Raises CliError USAGE."""
    try:
        found = date.fromisoformat(text.strip())
    except ValueError:
        raise CliError(Exit.USAGE, f"'{text}' is no date. Write it like 2021-05-10.") from None
    return found.year, found.month, found.day


def parse_position(latitude: float, longitude: float) -> tuple[int, int]:
    """Degrees times 10^7 of degrees (WGS 84). Raises CliError USAGE."""
    if not (-90 <= latitude <= 90 and -180 <= longitude <= 180):
        raise CliError(Exit.USAGE, f"{latitude} {longitude} is no position. Write latitude and longitude in degrees.")
    return round(latitude * 1e7), round(longitude * 1e7)
