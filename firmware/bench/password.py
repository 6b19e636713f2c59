"""The password of a line, for whoever wants a higher level.

Decides how often somebody may try: after each wrong one nothing is looked at for a while, longer each time, whoever
comes meanwhile. That is real time: whoever races the bench's clock gains nothing.
"""

import hmac
import time
from collections.abc import Callable
from typing import Final

SHORTEST_S: Final = 1.0
LONGEST_S: Final = 30.0
"""Of the wait after a wrong one."""


class Password:
    """One line's. It outlives the visits. `now_s`: time outside that nobody moves."""

    def __init__(self, text: str, *, now_s: Callable[[], float] = time.monotonic) -> None:
        self._text = text.encode()
        self._now_s = now_s
        self._open_at_s = now_s()
        self.wrong = 0
        """How many have been in a row."""

    @property
    def waits_s(self) -> float:
        """How long nothing is looked at; 0: it is."""
        return max(0.0, self._open_at_s - self._now_s())

    def opens(self, tried: str) -> bool:
        """Whether this is it. Nothing while one has to wait."""
        if self.waits_s:
            return False
        if hmac.compare_digest(tried.encode(), self._text):
            self.wrong = 0
            return True
        self.wrong += 1
        self._open_at_s = self._now_s() + min(LONGEST_S, SHORTEST_S * 2.0 ** min(self.wrong - 1, 10))
        return False
