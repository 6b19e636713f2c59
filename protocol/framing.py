"""Messages in fragments, as they cross a BLE characteristic (SPEC section 4).

Decides where a message begins and ends and what breaks the rules. Knows neither what a message says nor what
time it is: the caller brings the time, and closes the link at the third violation.
"""

from typing import Final

from protocol.errors import Code, ProtocolError

MAX_MESSAGE_BYTES: Final = 1024
"""A message before there is a session."""
MAX_SESSION_MESSAGE_BYTES: Final = 4160
"""A message within a session: a revocation list of 4096 bytes, in a request, in a record."""
MAX_FRAGMENT_BYTES: Final = 512
"""An attribute value has at most 512 bytes, whatever the MTU (Bluetooth Core, vol 3 part F 3.2.9)."""
MIN_FRAGMENT_BYTES: Final = 4
"""Header, length and one byte."""
FRAGMENT_TIMEOUT_MS: Final = 1_000
MESSAGE_TIMEOUT_MS: Final = 5_000
MAX_VIOLATIONS: Final = 3
"""At this many the link is closed."""

_FIRST: Final = 0x80
_LAST: Final = 0x40
_SEQUENCE: Final = 0x3F
_LENGTH_BYTES: Final = 2


class FramingError(ProtocolError):
    """A peer broke the rules of section 4: code FRAMING or MESSAGE_TOO_LARGE."""


def fragments(message: bytes, payload: int, sequence: int = 0) -> list[bytes]:
    """`message` cut into fragments of at most `payload` bytes, numbered from `sequence` on.

    The next message of the same direction goes on at `sequence` plus the number of fragments. Raises
    FramingError for an empty message, one above 65535 bytes, or a payload too small to carry anything.
    """
    payload = min(payload, MAX_FRAGMENT_BYTES)
    if not message or payload < MIN_FRAGMENT_BYTES:
        raise FramingError(Code.FRAMING, "nothing to send, or no room to send it in")
    if len(message) > 0xFFFF:
        raise FramingError(Code.MESSAGE_TOO_LARGE, f"{len(message)} bytes do not fit a u16 length")
    body = len(message).to_bytes(_LENGTH_BYTES, "big") + message
    room = payload - 1
    cuts = range(0, len(body), room)
    found = []
    for number, start in enumerate(cuts):
        header = (sequence + number) & _SEQUENCE
        if number == 0:
            header |= _FIRST
        if number == len(cuts) - 1:
            header |= _LAST
        found.append(bytes((header,)) + body[start : start + room])
    return found


class Reassembler:
    """One direction of one link.

    Create one per link; give each fragment to `receive` as it comes. `max_bytes` may be raised while in use,
    as the module does when a session begins.
    """

    def __init__(self, max_bytes: int = MAX_MESSAGE_BYTES) -> None:
        self.max_bytes = max_bytes
        self.violations = 0
        self._previous = b""
        self._message = bytearray()
        self._total = 0
        self._begun_at_ms = 0
        self._fragment_at_ms = 0
        self._skip_bytes = 0

    def receive(self, fragment: bytes, now_ms: int) -> bytes | None:
        """The message that `fragment` completes, or None.

        `now_ms` is monotonic. Raises FramingError when the peer broke a rule: the message is dropped, as many
        bytes as it announced are skipped, and the next first fragment starts anew.
        """
        if fragment and fragment == self._previous:
            return None
        try:
            return self._receive(fragment, now_ms)
        except FramingError:
            self.violations += 1
            self._skip_bytes, self._total = self._total, 0
            raise
        finally:
            self._previous = fragment

    def _receive(self, fragment: bytes, now_ms: int) -> bytes | None:
        if not 2 <= len(fragment) <= MAX_FRAGMENT_BYTES:
            raise FramingError(Code.FRAMING, f"a fragment of {len(fragment)} bytes")
        late = now_ms - self._fragment_at_ms > FRAGMENT_TIMEOUT_MS or now_ms - self._begun_at_ms > MESSAGE_TIMEOUT_MS
        if fragment[0] & _FIRST:
            data = self._begin(fragment, now_ms, late)
        elif self._total == 0 and self._skip_bytes >= len(fragment) - 1:
            self._skip_bytes -= len(fragment) - 1
            return None
        else:
            data = self._continue(fragment, late)
        self._fragment_at_ms = now_ms
        return self._append(data, last=bool(fragment[0] & _LAST))

    def _begin(self, fragment: bytes, now_ms: int, late: bool) -> bytes:
        inside = self._total > 0 and not late
        self._total = int.from_bytes(fragment[1 : 1 + _LENGTH_BYTES], "big")
        if inside:
            raise FramingError(Code.FRAMING, "a message began inside another")
        if len(fragment) < MIN_FRAGMENT_BYTES or self._total == 0:
            raise FramingError(Code.FRAMING, "a first fragment without a length or without content")
        if self._total > self.max_bytes:
            raise FramingError(Code.MESSAGE_TOO_LARGE, f"{self._total} bytes are more than {self.max_bytes}")
        self._message.clear()
        self._begun_at_ms = now_ms
        return fragment[1 + _LENGTH_BYTES :]

    def _continue(self, fragment: bytes, late: bool) -> bytes:
        if self._total == 0:
            raise FramingError(Code.FRAMING, "a fragment that belongs to no message")
        if late:
            raise FramingError(Code.FRAMING, "a fragment came too late")
        if (fragment[0] ^ (self._previous[0] + 1)) & _SEQUENCE:
            raise FramingError(Code.FRAMING, "a fragment is missing or out of order")
        return fragment[1:]

    def _append(self, data: bytes, *, last: bool) -> bytes | None:
        self._message += data
        if last != (len(self._message) == self._total) or len(self._message) > self._total:
            raise FramingError(Code.FRAMING, "the length and the last fragment disagree")
        if not last:
            return None
        self._total = 0
        return bytes(self._message)
