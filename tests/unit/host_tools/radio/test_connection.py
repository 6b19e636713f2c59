"""The way of packets between the two ends of a connection."""

from __future__ import annotations

import asyncio

import pytest
from bumble import hci
from bumble.core import UUID
from bumble.device import Connection
from bumble.snoop import Snooper

from host_tools.radio.air import VirtualAir
from host_tools.radio.connection import ACL_BYTES, MAX_WAITING, VirtualConnection
from host_tools.radio.devices import RadioDevice, virtual_central
from tests.support import peripheral
from tests.support.peripheral import ECHO, SERVICE, Thing


class Ends:
    """A connected pair and what each side's host saw."""

    def __init__(self, air: VirtualAir, thing: Thing, central: RadioDevice, connection: Connection) -> None:
        assert central.radio is not None
        self.air, self.thing, self.central, self.connection = air, thing, central, connection
        self.near, self.far = central.radio, thing.radio
        self.near_end: VirtualConnection = next(self.near.connections())
        self.far_end: VirtualConnection = next(self.far.connections())
        self.reasons: list[int] = []
        connection.on("disconnection", self.reasons.append)

    async def write(self, value: bytes) -> None:
        """A write without response."""
        handle = self.thing.device.gatt_server.get_characteristic_attributes(  # of ECHO's value
            UUID(SERVICE), UUID(ECHO)
        )
        assert handle is not None
        await self.connection.gatt_client.write_value(handle[1].handle, value)


@pytest.fixture
async def ends() -> Ends:
    air = VirtualAir(latency_s=0.01)
    thing = await peripheral.thing(air)
    central = await virtual_central(air)
    await thing.advertise()
    return Ends(air, thing, central, await central.connect(thing.device.random_address))


async def test_packets_of_one_instant_arrive_in_order(ends: Ends) -> None:
    for n in range(60):
        await ends.write(bytes([n]))
    await asyncio.sleep(1.0)
    assert ends.thing.written == [bytes([n]) for n in range(60)]


async def test_a_lowered_latency_does_not_let_packets_overtake(ends: Ends) -> None:
    ends.air.set_latency(0.5, ends.near, ends.far)
    await ends.write(b"first")
    await asyncio.sleep(0.1)
    ends.air.set_latency(0.0, ends.near, ends.far)
    await ends.write(b"second")
    await asyncio.sleep(0.1)
    assert ends.thing.written == []
    await asyncio.sleep(1.0)
    assert ends.thing.written == [b"first", b"second"]


async def test_what_is_sent_out_of_range_arrives_when_back_within_the_timeout(ends: Ends) -> None:
    ends.air.out_of_range(ends.near, ends.far)
    await ends.write(b"patience")
    await asyncio.sleep(0.5)
    assert ends.thing.written == []
    ends.air.in_range(ends.near, ends.far)
    await asyncio.sleep(0.1)
    assert ends.thing.written == [b"patience"]
    assert ends.reasons == []


async def test_range_lost_without_notice_is_noticed_by_the_next_packet() -> None:
    reachable = {"now": True}
    air = VirtualAir(rssi_dbm=lambda _sender, _receiver: -50.0 if reachable["now"] else None)
    thing = await peripheral.thing(air)
    central = await virtual_central(air)
    await thing.advertise()
    ends = Ends(air, thing, central, await central.connect(thing.device.random_address))
    reachable["now"] = False
    await asyncio.sleep(10.0)
    assert ends.reasons == []
    await ends.write(b"lost")
    await asyncio.sleep(1.0)
    assert ends.reasons == [0x08]
    assert ends.far_end.closed


async def test_a_host_gets_its_buffers_back_only_when_the_peer_has_received(ends: Ends) -> None:
    queue = ends.connection.data_packet_queue
    assert queue is not None
    ends.air.out_of_range(ends.near, ends.far)
    for _ in range(80):
        await ends.write(b"x")
    await asyncio.sleep(0.1)
    assert queue.pending == 80
    ends.air.in_range(ends.near, ends.far)
    await asyncio.wait_for(ends.connection.drain(), 1.0)
    await asyncio.sleep(0.1)
    assert queue.pending == 0
    assert len(ends.thing.written) == 80


async def test_a_host_that_ignores_flow_control_loses_the_connection(ends: Ends) -> None:
    ends.air.out_of_range(ends.near, ends.far)
    for _ in range(MAX_WAITING):
        ends.near_end.on_acl_pdu(b"\x01\x00\x04\x00x")
    assert ends.near in ends.air.controllers
    assert not ends.near_end.closed
    ends.near_end.on_acl_pdu(b"\x01\x00\x04\x00x")
    assert ends.near_end.closed
    await asyncio.sleep(0.1)
    assert ends.reasons == [0x08]


async def test_what_was_sent_before_hanging_up_arrives_first(ends: Ends) -> None:
    await ends.write(b"last words")
    await ends.connection.disconnect()
    await asyncio.sleep(0.1)
    assert ends.thing.written == [b"last words"]
    assert ends.reasons == [0x16]
    assert ends.far_end.closed


