"""What a broken or hostile broker can do to a connection: end it, and nothing else."""

import asyncio
import os
import random

import pytest

from firmware.adapters.mqtt.connection import MAX_IN_FLIGHT, MAX_PACKET_BYTES
from firmware.ports import BrokerUnavailable, Publication
from protocol.telemetry import Channel, topic
from tests.support.mqtt_module import MODULE_ID, RunningModule, told
from tests.support.scripted_broker import CONNACK, Peer, ScriptedBroker

pytestmark = [pytest.mark.asyncio(loop_factories=["real"]), pytest.mark.made_up_messages]

ORDER_TOPIC = topic(MODULE_ID, Channel.ORDER).encode()


def publish_packet(payload: bytes, *, qos: int, identifier: int = 1, name: bytes = ORDER_TOPIC) -> bytes:
    body = len(name).to_bytes(2, "big") + name + identifier.to_bytes(2, "big") + b"\x00" + payload
    length = bytes((len(body) & 127 | 128, len(body) >> 7)) if len(body) > 127 else bytes((len(body),))
    return bytes((0x30 | qos << 1,)) + length + body


async def stays(peer: Peer) -> None:
    await peer.welcome()
    await peer.serve()


async def test_what_is_asked_of_the_broker() -> None:
    packets: list[tuple[int, bytes]] = []

    async def script(peer: Peer) -> None:
        packets.append(await peer.packet())
        await peer.send(CONNACK)
        packets.append(await peer.packet())
        await peer.send(bytes((0x90, 4)) + packets[1][1][:2] + b"\x00\x01")
        for _ in range(3):
            packets.append(await peer.packet())
            await peer.acknowledge(packets[-1])
        await peer.serve()

    async with ScriptedBroker(script) as broker, RunningModule(broker.port, will_delay_s=10) as module:
        await module.connected()
        await module.publish(Publication("sharebox/x/event", b"body", retain=False, expiry_s=60))
        described = (("specversion", "1.0"), ("id", "1-event-7"))
        await module.publish(
            Publication("x", b"{}", content_type="application/json", attributes=described, correlation=b"\0\1")
        )
    connect, subscribe, online, event, annotated = (body for _, body in packets)
    assert connect[:7] == b"\x00\x04MQTT\x05"
    flags = connect[7]
    assert not flags & 0x02, "no clean start: the session goes on"
    assert flags & 0x3C == 0x2C, "a will of QoS 1, retained"
    assert b"\x11" + (86_400).to_bytes(4, "big") in connect, "session expiry"
    assert b"\x21" + MAX_IN_FLIGHT.to_bytes(2, "big") in connect, "receive maximum"
    assert b"\x27" + MAX_PACKET_BYTES.to_bytes(4, "big") in connect, "maximum packet size"
    assert b"\x18" + (10).to_bytes(4, "big") in connect, "will delay"
    assert b"sharebox-a1b2c3d4e5f60718" in connect
    assert subscribe.endswith(ORDER_TOPIC + b"\x01"), "QoS 1"
    assert online.endswith(b'{"online":true,"time":""}')
    assert event.endswith(b"\x05\x02" + (60).to_bytes(4, "big") + b"body"), "message expiry"
    assert b"\x03\x00\x10application/json" in annotated, "content type"
    assert b"\x09\x00\x02\x00\x01" in annotated, "correlation data"
    assert annotated.index(b"\x26\x00\x0bspecversion\x00\x031.0") < annotated.index(b"\x26\x00\x02id\x00\x091-event-7")


async def test_an_order_comes_with_its_correlation_data() -> None:
    async def script(peer: Peer) -> None:
        await peer.welcome()
        properties = b"\x09\x00\x03who"
        body = len(ORDER_TOPIC).to_bytes(2, "big") + ORDER_TOPIC + b"\x00\x01" + bytes((len(properties),)) + properties
        await peer.send(bytes((0x32, len(body) + 1)) + body + b"!")
        await peer.send(publish_packet(b"?", qos=1, identifier=2))
        await peer.serve()

    async with ScriptedBroker(script) as broker, RunningModule(broker.port) as module:
        assert await asyncio.wait_for(module.orders.get(), 5) == b"!"
        assert await asyncio.wait_for(module.orders.get(), 5) == b"?"
        assert module.correlations == [b"who", b""]


