"""Vehicle identification numbers: which are possible, and which character of another is wrong (OWN-6, ISO 3779).

Decides from the characters alone. Refuses to know whose car it is and whether there is one with that number.
"""

from typing import Final

import msgspec

from protocol.errors import Code, Refusal, refuse

CHARACTERS: Final = 17
CHECK_DIGIT_AT: Final = 9
"""Its place, counted from 1, in the markets that use it."""
CHECKED_MARKETS: Final = frozenset({"US", "CA", "MX", "CN"})
"""Where the ninth character is a check digit: 49 CFR 565 and what follows it in North America, GB 16735 in China. The
European Union asks for none, and makers put any character there."""

_VALUES: Final = {
    **{str(digit): digit for digit in range(10)},
    **dict(zip("ABCDEFGH", range(1, 9), strict=True)),
    **dict(zip("JKLMN", range(1, 6), strict=True)),
    **{"P": 7, "R": 9},
    **dict(zip("STUVWXYZ", range(2, 10), strict=True)),
}
"""What each character counts in the check digit. I, O and Q are in no VIN: they are too much like 1 and 0."""
_WEIGHTS: Final = (8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2)
_MISREAD: Final = {"I": "1", "O": "0", "Q": "0"}


class Fault(msgspec.Struct, frozen=True):
    """What is wrong with a VIN. `position` counts from 1, 0 when it is the length; `suggestion` is the character that
    was probably meant, empty when nobody can tell."""

    what: str
    position: int = 0
    suggestion: str = ""


def check(vin: str, market: str = "") -> Fault | None:
    """What is wrong with `vin`, or None. `market` is a country (ISO 3166-1 alpha-2): some use the check digit."""
    if len(vin) != CHARACTERS:
        return Fault(f"it has {len(vin)} characters, and a VIN has {CHARACTERS}")
    for position, character in enumerate(vin, 1):
        if character not in _VALUES:
            return _impossible(position, character)
    wanted = check_digit(vin)
    if market in CHECKED_MARKETS and vin[CHECK_DIGIT_AT - 1] != wanted:
        return Fault(f"its check digit, character {CHECK_DIGIT_AT}, does not fit the others", CHECK_DIGIT_AT)
    return None


def _impossible(position: int, character: str) -> Fault:
    upper = character.upper()
    suggestion = _MISREAD.get(upper, upper if upper in _VALUES else "")
    return Fault(f"character {position} is {character!r}, which is in no VIN", position, suggestion)


def check_digit(vin: str) -> str:
    """What the ninth of these 17 possible characters has to be where it is a check digit: 0 to 9, or X for ten."""
    rest = sum(_VALUES[character] * weight for character, weight in zip(vin, _WEIGHTS, strict=True)) % 11
    return "X" if rest == 10 else str(rest)


def refusal(fault: Fault) -> Refusal:
    """VIN_INVALID: which character it is, and what it may be instead."""
    remedy = f"Copy the VIN from the registration document again: {fault.what}."
    if fault.suggestion:
        remedy = f"{remedy} It may be {fault.suggestion}."
    return refuse(Code.VIN_INVALID, numbers=(("position", fault.position),), remedy=remedy)
