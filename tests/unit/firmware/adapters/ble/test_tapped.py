"""A controller whose packets somebody else sees."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Protocol, runtime_checkable

from firmware.adapters.ble.bumble_radio import BumbleRadio
from firmware.adapters.ble.tapped import tapped
from firmware.adapters.ble.transport import PacketSink, PacketSource
from host_tools.radio.air import VirtualAir
from host_tools.radio.controller import virtual_controller
from tests.support.radio_bench import Recorder

RESET = b"\x01\x03\x0c\x00"


async def test_a_tap_sees_both_directions_and_the_radio_works_on() -> None:
    seen: list[tuple[bytes, bool]] = []
    controller = virtual_controller(VirtualAir(), "module")
    radio = BumbleRadio(tapped(controller.attached, lambda packet, from_host: seen.append((packet, from_host))))
    await radio.start(Recorder())
    await radio.stop()
    assert seen[0] == (RESET, True)
    assert seen[1] == (b"\x04\x0e\x04\x01\x03\x0c\x00", False)


@runtime_checkable
class Told(Protocol):
    """A sink that can be told of the end."""

    def on_transport_lost(self) -> None: ...


@runtime_checkable
class Described(Protocol):
    """A source that tells what it is."""

    @property
    def metadata(self) -> dict[str, object]: ...


class _Plain:
    """A source and a sink with nothing to spare."""

    def __init__(self) -> None:
        self.terminated: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.metadata = {"driver": "none"}
        self.sink: PacketSink | None = None
        self.taken: list[bytes] = []
        self.lost = 0

    def set_packet_sink(self, sink: PacketSink) -> None:
        self.sink = sink

    def on_packet(self, packet: bytes) -> None:
        self.taken.append(packet)


class _Told(_Plain):
    def on_transport_lost(self) -> None:
        self.lost += 1


async def test_the_end_of_the_transport_is_handed_on() -> None:
    transport = _Plain()

    @contextlib.asynccontextmanager
    async def opened() -> AsyncIterator[tuple[PacketSource, PacketSink]]:
        yield transport, transport

    seen: list[tuple[bytes, bool]] = []
    async with tapped(opened, lambda packet, from_host: seen.append((packet, from_host)))() as (source, sink):
        host = _Told()
        source.set_packet_sink(host)
        assert transport.sink is not None
        transport.sink.on_packet(b"\x04")
        sink.on_packet(b"\x01")
        assert (host.taken, transport.taken, seen) == ([b"\x04"], [b"\x01"], [(b"\x04", False), (b"\x01", True)])
        assert isinstance(transport.sink, Told)
        transport.sink.on_transport_lost()
        assert host.lost == 1
        source.set_packet_sink(_Plain())
        assert isinstance(transport.sink, Told)
        transport.sink.on_transport_lost()
        assert source.terminated is transport.terminated
        source.terminated = asyncio.get_running_loop().create_future()
        assert source.terminated is transport.terminated
        assert isinstance(source, Described)
        assert source.metadata == {"driver": "none"}
