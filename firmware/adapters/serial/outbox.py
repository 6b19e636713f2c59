"""What waits to be written to a line: bounded, whole frames and whole stretches of text, in order.

Decides what is given up when nobody reads: text first, the oldest first. Frames have room of their own, so that no
amount of text keeps a phone waiting.
"""

from collections import deque
from typing import Final

MOST_TEXT_BYTES: Final = 256 * 1024
MOST_FRAME_BYTES: Final = 64 * 1024
SPARE_BYTES: Final = 4 * 1024
"""Beyond that, for the few bytes that tell a host that a channel is closed."""


class Outbox:
    """`dropped_text` counts the bytes of text that found no room."""

    def __init__(self) -> None:
        self.dropped_text = 0
        self._items: deque[tuple[bool, bytes]] = deque()
        self._text_bytes = 0
        self._frame_bytes = 0
        self._begun = 0

    def __len__(self) -> int:
        """Bytes that wait."""
        return self._text_bytes + self._frame_bytes - self._begun

    def put_text(self, text: bytes) -> None:
        """Append `text`; the oldest stretches make room, save one that has begun to leave."""
        if not text:
            return
        self._items.append((False, text))
        self._text_bytes += len(text)
        while self._text_bytes > MOST_TEXT_BYTES and self._drop_text():
            pass

    def put_frame(self, frame: bytes, *, small: bool = False) -> bool:
        """Append a whole frame, or say that there is no room. `small`: one of those that have spare room."""
        if self._frame_bytes + len(frame) > MOST_FRAME_BYTES + (SPARE_BYTES if small else 0):
            return False
        self._items.append((True, frame))
        self._frame_bytes += len(frame)
        return True

    def next(self) -> bytes:
        """What is to be written now; empty when nothing waits."""
        return self._items[0][1][self._begun :] if self._items else b""

    def took(self, count: int) -> None:
        """So many bytes of `next` were written."""
        is_frame, data = self._items[0]
        self._begun += count
        if self._begun >= len(data):
            self._items.popleft()
            self._begun = 0
            self._forget(is_frame, data)

    def clear(self) -> None:
        """Nobody is there any more."""
        self._items.clear()
        self._text_bytes = self._frame_bytes = self._begun = 0

    def _drop_text(self) -> bool:
        for place, (is_frame, data) in enumerate(self._items):
            if not is_frame and not (place == 0 and self._begun):
                del self._items[place]
                self._forget(is_frame, data)
                self.dropped_text += len(data)
                return True
        return False

    def _forget(self, is_frame: bool, data: bytes) -> None:
        if is_frame:
            self._frame_bytes -= len(data)
        else:
            self._text_bytes -= len(data)
