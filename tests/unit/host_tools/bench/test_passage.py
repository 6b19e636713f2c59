"""Much time at the console: in stretches, and one knows how far it came."""

import asyncio

import pytest

from host_tools.bench import passage as module
from host_tools.bench.answer import Answer, ConsoleRefused
from host_tools.bench.passage import Passage, carried_out

pytestmark = pytest.mark.req("BEN-1")

NOW_MS = 1_793_354_400_000
MINUTE_MS = 60_000
DAY_MS = 86_400_000


class Desk:
    """Understands time; `takes_s`: how long a stretch is at work. Says nothing any more after `patience` commands."""

    def __init__(self, takes_s: float = 0.0, patience: int = 10_000) -> None:
        self.takes_s = takes_s
        self.patience = patience
        self.asked: list[str] = []

    async def ask(self, command: str) -> Answer:
        self.asked.append(command)
        if len(self.asked) > self.patience:
            raise ConsoleRefused("FAILED", "no: more.")
        await asyncio.sleep(self.takes_s)
        return Answer("time", {"utc_ms": NOW_MS}, (f"did {command}", "it is later"))

    def moved_ms(self) -> list[int]:
        return [int(one.split()[2].removesuffix("ms")) for one in self.asked if one.startswith("time move ")]


@pytest.mark.parametrize(
    "command",
    [
        *("time move 30m", "time move soon", "time move 1h2", "time move 367d", "time until soon", "time"),
        *("time move 1d now", "why", "time until 2026-10-30T10:20:00Z"),
    ],
)
async def test_what_is_short_or_not_understood_is_asked_as_it_is(command: str) -> None:
    desk, passage = Desk(), Passage()
    assert (await carried_out(command, desk.ask, passage, lambda: None)).lines[0] == f"did {command}"
    assert [one for one in desk.asked if one != "time"] == [command] if command != "time" else True
    assert passage.whole_ms == 0


async def test_a_long_move_is_made_in_stretches_that_are_longer_where_they_are_quick() -> None:
    desk, passage, told = Desk(), Passage(), list[str]()
    answer = await carried_out("time move 30d", desk.ask, passage, lambda: told.append(str(passage)))
    moved = desk.moved_ms()
    assert sum(moved) == 30 * DAY_MS
    assert moved[:3] == [10 * MINUTE_MS, 20 * MINUTE_MS, 40 * MINUTE_MS]
    assert max(moved) == module.MOST_MS
    assert answer.lines == ("30 d 00 h 00 min have passed.", "it is later")
    assert told[0] == "10 min 00 s of 30 d 00 h 00 min have passed"
    assert len(told) == len(moved)


async def test_stretches_are_shorter_where_they_are_slow() -> None:
    desk = Desk(takes_s=20.0)
    await carried_out("time move 1h30m", desk.ask, Passage(), lambda: None)
    moved = desk.moved_ms()
    assert moved[:3] == [10 * MINUTE_MS, 5 * MINUTE_MS, 150_000]
    assert sum(moved) == 90 * MINUTE_MS
    assert min(moved[:-1]) == module.LEAST_MS


async def test_a_moment_is_met_by_the_module_itself() -> None:
    for moment in ("2026-10-31T10:00:00", "2026-10-31T10:00:00Z"):
        desk = Desk()
        answer = await carried_out(f"time until {moment}", desk.ask, Passage(), lambda: None)
        assert desk.asked[-1] == f"time until {moment}"
        assert sum(desk.moved_ms()) == DAY_MS - module.AT_END_MS
        assert answer.lines[0] == f"did time until {moment}"


async def test_what_is_broken_off_tells_how_far_it_came() -> None:
    desk, passage = Desk(patience=2), Passage()
    with pytest.raises(ConsoleRefused, match="no: more"):
        await carried_out("time move 30d", desk.ask, passage, lambda: None)
    assert str(passage) == "30 min 00 s of 30 d 00 h 00 min have passed, and perhaps 40 min 00 s more"
