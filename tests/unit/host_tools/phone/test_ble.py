"""Finding modules and a link to one, with unmodified bleak over the virtual radio."""

import asyncio

import pytest
from bleak import BleakScanner
from bleak.exc import BleakBluetoothNotAvailableError, BleakBluetoothNotAvailableReason, BleakError
from bumble.gatt import Characteristic, Service

from host_tools.bench.airlink import AirLink
from host_tools.phone.ble import BleakLink, find_module, find_modules
from host_tools.phone.client import Phone
from host_tools.phone.errors import LinkClosed, LinkFailed, NotFound
from host_tools.radio.devices import virtual_device
from protocol.messages import Done, Operation, PublicInfo
from tests.support.car_park import ParkedModule, car_park
from tests.support.module_peer import GRANTED, ModulePeer, seeded


async def link_to(parked: ParkedModule) -> BleakLink:
    found = await find_module(5.0)
    assert found is not None
    return BleakLink(found.device)


@pytest.mark.req("BLE-1")
async def test_a_filtered_scan_finds_modules_and_nothing_else() -> None:
    async with car_park(ModulePeer(1), ModulePeer(2)) as parked:
        stranger = await virtual_device(parked[0].air, "stranger")
        await stranger.start_advertising()
        found = await find_modules(1.0)
        assert len(found) == 2
        assert [one.rssi for one in found] == [-50, -50]
        first = await find_module(1.0)
        assert first is not None
        other = await find_module(1.0, frozenset({first.address}))
        assert other is not None
        assert {first.address, other.address} == {one.address for one in found}
        assert await find_module(1.0, frozenset({first.address, other.address})) is None
        await stranger.power_off()


@pytest.mark.parametrize("mtu", [23, 185, 247, 517])
@pytest.mark.req("BLE-1", "ACC-1")
async def test_a_phone_opens_drives_and_closes_over_ble_at_any_mtu(mtu: int) -> None:
    peer = ModulePeer()
    async with car_park(peer, mtu=mtu) as (parked,):
        link = await link_to(parked)
        async with Phone(link, peer.booking_file(), peer.holder, entropy=seeded(7)) as phone:
            assert link.payload == min(mtu - 3, 514)
            assert phone.access == GRANTED
            assert await phone.unlock() == Done()
            assert await phone.enable_drive() == Done()
            await phone.put(bytes(4000))
            assert await phone.lock() == Done()
    assert peer.head.executed == [Operation.UNLOCK, Operation.ENABLE_DRIVE, Operation.LOCK]
    assert link.payload == 20


@pytest.mark.req("BLE-2")
async def test_when_the_module_hangs_up_the_phone_knows_and_can_come_back() -> None:
    peer = ModulePeer()
    async with car_park(peer) as (parked,):
        phone = Phone(await link_to(parked), peer.booking_file(), peer.holder, entropy=seeded(7))
        await phone.open()
        await parked.hang_up()
        await phone.closed.wait()
        with pytest.raises(LinkClosed, match="hung up"):
            await phone.unlock()
        assert await phone.open() == GRANTED
        await phone.close()


@pytest.mark.req("ACC-7")
async def test_a_lost_acknowledgement_is_settled_over_a_new_connection() -> None:
    peer = ModulePeer()
    async with car_park(peer) as (parked,):
        phone = Phone(await link_to(parked), peer.booking_file(), peer.holder, entropy=seeded(7))
        await phone.open()
        peer.head.mute = True
        unlocking = asyncio.create_task(phone.reliably(Operation.UNLOCK))
        await asyncio.sleep(1.0)
        peer.head.mute = False
        settled = await unlocking
        assert settled.tries == 2
        assert peer.head.executed == [Operation.UNLOCK]
        await phone.close()


