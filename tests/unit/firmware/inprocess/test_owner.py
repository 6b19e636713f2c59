"""What the owner's side has been told, and a network that goes down."""

import pytest

from firmware.bench.loopback import LoopbackBroker
from firmware.bench.switches import BrokerNews, BrokerSwitch
from firmware.inprocess.module import Module
from firmware.inprocess.owner import MOST_MESSAGES, Owner
from firmware.ports import Publication
from protocol.orders import OrderKind


@pytest.mark.req("PRV-1", "BKG-4")
async def test_the_owner_sees_the_car_before_and_after_a_driver_but_not_meanwhile(
    sharebox_module: Module, sharebox_broker: Owner
) -> None:
    await sharebox_module.wait("1m")
    before = sharebox_broker.position
    assert before is not None
    async with sharebox_module.phone(await sharebox_module.book()) as phone:
        await sharebox_module.wait("5m")
        assert sharebox_broker.position is None
        await phone.end_booking()
    await sharebox_module.wait("5s")
    assert sharebox_broker.position is not None
    assert sharebox_broker.position["parking"] is True
    assert sharebox_broker.events == ["module.booted", "booking.started", "booking.ended"]
    assert sharebox_broker.state is not None
    assert len(sharebox_broker.reports("event")) == 3


@pytest.mark.req("TEL-3")
async def test_what_happens_without_a_network_is_heard_when_it_is_back(
    sharebox_module: Module, sharebox_broker: Owner
) -> None:
    await sharebox_module.wait("6s")
    sharebox_broker.down()
    async with sharebox_module.phone(await sharebox_module.book()) as phone:
        await phone.end_booking()
    with pytest.raises(TimeoutError):
        await sharebox_broker.hears("booking.ended", within="10m")
    sharebox_broker.up()
    report = await sharebox_broker.hears("booking.ended")
    assert report["kind"] == "booking.ended"


@pytest.mark.req("SVC-3")
async def test_an_order_is_handed_over_and_answered(sharebox_module: Module, sharebox_broker: Owner) -> None:
    await sharebox_module.wait("1s")
    signed = sharebox_module.rig.issuer.remote_order(
        OrderKind.REQUEST_STATE, module_id=bytes.fromhex(sharebox_module.id), now_s=sharebox_module.rig.now_s
    )
    sharebox_broker.order(signed)
    await sharebox_module.wait("1s")
    assert [answer["name"] for answer in sharebox_broker.reports("order/result")] == ["OK"]
    sharebox_broker.down()
    await sharebox_module.wait("1s")
    with pytest.raises(RuntimeError, match="not connected: call up"):
        sharebox_broker.order(signed)


async def test_a_real_broker_is_given_orders_by_whoever_runs_it() -> None:
    owner = Owner(BrokerSwitch(), bytes(8), None)
    with pytest.raises(RuntimeError, match="publish the order there"):
        owner.order(b"")


async def test_strange_messages_are_nothing_and_old_ones_are_forgotten() -> None:
    switch = BrokerSwitch()
    owner = Owner(switch, bytes(8), LoopbackBroker())
    switch.taps(BrokerNews.TOLD, Publication("elsewhere", b"{}"))
    switch.taps(BrokerNews.CONNECTED, None)
    assert owner.told == []
    for _ in range(MOST_MESSAGES + 5):
        switch.taps(BrokerNews.TOLD, Publication(f"sharebox/{bytes(8).hex()}/state", b"{}"))
    assert len(owner.told) == MOST_MESSAGES
