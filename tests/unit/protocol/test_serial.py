"""Frames between the text of a serial line."""

import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol import serial
from protocol.errors import Code
from protocol.framing import FramingError
from protocol.serial import Decoder, Frame, Kind, encode

OPEN = Frame(Kind.OPEN, 2, b"\x02\x02")
"""As SPEC section 14 has it, byte for byte."""
OPEN_ON_THE_LINE = bytes.fromhex("0009") + b"\x01\x02\x02\x02" + bytes.fromhex("46446fb9") + b"\0"


def heard(*chunks: bytes) -> tuple[list[Frame | bytes], Decoder]:
    """What a new decoder makes of `chunks`."""
    decoder = Decoder()
    return [item for chunk in chunks for item in decoder.feed(chunk)], decoder


def joined(items: list[Frame | bytes]) -> list[Frame | bytes]:
    """Stretches of text that follow each other, as one."""
    whole: list[Frame | bytes] = []
    for item in items:
        if whole and isinstance(item, bytes) and isinstance(whole[-1], bytes):
            whole[-1] += item
        else:
            whole.append(item)
    return whole


def framed(body: bytes) -> bytes:
    """Any body, right in its stuffing and wrong in what the test wants."""
    return b"\0" + serial._stuff(body) + b"\0"


frames = st.builds(Frame, st.sampled_from(Kind), st.integers(0, 7), st.binary(max_size=serial.MAX_FRAGMENT_BYTES))
texts = st.binary(min_size=1, max_size=80).map(lambda data: data.replace(b"\0", b"."))


# ---------------------------------------------------------------- there and back
@pytest.mark.req("BEN-2")
@given(st.lists(frames | texts, max_size=8), st.integers(1, 700))
def test_frames_and_the_text_between_them_come_through_however_the_line_cuts_them(
    items: list[Frame | bytes], cut: int
) -> None:
    line = b"".join(item if isinstance(item, bytes) else encode(item) for item in items)
    found, decoder = heard(*(line[start : start + cut] for start in range(0, len(line), cut)))
    assert joined(found) == joined(items)
    assert (decoder.dropped, decoder.pending) == (0, False)


@given(st.binary(max_size=1200), st.integers(1, 40))
def test_any_bytes_are_frames_and_text_and_the_cuts_make_no_difference(line: bytes, cut: int) -> None:
    at_once, one = heard(line)
    in_pieces, other = heard(*(line[start : start + cut] for start in range(0, len(line), cut)))
    assert joined(in_pieces) == joined(at_once)
    assert one.dropped == other.dropped
    assert all(b"\0" not in item for item in at_once if isinstance(item, bytes))
    assert sum(len(item) for item in at_once if isinstance(item, bytes)) <= len(line)


@given(st.binary(max_size=600), frames)
def test_a_frame_after_any_noise_comes_through_at_the_second_try_at_the_latest(noise: bytes, frame: Frame) -> None:
    found, _ = heard(noise, encode(frame), encode(frame))
    assert found[-1] == frame


@pytest.mark.parametrize("size", [0, 1, 253, 254, 255, 507, 508, 509, 514])
@pytest.mark.parametrize("fill", [b"\0", b"x", b"\xff"])
def test_every_length_of_run_is_stuffed_and_unstuffed(size: int, fill: bytes) -> None:
    frame = Frame(Kind.FRAGMENT, 7, fill * size)
    line = encode(frame)
    assert len(line) <= serial.MAX_FRAME_BYTES + 2
    assert heard(line)[0] == [frame]


@pytest.mark.parametrize(
    ("body", "stuffed"),
    [
        (b"", "01"),
        (b"\0", "0101"),
        (b"\0\0", "010101"),
        (b"\x11\x22\0\x33", "031122" + "0233"),
        (b"\x11\0\0\0", "0211010101"),
        (bytes(range(1, 255)), "ff" + bytes(range(1, 255)).hex()),
        (bytes(range(255)), "01ff" + bytes(range(1, 255)).hex()),
        (bytes(range(1, 256)), "ff" + bytes(range(1, 255)).hex() + "02ff"),
        (bytes(range(2, 256)) + b"\0", "ff" + bytes(range(2, 256)).hex() + "0101"),
    ],
)
def test_the_stuffing_is_that_of_the_paper(body: bytes, stuffed: str) -> None:
    """Cheshire and Baker, Consistent Overhead Byte Stuffing."""
    assert serial._stuff(body).hex() == stuffed
    assert serial._unstuff(bytes.fromhex(stuffed)) == body


def test_an_open_looks_as_the_specification_has_it() -> None:
    assert encode(OPEN) == OPEN_ON_THE_LINE


