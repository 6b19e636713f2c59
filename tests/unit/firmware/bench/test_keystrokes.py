"""Bytes of a terminal as keys."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prompt_toolkit.keys import Keys

from firmware.bench.keystrokes import MOST_KEYS, MOST_SEQUENCE, Keystrokes

pytestmark = pytest.mark.req("BEN-1")


class Typist:
    """Keys as they come out."""

    def __init__(self) -> None:
        self.woken = 0
        self.sizes: list[tuple[int, int]] = []
        self.keys = Keystrokes(self._wake, lambda rows, columns: self.sizes.append((rows, columns)))

    def _wake(self) -> None:
        self.woken += 1

    def types(self, *parts: bytes) -> list[tuple[str, str]]:
        for part in parts:
            self.keys.feed(part)
        out = []
        while (key := self.keys.take()) is not None:
            out.append((str(key.key.value if isinstance(key.key, Keys) else key.key), key.data))
        return out


@pytest.mark.parametrize(
    ("typed", "keys"),
    [
        (b"x", [("x", "x")]),
        (b"state", [("<bracketed-paste>", "state")]),
        (b"\r", [("c-m", "\r")]),
        (b"\n", [("c-m", "\n")]),
        (b"\r\n", [("c-m", "\r")]),
        (b"\n\n", [("c-m", "\n")] * 2),
        (b"\r\r\n", [("c-m", "\r")] * 2),
        (b"\rx\n", [("c-m", "\r"), ("x", "x"), ("c-m", "\n")]),
        (b"\x7f", [("c-h", "\x7f")]),
        (b"\t", [("c-i", "\t")]),
        (b"\x03", [("c-c", "\x03")]),
        (b"\x1b[A", [("up", "\x1b[A")]),
        (b"\x1bOB", [("down", "\x1bOB")]),
        (b"\x1b[3~", [("delete", "\x1b[3~")]),
        (b"\x1b[1;5D", [("c-left", "\x1b[1;5D")]),
        (b"\x1bb", [("escape", "\x1b"), ("b", "b")]),
        (b"\x1b\x7f", [("escape", "\x1b"), ("c-h", "\x7f")]),
        ("Grüße".encode(), [("<bracketed-paste>", "Grüße")]),
        (b"sta\xff\xfete", [("<bracketed-paste>", "sta"), ("<bracketed-paste>", "te")]),
        ("a日b".encode(), [("a", "a"), ("b", "b")]),
    ],
)
def test_what_is_typed_are_keys(typed: bytes, keys: list[tuple[str, str]]) -> None:
    assert Typist().types(typed) == keys
    one_by_one = Typist().types(*(bytes((byte,)) for byte in typed))
    assert "".join(data for _, data in one_by_one) == "".join(data for _, data in keys)


@pytest.mark.parametrize(
    "typed",
    [
        b"\x00",
        b"\x11\x0f\x18\x1c\x1d\x1e",  # quoting, operate, the prefix of macros
        b"\x1b5\x1b-",  # repeat counts
        b"\x1b[200~\x1b[201~",  # bracketed paste is not asked for
        b"\x1b[M",
        b"\x1b[99;5u",
        b"\x1b[15~",
        b"\x1b\x1b\x1b",
    ],
)
def test_keys_that_edit_no_line_are_left_out(typed: bytes) -> None:
    assert Typist().types(typed) == []


def test_a_terminal_that_tells_its_size_is_not_typing() -> None:
    typist = Typist()
    assert typist.types(b"sta", b"\x1b[24;80R", b"\x1b[5", b"0;132R", b"te") == [
        ("<bracketed-paste>", "sta"),
        ("<bracketed-paste>", "te"),
    ]
    assert typist.sizes == [(24, 80), (50, 132)]


def test_an_escape_sequence_without_an_end_is_given_up() -> None:
    typist = Typist()
    typed = typist.types(b"\x1b[" + b"1" * 50 + b"\r")
    assert typed == [("<bracketed-paste>", "1" * (52 - MOST_SEQUENCE)), ("c-m", "\r")]


def test_what_is_typed_ahead_is_bounded_and_can_be_forgotten() -> None:
    typist = Typist()
    for _ in range(MOST_KEYS + 10):
        typist.keys.feed(b"\x7f")
    assert (len(typist.keys), typist.keys.lost) == (MOST_KEYS, 10)
    typist.keys.clear()
    assert typist.types(b"") == []


def test_whoever_waits_is_woken_only_for_keys() -> None:
    typist = Typist()
    typist.types(b"\x00\x1b[24;80R")
    assert typist.woken == 0
    typist.types(b"x")
    assert typist.woken == 1


@given(st.binary(max_size=300))
def test_any_bytes_are_keys_or_nothing(data: bytes) -> None:
    for _, text in Typist().types(data):
        assert len(text) <= 300
