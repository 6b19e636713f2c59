"""Frames on a serial line that carries text as well (SPEC section 14): COBS between zero bytes, with a CRC.

Decides what of a stream of bytes is a frame and what is text, and that noise costs a bounded amount of either. Knows
neither what a fragment says, nor which channels are open, nor what time it is: the caller does.
"""

import zlib
from enum import IntEnum, unique
from typing import Final

import msgspec

from protocol.errors import Code
from protocol.framing import FramingError

DELIMITER: Final = b"\0"
"""Before and after each frame, never inside one and never in text."""
CHANNELS: Final = 8
"""Numbered from 0; the host chooses which to open."""
MAX_OPEN_CHANNELS: Final = 3
"""Served at once on one line."""
MIN_FRAGMENT_BYTES: Final = 20
"""Of BLE's smallest MTU: both sides of a channel take fragments of this size."""
MAX_FRAGMENT_BYTES: Final = 514
"""Of BLE's largest MTU."""
MAX_GAP_MS: Final = 1_000
"""A frame whose bytes stop coming for so long will not end: `Decoder.abandon`."""

_CRC_BYTES: Final = 4
_HEADER_BYTES: Final = 2
_MIN_BODY_BYTES: Final = _HEADER_BYTES + _CRC_BYTES
_MAX_BODY_BYTES: Final = _MIN_BODY_BYTES + MAX_FRAGMENT_BYTES
_LONGEST_RUN: Final = 254
MAX_FRAME_BYTES: Final = _MAX_BODY_BYTES + _MAX_BODY_BYTES // _LONGEST_RUN + 1
"""Between the delimiters."""
_FIRST_PRINTABLE: Final = 0x20
"""Kinds stay below, so that typed text behind a stray zero is soon known for what it is."""


@unique
class Kind(IntEnum):
    """What a frame is about. The direction is the caller's to check."""

    OPEN = 1
    """Host to module: open a channel; payload `encode_size`, the largest fragment that the host takes."""
    OPENED = 2
    """Module to host: it is open; payload `encode_size`, the largest fragment that the module takes."""
    FRAGMENT = 3
    """Both: one fragment, as on GATT."""
    CLOSE = 4
    """Host to module: the host is done."""
    CLOSED = 5
    """Module to host: the channel is closed, or was not opened."""
    INFO = 6
    """Host to module, empty: asks for it. Module to host: the public information. The channel is 0."""


class Frame(msgspec.Struct, frozen=True):
    """One frame. `payload` has at most MAX_FRAGMENT_BYTES."""

    kind: Kind
    channel: int = 0
    payload: bytes = b""


def encode(frame: Frame) -> bytes:
    """The frame as it goes over the line, with both delimiters. Raises FramingError for what does not fit."""
    if not 0 <= frame.channel < CHANNELS:
        raise FramingError(Code.FRAMING, f"there is no channel {frame.channel}, only 0 to {CHANNELS - 1}")
    if len(frame.payload) > MAX_FRAGMENT_BYTES:
        raise FramingError(Code.MESSAGE_TOO_LARGE, f"{len(frame.payload)} bytes do not fit a frame")
    body = bytes((frame.kind, frame.channel)) + frame.payload
    body += zlib.crc32(body).to_bytes(_CRC_BYTES, "big")
    return DELIMITER + _stuff(body) + DELIMITER


def encode_size(largest_bytes: int) -> bytes:
    """The payload of OPEN and OPENED."""
    return largest_bytes.to_bytes(2, "big")


def read_size(frame: Frame) -> int:
    """The largest fragment that the sender of an OPEN or OPENED takes, at most MAX_FRAGMENT_BYTES. Raises
    FramingError when it is none."""
    size = int.from_bytes(frame.payload, "big")
    if len(frame.payload) != 2 or size < MIN_FRAGMENT_BYTES:
        raise FramingError(Code.FRAMING, f"{frame.kind.name} names no size of at least {MIN_FRAGMENT_BYTES} bytes")
    return min(size, MAX_FRAGMENT_BYTES)


