"""Switches in a module's connections: what passes, what does not, and what is remembered."""

import asyncio
from contextlib import suppress

import pytest

from firmware.bench.switches import BrokerNews, BrokerSwitch, LinkNews, RadioSwitch
from firmware.core.airtime import Airtime, Pace
from firmware.ports import BrokerUnavailable, Publication
from tests.support.ports import MemoryBroker, MemoryRadio


class Listener:
    """Notes what a radio tells."""

    def __init__(self) -> None:
        self.heard: list[tuple[object, ...]] = []

    def link_opened(self, link: int, payload: int) -> None:
        self.heard.append(("opened", link, payload))

    def payload_changed(self, link: int, payload: int) -> None:
        self.heard.append(("payload", link, payload))

    def fragment_received(self, link: int, fragment: bytes) -> None:
        self.heard.append(("fragment", link, fragment))

    def link_closed(self, link: int) -> None:
        self.heard.append(("closed", link))


async def test_a_radio_that_is_switched_off_is_off_the_air_until_it_is_switched_on() -> None:
    radio, switch, listener = MemoryRadio(asyncio.Event()), RadioSwitch(), Listener()
    switch.plug(radio)
    await switch.start(listener)
    assert radio.running
    await switch.switch(False)
    assert (radio.running, switch.is_on) == (False, False)
    await switch.notify(1, b"lost")
    await switch.hang_up(1)
    assert radio.inbox(1).empty()
    await switch.switch(True)
    assert radio.running
    await switch.stop()
    assert not radio.running
    await switch.switch(False)
    await switch.start(listener)
    assert not radio.running


async def test_a_radio_that_is_switched_off_is_advised_all_the_same() -> None:
    radio, switch = MemoryRadio(asyncio.Event()), RadioSwitch()
    switch.plug(radio)
    await switch.switch(False)
    switch.advise(Airtime(Pace.SLOW, 3))
    assert radio.advice == [Airtime(Pace.SLOW, 3)]


async def test_everything_on_the_radio_is_heard_and_passed_on() -> None:
    radio, switch, listener = MemoryRadio(asyncio.Event()), RadioSwitch(), Listener()
    heard: list[tuple[int, LinkNews, bytes]] = []
    switch.taps.add(lambda *news: heard.append(news))
    switch.plug(radio)
    await switch.start(listener)
    radio.listener.link_opened(1, 20)
    radio.listener.payload_changed(1, 100)
    radio.listener.fragment_received(1, b"in")
    await switch.notify(1, b"out")
    await switch.hang_up(1)
    assert listener.heard == [("opened", 1, 20), ("payload", 1, 100), ("fragment", 1, b"in"), ("closed", 1)]
    assert [(news, data) for _, news, data in heard] == [
        (LinkNews.OPENED, b""),
        (LinkNews.RECEIVED, b"in"),
        (LinkNews.SENT, b"out"),
        (LinkNews.HUNG_UP, b""),
        (LinkNews.CLOSED, b""),
    ]


class Network:
    """A broker switch at work, and what it told."""

    def __init__(self) -> None:
        self.broker = MemoryBroker(asyncio.Event())
        self.switch = BrokerSwitch()
        self.switch.plug(self.broker)
        self.told: list[str] = []
        self.orders: list[tuple[str, bytes, bytes]] = []
        self.news: list[BrokerNews] = []
        self.switch.taps.add(lambda news, _: self.news.append(news))
        self.work = asyncio.create_task(
            self.switch.run(
                lambda: self.told.append("connected"),
                lambda: self.told.append("lost"),
                lambda *order: self.orders.append(order),
            )
        )

    async def end(self) -> None:
        self.work.cancel()
        with suppress(asyncio.CancelledError):
            await self.work


@pytest.mark.req("BEN-1")
async def test_a_network_that_is_down_takes_nothing_and_comes_back() -> None:
    network = Network()
    await asyncio.sleep(0.1)
    network.broker.connect()
    assert network.switch.connected
    network.switch.switch(False)
    assert not network.switch.is_up
    await network.switch.gone()
    assert network.told == ["connected", "lost"]
    assert network.broker.severed
    with pytest.raises(BrokerUnavailable):
        await network.switch.publish(Publication("a/b", b"x"))
    network.switch.switch(True)
    await asyncio.sleep(1)
    network.broker.connect()
    await network.end()
    assert network.told == ["connected", "lost", "connected", "lost"]
    assert network.news == [BrokerNews.CONNECTED, BrokerNews.LOST] * 2


@pytest.mark.made_up_messages
async def test_what_the_broker_has_acknowledged_is_remembered_and_no_more() -> None:
    network = Network()
    await asyncio.sleep(0.1)
    orders: list[bytes] = []
    network.switch.orders.add(lambda _, payload, __: orders.append(payload))
    assert not network.switch.deliver("a/order", b"too early")
    network.broker.connect()
    network.broker.deliver("a/order", b"order", b"")
    assert network.switch.deliver("a/order", b"by hand", b"c")
    await network.switch.publish(Publication("a/position", b"here", retain=True))
    await network.switch.publish(Publication("a/event", b"event"))
    assert network.switch.retained["a/position"].payload == b"here"
    await network.switch.publish(Publication("a/position", b"", retain=True))
    network.broker.refusals = 1
    with pytest.raises(BrokerUnavailable):
        await network.switch.publish(Publication("a/event", b"refused"))
    network.switch.sever("because")
    cancelled = network.switch.publish(Publication("a/event", b"cancelled"))
    cancelled.cancel()
    await asyncio.sleep(0.1)
    await network.end()
    assert network.switch.retained == {}
    assert [each.payload for each in network.switch.told] == [b"here", b"event", b""]
    assert orders == [b"order", b"by hand"]
    assert network.orders == [("a/order", b"order", b""), ("a/order", b"by hand", b"c")]
    assert network.broker.severed == ["because"]


async def test_a_broker_that_gives_up_is_not_tried_again() -> None:
    class Broken(MemoryBroker):
        async def run(self, connected: object, lost: object, received: object) -> None:
            raise RuntimeError("a bug")

    switch = BrokerSwitch()
    switch.plug(Broken(asyncio.Event()))
    with pytest.raises(RuntimeError, match="a bug"):
        await switch.run(lambda: None, lambda: None, lambda *_: None)


@pytest.mark.req("PWR-1")
async def test_nothing_is_said_any_more_after_the_power_was_cut() -> None:
    network = Network()
    await asyncio.sleep(0.1)
    network.broker.connect()
    network.switch.cut()
    await network.switch.gone()
    with pytest.raises(BrokerUnavailable):
        await network.switch.publish(Publication("a/b", b"x"))
    assert network.broker.severed == ["the power was cut"]
    assert network.switch.is_up
    await asyncio.sleep(1)
    network.switch.plug(network.broker)
    await asyncio.sleep(0.1)
    network.broker.connect()
    await network.end()
    assert network.told == ["connected", "lost", "connected", "lost"]

    radio, switch = MemoryRadio(asyncio.Event()), RadioSwitch()
    switch.plug(radio)
    await switch.start(Listener())
    switch.cut()
    await switch.notify(1, b"farewell")
    await switch.hang_up(1)
    await switch.stop()
    await switch.settled()
    await switch.settled()
    assert not radio.running
    assert radio.inbox(1).empty()
    assert not radio.hung_up
