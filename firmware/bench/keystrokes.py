"""Bytes of a terminal as keys.

Decides which keys there are: those that edit one line. The others are left out here, before any editor sees them:
repeat counts, macros and the like, with which a few bytes of noise could do a million things. What a terminal answers
when it is asked for the cursor's place is told apart from typing. Everything is bounded.
"""

import codecs
import re
from collections import deque
from collections.abc import Callable
from typing import Final

from prompt_toolkit.input.ansi_escape_sequences import ANSI_SEQUENCES
from prompt_toolkit.key_binding import KeyPress
from prompt_toolkit.keys import Keys

MOST_KEYS: Final = 4096
"""Typed ahead while a command is at work; what is more is lost, and the bell rings."""
MOST_SEQUENCE: Final = 16
"""Longest escape sequence."""

LAST_CHARACTER: Final = "\u052f"
"""Latin, Greek and Cyrillic: the editor remembers for good what each character looks like."""

ASK_SIZE: Final = b"\x1b7\x1b[999;999H\x1b[6n\x1b8"
"""Go as far down and right as there is, say where that is, and go back."""

_ANSWER: Final = re.compile(r"\x1b\[(\d{1,5});(\d{1,5})R")
_ESCAPE: Final = "\x1b"
_MOVES: Final = frozenset(
    {
        Keys.Up,
        Keys.Down,
        Keys.Left,
        Keys.Right,
        Keys.Home,
        Keys.End,
        Keys.Delete,
        Keys.ControlLeft,
        Keys.ControlRight,
        Keys.ControlDelete,
    }
)
_CONTROLS: Final = {
    **{chr(ord(letter) - 64): Keys(f"c-{letter.lower()}") for letter in "BCDEFGHIJKLMNPRTUWY"},
    "\x7f": Keys.ControlH,
    "\x1f": Keys.ControlUnderscore,
}
_WORDS: Final = frozenset("bfdBFD")
"""After Escape: word left, word right, delete word."""


class Keystrokes:
    """`woken()` after keys came; `answered(rows, columns)` when the terminal told its size. `lost` counts keys."""

    def __init__(self, woken: Callable[[], None], answered: Callable[[int, int], None]) -> None:
        self.lost = 0
        self._woken = woken
        self._answered = answered
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._keys: deque[KeyPress] = deque()
        self._sequence = ""
        self._after_return = False

    def __len__(self) -> int:
        """Keys that wait."""
        return len(self._keys)

    def feed(self, data: bytes) -> None:
        """Take what was typed. Never raises, whatever it is."""
        run = ""
        for char in self._decoder.decode(data):
            if not self._sequence and char.isprintable() and char <= LAST_CHARACTER:
                run += char
                continue
            self._put_text(run)
            run = ""
            self._put_special(char)
        self._put_text(run)
        if self._keys:
            self._woken()

    def take(self) -> KeyPress | None:
        """The next key."""
        return self._keys.popleft() if self._keys else None

    def clear(self) -> None:
        """Forget what was typed ahead."""
        self._keys.clear()
        self._sequence = ""

    def _put_text(self, text: str) -> None:
        """A stretch that came in one go is put in as one, as if it were pasted."""
        if len(text) == 1:
            self._put(KeyPress(text))
        elif text:
            self._put(KeyPress(Keys.BracketedPaste, text))
        self._after_return = self._after_return and not text

    def _put(self, key: KeyPress) -> None:
        if len(self._keys) >= MOST_KEYS:
            self.lost += 1
        else:
            self._keys.append(key)

    def _put_special(self, char: str) -> None:
        if self._sequence:
            self._continue(char)
        elif char == _ESCAPE:
            self._sequence = char
        elif char == "\n" and self._after_return:
            self._after_return = False
        elif char in _CONTROLS:
            self._put(KeyPress(Keys.ControlM if char in "\r\n" else _CONTROLS[char], char))
            self._after_return = char == "\r"

    def _continue(self, char: str) -> None:
        """One more character of an escape sequence."""
        if char == _ESCAPE:
            self._sequence = char
            return
        self._sequence += char
        if len(self._sequence) == 2 and char in "[O":
            return
        if len(self._sequence) > 2 and char in "0123456789;?" and len(self._sequence) < MOST_SEQUENCE:
            return
        sequence, self._sequence = self._sequence, ""
        answer = _ANSWER.fullmatch(sequence)
        if answer is not None:
            self._answered(int(answer[1]), int(answer[2]))
        elif len(sequence) == 2 and (char in _WORDS or char in "\x7f\x08"):
            self._put(KeyPress(Keys.Escape, _ESCAPE))
            self._put(KeyPress(char) if char in _WORDS else KeyPress(Keys.ControlH, char))
        else:
            key = ANSI_SEQUENCES.get(sequence)
            if isinstance(key, Keys) and key in _MOVES:
                self._put(KeyPress(key, sequence))
