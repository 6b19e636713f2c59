"""Fragments."""

import pytest

from protocol import framing
from protocol.errors import Code
from protocol.framing import FramingError, Reassembler, fragments

FIRST, LAST = 0x80, 0x40


def send(receiver: Reassembler, pieces: list[bytes], now_ms: int = 0) -> list[bytes]:
    """What `receiver` makes of `pieces`, all at one instant."""
    return [message for piece in pieces if (message := receiver.receive(piece, now_ms)) is not None]


def violation(receiver: Reassembler, piece: bytes, now_ms: int = 0) -> FramingError:
    with pytest.raises(FramingError) as broken:
        receiver.receive(piece, now_ms)
    return broken.value


# ---------------------------------------------------------------- cutting
def test_a_short_message_is_one_fragment() -> None:
    assert fragments(b"\x02abc", 20, 5) == [bytes((FIRST | LAST | 5,)) + b"\x00\x04\x02abc"]


def test_a_long_message_is_numbered_from_the_given_sequence_on() -> None:
    pieces = fragments(bytes(40), 20, 62)
    assert [piece[0] for piece in pieces] == [FIRST | 62, 63, LAST | 0]
    assert [len(piece) for piece in pieces] == [20, 20, 5]
    assert pieces[0][1:3] == b"\x00\x28"


def test_a_message_that_just_fits_is_not_cut() -> None:
    assert len(fragments(bytes(17), 20)) == 1
    assert len(fragments(bytes(18), 20)) == 2


@pytest.mark.parametrize(
    ("mtu", "counts"),
    [(23, [3, 3, 17, 2]), (185, [1, 1, 2, 1]), (247, [1, 1, 2, 1]), (517, [1, 1, 1, 1])],
)
@pytest.mark.req("BLE-1")
def test_a_handshake_at_each_mtu(mtu: int, counts: list[int]) -> None:
    assert [len(fragments(bytes(1 + size), mtu - 3)) for size in (37, 53, 317, 17)] == counts


def test_no_fragment_is_longer_than_an_attribute_value() -> None:
    assert [len(piece) for piece in fragments(bytes(1024), 514)] == [512, 512, 5]


@pytest.mark.parametrize(("message", "payload"), [(b"", 20), (b"a", 3)])
def test_there_is_something_to_send_and_room_for_it(message: bytes, payload: int) -> None:
    with pytest.raises(FramingError) as broken:
        fragments(message, payload)
    assert broken.value.code is Code.FRAMING


def test_a_length_has_two_bytes() -> None:
    assert len(fragments(bytes(65535), 512)) == 129
    with pytest.raises(FramingError) as broken:
        fragments(bytes(65536), 512)
    assert broken.value.code is Code.MESSAGE_TOO_LARGE


# ---------------------------------------------------------------- putting together
@pytest.mark.parametrize("mtu", [23, 185, 247, 517])
@pytest.mark.parametrize("size", [1, 17, 18, 19, 100, 1024])
@pytest.mark.req("BLE-1")
def test_what_was_cut_comes_back(mtu: int, size: int) -> None:
    message = bytes(index % 251 for index in range(size))
    receiver = Reassembler()
    assert send(receiver, fragments(message, mtu - 3, 7)) == [message]
    assert send(receiver, fragments(message, mtu - 3, 7 + 60)) == [message]
    assert receiver.violations == 0


@pytest.mark.req("BLE-1")
def test_a_fragment_that_comes_twice_is_ignored() -> None:
    receiver = Reassembler()
    pieces = fragments(bytes(100), 20)
    doubled = [piece for piece in pieces for _ in range(3)]
    assert send(receiver, doubled) == [bytes(100)]
    assert receiver.violations == 0


@pytest.mark.req("BLE-1")
def test_a_fragment_out_of_order_drops_the_message() -> None:
    receiver = Reassembler()
    one, two, three, four, *_ = fragments(bytes(100), 20)
    assert send(receiver, [one, two]) == []
    broken = violation(receiver, four)
    assert broken.code is Code.FRAMING
    assert "out of order" in broken.detail
    assert send(receiver, [three, four]) == [], "the rest of the dropped message is skipped"
    assert receiver.violations == 1
    assert send(receiver, fragments(b"next", 20)) == [b"next"]