# ---------------------------------------------------------------- what is wrong
@pytest.mark.parametrize(
    "frame",
    [Frame(Kind.CLOSE, 8), Frame(Kind.CLOSE, -1), Frame(Kind.FRAGMENT, 0, bytes(serial.MAX_FRAGMENT_BYTES + 1))],
)
def test_what_does_not_fit_a_frame_is_refused(frame: Frame) -> None:
    with pytest.raises(FramingError):
        encode(frame)


@pytest.mark.parametrize("at", range(1, len(OPEN_ON_THE_LINE) - 1))
@pytest.mark.req("BEN-2")
def test_a_frame_with_a_broken_byte_is_never_taken_for_one(at: int) -> None:
    line = bytearray(OPEN_ON_THE_LINE)
    line[at] ^= 0x41
    found, _ = heard(bytes(line), encode(OPEN), encode(OPEN))
    assert [item for item in found if isinstance(item, Frame)] in ([OPEN], [OPEN, OPEN])


@pytest.mark.parametrize(
    "body",
    [
        b"\x03\x01",
        b"\x09\x01" + (0x1A9B5C3D).to_bytes(4, "big"),
        b"\x03\x01" + bytes(4),
    ],
)
def test_a_frame_that_is_short_or_wrong_is_dropped_and_counted(body: bytes) -> None:
    found, decoder = heard(framed(body), b"\r")
    assert (found, decoder.dropped) == ([], 1)
    assert decoder.abandon() == [b"\r"]


def signed(content: bytes) -> bytes:
    """A body with its right CRC."""
    return content + zlib.crc32(content).to_bytes(4, "big")


def test_a_kind_that_a_later_version_may_have_is_dropped_and_counted() -> None:
    found, decoder = heard(framed(signed(b"\x09\x01new")), encode(OPEN))
    assert (found, decoder.dropped) == ([OPEN], 1)


def test_a_channel_that_there_is_not_is_dropped() -> None:
    stuffed = b"\0\x02\x03\x05" + b"abcd" + b"\0"
    assert heard(stuffed)[1].dropped == 1
    body = signed(b"\x03\x09zz")
    assert serial._decode(serial._stuff(body)) is None


def test_a_frame_that_is_too_long_is_dropped_and_what_follows_is_text() -> None:
    longest = Frame(Kind.FRAGMENT, 1, bytes(range(1, 255)) * 2)
    line = encode(longest)[:-1]
    found, decoder = heard(line, b"x" * 600, b"\r")
    assert decoder.dropped == 1
    assert joined(found) == [b"x" * (600 - (serial.MAX_FRAME_BYTES - len(line) + 1)) + b"\r"]
    assert decoder.pending is False


def test_a_runs_end_outside_the_frame_is_no_frame() -> None:
    assert serial._unstuff(b"\x05ab") is None


# ---------------------------------------------------------------- text behind a stray zero
@pytest.mark.parametrize("typed", [b"state\r", b"y\r\n", b"\rhelp\r", b"\x01{}\r", b"\x1b[A", b"?x"])
@pytest.mark.req("BEN-1")
def test_a_stray_zero_does_not_swallow_what_is_typed_after_it(typed: bytes) -> None:
    found, decoder = heard(b"\0", typed)
    assert joined([*found, *decoder.abandon()]) == [typed]
    assert decoder.dropped == 0


def test_text_around_a_stray_zero_is_one_stretch() -> None:
    assert heard(b"sta\0te\r")[0] == [b"state\r"]


@pytest.mark.req("BEN-2")
def test_a_frame_whose_beginning_or_end_is_lost_does_not_cost_more_than_the_next_one() -> None:
    ok = encode(OPEN)
    for line in (ok[:-1] + b"text" + ok, ok[:-1] + ok + ok, ok[1:] + ok):
        assert heard(line, b"state\r")[0][-2:] == [OPEN, b"state\r"]


def test_a_frame_that_stops_coming_is_given_up() -> None:
    found, decoder = heard(encode(OPEN)[:-2])
    assert (found, decoder.pending) == ([], True)
    assert decoder.abandon() == []
    assert (decoder.dropped, decoder.pending) == (1, False)
    assert decoder.abandon() == []
    assert decoder.feed(b"state\r") == [b"state\r"]


# ---------------------------------------------------------------- sizes
@pytest.mark.parametrize(("size", "taken"), [(20, 20), (244, 244), (514, 514), (515, 514), (65535, 514)])
def test_a_size_is_taken_as_far_as_a_frame_goes(size: int, taken: int) -> None:
    assert serial.read_size(Frame(Kind.OPEN, 0, serial.encode_size(size))) == taken


@pytest.mark.parametrize("payload", [b"", b"\x02", b"\0\x13", b"\0\0\x20"])
def test_a_size_that_is_none_is_refused(payload: bytes) -> None:
    with pytest.raises(FramingError) as refused:
        serial.read_size(Frame(Kind.OPEN, 0, payload))
    assert refused.value.code is Code.FRAMING
