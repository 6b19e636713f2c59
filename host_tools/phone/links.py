"""What a phone needs of a connection: fragments out, fragments in, and the news that it is gone.

A link knows no message, no session and no booking. Implementations: `ble.BleakLink`, `serial.SerialLink`.
"""

from collections.abc import Callable
from typing import Protocol


class PhoneLink(Protocol):
    """One connection at a time; may be connected again after it was closed. Every call is bounded in time."""

    @property
    def payload(self) -> int:
        """Bytes that fit one fragment (ATT MTU - 3). Valid while connected."""

    async def connect(self, on_fragment: Callable[[bytes], None], on_closed: Callable[[], None]) -> None:
        """Connect and subscribe. Fragments come in order; `on_closed` is called once, whoever hung up, and
        not when this call fails. Raises LinkFailed or NotFound."""

    async def write(self, fragment: bytes) -> None:
        """Send one fragment, in order. Raises LinkFailed when it could not be delivered."""

    async def close(self) -> None:
        """Hang up. A link that is closed is no error."""
