"""What the owner and the backend get to see: the rig behind a network that can be cut, and everything recorded.

Nothing here looks into the module: what was said when is told by marks, which go through the same broker.
"""

import asyncio
import itertools
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Self

import aiomqtt

from firmware.adapters.mqtt.broker import MqttBroker
from firmware.adapters.mqtt.settings import BrokerSettings
from firmware.core.reporting import position_hidden
from firmware.demo.rig import Rig
from firmware.demo.uplink import HeldBroker, Relay
from firmware.ports import BrokerPort
from firmware.pump import Observer
from host_tools.backend.broker import Broker
from host_tools.backend.ingest import Raw, Recorder
from host_tools.virtual_time import VirtualTimeLoop
from protocol.provisioning import Provisioning
from protocol.telemetry import Channel, topic
from tests.support.coordinates import Area

MARKS = "marks"
PATIENCE_S = 10.0


class OwnersView:
    """`async with OwnersView(broker, seed)`: the module is on the air and connected. Time races, save at sockets."""

    def __init__(self, broker: Broker, seed: str, observer: Observer | None = None) -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualTimeLoop)
        self._loop = loop
        self._broker = broker
        self._stack = AsyncExitStack()
        self._marks = itertools.count()
        self._mark_client: aiomqtt.Client
        self.rig = Rig(seed, broker=self._new_uplink, observer=observer)
        self.area = Area()
        self.recorder: Recorder
        self.relay: Relay
        self.uplink: HeldBroker
        self.online = True
        self._reachable = asyncio.Event()
        self._reachable.set()

    async def __aenter__(self) -> Self:
        host, port = self._broker.host, self._broker.port
        with self._loop.hold():
            self.recorder = await self._stack.enter_async_context(Recorder(host, port))
            self.relay = await self._stack.enter_async_context(Relay(port, host))
            self._mark_client = await self._stack.enter_async_context(
                aiomqtt.Client(host, port, protocol=aiomqtt.ProtocolVersion.V5, bind_address=host)
            )
        await self._stack.enter_async_context(self.rig)
        await self.drained()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._loop.hold():
            await self._stack.aclose()

    def _new_uplink(self, provisioning: Provisioning) -> BrokerPort:
        settings = BrokerSettings(host=self._broker.host, port=self.relay.port, will_delay_s=0)
        broker = MqttBroker(settings, provisioning.module_id, entropy=self.rig.entropy, sleep=self._pause)
        self.uplink = HeldBroker(broker, self._loop.hold)
        return self.uplink

    async def _pause(self, _seconds: float) -> None:
        """The module tries again as soon as it can succeed; how patient it is, is no matter here."""
        await self._reachable.wait()

    # ------------------------------------------------------------ the car
    async def drive(self, seconds: float) -> None:
        """Drive on for so long, and note where; the ignition is on."""
        assert self.rig.vehicle.drive()
        await self.pass_by(seconds)

    async def pass_by(self, seconds: float) -> None:
        """Time passes, whatever the car does."""
        until_s = self._loop.time() + seconds
        while (left_s := until_s - self._loop.time()) > 0:
            self.look()
            await asyncio.sleep(min(5.0, left_s))
        self.look()

    def look(self) -> None:
        """Note where the car is."""
        car = self.rig.vehicle.snapshot()
        self.area.visit(car.latitude, car.longitude)

    async def park(self) -> None:
        """Brake, switch off, stand long enough to count as parked."""
        self.rig.vehicle.park()
        await self.pass_by(20)

    async def reboot(self) -> None:
        """The module loses its power, and has it again; if there is a network, it is connected afterwards."""
        with self._loop.hold():
            await self.rig.shut_down()
        await self.rig.boot()
        self.uplink.expect(self.online)
        if self.online:
            with self._loop.hold():
                async with asyncio.timeout(PATIENCE_S):
                    await self.uplink.connected.wait()
        await self.drained()

    # ------------------------------------------------------------ the network
    async def cut(self) -> None:
        """The module's network is gone, and the module knows."""
        with self._loop.hold():
            self._reachable.clear()
            await self.relay.cut()
            async with asyncio.timeout(PATIENCE_S):
                await self.uplink.lost.wait()
        self.uplink.expect(False)
        self.online = False

    async def restore(self) -> None:
        """The network is back, and the module connected; what waited may still be on its way."""
        with self._loop.hold():
            await self.relay.restore()
            self.uplink.expect(True)
            self._reachable.set()
            async with asyncio.timeout(PATIENCE_S):
                await self.uplink.connected.wait()
        self.online = True

    async def switch(self) -> None:
        """Cut it, or restore it."""
        await (self.cut() if self.online else self.restore())

    async def drained(self) -> None:
        """If there is a network: wait until the broker has everything that may leave."""
        with self._loop.hold():
            async with asyncio.timeout(PATIENCE_S):
                while self.online and not await self._all_told():
                    await asyncio.sleep(0.005)

    async def _all_told(self) -> bool:
        state = self.rig.pump.state
        hidden = position_hidden(state)
        waiting = await self.rig.store.pending(reveals_position=False if hidden else None)
        return state.broker_connected and not waiting and (hidden or state.durable.slot.acknowledged)

    async def order(self, signed: bytes) -> None:
        """The backend sends an order; returns when the module has answered it."""
        results = self.topic(Channel.ORDER_RESULT)
        with self._loop.hold():
            known = sum(raw.topic == results for raw in self.recorder.messages)
            await self._mark_client.publish(self.topic(Channel.ORDER), signed, qos=1)
            async with asyncio.timeout(PATIENCE_S):
                while sum(raw.topic == results for raw in self.recorder.messages) == known:
                    await asyncio.sleep(0.005)

    # ------------------------------------------------------------ what was said
    async def mark(self) -> int:
        """How many messages there are now: everything acknowledged before is among them, and nothing later."""
        text = str(next(self._marks)).encode()
        with self._loop.hold():
            await self._mark_client.publish(MARKS, text, qos=1)
            mark = await self.recorder.wait_for(lambda raw: raw.topic == MARKS and raw.payload == text)
        return list(self.recorder.messages).index(mark)

    def said(self, since: int, until: int | None = None) -> list[Raw]:
        """What went through the broker between two marks."""
        return [raw for raw in list(self.recorder.messages)[since:until] if raw.topic != MARKS]

    async def retained(self) -> list[Raw]:
        """What somebody who subscribes only now is told at once."""
        with self._loop.hold():
            async with Recorder(self._broker.host, self._broker.port) as fresh:
                await self._mark_client.publish(MARKS, b"fresh", qos=1)
                await fresh.wait_for(lambda raw: raw.payload == b"fresh")
                return [raw for raw in fresh.messages if raw.retained]

    def topic(self, channel: Channel) -> str:
        """Of this module."""
        return topic(self.rig.provisioning.module_id, channel)
