"""Advertising events and what a scanner's host is told of them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from bumble import core, data_types, hci
from bumble.core import AdvertisingData
from bumble.device import (
    Advertisement as HostAdvertisement,
)
from bumble.device import (
    AdvertisingEventProperties,
    AdvertisingParameters,
    AdvertisingSet,
    AdvertisingType,
    Peer,
)

from host_tools.radio.advertising import MAX_REMEMBERED, Advertisement, Beacon, Scanner
from host_tools.radio.air import VirtualAir
from host_tools.radio.devices import RadioDevice, virtual_central, virtual_device
from tests.support import peripheral

ADDRESS = hci.Address("C0:00:00:00:00:01")
Extended = hci.HCI_LE_Extended_Advertising_Report_Event
Legacy = hci.HCI_LE_Advertising_Report_Event


def now() -> float:
    return asyncio.get_running_loop().time()


def on_air(
    data: bytes = b"",
    response: bytes = b"",
    *,
    connectable: bool = True,
    scannable: bool = True,
    legacy: bool = True,
    target: hci.Address | None = None,
) -> Advertisement:
    return Advertisement(ADDRESS, data, response, connectable, scannable, legacy, 0xFF if legacy else 3, target)


def reported(packets: Iterator[hci.HCI_Packet]) -> list[tuple[int, bytes]]:
    """Event type and data of each report, after a round trip through bytes."""
    found: list[tuple[int, bytes]] = []
    for packet in packets:
        event = hci.HCI_Packet.from_bytes(bytes(packet))
        assert isinstance(event, Extended | Legacy)
        found += [(int(report.event_type), report.data) for report in event.reports]
    return found


async def collect(
    central: RadioDevice, seconds: float, *, legacy: bool = False, filter_duplicates: bool = False
) -> list[HostAdvertisement]:
    found: list[HostAdvertisement] = []
    central.on("advertisement", found.append)
    await central.start_scanning(legacy=legacy, filter_duplicates=filter_duplicates)
    await asyncio.sleep(seconds)
    await central.stop_scanning(legacy=legacy)
    return found


async def test_a_beacon_keeps_its_phase_while_nobody_listens() -> None:
    heard = {"now": True}
    fired: list[float] = []
    beacon = Beacon(lambda: fired.append(now()), lambda: heard["now"])
    beacon.start(0.5)
    await asyncio.sleep(1.2)
    heard["now"] = False
    await asyncio.sleep(1000.1)
    heard["now"] = True
    beacon.wake()
    beacon.wake()
    await asyncio.sleep(0.5)
    beacon.stop()
    beacon.wake()
    await asyncio.sleep(10.0)
    assert fired == pytest.approx([0.0, 0.5, 1.0, 1.5, 1001.5])


async def test_a_beacon_is_never_faster_than_bluetooth_allows() -> None:
    fired: list[float] = []
    beacon = Beacon(lambda: fired.append(now()), lambda: True)
    beacon.start(0.0)
    await asyncio.sleep(0.1)
    beacon.stop()
    assert fired == pytest.approx([0.0, 0.02, 0.04, 0.06, 0.08, 0.1])


def test_flags_say_what_the_advertiser_said() -> None:
    scanner = Scanner()
    flags = Extended.EventType
    legacy = flags.LEGACY_ADVERTISING_PDU_USED
    both = legacy | flags.CONNECTABLE_ADVERTISING | flags.SCANNABLE_ADVERTISING
    assert reported(scanner.reports(on_air(b"\x01a", b"\x01b"), -40)) == [
        (both, b"\x01a"),
        (both | flags.SCAN_RESPONSE, b"\x01b"),
    ]
    quiet = on_air(b"\x01a", connectable=False, scannable=False)
    assert reported(scanner.reports(quiet, -40)) == [(legacy, b"\x01a")]
    extended = on_air(b"\x01a", scannable=False, legacy=False)
    assert reported(scanner.reports(extended, -40)) == [(flags.CONNECTABLE_ADVERTISING, b"\x01a")]


def test_a_passive_scanner_gets_no_scan_responses() -> None:
    scanner = Scanner()
    scanner.active = False
    assert [data for _, data in reported(scanner.reports(on_air(b"\x01a", b"\x01b"), -40))] == [b"\x01a"]


def test_repetitions_are_filtered_until_something_changes_or_scanning_restarts() -> None:
    scanner = Scanner()
    scanner.filter_duplicates = True
    first, changed = on_air(b"\x01a", scannable=False), on_air(b"\x01b", scannable=False)
    assert [len(reported(scanner.reports(heard, -40))) for heard in (first, first, changed, first)] == [1, 0, 1, 0]
    scanner.restart()
    assert len(reported(scanner.reports(first, -40))) == 1


def test_the_memory_of_the_filter_is_bounded() -> None:
    scanner = Scanner()
    scanner.filter_duplicates = True
    for n in range(MAX_REMEMBERED + 1):
        assert len(reported(scanner.reports(on_air(n.to_bytes(2, "big"), scannable=False), -40))) == 1
    assert len(reported(scanner.reports(on_air(b"\x00\x00", scannable=False), -40))) == 1
    assert len(reported(scanner.reports(on_air(b"\x00\x09", scannable=False), -40))) == 0


def test_a_host_that_uses_the_old_commands_gets_the_old_events() -> None:
    scanner = Scanner()
    scanner.legacy_reports = True
    kinds = Legacy.EventType
    assert reported(scanner.reports(on_air(b"\x01a", b"\x01b"), -40)) == [
        (kinds.ADV_IND, b"\x01a"),
        (kinds.SCAN_RSP, b"\x01b"),
    ]
    for heard, kind in (
        (on_air(scannable=False, connectable=False), kinds.ADV_NONCONN_IND),
        (on_air(connectable=False), kinds.ADV_SCAN_IND),
        (on_air(scannable=False, target=ADDRESS), kinds.ADV_DIRECT_IND),
    ):
        assert reported(scanner.reports(heard, -40))[0][0] == kind
    assert reported(scanner.reports(on_air(b"\x01a", legacy=False), -40)) == []


def test_long_data_come_in_several_reports() -> None:
    data = bytes(range(250)) * 2
    parts = reported(Scanner().reports(on_air(data, scannable=False, legacy=False), -40))
    assert [(kind >> 5, len(part)) for kind, part in parts] == [(1, 229), (1, 229), (0, 42)]
    assert b"".join(part for _, part in parts) == data


async def test_a_scan_response_is_seen_with_its_advertisement() -> None:
    air = VirtualAir()
    thing = await peripheral.thing(air)
    response = bytes(AdvertisingData([data_types.CompleteLocalName("the whole name")]))
    await thing.advertise(scan_response=response)
    found = await collect(await virtual_central(air), 1.0, filter_duplicates=True)
    assert len(found) == 1
    assert found[0].is_connectable
    assert found[0].is_scannable
    assert found[0].data.get(AdvertisingData.Type.COMPLETE_LOCAL_NAME, raw=True) == b"the whole name"


async def test_a_non_connectable_advertiser_is_heard_and_not_connected_to() -> None:
    air = VirtualAir()
    thing = await peripheral.thing(air)
    await thing.device.start_advertising(advertising_type=AdvertisingType.UNDIRECTED)
    central = await virtual_central(air)
    found = await collect(central, 1.1)
    assert found
    assert not any(advertisement.is_connectable for advertisement in found)
    with pytest.raises(core.TimeoutError):
        await central.connect(thing.device.random_address, timeout=2.0)
    assert not thing.connections


async def test_directed_advertising_reaches_its_target_only() -> None:
    air = VirtualAir()
    thing = await peripheral.thing(air)
    target, other = await virtual_central(air), await virtual_central(air)
    await thing.device.start_advertising(
        advertising_type=AdvertisingType.DIRECTED_CONNECTABLE_LOW_DUTY, target=target.random_address
    )
    assert await collect(other, 1.1) == []
    assert await collect(target, 1.1)
    await target.connect(thing.device.random_address, timeout=2.0)
    assert len(thing.connections) == 1


async def test_old_scan_commands_work_as_well() -> None:
    air = VirtualAir()
    await (await peripheral.thing(air)).advertise()
    found = await collect(await virtual_central(air), 1.0, legacy=True)
    assert found
    assert all(advertisement.is_legacy and advertisement.is_connectable for advertisement in found)


async def advertising_set(
    device: RadioDevice, address: str, data: bytes = b"", *, auto_start: bool = True
) -> AdvertisingSet:
    return await device.create_advertising_set(
        random_address=hci.Address(address),
        advertising_parameters=AdvertisingParameters(
            advertising_event_properties=AdvertisingEventProperties(is_connectable=True),
            primary_advertising_interval_min=100,
            primary_advertising_interval_max=100,
        ),
        advertising_data=data,
        auto_start=auto_start,
    )


async def test_several_sets_advertise_at_once_and_carry_data() -> None:
    air = VirtualAir()
    thing = await peripheral.thing(air)
    central = await virtual_central(air)
    long = bytes(AdvertisingData([data_types.ManufacturerSpecificData(0xFFFF, bytes(200))]))
    await advertising_set(thing.device, "C0:00:00:00:00:01", long)
    await advertising_set(thing.device, "C0:00:00:00:00:02", b"\x02\x01\x06")
    found = await collect(central, 0.25)
    assert sorted({(str(heard.address), len(heard.data_bytes)) for heard in found}) == [
        ("C0:00:00:00:00:01", len(long)),
        ("C0:00:00:00:00:02", 3),
    ]
    assert len(found) == 6
    for address in ("C0:00:00:00:00:01", "C0:00:00:00:00:02"):
        connection = await (await virtual_central(air)).connect(hci.Address(address), timeout=2.0)
        assert await Peer(connection).discover_services()


async def test_a_set_with_a_duration_ends_by_itself() -> None:
    air = VirtualAir()
    device = await virtual_device(air)
    advertising = await advertising_set(device, "C0:00:00:00:00:01", auto_start=False)
    ended: list[float] = []
    advertising.on("termination", lambda _status: ended.append(now()))
    await advertising.start(duration=1.5)
    await asyncio.sleep(5.0)
    assert ended == [1.5]
    assert await collect(await virtual_central(air), 1.0) == []


async def test_a_set_can_be_started_again_without_doubling() -> None:
    air = VirtualAir()
    device = await virtual_device(air)
    advertising = await advertising_set(device, "C0:00:00:00:00:01")
    await advertising.stop()
    await advertising.start()
    assert len(await collect(await virtual_central(air), 0.99)) == 10


async def test_a_public_address_can_be_connected_to_and_carries_data() -> None:
    air = VirtualAir()
    thing = await peripheral.thing(air)
    await thing.device.start_advertising(own_address_type=hci.OwnAddressType.PUBLIC)
    central = await virtual_central(air)
    connection = await central.connect(thing.device.public_address, timeout=3.0)
    assert await Peer(connection).discover_services()


async def test_a_host_that_uses_the_old_commands_can_advertise_and_be_connected_to() -> None:
    air = VirtualAir()
    device, central = await virtual_device(air), await virtual_central(air)
    response = bytes(AdvertisingData([data_types.CompleteLocalName("old")]))
    await device.send_sync_command(
        hci.HCI_LE_Set_Advertising_Parameters_Command(
            advertising_interval_min=160,  # of 0.625 ms: 100 ms
            advertising_interval_max=160,
            advertising_type=hci.HCI_LE_Set_Advertising_Parameters_Command.AdvertisingType.ADV_IND,
            own_address_type=hci.OwnAddressType.RANDOM,
            peer_address_type=hci.Address.ANY.address_type,
            peer_address=hci.Address.ANY,
            advertising_channel_map=7,
            advertising_filter_policy=0,
        )
    )
    await device.send_sync_command(hci.HCI_LE_Set_Advertising_Data_Command(b"\x02\x01\x06"))
    await device.send_sync_command(hci.HCI_LE_Set_Scan_Response_Data_Command(response))
    await device.send_sync_command(hci.HCI_LE_Set_Advertising_Enable_Command(1))
    found = await collect(central, 0.95)
    assert [(heard.is_connectable, heard.is_legacy) for heard in found] == [(True, True)] * 10
    assert found[0].data.get(AdvertisingData.Type.COMPLETE_LOCAL_NAME, raw=True) == b"old"
    device.connect_own_address_type = hci.OwnAddressType.RANDOM
    await central.connect(device.random_address, timeout=2.0)
    assert await collect(central, 1.0) == []


async def test_a_set_that_was_never_set_up_does_not_start() -> None:
    device = await virtual_device(VirtualAir())
    assert device.radio is not None
    await device.send_sync_command(
        hci.HCI_LE_Set_Advertising_Set_Random_Address_Command(5, hci.Address("C0:00:00:00:00:01"))
    )
    await device.send_sync_command(hci.HCI_LE_Set_Extended_Advertising_Enable_Command(1, [5, 6], [0, 0], [0, 0]))
    assert not device.radio.is_advertising
