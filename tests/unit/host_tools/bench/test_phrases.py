"""Phrases with slots: matched whole, and near misses answered with what may have been meant."""

import pytest

from host_tools.bench.phrases import Phrase, Phrasebook, PhraseError, Said, Slot, close


def number(word: str) -> int:
    if not word.isdecimal():
        raise ValueError("is no number")
    return int(word)


def span(word: str) -> tuple[int, int]:
    first, _, last = word.partition("-")
    return number(first), number(last)


BOOK = Phrasebook(
    (
        Phrase("{who} waits", "wait"),
        Phrase("{who} waits for {number} minutes", "wait_for"),
        Phrase("{who} waits for {colour} lights", "lights"),
        Phrase("{who} sleeps from {span}", "sleep"),
    ),
    {
        "who": Slot(str, ("anna", "ben"), r"[a-z]+"),
        "number": Slot(number),
        "colour": Slot({"red": "red", "green": "green"}.__getitem__, ("red", "green")),
        "span": Slot(span),
    },
)


def test_a_phrase_is_read_with_the_values_of_its_slots() -> None:
    assert BOOK.read("anna waits") == Said("wait", {"who": "anna"}, "anna waits")
    said = BOOK.read("  ben   waits for 12 minutes ")
    assert (said.name, said.word("who"), said.whole("number")) == ("wait_for", "ben", 12)
    assert said.text == "ben waits for 12 minutes"
    assert BOOK.read("ben sleeps from 1-7").span("span") == (1, 7)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("anna weights", r"'anna weights': there is no such phrase\. Did you mean 'anna waits'\?"),
        ("anna waits for many minutes", r"'anna waits for many minutes': 'many' is no number\. See .*phrases"),
        ("something else altogether", r"there is no such phrase\. See `shareboxctl scenario phrases`\."),
        ("", r"0 characters are no phrase\."),
        ("anna waits " * 60, r"659 characters are no phrase\."),
        ("anna \x1b[2J", r"'anna  \[2J': there is no such phrase"),
    ],
)
def test_what_nobody_understands_is_answered_in_one_line(text: str, line: str) -> None:
    with pytest.raises(PhraseError, match=line) as caught:
        BOOK.read(text)
    assert str(caught.value).isprintable()


def test_near_misses_in_a_slot_are_answered_with_its_choices() -> None:
    assert close("gren", ("red", "green")) == "Did you mean 'green'?"
    assert close("mauve", ("red", "green")) == ""
