"""What people type: durations (`2h30m`), instants (`+1h`, `2026-07-01T10:00Z`; UTC), identifiers in hex."""

import re
from datetime import UTC, datetime
from typing import Final

from host_tools.cli.exits import CliError, Exit

_UNITS_S: Final = {"w": 7 * 86_400, "d": 86_400, "h": 3600, "m": 60, "s": 1}
_DURATION: Final = re.compile(r"(?:(\d{1,9})w)?(?:(\d{1,9})d)?(?:(\d{1,9})h)?(?:(\d{1,9})m)?(?:(\d{1,9})s)?")


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


def parse_hex(text: str, size: int, what: str) -> bytes:
    """`size` bytes of hexadecimal digits; `what` they are goes into the error. Raises CliError USAGE."""
    try:
        data = bytes.fromhex(text)
    except ValueError:
        data = b""
    if len(data) != size:
        raise CliError(Exit.USAGE, f"'{text}' is not {what}. It has {2 * size} hexadecimal digits.")
    return data
