"""What was pressed, and how it is called off."""

import asyncio

import pytest

from firmware.dashboard.acts import ActRefused
from firmware.dashboard.underway import UnderWay


async def test_what_comes_to_its_end_gives_its_answer_or_its_refusal() -> None:
    async def work() -> tuple[str, ...]:
        assert pressed
        return ("done",)

    async def refuses() -> tuple[str, ...]:
        raise ActRefused("this is why")

    pressed = UnderWay()
    assert await pressed.see_through(work()) == ("done",)
    with pytest.raises(ActRefused, match="this is why"):
        await pressed.see_through(refuses())
    assert not pressed


async def test_all_that_is_under_way_is_called_off_at_once_and_has_ended_then() -> None:
    ended: list[int] = []

    async def work(number: int) -> tuple[str, ...]:
        try:
            await asyncio.sleep(3600)
        finally:
            await asyncio.sleep(1)
            ended.append(number)
        return ()

    pressed = UnderWay()
    assert await pressed.stop() == 0
    waiting = [asyncio.create_task(pressed.see_through(work(number))) for number in range(2)]
    await asyncio.sleep(1)
    assert await pressed.stop() == 2
    assert sorted(ended) == [0, 1]
    for each in waiting:
        with pytest.raises(ActRefused, match="it was called off"):
            await each
    assert not pressed
