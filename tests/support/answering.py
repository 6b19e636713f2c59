"""Somebody at a real broker who hears a module's orders and answers them."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

import aiomqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from host_tools.backend.broker import Broker
from protocol.telemetry import QOS, Channel, topic
from tests.support.credentials import MODULE_ID

Answer = Callable[[aiomqtt.Client, bytes, bytes], Awaitable[None]]


async def say(client: aiomqtt.Client, payload: bytes, correlation: bytes) -> None:
    """Answer with this correlation data."""
    properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
    properties.CorrelationData = correlation
    await client.publish(topic(MODULE_ID, Channel.ORDER_RESULT), payload, QOS, properties=properties)


@contextlib.asynccontextmanager
async def a_module(answer: Answer) -> AsyncIterator[Broker]:
    """A broker, and somebody who hears the module's orders and answers them."""
    async with Broker() as broker:
        listening = asyncio.Event()

        async def listen() -> None:
            v5 = aiomqtt.ProtocolVersion.V5
            async with aiomqtt.Client(broker.host, broker.port, protocol=v5, bind_address=broker.host) as client:
                await client.subscribe(topic(MODULE_ID, Channel.ORDER), QOS)
                listening.set()
                async for message in client.messages:
                    assert isinstance(message.payload, bytes)
                    await answer(client, message.payload, getattr(message.properties, "CorrelationData", b""))

        peer = asyncio.create_task(listen())
        try:
            await asyncio.wait_for(listening.wait(), 10)
            yield broker
        finally:
            peer.cancel()
            await asyncio.gather(peer, return_exceptions=True)
