"""The text side of a line, as the consoles see it. Seams only: an adapter has the line."""

from typing import Protocol


class TextListener(Protocol):
    """Who reads the text. Called from the event loop; must not block."""

    def attached(self) -> None:
        """There may be somebody at the other end."""

    def typed(self, data: bytes) -> None:
        """Text came, in any encoding and cut anywhere."""

    def detached(self) -> None:
        """There is nobody. Alternates with `attached`."""


class TextLine(Protocol):
    """A line that carries text both ways."""

    @property
    def name(self) -> str:
        """As the configuration calls it."""

    def listen(self, listener: TextListener) -> None:
        """Give text to `listener` from now on; `attached` comes at once when somebody is there."""

    def write(self, text: bytes, /) -> None:
        """Send text. Never blocks: what finds no room is dropped."""
