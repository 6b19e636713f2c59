"""The module's client around its connections: pauses, callbacks, and what it says of itself."""

import asyncio
import gc
import os
import socket

import pytest

from firmware.adapters.mqtt import BrokerMisconfigured, BrokerSettings, MqttBroker
from firmware.ports import BrokerPort, BrokerUnavailable
from protocol.telemetry import Channel, topic
from tests.support.mqtt_module import MODULE_ID, RunningModule, told
from tests.support.scripted_broker import NOT_AUTHORIZED, Peer, ScriptedBroker

pytestmark = pytest.mark.made_up_messages


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def test_without_a_connection_a_publication_is_refused_at_once() -> None:
    settings = BrokerSettings(host="127.0.0.1", port=closed_port())
    broker: BrokerPort = MqttBroker(settings, MODULE_ID, entropy=os.urandom)
    with pytest.raises(BrokerUnavailable, match="no connection"):
        await broker.publish(told(Channel.EVENT, b"nobody there"))


@pytest.mark.req("TEL-8")
def test_a_broker_that_needs_tls_is_refused_before_anything_is_sent() -> None:
    with pytest.raises(BrokerMisconfigured, match="over TLS with a client certificate only"):
        MqttBroker(BrokerSettings(host="10.0.0.1", port=1883), MODULE_ID, entropy=os.urandom)


@pytest.mark.req("TEL-6")
async def test_an_hour_without_a_broker_costs_few_attempts() -> None:
    """On virtual time; each attempt is a real connection to a port where nobody listens."""
    pauses_s: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses_s.append(seconds)
        await asyncio.sleep(seconds)

    broker = MqttBroker(
        BrokerSettings(host="127.0.0.1", port=closed_port()),
        MODULE_ID,
        entropy=lambda size: b"\x80" * size,
        sleep=sleep,
    )
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(3600):
            await broker.run(lambda: None, lambda: None, lambda _, __, ___: None)
    assert [round(pause, 1) for pause in pauses_s[:7]] == [1.5, 2.5, 4.5, 8.5, 16.6, 30.6, 30.6]
    assert 100 < len(pauses_s) < 130


@pytest.mark.asyncio(loop_factories=["real"])
async def test_a_module_that_is_stopped_while_it_connects_leaves_no_complaint() -> None:
    complaints: list[dict[str, object]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, what: complaints.append(what))
    settings = BrokerSettings(host="127.0.0.1", port=closed_port())
    for steps in range(30):
        broker = MqttBroker(settings, MODULE_ID, entropy=os.urandom)
        running = asyncio.create_task(broker.run(lambda: None, lambda: None, lambda _, __, ___: None))
        for _ in range(steps):
            await asyncio.sleep(0)
        running.cancel()
        await asyncio.wait({running})
    gc.collect()
    assert complaints == []


@pytest.mark.req("TEL-6")
@pytest.mark.asyncio(loop_factories=["real"])
async def test_a_refused_module_does_not_hammer() -> None:
    async def refuses(peer: Peer) -> None:
        await peer.packet()
        await peer.send(NOT_AUTHORIZED)
        await peer.gone()

    async with ScriptedBroker(refuses) as broker, RunningModule(broker.port) as module:
        assert 900 <= await module.pausing() <= 1800
        assert "Not authorized" in module.notes[0]
        assert "next try in" in module.notes[0]
        assert module.calls == []


@pytest.mark.asyncio(loop_factories=["real"])
async def test_a_bug_of_a_callback_is_not_taken_for_a_broken_line() -> None:
    order = topic(MODULE_ID, Channel.ORDER).encode()

    async def script(peer: Peer) -> None:
        await peer.welcome()
        await peer.send(bytes((0x30, 3 + len(order))) + len(order).to_bytes(2, "big") + order + b"\x00")
        await peer.serve()

    def fails(_topic: str, _order: bytes, _correlation: bytes) -> None:
        raise ZeroDivisionError

    calls: list[str] = []
    async with ScriptedBroker(script) as server:
        settings = BrokerSettings(host="127.0.0.1", port=server.port)
        broker = MqttBroker(settings, MODULE_ID, entropy=os.urandom)
        with pytest.raises(ZeroDivisionError):
            await broker.run(lambda: calls.append("connected"), lambda: calls.append("lost"), fails)
    assert calls == ["connected", "lost"]


@pytest.mark.req("TEL-6")
@pytest.mark.asyncio(loop_factories=["real"])
async def test_a_connection_that_never_lasts_does_not_reset_the_pauses() -> None:
    async def brief(peer: Peer) -> None:
        await peer.welcome()

    async def pauses_after(stable_ms: int) -> list[float]:
        async with ScriptedBroker(brief) as server, RunningModule(server.port, stable_ms=stable_ms) as module:
            async with asyncio.timeout(8):
                while len(module.pauses_s) < 12:
                    module.paused.clear()
                    await module.paused.wait()
            return module.pauses_s

    assert max(await pauses_after(stable_ms=60_000)) > 4.0
    assert max(await pauses_after(stable_ms=0)) <= 2.0


@pytest.mark.asyncio(loop_factories=["real"])
@pytest.mark.req("SVC-4", "SVC-5")
@pytest.mark.parametrize("stage", ["connecting", "connected"])
async def test_a_connection_that_is_severed_for_good_is_the_last_one_until_it_is_run_anew(stage: str) -> None:
    """Also one that has only sent its first packet: nothing follows it."""
    asked, gone = asyncio.Event(), asyncio.Event()

    async def script(peer: Peer) -> None:
        try:
            if stage == "connecting":
                await peer.packet()
                asked.set()
                await peer.gone()
            else:
                await peer.welcome()
                asked.set()
                await peer.serve()
        finally:
            gone.set()

    async def welcomes(peer: Peer) -> None:
        await peer.welcome()
        await peer.serve()

    async with ScriptedBroker(script, welcomes) as server, RunningModule(server.port) as module:
        await asyncio.wait_for(asked.wait(), 8)
        if stage == "connected":
            await module.connected()
        module.broker.sever("the SIM is blocked", last=True)
        await asyncio.wait_for(gone.wait(), 8)
        while not module.notes:
            await asyncio.sleep(0.01)
        assert module.notes == [f"broker 127.0.0.1:{server.port}: the SIM is blocked"]
        assert module.pauses_s == []
        assert server.connections == 1
        await module.stop()
        async with module:
            await module.connected()
        assert server.connections == 2
