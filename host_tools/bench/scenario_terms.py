"""What a main user says of a key that is shared: `may unlock and lock; with a code; daily 08:00 - 18:00`.

Decides how these terms are written. It does not know how a share is signed.
"""

import re
from typing import Final

import msgspec

from host_tools.bench.scenario_times import DAY_S, seconds, window
from protocol.messages import Permission

USUAL: Final = Permission.UNLOCK | Permission.DRIVE | Permission.LOCK
MOST_TERMS: Final = 5
FORMS: Final = (
    "may PERMISSIONS",
    "for TIME - TIME",
    "daily HH:MM - HH:MM",
    "with a code",
    "with a code until TIME",
)
"""How each of the terms is written; they are put together with `; `."""
_WITH_CODE: Final = "with a code"
_DAILY: Final = re.compile(r"daily (\d\d:\d\d - \d\d:\d\d)")


class Terms(msgspec.Struct, frozen=True):
    """`permissions` as bits; `window` in seconds after the first midnight, None: from now, for a month; `daily`:
    seconds after each midnight; `coded`: it takes an activation code, which has to be entered until `code_until_s`,
    None: for as long as the key is good."""

    permissions: int = int(USUAL)
    window: tuple[int, int] | None = None
    daily: tuple[int, int] | None = None
    coded: bool = False
    code_until_s: int | None = None


def permissions(text: str) -> int:
    """`unlock, drive` as bits; `nothing` is none. Raises ValueError."""
    if text == "nothing":
        return 0
    bits = 0
    for name in text.replace(" and ", ", ").split(", "):
        if name not in PERMISSIONS:
            raise ValueError(f"is no list of permissions; they are {', '.join(PERMISSIONS)}")
        bits |= PERMISSIONS[name]
    return bits


PERMISSIONS: Final = {permission.name.lower(): int(permission) for permission in Permission if permission.name}


def terms(text: str) -> Terms:
    """The terms in `text`. Raises ValueError."""
    found = Terms()
    parts = text.split("; ")
    if len(parts) > MOST_TERMS:
        raise ValueError(f"has more than {MOST_TERMS} terms")
    for part in parts:
        found = _with(found, part)
    return found


def _with(found: Terms, part: str) -> Terms:
    word, _, rest = part.partition(" ")
    match word:
        case "may":
            return msgspec.structs.replace(found, permissions=permissions(rest))
        case "for":
            return msgspec.structs.replace(found, window=window(rest))
        case "daily" if (daily := _DAILY.fullmatch(part)) is not None:
            return msgspec.structs.replace(found, daily=_daily(daily[1]))
        case _ if part == _WITH_CODE:
            return msgspec.structs.replace(found, coded=True)
        case _ if part.startswith(f"{_WITH_CODE} until "):
            until_s = seconds(part.removeprefix(f"{_WITH_CODE} until "))
            return msgspec.structs.replace(found, coded=True, code_until_s=until_s)
        case _:
            raise ValueError(f"is no term of a shared key; they are: {'; '.join(FORMS)}")


def _daily(text: str) -> tuple[int, int]:
    """It may go over midnight."""
    begins_s, ends_s = (seconds(each) % DAY_S for each in text.split(" - "))
    if begins_s == ends_s:
        raise ValueError("begins when it ends; leave it out for the whole day")
    return begins_s, ends_s
