"""The network of the demonstration: a relay that is cut and restored, and a broker port that holds the clock."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress

import pytest

from firmware.demo.uplink import HeldBroker, Relay
from firmware.ports import Arrived, BrokerUnavailable, Publication
from host_tools.virtual_time import VirtualTimeLoop

real = pytest.mark.asyncio(loop_factories=["real"])
HOST = "127.0.0.1"
PUBLICATION = Publication("a/topic", b"payload", retain=False)


# ---------------------------------------------------------------- the relay
@pytest.fixture
async def echo() -> AsyncIterator[int]:
    """The port of a server that says everything back."""
    writers: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        with suppress(OSError):
            while data := await reader.read(1000):
                writer.write(data)
        writer.close()

    server = await asyncio.start_server(serve, HOST, 0)
    yield server.sockets[0].getsockname()[1]
    server.close()
    for writer in writers:
        writer.close()


async def answer(port: int) -> bytes:
    reader, writer = await asyncio.open_connection(HOST, port)
    writer.write(b"hello")
    try:
        return await reader.read(1000)
    finally:
        writer.close()


@real
async def test_what_is_sent_arrives_in_both_directions(echo: int) -> None:
    async with Relay(echo) as relay:
        assert relay.port != echo
        assert await answer(relay.port) == b"hello"


@real
async def test_a_cut_breaks_connections_and_refuses_new_ones_until_restored_at_the_same_port(echo: int) -> None:
    async with Relay(echo) as relay:
        port = relay.port
        reader, writer = await asyncio.open_connection(HOST, port)
        writer.write(b"hello")
        assert await reader.read(1000) == b"hello"
        await relay.cut()
        assert await reader.read(1000) == b""
        writer.close()
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection(HOST, port)
        await relay.restore()
        await relay.restore()
        assert relay.port == port
        assert await answer(port) == b"hello"


@real
async def test_while_it_is_cut_nobody_is_given_its_port(echo: int) -> None:
    async with Relay(echo) as relay:
        await relay.cut()
        with pytest.raises(OSError, match="address already in use"):
            await asyncio.start_server(lambda *_: None, HOST, relay.port)


@real
async def test_a_server_that_is_not_there_closes_the_connection() -> None:
    async with Relay(9) as relay:
        assert await answer(relay.port) == b""


# ---------------------------------------------------------------- the broker port
class ScriptedBroker:
    """A `BrokerPort` whose connection is made and lost by the test."""

    def __init__(self) -> None:
        self.published: list[Publication] = []
        self.severed: list[str] = []
        self.calls: tuple[Callable[[], None], Callable[[], None], Arrived]
        self.held_while_publishing: list[int] = []
        self.holds = 0

    async def run(self, connected: Callable[[], None], lost: Callable[[], None], received: Arrived) -> None:
        self.calls = connected, lost, received
        await asyncio.Event().wait()

    def publish(self, publication: Publication) -> "asyncio.Future[None]":
        self.held_while_publishing.append(self.holds)
        acknowledged: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if publication.topic == "fails":
            acknowledged.set_exception(BrokerUnavailable("gone"))
        else:
            self.published.append(publication)
            acknowledged.set_result(None)
        return acknowledged

    def sever(self, why: str, *, last: bool = False) -> None:
        self.severed.append(why)

    @contextmanager
    def hold(self) -> Iterator[None]:
        self.holds += 1
        try:
            yield
        finally:
            self.holds -= 1


@pytest.fixture
async def scripted() -> AsyncIterator[tuple[ScriptedBroker, HeldBroker, list[str]]]:
    """A running broker port, and what it told the module."""
    inner = ScriptedBroker()
    held = HeldBroker(inner, inner.hold)
    told: list[str] = []
    running = asyncio.create_task(
        held.run(lambda: told.append("connected"), lambda: told.append("lost"), lambda topic, _, __: told.append(topic))
    )
    await asyncio.sleep(0)
    yield inner, held, told
    running.cancel()
    await asyncio.wait({running})
    assert inner.holds == 0


Scripted = tuple[ScriptedBroker, HeldBroker, list[str]]


async def test_connected_lost_and_orders_are_passed_on_and_can_be_waited_for(scripted: Scripted) -> None:
    inner, held, told = scripted
    connected, lost, received = inner.calls
    connected()
    assert (held.connected.is_set(), held.lost.is_set()) == (True, False)
    received("order", b"", b"")
    lost()
    assert (held.connected.is_set(), held.lost.is_set()) == (False, True)
    connected()
    assert told == ["connected", "order", "lost", "connected"]
    assert not held.lost.is_set()


async def test_the_clock_is_held_while_the_broker_is_expected_and_not_while_it_can_not_come(scripted: Scripted) -> None:
    inner, held, _ = scripted
    assert inner.holds == 1
    held.expect(False)
    assert inner.holds == 0
    held.expect(True)
    held.expect(True)
    assert inner.holds == 1
    inner.calls[0]()
    assert inner.holds == 0
    held.expect(True)
    assert inner.holds == 0


async def test_the_clock_is_held_while_a_publication_is_under_way_even_one_that_fails(scripted: Scripted) -> None:
    inner, held, _ = scripted
    held.expect(False)
    await held.publish(PUBLICATION)
    with pytest.raises(BrokerUnavailable):
        await held.publish(Publication("fails", b"", retain=False))
    assert inner.published == [PUBLICATION]
    assert inner.held_while_publishing == [1, 1]


async def test_it_can_be_severed(scripted: Scripted) -> None:
    inner, held, _ = scripted
    held.sever("a booking begins")
    assert inner.severed == ["a booking begins"]


async def test_the_loops_own_hold_fits() -> None:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualTimeLoop)
    hold: Callable[[], AbstractContextManager[None]] = loop.hold
    held = HeldBroker(ScriptedBroker(), hold)
    await held.publish(PUBLICATION)
    assert not held.connected.is_set()
