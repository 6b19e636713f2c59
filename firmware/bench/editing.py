"""What the two editors of a console's line have in common: where they write, and what they may ask."""

from collections import deque
from collections.abc import Callable
from typing import Final, Protocol

from firmware.bench.keystrokes import Keystrokes

MOST_TYPED: Final = 1024
"""Characters of a line that a person types; what is more is not taken, and the bell rings."""
MOST_REMEMBERED: Final = 200
"""Lines of history, for each line that the module has."""
BELL: Final = "\a"


class Screen:
    """The far end: text goes there, and its size is what it has told, or what every terminal once had."""

    def __init__(self, write: Callable[[bytes], None]) -> None:
        self.rows = 24
        self.columns = 80
        self._write = write

    def resize(self, rows: int, columns: int) -> None:
        """As the terminal says; nonsense is put into bounds."""
        self.rows, self.columns = min(max(rows, 4), 500), min(max(columns, 20), 1000)

    def write(self, text: str) -> None:
        """Send `text` as it is."""
        self._write(text.encode(errors="replace"))

    def lines(self, *lines: str) -> None:
        """Send whole lines; characters that would move the cursor are left out."""
        self.write("".join(f"{_plain(line)}\r\n" for line in lines))


def _plain(line: str) -> str:
    return "".join(char if char.isprintable() else " " for char in line)


class Helper(Protocol):
    """What an editor asks while a line is typed."""

    keys: Keystrokes
    history: "deque[str]"
    """The oldest first."""

    def prompt(self) -> str:
        """As it is now."""

    def complete(self, text: str) -> list[str]:
        """What the last word of `text` may become."""


class Editor(Protocol):
    """Reads one line at a time."""

    async def read(self, begun: str) -> str | None:
        """The next line; `begun` stands in it already. None: `leave` was called."""

    def leave(self) -> str:
        """Stop reading; what was typed so far."""

    def wake(self) -> None:
        """There are keys."""

    def show(self, *lines: str) -> None:
        """Say something above what is being typed."""

    def refresh(self) -> None:
        """The prompt may be another one."""
