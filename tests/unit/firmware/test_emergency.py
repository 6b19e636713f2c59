"""The line to the emergency centre, over a broker in memory."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from firmware.emergency import EmergencyLine
from firmware.ports import EmergencyPort
from protocol import telemetry
from protocol.msd import CONTENT_TYPE, Msd, decode
from tests.support.core import PROFILE
from tests.support.quick_broker import QuickBroker

FIRST = Msd(1, True, True, "WMWXU71090TU12345", 1_792_924_200, 481_375_000, 115_755_000)
SECOND = Msd(2, True, True, "WMWXU71090TU12345", 1_792_924_200, 481_375_000, 115_755_000)
ACK = telemetry.acknowledgement_topic(PROFILE.module_id)


class Line:
    """A line at work."""

    def __init__(self) -> None:
        self.broker = QuickBroker()
        self.acknowledged: list[int] = []
        self.port: EmergencyPort = EmergencyLine(self.broker, PROFILE.module_id)
        self.task = asyncio.create_task(self.port.run(self.acknowledged.append))

    @property
    def messages(self) -> list[int]:
        return [decode(publication.payload).message for publication in self.broker.published]


@pytest.fixture
async def line() -> AsyncIterator[Line]:
    made = Line()
    await asyncio.sleep(1)
    yield made
    made.task.cancel()
    await asyncio.wait({made.task})


@pytest.mark.req("SVC-5")
async def test_without_a_call_there_is_no_connection(line: Line) -> None:
    await asyncio.sleep(3600)
    assert line.broker.connections == 0


@pytest.mark.req("SVC-8")
async def test_a_call_connects_and_leaves_as_the_norm_has_it(line: Line) -> None:
    line.port.call(7, FIRST, 1_200)
    await asyncio.sleep(1)
    (sent,) = line.broker.published
    assert sent.topic == f"sharebox/{PROFILE.module_id.hex()}/emergency"
    assert (sent.content_type, sent.correlation) == (CONTENT_TYPE, b"\x00\x00\x00\x07")
    assert (sent.retain, sent.expiry_s, sent.attributes) == (False, 1_200, ())
    assert decode(sent.payload).vin == FIRST.vin
    line.port.call(7, SECOND, 1_195)
    assert line.messages == [1, 2]
    assert line.broker.published[-1].expiry_s == 1_195


@pytest.mark.req("SVC-8")
async def test_only_the_newest_message_waits_for_a_connection(line: Line) -> None:
    line.broker.away = True
    line.port.call(7, FIRST, 1_200)
    line.port.call(7, SECOND, 1_195)
    await asyncio.sleep(60)
    line.broker.away = False
    await asyncio.sleep(2)
    assert line.messages == [2]
    line.broker.lose()
    await asyncio.sleep(2)
    assert line.broker.connections == 2
    assert line.messages == [2], "the next one comes soon, and says the same"


async def test_a_message_that_the_broker_does_not_take_is_left_to_the_next_one(line: Line) -> None:
    line.broker.refusals = 1
    line.port.call(7, FIRST, 1_200)
    await asyncio.sleep(1)
    line.port.call(7, SECOND, 1_195)
    assert line.messages == [2]


@pytest.mark.req("SVC-5")
async def test_hanging_up_takes_back_what_has_not_left(line: Line) -> None:
    line.broker.away = True
    line.port.call(7, FIRST, 1_200)
    await asyncio.sleep(1.5)
    line.port.hang_up()
    line.broker.away = False
    await asyncio.sleep(3600)
    assert (line.messages, line.broker.connections) == ([], 0)
    line.port.call(8, FIRST, 1_200)
    await asyncio.sleep(1)
    line.broker.holds = True
    line.port.call(8, SECOND, 1_195)
    line.port.hang_up()
    await asyncio.sleep(3600)
    assert [publication.correlation[-1] for publication in line.broker.published] == [8, 8]
    assert line.broker.connections == 1


@pytest.mark.req("SVC-8")
@pytest.mark.parametrize("correlation", [b"", b"\x07", b"\x00\x00\x00\x00\x07"])
async def test_what_acknowledges_no_call_is_not_heard(line: Line, correlation: bytes) -> None:
    line.port.call(7, FIRST, 1_200)
    await asyncio.sleep(1)
    line.broker.deliver(ACK, b"", correlation)
    assert line.acknowledged == []
    line.broker.deliver(ACK, b"", b"\x00\x00\x00\x07")
    assert line.acknowledged == [7]
