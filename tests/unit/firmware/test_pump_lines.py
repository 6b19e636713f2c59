"""The pump's two lines: the gate before the broker, and the emergency line."""

import asyncio

import pytest
from structlog.testing import capture_logs

from firmware.core.events import CrashDetected, EmergencyAcknowledged, EmergencyPressed, OrderReceived, Ticked
from firmware.emergency import EmergencyLine
from firmware.pump import MOST_EVENTS
from protocol.orders import Order, OrderKind, ServicePlan
from tests.support.credentials import MODULE_ID
from tests.support.ports import Bench
from tests.support.quick_broker import QuickBroker


@pytest.mark.req("SVC-4", "PRV-1")
async def test_without_a_sim_for_it_the_broker_is_left_at_once_and_tried_no_more() -> None:
    bench = Bench()
    broker = QuickBroker()
    bench.uplink = broker
    async with bench.at_work() as pump:
        await bench.until(lambda: pump.state.broker_connected)
        plan = ServicePlan(1, "BE", "2021-05-10", (2021, 5, 10), ("6AP",), base_active=False)
        pump.post(OrderReceived(Order(b"deactivated_____", OrderKind.SERVICES, MODULE_ID, 1, 2**32 - 1, plan)))
        await bench.until(lambda: not pump.state.broker_connected)
        assert broker.severed == ["the SIM is for no telemetry"]
        told = len(broker.published)
        bench.vehicle.set(ignition_on=True)
        await asyncio.sleep(3600)
        assert (broker.connections, len(broker.published)) == (1, told)
    async with bench.at_work():
        await asyncio.sleep(3600)
    assert broker.connections == 1


@pytest.mark.req("SVC-8")
async def test_a_call_goes_over_its_own_line_and_its_acknowledgement_comes_back() -> None:
    bench = Bench(networked=False)
    broker = QuickBroker()
    bench.emergency = EmergencyLine(broker, MODULE_ID)
    async with bench.at_work() as pump:
        bench.vehicle.tell(CrashDetected())
        await bench.until(lambda: len(broker.published) == 3)
        broker.deliver("ack", b"", b"\x00\x00\x00\x01")
        await bench.until(lambda: pump.state.durable.call is None)
        await asyncio.sleep(60)
    assert [publication.correlation for publication in broker.published] == [b"\x00\x00\x00\x01"] * 3


@pytest.mark.req("SVC-8")
async def test_a_module_without_a_line_says_that_it_has_none() -> None:
    bench = Bench(networked=False)
    with capture_logs() as logged:
        async with bench.at_work() as pump:
            bench.vehicle.tell(CrashDetected())
            await bench.until(lambda: pump.state.durable.call is not None)
    assert {"event": "there is no line for emergency calls", "log_level": "warning"} in logged


@pytest.mark.req("SVC-8")
async def test_a_full_queue_loses_what_comes_again_by_itself_before_any_fact() -> None:
    bench = Bench(networked=False)
    with capture_logs() as logged:
        async with bench.at_work() as pump:
            pump.post(CrashDetected())
            for _ in range(MOST_EVENTS + 5):
                pump.post(Ticked())
            pump.post(EmergencyAcknowledged(9))
            await bench.until(lambda: pump.state.durable.call is not None)
    assert len([each for each in logged if each["event"] == "event queue full"]) >= 7


async def test_a_queue_full_of_facts_loses_the_oldest() -> None:
    bench = Bench(networked=False)
    async with bench.at_work() as pump:
        pump.post(CrashDetected())
        for _ in range(MOST_EVENTS):
            pump.post(EmergencyAcknowledged(9))
        pump.post(EmergencyPressed())
        await bench.until(lambda: pump.state.pressed_at_ms is not None)
        assert pump.state.durable.call is None
