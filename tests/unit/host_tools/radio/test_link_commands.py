"""What a virtual controller does with a connection it has."""

from __future__ import annotations

import asyncio

import pytest
from bumble import hci
from bumble.device import Connection

from host_tools.radio.air import VirtualAir
from host_tools.radio.devices import RadioDevice, virtual_central
from tests.support import peripheral
from tests.support.peripheral import Thing

NOWHERE = 0x0EFF


class Ends:
    """A connected pair: `near` is the central's connection, `far` the peripheral's."""

    def __init__(self, air: VirtualAir, thing: Thing, central: RadioDevice, near: Connection) -> None:
        self.air, self.thing, self.central, self.near = air, thing, central, near
        self.far: Connection = thing.connections[0]


@pytest.fixture
async def ends() -> Ends:
    air = VirtualAir(rssi_dbm=lambda sender, _receiver: -70.0 if sender.name == "thing" else 0.0)
    thing = await peripheral.thing(air)
    central = await virtual_central(air)
    await thing.advertise()
    near = await central.connect(thing.device.random_address)
    await asyncio.sleep(0.1)
    return Ends(air, thing, central, near)


async def rssi_dbm(connection: Connection) -> int:
    command = hci.HCI_Read_RSSI_Command(handle=connection.handle)
    return (await connection.device.send_sync_command(command)).rssi


async def test_signal_strength_is_that_of_the_peer_at_this_end(ends: Ends) -> None:
    assert await rssi_dbm(ends.near) == -70
    assert await rssi_dbm(ends.far) == 0
    ends.air.out_of_range(ends.thing.radio)
    assert await rssi_dbm(ends.near) == 127


async def test_a_phy_is_set_for_both_ends(ends: Ends) -> None:
    heard: list[str] = []
    ends.far.on("connection_phy_update", lambda _phy: heard.append("far"))
    await ends.near.set_phy([hci.Phy.LE_2M], [hci.Phy.LE_1M])
    await asyncio.sleep(0.1)
    near, far = await ends.near.get_phy(), await ends.far.get_phy()
    assert (near.tx_phy, near.rx_phy) == (far.rx_phy, far.tx_phy) == (hci.Phy.LE_2M, hci.Phy.LE_1M)
    assert heard == ["far"]
    await ends.near.set_phy([hci.Phy.LE_2M])
    await asyncio.sleep(0.1)
    assert heard == ["far"]


async def test_a_data_length_is_reported_to_both_ends(ends: Ends) -> None:
    await ends.near.set_data_length(251, 2120)
    await asyncio.sleep(0.1)
    for end in (ends.near, ends.far):
        assert (end.data_length.max_tx_octets, end.data_length.max_rx_octets) == (251, 251)


async def test_reasons_of_a_disconnection_are_those_of_real_controllers(ends: Ends) -> None:
    reasons: dict[str, int] = {}
    ends.near.on("disconnection", lambda reason: reasons.setdefault("near", reason))
    ends.far.on("disconnection", lambda reason: reasons.setdefault("far", reason))
    await ends.far.disconnect(hci.HCI_ErrorCode.REMOTE_DEVICE_TERMINATED_CONNECTION_DUE_TO_POWER_OFF_ERROR)
    await asyncio.sleep(0.1)
    assert reasons == {"far": 0x16, "near": 0x15}


@pytest.mark.req("BLE-2")
async def test_a_peripheral_that_hung_up_can_be_connected_to_again(ends: Ends) -> None:
    await ends.far.disconnect()
    await ends.thing.advertise()
    await ends.central.connect(ends.thing.device.random_address, timeout=1.0)
    assert len(ends.thing.connections) == 2


@pytest.mark.parametrize("by_l2cap", [False, True])
async def test_new_parameters_reach_both_ends_and_set_the_timeout(ends: Ends, by_l2cap: bool) -> None:
    await ends.far.update_parameters(30, 30, 0, 4000, use_l2cap=by_l2cap)
    await asyncio.sleep(0.5)
    assert ends.near.parameters == ends.far.parameters
    assert ends.near.parameters.supervision_timeout == 4000
    began = asyncio.get_running_loop().time()
    ended: list[float] = []
    ends.near.on("disconnection", lambda _: ended.append(asyncio.get_running_loop().time()))
    ends.far.on("disconnection", lambda _: ended.append(asyncio.get_running_loop().time()))
    ends.air.out_of_range(ends.thing.radio)
    await asyncio.sleep(10.0)
    assert ended == [pytest.approx(began + 4.0)] * 2


async def test_commands_for_a_connection_that_is_gone_are_refused(ends: Ends) -> None:
    host = ends.central.host
    unknown = hci.HCI_ErrorCode.UNKNOWN_CONNECTION_IDENTIFIER_ERROR
    rssi = await host.send_sync_command_raw(hci.HCI_Read_RSSI_Command(handle=NOWHERE))
    phy = await host.send_sync_command_raw(hci.HCI_LE_Read_PHY_Command(connection_handle=NOWHERE))
    length = await host.send_sync_command_raw(hci.HCI_LE_Set_Data_Length_Command(NOWHERE, 251, 2120))
    assert rssi.return_parameters.status == unknown
    assert phy.return_parameters.status == unknown
    assert length.return_parameters.status == unknown
    commands: list[hci.HCI_AsyncCommand] = [
        hci.HCI_Disconnect_Command(NOWHERE, 0x13),
        hci.HCI_LE_Set_PHY_Command(NOWHERE, 0, 1, 1, 0),
        hci.HCI_LE_Connection_Update_Command(NOWHERE, 24, 24, 0, 400, 0, 0),
    ]
    statuses = [await host.send_async_command(command, check_status=False) for command in commands]
    assert statuses == [unknown] * 3
