"""The hub over real TCP on loopback: who may join, how many, and what a bad client does."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import AsyncIterator

import pytest
from bumble import hci
from bumble.controller import Controller
from bumble.device import Advertisement

from host_tools.radio import hub as hub_module
from host_tools.radio.air import VirtualAir
from host_tools.radio.devices import hub_central
from host_tools.radio.errors import RadioError
from host_tools.radio.hub import Hub
from tests.support import peripheral

RESET = bytes(hci.HCI_Reset_Command())
ASK_MUCH = bytes(hci.HCI_Read_Local_Supported_Commands_Command())  # 4 bytes that are answered with 71
on_real_sockets = pytest.mark.asyncio(loop_factories=["real"])


class WatchedAir(VirtualAir):
    """Tells when the last controller has left."""

    def __init__(self) -> None:
        super().__init__()
        self.left = asyncio.Event()

    def remove_controller(self, controller: Controller) -> None:
        super().remove_controller(controller)
        if not self.controllers:
            self.left.set()


@contextlib.asynccontextmanager
async def client(hub: Hub) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", hub.port)
    try:
        yield reader, writer
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


async def answer(reader: asyncio.StreamReader) -> hci.HCI_Packet:
    async with asyncio.timeout(5):
        header = await reader.readexactly(3)
        return hci.HCI_Packet.from_bytes(header + await reader.readexactly(header[2]))


async def at_end(reader: asyncio.StreamReader) -> bool:
    async with asyncio.timeout(5):
        with contextlib.suppress(ConnectionError):
            return await reader.read() == b""
    return True


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.org", ""])
async def test_anything_but_loopback_is_refused(host: str) -> None:
    with pytest.raises(RadioError, match="no authentication"):
        Hub(VirtualAir(), host)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
async def test_loopback_in_any_form_is_fine(host: str) -> None:
    assert Hub(VirtualAir(), host).host == host


@on_real_sockets
async def test_a_port_in_use_is_one_clear_line() -> None:
    async with Hub(VirtualAir(), port=0) as hub:
        with pytest.raises(RadioError, match=rf"can not listen on 127.0.0.1:{hub.port}: .*choose another port"):
            await Hub(VirtualAir(), port=hub.port).__aenter__()


@on_real_sockets
async def test_each_connection_is_a_controller_of_its_own_and_leaves_with_it() -> None:
    air = WatchedAir()
    async with Hub(air, port=0) as hub:
        async with client(hub) as (reader, writer), client(hub) as (other_reader, other_writer):
            for end in (writer, other_writer):
                end.write(RESET)
            for stream in (reader, other_reader):
                assert isinstance(await answer(stream), hci.HCI_Command_Complete_Event)
            assert hub.connections == len(air.controllers) == 2
        async with asyncio.timeout(5):
            await air.left.wait()
        assert hub.connections == 0


@on_real_sockets
async def test_too_many_hosts_are_turned_away(caplog: pytest.LogCaptureFixture) -> None:
    async with Hub(VirtualAir(), port=0, max_connections=1) as hub, client(hub) as (reader, writer):
        writer.write(RESET)
        await answer(reader)
        async with client(hub) as (refused, _):
            assert await at_end(refused)
        writer.write(RESET)
        assert isinstance(await answer(reader), hci.HCI_Command_Complete_Event)
    assert "full (1 hosts)" in caplog.text


@pytest.mark.parametrize(
    "nonsense",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x01\x03\x0c\x05hello",  # a reset with parameters
        b"\x01\x06\x20\x00",  # advertising parameters without any
        b"\x02\x01\x00\x01\x00x",  # an ACL packet too short for a length
        b"\x05\x01\x00\x00\x00",  # isochronous data
        b"\x04\x0e\x01\x00",  # an event, from the wrong side
    ],
    ids=["http", "reset", "empty", "acl", "iso", "event"],
)
@on_real_sockets
async def test_nonsense_ends_its_own_connection_at_most(nonsense: bytes, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL, "bumble")
    async with Hub(VirtualAir(), port=0) as hub, client(hub) as (reader, writer), client(hub) as (_, other):
        other.write(nonsense)
        await other.drain()
        writer.write(RESET)
        assert isinstance(await answer(reader), hci.HCI_Command_Complete_Event)


@on_real_sockets
async def test_what_is_no_hci_cuts_the_connection_with_a_line_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    async with Hub(VirtualAir(), port=0) as hub, client(hub) as (reader, writer):
        writer.write(b"\xff\xff")
        assert await at_end(reader)
    assert "cut off from the hub: it sent what is not HCI (invalid packet type 255)" in caplog.text


@on_real_sockets
async def test_a_host_that_does_not_read_is_cut_off(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(hub_module, "MAX_UNREAD_BYTES", 10_000)
    loop = asyncio.get_running_loop()
    with socket.socket() as deaf:
        deaf.setblocking(False)
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        async with Hub(VirtualAir(), port=0) as hub, asyncio.timeout(20):
            await loop.sock_connect(deaf, ("127.0.0.1", hub.port))
            with contextlib.suppress(ConnectionError):
                while not caplog.text:
                    await loop.sock_sendall(deaf, RESET + ASK_MUCH * 100)
                    await asyncio.sleep(0)
    assert "it does not read" in caplog.text


@on_real_sockets
async def test_a_host_in_another_place_finds_connects_and_reads() -> None:
    air = VirtualAir()
    thing = await peripheral.thing(air)
    await thing.advertise()
    async with Hub(air, port=0) as hub, hub_central(port=hub.port) as central:
        heard: asyncio.Future[Advertisement] = asyncio.get_running_loop().create_future()
        central.once("advertisement", heard.set_result)
        await central.start_scanning()
        async with asyncio.timeout(5):
            advertisement = await heard
        await central.stop_scanning()
        connection = await central.connect(advertisement.address, timeout=5)
        assert await connection.gatt_client.read_value(3)
        await connection.disconnect()


@on_real_sockets
async def test_a_host_that_dies_is_a_link_loss_for_its_peers() -> None:
    air = VirtualAir()
    thing = await peripheral.thing(air)
    await thing.advertise()
    lost: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    thing.device.once("connection", lambda connection: connection.once("disconnection", lost.set_result))
    async with Hub(air, port=0) as hub:
        async with hub_central(port=hub.port) as central:
            await central.connect(thing.device.random_address, timeout=5)
        async with asyncio.timeout(5):
            assert await lost == 0x08
