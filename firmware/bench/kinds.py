"""The types of parameters: what may stand for a duration, a time, a number, a word. Reading only."""

import math
import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Final

from firmware.bench.grammar import Kind

MOST_DURATION_S: Final = 366 * 86_400.0
_UNITS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
_DURATION: Final = re.compile(r"(\d{1,9}(?:\.\d{1,6})?)(ms|s|m|h|d)", re.ASCII)
_FIRST_YEAR: Final = 2020
_LAST_YEAR: Final = 2099


def duration_s(word: str) -> float:
    """`30s`, `5m`, `1.5h`, `1h30m` as seconds. Raises ValueError."""
    parts = _DURATION.findall(word)
    if not parts or "".join(number + unit for number, unit in parts) != word:
        raise ValueError("it is no duration; write it like 30s, 5m, 2h or 1.5h")
    seconds = sum(float(number) * _UNITS[unit] for number, unit in parts)
    if seconds > MOST_DURATION_S:
        raise ValueError("it is longer than a year")
    return seconds


def offset_s(word: str) -> float | None:
    """`lost` as None, `+1h` and `-5m` as seconds. Raises ValueError."""
    if word == "lost":
        return None
    if word[:1] not in ("+", "-"):
        raise ValueError("it is neither `lost` nor an offset like +1h")
    return duration_s(word[1:]) * (-1 if word[0] == "-" else 1)


def instant_ms(word: str) -> int:
    """ISO 8601 as UTC in ms; without an offset it is UTC. Raises ValueError."""
    try:
        found = datetime.fromisoformat(word)
    except ValueError:
        raise ValueError("it is no time; write it like 2026-10-30T12:00:00Z") from None
    if not _FIRST_YEAR <= found.year <= _LAST_YEAR:
        raise ValueError(f"its year is not in {_FIRST_YEAR} to {_LAST_YEAR}")
    return round((found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp() * 1000)


def number(low: float, high: float) -> Callable[[str], float]:
    """A reader of numbers in these bounds."""

    def read(word: str) -> float:
        try:
            value = float(word)
        except ValueError:
            raise ValueError("it is no number") from None
        if not (math.isfinite(value) and low <= value <= high):
            raise ValueError(f"it is not between {low:g} and {high:g}")
        return value

    return read


def whole(low: int, high: int) -> Callable[[str], int]:
    """A reader of whole numbers in these bounds."""

    def read(word: str) -> int:
        if not re.fullmatch(r"-?\d{1,12}", word, re.ASCII) or not low <= int(word) <= high:
            raise ValueError(f"it is no whole number between {low} and {high}")
        return int(word)

    return read


def one_of(name: str, *words: str) -> Kind[object]:
    """One of these words."""

    def read(word: str) -> object:
        if word not in words:
            raise ValueError(f"it is none of {', '.join(words)}")
        return word

    return Kind(name, read, lambda: words)


def text(name: str, choices: Callable[[], Iterable[str]] = tuple) -> Kind[object]:
    """Any word."""
    return Kind[object](name, lambda word: word, choices)


DURATION: Final = Kind[object]("D", duration_s, lambda: ("30s", "5m", "30m", "2h"))
INSTANT: Final = Kind[object]("ISO", instant_ms)
OFFSET: Final = Kind[object]("lost|+D", offset_s, lambda: ("lost", "+1h"))