async def test_a_farewell_out_of_range_is_a_timeout_at_the_other_end(ends: Ends) -> None:
    reasons: list[int] = []
    ends.thing.connections[0].on("disconnection", reasons.append)
    ends.air.out_of_range(ends.near, ends.far)
    await ends.connection.disconnect()
    await asyncio.sleep(2.0)
    assert (ends.reasons, reasons) == ([0x16], [0x08])


async def test_a_long_packet_reaches_the_host_in_fragments(ends: Ends) -> None:
    lengths: list[int] = []

    class Recorder(Snooper):
        def snoop(self, hci_packet: bytes, direction: Snooper.Direction) -> None:
            if hci_packet[0] == hci.HCI_ACL_DATA_PACKET and direction is self.Direction.CONTROLLER_TO_HOST:
                lengths.append(len(hci_packet) - 5)

    await ends.connection.gatt_client.request_mtu(517)
    ends.thing.device.host.snooper = Recorder()
    await ends.write(bytes(510))
    await asyncio.sleep(0.1)
    assert ends.thing.written == [bytes(510)]
    assert lengths == [ACL_BYTES, ACL_BYTES, 4 + 3 + 510 - 2 * ACL_BYTES]


async def test_a_connection_is_itself_and_no_other(ends: Ends) -> None:
    assert ends.near_end == ends.near_end.peer.peer
    assert ends.near_end != ends.far_end
    assert len({ends.near_end, ends.far_end, ends.near_end.peer}) == 2
    assert ends.near_end.rssi_dbm() == -50


async def test_what_is_in_flight_dies_with_the_power_and_waits_for_range(ends: Ends) -> None:
    ends.air.set_latency(0.3)
    await ends.write(b"caught in flight")
    await asyncio.sleep(0.1)
    ends.air.out_of_range(ends.near)
    await asyncio.sleep(0.4)
    assert ends.thing.written == []
    ends.air.in_range(ends.near)
    await asyncio.sleep(0.1)
    assert ends.thing.written == [b"caught in flight"]
    await ends.write(b"never arrives")
    await asyncio.sleep(0.1)
    ends.air.power_cut(ends.near)
    await asyncio.sleep(5.0)
    assert ends.thing.written == [b"caught in flight"]
    assert ends.far_end.closed


async def test_what_is_still_sent_to_an_end_that_has_hung_up_is_lost(ends: Ends) -> None:
    ends.air.set_latency(0.3)
    await ends.connection.disconnect()
    await ends.thing.device.gatt_server.notify_subscriber(ends.thing.connections[0], ends.thing.events, b"x", True)
    await asyncio.sleep(1.0)
    assert ends.far_end.closed


# ---------------------------------------------------------------- connection events
async def paced(interval_ms: float, latency: int = 0, centrals: int = 1) -> list[Ends]:
    """That many centrals of one thing, on air with connection events."""
    air = VirtualAir(connection_events=True)
    thing = await peripheral.thing(air)
    ends = []
    for _ in range(centrals):
        central = await virtual_central(air)
        await thing.advertise()
        connection = await central.connect(thing.device.random_address)
        await connection.update_parameters(interval_ms, interval_ms, latency, 4_000)
        ends.append(Ends(air, thing, central, connection))
    await asyncio.sleep(1.0)
    return ends


async def arrives_after(one: Ends, values: int = 1, size: int = 1) -> float:
    """Milliseconds until so many writes have arrived."""
    began = asyncio.get_running_loop().time()
    before = len(one.thing.written)
    for _ in range(values):
        await one.write(bytes(size))
    while len(one.thing.written) < before + values:
        await asyncio.sleep(0.0005)
    return (asyncio.get_running_loop().time() - began) * 1000


@pytest.mark.parametrize(("interval_ms", "latency", "most_ms"), [(15.0, 0, 15.0), (120.0, 0, 120.0), (120.0, 4, 600.0)])
async def test_a_packet_waits_for_its_connection_event(interval_ms: float, latency: int, most_ms: float) -> None:
    (one,) = await paced(interval_ms, latency)
    waits = []
    for n in range(20):
        await asyncio.sleep(0.1 + n * 0.0137)
        waits.append(await arrives_after(one))
    assert max(waits) <= most_ms + 4
    assert max(waits) > most_ms / 2
    assert min(waits) < most_ms / 2


async def test_an_event_holds_six_full_packets_and_is_shared_by_the_connections_of_a_radio() -> None:
    (alone,) = await paced(30.0)
    await arrives_after(alone)
    events = (await arrives_after(alone, 60, 200)) / 30
    assert 10 <= events <= 12
    crowded = (await paced(30.0, centrals=3))[0]
    await arrives_after(crowded)
    assert 14 <= (await arrives_after(crowded, 60, 200)) / 30 <= 17
