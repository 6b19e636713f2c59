"""Contacts bounce: what an input says, once it has said so for a while. For chips whose driver can not do it.

Decides that an input that does not come to rest says nothing.
"""

from typing import Final

RESTLESS_MS: Final = 1_000
"""A contact that bounces for longer is a broken one."""


class Debounce:
    """`period_ms`: how long it has to be the same."""

    def __init__(self, period_ms: int) -> None:
        self._period_ms = period_ms
        self._last: bool | None = None
        self._since_ms = 0
        self._settled: bool | None = None
        self._settled_at_ms = 0

    def feed(self, raw: bool, now_ms: int) -> bool | None:
        """What it says, after it was seen as `raw` at `now_ms`; None: nobody knows."""
        if raw is not self._last:
            self._last, self._since_ms = raw, now_ms
        if now_ms - self._since_ms >= self._period_ms:
            self._settled, self._settled_at_ms = raw, now_ms
        elif now_ms - self._settled_at_ms > RESTLESS_MS:
            self._settled = None
        return self._settled
