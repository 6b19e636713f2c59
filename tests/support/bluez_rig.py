"""The rig on a machine with BlueZ: its phones are unmodified bleak over bluetoothd, each with an adapter of its own.

The module is on the same virtual air as the controllers of those adapters; everything between them and bleak is the
kernel's and BlueZ's. For the guest of `hil.guest`, on a loop whose time is the guest's.
"""

import itertools
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial

from bleak import BleakScanner
from bleak.backends.bluezdbus.manager import get_global_bluez_manager
from bleak.backends.device import BLEDevice

from firmware.adapters.ble.transport import OpenController, open_moniker
from firmware.demo.rig import Holder, Rig
from hil.guest.system_bus import SystemBus, system_bus
from hil.guest.vhci import Adapter
from host_tools.phone.ble import BleakLink
from host_tools.phone.client import Phone
from host_tools.phone.errors import NotFound
from host_tools.phone.links import PhoneLink
from host_tools.radio.air import VirtualAir
from protocol.gatt import SERVICE_UUID
from protocol.provisioning import PhoneFile

SCAN_S = 10.0
OWN = "module"
"""The name of the module's adapter, where it has one of the kernel's."""
LATENCY_S = 0.015
"""Half of a connection interval of 30 ms, which is what a packet waits on the average. Without it the last data and
the end of a connection come together, and BlueZ may tell of the end first."""
_count = itertools.count(1)
"""bluetoothd remembers devices by their addresses from test to test; so each rig has others."""


class BluezRig(Rig):
    """`async with BluezRig() as rig`, as Rig."""

    bus: SystemBus

    def __init__(self) -> None:
        self._number = next(_count)
        super().__init__(seed=f"bluez {self._number}", air=VirtualAir(latency_s=LATENCY_S))
        self.adapters: dict[str, Adapter] = {}

    async def _lend_adapter(self) -> None:
        self._stack.push_async_callback(end_bleak)
        self.bus = await self._stack.enter_async_context(system_bus())
        await self.adapter("stranger")
        self.clock.set_utc(self.begins_s * 1000)  # the loop's clock does not begin at 0 here

    async def adapter(self, name: str) -> Adapter:
        """The adapter of that name's phone, switched on."""
        if name not in self.adapters:
            adapter = Adapter(self.air, name, f"00:5B:{self._number:02X}:00:00:{len(self.adapters) + 1:02X}")
            adapter.plug_in()
            self.adapters[name] = adapter
            self._stack.push_async_callback(self._put_away, adapter)
            await self.bus.until_powered(adapter.name)
        return self.adapters[name]

    async def _put_away(self, adapter: Adapter) -> None:
        if adapter.number >= 0:
            name = adapter.name
            adapter.unplug()
            await self.bus.until_powered(name, None)

    async def find(self, name: str) -> BLEDevice:
        """The module, as the adapter of that name's phone sees it: a scan filtered by the service."""
        adapter = await self.adapter(name)
        found = await BleakScanner.find_device_by_filter(
            lambda *_: True, SCAN_S, service_uuids=[SERVICE_UUID], bluez={"adapter": adapter.name}
        )
        if found is None:
            raise NotFound(
                "the car was not found", f"{adapter.name} heard nothing in {SCAN_S:g} s", "Look at the test."
            )
        return found

    @asynccontextmanager
    async def phone(
        self, holder: Holder, file: PhoneFile, link_to: Callable[[BLEDevice], PhoneLink] = BleakLink
    ) -> AsyncIterator[Phone]:
        """The holder's phone, with an adapter of its own and an open session."""
        link = link_to(await self.find(holder.name))
        phone = Phone(link, file, holder.key, entropy=self.entropy, on_push=holder.pushes.append)
        await phone.open()
        try:
            yield phone
        finally:
            await phone.close()


class OwnAdapterRig(BluezRig):
    """As BluezRig; the module too has an adapter of the kernel, all for itself, as on a Raspberry Pi."""

    @property
    def _controller(self) -> OpenController:
        return partial(open_moniker, f"hci-socket:{self.adapters[OWN].number}")

    async def _lend_adapter(self) -> None:
        await super()._lend_adapter()
        await self.adapter(OWN)


async def end_bleak() -> None:
    """bleak keeps one connection to the message bus for each event loop, and never ends it."""
    bus = (await get_global_bluez_manager())._bus
    assert bus is not None
    bus.disconnect()
    await bus.wait_for_disconnect()  # type: ignore[no-untyped-call]  # dbus-fast has no types there
