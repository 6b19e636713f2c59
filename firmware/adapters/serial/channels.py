"""The channels of one serial line as links: who may open one, and when it is closed (SPEC section 14).

Decides which frame opens, feeds or closes a link. Refuses to know how bytes travel, and what a fragment says.
"""

from collections.abc import Callable
from typing import Final

from firmware.ports import LinkId, LinkListener
from protocol import messages, serial
from protocol.framing import FramingError
from protocol.serial import Frame, Kind

OPENED: Final = serial.encode_size(serial.MAX_FRAGMENT_BYTES)
INFO: Final = messages.encode_public_info(messages.PublicInfo())


class Channels:
    """`send(frame)` is False when there is no room. Without `serve` every channel is closed."""

    def __init__(self, send: Callable[[Frame], bool]) -> None:
        self._send = send
        self._listener: LinkListener | None = None
        self._new_number: Callable[[], LinkId] = lambda: 0
        self._links: dict[int, LinkId] = {}

    def __contains__(self, link: LinkId) -> bool:
        return link in self._links.values()

    # ------------------------------------------------------------ the module's side
    def serve(self, listener: LinkListener, new_number: Callable[[], LinkId]) -> None:
        """From now on hosts may open channels."""
        self._listener, self._new_number = listener, new_number

    def stop(self) -> None:
        """Hang up on everybody, and let nobody in."""
        for link in list(self._links.values()):
            self.hang_up(link)
        self._listener = None

    def notify(self, link: LinkId, fragment: bytes) -> None:
        """Send a fragment; a link whose fragment finds no room is closed. A link that is gone is no error."""
        for channel, number in self._links.items():
            if number == link:
                if not self._send(Frame(Kind.FRAGMENT, channel, fragment)):
                    self._close(channel)
                return

    def hang_up(self, link: LinkId) -> None:
        """Close the channel; a link that is gone is no error."""
        for channel, number in list(self._links.items()):
            if number == link:
                self._close(channel)

    def lose(self) -> None:
        """Nobody is at the other end any more."""
        for channel in list(self._links):
            self._forget(channel)

    # ------------------------------------------------------------ the host's side
    def received(self, frame: Frame) -> None:
        """Whatever a host sends. What only a module may say is ignored."""
        match frame.kind:
            case Kind.OPEN:
                self._open(frame)
            case Kind.FRAGMENT if self._listener is not None and frame.channel in self._links:
                self._listener.fragment_received(self._links[frame.channel], frame.payload)
            case Kind.CLOSE | Kind.FRAGMENT:
                self._close(frame.channel)
            case Kind.INFO if self._listener is not None and not frame.payload:
                self._send(Frame(Kind.INFO, 0, INFO))
            case _:
                pass

    def _open(self, frame: Frame) -> None:
        self._forget(frame.channel)
        try:
            size = serial.read_size(frame)
        except FramingError:
            size = 0
        if self._listener is None or not size or len(self._links) >= serial.MAX_OPEN_CHANNELS:
            self._close(frame.channel)
            return
        if self._send(Frame(Kind.OPENED, frame.channel, OPENED)):
            link = self._links[frame.channel] = self._new_number()
            self._listener.link_opened(link, size)

    def _close(self, channel: int) -> None:
        self._forget(channel)
        self._send(Frame(Kind.CLOSED, channel))

    def _forget(self, channel: int) -> None:
        link = self._links.pop(channel, None)
        if link is not None and self._listener is not None:
            self._listener.link_closed(link)
