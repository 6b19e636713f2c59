"""What became of the last emergency call, as somebody at the bench saw it."""

from typing import Final

from firmware.bench.stand import Stand
from firmware.core.effects import Effect, Report
from firmware.core.events import Event
from firmware.core.state import State
from protocol.telemetry import EventKind

NONE: Final = "none"
WAITING: Final = "waiting"
"""The button was pressed, and can be taken back."""
UNDER_WAY: Final = "under way"
ENDINGS: Final = {
    EventKind.ECALL_ACKNOWLEDGED: "acknowledged",
    EventKind.ECALL_CANCELLED: "cancelled",
    EventKind.ECALL_STALE: "stale",
    EventKind.ECALL_IMPOSSIBLE: "impossible",
}


class Calls:
    """Listens to the stand from now on."""

    def __init__(self, stand: Stand) -> None:
        self._ended = NONE
        stand.steps.add(self._stepped)

    def word(self, state: State) -> str:
        """How it stands with the call: one word or two."""
        if state.durable.call is not None:
            return UNDER_WAY
        return WAITING if state.pressed_at_ms is not None else self._ended

    def _stepped(self, _event: Event, _state: State, effects: tuple[Effect, ...]) -> None:
        for effect in effects:
            if isinstance(effect, Report) and effect.record.kind in ENDINGS:
                self._ended = ENDINGS[effect.record.kind]
