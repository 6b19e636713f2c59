"""Listening at a broker: a feed of values, and a recorder that hears everything."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from host_tools.backend.broker import Broker
from host_tools.backend.ingest import Feed, IngestError, Received, Recorder, Subscription
from protocol.telemetry import Channel, encode, topic
from tests.support.mqtt_module import MODULE_ID, RunningModule, told
from tests.support.reports import OTHER_ID, backlog, event, state

pytestmark = pytest.mark.made_up_messages


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


@pytest.mark.req("TEL-3", "TEL-5")
@pytest.mark.asyncio(loop_factories=["real"])
async def test_a_backlog_comes_out_record_by_record_and_repetitions_are_known(broker: Broker) -> None:
    waited = backlog((Channel.STATE, state(2)), (Channel.EVENT, event(1)), (Channel.STATE, state(3)))
    async with RunningModule(broker.port) as module, Feed(broker.host, broker.port, MODULE_ID) as feed:
        await module.connected()
        await module.publish(told(Channel.STATE, encode(state(1)), retain=True))
        await module.publish(told(Channel.BACKLOG, waited))
        await module.publish(told(Channel.BACKLOG, waited))
        got: list[Received] = []
        async with asyncio.timeout(5):
            while len(got) < 7:
                one = await anext(feed)
                if one.channel is not Channel.ONLINE:
                    got.append(one)
    assert [(one.value, one.backlog, one.repeated) for one in got] == [
        (state(1), False, False),
        (state(2), True, False),
        (event(1), True, False),
        (state(3), True, False),
        (state(2), True, True),
        (event(1), True, True),
        (state(3), True, True),
    ]
    assert feed.sequence.missing(MODULE_ID) == 0


@pytest.mark.req("TEL-3")
@pytest.mark.asyncio(loop_factories=["real"])
async def test_what_was_sent_while_the_broker_did_not_hear_us_is_told_apart(broker: Broker) -> None:
    async with Feed(broker.host, broker.port, MODULE_ID) as feed:
        async with RunningModule(broker.port) as module:
            await module.connected()
            await module.publish(told(Channel.EVENT, encode(event(1))))
        await broker.restart(kill=True)
        await feed.resume()
        async with RunningModule(broker.port) as module:
            await module.connected()
            await module.publish(told(Channel.EVENT, encode(event(4))))
        async with asyncio.timeout(5):
            async for one in feed:
                if one.value == event(4):
                    break
    assert (one.missing, one.unheard) == (2, True)
    assert feed.sequence.missing(MODULE_ID) == 0


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
