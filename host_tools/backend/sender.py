"""Sends one signed order over MQTT and waits for what the module says of it, and of its events meanwhile.

Decides which answer is ours: the one with the correlation data that went out with the order. Refuses to know what the
order says, and whether the answer is good news.
"""

import asyncio
import contextlib
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
from protocol.telemetry import QOS, Channel, EventReport, OrderResult, topic

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
    on_event: Callable[[EventReport], None] = lambda _: None,
) -> OrderResult:
    """Publish `signed` to the module and return its answer. `on_event` is told of the module's events until then.
    Raises SendError when the broker is not there or does not allow it, and when no answer came within `timeout_s`; the
    order may have been carried out all the same."""
    correlation = entropy(CORRELATION_BYTES)
    properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]  # Paho's is not annotated
    properties.CorrelationData = correlation
    answers, events = topic(module_id, Channel.ORDER_RESULT), topic(module_id, Channel.EVENT)
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
            allowed = await client.subscribe([(answers, QOS), (events, QOS)])
            for wanted, reason in zip((answers, events), allowed, strict=True):
                if isinstance(reason, ReasonCode) and reason.is_failure:
                    raise SendError(f"the broker does not let us read {wanted} ({reason}): check our rights there")
            await client.publish(topic(module_id, Channel.ORDER), signed, QOS, properties=properties)
            async for message in client.messages:
                if message.topic.matches(events):
                    _tell(message.payload, on_event)
                elif getattr(message.properties, "CorrelationData", b"") == correlation:
                    return _read(message.payload)
            raise SendError("the broker has ended the connection before an answer came: send the order again")
    except TimeoutError:
        why = f"no answer came within {timeout_s:g} s: check that the module is connected, then send it again"
        raise SendError(why) from None
    except aiomqtt.MqttError as error:
        why = f"the broker {host}:{port} cannot be used ({error}): check that it runs, and its address"
        raise SendError(why) from None


def _tell(payload: Any, on_event: Callable[[EventReport], None]) -> None:
    """What cannot be read is no answer of ours, and not our trouble."""
    with contextlib.suppress(msgspec.DecodeError, UnicodeDecodeError):
        on_event(msgspec.json.decode(payload, type=EventReport))


def _read(payload: Any) -> OrderResult:
    try:
        return msgspec.json.decode(payload, type=OrderResult)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        why = f"the answer cannot be read ({one_line(str(error))}): update the module or this program"
        raise SendError(why) from None
