"""Bytes of the broker become values; a backlog becomes the records in it."""

import zlib

import pytest

from host_tools.backend.reading import Raw, Received, decode, read, stamp_of
from protocol.telemetry import MAX_BACKLOG_BYTES, Channel, Online, encode
from tests.support.reports import (
    MODULE_ID,
    Report,
    backlog,
    event,
    health,
    order_result,
    position,
    raw,
    stamp,
    state,
)

EVERY: list[tuple[Channel, Report]] = [
    (Channel.ONLINE, Online(online=True)),
    (Channel.STATE, state(1)),
    (Channel.POSITION, position(2)),
    (Channel.TRACK, position(3)),
    (Channel.EVENT, event(4)),
    (Channel.ALERT, event(5)),
    (Channel.ORDER_RESULT, order_result()),
    (Channel.ORDER_RESULT, order_result(6)),
    (Channel.HEALTH, health()),
]


def one(message: Raw) -> Received:
    (received,) = read(message)
    return received


@pytest.mark.req("TEL-1")
@pytest.mark.parametrize(("channel", "value"), EVERY)
def test_every_channel_is_read_into_its_value(channel: Channel, value: Report) -> None:
    assert one(raw(channel, encode(value), retained=True)) == Received(MODULE_ID, channel, value, retained=True)


@pytest.mark.req("TEL-3")
def test_every_record_of_a_backlog_comes_out_as_if_it_had_come_alone() -> None:
    kept = [entry for entry in EVERY if entry[0] not in (Channel.ONLINE, Channel.POSITION, Channel.HEALTH)]
    read_out = read(raw(Channel.BACKLOG, backlog(*kept)))
    assert [(each.channel, each.value) for each in read_out] == kept
    assert all(each.backlog and not each.retained and not each.error for each in read_out)


def test_a_record_of_a_backlog_that_cannot_be_read_does_not_hide_the_others() -> None:
    payload = zlib.compress(b'[{"channel":"track","report":7},{"channel":"state","report":%b}]' % encode(state(1)))
    first, second = read(raw(Channel.BACKLOG, payload))
    assert (first.channel, first.value) == (Channel.TRACK, None)
    assert first.error != ""
    assert second.value == state(1)


@pytest.mark.req("SEC-1")
def test_a_backlog_is_not_inflated_beyond_its_bound() -> None:
    bomb = zlib.compress(b"[" + b" " * 50_000_000 + b"]", 9)
    assert len(bomb) < 60_000
    received = one(raw(Channel.BACKLOG, bomb))
    assert (received.channel, received.value, received.backlog) == (Channel.BACKLOG, None, True)
    assert str(MAX_BACKLOG_BYTES) in received.error


@pytest.mark.parametrize("payload", [b"", b"{}", zlib.compress(b"[]")[:-1], zlib.compress(b'[{"channel":"online"}]')])
def test_a_backlog_that_cannot_be_read_is_told_once(payload: bytes) -> None:
    received = one(raw(Channel.BACKLOG, payload))
    assert received.error
    assert received.error.isprintable()


@pytest.mark.req("PRV-3")
def test_an_empty_payload_is_a_withdrawal() -> None:
    assert one(raw(Channel.POSITION, b"")) == Received(MODULE_ID, Channel.POSITION, None)


def test_topics_that_are_no_telemetry_are_left_alone() -> None:
    assert read(Raw("elsewhere/x", b"1", retained=False)) == ()
    assert read(raw(Channel.ORDER, b"\xd2")) == ()


@pytest.mark.parametrize("payload", [b"{", b"\xff\xfe", b"[]", b'{"stamp":1}', b'{"online":true}', b"null"])
def test_what_cannot_be_read_is_told_and_raises_nothing(payload: bytes) -> None:
    received = one(raw(Channel.STATE, payload))
    assert received.value is None
    assert received.error != ""


@pytest.mark.req("TEL-3")
def test_what_a_payload_says_does_not_break_the_line_that_tells_of_it() -> None:
    assert one(raw(Channel.EVENT, b'{"kind": "two\\nlines"}')).error.isprintable()


def test_a_payload_alone_is_decoded_or_refused() -> None:
    assert decode(Channel.STATE, encode(state(3)).decode()) == state(3)
    with pytest.raises(ValueError, match="Expected"):
        decode(Channel.STATE, b"[]")


def test_a_record_has_a_stamp_and_nothing_else_has() -> None:
    assert stamp_of(state(3)) == stamp_of(event(3)) == stamp_of(position(3)) == stamp_of(order_result(3)) == stamp(3)
    for value in (None, order_result(), health(), Online(online=True)):
        assert stamp_of(value) is None
