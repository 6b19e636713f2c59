"""bleak's client over a Bumble central.

Decides: when an operation is over (its answer, or the end of the link), and which of bleak's exceptions says so.
Refuses to know: how a peer is found, and what attributes mean.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from bleak import BleakScanner
from bleak.args import SizedBuffer
from bleak.assigned_numbers import CHARACTERISTIC_PROPERTIES
from bleak.backends.characteristic import BleakGATTCharacteristic
from bleak.backends.client import BaseBleakClient, NotifyCallback
from bleak.backends.descriptor import BleakGATTDescriptor
from bleak.backends.device import BLEDevice
from bleak.backends.service import BleakGATTService, BleakGATTServiceCollection
from bleak.exc import BleakDeviceNotFoundError, BleakError, BleakGATTProtocolError
from bumble import att, core, gatt, hci
from bumble.device import Connection, Peer

from host_tools.radio.bleak_central import (
    SMALLEST_MTU,
    Central,
    as_bleak_error,
    check_mtu,
    current_source,
    open_central,
)
from host_tools.radio.bleak_scanner import BleakScannerVirtual, uuid_text

T = TypeVar("T")

DISCONNECT_LIMIT_S = 10.0
_CANCEL_EVERY_S = 0.1
_WRITE_HEADER = 3  # opcode and handle of an ATT write


class _Link:
    """A connection with what belongs to it and ends with it."""

    def __init__(self, central: Central, connection: Connection) -> None:
        self.central = central
        self.connection = connection
        self.peer = Peer(connection)
        self.gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.notified: dict[int, Callable[[bytes], None]] = {}
        self.running: set[asyncio.Future[Any]] = set()


class BleakClientVirtual(BaseBleakClient):
    """The backend of `bleak.BleakClient`.

    Beyond bleak's own arguments: `preferred_mtu` (23 to 517), the ATT MTU to ask for instead of the installed
    one; `BleakClient(device, preferred_mtu=185)` passes it on.
    """

    def __init__(
        self,
        address_or_ble_device: BLEDevice | str,
        services: set[str] | None = None,
        *,
        disconnected_callback: Callable[[], None] | None = None,
        timeout: float = 30.0,
        preferred_mtu: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(address_or_ble_device, disconnected_callback=disconnected_callback, timeout=timeout, **kwargs)
        self._source = current_source()
        self._preferred_mtu = self._source.preferred_mtu if preferred_mtu is None else preferred_mtu
        check_mtu(self._preferred_mtu)
        self._wanted_services = services
        self._device = address_or_ble_device if isinstance(address_or_ble_device, BLEDevice) else None
        self._link: _Link | None = None

    @property
    def name(self) -> str:
        return (self._device and self._device.name) or self.address.replace(":", "-")

    @property
    def mtu_size(self) -> int:
        return SMALLEST_MTU if self._link is None else self._link.connection.att_mtu

    @property
    def is_connected(self) -> bool:
        return self._link is not None

    # Connecting

    async def connect(self, pair: bool, **kwargs: Any) -> None:
        """Connects and discovers. TimeoutError after the timeout, BleakError on anything else."""
        if self.is_connected:
            raise BleakError("Client is already connected")
        timeout_s = float(kwargs.get("timeout", self._timeout))
        address = await self._resolve(timeout_s)
        try:
            async with asyncio.timeout(timeout_s):
                central = await open_central(self._source)
                self._attach(central, await central.connect(address))
                await self._restore_encryption()
                if pair:
                    await self.pair()
                await self._run(self._discover, "discovery")
        except BaseException:
            await self.disconnect()
            raise

    async def _resolve(self, timeout_s: float) -> hci.Address:
        details = self._device.details if self._device is not None else None
        known = details.get("address") if isinstance(details, dict) else None
        if isinstance(known, hci.Address):
            return known
        found = await BleakScanner.find_device_by_address(self.address, timeout=timeout_s, backend=BleakScannerVirtual)
        if found is None:
            raise BleakDeviceNotFoundError(self.address, f"Device with address {self.address} was not found.")
        self._device = found
        address: hci.Address = found.details["address"]
        return address

    def _attach(self, central: Central, connection: Connection) -> None:
        link = self._link = _Link(central, connection)
        connection.on(connection.EVENT_DISCONNECTION, functools.partial(self._on_gone, link))

    def _on_gone(self, link: _Link, _reason: int) -> None:
        if link.gone.done():
            return
        if self._link is link:
            self._link = None
            self.services = None
        if self._disconnected_callback is not None:
            # Before whoever waits for `gone` goes on.
            asyncio.get_running_loop().call_soon(self._disconnected_callback)
        link.gone.set_result(None)
        for task in list(link.running):
            _cancel_until_done(task)

    async def disconnect(self) -> None:
        """Disconnects; afterwards `is_connected` is false in any case and the callback has been called."""
        if (link := self._link) is None:
            return
        request = asyncio.ensure_future(link.connection.disconnect())
        link.central.keep(request)
        try:
            await asyncio.wait({link.gone}, timeout=DISCONNECT_LIMIT_S)
        finally:
            self._on_gone(link, 0)

    # Pairing

    async def pair(self, *args: Any, **kwargs: Any) -> None:
        """Pairs as the device's `pairing_config_factory` says; nothing to do on an encrypted link."""

        async def pair(link: _Link) -> None:
            if not link.connection.is_encrypted:
                await link.connection.pair()

        await self._run(pair, "pairing")

    async def unpair(self) -> None:
        """Forgets the bond and disconnects. BleakDeviceNotFoundError if there is no bond."""
        device = (await open_central(self._source)).device
        own = self.address.upper()
        names = [own, f"{own}/P"]
        if self._link is not None:
            names.insert(0, str(self._link.connection.peer_address))
        await self.disconnect()
        bonds = {name for name, _ in await device.keystore.get_all()} if device.keystore else set()
        bonded = [name for name in names if name in bonds]
        if not bonded or device.keystore is None:
            raise BleakDeviceNotFoundError(self.address, f"Device with address {self.address} is not paired.")
        await device.keystore.delete(bonded[0])

    async def _restore_encryption(self) -> None:
        # As BlueZ does: a bonded peer is spoken to over an encrypted link from the beginning.
        async def restore(link: _Link) -> None:
            keystore = link.central.device.keystore
            if keystore is not None and await keystore.get(str(link.connection.peer_address)) is not None:
                await link.connection.encrypt()

        await self._run(restore, "encryption with the stored bond (unpair and pair again)")

    # GATT

    async def _run(self, operation: Callable[[_Link], Awaitable[T]], doing: str) -> T:
        """Runs a GATT operation to its answer or to the end of the link, in bleak's exceptions.

        If the caller is cancelled the operation goes on without it: an ATT request can not be taken back, and
        its late answer must not be taken for the answer of the next one.
        """
        link = self._link
        if link is None:
            raise BleakError("Not connected")
        task = asyncio.ensure_future(operation(link))
        link.central.keep(task)
        link.running.add(task)
        task.add_done_callback(link.running.discard)
        await asyncio.wait({task})
        if task.cancelled():
            raise BleakError(f"{doing} failed: disconnected")
        try:
            return task.result()
        except att.ATT_Error as error:
            raise BleakGATTProtocolError(error.error_code) from error
        except (core.BaseBumbleError, TimeoutError) as error:
            raise as_bleak_error(error, doing) from error

    async def _discover(self, link: _Link) -> None:
        if self._preferred_mtu > SMALLEST_MTU:
            await link.peer.request_mtu(self._preferred_mtu)
        services = BleakGATTServiceCollection()
        for found in await link.peer.discover_services():
            uuid = uuid_text(found.uuid)
            if self._wanted_services and uuid not in self._wanted_services:
                continue
            service = BleakGATTService(found, found.handle, uuid)
            services.add_service(service)
            for proxy in await found.discover_characteristics():
                characteristic = BleakGATTCharacteristic(
                    proxy,
                    proxy.handle,
                    uuid_text(proxy.uuid),
                    [name for bit, name in CHARACTERISTIC_PROPERTIES.items() if int(proxy.properties) & bit],
                    lambda: self.mtu_size - _WRITE_HEADER,
                    service,
                )
                services.add_characteristic(characteristic)
                for descriptor in await proxy.discover_descriptors():
                    services.add_descriptor(
                        BleakGATTDescriptor(descriptor, descriptor.handle, uuid_text(descriptor.type), characteristic)
                    )
        self.services = services

    async def _read(self, handle: int, use_cached: bool) -> bytearray:
        async def read(link: _Link) -> bytes:
            cached = link.peer.gatt_client.cached_values.get(handle) if use_cached else None
            return cached[1] if cached is not None else await link.peer.gatt_client.read_value(handle)

        return bytearray(await self._run(read, "reading"))

    async def read_gatt_char(
        self, characteristic: BleakGATTCharacteristic, *, use_cached: bool = False, **kwargs: Any
    ) -> bytearray:
        return await self._read(characteristic.handle, use_cached)

    async def read_gatt_descriptor(
        self, descriptor: BleakGATTDescriptor, *, use_cached: bool = False, **kwargs: Any
    ) -> bytearray:
        return await self._read(descriptor.handle, use_cached)

    async def write_gatt_char(self, characteristic: BleakGATTCharacteristic, data: SizedBuffer, response: bool) -> None:
        value = bytes(data)
        limit = characteristic.max_write_without_response_size
        if not response and len(value) > limit:
            raise BleakError(f"{len(value)} bytes without response are too many: at most {limit} at this MTU")

        async def write(link: _Link) -> None:
            await link.peer.gatt_client.write_value(characteristic.handle, value, with_response=response)
            if not response:
                await link.connection.drain()

        await self._run(write, "writing")

    async def write_gatt_descriptor(self, descriptor: BleakGATTDescriptor, data: SizedBuffer) -> None:
        value = bytes(data)

        async def write(link: _Link) -> None:
            await link.peer.gatt_client.write_value(descriptor.handle, value, with_response=True)

        await self._run(write, "writing")

    async def start_notify(
        self, characteristic: BleakGATTCharacteristic, callback: NotifyCallback, **kwargs: Any
    ) -> None:
        handle = characteristic.handle
        if self._link is not None and handle in self._link.notified:
            raise BleakError("Characteristic notifications already started")
        if characteristic.get_descriptor(_CCCD) is None:
            raise BleakError(f"Characteristic {characteristic.uuid} has no notifications or indications")

        def on_value(value: bytes) -> None:
            # Not called from here: an exception in it would stop the processing of the packet.
            asyncio.get_running_loop().call_soon(callback, bytearray(value))

        async def subscribe(link: _Link) -> None:
            link.notified[handle] = on_value
            try:
                await link.peer.gatt_client.subscribe(characteristic.obj, on_value)
            except BaseException:
                link.notified.pop(handle, None)
                with contextlib.suppress(KeyError):
                    del link.peer.gatt_client.notification_subscribers[handle]
                raise

        await self._run(subscribe, "subscribing")

    async def stop_notify(self, characteristic: BleakGATTCharacteristic) -> None:
        async def unsubscribe(link: _Link) -> None:
            on_value = link.notified.pop(characteristic.handle, None)
            if on_value is None:
                raise core.InvalidStateError("notifications were not started")
            await link.peer.gatt_client.unsubscribe(characteristic.obj, on_value)

        await self._run(unsubscribe, "unsubscribing")


_CCCD = uuid_text(gatt.GATT_CLIENT_CHARACTERISTIC_CONFIGURATION_DESCRIPTOR)


def _cancel_until_done(task: asyncio.Future[Any]) -> None:
    """Before Python 3.12 `wait_for`, on which Bumble waits, swallows a cancellation that comes with the answer."""
    if not task.done():
        task.cancel()
        asyncio.get_running_loop().call_later(_CANCEL_EVERY_S, _cancel_until_done, task)
