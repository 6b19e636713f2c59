"""Connecting, scanning and resetting a virtual controller, through its HCI."""

from __future__ import annotations

import asyncio

import pytest
from bumble import core, hci
from bumble.device import Device, DeviceConfiguration
from bumble.host import Host

from host_tools.radio.air import VirtualAir
from host_tools.radio.controller import virtual_controller
from host_tools.radio.devices import virtual_central
from tests.support import peripheral

ABSENT = hci.Address("C4:99:99:99:99:99")


def now() -> float:
    return asyncio.get_running_loop().time()


async def test_connecting_to_an_absent_peer_times_out_and_the_next_attempt_works() -> None:
    air = VirtualAir()
    thing, central = await peripheral.thing(air), await virtual_central(air)
    await thing.advertise()
    with pytest.raises(core.TimeoutError):
        await central.connect(ABSENT, timeout=0.5)
    assert now() == 0.5
    assert not central.is_le_connecting
    assert not air.has_listeners()
    await central.connect(thing.device.random_address, timeout=1.0)
    assert len(thing.connections) == 1


async def test_cancelling_without_an_attempt_is_refused() -> None:
    central = await virtual_central(VirtualAir())
    with pytest.raises(hci.HCI_Error) as refused:
        await central.send_sync_command(hci.HCI_LE_Create_Connection_Cancel_Command())
    assert refused.value.error_code == hci.HCI_ErrorCode.COMMAND_DISALLOWED_ERROR


async def test_a_second_connection_to_the_same_peer_is_refused() -> None:
    air = VirtualAir()
    thing, central = await peripheral.thing(air), await virtual_central(air)
    await thing.advertise()
    await central.connect(thing.device.random_address)
    with pytest.raises(hci.HCI_Error) as refused:
        await central.connect(thing.device.random_address)
    assert refused.value.error_code == hci.HCI_ErrorCode.CONNECTION_ALREADY_EXISTS_ERROR


async def test_the_parameters_of_the_central_reach_the_peripheral() -> None:
    air = VirtualAir()
    thing, central = await peripheral.thing(air), await virtual_central(air)
    await thing.advertise()
    connection = await central.connect(thing.device.random_address)
    assert thing.connections[0].parameters == connection.parameters
    assert connection.parameters.supervision_timeout == 720


async def test_of_two_centrals_that_want_the_same_peripheral_one_gets_it() -> None:
    air = VirtualAir(latency_s=0.01)
    thing = await peripheral.thing(air)
    centrals = [await virtual_central(air) for _ in range(2)]
    await thing.advertise()
    address = thing.device.random_address
    results = await asyncio.gather(
        *(central.connect(address, timeout=1.0) for central in centrals), return_exceptions=True
    )
    assert [isinstance(result, core.TimeoutError) for result in results].count(True) == 1
    assert len(thing.connections) == 1


async def test_a_reset_silences_the_controller_and_its_peers_time_out() -> None:
    air = VirtualAir()
    thing, central = await peripheral.thing(air), await virtual_central(air)
    await thing.advertise()
    connection = await central.connect(thing.device.random_address)
    reasons: list[int] = []
    connection.on("disconnection", reasons.append)
    await thing.advertise()
    await thing.device.reset()
    assert not thing.radio.is_advertising
    assert list(thing.radio.connections()) == []
    await asyncio.sleep(2.0)
    assert reasons == [0x08]


async def test_an_unknown_command_is_answered() -> None:
    host = Host(*virtual_controller(VirtualAir(), "radio").as_host_transport())
    await host.reset()
    answer = await host.send_command(hci.HCI_Command(b"", op_code=0xFCEE), response_timeout=1.0)  # type: ignore[call-overload]  # a vendor command has no class
    assert answer.status == hci.HCI_ErrorCode.UNKNOWN_HCI_COMMAND_ERROR
    status = await host.send_async_command(hci.HCI_LE_CS_Test_End_Command(), check_status=False, response_timeout=1.0)
    assert status == hci.HCI_ErrorCode.UNKNOWN_HCI_COMMAND_ERROR
    with pytest.raises(hci.HCI_Error) as refused:
        await host.send_sync_command(hci.HCI_Inquiry_Cancel_Command())
    assert refused.value.error_code == hci.HCI_ErrorCode.UNKNOWN_HCI_COMMAND_ERROR


async def test_random_numbers_are_the_same_in_each_run_and_differ_between_calls_and_radios() -> None:
    async def numbers(address: str) -> list[bytes]:
        host = Host(*virtual_controller(VirtualAir(), "radio", address).as_host_transport())
        await host.reset()
        return [(await host.send_sync_command(hci.HCI_LE_Rand_Command())).random_number for _ in range(3)]

    one, again, other = [await numbers(f"00:5B:00:00:00:0{n}") for n in (1, 1, 2)]
    assert one == again
    assert len(set(one + other)) == 6


async def test_the_accept_list_says_whom_to_connect_to_and_whom_to_report() -> None:
    air = VirtualAir()
    thing, other = await peripheral.thing(air), await peripheral.thing(air, "other")
    central = await virtual_central(air)
    for advertiser in (thing, other):
        await advertiser.advertise()
    wanted = thing.device.random_address
    add = hci.HCI_LE_Add_Device_To_Filter_Accept_List_Command(int(wanted.address_type), wanted)
    await central.send_sync_command(add)
    await central.send_sync_command(hci.HCI_LE_Set_Scan_Parameters_Command(1, 0x10, 0x10, hci.OwnAddressType.RANDOM, 1))
    heard: set[str] = set()
    central.on("advertisement", lambda advertisement: heard.add(str(advertisement.address)))
    await central.send_sync_command(hci.HCI_LE_Set_Scan_Enable_Command(1, 0))
    await asyncio.sleep(1.0)
    assert heard == {thing.address}
    central.connect_own_address_type = hci.OwnAddressType.RANDOM
    await central.send_async_command(by_accept_list())
    await asyncio.sleep(1.0)
    assert [connection.peer_address for connection in central.connections.values()] == [wanted]
    remove = hci.HCI_LE_Remove_Device_From_Filter_Accept_List_Command(int(wanted.address_type), wanted)
    await central.send_sync_command(remove)
    await thing.advertise()
    await central.send_async_command(by_accept_list())
    await asyncio.sleep(1.0)
    assert len(central.connections) == 1