@pytest.mark.req("PRV-1")
async def test_what_was_handed_over_does_not_leave_after_the_connection_was_severed() -> None:
    deaf, read_on = asyncio.Event(), asyncio.Event()
    ends: list[str] = []

    async def script(peer: Peer) -> None:
        await peer.welcome()
        deaf.set()
        await read_on.wait()
        try:
            await peer.gone()
        except ConnectionResetError:
            ends.append("reset")
        else:
            ends.append("in good order")

    async with ScriptedBroker(script, stays) as broker, RunningModule(broker.port) as module:
        module.broker.sever("there is no connection yet: nothing happens")
        await module.connected()
        await deaf.wait()
        publishing = asyncio.create_task(module.publish(Publication("x", bytes(16 << 20))))
        await asyncio.sleep(0)
        module.broker.sever("a booking begins")
        with pytest.raises(BrokerUnavailable, match="a booking begins"):
            await publishing
        await module.lost()
        read_on.set()
        await module.connected()
        assert module.pauses_s == [0]
        assert ends == ["reset"], "the system's buffer was thrown away"
        assert "a booking begins" in module.notes[0]


@pytest.mark.req("SEC-1")
async def test_a_packet_announced_as_huge_is_not_waited_for() -> None:
    peers: list[Peer] = []

    async def floods(peer: Peer) -> None:
        peers.append(peer)
        await peer.welcome()
        await peer.send(b"\x30\xff\xff\xff\x7f")
        while peer.sent < 256 << 20:
            await peer.send(bytes(1 << 20))

    async with ScriptedBroker(floods, stays) as broker, RunningModule(broker.port) as module:
        await module.connected()
        await module.pausing()
        assert f"sent a packet of more than {MAX_PACKET_BYTES} bytes" in module.notes[0]
        await module.connected()
        assert peers[0].sent < 64 << 20
        assert module.orders.empty()


@pytest.mark.req("SEC-1")
async def test_unasked_messages_of_qos_2_are_not_collected() -> None:
    async def script(peer: Peer) -> None:
        await peer.welcome()
        await peer.send(publish_packet(b"half", qos=2))
        await peer.serve()

    async with ScriptedBroker(script, stays) as broker, RunningModule(broker.port) as module:
        await module.connected()
        await module.lost()
        await module.pausing()
        assert "QoS 2" in module.notes[0]
        assert module.orders.empty()


@pytest.mark.req("SEC-1")
async def test_messages_on_foreign_topics_are_discarded() -> None:
    async def script(peer: Peer) -> None:
        await peer.welcome()
        for number, name in enumerate((b"sharebox/ffffffffffffffff/order", b"\xff\xfe", b"x"), 1):
            await peer.send(publish_packet(b"other", qos=1, identifier=number, name=name))
        await peer.send(publish_packet(b"mine", qos=1, identifier=9))
        await peer.serve()

    async with ScriptedBroker(script) as broker, RunningModule(broker.port) as module:
        assert await asyncio.wait_for(module.orders.get(), 5) == b"mine"
        assert module.broker.discarded == 3


@pytest.mark.req("SEC-1")
async def test_garbage_ends_the_connection_and_never_the_module() -> None:
    chance = random.Random(8)
    rounds = 60

    async def babbles(peer: Peer) -> None:
        if chance.random() < 0.5:
            await peer.welcome()
        await peer.send(bytes((chance.randrange(256),)) + bytes((chance.randrange(30),)) + chance.randbytes(40))

    async with (
        ScriptedBroker(*[babbles] * rounds, stays) as broker,
        RunningModule(broker.port, answer_s=0.5) as module,
    ):
        async with asyncio.timeout(20):
            while len(module.pauses_s) < rounds:
                module.paused.clear()
                await module.paused.wait()
        await module.connected()
        assert module.orders.empty()
        assert all("\n" not in note for note in module.notes)


@pytest.mark.req("TEL-6")
async def test_a_server_that_hangs_up_before_it_answers_is_noticed_at_once() -> None:
    async def silent(peer: Peer) -> None:
        await peer.packet()

    async with ScriptedBroker(silent) as broker, RunningModule(broker.port, answer_s=60.0) as module:
        assert 1.0 <= await module.pausing() <= 2.0
        assert "the connection broke" in module.notes[0]
        assert module.calls == []


