"""The module's MQTT client, running, with everything noted that it says."""

import asyncio
import os
from pathlib import Path
from types import TracebackType
from typing import Self

from firmware.adapters.mqtt import BrokerSettings, MqttBroker
from firmware.ports import Publication
from protocol.telemetry import Channel, topic

MODULE_ID = bytes.fromhex("a1b2c3d4e5f60718")
ROOT = Path(__file__).parents[2]

STANDALONE = """
import asyncio, os, sys
from firmware.adapters.mqtt import BrokerSettings, MqttBroker

settings = BrokerSettings(host="127.0.0.1", port=int(sys.argv[1]), will_delay_s=int(sys.argv[2]))
broker = MqttBroker(settings, bytes.fromhex(sys.argv[3]), entropy=os.urandom)
asyncio.run(broker.run(lambda: print("connected", flush=True), lambda: None, lambda topic, order, correlation: None))
"""
"""A module's client as a process of its own: port, will delay in s, module id in hex."""


def told(channel: Channel, payload: bytes, *, retain: bool = False) -> Publication:
    """A publication of this module."""
    return Publication(topic(MODULE_ID, channel), payload, retain)


class RunningModule:
    """`async with` starts the client, and cancels it at the end. Pauses are noted, and cut short to 10 ms."""

    def __init__(
        self,
        port: int,
        *,
        module_id: bytes = MODULE_ID,
        announced: tuple[Publication, ...] = (),
        **settings: object,
    ) -> None:
        values = {"host": "127.0.0.1", "port": port, "will_delay_s": 0, "answer_s": 5.0, **settings}
        self.calls: list[str] = []
        self.orders: asyncio.Queue[bytes] = asyncio.Queue()
        self.correlations: list[bytes] = []
        self.notes: list[str] = []
        self.pauses_s: list[float] = []
        self.up = asyncio.Event()
        self.down = asyncio.Event()
        self.paused = asyncio.Event()
        self.patient = True
        """False: pauses last as long as they are."""
        self.broker = MqttBroker(
            BrokerSettings(**values),  # type: ignore[arg-type]  # a test may give any of them
            module_id,
            entropy=os.urandom,
            sleep=self._sleep,
            noted=self.notes.append,
            announced=announced,
        )
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        run = self.broker.run(self._connected, self._lost, self._received)
        self._task = asyncio.create_task(run, name="module")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()
        expected = ["connected", "lost"] * (len(self.calls) // 2)
        assert self.calls == expected, "connected and lost alternate, and every connection is lost in the end"

    async def stop(self) -> None:
        """As the pump does it: cancel, and wait for the goodbye."""
        assert self._task is not None
        self._task.cancel()
        await asyncio.wait({self._task})
        if not self._task.cancelled() and (bug := self._task.exception()) is not None:
            raise bug

    async def publish(self, publication: Publication) -> None:
        """As `MqttBroker.publish`."""
        await self.broker.publish(publication)

    async def connected(self) -> None:
        """Wait until the connection stands."""
        await self._soon(self.up)

    async def lost(self) -> None:
        """Wait until the connection is gone."""
        await self._soon(self.down)

    async def pausing(self) -> float:
        """Wait until an attempt has failed; the length of the pause after it in s."""
        await self._soon(self.paused)
        return self.pauses_s[-1]

    async def _soon(self, event: asyncio.Event) -> None:
        async with asyncio.timeout(8):
            await event.wait()

    def _connected(self) -> None:
        self.calls.append("connected")
        self.up.set()
        self.down.clear()

    def _lost(self) -> None:
        self.calls.append("lost")
        self.up.clear()
        self.down.set()

    def _received(self, _: str, order: bytes, correlation: bytes) -> None:
        self.orders.put_nowait(order)
        self.correlations.append(correlation)

    async def _sleep(self, seconds: float) -> None:
        self.pauses_s.append(seconds)
        self.paused.set()
        await asyncio.sleep(min(seconds, 0.01) if self.patient else seconds)
