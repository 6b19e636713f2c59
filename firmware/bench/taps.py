"""Places where somebody may listen. Decides that a listener can not disturb what it listens to."""

from collections.abc import Callable
from typing import Final, Generic, TypeVarTuple

import structlog

Heard = TypeVarTuple("Heard")

MOST_LISTENERS: Final = 64

log = structlog.get_logger("sharebox")


class Taps(Generic[*Heard]):
    """Call it with what happened; every listener hears it, in the order in which they came."""

    def __init__(self) -> None:
        self._listeners: dict[int, Callable[[*Heard], None]] = {}
        self._next = 0

    def add(self, listener: Callable[[*Heard], None]) -> Callable[[], None]:
        """Listen from now on. Call what is returned to stop; twice is no error."""
        if len(self._listeners) >= MOST_LISTENERS:
            raise ValueError(f"more than {MOST_LISTENERS} listen already")
        number = self._next
        self._next += 1
        self._listeners[number] = listener
        return lambda: self._listeners.pop(number, None) and None

    def __call__(self, *heard: *Heard) -> None:
        for listener in tuple(self._listeners.values()):
            try:
                listener(*heard)
            except Exception:  # broad: what listens is not part of the module, and must not stop it
                log.exception("a listener failed")
