"""Pairing: the module refuses it whoever asks, and goes on; with a device that does pair, the same desktop pairs."""

import asyncio

import pytest
from bleak import BleakClient, BleakScanner
from bleak.exc import BleakError
from bumble import core
from bumble.core import AdvertisingData
from bumble.gatt import Characteristic, CharacteristicValue, Service
from bumble.pairing import PairingConfig, PairingDelegate

from hil.guest.system_bus import SystemBus, system_bus
from hil.guest.vhci import plugged_in
from host_tools.radio.air import VirtualAir
from host_tools.radio.devices import RadioDevice, virtual_device
from tests.support.bluez_rig import BluezRig, end_bleak

pytestmark = [pytest.mark.guest, pytest.mark.asyncio(loop_factories=["real"])]

HEART_RATE = "0000180d-0000-1000-8000-00805f9b34fb"
SECRET = "0000ff01-0000-1000-8000-00805f9b34fb"
PASSKEY = 246_810


async def paired(bus: SystemBus, adapter: str) -> list[bool]:
    """Whether each device that bluetoothd knows there is paired."""
    return [bool(device["Paired"]) for device in (await bus.devices(adapter)).values()]


@pytest.mark.req("SEC-2", "BLE-1")
@pytest.mark.parametrize("passkey", [None, PASSKEY], ids=["without a keyboard", "with a keyboard"])
async def test_the_module_refuses_to_pair_and_serves_the_phone_afterwards(passkey: int | None) -> None:
    """BlueZ ends a link on which pairing failed; without pairing there is nothing in the way."""
    async with BluezRig() as rig, rig.bus.agent(passkey) as agent:
        device = await rig.find("Anna")
        async with BleakClient(device) as client:
            with pytest.raises(BleakError, match="Authentication"):
                await client.pair()
        assert agent.asked == []
        assert await paired(rig.bus, (await rig.adapter("Anna")).name) == [False]
        anna = rig.holder("Anna")
        async with rig.phone(anna, rig.book(anna, lasts_s=60)[1]) as phone:
            assert phone.access.granted


class Shows(PairingDelegate):
    """A device with a display: it shows a number that has to be typed in."""

    def __init__(self) -> None:
        super().__init__(PairingDelegate.IoCapability.DISPLAY_OUTPUT_ONLY)

    async def generate_passkey(self) -> int:
        return PASSKEY

    async def display_number(self, number: int, digits: int) -> None:
        assert (number, digits) == (PASSKEY, 6)


async def heart_rate_belt(air: VirtualAir) -> RadioDevice:
    """A device of another kind, on the air, whose value can only be read over an encrypted link."""
    belt = await virtual_device(air, "belt")
    belt.pairing_config_factory = lambda _: PairingConfig(sc=True, mitm=True, bonding=True, delegate=Shows())
    access = Characteristic.READABLE | Characteristic.READ_REQUIRES_AUTHENTICATION
    value = CharacteristicValue(read=lambda _: b"72")
    belt.add_service(Service(HEART_RATE, [Characteristic(SECRET, Characteristic.Properties.READ, access, value)]))
    service = core.UUID(HEART_RATE)
    fields = [
        (AdvertisingData.FLAGS, b"\x06"),
        (AdvertisingData.COMPLETE_LIST_OF_16_BIT_SERVICE_CLASS_UUIDS, bytes(service)),
    ]
    await belt.start_advertising(advertising_data=bytes(AdvertisingData(fields)), auto_restart=True)
    return belt


async def test_with_a_device_that_does_pair_the_bond_is_kept_and_reading_needs_no_second_pairing() -> None:
    """The other side of the coin: desktop, agent and kernel do pair here, so the refusal is the module's own."""
    air = VirtualAir(latency_s=0.015)
    async with (
        system_bus() as bus,
        plugged_in(air, "desktop", "00:5B:FE:00:00:01") as adapter,
        bus.agent(PASSKEY) as agent,
    ):
        await bus.until_powered(adapter.name)
        belt = await heart_rate_belt(air)
        try:
            found = await BleakScanner.find_device_by_filter(lambda *_: True, 10.0, service_uuids=[HEART_RATE])
            assert found is not None
            async with BleakClient(found) as client:
                await client.pair()
                assert bytes(await client.read_gatt_char(SECRET)) == b"72"
            assert agent.asked == ["RequestPasskey"]
            assert await paired(bus, adapter.name) == [True]
            async with BleakClient(found.address) as client:  # by the address that is bonded
                assert bytes(await client.read_gatt_char(SECRET)) == b"72"
            assert agent.asked == ["RequestPasskey"]
            async with asyncio.timeout(10):
                await bus.forget_all(adapter.name)
        finally:
            await belt.power_off()
            await end_bleak()
