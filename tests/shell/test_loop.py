"""The loop with which the shell is tested."""

import asyncio

import pytest

from tests.shell.loop import ShuffledLoop


def order_of(seed: int, *, timers: bool) -> tuple[int, ...]:
    """In which order eight tasks get their turn."""
    found: list[int] = []

    async def note(number: int) -> None:
        await asyncio.sleep(5.0 if timers else 0)
        found.append(number)

    async def main() -> None:
        await asyncio.gather(*(note(number) for number in range(8)))

    loop = ShuffledLoop(seed)
    loop.run_until_complete(main())
    assert loop.time() == (5.0 if timers else 0.0)
    loop.close()
    return tuple(found)


@pytest.mark.parametrize("timers", [False, True])
def test_tasks_that_are_ready_together_run_in_an_order_that_is_the_seeds(timers: bool) -> None:
    orders = [order_of(seed, timers=timers) for seed in range(20)]
    assert len({*orders}) > 10
    assert orders == [order_of(seed, timers=timers) for seed in range(20)]
    assert all(sorted(order) == [*range(8)] for order in orders)


def test_callbacks_keep_the_order_in_which_they_were_asked_for() -> None:
    loop, found = ShuffledLoop(3), list[int]()
    for number in range(50):
        loop.call_soon(found.append, number)
    loop.call_soon(loop.stop)
    loop.run_forever()
    loop.close()
    assert found == [*range(50)]


def test_something_happens_at_the_step_that_was_named() -> None:
    async def forever() -> None:
        while True:
            await asyncio.sleep(1)

    loop = ShuffledLoop(1)
    task = loop.create_task(forever())
    loop.at_step(11, task.cancel)
    with pytest.raises(asyncio.CancelledError):
        loop.run_until_complete(task)
    assert 11 <= loop.steps <= 13
    loop.close()


def test_a_deadlock_is_an_error() -> None:
    loop = ShuffledLoop(1)
    waiting = loop.create_task(asyncio.Event().wait())
    with pytest.raises(RuntimeError, match="deadlock"):
        loop.run_until_complete(waiting)
    waiting.cancel()
    loop.run_until_complete(asyncio.gather(waiting, return_exceptions=True))
    loop.close()
