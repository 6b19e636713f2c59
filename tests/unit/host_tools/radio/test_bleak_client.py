"""bleak's client over the virtual radio, as bleak code sees it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest
from bleak import BleakClient, BleakScanner
from bleak.backends.device import BLEDevice
from bleak.exc import (
    BleakCharacteristicNotFoundError,
    BleakDeviceNotFoundError,
    BleakError,
    BleakGATTProtocolError,
)
from bumble.pairing import PairingConfig, PairingDelegate

from host_tools.radio.air import VirtualAir
from host_tools.radio.bleak_backend import install
from host_tools.radio.devices import virtual_central
from tests.support import peripheral
from tests.support.peripheral import (
    ECHO,
    ENCRYPTED,
    EVENTS,
    LABEL,
    LONG,
    REFUSING,
    SERVICE,
    SLOW,
    SLOW_S,
    Thing,
)


def now() -> float:
    return asyncio.get_running_loop().time()


@pytest.fixture
def air() -> VirtualAir:
    return VirtualAir(latency_s=0.005)


@pytest.fixture
async def thing(air: VirtualAir) -> AsyncIterator[Thing]:
    thing = await peripheral.thing(air)
    await thing.advertise()
    undo = install(await virtual_central(air))
    yield thing
    undo()


async def found(thing: Thing) -> BLEDevice:
    device = await BleakScanner.find_device_by_address(thing.address, timeout=1.0)
    assert device is not None
    return device


async def test_a_client_connects_discovers_and_closes(thing: Thing) -> None:
    gone: list[BleakClient] = []
    device = await found(thing)
    async with BleakClient(device, disconnected_callback=gone.append) as client:
        assert client.is_connected
        assert client.mtu_size == 517
        assert client.name == "thing"
        assert client.backend_id == "BleakClientVirtual"
        service = client.services.get_service(SERVICE)
        assert service is not None
        echo = service.get_characteristic(ECHO)
        assert echo is not None
        assert echo.properties == ["write-without-response", "write"]
        assert echo.max_write_without_response_size == 514
    assert not client.is_connected
    assert gone == [client]
    with pytest.raises(BleakError, match="Service Discovery"):
        _ = client.services


async def test_an_address_as_text_is_looked_for_on_the_air(thing: Thing) -> None:
    async with BleakClient(thing.address.lower()) as client:
        assert bytes(await client.read_gatt_char(LONG)) == peripheral.LONG_VALUE


async def test_an_address_that_nobody_advertises_is_not_found(thing: Thing) -> None:
    began = now()
    with pytest.raises(BleakDeviceNotFoundError):
        await BleakClient("C0:99:99:99:99:99", timeout=3.0).connect()
    assert now() - began == pytest.approx(3.0, abs=0.1)


async def test_connecting_to_a_device_that_has_left_times_out_and_the_next_attempt_works(
    air: VirtualAir, thing: Thing
) -> None:
    device = await found(thing)
    air.out_of_range(thing.radio)
    began = now()
    with pytest.raises(TimeoutError):
        await BleakClient(device, timeout=4.0).connect()
    assert now() - began == pytest.approx(4.0)
    air.in_range(thing.radio)
    async with BleakClient(device, timeout=4.0) as client:
        assert client.is_connected


async def test_a_caller_that_gives_up_leaves_nothing_pending(air: VirtualAir, thing: Thing) -> None:
    device = await found(thing)
    air.out_of_range(thing.radio)
    task = asyncio.create_task(BleakClient(device).connect())
    await asyncio.sleep(1.0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.sleep(1.0)
    air.in_range(thing.radio)
    await asyncio.sleep(1.0)
    assert not thing.connections


async def test_only_the_wanted_services_are_shown(thing: Thing) -> None:
    async with BleakClient(await found(thing), services=[SERVICE]) as client:
        assert [service.uuid for service in client.services] == [SERVICE]


async def test_what_is_written_comes_back_as_notifications_in_order(thing: Thing) -> None:
    got: list[bytes] = []
    done = asyncio.Event()

    def on_value(_characteristic: object, value: bytearray) -> None:
        got.append(bytes(value))
        if len(got) == 40:
            done.set()

    async with BleakClient(await found(thing)) as client:
        await client.start_notify(EVENTS, on_value)
        for n in range(40):
            await client.write_gatt_char(ECHO, bytes([n]) * 20, response=n % 2 == 0)
        async with asyncio.timeout(5):
            await done.wait()
        await client.stop_notify(EVENTS)
        await client.write_gatt_char(ECHO, b"unheard", response=True)
        await asyncio.sleep(1.0)
    assert got == [bytes([n]) * 20 for n in range(40)]
    assert thing.written[-1] == b"unheard"


async def test_indications_arrive_too(thing: Thing) -> None:
    got: list[bytes] = []
    async with BleakClient(await found(thing)) as client:
        await client.start_notify(peripheral.COUNTS, lambda _c, value: got.append(bytes(value)))
        await thing.device.gatt_server.indicate_subscribers(thing.counts, b"\x01")
        await asyncio.sleep(0.1)
    assert got == [b"\x01"]


async def test_starting_notifications_twice_or_stopping_them_unstarted_is_an_error(thing: Thing) -> None:
    async with BleakClient(await found(thing)) as client:
        with pytest.raises(BleakError, match="not started"):
            await client.stop_notify(EVENTS)
        await client.start_notify(EVENTS, lambda _c, _v: None)
        with pytest.raises(BleakError, match="already started"):
            await client.start_notify(EVENTS, lambda _c, _v: None)
        with pytest.raises(BleakError, match="no notifications"):
            await client.start_notify(LONG, lambda _c, _v: None)


async def test_descriptors_are_read_and_written(thing: Thing) -> None:
    async with BleakClient(await found(thing)) as client:
        characteristic = client.services.get_characteristic(LONG)
        assert characteristic is not None
        label = characteristic.get_descriptor(LABEL)
        assert label is not None
        assert bytes(await client.read_gatt_descriptor(label)) == b"a long text"
        await client.write_gatt_descriptor(label, b"shorter")
        assert bytes(await client.read_gatt_descriptor(label)) == b"shorter"


async def test_a_cached_value_is_not_read_again(thing: Thing) -> None:
    async with BleakClient(await found(thing)) as client:
        await client.read_gatt_char(LONG)
        before = now()
        assert bytes(await client.read_gatt_char(LONG, use_cached=True)) == peripheral.LONG_VALUE
        assert now() == before


async def test_att_errors_keep_their_codes(thing: Thing) -> None:
    async with BleakClient(await found(thing)) as client:
        with pytest.raises(BleakGATTProtocolError) as read:
            await client.read_gatt_char(REFUSING)
        assert read.value.code.name == "INSUFFICIENT_AUTHORIZATION"
        with pytest.raises(BleakGATTProtocolError) as written:
            await client.write_gatt_char(REFUSING, b"x", response=True)
        assert written.value.code.name == "VALUE_NOT_ALLOWED"
        with pytest.raises(BleakCharacteristicNotFoundError):
            await client.read_gatt_char("0000ffff-0000-1000-8000-00805f9b34fb")


async def test_a_link_that_drops_during_an_operation_is_a_bleak_error_and_no_cancellation(
    air: VirtualAir, thing: Thing
) -> None:
    gone = asyncio.Event()
    client = BleakClient(await found(thing), disconnected_callback=lambda _: gone.set())
    await client.connect()
    began = now()
    asyncio.get_running_loop().call_later(1.0, air.power_cut, thing.radio)
    with pytest.raises(BleakError, match="disconnected"):
        await client.write_gatt_char(SLOW, b"x", response=True)
    assert now() - began == pytest.approx(1.72, abs=0.02)
    assert gone.is_set()
    assert not client.is_connected
    with pytest.raises(BleakError):
        await client.write_gatt_char(ECHO, b"x", response=True)
    await client.disconnect()
    await asyncio.sleep(SLOW_S)


async def test_a_peer_that_hangs_up_ends_every_waiting_operation(thing: Thing) -> None:
    client = BleakClient(await found(thing))
    await client.connect()
    slow = [asyncio.create_task(client.write_gatt_char(SLOW, b"x", response=True)) for _ in range(3)]
    await asyncio.sleep(0.1)
    await thing.connections[0].disconnect()
    results = await asyncio.gather(*slow, return_exceptions=True)
    assert [type(result) for result in results] == [BleakError] * 3
    await asyncio.sleep(SLOW_S)


async def test_an_operation_given_up_does_not_disturb_the_next_one(thing: Thing) -> None:
    async with BleakClient(await found(thing)) as client:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1.0):
                await client.write_gatt_char(SLOW, b"x", response=True)
        assert bytes(await client.read_gatt_char(LONG)) == peripheral.LONG_VALUE


async def test_a_link_that_drops_while_discovering_is_a_bleak_error(air: VirtualAir, thing: Thing) -> None:
    device = await found(thing)
    client = BleakClient(device)
    thing.device.on(thing.device.EVENT_CONNECTION, lambda _: air.out_of_range(thing.radio))
    with pytest.raises(BleakError, match="disconnected"):
        await client.connect()
    assert not client.is_connected


async def test_connecting_twice_is_an_error(thing: Thing) -> None:
    async with BleakClient(await found(thing)) as client:
        with pytest.raises(BleakError, match="already connected"):
            await client.connect()
        assert client.is_connected


async def test_pairing_opens_what_needs_encryption_and_unpairing_forgets_it(thing: Thing) -> None:
    device = await found(thing)
    client = BleakClient(device)
    await client.connect()
    with pytest.raises(BleakGATTProtocolError) as refused:
        await client.read_gatt_char(ENCRYPTED)
    assert refused.value.code.name == "INSUFFICIENT_ENCRYPTION"
    await client.pair()
    await client.pair()
    assert bytes(await client.read_gatt_char(ENCRYPTED)) == b"secret"
    await client.disconnect()

    await thing.advertise()
    async with BleakClient(device) as again:
        assert bytes(await again.read_gatt_char(ENCRYPTED)) == b"secret"
        await again.unpair()
        assert not again.is_connected
    with pytest.raises(BleakDeviceNotFoundError):
        await again.unpair()


async def test_a_client_may_pair_while_connecting(thing: Thing) -> None:
    async with BleakClient(await found(thing), pair=True) as client:
        assert bytes(await client.read_gatt_char(ENCRYPTED)) == b"secret"


@pytest.mark.parametrize("mtu", [23, 24, 185, 247, 517])
@pytest.mark.req("BLE-1")
async def test_the_mtu_asked_for_is_the_mtu_used(thing: Thing, mtu: int) -> None:
    got: list[bytes] = []
    async with BleakClient(await found(thing), preferred_mtu=mtu) as client:
        assert client.mtu_size == mtu
        assert bytes(await client.read_gatt_char(LONG)) == peripheral.LONG_VALUE
        await client.start_notify(EVENTS, lambda _c, value: got.append(bytes(value)))
        longest = bytes(min(mtu - 3, 512))  # 512 is the longest value of an attribute
        await client.write_gatt_char(ECHO, longest, response=False)
        with pytest.raises(BleakError, match=f"at most {mtu - 3}"):
            await client.write_gatt_char(ECHO, bytes(mtu - 2), response=False)
        await asyncio.sleep(0.5)
    assert got == [longest]


@pytest.mark.parametrize("mtu", [22, 518])
async def test_an_impossible_mtu_is_refused(thing: Thing, mtu: int) -> None:
    with pytest.raises(ValueError, match="23 to 517"):
        BleakClient(thing.address, preferred_mtu=mtu)


async def test_a_link_that_drops_while_subscribing_leaves_no_subscription(air: VirtualAir, thing: Thing) -> None:
    device = await found(thing)
    async with BleakClient(device) as client:
        air.power_cut(thing.radio)
        with pytest.raises(BleakError, match="subscribing failed: disconnected"):
            await client.start_notify(EVENTS, lambda _c, _v: None)


async def test_a_failed_pairing_is_a_bleak_error(thing: Thing) -> None:
    thing.device.pairing_config_factory = lambda _: PairingConfig(delegate=Refusing())
    async with BleakClient(await found(thing)) as client:
        with pytest.raises(BleakError, match="pairing failed"):
            await client.pair()


class Refusing(PairingDelegate):
    """Nobody may pair."""

    async def accept(self) -> bool:
        return False


async def test_an_operation_that_misses_its_cancellation_ends_with_the_link_all_the_same(
    air: VirtualAir, thing: Thing
) -> None:
    async def misses_one(_link: object) -> None:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        await asyncio.Event().wait()

    async with BleakClient(await found(thing)) as client:
        running = asyncio.create_task(client._backend._run(misses_one, "it"))  # type: ignore[attr-defined]
        await asyncio.sleep(0.1)
        air.drop(thing.radio)
        with pytest.raises(BleakError, match="it failed: disconnected"):
            async with asyncio.timeout(1):
                await running
