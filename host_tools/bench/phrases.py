"""Short phrases with slots: `{who} is refused {code}`. One line of text in, the phrase and its values out.

Decides how a phrase is matched and how near misses are answered. It does not know what any phrase means.
"""

import difflib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

import msgspec

from protocol.errors import one_line

_SLOT: Final = re.compile(r"\{(\w+)\}")
_LONGEST: Final = 400
SEE: Final = "`shareboxctl scenario phrases`"


class PhraseError(Exception):
    """A phrase that nobody understands: one line with what, why and what to do."""


class Slot(msgspec.Struct, frozen=True):
    """What may stand in a slot. `read` raises ValueError with what is wrong, after "it is"; `choices` helps with typing
    errors; `pattern` keeps a slot from swallowing its neighbours."""

    read: Callable[[str], object]
    choices: tuple[str, ...] = ()
    pattern: str = r"\S+"


class Phrase(msgspec.Struct, frozen=True):
    """`template` with slots in braces, what it is called in the program, and what it means in one line."""

    template: str
    name: str
    about: str = ""


class Said(msgspec.Struct, frozen=True):
    """A phrase that was said: its name, the values of its slots, and the words themselves."""

    name: str
    values: dict[str, object]
    text: str

    def word(self, slot: str) -> str:
        """A value that is text."""
        value = self.values[slot]
        assert isinstance(value, str), slot
        return value

    def whole(self, slot: str) -> int:
        """A value that is a whole number."""
        value = self.values[slot]
        assert isinstance(value, int), slot
        return value

    def span(self, slot: str) -> tuple[int, int]:
        """A value that is a first and a last second."""
        value = self.values[slot]
        assert isinstance(value, tuple), slot
        return int(value[0]), int(value[1])


class Phrasebook:
    """Phrases and what may stand in their slots."""

    def __init__(self, phrases: Sequence[Phrase], slots: Mapping[str, Slot]) -> None:
        self.phrases = tuple(phrases)
        self._slots = dict(slots)
        self._patterns = [(phrase, _pattern(phrase.template, slots)) for phrase in phrases]

    def read(self, text: str) -> Said:
        """The phrase that `text` is. Raises PhraseError."""
        words = " ".join(text.split())
        if not words or len(words) > _LONGEST:
            raise PhraseError(f"{len(words)} characters are no phrase. Write one from the list: {SEE}.")
        trouble: tuple[int, str] = (-1, "")
        for phrase, pattern in self._patterns:
            match = pattern.fullmatch(words)
            if match is None:
                continue
            values: dict[str, object] = {}
            for slot, value in match.groupdict().items():
                try:
                    values[slot] = self._slots[slot].read(value)
                except ValueError as error:
                    literal = len(_SLOT.sub("", phrase.template))
                    trouble = max(trouble, (literal, self._wrong(words, slot, value, error)))
                    break
            else:
                return Said(phrase.name, values, words)
        raise PhraseError(trouble[1] or self._unknown(words))

    def _wrong(self, words: str, slot: str, value: str, error: ValueError) -> str:
        meant = close(value, self._slots[slot].choices)
        return f"'{one_line(words)}': '{one_line(value)}' {error}. {meant or f'See {SEE}.'}"

    def _unknown(self, words: str) -> str:
        """The nearest phrase is sought with the slots filled by the very words that were given."""
        given = words.split()
        near = difflib.get_close_matches(words, [_filled(phrase, given) for phrase in self.phrases], n=1, cutoff=0.75)
        meant = f"Did you mean '{near[0]}'?" if near else f"See {SEE}."
        return f"'{one_line(words)}': there is no such phrase. {meant}"


def _pattern(template: str, slots: Mapping[str, Slot]) -> re.Pattern[str]:
    parts = _SLOT.split(template)
    text = "".join(
        f"(?P<{part}>{slots[part].pattern})" if number % 2 else re.escape(part) for number, part in enumerate(parts)
    )
    return re.compile(text)


def _filled(phrase: Phrase, given: Sequence[str]) -> str:
    """The template with words of the text in its slots, place by place."""
    filled = []
    for place, word in enumerate(phrase.template.split()):
        there = given[place].rstrip(",") if place < len(given) else word
        filled.append(_SLOT.sub(there.partition("'s")[0] or word, word, count=1) if "{" in word else word)
    return " ".join(filled)


def close(word: str, known: Iterable[str]) -> str:
    """`Did you mean …?`, or nothing."""
    near = difflib.get_close_matches(word[:64], list(known), n=1, cutoff=0.6)
    return f"Did you mean '{near[0]}'?" if near else ""
