"""03 GATT: what a stranger's Bluetooth sees of the module, through bleak as it is."""

import asyncio

import pytest
from bleak import BleakClient, BleakScanner
from bleak.args.bluez import BlueZScannerArgs
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData
from bleak.exc import BleakError

from hil.stand import Figure, Stand, lasted_s, make_phone, until
from protocol.errors import Code
from protocol.gatt import FROM_MODULE_UUID, LOCAL_NAME, MIN_ATT_MTU, PUBLIC_INFO_UUID, SERVICE_UUID, TO_MODULE_UUID
from protocol.messages import decode_public_info

pytestmark = pytest.mark.limit(120)

BASE = "{:08x}-0000-1000-8000-00805f9b34fb"
GENERIC = {BASE.format(0x1800), BASE.format(0x1801)}
"""Which the operating system may keep for itself."""
DEVICE_INFORMATION = BASE.format(0x180A)
BACK_S = 1.0
SOON_S = 5.0


async def heard(stand: Stand, seconds: float = SOON_S) -> tuple[BLEDevice, AdvertisementData]:
    """The first module that a scan filtered by the service finds."""
    bluez = BlueZScannerArgs(adapter=stand.adapter) if stand.adapter else BlueZScannerArgs()
    async with BleakScanner(service_uuids=[SERVICE_UUID], bluez=bluez) as scanner, asyncio.timeout(seconds):
        async for device, advertisement in scanner.advertisement_data():
            return device, advertisement
    raise AssertionError("a scan ends with the time-out")


@pytest.mark.req("BLE-1", "PRV-7")
async def test_a_filtered_scan_finds_a_module_that_says_nothing_of_its_car(stand: Stand) -> None:
    await stand.power_on()
    await until(stand.hear)
    async with stand.phones():
        _, advertisement = await heard(stand)
    assert SERVICE_UUID in advertisement.service_uuids
    assert advertisement.local_name in (None, LOCAL_NAME)
    assert not advertisement.manufacturer_data
    assert set(advertisement.service_data) <= {SERVICE_UUID}


@pytest.mark.req("BLE-1", "ACC-3")
async def test_a_stranger_sees_one_table_and_reads_what_anyone_may_know_and_nothing_else(
    stand: Stand, figure: Figure
) -> None:
    await stand.power_on()
    await until(stand.hear)
    async with stand.phones():
        device, _ = await heard(stand)
        client = BleakClient(device)
        figure("connect and discover", f"{await lasted_s(client.connect()):.2f} s")
        try:
            assert {service.uuid for service in client.services} - GENERIC == {DEVICE_INFORMATION, SERVICE_UUID}
            (ours,) = [service for service in client.services if service.uuid == SERVICE_UUID]
            properties = {one.uuid: sorted(one.properties) for one in ours.characteristics}
            assert properties == {
                TO_MODULE_UUID: ["write", "write-without-response"],
                FROM_MODULE_UUID: ["notify"],
                PUBLIC_INFO_UUID: ["read"],
            }
            assert decode_public_info(bytes(await client.read_gatt_char(PUBLIC_INFO_UUID))).version >= 1
            for unreadable in (TO_MODULE_UUID, FROM_MODULE_UUID):
                with pytest.raises(BleakError):
                    await client.read_gatt_char(unreadable)
            figure("ATT MTU", str(client.mtu_size))
            assert client.mtu_size >= MIN_ATT_MTU
        finally:
            await client.disconnect()


@pytest.mark.req("BLE-2")
async def test_it_is_on_the_air_again_within_a_second_after_a_central_has_gone(stand: Stand, figure: Figure) -> None:
    await stand.power_on()
    await until(stand.hear)
    async with stand.phones():
        device, _ = await heard(stand)
        async with BleakClient(device):
            pass
        figure("heard again after a central has gone", f"{await lasted_s(heard(stand, BACK_S)):.2f} s")


@pytest.mark.req("BLE-1", "BLE-2", "ACC-4")
@pytest.mark.lg_feature("two-adapters")
async def test_it_serves_three_centrals_at_once_one_of_them_the_driver(stand: Stand) -> None:
    async with stand.booked() as booking:
        await until(stand.hear)
        async with stand.phones() as new_link:
            shown = {"driver": booking, "next driver": stand.book(), "the one after": stand.book()}
            driver, *others = (make_phone(new_link(name), each) for name, each in shown.items())
            async with driver, others[0], others[1]:
                for phone in (driver, *others):
                    access = (await phone.status()).access
                    assert access.granted is (phone is driver)
                    assert phone is driver or access.refusal is not None
                    assert access.refusal is None or access.refusal.code is Code.VEHICLE_IN_USE
            await heard(stand, BACK_S)
