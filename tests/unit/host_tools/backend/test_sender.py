"""An order over a real broker, and which answer is ours."""

import aiomqtt
import pytest

from host_tools.backend.broker import Broker
from host_tools.backend.sender import SendError, send
from protocol.telemetry import QOS, Channel, EventKind, EventReport, OrderResult, encode, topic
from tests.support.answering import a_module, say
from tests.support.credentials import MODULE_ID
from tests.support.module_peer import seeded
from tests.support.reports import stamp

pytestmark = pytest.mark.asyncio(loop_factories=["real"])


async def sent(broker: Broker, timeout_s: float = 10) -> OrderResult:
    return await send(broker.host, broker.port, MODULE_ID, b"signed", entropy=seeded(5), timeout_s=timeout_s)


@pytest.mark.req("SVC-3", "BKG-2")
async def test_an_order_goes_to_its_module_and_the_answer_with_its_correlation_comes_back() -> None:
    async def answer(client: aiomqtt.Client, payload: bytes, correlation: bytes) -> None:
        assert payload == b"signed"
        assert len(correlation) == 16
        await say(client, encode(OrderResult("00", 33, "ORDER_LATE")), b"somebody else's")
        await say(client, encode(OrderResult("01", 0, "OK", pending=True)), correlation)

    async with a_module(answer) as broker:
        assert await sent(broker) == OrderResult("01", 0, "OK", pending=True)


@pytest.mark.req("OWN-4")
async def test_what_the_module_tells_meanwhile_is_heard_too() -> None:
    heard: list[EventReport] = []
    progress = EventReport(stamp(7), EventKind.TAKEOVER_PROGRESS, numbers={"progress_pct": 50})

    async def answer(client: aiomqtt.Client, _: bytes, correlation: bytes) -> None:
        for event in (b"{", encode(progress)):
            await client.publish(topic(MODULE_ID, Channel.EVENT), event, QOS)
        await say(client, encode(OrderResult("01", 0, "OK")), correlation)

    async with a_module(answer) as broker:
        answered = await send(
            *(broker.host, broker.port, MODULE_ID, b"signed"), entropy=seeded(5), timeout_s=10, on_event=heard.append
        )
    assert answered.code == 0
    assert heard == [progress]


async def test_an_answer_that_cannot_be_read_is_an_error_in_one_line() -> None:
    async def answer(client: aiomqtt.Client, _: bytes, correlation: bytes) -> None:
        await say(client, b"{", correlation)

    async with a_module(answer) as broker:
        with pytest.raises(SendError, match="the answer cannot be read"):
            await sent(broker)


async def test_a_module_that_is_not_there_does_not_answer() -> None:
    async with Broker() as broker:
        with pytest.raises(SendError, match="no answer came within"):
            await sent(broker, 0.5)


async def test_a_broker_that_is_not_there_is_an_error_in_one_line() -> None:
    async with Broker() as broker:
        host, port = broker.host, broker.port
    with pytest.raises(SendError, match="cannot be used"):
        await send(host, port, MODULE_ID, b"signed", entropy=seeded(5), timeout_s=10)