async def test_a_power_cut_of_the_module_ends_the_session_within_seconds() -> None:
    peer = ModulePeer()
    async with car_park(peer) as (parked,):
        phone = Phone(await link_to(parked), peer.booking_file(), peer.holder, entropy=seeded(7))
        await phone.open()
        parked.air.power_cut(parked.controller)
        async with asyncio.timeout(10):
            with pytest.raises(LinkClosed):
                await phone.unlock()
        assert not phone.is_open
        await phone.close()
        with pytest.raises(LinkFailed, match="cannot connect to the module"):
            await phone.open()


async def test_the_public_information_is_read_on_request() -> None:
    peer = ModulePeer()
    heard: list[PublicInfo] = []
    async with car_park(peer):
        found = await find_module(5.0)
        assert found is not None
        link = BleakLink(found.device, on_public_info=heard.append)
        await link.connect(lambda _: None, lambda: None)
        await link.close()
        await link.close()
    assert heard == [PublicInfo()]


async def test_a_device_without_the_sharing_service_is_refused() -> None:
    async with car_park(ModulePeer()) as (parked,):
        other = await virtual_device(parked.air, "other", "C4:00:00:00:00:99")
        other.add_service(
            Service(
                "180A",
                [Characteristic("2A29", Characteristic.Properties.READ, Characteristic.Permissions.READABLE, b"x")],
            )
        )
        await other.start_advertising()
        device = await BleakScanner.find_device_by_address("C4:00:00:00:00:99")
        assert device is not None
        with pytest.raises(LinkFailed, match="does not offer the sharing service"):
            await BleakLink(device).connect(lambda _: None, lambda: None)
        await other.power_off()


async def test_an_absent_address_and_a_link_that_is_not_connected_are_reported() -> None:
    async with car_park(ModulePeer()):
        with pytest.raises(LinkFailed, match="cannot connect to the module"):
            await BleakLink("C4:00:00:00:00:77", timeout_s=2.0).connect(lambda _: None, lambda: None)
        with pytest.raises(LinkFailed, match="not connected"):
            await BleakLink("C4:00:00:00:00:77").write(b"x")


async def test_a_connection_that_is_cancelled_leaves_nothing_behind() -> None:
    peer = ModulePeer()
    async with car_park(peer) as (parked,):
        link = await link_to(parked)
        connecting = asyncio.create_task(link.connect(lambda _: None, lambda: None))
        await parked.opened.wait()
        connecting.cancel()
        await asyncio.wait([connecting])
        assert connecting.cancelled()
        await asyncio.sleep(1.0)
        assert parked.sessions == {}


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (FileNotFoundError(2, "No such file or directory"), "no Bluetooth service"),
        (OSError("bus gone"), "bus gone"),
        (EOFError(), "EOFError"),
        (
            BleakBluetoothNotAvailableError("switched off.", BleakBluetoothNotAvailableReason.POWERED_OFF),
            "switched off. Check",
        ),
    ],
)
async def test_a_machine_without_a_radio_is_told_what_to_do(
    error: Exception, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Broken:
        def __init__(self, *_args: object, **_kwargs: object) -> None:
            raise error

    monkeypatch.setattr("bleak.get_platform_scanner_backend_type", lambda: (Broken, "broken"))
    with pytest.raises(NotFound, match=why):
        await find_modules(1.0)
    with pytest.raises(NotFound, match="--link virtual"):
        await find_module(1.0)


@pytest.mark.parametrize(("adapter", "asked"), [("", {}), ("hci1", {"adapter": "hci1"})])
async def test_the_adapter_that_is_named_is_the_one_that_listens(
    adapter: str, asked: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[object] = []

    class Named:
        def __init__(self, *_args: object, bluez: object, **_kwargs: object) -> None:
            told.append(bluez)
            raise BleakError("no such adapter")

    monkeypatch.setattr("bleak.get_platform_scanner_backend_type", lambda: (Named, "named"))
    with pytest.raises(NotFound, match="no such adapter"):
        await find_module(1.0, adapter=adapter)
    with pytest.raises(NotFound, match="no such adapter"):
        await AirLink(hci=adapter).connect(lambda _: None, lambda: None)
    assert told == [asked, asked]
