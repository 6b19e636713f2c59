"""One serial line: text for a console, frames for phones, over one device.

Decides that neither starves the other. Refuses to know what the text says.
"""

import time
from collections.abc import Callable
from typing import Final, Protocol

import structlog

from firmware.adapters.serial.channels import Channels
from firmware.adapters.serial.outbox import Outbox
from firmware.adapters.serial.wire import Device
from protocol import serial
from protocol.serial import Decoder, Frame, Kind

log = structlog.get_logger("sharebox")

_FREELY: Final = frozenset({Kind.FRAGMENT})
"""Everything else is small, and may use the spare room."""


class TextListener(Protocol):
    """Who reads the text of a line. Called from the event loop; must not block."""

    def attached(self) -> None:
        """There may be somebody at the other end."""

    def typed(self, data: bytes) -> None:
        """Text came, in any encoding; it has no zero bytes."""

    def detached(self) -> None:
        """There is nobody. Alternates with `attached`."""


class SerialLine:
    """`run` carries it. `monotonic` is real time in seconds, whatever time the module lives in: bytes travel in it."""

    def __init__(self, name: str, device: Device, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.name = name
        self.outbox = Outbox()
        self.channels = Channels(self._send)
        self.decoder = Decoder()
        self._device = device
        self._monotonic = monotonic
        self._heard_at_s = 0.0
        self._listener: TextListener | None = None
        self._attached = False

    def open(self) -> None:
        """Get hold of the device. Raises LineUnavailable."""
        self._device.open()

    async def run(self) -> None:
        """Carry text and frames until cancelled."""
        try:
            await self._device.run(self.outbox, self)
        finally:
            self.detached()

    def close(self) -> None:
        """Let go of the device, when nothing runs any more. Twice is no error."""
        self._device.close()

    # ------------------------------------------------------------ text
    def listen(self, listener: TextListener) -> None:
        """Give text to `listener` from now on."""
        self._listener = listener
        if self._attached:
            listener.attached()

    def write(self, text: bytes) -> None:
        """Send text. What finds no room is dropped, the oldest first; without anybody there, all of it."""
        if self._attached:
            self.outbox.put_text(text.replace(serial.DELIMITER, b""))
            self._device.wake()

    # ------------------------------------------------------------ frames
    def _send(self, frame: Frame) -> bool:
        if not self._attached:
            return True
        found_room = self.outbox.put_frame(serial.encode(frame), small=frame.kind not in _FREELY)
        if not found_room:
            log.warning("serial line takes nothing any more", line=self.name, channel=frame.channel)
        self._device.wake()
        return found_room

    # ------------------------------------------------------------ what the device tells
    def attached(self) -> None:
        """As WireUser."""
        self._attached = True
        if self._listener is not None:
            self._listener.attached()

    def heard(self, data: bytes) -> None:
        """As WireUser."""
        now_s = self._monotonic()
        found: list[Frame | bytes] = []
        if now_s - self._heard_at_s > serial.MAX_GAP_MS / 1000:
            found = self.decoder.abandon()
        self._heard_at_s = now_s
        for item in (*found, *self.decoder.feed(data)):
            if isinstance(item, Frame):
                self.channels.received(item)
            elif self._listener is not None:
                self._listener.typed(item)

    def detached(self) -> None:
        """As WireUser."""
        if not self._attached:
            return
        self._attached = False
        self.decoder = Decoder()
        self.outbox.clear()
        self.channels.lose()
        if self._listener is not None:
            self._listener.detached()
