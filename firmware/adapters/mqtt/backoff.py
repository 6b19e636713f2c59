"""How long to wait before the next attempt to reach the broker (TEL-6). Refuses to know: what is waited for."""

from typing import Final

from firmware.adapters.mqtt.settings import BrokerSettings
from firmware.ports import Entropy

# 2 to the number of attempts of a whole winter in a garage has no use.
_MAX_DOUBLINGS: Final = 30


class Backoff:
    """Pauses between attempts: exponential with full jitter, and much longer after a refusal."""

    def __init__(self, settings: BrokerSettings, entropy: Entropy) -> None:
        self._settings = settings
        self._entropy = entropy
        self._attempts = 0

    def reset(self) -> None:
        """A connection has proved stable: begin anew."""
        self._attempts = 0

    def next_ms(self, *, refused: bool) -> int:
        """The pause before the next attempt, in ms."""
        if refused:
            least = self._settings.refused_retry_ms
            return self._between(least, 2 * least)
        self._attempts = min(self._attempts + 1, _MAX_DOUBLINGS)
        least = self._settings.retry_min_ms
        return self._between(least, min(self._settings.retry_max_ms, least * 2**self._attempts))

    def _between(self, least: int, most: int) -> int:
        return least + int.from_bytes(self._entropy(4), "big") * (most - least) // 0xFFFF_FFFF
