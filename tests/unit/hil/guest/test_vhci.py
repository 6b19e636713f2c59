"""A virtual controller as an adapter of the kernel: in the guest."""

import pytest

from hil.guest.system_bus import system_bus
from hil.guest.vhci import plugged_in
from host_tools.radio.air import VirtualAir

pytestmark = pytest.mark.guest


async def test_the_kernel_and_bluetoothd_get_an_adapter_and_lose_it_again() -> None:
    air = VirtualAir()
    async with system_bus() as bus:
        async with plugged_in(air, "one", "00:5B:FF:00:00:01") as adapter:
            name = adapter.name
            await bus.until_powered(name)
            assert (await bus.objects())[f"/org/bluez/{name}"]["org.bluez.Adapter1"]["Address"] == "00:5B:FF:00:00:01"
            assert adapter.controller.powered
        await bus.until_powered(name, None)
        adapter.unplug()  # twice is no error


async def test_the_same_controller_plugged_in_again_is_the_same_adapter() -> None:
    air = VirtualAir()
    async with system_bus() as bus:
        async with plugged_in(air, "one", "00:5B:FF:00:00:02") as adapter:
            await bus.until_powered(adapter.name)
            name = adapter.name
            adapter.unplug()
            await bus.until_powered(name, None)
            adapter.plug_in()
            await bus.until_powered(adapter.name)
            assert adapter.name == name
        await bus.until_powered(name, None)
