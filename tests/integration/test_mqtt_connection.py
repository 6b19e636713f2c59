"""The module's MQTT client against a real broker: presence, acknowledgement, cuts and orders."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator

import pytest

from firmware.ports import BrokerUnavailable, Publication
from host_tools.backend.broker import Broker
from host_tools.backend.ingest import Raw, Recorder
from protocol.telemetry import Channel, topic
from tests.support.cable import Cable
from tests.support.mqtt_module import MODULE_ID, ROOT, STANDALONE, RunningModule, told

pytestmark = [pytest.mark.asyncio(loop_factories=["real"]), pytest.mark.made_up_messages]

ONLINE = topic(MODULE_ID, Channel.ONLINE)
EVENT = topic(MODULE_ID, Channel.EVENT)
ORDER = topic(MODULE_ID, Channel.ORDER)
YES = b'{"online":true,"time":""}'
NO = b'{"online":false,"time":""}'


@pytest.fixture
async def broker() -> AsyncIterator[Broker]:
    async with Broker() as running:
        yield running


@pytest.fixture
async def cable(broker: Broker) -> AsyncIterator[Cable]:
    async with Cable(broker.port) as running:
        yield running


@pytest.fixture
async def recorder(broker: Broker) -> AsyncIterator[Recorder]:
    async with Recorder(broker.host, broker.port) as recording:
        yield recording


async def seen(recorder: Recorder, where: str, payload: bytes) -> Raw:
    return await recorder.wait_for(lambda raw: (raw.topic, raw.payload) == (where, payload))


async def retained(broker: Broker, where: str) -> bytes:
    async with Recorder(broker.host, broker.port, topic=where) as late:
        raw = await late.wait_for(lambda raw: raw.retained)
    return raw.payload


def events(recorder: Recorder) -> list[bytes]:
    return [raw.payload for raw in recorder.messages if raw.topic == EVENT]


@pytest.mark.req("TEL-6")
async def test_others_see_the_module_come_and_go(broker: Broker, recorder: Recorder) -> None:
    async with RunningModule(broker.port, will_delay_s=60) as module:
        await module.connected()
        await seen(recorder, ONLINE, YES)
        assert await retained(broker, ONLINE) == YES
    await seen(recorder, ONLINE, NO)
    assert await retained(broker, ONLINE) == NO
    assert module.calls == ["connected", "lost"]
    assert module.notes == [], "a goodbye is no trouble"


@pytest.mark.req("TEL-6")
async def test_the_last_will_speaks_for_a_module_that_was_killed(broker: Broker, recorder: Recorder) -> None:
    command = [sys.executable, "-c", STANDALONE, str(broker.port), "0", MODULE_ID.hex()]
    process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert await process.stdout.readline() == b"connected\n"
    await seen(recorder, ONLINE, YES)
    process.kill()
    await process.wait()
    await seen(recorder, ONLINE, NO)
    assert await retained(broker, ONLINE) == NO


@pytest.mark.req("TEL-6")
async def test_a_short_cut_is_not_shown_to_others(cable: Cable, recorder: Recorder) -> None:
    async with RunningModule(cable.port, will_delay_s=2) as module:
        await module.connected()
        await cable.cut()
        await module.lost()
        await module.connected()
        await module.publish(told(Channel.EVENT, b"back"))
        await seen(recorder, EVENT, b"back")
        assert [raw.payload for raw in recorder.messages if raw.topic == ONLINE] == [YES, YES]


@pytest.mark.req("TEL-5")
async def test_a_publication_returns_only_when_it_was_acknowledged(cable: Cable, recorder: Recorder) -> None:
    async with RunningModule(cable.port) as module:
        await module.connected()
        cable.freeze(down=True)
        publishing = asyncio.create_task(module.publish(told(Channel.EVENT, b"one")))
        await seen(recorder, EVENT, b"one")
        assert not publishing.done(), "the broker has it, but its word is still on the way"
        cable.thaw()
        await publishing


@pytest.mark.req("TEL-5", "PRV-1")
async def test_what_a_cut_swallowed_is_not_sent_behind_the_outbox(cable: Cable, recorder: Recorder) -> None:
    async with RunningModule(cable.port) as module:
        await module.connected()
        cable.freeze(up=True)
        publishing = [asyncio.create_task(module.publish(told(Channel.EVENT, b"%d" % n))) for n in range(20)]
        await asyncio.sleep(0)
        await cable.cut()
        for result in await asyncio.gather(*publishing, return_exceptions=True):
            assert isinstance(result, BrokerUnavailable)
        await module.connected()
        await module.publish(told(Channel.EVENT, b"after"))
        await seen(recorder, EVENT, b"after")
        assert events(recorder) == [b"after"]


@pytest.mark.req("TEL-5")
async def test_a_lost_acknowledgement_raises_and_does_not_repeat_by_itself(cable: Cable, recorder: Recorder) -> None:
    async with RunningModule(cable.port) as module:
        await module.connected()
        cable.freeze(down=True)
        publishing = asyncio.create_task(module.publish(told(Channel.EVENT, b"arrived")))
        await seen(recorder, EVENT, b"arrived")
        await cable.cut()
        with pytest.raises(BrokerUnavailable):
            await publishing
        await module.connected()
        await module.publish(told(Channel.EVENT, b"after"))
        await seen(recorder, EVENT, b"after")
        assert events(recorder) == [b"arrived", b"after"]


@pytest.mark.req("TEL-5")
async def test_a_broker_that_goes_silent_is_given_up_after_a_limit(cable: Cable, recorder: Recorder) -> None:
    async with RunningModule(cable.port, answer_s=0.3) as module:
        await module.connected()
        cable.freeze(up=True, down=True)
        with pytest.raises(BrokerUnavailable, match="did not acknowledge"):
            await module.publish(told(Channel.EVENT, b"into the void"))
        await module.lost()
        await cable.cut()
        await module.connected()
        await module.publish(told(Channel.EVENT, b"after"))
        await seen(recorder, EVENT, b"after")
        assert events(recorder) == [b"after"]


@pytest.mark.req("TEL-3", "TEL-5", "TEL-6")
async def test_a_killed_broker_loses_nothing_that_it_acknowledged() -> None:
    async with Broker(persistent=True) as broker, RunningModule(broker.port) as module:
        await module.connected()
        await module.publish(told(Channel.STATE, b"kept", retain=True))
        await broker.stop()
        await module.lost()
        await broker.start()
        await module.connected()
        assert await retained(broker, topic(MODULE_ID, Channel.STATE)) == b"kept"
        await broker.kill()
        await module.lost()
        with pytest.raises(BrokerUnavailable, match="no connection"):
            await module.publish(told(Channel.EVENT, b"while it is dead"))
        await broker.start()
        async with Recorder(broker.host, broker.port) as recorder:
            await module.connected()
            await module.publish(told(Channel.EVENT, b"again"))
            await seen(recorder, EVENT, b"again")
            assert events(recorder) == [b"again"]


@pytest.mark.req("BKG-2")
async def test_orders_arrive_also_those_sent_while_the_module_was_away(cable: Cable, broker: Broker) -> None:
    backend = MODULE_ID[::-1]
    async with RunningModule(cable.port) as module, RunningModule(broker.port, module_id=backend) as sender:
        await module.connected()
        await sender.connected()
        await sender.publish(Publication(ORDER, b"\xd2\x84live"))
        assert await asyncio.wait_for(module.orders.get(), 5) == b"\xd2\x84live"
        await cable.cut()
        await module.lost()
        await sender.publish(Publication(ORDER, b"kept"))
        again = [await asyncio.wait_for(module.orders.get(), 5)]
        if again == [b"\xd2\x84live"]:  # its acknowledgement was lost in the cut
            again = [await asyncio.wait_for(module.orders.get(), 5)]
        assert again == [b"kept"]


@pytest.mark.req("SEC-1")
async def test_an_order_above_the_limit_is_dropped_and_the_next_one_arrives(broker: Broker) -> None:
    backend = MODULE_ID[::-1]
    async with RunningModule(broker.port) as module, RunningModule(broker.port, module_id=backend) as sender:
        await module.connected()
        await sender.connected()
        for size in (4097, 6000, 200_000, 4096):
            await sender.publish(Publication(ORDER, bytes(size)))
        assert await asyncio.wait_for(module.orders.get(), 5) == bytes(4096)
        assert module.broker.discarded == 1, "the others were above the packet limit that the broker was told"
        assert module.up.is_set()
        assert module.orders.empty()
