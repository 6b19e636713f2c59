"""What several bleak objects share: the choice of the central, one scan, one connection attempt at a time."""

from __future__ import annotations

import asyncio

import pytest
from bleak.exc import BleakBluetoothNotAvailableError, BleakError
from bumble import hci

from host_tools.radio.air import VirtualAir
from host_tools.radio.bleak_central import (
    Central,
    Source,
    check_mtu,
    current_source,
    open_central,
    push,
    using,
)
from host_tools.radio.devices import RadioDevice, virtual_central
from tests.support import peripheral

ABSENT = hci.Address("C4:99:99:99:99:99")


async def test_without_a_central_there_is_one_clear_line() -> None:
    with pytest.raises(BleakError, match=r"call .*install\(central\) first"):
        current_source()


async def test_the_last_installation_counts_and_undoing_restores_the_one_before() -> None:
    air = VirtualAir()
    first, second = Source(await virtual_central(air)), Source(await virtual_central(air))
    undo_first, undo_second = push(first), push(second)
    assert current_source() is second
    undo_second()
    undo_second()
    assert current_source() is first
    undo_first()


async def test_each_task_may_use_a_central_of_its_own() -> None:
    air = VirtualAir()
    centrals = [await virtual_central(air) for _ in range(3)]

    async def phone(central: RadioDevice) -> None:
        with using(central, preferred_mtu=185):
            await asyncio.sleep(0.1)
            assert await asyncio.create_task(child()) is central

    async def child() -> object:
        await asyncio.sleep(0.1)
        assert current_source().preferred_mtu == 185
        return (await open_central(current_source())).device

    await asyncio.gather(*(phone(central) for central in centrals))
    with pytest.raises(BleakError):
        current_source()


async def test_a_provider_may_be_a_function_plain_or_async() -> None:
    device = await virtual_central(VirtualAir())

    async def later() -> RadioDevice:
        return device

    centrals = [await open_central(Source(provider)) for provider in (device, lambda: device, later)]
    assert all(central is centrals[0] for central in centrals)


async def test_a_central_that_is_off_is_not_available() -> None:
    device = await virtual_central(VirtualAir())
    await device.power_off()
    with pytest.raises(BleakBluetoothNotAvailableError, match="switched off"):
        await open_central(Source(device))


@pytest.mark.parametrize("mtu", [0, 22, 518, -1])
def test_an_mtu_out_of_range_is_refused(mtu: int) -> None:
    with pytest.raises(ValueError, match=f"{mtu} is not possible"):
        check_mtu(mtu)


async def test_scanning_goes_on_until_the_last_scanner_stops_and_is_active_while_one_wants_it() -> None:
    device = await virtual_central(VirtualAir())
    central = Central(device)
    await central.start_scan("one", active=False)
    assert device.scanning_is_passive
    await central.start_scan("two", active=True)
    assert not device.scanning_is_passive
    await central.stop_scan("two")
    assert device.scanning
    assert device.scanning_is_passive
    await central.stop_scan("one")
    await central.stop_scan("one")
    assert not device.scanning


async def test_a_refused_scan_is_a_bleak_error() -> None:
    device = await virtual_central(VirtualAir())
    await device.start_scanning()
    with pytest.raises(BleakError, match="scanning failed"):
        await Central(device).start_scan("one", active=True)


async def test_stopping_on_a_central_that_is_off_is_no_error() -> None:
    device = await virtual_central(VirtualAir())
    central = Central(device)
    await central.start_scan("one", active=True)
    await device.power_off()
    await central.stop_scan("one")


async def test_attempts_wait_for_each_other_and_one_given_up_while_waiting_harms_no_other() -> None:
    air = VirtualAir()
    thing = await peripheral.thing(air)
    central = Central(await virtual_central(air))
    first = asyncio.create_task(central.connect(thing.device.random_address))
    await asyncio.sleep(0.1)
    second = asyncio.create_task(central.connect(ABSENT))
    await asyncio.sleep(0.1)
    second.cancel()
    await asyncio.sleep(0.1)
    await thing.advertise()
    connection = await asyncio.wait_for(first, 1.0)
    assert connection.peer_address == thing.device.random_address
    await asyncio.wait({second})
    assert second.cancelled()


async def test_an_attempt_given_up_at_any_instant_leaves_the_controller_free() -> None:
    air = VirtualAir(latency_s=0.001)
    thing = await peripheral.thing(air)
    device = await virtual_central(air)
    central = Central(device)
    assert device.radio is not None
    for turns in range(40):
        await thing.advertise(interval_ms=20)
        attempt = asyncio.create_task(central.connect(thing.device.random_address))
        for _ in range(turns):
            await asyncio.sleep(0)
        attempt.cancel()
        await asyncio.wait({attempt})
        await asyncio.sleep(1.0)
        assert device.radio.pending_le_connection is None
        assert not device.connections or not attempt.cancelled()
        for connection in list(device.connections.values()):
            await connection.disconnect()
        await thing.device.stop_advertising()


async def test_connecting_where_a_connection_is_is_a_bleak_error() -> None:
    air = VirtualAir()
    thing = await peripheral.thing(air)
    central = Central(await virtual_central(air))
    await thing.advertise()
    await central.connect(thing.device.random_address)
    with pytest.raises(BleakError, match="connecting to"):
        await central.connect(thing.device.random_address)


async def test_a_central_switched_off_while_connecting_is_a_bleak_error() -> None:
    device = await virtual_central(VirtualAir())
    attempt = asyncio.create_task(Central(device).connect(ABSENT))
    await asyncio.sleep(1.0)
    await device.power_off()
    with pytest.raises(BleakError, match="switched off while connecting"):
        await attempt


async def test_a_connection_that_comes_about_while_giving_up_is_closed_again() -> None:
    air = VirtualAir()
    thing = await peripheral.thing(air)
    device = await virtual_central(air)
    attempt = asyncio.create_task(Central(device).connect(thing.device.random_address))
    device.on("connection", lambda _: attempt.cancel())
    await thing.advertise()
    await asyncio.wait({attempt})
    await asyncio.sleep(1.0)
    assert attempt.cancelled()
    assert len(thing.connections) == 1
    assert not device.connections