@pytest.mark.req("BLE-1")
def test_a_message_inside_another_drops_both() -> None:
    receiver = Reassembler()
    receiver.receive(fragments(bytes(100), 20)[0], 0)
    other = fragments(bytes(50), 20, 30)
    assert "inside another" in violation(receiver, other[0]).detail
    assert send(receiver, other[1:]) == []
    assert receiver.violations == 1
    assert send(receiver, fragments(b"next", 20)) == [b"next"]


@pytest.mark.req("BLE-1")
def test_a_half_sent_message_is_forgotten_after_a_second() -> None:
    receiver = Reassembler()
    receiver.receive(fragments(bytes(100), 20)[0], 0)
    assert send(receiver, fragments(b"next", 20, 9), now_ms=1001) == [b"next"]
    assert receiver.violations == 0


def test_a_second_between_fragments_is_allowed_and_more_is_not() -> None:
    pieces = fragments(bytes(40), 20)
    receiver = Reassembler()
    assert receiver.receive(pieces[0], 0) is None
    assert receiver.receive(pieces[1], 1000) is None
    assert receiver.receive(pieces[2], 2000) == bytes(40)
    assert receiver.receive(pieces[0], 3000) is None
    assert "too late" in violation(receiver, pieces[1], 4001).detail


def test_five_seconds_for_a_message_are_allowed_and_more_is_not() -> None:
    pieces = fragments(bytes(114), 20)
    assert len(pieces) == 7
    receiver = Reassembler()
    for number, piece in enumerate(pieces[:-1]):
        assert receiver.receive(piece, number * 1000) is None
    assert receiver._begun_at_ms == 0
    assert "too late" in violation(receiver, pieces[-1], 5001).detail
    receiver = Reassembler()
    for number, piece in enumerate(pieces[:-1]):
        assert receiver.receive(piece, number * 1000) is None
    assert receiver.receive(pieces[-1], 5000) == bytes(114)


@pytest.mark.req("BLE-1")
def test_an_oversized_message_is_refused_at_its_first_fragment() -> None:
    receiver = Reassembler()
    pieces = fragments(bytes(1025), 20)
    broken = violation(receiver, pieces[0])
    assert broken.code is Code.MESSAGE_TOO_LARGE
    assert send(receiver, pieces[1:]) == []
    assert receiver.violations == 1


def test_a_session_raises_the_limit() -> None:
    receiver = Reassembler()
    receiver.max_bytes = framing.MAX_SESSION_MESSAGE_BYTES
    assert send(receiver, fragments(bytes(4160), 244)) == [bytes(4160)]
    assert violation(receiver, fragments(bytes(4161), 244, 9)[0]).code is Code.MESSAGE_TOO_LARGE


@pytest.mark.parametrize(
    ("piece", "reason"),
    [
        (b"", "of 0 bytes"),
        (b"\xc0", "of 1 bytes"),
        (b"\xc0" + bytes(512), "of 513 bytes"),
        (b"\x80\x00", "without"),
        (b"\x80\x00\x01", "without"),
        (b"\xc0\x00\x00\x01", "without"),
        (b"\xc0\x00\x02\x01", "disagree"),
        (b"\x80\x00\x01\x01", "disagree"),
        (b"\xc0\x00\x01\x01\x02", "disagree"),
        (b"\x80\x00\x01\x01\x02", "disagree"),
        (b"\x00\x01", "no message"),
    ],
)
@pytest.mark.req("SEC-1")
def test_what_breaks_the_rules_is_refused(piece: bytes, reason: str) -> None:
    receiver = Reassembler()
    broken = violation(receiver, piece)
    assert broken.code is Code.FRAMING
    assert reason in broken.detail
    assert receiver.violations == 1
    assert send(receiver, fragments(b"next", 20)) == [b"next"]


def test_more_than_was_announced_is_refused() -> None:
    receiver = Reassembler()
    receiver.receive(b"\x80\x00\x03\x01", 0)
    assert "disagree" in violation(receiver, b"\x41\x02\x03\x04").detail


def test_skipping_is_bounded_by_what_was_announced() -> None:
    """Whoever sends only middles of messages breaks the rules again and again, and is hung up on."""
    receiver = Reassembler()
    violation(receiver, fragments(bytes(2000), 20)[0])
    middles = [bytes((number % 64,)) + bytes(19) for number in range(110)]
    assert send(receiver, middles[:105]) == []
    assert receiver.violations == 1
    for middle in middles[105:107]:
        assert "no message" in violation(receiver, middle).detail
    assert receiver.violations == framing.MAX_VIOLATIONS
