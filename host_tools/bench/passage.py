"""Much time at the module's console, a stretch at a time: how long a long move takes nobody can say beforehand.

Decides how long a stretch is. What the module's console refuses stays the console's to refuse.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Final

import msgspec

from host_tools.bench.answer import Answer
from protocol.explain import duration

LONG_MS: Final = 1_800_000
"""So much and less is asked for at once."""
FIRST_MS: Final = 600_000
MOST_MS: Final = 21_600_000
LEAST_MS: Final = 60_000
LONGEST_MS: Final = 366 * 86_400_000
"""The console refuses more."""
AT_END_MS: Final = 600_000
"""Of `time until` this is left to the module: its time may pass by itself meanwhile, and it has to meet the moment."""
QUICK_S: Final = 1.0
"""The next stretch after one that took less is twice as long."""
SLOW_S: Final = 5.0
"""And half as long after one that took more."""

_PART: Final = re.compile(r"(\d{1,9}(?:\.\d{1,6})?)(ms|s|m|h|d)", re.ASCII)
_UNITS_MS: Final = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}

Ask = Callable[[str], Awaitable[Answer]]


class Passage(msgspec.Struct):
    """How far a long command has come. `whole_ms` 0: it is not long, or not for us to understand. `under_way_ms`: the
    stretch that was asked for, and that may have passed as well."""

    whole_ms: int = 0
    passed_ms: int = 0
    under_way_ms: int = 0

    def __str__(self) -> str:
        perhaps = f", and perhaps {duration(self.under_way_ms)} more" if self.under_way_ms else ""
        return f"{duration(self.passed_ms)} of {duration(self.whole_ms)} have passed{perhaps}"


async def carried_out(command: str, ask: Ask, passage: Passage, told: Callable[[], None]) -> Answer:
    """The console's answer to `command`; `time move` and `time until` in stretches. `passage` is kept true also when
    this is broken off; `told` is called after each stretch. Raises what `ask` raises."""
    match command.split():
        case ["time", "move", word]:
            whole_ms = _duration_ms(word)
            if LONG_MS < whole_ms <= LONGEST_MS:
                passage.whole_ms = whole_ms
                answer = await _moved(passage, 0, ask, told)
                return Answer(answer.kind, answer.data, (f"{duration(whole_ms)} have passed.", *answer.lines[1:]))
        case ["time", "until", word]:
            whole_ms = await _left_ms(word, ask)
            if whole_ms > LONG_MS:
                passage.whole_ms = whole_ms
                await _moved(passage, AT_END_MS, ask, told)
    return await ask(command)


async def _moved(passage: Passage, spared_ms: int, ask: Ask, told: Callable[[], None]) -> Answer:
    """All of it but `spared_ms`; the last answer."""
    stretch_ms, clock = FIRST_MS, asyncio.get_running_loop().time
    while True:
        passage.under_way_ms = min(passage.whole_ms - spared_ms - passage.passed_ms, stretch_ms)
        began_s = clock()
        answer = await ask(f"time move {passage.under_way_ms}ms")
        passage.passed_ms += passage.under_way_ms
        passage.under_way_ms = 0
        told()
        if passage.passed_ms >= passage.whole_ms - spared_ms:
            return answer
        took_s = clock() - began_s
        if took_s < QUICK_S:
            stretch_ms = min(stretch_ms * 2, MOST_MS)
        elif took_s > SLOW_S:
            stretch_ms = max(stretch_ms // 2, LEAST_MS)


def _duration_ms(word: str) -> int:
    """0 when it is none: the console says why."""
    parts = _PART.findall(word)
    if "".join(number + unit for number, unit in parts) != word:
        return 0
    return round(sum(float(number) * _UNITS_MS[unit] for number, unit in parts))


async def _left_ms(word: str, ask: Ask) -> int:
    try:
        then = datetime.fromisoformat(word)
    except ValueError:
        return 0
    now = (await ask("time")).data.get("utc_ms")
    then_ms = round((then if then.tzinfo else then.replace(tzinfo=UTC)).timestamp() * 1000)
    return then_ms - now if isinstance(now, int) else 0
