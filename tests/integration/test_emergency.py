"""With real connections: emergency calls get through, and on a SIM that is for them alone nothing else does."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import nullcontext
from typing import Any

import aiomqtt
import msgspec
import pytest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from firmware.adapters.mqtt import BrokerSettings, MqttBroker
from firmware.adapters.mqtt.emergency import emergency_broker
from firmware.adapters.mqtt.settings import own_address
from firmware.bench.aside import AsideBroker
from firmware.core import sim
from firmware.core.events import CrashDetected, OrderReceived
from firmware.core.state import Durable, Vehicle
from firmware.emergency import EmergencyLine
from firmware.gate import Gate
from host_tools.backend.broker import Broker
from host_tools.backend.ingest import Recorder
from protocol import telemetry
from protocol.msd import decode
from protocol.orders import Order, OrderKind, ServicePlan
from tests.support.core import AT_HOME, BEGINS_MS, FLOOR_MS
from tests.support.credentials import MODULE_ID
from tests.support.ports import Bench
from tests.support.scripted_broker import CONNACK, Peer, ScriptedBroker

pytestmark = pytest.mark.asyncio(loop_factories=["real"])

replace = msgspec.structs.replace

VIN = "WMWXU71090TU12345"
PLAN = ServicePlan(1, "BE", "2021-05-10", (2021, 5, 10), ("6AP", "6AF"))
OFF = replace(PLAN, number=2, base_active=False)
CALLS = telemetry.emergency_topic(MODULE_ID)
PATIENCE_S = 20.0
CONNECT, PUBLISH, SUBSCRIBE = 1, 3, 8


async def a_module(port: int, plan: ServicePlan | None = None) -> Bench:
    """With both connections to the broker at that port, and that plan on its disk."""
    bench = Bench(rtc_at_zero_ms=BEGINS_MS + 60_000 - round(asyncio.get_running_loop().time() * 1000))
    settings = BrokerSettings(host="127.0.0.1", port=port, retry_min_ms=10, will_delay_s=0)
    bench.uplink = MqttBroker(settings, MODULE_ID, entropy=os.urandom)
    bench.emergency = EmergencyLine(emergency_broker(settings, MODULE_ID, entropy=os.urandom), MODULE_ID)
    bench.profile = replace(bench.profile, vehicle=Vehicle(VIN, "BE"))
    bench.vehicle.set(fix=AT_HOME)
    durable = Durable(FLOOR_MS, bench.profile.key_epoch, services=plan)
    await bench.disk.commit(msgspec.msgpack.encode(durable), ())
    return bench


def services(plan: ServicePlan) -> OrderReceived:
    """As any phone carries it to the car."""
    order_id = plan.number.to_bytes(16, "big")
    issued_s = BEGINS_MS // 1000
    return OrderReceived(Order(order_id, OrderKind.SERVICES, MODULE_ID, issued_s, issued_s + 86_400, plan))


async def until(bench: Bench, holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        await bench.until(holds)


# ---------------------------------------------------------------- a real broker
@pytest.fixture
async def broker() -> AsyncIterator[Broker]:
    async with Broker() as running:
        yield running


async def acknowledge(broker: Broker, correlation: bytes) -> None:
    """As the emergency centre does it."""
    properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]  # Paho's is not annotated
    properties.CorrelationData = correlation
    client = aiomqtt.Client(
        broker.host, broker.port, protocol=aiomqtt.ProtocolVersion.V5, bind_address=own_address(broker.host)
    )
    async with client as centre:
        await centre.publish(telemetry.acknowledgement_topic(MODULE_ID), b"", 1, properties=properties)


@pytest.mark.req("SVC-8")
async def test_a_crash_reaches_the_centre_and_its_answer_ends_the_call(broker: Broker) -> None:
    async with Recorder(broker.host, broker.port, topic="sharebox/+/emergency") as centre:
        bench = await a_module(broker.port)
        async with bench.at_work() as pump:
            pump.post(CrashDetected())
            call = await centre.wait_for(lambda raw: raw.topic == CALLS)
            heard = decode(call.payload)
            assert (heard.message, heard.automatic, heard.vin) == (1, True, VIN)
            assert heard.latitude_e7 is not None
            assert abs(heard.latitude_e7 - AT_HOME.latitude_e7) <= 2
            await acknowledge(broker, b"\x00\x00\x00\x09")
            await acknowledge(broker, b"\x00\x00\x00\x01")
            await until(bench, lambda: pump.state.durable.call is None)
        assert "ecall.acknowledged" in [
            effect.record.kind for _, effects in bench.seen for effect in effects if hasattr(effect, "record")
        ]


@pytest.mark.req("SVC-8")
async def test_a_call_waits_for_a_broker_that_is_away_and_comes_first_when_it_is_back(broker: Broker) -> None:
    bench = await a_module(broker.port)
    await broker.stop()
    async with bench.at_work() as pump:
        pump.post(CrashDetected())
        await until(bench, lambda: pump.state.durable.call is not None)
        await broker.start()
        async with Recorder(broker.host, broker.port, topic="sharebox/+/emergency") as centre:
            call = await centre.wait_for(lambda raw: raw.topic == CALLS)
    assert decode(call.payload).message >= 1


# ---------------------------------------------------------------- every byte
class Tower:
    """A broker that notes every packet of every client, beside what else happened."""

    def __init__(self) -> None:
        self.log: list[tuple[str, int]] = []
        """(client identifier, type of its packet), in order; notes of a test have no type."""
        self.grown = asyncio.Event()

    async def serve(self, peer: Peer) -> None:
        """One client."""
        name = "?"
        while True:
            kind, body = await peer.packet()
            if kind == CONNECT:
                name = "emergency" if b"-emergency" in body else "ordinary"
            self.note(name, kind)
            if kind == CONNECT:
                await peer.send(CONNACK)
            elif kind == SUBSCRIBE:
                await peer.send(bytes((0x90, 4)) + body[:2] + b"\x00\x01")
            elif kind == PUBLISH:
                await peer.acknowledge((kind, body))

    def note(self, name: str, kind: int = 0) -> None:
        """It happened now."""
        self.log.append((name, kind))
        self.grown.set()

    async def saw(self, *entry: Any) -> int:
        """Wait for it; where it stands."""
        async with asyncio.timeout(PATIENCE_S):
            while entry not in self.log:
                self.grown.clear()
                await self.grown.wait()
        return self.log.index(entry)


@pytest.mark.req("SVC-4", "SVC-5")
async def test_on_a_sim_for_emergency_calls_alone_the_call_is_the_only_byte() -> None:
    tower = Tower()
    async with ScriptedBroker(tower.serve) as server:
        bench = await a_module(server.port, OFF)
        async with bench.at_work() as pump:
            assert sim.of(pump.state) is sim.Sim.ECALL_ONLY
            bench.vehicle.tell(replace(bench.vehicle.sample, ignition_on=True))
            pump.post(CrashDetected())
            await tower.saw("emergency", PUBLISH)
            tower.note("reactivated")
            pump.post(services(replace(PLAN, number=3)))
            begun = await tower.saw("ordinary", CONNECT)
        before = tower.log[:begun]
        assert ("reactivated", 0) in before, "the first byte of the ordinary connection came after it"
        clients = [name for name, kind in before if kind]
        assert set(clients) == {"emergency"}
        assert [kind for name, kind in before if name == "emergency"][:3] == [CONNECT, SUBSCRIBE, PUBLISH]


@pytest.mark.req("SVC-4", "SVC-5")
async def test_deactivation_ends_the_connection_and_nothing_comes_of_it_any_more() -> None:
    tower = Tower()
    async with ScriptedBroker(tower.serve) as server:
        bench = await a_module(server.port, PLAN)
        async with bench.at_work() as pump:
            await until(bench, lambda: pump.state.broker_connected)
            await quiet(bench)
            tower.note("deactivated")
            pump.post(services(OFF))
            await until(bench, lambda: not pump.state.broker_connected)
            bench.vehicle.tell(replace(bench.vehicle.sample, ignition_on=True))
            pump.post(CrashDetected())
            await tower.saw("emergency", PUBLISH)
            waiting = await bench.disk.pending_count()
        since = tower.log[tower.log.index(("deactivated", 0)) + 1 :]
        assert [name for name, kind in since if kind in (CONNECT, PUBLISH)] == ["emergency", "emergency"]
        assert "ordinary" not in {name for name, _ in since}, "no farewell, no will, no answer to the order"
        assert waiting > 0, "it is told when the services are back"


@pytest.mark.req("SVC-4", "SVC-5")
async def test_beside_a_module_whose_time_is_moved_a_closed_gate_is_as_tight() -> None:
    """The broker's client lives in a thread of its own there, and hears a little later that it is not wanted."""
    tower = Tower()
    async with ScriptedBroker(tower.serve) as server:
        settings = BrokerSettings(host="127.0.0.1", port=server.port, will_delay_s=0)
        aside = AsideBroker(lambda: MqttBroker(settings, MODULE_ID, entropy=os.urandom), nullcontext)
        gate, lost = Gate(aside, "the SIM is blocked", opened=True), asyncio.Event()
        running = asyncio.create_task(gate.run(lambda: tower.note("up"), lost.set, lambda *_: None))
        for number in range(3):
            await tower.saw("up", 0)
            gate.set(False)
            tower.note(f"closed {number}")
            await asyncio.wait_for(lost.wait(), PATIENCE_S)
            tower.log.remove(("up", 0))
            lost.clear()
            tower.note(f"opened {number}")
            gate.set(True)
        await tower.saw("up", 0)
        running.cancel()
        await asyncio.wait({running})
    for number in range(3):
        begun, ended = (tower.log.index((f"{what} {number}", 0)) for what in ("closed", "opened"))
        assert CONNECT not in [kind for _, kind in tower.log[begun:ended]]
    assert [kind for _, kind in tower.log].count(CONNECT) == 4


async def quiet(bench: Bench) -> None:
    """Until everything that was to be told has been told."""
    async with asyncio.timeout(PATIENCE_S):
        while await bench.disk.pending_count():
            bench.changed.clear()
            await asyncio.wait_for(bench.changed.wait(), 1.0)
