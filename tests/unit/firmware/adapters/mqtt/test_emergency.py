"""The client for emergency calls: what it says of itself, which is nothing, and how often it tries."""

import asyncio
import os
import socket

import pytest

from firmware.adapters.mqtt import BrokerMisconfigured, BrokerSettings
from firmware.adapters.mqtt.emergency import RETRY_MAX_MS, emergency_broker
from firmware.ports import BrokerPort, Publication
from tests.support.mqtt_module import MODULE_ID
from tests.support.scripted_broker import CONNACK, Peer, ScriptedBroker

real = pytest.mark.asyncio(loop_factories=["real"])
pytestmark = pytest.mark.made_up_messages

CALL = f"sharebox/{MODULE_ID.hex()}/emergency"


@real
@pytest.mark.req("SVC-5", "SVC-8")
async def test_the_call_is_all_that_passes() -> None:
    packets: list[tuple[int, bytes]] = []
    over = asyncio.Event()

    async def script(peer: Peer) -> None:
        try:
            packets.append(await peer.packet())
            await peer.send(CONNACK)
            packets.append(await peer.packet())
            await peer.send(bytes((0x90, 4)) + packets[1][1][:2] + b"\x00\x01")
            packets.append(await peer.packet())
            await peer.acknowledge(packets[2])
            while True:
                packets.append(await peer.packet())
        finally:
            over.set()

    async with ScriptedBroker(script) as server:
        settings = BrokerSettings(host="127.0.0.1", port=server.port)
        broker: BrokerPort = emergency_broker(settings, MODULE_ID, entropy=os.urandom)
        connected = asyncio.Event()
        running = asyncio.create_task(broker.run(connected.set, lambda: None, lambda *_: None))
        await asyncio.wait_for(connected.wait(), 8)
        await broker.publish(Publication(CALL, b"\x02\x00", content_type="x", correlation=b"\x00\x00\x00\x01"))
        running.cancel()
        await asyncio.wait({running})
        await asyncio.wait_for(over.wait(), 8)
    (_, connect), (_, subscribe), (kind, call), *farewell = packets
    assert connect[7] & 0x02, "a clean start: nothing waits for it"
    assert not connect[7] & 0x04, "no last will"
    assert f"sharebox-{MODULE_ID.hex()}-emergency".encode() in connect
    assert f"{CALL}/ack".encode() in subscribe
    assert (kind, CALL.encode() in call) == (3, True), "no presence before it"
    assert [kind for kind, _ in farewell] in ([14], []), "and none after it"


@pytest.mark.req("SVC-8")
async def test_it_tries_again_every_few_seconds_whatever_happens() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    pauses_s: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses_s.append(seconds)
        await asyncio.sleep(seconds)

    notes: list[str] = []
    settings = BrokerSettings(host="127.0.0.1", port=port, refused_retry_ms=900_000)
    broker = emergency_broker(settings, MODULE_ID, entropy=os.urandom, sleep=sleep, noted=notes.append)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(60):
            await broker.run(lambda: None, lambda: None, lambda *_: None)
    assert len(pauses_s) >= 60_000 / RETRY_MAX_MS
    assert max(pauses_s) <= RETRY_MAX_MS / 1000
    assert notes[0].startswith(f"broker 127.0.0.1:{port}: ")


@pytest.mark.req("TEL-8")
def test_it_is_as_careful_as_the_ordinary_one() -> None:
    with pytest.raises(BrokerMisconfigured, match="over TLS with a client certificate only"):
        emergency_broker(BrokerSettings(host="10.0.0.1", port=8883), MODULE_ID, entropy=os.urandom)
