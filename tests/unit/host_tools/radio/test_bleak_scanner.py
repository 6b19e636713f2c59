"""bleak's scanner over the virtual radio."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from bleak import BleakScanner
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData
from bumble import data_types
from bumble.core import UUID, AdvertisingData, DataType
from bumble.device import Advertisement
from bumble.hci import Address

from host_tools.radio.air import VirtualAir
from host_tools.radio.bleak_backend import install
from host_tools.radio.bleak_central import current_source, open_central
from host_tools.radio.bleak_scanner import advertisement_data
from host_tools.radio.devices import RadioDevice, virtual_central
from tests.support import peripheral
from tests.support.peripheral import SERVICE

OTHER = "7a0bffff-5f3a-4d8e-9d7e-0c5a5e1f0001"


@pytest.fixture
async def air() -> AsyncIterator[VirtualAir]:
    air = VirtualAir()
    undo = install(await virtual_central(air))
    yield air
    undo()


def shown(*types: DataType, raw: bytes = b"") -> AdvertisementData:
    heard = Advertisement(
        address=Address("C0:00:00:00:00:01"), rssi=-42, data_bytes=bytes(AdvertisingData(list(types))) + raw
    )
    return advertisement_data(heard)


def test_every_field_that_bleak_shows_is_translated() -> None:
    data = shown(
        data_types.CompleteLocalName("thing"),
        data_types.ManufacturerSpecificData(0x1234, b"mfr"),
        data_types.TxPowerLevel(-7),
        data_types.IncompleteListOf16BitServiceUUIDs([UUID("180F")]),
        data_types.CompleteListOf32BitServiceUUIDs([UUID("12345678")]),
        data_types.CompleteListOf128BitServiceUUIDs([UUID(SERVICE)]),
        data_types.ServiceData16BitUUID(UUID("180F"), b"sd"),
        data_types.ServiceData128BitUUID(UUID(OTHER), b"long"),
    )
    battery = "0000180f-0000-1000-8000-00805f9b34fb"
    assert data.local_name == "thing"
    assert data.manufacturer_data == {0x1234: b"mfr"}
    assert data.tx_power == -7
    assert data.service_uuids == [battery, "12345678-0000-1000-8000-00805f9b34fb", SERVICE]
    assert data.service_data == {battery: b"sd", OTHER: b"long"}
    assert data.rssi == -42


def test_a_complete_name_beats_a_shortened_one() -> None:
    assert shown(data_types.CompleteLocalName("whole"), data_types.ShortenedLocalName("wh")).local_name == "whole"
    assert shown(data_types.ShortenedLocalName("wh")).local_name == "wh"


def test_fields_that_make_no_sense_are_left_out() -> None:
    broken = b"\x02\xff\x01" + b"\x01\x0a" + b"\x02\x16\x0f" + b"\x04\x02\x0f\x18\x0a" + b"\x03\x08\xff\xfe"
    data = shown(raw=broken)
    assert data.manufacturer_data == {}
    assert data.tx_power is None
    assert data.service_data == {}
    assert data.service_uuids == ["0000180f-0000-1000-8000-00805f9b34fb"]
    assert data.local_name == "\ufffd\ufffd"


@pytest.mark.req("BLE-1")
async def test_a_filtered_scan_finds_the_service_and_nothing_else(air: VirtualAir) -> None:
    thing, other = await peripheral.thing(air), await peripheral.thing(air, "other")
    await thing.advertise()
    await other.device.start_advertising()
    found = await BleakScanner.discover(1.5, return_adv=True)
    assert set(found) == {thing.address, other.address}
    filtered = await BleakScanner.discover(1.5, return_adv=True, service_uuids=[SERVICE.upper()])
    assert set(filtered) == {thing.address}
    device, data = filtered[thing.address]
    assert (device.address, device.name) == (thing.address, "thing")
    assert (data.local_name, data.service_uuids, data.rssi) == ("thing", [SERVICE], -50)
    assert await BleakScanner.discover(1.5, service_uuids=[OTHER]) == []


async def test_a_device_is_found_by_filter_by_name_and_by_address(air: VirtualAir) -> None:
    thing = await peripheral.thing(air)
    await thing.advertise()
    by_filter = await BleakScanner.find_device_by_filter(lambda _device, data: SERVICE in data.service_uuids)
    by_name = await BleakScanner.find_device_by_name("thing")
    by_address = await BleakScanner.find_device_by_address(thing.address)
    assert [found and found.address for found in (by_filter, by_name, by_address)] == [thing.address] * 3


async def test_what_is_not_there_is_not_found_after_the_timeout(air: VirtualAir) -> None:
    assert await BleakScanner.find_device_by_name("nobody", timeout=7.0) is None
    assert asyncio.get_running_loop().time() == pytest.approx(7.0)


async def test_a_name_in_the_scan_response_needs_an_active_scan(air: VirtualAir) -> None:
    thing = await peripheral.thing(air)
    response = bytes(AdvertisingData([data_types.CompleteLocalName("the whole name")]))
    await thing.advertise(scan_response=response)
    active = await BleakScanner.discover(1.0)
    passive = await BleakScanner.discover(1.0, scanning_mode="passive")
    assert [device.name for device in (*active, *passive)] == ["the whole name", "thing"]


async def test_callbacks_are_told_of_every_advertisement_until_the_scan_stops(air: VirtualAir) -> None:
    thing = await peripheral.thing(air)
    plain: list[str] = []
    coroutine: list[str] = []

    def on_found(device: BLEDevice, _data: AdvertisementData) -> None:
        plain.append(device.address)

    async def on_found_too(device: BLEDevice, _data: AdvertisementData) -> None:
        coroutine.append(device.address)

    async with BleakScanner(on_found), BleakScanner(on_found_too) as second:
        await thing.advertise(interval_ms=100)
        await asyncio.sleep(1.05)
    await second.stop()
    await asyncio.sleep(1.0)
    assert len(plain) == len(coroutine) == 11
    assert set(plain + coroutine) == {thing.address}


@pytest.mark.parametrize("turns", range(0, 24, 2))
async def test_a_scan_that_is_broken_off_while_it_starts_leaves_the_radio_as_it_was(
    air: VirtualAir, turns: int
) -> None:
    thing = await peripheral.thing(air)
    await thing.advertise(interval_ms=100)
    starting = asyncio.create_task(BleakScanner().start())
    for _ in range(turns):
        await asyncio.sleep(0)
    starting.cancel()
    await asyncio.wait({starting})
    found = await BleakScanner.discover(0.5)
    assert [device.address for device in found] == [thing.address]
    central = await open_central(current_source())
    assert starting.cancelled() is (not central.device.is_scanning)
    assert len(central.device.listeners(central.device.EVENT_ADVERTISEMENT)) == (not starting.cancelled())


async def test_a_scan_starts_afresh(air: VirtualAir) -> None:
    thing = await peripheral.thing(air)
    await thing.advertise()
    scanner = BleakScanner()
    async with scanner:
        await asyncio.sleep(1.0)
    assert len(scanner.discovered_devices) == 1
    await thing.device.stop_advertising()
    async with scanner:
        await asyncio.sleep(1.0)
    assert scanner.discovered_devices == []


async def test_a_central_is_a_bumble_device(air: VirtualAir) -> None:
    assert isinstance(await virtual_central(air), RadioDevice)
