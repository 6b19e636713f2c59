"""Ready-made hosts: a Bumble device with a virtual controller under it.

Decides: addresses and keys of such a device (repeatable where the air is in this process).
Refuses to know: what the device is used for.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import AsyncIterator, Callable

from bumble import hci
from bumble.device import Device, DeviceConfiguration
from bumble.host import Host
from bumble.keys import MemoryKeyStore
from bumble.pairing import PairingConfig
from bumble.snoop import Snooper
from bumble.transport.common import TransportSink, TransportSource
from bumble.transport.tcp_client import open_tcp_client_transport

from host_tools.radio.air import VirtualAir
from host_tools.radio.controller import VirtualController, virtual_controller
from host_tools.radio.errors import RadioError


class _Host(Host):
    """Bumble's, without the formatting of every packet for a debug log: it is half of the running time."""

    def on_hci_packet(self, packet: hci.HCI_Packet) -> None:
        if self.snooper is not None:
            self.snooper.snoop(bytes(packet), Snooper.Direction.CONTROLLER_TO_HOST)
        match packet:
            case hci.HCI_Event():
                self.on_hci_event_packet(packet)
            case hci.HCI_AclDataPacket():
                self.on_hci_acl_data_packet(packet)
            case _:
                pass  # no virtual controller sends anything else

    def send_hci_packet(self, packet: hci.HCI_Packet) -> None:
        if self.snooper is not None:
            self.snooper.snoop(bytes(packet), Snooper.Direction.HOST_TO_CONTROLLER)
        if self.hci_sink is not None:
            self.hci_sink.on_packet(bytes(packet))


class RadioDevice(Device):
    """A Bumble device that knows its virtual controller (for faults; None at the far end of a hub)."""

    radio: VirtualController | None = None


async def virtual_device(air: VirtualAir, name: str = "device", address: str | None = None) -> RadioDevice:
    """A powered-on device on `air`, to be given services or used as a central.

    Args:
        name: of the device and its controller.
        address: static random address like "C4:00:00:00:00:01"; without one the air gives it one.
    """
    controller = virtual_controller(air, name)
    device = _device(name, address or air.new_address(), *controller.as_host_transport())
    device.radio = controller
    await device.power_on()
    return device


async def virtual_central(air: VirtualAir, address: str | None = None, name: str = "central") -> RadioDevice:
    """A powered-on central on `air`, ready for `bleak_backend.install` or for Bumble's own API."""
    return await virtual_device(air, name, address)


class _Tapped(Snooper):
    """Bumble's way of listening in, as a function."""

    def __init__(self, tap: Callable[[bytes, bool], None]) -> None:
        self._tap = tap

    def snoop(self, hci_packet: bytes, direction: Snooper.Direction) -> None:
        self._tap(hci_packet, direction is Snooper.Direction.HOST_TO_CONTROLLER)


@contextlib.asynccontextmanager
async def hub_central(
    host: str = "127.0.0.1",
    port: int = 6402,
    address: str | None = None,
    *,
    tap: Callable[[bytes, bool], None] | None = None,
) -> AsyncIterator[RadioDevice]:
    """A powered-on central whose controller is in another process, behind a `Hub`.

    Args:
        address: static random address; without one a fresh one, since several processes may share a hub.
        tap: sees each HCI packet, with its H4 type; True: from this side.

    Raises RadioError if there is no hub.
    """
    try:
        transport = await open_tcp_client_transport(f"{host}:{port}")
    except OSError as error:
        raise RadioError(
            f"no virtual radio at {host}:{port} ({error.strerror or error}); start a module with a virtual radio"
        ) from error
    async with transport:
        own_address = address or hci.Address.generate_static_address().to_string(False)
        device = _device("central", own_address, transport.source, transport.sink)
        if tap is not None:
            device.host.snooper = _Tapped(tap)

        def on_lost(_: object) -> None:
            # Commands to a lost hub would never be answered.
            device.powered_on = False

        transport.source.terminated.add_done_callback(on_lost)
        await device.power_on()
        try:
            yield device
        finally:
            transport.source.terminated.remove_done_callback(on_lost)
            if device.powered_on:
                await device.power_off()


def _device(name: str, address: str, source: TransportSource, sink: TransportSink) -> RadioDevice:
    device = RadioDevice(
        config=DeviceConfiguration(
            name=name,
            address=hci.Address(address),
            # Repeatable, and worth nothing: a virtual radio has no secrets.
            irk=hashlib.sha256(address.encode()).digest()[:16],
        ),
        host=_Host(source, sink),
    )
    device.keystore = MemoryKeyStore()
    # The bond is kept under the address that is on the air, not under the controller's public one.
    device.pairing_config_factory = lambda _: PairingConfig(identity_address_type=PairingConfig.AddressType.RANDOM)
    return device
