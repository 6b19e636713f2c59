"""The broker of a bench without a network."""

import asyncio
from contextlib import suppress

import pytest

from firmware.bench.loopback import LoopbackBroker
from firmware.ports import BrokerPort, BrokerUnavailable, Publication


@pytest.mark.made_up_messages
async def test_it_takes_what_it_is_told_and_delivers_what_it_is_given() -> None:
    broker = LoopbackBroker()
    port: BrokerPort = broker
    heard: list[object] = []
    assert not broker.deliver("a", b"early", b"")
    work = asyncio.create_task(
        port.run(lambda: heard.append("connected"), lambda: heard.append("lost"), lambda *what: heard.append(what))
    )
    with pytest.raises(BrokerUnavailable):
        await port.publish(Publication("a", b"early"))
    await asyncio.sleep(0)
    await port.publish(Publication("a", b"x"))
    assert broker.deliver("a", b"order", b"c")
    cancelled = port.publish(Publication("a", b"y"))
    cancelled.cancel()
    port.sever("because")
    with pytest.raises(BrokerUnavailable):
        await port.publish(Publication("a", b"z"))
    await asyncio.sleep(0.1)
    await port.publish(Publication("a", b"again"))
    work.cancel()
    with suppress(asyncio.CancelledError):
        await work
    assert heard == ["connected", ("a", b"order", b"c"), "lost", "connected", "lost"]
