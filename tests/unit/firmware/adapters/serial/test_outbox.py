"""What waits to be written."""

from hypothesis import given
from hypothesis import strategies as st

from firmware.adapters.serial.outbox import MOST_FRAME_BYTES, MOST_TEXT_BYTES, SPARE_BYTES, Outbox


def taken(outbox: Outbox) -> bytes:
    """Everything, in pieces of up to 7 bytes."""
    out = b""
    while chunk := outbox.next()[:7]:
        out += chunk
        outbox.took(len(chunk))
    return out


@given(st.lists(st.tuples(st.booleans(), st.binary(min_size=1, max_size=30))))
def test_what_fits_leaves_whole_and_in_order(items: list[tuple[bool, bytes]]) -> None:
    outbox = Outbox()
    for is_frame, data in items:
        if is_frame:
            assert outbox.put_frame(data)
        else:
            outbox.put_text(data)
    assert len(outbox) == sum(len(data) for _, data in items)
    assert taken(outbox) == b"".join(data for _, data in items)
    assert len(outbox) == 0


def test_the_oldest_text_makes_room_and_frames_stay() -> None:
    outbox = Outbox()
    outbox.put_text(b"a" * 1000)
    assert outbox.put_frame(b"frame")
    outbox.took(10)
    for _ in range(MOST_TEXT_BYTES // 1000 + 5):
        outbox.put_text(b"b" * 1000)
    assert len(outbox) <= MOST_TEXT_BYTES + 5
    assert outbox.dropped_text % 1000 == 0
    assert outbox.dropped_text > 0
    left = taken(outbox)
    assert left.startswith(b"a" * 990 + b"frame" + b"b" * 1000), "what has begun to leave leaves whole"


def test_text_that_is_too_much_by_itself_is_dropped() -> None:
    outbox = Outbox()
    outbox.put_text(b"x" * (MOST_TEXT_BYTES + 1))
    assert (len(outbox), outbox.dropped_text) == (0, MOST_TEXT_BYTES + 1)


def test_what_has_begun_to_leave_is_not_torn_whatever_comes() -> None:
    outbox = Outbox()
    outbox.put_text(b"x" * MOST_TEXT_BYTES)
    outbox.took(1)
    outbox.put_text(b"y" * 10)
    assert taken(outbox) == b"x" * (MOST_TEXT_BYTES - 1)
    assert outbox.dropped_text == 10


def test_frames_are_bounded_and_small_ones_have_spare_room() -> None:
    outbox = Outbox()
    while outbox.put_frame(bytes(500)):
        pass
    assert len(outbox) > MOST_FRAME_BYTES - 500
    assert not outbox.put_frame(bytes(500))
    while outbox.put_frame(b"closed", small=True):
        pass
    assert MOST_FRAME_BYTES + SPARE_BYTES - 6 < len(outbox) <= MOST_FRAME_BYTES + SPARE_BYTES


def test_nothing_is_left_when_nobody_is_there() -> None:
    outbox = Outbox()
    outbox.put_text(b"text")
    outbox.took(1)
    assert outbox.put_frame(b"frame")
    outbox.clear()
    assert (len(outbox), outbox.next()) == (0, b"")
