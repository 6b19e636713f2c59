"""How the virtual backends get into bleak, and out again."""

from __future__ import annotations

import bleak
import pytest
from bleak import BleakAdapter, BleakClient, BleakScanner

from host_tools.radio.air import VirtualAir
from host_tools.radio.bleak_backend import (
    BleakAdapterVirtual,
    BleakClientVirtual,
    BleakScannerVirtual,
    install,
    using,
)
from host_tools.radio.devices import virtual_central
from tests.support import peripheral
from tests.support.peripheral import LONG, LONG_VALUE

NAMES = [
    "get_platform_client_backend_type",
    "get_platform_scanner_backend_type",
    "get_platform_adapter_backend_type",
]


async def test_installing_is_undone_completely() -> None:
    before = [getattr(bleak, name) for name in NAMES]
    central = await virtual_central(VirtualAir())
    undo_outer = install(central)
    undo_inner = install(central, preferred_mtu=23)
    assert BleakScanner().backend_id == "BleakScannerVirtual"
    assert BleakClient("C0:00:00:00:00:01").backend_id == "BleakClientVirtual"
    undo_inner()
    undo_outer()
    assert [getattr(bleak, name) for name in NAMES] == before


async def test_an_impossible_mtu_is_refused_before_anything_is_installed() -> None:
    before = [getattr(bleak, name) for name in NAMES]
    with pytest.raises(ValueError, match="23 to 517"):
        install(await virtual_central(VirtualAir()), preferred_mtu=22)
    assert [getattr(bleak, name) for name in NAMES] == before


async def test_without_installing_the_backends_can_be_named() -> None:
    air = VirtualAir()
    thing = await peripheral.thing(air)
    await thing.advertise()
    with using(await virtual_central(air), preferred_mtu=100):
        (device,) = await BleakScanner.discover(1.0, backend=BleakScannerVirtual)
        async with BleakClient(device, backend=BleakClientVirtual) as client:
            assert client.mtu_size == 100
            assert bytes(await client.read_gatt_char(LONG)) == LONG_VALUE


async def test_the_adapter_knows_who_is_connected() -> None:
    air = VirtualAir()
    thing = await peripheral.thing(air)
    await thing.advertise()
    undo = install(await virtual_central(air))
    adapter = await BleakAdapter.get()
    assert await adapter.get_connected_devices() == []
    async with BleakClient(thing.address):
        (connected,) = await adapter.get_connected_devices()
        assert connected.address == thing.address
    undo()


async def test_the_adapter_can_be_named_too() -> None:
    with using(await virtual_central(VirtualAir())):
        adapter = await BleakAdapter.get(backend=BleakAdapterVirtual)
        assert await adapter.get_connected_devices() == []
