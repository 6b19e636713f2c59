"""Telemetry becomes values, gaps are counted, and a recorder hears everything."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from host_tools.backend.broker import Broker
from host_tools.backend.ingest import Feed, IngestError, Raw, Received, Recorder, Sequence, Subscription, read
from protocol.telemetry import (
    Channel,
    EventKind,
    EventReport,
    Online,
    OrderResult,
    PositionReport,
    Stamp,
    StateReport,
    encode,
    topic,
)
from tests.support.mqtt_module import MODULE_ID, RunningModule, told

OTHER_ID = bytes(8)


def stamp(seq: int) -> Stamp:
    return Stamp(seq, 1, "2027-01-15T08:00:00Z", "synced", 1.5)


def state(seq: int) -> StateReport:
    return StateReport(stamp(seq), {"Vehicle.IsMoving": False, "Vehicle.Speed": 0.0})


def event(seq: int) -> EventReport:
    return EventReport(stamp(seq), EventKind.BOOKING_STARTED, booking="b1", numbers={"left_ms": 5})


def position(seq: int) -> PositionReport:
    return PositionReport(stamp(seq), 48.1, 11.5, "2027-01-15T07:59:00Z", 60.0, parking=True)


def raw(channel: Channel, payload: bytes, *, module_id: bytes = MODULE_ID, retained: bool = False) -> Raw:
    return Raw(topic(module_id, channel), payload, retained)


@pytest.mark.req("TEL-1")
@pytest.mark.parametrize(
    ("channel", "value"),
    [
        (Channel.ONLINE, Online(online=True)),
        (Channel.STATE, state(1)),
        (Channel.POSITION, position(2)),
        (Channel.TRACK, position(3)),
        (Channel.EVENT, event(4)),
        (Channel.ORDER_RESULT, OrderResult("ab", 0, "OK")),
    ],
)
def test_every_channel_is_read_into_its_value(
    channel: Channel, value: Online | StateReport | PositionReport | EventReport | OrderResult
) -> None:
    assert read(raw(channel, encode(value), retained=True)) == Received(MODULE_ID, channel, value, retained=True)


@pytest.mark.req("PRV-3")
def test_an_empty_payload_is_a_withdrawal() -> None:
    assert read(raw(Channel.POSITION, b"")) == Received(MODULE_ID, Channel.POSITION, None)


def test_topics_that_are_no_telemetry_are_left_alone() -> None:
    assert read(Raw("elsewhere/x", b"1", retained=False)) is None
    assert read(raw(Channel.ORDER, b"\xd2")) is None


@pytest.mark.parametrize("payload", [b"{", b"\xff\xfe", b"[]", b'{"stamp":1}', b'{"online":true}', b"null"])
def test_what_cannot_be_read_is_told_and_raises_nothing(payload: bytes) -> None:
    received = read(raw(Channel.STATE, payload))
    assert received is not None
    assert received.value is None
    assert received.error != ""


@pytest.mark.req("TEL-3")
def test_what_a_payload_says_does_not_break_the_line_that_tells_of_it() -> None:
    received = read(raw(Channel.EVENT, b'{"kind": "two\\nlines"}'))
    assert received is not None
    assert received.error.isprintable()


def test_a_gap_is_counted_for_each_channel_and_module_by_itself() -> None:
    sequence = Sequence()

    def missing(channel: Channel, seq: int, module_id: bytes = MODULE_ID) -> int:
        value = event(seq) if channel is Channel.EVENT else state(seq)
        return sequence.follow(Received(module_id, channel, value)).missing

    assert [missing(Channel.STATE, seq) for seq in (7, 8, 10, 15)] == [0, 0, 1, 4]
    assert [missing(Channel.EVENT, seq) for seq in (1, 3)] == [0, 1]
    assert missing(Channel.STATE, 16, OTHER_ID) == 0
    assert missing(Channel.STATE, 16) == 0


@pytest.mark.req("TEL-5")
def test_a_repetition_is_marked_and_is_no_gap() -> None:
    sequence = Sequence()
    followed = [sequence.follow(Received(MODULE_ID, Channel.EVENT, event(seq))) for seq in (4, 5, 5, 4, 6)]
    assert [one.repeated for one in followed] == [False, False, True, True, False]
    assert [one.missing for one in followed] == [0, 0, 0, 0, 0]


def test_the_version_of_the_position_slot_is_no_sequence() -> None:
    sequence = Sequence()
    for version in (3, 9, 9):
        received = Received(MODULE_ID, Channel.POSITION, position(version))
        assert sequence.follow(received) == received


@pytest.fixture
async def broker() -> AsyncIterator[Broker]:
    async with Broker() as running:
        yield running


@pytest.mark.req("TEL-3")
@pytest.mark.asyncio(loop_factories=["real"])
async def test_a_feed_yields_values_in_order_and_shows_what_is_missing(broker: Broker) -> None:
    async with RunningModule(broker.port) as module:
        await module.connected()
        await module.publish(told(Channel.STATE, encode(state(10)), retain=True))
        async with Feed(broker.host, broker.port, MODULE_ID) as feed:
            await module.publish(told(Channel.STATE, encode(state(11)), retain=True))
            await module.publish(told(Channel.STATE, encode(state(14)), retain=True))
            await module.publish(told(Channel.POSITION, b"", retain=True))
            async with asyncio.timeout(5):
                got = [await anext(feed) for _ in range(5)]
    assert got[0].channel in (Channel.ONLINE, Channel.STATE)
    states = [one for one in got if one.channel is Channel.STATE]
    assert [(one.value, one.retained, one.missing) for one in states] == [
        (state(10), True, 0),
        (state(11), False, 0),
        (state(14), False, 2),
    ]
    assert got[-1] == Received(MODULE_ID, Channel.POSITION, None)
    assert feed.left_out == 0


@pytest.mark.asyncio(loop_factories=["real"])
async def test_a_feed_of_one_module_does_not_hear_another_and_a_general_one_hears_both(broker: Broker) -> None:
    async with (
        RunningModule(broker.port) as module,
        RunningModule(broker.port, module_id=OTHER_ID) as other,
        Feed(broker.host, broker.port, MODULE_ID) as one,
        Feed(broker.host, broker.port) as every,
    ):
        await module.connected()
        await other.connected()
        async with asyncio.timeout(5):
            assert {(await anext(every)).module_id for _ in range(2)} == {MODULE_ID, OTHER_ID}
            assert (await anext(one)).module_id == MODULE_ID
        await module.publish(told(Channel.EVENT, encode(event(1))))
        async with asyncio.timeout(5):
            assert (await anext(one)).value == event(1)


@pytest.mark.asyncio(loop_factories=["real"])
async def test_a_recorder_keeps_the_latest_and_counts_what_it_let_go(broker: Broker) -> None:
    async with RunningModule(broker.port) as module, Recorder(broker.host, broker.port, capacity=5) as recorder:
        await module.connected()
        await recorder.wait_for(lambda heard: heard.topic == topic(MODULE_ID, Channel.ONLINE))
        for number in range(1, 10):
            await module.publish(told(Channel.EVENT, b"%d" % number))
        await recorder.wait_for(lambda heard: heard.payload == b"9")
        assert [heard.payload for heard in recorder.messages] == [b"5", b"6", b"7", b"8", b"9"]
        assert recorder.left_out == 5
        with pytest.raises(TimeoutError):
            await recorder.wait_for(lambda heard: heard.payload == b"never", timeout_s=0.05)


@pytest.mark.asyncio(loop_factories=["real"])
async def test_a_listener_comes_back_by_itself_when_the_broker_does(broker: Broker) -> None:
    async with Recorder(broker.host, broker.port) as recorder:
        assert recorder.standing.is_set()
        await broker.restart(kill=True)
        await recorder.resume()
        async with RunningModule(broker.port):
            await recorder.wait_for(lambda heard: heard.topic == topic(MODULE_ID, Channel.ONLINE))


@pytest.mark.asyncio(loop_factories=["real"])
async def test_a_broker_that_is_not_there_is_told_in_one_line(broker: Broker) -> None:
    await broker.stop()
    with pytest.raises(IngestError, match=f"127.0.0.1:{broker.port} cannot be listened to") as failed:
        await Feed(broker.host, broker.port).__aenter__()
    assert "\n" not in str(failed.value)
    assert "check that it runs" in str(failed.value)


@pytest.mark.asyncio(loop_factories=["real"])
async def test_a_listener_can_be_closed_while_the_broker_is_away(broker: Broker) -> None:
    async with Subscription(broker.host, broker.port, "#", lambda _: None) as subscription:
        await broker.kill()
        async with asyncio.timeout(5):
            while subscription.standing.is_set():
                await asyncio.sleep(0)
        await subscription.close()
        await subscription.close()
