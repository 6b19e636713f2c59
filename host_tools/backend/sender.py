"""Sends one signed order over MQTT and waits for what the module says of it.

Decides which answer is ours: the one with the correlation data that went out with the order. Refuses to know what the
order says, and whether the answer is good news.
"""

import asyncio
import ssl
from collections.abc import Callable
from typing import Any, Final

import aiomqtt
import msgspec
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from host_tools.backend.ingest import ANSWER_S, own_address
from protocol.errors import one_line
from protocol.telemetry import QOS, Channel, OrderResult, topic

CORRELATION_BYTES: Final = 16


class SendError(Exception):
    """The order could not be handed over, or nobody answered: one line with what, why and what to do."""


async def send(
    host: str,
    port: int,
    module_id: bytes,
    signed: bytes,
    *,
    entropy: Callable[[int], bytes],
    timeout_s: float,
    tls: ssl.SSLContext | None = None,
) -> OrderResult:
    """Publish `signed` to the module and return its answer. Raises SendError when the broker is not there or does not
    allow it, and when no answer came within `timeout_s`; the order may have been carried out all the same."""
    correlation = entropy(CORRELATION_BYTES)
    properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]  # Paho's is not annotated
    properties.CorrelationData = correlation
    answers = topic(module_id, Channel.ORDER_RESULT)
    client = aiomqtt.Client(
        host,
        port,
        protocol=aiomqtt.ProtocolVersion.V5,
        timeout=ANSWER_S,
        bind_address=own_address(host),
        tls_context=tls,
    )
    try:
        async with asyncio.timeout(timeout_s), client:
            for reason in await client.subscribe(answers, QOS):
                if isinstance(reason, ReasonCode) and reason.is_failure:
                    raise SendError(f"the broker does not let us read {answers} ({reason}): check our rights there")
            await client.publish(topic(module_id, Channel.ORDER), signed, QOS, properties=properties)
            async for message in client.messages:
                if getattr(message.properties, "CorrelationData", b"") == correlation:
                    return _read(message.payload)
            raise SendError("the broker has ended the connection before an answer came: send the order again")
    except TimeoutError:
        why = f"no answer came within {timeout_s:g} s: check that the module is connected, then send it again"
        raise SendError(why) from None
    except aiomqtt.MqttError as error:
        why = f"the broker {host}:{port} cannot be used ({error}): check that it runs, and its address"
        raise SendError(why) from None


def _read(payload: Any) -> OrderResult:
    try:
        return msgspec.json.decode(payload, type=OrderResult)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        why = f"the answer cannot be read ({one_line(str(error))}): update the module or this program"
        raise SendError(why) from None