def by_accept_list() -> hci.HCI_LE_Create_Connection_Command:
    return hci.HCI_LE_Create_Connection_Command(
        le_scan_interval=16,
        le_scan_window=16,
        initiator_filter_policy=1,
        peer_address_type=0,
        peer_address=hci.Address.ANY,
        own_address_type=hci.OwnAddressType.RANDOM,
        connection_interval_min=12,
        connection_interval_max=12,
        max_latency=0,
        supervision_timeout=72,
        min_ce_length=0,
        max_ce_length=0,
    )


async def test_the_accept_list_is_bounded_and_can_be_cleared() -> None:
    central = await virtual_central(VirtualAir())
    assert central.radio is not None

    async def add(n: int) -> None:
        address = hci.Address(f"C0:00:00:00:00:{n:02X}")
        await central.send_sync_command(
            hci.HCI_LE_Add_Device_To_Filter_Accept_List_Command(int(address.address_type), address)
        )

    size = central.radio.filter_accept_list_size
    for n in range(size):
        await add(n)
    await add(0)
    with pytest.raises(hci.HCI_Error):
        await add(size)
    await central.send_sync_command(hci.HCI_LE_Clear_Filter_Accept_List_Command())
    await add(size)


async def test_scan_parameters_do_not_change_while_scanning() -> None:
    central = await virtual_central(VirtualAir())
    await central.start_scanning()
    with pytest.raises(hci.HCI_Error):
        await central.start_scanning(active=False)
    await central.stop_scanning()
    await central.start_scanning(legacy=True)
    with pytest.raises(hci.HCI_Error):
        await central.start_scanning(legacy=True)


async def test_an_unplugged_controller_is_silent_and_can_be_plugged_in_again() -> None:
    air = VirtualAir()
    controller = virtual_controller(air, "dongle")
    central = await virtual_central(air)
    for _ in range(2):
        async with controller.attached() as (source, sink):
            device = Device(
                config=DeviceConfiguration(address=hci.Address("C4:00:00:00:00:01")), host=Host(source, sink)
            )
            await device.power_on()
            await device.start_advertising()
            connection = await central.connect(device.random_address, timeout=5.0)
        reasons: list[int] = []
        connection.on("disconnection", reasons.append)
        await asyncio.sleep(1.0)
        assert reasons == [0x08]
        assert controller.host is None


async def test_a_controller_without_power_neither_hears_nor_answers_its_host() -> None:
    air = VirtualAir()
    controller = virtual_controller(air, "dark")
    host = Host(*controller.as_host_transport())
    await host.reset()
    air.power_cut(controller)
    with pytest.raises(asyncio.TimeoutError):
        await host.send_sync_command(hci.HCI_LE_Rand_Command(), response_timeout=5.0)
    assert now() == 5.0


async def test_a_central_may_use_its_public_address() -> None:
    air = VirtualAir()
    thing, central = await peripheral.thing(air), await virtual_central(air)
    await thing.advertise()
    await central.connect(thing.device.random_address, own_address_type=hci.OwnAddressType.PUBLIC)
    assert thing.connections[0].peer_address == central.public_address


async def test_an_advertisement_heard_too_late_makes_no_connection() -> None:
    air = VirtualAir(latency_s=0.05)
    thing, central = await peripheral.thing(air), await virtual_central(air)
    attempt = asyncio.create_task(central.connect(thing.device.random_address, timeout=1.0))
    await asyncio.sleep(0.1)
    await thing.advertise(interval_ms=1000)
    await thing.device.stop_advertising()
    with pytest.raises(core.TimeoutError):
        await attempt
    assert not thing.connections
    await thing.advertise(interval_ms=1000)
    attempt = asyncio.create_task(central.connect(thing.device.random_address, timeout=1.0))
    await asyncio.sleep(0.01)
    air.out_of_range(thing.radio)
    with pytest.raises(core.TimeoutError):
        await attempt
    assert not thing.connections


async def test_the_extended_command_connects_as_well() -> None:
    air = VirtualAir()
    thing, central = await peripheral.thing(air), await virtual_central(air)
    await thing.advertise()
    central.connect_own_address_type = hci.OwnAddressType.RANDOM
    await central.send_async_command(
        hci.HCI_LE_Extended_Create_Connection_Command(
            initiator_filter_policy=0,
            own_address_type=hci.OwnAddressType.RANDOM,
            peer_address_type=thing.device.random_address.address_type,
            peer_address=thing.device.random_address,
            initiating_phys=1,
            scan_intervals=[16],
            scan_windows=[16],
            connection_interval_mins=[24],
            connection_interval_maxs=[40],
            max_latencies=[1],
            supervision_timeouts=[300],
            min_ce_lengths=[0],
            max_ce_lengths=[0],
        )
    )
    await asyncio.sleep(1.0)
    parameters = thing.connections[0].parameters
    assert (parameters.connection_interval, parameters.peripheral_latency) == (30.0, 1)
    assert parameters.supervision_timeout == 3000
