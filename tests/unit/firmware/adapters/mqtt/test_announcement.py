"""What a module says of itself on every connection, and a broker that does not want to hear it."""

import pytest

from firmware.ports import Publication
from protocol.telemetry import Channel
from tests.support.mqtt_module import RunningModule, told
from tests.support.scripted_broker import Peer, ScriptedBroker

pytestmark = pytest.mark.made_up_messages

ANNOUNCEMENT = Publication("dashboard/config", b"{}", retain=True)


@pytest.mark.asyncio(loop_factories=["real"])
async def test_what_is_announced_goes_out_on_every_connection_before_anything_else() -> None:
    heard: list[bytes] = []

    async def script(peer: Peer) -> None:
        await peer.welcome()
        announced = await peer.packet()
        heard.append(announced[1])
        await peer.acknowledge(announced)
        await peer.serve()

    async with ScriptedBroker(script) as broker:
        for _ in range(2):
            async with RunningModule(broker.port, announced=(ANNOUNCEMENT,)) as module:
                await module.connected()
    assert len(heard) == 2
    assert all(b"dashboard/config" in one for one in heard)


@pytest.mark.req("TEL-6")
@pytest.mark.asyncio(loop_factories=["real"])
async def test_a_broker_that_does_not_want_the_announcement_gets_everything_else() -> None:
    heard: list[bytes] = []

    async def script(peer: Peer) -> None:
        await peer.welcome()
        publication = await peer.packet()
        refused = b"dashboard/config" in publication[1]
        heard.append(publication[1])
        await peer.acknowledge(publication, 0x87 if refused else 0)
        await peer.serve()

    async with ScriptedBroker(script) as broker:
        async with RunningModule(broker.port, announced=(ANNOUNCEMENT,)) as module:
            await module.connected()
            await module.publish(told(Channel.EVENT, b"all the same"))
        assert module.pauses_s[0] < 10, "this refusal is no reason to stay away"
        assert "Not authorized" in module.notes[0]
        assert "dashboard/config is announced no more" in module.notes[0]
    assert [b"dashboard" in one for one in heard] == [True, False]


@pytest.mark.req("TEL-6")
@pytest.mark.asyncio(loop_factories=["real"])
async def test_a_line_that_breaks_while_announcing_is_no_refusal() -> None:
    heard: list[bytes] = []

    async def script(peer: Peer) -> None:
        await peer.welcome()
        announced = await peer.packet()
        heard.append(announced[1])
        if len(heard) > 1:
            await peer.acknowledge(announced)
            await peer.serve()

    async with (
        ScriptedBroker(script) as broker,
        RunningModule(broker.port, announced=(ANNOUNCEMENT,)) as module,
    ):
        await module.connected()
    assert [b"dashboard" in one for one in heard] == [True, True]
