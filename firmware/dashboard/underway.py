"""What was pressed and has not come to its end, and how it is called off.

Refuses to know what it is.
"""

import asyncio
from collections.abc import Coroutine

from firmware.dashboard.acts import ActRefused

Said = tuple[str, ...]


class UnderWay:
    """For one event loop."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Said]] = set()

    def __bool__(self) -> bool:
        return bool(self._tasks)

    async def see_through(self, work: Coroutine[object, object, Said]) -> Said:
        """What `work` returns or raises. Raises ActRefused when it is called off."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        await asyncio.wait({task})
        if task.cancelled():
            raise ActRefused("it was called off")
        return task.result()

    async def stop(self) -> int:
        """Call all of it off; returns how many that were, when they have come to their end."""
        tasks = set(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        return len(tasks)
