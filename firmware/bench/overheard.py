"""Refusals that the module sends before there is a session, heard on the air: nothing else of it is readable.

Decides nothing; the gateway refuses handshakes and fragments without asking the core, so no step tells of it.
"""

from collections.abc import Callable

from firmware.bench.switches import LinkNews
from firmware.ports import LinkId
from protocol import framing, messages
from protocol.errors import ProtocolError, Refusal
from protocol.framing import FramingError, Reassembler
from protocol.messages import MessageType


class Overheard:
    """Call it as a tap of the radio. `refused` hears each refusal with its link."""

    def __init__(self, monotonic_ms: Callable[[], int], refused: Callable[[LinkId, Refusal], None]) -> None:
        self._monotonic_ms = monotonic_ms
        self._refused = refused
        self._parts: dict[LinkId, Reassembler] = {}

    def __call__(self, link: LinkId, news: LinkNews, fragment: bytes) -> None:
        if news is LinkNews.CLOSED:
            self._parts.pop(link, None)
        if news is not LinkNews.SENT:
            return
        parts = self._parts.setdefault(link, Reassembler(framing.MAX_SESSION_MESSAGE_BYTES))
        try:
            message = parts.receive(fragment, self._monotonic_ms())
            if message is not None and message[0] == MessageType.ERROR:
                self._refused(link, messages.decode_error(message[1:]))
        except (FramingError, ProtocolError):
            # Fragments that were lost on their way to here; the phone has heard as little.
            self._parts.pop(link, None)
