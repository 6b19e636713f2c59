"""Times of a scenario: seconds after the first midnight, and how they are written.

Decides what is a time, and what is a window. It does not know what happens then.
"""

import re
from typing import Final

DAY_S: Final = 86_400
MOST_DAYS: Final = 366
TIME_PATTERN: Final = r"(?:D\d+ )?[\d:]+"

_TIME: Final = re.compile(r"(?:D(\d{1,3}) )?(\d\d):(\d\d)(?::(\d\d))?")


def seconds(text: str) -> int:
    """`10:00`, `12:30:05`, `D2 08:00` (the second day) as seconds after the first midnight. Raises ValueError."""
    match = _TIME.fullmatch(text)
    if match is None:
        raise ValueError("is no time; write 10:00, 10:00:05 or D2 10:00 for the second day")
    day, hour, minute, second = int(match[1] or 1), int(match[2]), int(match[3]), int(match[4] or 0)
    if not 1 <= day <= MOST_DAYS or hour > 23 or minute > 59 or second > 59:
        raise ValueError("is no time of a day; hours go to 23, minutes and seconds to 59, days from D1")
    return (day - 1) * DAY_S + hour * 3600 + minute * 60 + second


def window(text: str) -> tuple[int, int]:
    """`10:00 - 12:00` as seconds. Raises ValueError."""
    begins, dash, ends = text.partition(" - ")
    if not dash:
        raise ValueError("is no window; write 10:00 - 12:00")
    first, last = seconds(begins), seconds(ends)
    if first >= last:
        raise ValueError("ends before it begins; write the earlier time first")
    return first, last


def clock_text(at_s: int) -> str:
    """The inverse of `seconds`: `10:00:00`, `D2 08:00:00`."""
    day, rest = divmod(at_s, DAY_S)
    time = f"{rest // 3600:02}:{rest // 60 % 60:02}:{rest % 60:02}"
    return f"D{day + 1} {time}" if day else time
