"""What happens to a phone's link on BlueZ: hung up on, out of range, adapters that are switched off or pulled out."""

import asyncio

import pytest

from firmware.demo.rig import Holder
from host_tools.phone.ble import BleakLink
from host_tools.phone.client import Phone
from host_tools.phone.errors import LinkClosed, NotFound
from host_tools.phone.nearby import open_nearest
from protocol.provisioning import BookingFile
from tests.support.bluez_rig import OWN, BluezRig, OwnAdapterRig

pytestmark = [pytest.mark.guest, pytest.mark.asyncio(loop_factories=["real"])]

PATIENCE_S = 30.0


def booked(rig: BluezRig, name: str = "Anna", lasts_s: int = 7200) -> tuple[Holder, BookingFile]:
    holder = rig.holder(name)
    return holder, rig.book(holder, lasts_s=lasts_s)[1]


async def gone(phone: Phone) -> float:
    """Seconds until the phone knows that it has lost the module."""
    since = asyncio.get_running_loop().time()
    async with asyncio.timeout(PATIENCE_S):
        await phone.closed.wait()
    return asyncio.get_running_loop().time() - since


async def connections_of(rig: BluezRig, name: str) -> list[bool]:
    """Whether each device that bluetoothd knows on that phone's adapter is connected."""
    adapter = await rig.adapter(name)
    return [bool(device["Connected"]) for device in (await rig.bus.devices(adapter.name)).values()]


@pytest.mark.req("CUT-6", "SEC-2")
async def test_a_hang_up_by_the_module_is_known_to_bluetoothd_and_leaves_nothing_on_the_bus() -> None:
    async with BluezRig() as rig:
        anna, file = booked(rig)
        async with rig.phone(anna, file):
            pass
        before = await rig.bus.count_names()
        for _ in range(3):
            async with rig.phone(anna, file) as phone:
                assert await connections_of(rig, "Anna") == [True]
                await rig.rack.radio.hang_up(rig.pump.state.links[0].id)
                assert await gone(phone) < 1
            assert await connections_of(rig, "Anna") == [False]
        assert await rig.bus.count_names() == before


@pytest.mark.req("BLE-2")
async def test_a_phone_out_of_range_is_given_up_by_both_sides_and_finds_the_car_again() -> None:
    async with BluezRig() as rig:
        anna, file = booked(rig)
        async with rig.phone(anna, file) as phone:
            rig.air.out_of_range(rig.module_radio)
            assert 0.1 < await gone(phone) < 10
            with pytest.raises(LinkClosed):
                await phone.unlock()
        rig.air.in_range(rig.module_radio)
        async with rig.phone(anna, file) as phone:
            await phone.unlock()


@pytest.mark.req("BLE-3")
async def test_an_adapter_that_is_switched_off_ends_the_session_and_is_used_again_when_it_is_on() -> None:
    async with BluezRig() as rig:
        anna, file = booked(rig)
        adapter = await rig.adapter("Anna")
        async with rig.phone(anna, file) as phone:
            await phone.unlock()
            await rig.bus.switch(adapter.name, False)
            async with asyncio.timeout(PATIENCE_S):
                while rig.pump.state.links:
                    await asyncio.sleep(0.05)
            # bluetoothd forgets the device at once, and bleak does not tell its client: the next request does.
            with pytest.raises(LinkClosed):
                await phone.lock()
        await rig.bus.switch(adapter.name, True)
        async with rig.phone(anna, file) as phone:
            assert (await phone.unlock()).already


@pytest.mark.req("BLE-3")
async def test_an_adapter_that_is_pulled_out_ends_the_session_and_is_used_again_when_it_is_back() -> None:
    async with BluezRig() as rig:
        anna, file = booked(rig)
        adapter = await rig.adapter("Anna")
        async with rig.phone(anna, file) as phone:
            await phone.unlock()
            name = adapter.name
            adapter.unplug()
            await gone(phone)
            await rig.bus.until_powered(name, None)
        adapter.plug_in()
        await rig.bus.until_powered(adapter.name)
        async with rig.phone(anna, file) as phone:
            assert (await phone.unlock()).already


@pytest.mark.req("BLE-3")
async def test_without_an_adapter_the_phone_says_so_in_one_line() -> None:
    async with BluezRig() as rig:
        anna, file = booked(rig)
        await rig.bus.switch((await rig.adapter("stranger")).name, False)
        with pytest.raises(NotFound, match="cannot scan for modules"):
            await open_nearest(lambda link: Phone(link, file, anna.key))


@pytest.mark.req("BLE-2", "BLE-3")
async def test_the_modules_own_adapter_is_pulled_out_and_comes_back() -> None:
    async with OwnAdapterRig() as rig:
        anna, file = booked(rig)
        own = rig.adapters[OWN]
        async with rig.phone(anna, file) as phone:
            await phone.unlock()
            own.unplug()
            await gone(phone)
            async with asyncio.timeout(PATIENCE_S):
                while rig.pump.state.links:
                    await asyncio.sleep(0.05)
        own.plug_in()
        async with rig.phone(anna, file) as phone:  # bluetoothd wanted it too, and the module has it again
            assert (await phone.unlock()).already
        assert await rig.bus.powered(own.name) is None


@pytest.mark.req("BLE-3")
async def test_the_modules_adapter_goes_back_to_the_system_when_the_module_is_shut_down() -> None:
    async with OwnAdapterRig() as rig:
        own = rig.adapters[OWN]
        assert await rig.bus.powered(own.name) is None
        await rig.shut_down()
        await rig.bus.until_powered(own.name)
        await rig.boot()
        anna, file = booked(rig)
        async with rig.phone(anna, file) as phone:
            assert phone.access.granted


@pytest.mark.req("ACC-1")
async def test_the_phone_finds_the_car_by_its_own_search_too() -> None:
    """With the adapter that bleak takes when nobody names one, and the toolkit's own way of finding the car."""
    async with BluezRig() as rig:
        anna, file = booked(rig)
        phone = await open_nearest(lambda link: Phone(link, file, anna.key), link_to=BleakLink)
        try:
            await phone.unlock()
        finally:
            await phone.close()
