"""HCI over a socket: order, a full socket, and that the adapter's going is noticed. `tests/bluez` has real adapters."""

import asyncio
import errno
import socket
from collections.abc import AsyncIterator

import pytest

from firmware.adapters.ble import hci_socket
from firmware.adapters.ble.hci_socket import SocketTransport, open_hci_socket

pytestmark = pytest.mark.asyncio(loop_factories=["real"])


class Heard:
    """A packet sink."""

    def __init__(self) -> None:
        self.packets: list[bytes] = []
        self.lost = 0
        self.news = asyncio.Event()

    def on_packet(self, packet: bytes) -> None:
        self.packets.append(packet)
        self.news.set()

    def on_transport_lost(self) -> None:
        self.lost += 1


@pytest.fixture
async def ends() -> AsyncIterator[tuple[SocketTransport, Heard, socket.socket]]:
    near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    far.setblocking(False)
    transport, heard = SocketTransport(near), Heard()
    transport.source.set_packet_sink(heard)
    yield transport, heard, far
    await transport.close()
    far.close()


Ends = tuple[SocketTransport, Heard, socket.socket]


async def test_packets_go_both_ways_whole_and_in_order(ends: Ends) -> None:
    transport, heard, far = ends
    transport.sink.on_packet(b"\x01\x03\x0c\x00")
    transport.sink.on_packet(b"\x01\x01\x10\x00")
    assert [far.recv(100), far.recv(100)] == [b"\x01\x03\x0c\x00", b"\x01\x01\x10\x00"]
    for packet in (b"\x04\x0e\x04", b"\x04\x0f\x04"):
        far.send(packet)
    async with asyncio.timeout(10):
        while len(heard.packets) < 2:
            heard.news.clear()
            await heard.news.wait()
    assert heard.packets == [b"\x04\x0e\x04", b"\x04\x0f\x04"]


async def test_what_finds_no_room_waits_and_goes_in_order(ends: Ends) -> None:
    transport, heard, far = ends
    sent = [number.to_bytes(2, "big") * 400 for number in range(hci_socket.MAX_WAITING)]
    for packet in sent:
        transport.sink.on_packet(packet)
    got: list[bytes] = []
    async with asyncio.timeout(10):
        while len(got) < len(sent):
            try:
                got.append(far.recv(1000))
            except BlockingIOError:
                await asyncio.sleep(0)
    assert got == sent
    assert heard.lost == 0


async def test_an_adapter_that_is_gone_is_noticed_once(ends: Ends) -> None:
    transport, heard, far = ends
    far.close()
    async with asyncio.timeout(10):
        await transport.source.terminated
    transport.sink.on_packet(b"\x01")
    assert heard.lost == 1


async def test_an_adapter_that_is_gone_is_noticed_when_spoken_to(ends: Ends) -> None:
    transport, heard, far = ends
    far.close()
    transport.sink.on_packet(b"\x01")
    assert transport.source.terminated.done()
    assert heard.lost == 1


async def test_an_adapter_that_takes_nothing_counts_as_lost(ends: Ends) -> None:
    transport, heard, _far = ends
    for _ in range(10 * hci_socket.MAX_WAITING):
        transport.sink.on_packet(bytes(1000))
    assert heard.lost == 1
    assert transport.source.terminated.done()


async def test_a_number_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="invalid literal"):
        await open_hci_socket("first")


async def test_an_adapter_that_is_not_there_is_refused_by_the_kernel() -> None:
    with pytest.raises(OSError) as refused:  # noqa: PT011 - by its number: there may be no Bluetooth at all
        await open_hci_socket("65000")
    assert refused.value.errno in (errno.ENODEV, errno.EAFNOSUPPORT, errno.EPERM)
