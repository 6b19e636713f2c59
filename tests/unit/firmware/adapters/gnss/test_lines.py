"""Bytes cut into lines, however they come."""

from hypothesis import given
from hypothesis import strategies as st

from firmware.adapters.gnss.lines import Lines


def test_a_line_may_come_in_parts() -> None:
    lines = Lines(10)
    assert list(lines.feed(b"one\ntw")) == [b"one"]
    assert list(lines.feed(b"")) == []
    assert list(lines.feed(b"o\n\nthree")) == [b"two", b""]
    assert list(lines.feed(b"\n")) == [b"three"]


def test_what_is_too_long_is_dropped_and_what_follows_is_not() -> None:
    lines = Lines(4)
    assert list(lines.feed(b"1234\n12345\n1234\n")) == [b"1234", b"1234"]
    assert list(lines.feed(b"123")) == []
    assert list(lines.feed(b"45")) == []
    assert list(lines.feed(b"6\nok\n")) == [b"ok"]


@given(st.lists(st.binary(max_size=30).map(lambda line: line.replace(b"\n", b""))), st.integers(1, 7))
def test_how_it_is_cut_does_not_matter(sent: list[bytes], size: int) -> None:
    data = b"".join(line + b"\n" for line in sent)
    lines = Lines(20)
    chunks = [data[at : at + size] for at in range(0, len(data), size)]
    got = [line for chunk in chunks for line in lines.feed(chunk)]
    assert got == [line for line in sent if len(line) <= 20]
