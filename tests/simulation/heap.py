"""Virtual time: what happens next, in one order."""

import heapq
from collections.abc import Callable


class Heap:
    """Things that will happen. `now`: true time in ms since the world began."""

    def __init__(self) -> None:
        self.now = 0
        self._count = 0
        self._queue: list[tuple[int, int, Callable[[], None]]] = []

    def at(self, when_ms: int, do: Callable[[], None]) -> None:
        """Let it happen then; at the same moment in the order in which it was asked for."""
        self._count += 1
        heapq.heappush(self._queue, (max(when_ms, self.now), self._count, do))

    def after(self, delay_ms: int, do: Callable[[], None]) -> None:
        """Let it happen so much later."""
        self.at(self.now + delay_ms, do)

    def run(self, until_ms: int) -> None:
        """Let everything happen up to that time."""
        while self._queue and self._queue[0][0] <= until_ms:
            self.now, _, do = heapq.heappop(self._queue)
            do()
        self.now = until_ms