async def test_a_server_that_never_answers_is_given_up() -> None:
    async def mute(peer: Peer) -> None:
        await peer.gone()

    async with ScriptedBroker(mute) as broker, RunningModule(broker.port, answer_s=0.1) as module:
        await module.pausing()
        assert "timed out" in module.notes[0]


async def test_a_module_that_is_stopped_while_it_connects_leaves_no_socket_behind() -> None:
    reached, hung_up = asyncio.Event(), asyncio.Event()

    async def mute(peer: Peer) -> None:
        await peer.packet()
        reached.set()
        await peer.gone()
        hung_up.set()

    async with ScriptedBroker(mute) as broker:
        async with RunningModule(broker.port, answer_s=60.0) as module:
            await asyncio.wait_for(reached.wait(), 5)
            await module.stop()
        await asyncio.wait_for(hung_up.wait(), 5)
        assert broker.connections == 1


@pytest.mark.req("TEL-6")
async def test_a_half_open_link_is_noticed_although_nobody_has_anything_to_say() -> None:
    async def silent(peer: Peer) -> None:
        await peer.welcome()
        await peer.gone()

    async with ScriptedBroker(silent, stays) as broker, RunningModule(broker.port, keepalive_s=1) as module:
        await module.connected()
        await module.lost()
        await module.connected()
        assert broker.connections >= 2


@pytest.mark.req("TEL-5")
async def test_a_negative_acknowledgement_is_none() -> None:
    async def full(peer: Peer) -> None:
        await peer.welcome()
        await peer.acknowledge(await peer.packet(), reason=0x97)
        await peer.serve()

    async with ScriptedBroker(full, stays) as broker, RunningModule(broker.port) as module:
        await module.connected()
        with pytest.raises(BrokerUnavailable, match="Quota exceeded"):
            await module.publish(told(Channel.EVENT, b"too much"))
        await module.lost()
        assert await module.pausing() <= 2.0, "no refusal of the module: it may try again soon"


@pytest.mark.req("TEL-5")
async def test_an_acknowledgement_without_subscribers_is_one() -> None:
    async def nobody_listens(peer: Peer) -> None:
        await peer.welcome()
        await peer.acknowledge(await peer.packet(), reason=0x10)
        await peer.serve()

    async with ScriptedBroker(nobody_listens) as broker, RunningModule(broker.port) as module:
        await module.connected()
        await module.publish(told(Channel.EVENT, b"fine"))


async def test_only_so_many_publications_are_under_way_and_the_others_wait_without_a_limit() -> None:
    arrived: list[bytes] = []
    publications, ack_after_s, answer_s = 30, 0.03, 0.6  # all together take longer than one may wait

    async def slow(peer: Peer) -> None:
        await peer.welcome()
        under_way = [await peer.packet() for _ in range(MAX_IN_FLIGHT)]
        for number in range(publications):
            arrived.append(under_way[0][1][-2:])
            await asyncio.sleep(ack_after_s)
            await peer.acknowledge(under_way.pop(0))
            if number < publications - MAX_IN_FLIGHT:
                under_way.append(await peer.packet())
        await peer.serve()

    async with ScriptedBroker(slow) as broker, RunningModule(broker.port, answer_s=answer_s) as module:
        await module.connected()
        bodies = [b"%02d" % number for number in range(publications)]
        await asyncio.gather(*(module.publish(told(Channel.EVENT, body)) for body in bodies))
        assert arrived == bodies, "in order"


async def test_when_the_broker_does_not_take_the_goodbye_the_module_ends_all_the_same() -> None:
    async def deaf(peer: Peer) -> None:
        await peer.welcome()
        await peer.packet()
        await peer.gone()

    async with ScriptedBroker(deaf) as broker, RunningModule(broker.port, answer_s=0.1) as module:
        await module.connected()
        await asyncio.wait_for(module.stop(), 5)
        assert module.calls == ["connected", "lost"]


async def test_no_file_descriptor_is_lost_over_many_connections() -> None:
    async def brief(peer: Peer) -> None:
        await peer.welcome()

    async with ScriptedBroker(brief) as broker, RunningModule(broker.port) as module:
        async with asyncio.timeout(10):
            while broker.connections < 5:
                module.paused.clear()
                await module.paused.wait()
            before = len(os.listdir("/proc/self/fd"))
            while broker.connections < 25:
                module.paused.clear()
                await module.paused.wait()
        assert len(os.listdir("/proc/self/fd")) <= before + 4
