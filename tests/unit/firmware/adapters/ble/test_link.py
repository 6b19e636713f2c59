"""How fast a link is sent to, and when it counts as stuck. The queue is Bumble's; the controller is a list."""

import asyncio
from typing import cast

import pytest
from bumble import hci
from bumble.device import Connection
from bumble.host import DataPacketQueue

from firmware.adapters.ble.link import MAX_WAITING, STUCK_S, WINDOW_PACKETS, Link, look_again, unsent_packets

HANDLE = 0x40
OTHER = 0x41


class Wire:
    """What a Link asks of a connection; one ACL packet a fragment."""

    def __init__(self, buffers: int = 64, mtu: int = 23) -> None:
        self.sent: list[hci.HCI_Packet] = []
        self.data_packet_queue = DataPacketQueue(max_packet_size=251, max_in_flight=buffers, send=self.sent.append)
        self.handle = HANDLE
        self.att_mtu = mtu
        self.handed: list[bytes] = []
        self.stuck: list[Link] = []
        self.link = Link(1, cast(Connection, self), self.stuck.append)
        self.link.subscribed = True
        self.data_packet_queue.on("flow", self.link.flow)

    def hand_over(self, _connection: Connection, fragment: bytes) -> None:
        self.handed.append(fragment)
        self.fill(1)

    def fill(self, packets: int, handle: int = HANDLE) -> None:
        for _ in range(packets):
            packet = hci.HCI_AclDataPacket(handle, 0, 0, 1, b"x")
            self.data_packet_queue.enqueue(packet, handle)

    async def send(self, fragment: bytes) -> None:
        await self.link.send(fragment, self.hand_over)

    def complete(self, packets: int, handle: int = HANDLE) -> None:
        """The controller reports packets as sent."""
        self.data_packet_queue.on_packets_completed(packets, handle)


@pytest.mark.parametrize(("mtu", "payload"), [(23, 20), (185, 182), (247, 244), (515, 512), (517, 512)])
def test_the_payload_is_the_mtu_less_three_and_at_most_an_attribute_value(mtu: int, payload: int) -> None:
    assert Wire(mtu=mtu).link.payload == payload


async def test_a_link_may_fill_its_window_and_then_waits_for_the_controller() -> None:
    wire = Wire()
    senders = [asyncio.create_task(wire.send(bytes((n,)))) for n in range(20)]
    await asyncio.sleep(1)
    assert wire.handed == [bytes((n,)) for n in range(WINDOW_PACKETS)]
    wire.complete(3)
    await asyncio.sleep(0)
    await asyncio.sleep(1)
    assert len(wire.handed) == WINDOW_PACKETS + 3
    for _ in range(4):
        wire.complete(wire.link.unsent)
        await asyncio.sleep(0.1)
    await asyncio.gather(*senders)
    assert wire.handed == [bytes((n,)) for n in range(20)]
    assert not wire.stuck


@pytest.mark.req("BLE-1")
async def test_a_link_that_takes_nothing_for_five_seconds_is_given_up_once() -> None:
    wire = Wire()
    wire.fill(WINDOW_PACKETS)
    started = asyncio.get_running_loop().time()
    await asyncio.gather(*(wire.send(b"x") for _ in range(5)))
    assert asyncio.get_running_loop().time() - started == pytest.approx(STUCK_S)
    assert wire.stuck == [wire.link]
    assert wire.handed == []


async def test_more_senders_than_may_wait_give_the_link_up() -> None:
    wire = Wire()
    wire.fill(WINDOW_PACKETS)
    senders = [asyncio.create_task(wire.send(b"x")) for _ in range(MAX_WAITING)]
    await asyncio.sleep(0)
    assert not wire.stuck
    await wire.send(b"one too many")
    assert wire.stuck == [wire.link]
    wire.link.close()
    await asyncio.gather(*senders)
    assert wire.handed == []


async def test_a_sender_whose_link_closes_returns_at_once() -> None:
    wire = Wire()
    wire.fill(WINDOW_PACKETS)
    sender = asyncio.create_task(wire.send(b"x"))
    await asyncio.sleep(1)
    wire.link.close()
    await sender
    assert asyncio.get_running_loop().time() == pytest.approx(1)
    assert wire.handed == []


async def test_who_unsubscribes_while_a_fragment_waits_does_not_get_it() -> None:
    wire = Wire()
    wire.fill(WINDOW_PACKETS)
    sender = asyncio.create_task(wire.send(b"x"))
    await asyncio.sleep(1)
    wire.link.subscribed = False
    wire.complete(WINDOW_PACKETS)
    await sender
    assert wire.handed == []


async def test_a_fragment_that_no_longer_fits_is_not_cut_but_ends_the_link() -> None:
    wire = Wire(mtu=247)
    await wire.send(bytes(244))
    wire.att_mtu = 23
    await wire.send(bytes(21))
    assert wire.handed == [bytes(244)]
    assert wire.stuck == [wire.link]


async def test_last_words_get_a_quarter_of_a_second() -> None:
    wire = Wire()
    loop = asyncio.get_running_loop()
    await wire.link.drain()
    assert loop.time() == 0
    wire.fill(2)
    loop.call_later(0.1, wire.complete, 2)
    await wire.link.drain()
    assert loop.time() == pytest.approx(0.1)
    wire.fill(2)
    await wire.link.drain()
    assert loop.time() == pytest.approx(0.35)


async def test_packets_are_counted_for_one_link_alone() -> None:
    wire = Wire(buffers=3)
    wire.fill(5, OTHER)
    wire.fill(2)
    assert unsent_packets(wire.data_packet_queue, OTHER) == 5
    assert wire.link.unsent == 2
    wire.complete(3, OTHER)
    assert unsent_packets(wire.data_packet_queue, OTHER) == 2
    assert wire.link.unsent == 2


async def test_what_waited_behind_a_lost_link_goes_out() -> None:
    wire = Wire(buffers=3)
    wire.fill(3, OTHER)
    wire.fill(2)
    assert len(wire.sent) == 3
    wire.data_packet_queue.flush(OTHER)
    look_again(wire.data_packet_queue)
    assert len(wire.sent) == 5
