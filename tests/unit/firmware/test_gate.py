"""A broker behind a gate: what passes, what does not, and that closing takes everything back."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from firmware.gate import Gate
from firmware.ports import Arrived, BrokerPort, BrokerUnavailable, Publication
from protocol.telemetry import Channel, topic
from tests.support.core import PROFILE
from tests.support.quick_broker import QuickBroker

EVENT = Publication(topic(PROFILE.module_id, Channel.EVENT), b"{}")


class Beside:
    """A gate at work, and what its callbacks were told."""

    def __init__(self, *, opened: bool) -> None:
        self.broker = QuickBroker()
        self.gate = Gate(self.broker, "the SIM is blocked", opened=opened)
        self.told: list[object] = []
        self.task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        port: BrokerPort = self.gate
        await port.run(
            lambda: self.told.append("connected"),
            lambda: self.told.append("lost"),
            lambda topic, payload, correlation: self.told.append((topic, payload, correlation)),
        )


@pytest.fixture
async def beside() -> AsyncIterator[Beside]:
    made = Beside(opened=True)
    await asyncio.sleep(1)
    yield made
    made.task.cancel()
    await asyncio.wait({made.task})


@pytest.mark.req("SVC-4")
async def test_a_closed_gate_tries_nothing_and_an_open_one_passes_everything() -> None:
    beside = Beside(opened=False)
    await asyncio.sleep(3600)
    assert not beside.gate.is_open
    assert beside.broker.connections == 0
    with pytest.raises(BrokerUnavailable, match="the SIM is blocked"):
        await beside.gate.publish(EVENT)
    beside.gate.set(True)
    await asyncio.sleep(1)
    await beside.gate.publish(EVENT)
    beside.broker.deliver("order", b"an order", b"7")
    assert beside.told == ["connected", ("order", b"an order", b"7")]
    assert beside.broker.published == [EVENT]
    beside.task.cancel()
    await asyncio.wait({beside.task})
    assert beside.told[-1] == "lost"


@pytest.mark.req("SVC-4", "SVC-5")
async def test_closing_takes_back_what_has_not_left_and_connects_no_more(beside: Beside) -> None:
    beside.broker.holds = True
    waiting = beside.gate.publish(EVENT)
    beside.gate.set(False)
    beside.gate.set(False)
    assert beside.broker.severed == ["the SIM is blocked"]
    with pytest.raises(BrokerUnavailable):
        await waiting
    await asyncio.sleep(3600)
    assert beside.told == ["connected", "lost"]
    assert beside.broker.connections == 1


@pytest.mark.req("SVC-5")
async def test_what_comes_in_while_it_closes_is_not_heard() -> None:
    class Lazy(QuickBroker):
        def sever(self, why: str, *, last: bool = False) -> None:
            """It takes its time."""

    broker, told = Lazy(), list[bytes]()
    gate = Gate(broker, "closed", opened=True)
    task = asyncio.create_task(gate.run(lambda: None, lambda: None, lambda _, payload, __: told.append(payload)))
    await asyncio.sleep(1)
    broker.deliver("order", b"before", b"")
    gate.set(False)
    broker.deliver("order", b"after", b"")
    assert told == [b"before"]
    task.cancel()
    await asyncio.wait({task})


async def test_what_is_opened_and_closed_at_once_ends_as_it_was_told_last(beside: Beside) -> None:
    for opened in (False, True, False, True):
        beside.gate.set(opened)
    await asyncio.sleep(2)
    assert beside.told == ["connected", "lost", "connected"]
    for opened in (False, True, False):
        beside.gate.set(opened)
    await asyncio.sleep(2)
    assert not beside.gate.is_open
    assert beside.told == ["connected", "lost", "connected", "lost"]


async def test_it_may_close_again_while_the_broker_still_says_goodbye() -> None:
    class Slow(QuickBroker):
        async def run(self, connected: Callable[[], None], lost: Callable[[], None], received: Arrived) -> None:
            try:
                await super().run(connected, lost, received)
            finally:
                await asyncio.sleep(5)

    gate, told = Gate(Slow(), "closed", opened=True), list[str]()
    task = asyncio.create_task(gate.run(lambda: told.append("up"), lambda: told.append("down"), lambda *_: None))
    await asyncio.sleep(1)
    gate.set(False)
    await asyncio.sleep(1)
    gate.set(True)
    gate.set(False)
    await asyncio.sleep(10)
    assert told == ["up", "down"]
    gate.set(True)
    await asyncio.sleep(1)
    assert told == ["up", "down", "up"]
    task.cancel()
    await asyncio.wait({task})


async def test_a_connection_can_be_severed_through_it(beside: Beside) -> None:
    beside.gate.sever("a driver's booking begins")
    await asyncio.sleep(2)
    assert beside.broker.severed == ["a driver's booking begins"]
    assert beside.told == ["connected", "lost", "connected"]


async def test_a_broker_that_forgets_to_say_that_it_is_gone_is_spoken_for() -> None:
    class Forgetful(QuickBroker):
        async def run(self, connected: Callable[[], None], lost: Callable[[], None], received: Arrived) -> None:
            await super().run(connected, lambda: None, received)

    gate, told = Gate(Forgetful(), "closed", opened=True), list[str]()
    task = asyncio.create_task(gate.run(lambda: told.append("up"), lambda: told.append("down"), lambda *_: None))
    await asyncio.sleep(1)
    gate.set(False)
    await asyncio.sleep(1)
    assert told == ["up", "down"]
    task.cancel()
    await asyncio.wait({task})


async def test_a_bug_of_the_broker_behind_it_is_not_hidden() -> None:
    class Broken(QuickBroker):
        async def run(self, connected: object, lost: object, received: object) -> None:
            raise TimeoutError("a bug")

    gate = Gate(Broken(), "closed", opened=True)
    with pytest.raises(TimeoutError, match="a bug"):
        await gate.run(lambda: None, lambda: None, lambda *_: None)
