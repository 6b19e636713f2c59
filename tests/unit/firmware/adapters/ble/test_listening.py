"""A controller that connects to us: one at a time, and its going is noticed. Real sockets on loopback."""

import asyncio
import socket

import pytest
from bumble.transport.common import Transport

from firmware.adapters.ble.listening import open_tcp_server

pytestmark = pytest.mark.asyncio(loop_factories=["real"])

RESET = bytes.fromhex("01030c00")
COMPLETE = bytes.fromhex("040e0401030c00")


class Sink:
    def __init__(self) -> None:
        self.packets: asyncio.Queue[bytes] = asyncio.Queue()

    def on_packet(self, packet: bytes) -> None:
        self.packets.put_nowait(packet)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def connect(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """To a server that is about to listen."""
    async with asyncio.timeout(5):
        while True:
            try:
                return await asyncio.open_connection("127.0.0.1", port)
            except ConnectionRefusedError:
                await asyncio.sleep(0.01)


async def attach() -> tuple[Transport, asyncio.StreamReader, asyncio.StreamWriter, int]:
    port = free_port()
    opening = asyncio.create_task(open_tcp_server(f"127.0.0.1:{port}"))
    reader, writer = await connect(port)
    return await opening, reader, writer, port


async def test_packets_go_both_ways() -> None:
    transport, reader, writer, _ = await attach()
    sink = Sink()
    transport.source.set_packet_sink(sink)
    transport.sink.on_packet(RESET)
    assert await reader.readexactly(4) == RESET
    writer.write(COMPLETE[:3])
    writer.write(COMPLETE[3:])
    assert await sink.packets.get() == COMPLETE
    await transport.close()
    writer.close()


async def test_the_controllers_going_is_noticed() -> None:
    transport, _, writer, _ = await attach()
    assert not transport.source.terminated.done()
    writer.close()
    async with asyncio.timeout(5):
        await transport.source.terminated
    await transport.close()


async def test_a_second_controller_is_turned_away_and_the_first_one_stays() -> None:
    transport, reader, writer, port = await attach()
    stranger, its_writer = await asyncio.open_connection("127.0.0.1", port)
    assert await stranger.read() == b""
    its_writer.close()
    transport.sink.on_packet(RESET)
    assert await reader.readexactly(4) == RESET
    await transport.close()
    writer.close()


async def test_closing_frees_the_port_and_hangs_up() -> None:
    transport, reader, writer, port = await attach()
    await transport.close()
    assert await reader.read() == b""
    writer.close()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)


@pytest.mark.parametrize("where", ["_:6402", ":6402", "6402"])
async def test_it_does_not_listen_to_the_whole_world(where: str) -> None:
    with pytest.raises(ValueError, match="name the address"):
        await open_tcp_server(where)
