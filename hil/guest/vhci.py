"""A controller of the virtual radio as a Bluetooth adapter of this kernel, by /dev/vhci.

Decides: what the controller says that it can do, and the adapter's life. Refuses to know: who uses the adapter.
"""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator
from typing import Final

from bumble import hci

from host_tools.radio.air import VirtualAir
from host_tools.radio.controller import VirtualController

DEVICE: Final = "/dev/vhci"
_VENDOR: Final = b"\xff"
_CREATE: Final = _VENDOR + b"\x00"  # a primary controller; the answer ends with its number, little-endian
_PACKET_BYTES: Final = 4096
# The kernel waits for the events of these when a controller claims them, and its commands then get stuck: the virtual
# controller speaks of connections in the way of Bluetooth 4.2.
_NOT_CLAIMED: Final = (
    hci.LeFeatureMask.LL_PRIVACY | hci.LeFeatureMask.LE_EXTENDED_ADVERTISING | hci.LeFeatureMask.LE_PERIODIC_ADVERTISING
)


class Adapter:
    """An adapter of the kernel, such as hci0. `address`: its public one; the same one makes it the same adapter to
    bluetoothd, bonds included."""

    def __init__(self, air: VirtualAir, name: str, address: str | None = None) -> None:
        self.air = air
        self.label = name
        self.address = address or air.new_address(public=True)
        self.number = -1
        self._file = -1
        self._controller: VirtualController | None = None

    @property
    def name(self) -> str:
        """As the kernel calls it; while it is plugged in."""
        assert self.number >= 0, "it is not plugged in"
        return f"hci{self.number}"

    @property
    def controller(self) -> VirtualController:
        """Its radio, for faults; while it is plugged in."""
        assert self._controller is not None, "it is not plugged in"
        return self._controller

    def plug_in(self) -> None:
        """The kernel has one more adapter. Raises OSError."""
        self._file = os.open(DEVICE, os.O_RDWR | os.O_NONBLOCK)
        os.write(self._file, _CREATE)
        answer = os.read(self._file, _PACKET_BYTES)
        assert answer.startswith(_CREATE), answer
        self.number = int.from_bytes(answer[2:4], "little")
        self._controller = VirtualController(self.air, self.label, self.address, host_sink=self)
        self._controller.le_features &= ~_NOT_CLAIMED
        asyncio.get_running_loop().add_reader(self._file, self._read)

    def unplug(self) -> None:
        """It is gone, as if pulled out. When it is not there, nothing."""
        if self._file < 0:
            return
        asyncio.get_running_loop().remove_reader(self._file)
        os.close(self._file)
        self._file = self.number = -1
        controller, self._controller = self._controller, None
        assert controller is not None
        controller.host = None
        self.air.remove_controller(controller)

    def _read(self) -> None:
        with contextlib.suppress(BlockingIOError):
            packet = os.read(self._file, _PACKET_BYTES)  # exactly one
            if self._controller is not None and not packet.startswith(_VENDOR):
                self._controller.on_packet(packet)

    def on_packet(self, packet: bytes) -> None:
        """What the controller says to its host."""
        if self._file >= 0:
            os.write(self._file, packet)


@contextlib.asynccontextmanager
async def plugged_in(air: VirtualAir, name: str, address: str | None = None) -> AsyncIterator[Adapter]:
    """An adapter for as long as the context lasts."""
    adapter = Adapter(air, name, address)
    adapter.plug_in()
    try:
        yield adapter
    finally:
        adapter.unplug()