class Decoder:
    """One direction of one line. `dropped` counts frames that were too long, broken or of an unknown kind.

    Text passes through at once, save that up to two bytes behind a zero are held back until it is clear that no frame
    began there. At most MAX_FRAME_BYTES are ever held.
    """

    def __init__(self) -> None:
        self.dropped = 0
        self._inside = False
        self._held = bytearray()

    @property
    def pending(self) -> bool:
        """Whether something is held that only more bytes, or `abandon`, will settle."""
        return bool(self._held)

    def feed(self, data: bytes) -> list[Frame | bytes]:
        """Frames and stretches of text, in the order of the line. Never raises, whatever `data` is."""
        found: list[Frame | bytes] = []
        start = 0
        while start < len(data):
            end = data.find(DELIMITER, start)
            stop = len(data) if end < 0 else end
            if stop > start:
                self._take(data[start:stop], found)
            if end >= 0:
                self._delimit(found)
            start = stop + 1
        return found

    def abandon(self) -> list[Frame | bytes]:
        """Nothing came for MAX_GAP_MS: give up the frame under way. What might be text comes back as text."""
        held = self._leave()
        if len(held) <= _HEADER_BYTES:
            return [held] if held else []
        self.dropped += 1
        return []

    def _take(self, data: bytes, found: list[Frame | bytes]) -> None:
        if self._inside:
            room = MAX_FRAME_BYTES - len(self._held)
            self._held += data[:room]
            if not _can_be_frame(self._held):
                data = self._leave() + data[room:]
            elif len(data) > room:
                self.dropped += 1
                self._leave()
                data = data[room:]
            else:
                return
        if found and isinstance(found[-1], bytes):
            found[-1] += data
        else:
            found.append(data)

    def _leave(self) -> bytes:
        held = bytes(self._held)
        self._held.clear()
        self._inside = False
        return held

    def _delimit(self, found: list[Frame | bytes]) -> None:
        """A zero: the end of a frame, or else the beginning of one."""
        held = self._leave()
        frame = _decode(held)
        self._inside = frame is None
        if frame is not None:
            found.append(frame)
        elif held:
            self.dropped += 1


def _can_be_frame(held: bytearray) -> bool:
    """Whether the first bytes behind a zero leave it open that they are a frame's: a run, a kind, a channel."""
    if len(held) < 2:
        return True
    run, kind = held[0], held[1]
    if run == 1 or kind >= _FIRST_PRINTABLE:
        return False
    return len(held) <= _HEADER_BYTES or run == 2 or held[2] < CHANNELS


def _decode(stuffed: bytes) -> Frame | None:
    body = _unstuff(stuffed)
    if body is None or not _MIN_BODY_BYTES <= len(body) <= _MAX_BODY_BYTES:
        return None
    content, crc = body[:-_CRC_BYTES], body[-_CRC_BYTES:]
    if zlib.crc32(content) != int.from_bytes(crc, "big") or content[1] >= CHANNELS:
        return None
    try:
        kind = Kind(content[0])
    except ValueError:
        return None
    return Frame(kind, content[1], content[_HEADER_BYTES:])


def _stuff(body: bytes) -> bytes:
    """Consistent overhead byte stuffing: runs without a zero, each behind its length plus one."""
    out = bytearray()
    pieces = body.split(DELIMITER)
    for number, piece in enumerate(pieces, 1):
        rest = piece
        while len(rest) > _LONGEST_RUN:
            out += b"\xff" + rest[:_LONGEST_RUN]
            rest = rest[_LONGEST_RUN:]
        out += bytes((len(rest) + 1,)) + rest
        if len(rest) == _LONGEST_RUN and number < len(pieces):
            out += b"\x01"
    return bytes(out)


def _unstuff(stuffed: bytes) -> bytes | None:
    """The body; None when the runs do not end where the bytes do."""
    out = bytearray()
    at = 0
    while at < len(stuffed):
        length = stuffed[at]
        run = stuffed[at + 1 : at + length]
        if len(run) != length - 1:
            return None
        out += run
        at += length
        if length <= _LONGEST_RUN and at < len(stuffed):
            out += DELIMITER
    return bytes(out)
