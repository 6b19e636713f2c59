"""A virtual BLE controller: Bumble's, with the behaviour that real controllers have and it lacks.

Decides: what each HCI command of scanning, advertising and connecting does (of a connection: link_commands).
Refuses to know: who is in range (the air), and everything above the HCI.

Bumble's own emulation serves as the base for the many commands that only have to be answered. Nothing of the
installed package is patched.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncIterator, Callable, Iterator
from typing import TYPE_CHECKING, TypeVar, cast

from bumble import hci
from bumble.transport.common import AsyncPipeSink, TransportSink, TransportSource

from host_tools.radio.advertising import Advertisement, AdvertisingSet, LegacyAdvertiser, Scanner
from host_tools.radio.connection import ACL_BYTES, Parameters, VirtualConnection
from host_tools.radio.link_commands import LinkCommands

if TYPE_CHECKING:
    from host_tools.radio.air import VirtualAir

Status = hci.HCI_StatusReturnParameters
Error = hci.HCI_ErrorCode
Create = TypeVar("Create", hci.HCI_LE_Create_Connection_Command, hci.HCI_LE_Extended_Create_Connection_Command)

_PUBLIC_OWN_ADDRESS = (hci.OwnAddressType.PUBLIC, hci.OwnAddressType.RESOLVABLE_OR_PUBLIC)


def virtual_controller(air: VirtualAir, name: str, address: str | None = None) -> VirtualController:
    """A controller on `air`.

    Args:
        name: for frames and messages.
        address: its public address; without one it gets an address of its own, the same in each run.
    """
    return VirtualController(air, name, address or air.new_address(public=True))


class VirtualController(LinkCommands):
    """One radio on a `VirtualAir`. Make it with `virtual_controller`."""

    def __init__(
        self,
        air: VirtualAir,
        name: str,
        address: str,
        *,
        host_source: TransportSource | None = None,
        host_sink: TransportSink | None = None,
    ) -> None:
        self.air = air
        self.powered = True
        self.scanner = Scanner()
        self._accept_list: dict[hci.Address, None] = {}
        self._randoms = 0
        public = hci.Address(address, hci.Address.PUBLIC_DEVICE_ADDRESS)
        super().__init__(name, host_source, host_sink, air, public)
        self.acl_data_packet_length = self.le_acl_data_packet_length = ACL_BYTES
        self.supported_max_tx_octets = self.supported_max_rx_octets = ACL_BYTES
        self.suggested_max_tx_octets = ACL_BYTES
        self.le_legacy_advertiser: LegacyAdvertiser = LegacyAdvertiser(self)

    __hash__ = object.__hash__

    # The host's side

    def as_host_transport(self) -> tuple[TransportSource, TransportSink]:
        """Source and sink for a `bumble.host.Host`."""
        return cast(TransportSource, self), AsyncPipeSink(self)

    @contextlib.asynccontextmanager
    async def attached(self) -> AsyncIterator[tuple[TransportSource, TransportSink]]:
        """The host transport for as long as the block runs; then the radio falls silent, as if unplugged."""
        try:
            yield self.as_host_transport()
        finally:
            self.host = None
            self.lose_everything()

    def on_packet(self, packet: bytes) -> None:
        if self.powered:
            super().on_packet(packet)

    def on_hci_packet(self, packet: hci.HCI_Packet) -> None:
        # As the parent, which formats every packet for a debug log that nobody reads: half of the running time.
        match packet:
            case hci.HCI_Command():
                self.on_hci_command_packet(packet)
            case hci.HCI_AclDataPacket():
                self.on_hci_acl_data_packet(packet)
            case _:
                pass  # events and other data do not come from a host

    def send_hci_packet(self, packet: hci.HCI_Packet) -> None:
        if self.powered and self.host is not None:
            asyncio.get_running_loop().call_soon(self.host.on_packet, bytes(packet))

    # Life and death

    def power_off(self) -> None:
        """Dark at once; see `VirtualAir.power_cut`."""
        self.lose_everything()
        self.powered = False

    def lose_everything(self) -> None:
        """Back to the state after a reset. Nobody is told; peers time out."""
        self.le_scan_enable = False
        self.pending_le_connection = None
        self._update_listening()
        self.le_legacy_advertiser.stop()
        for advertising_set in self.advertising_sets.values():
            advertising_set.stop()
        self.advertising_sets.clear()
        self._accept_list.clear()
        lost = list(self.connections())
        self.le_connections.clear()
        for connection in lost:
            connection.vanish()

    def on_hci_reset_command(self, _command: hci.HCI_Reset_Command) -> Status:
        self.lose_everything()
        self.scanner = Scanner()
        self.le_legacy_advertiser = LegacyAdvertiser(self)
        return Status(Error.SUCCESS)

    def on_hci_command(self, command: hci.HCI_Command) -> Status:
        # The parent answers an unknown command only if it is a synchronous one; a host would wait for ever.
        if not isinstance(command, hci.HCI_SyncCommand):
            self._send_hci_command_status(Error.UNKNOWN_HCI_COMMAND_ERROR, command.op_code)
            return cast(Status, None)
        return Status(Error.UNKNOWN_HCI_COMMAND_ERROR)

    def on_hci_le_rand_command(self, _command: hci.HCI_LE_Rand_Command) -> hci.HCI_LE_Rand_ReturnParameters:
        # Repeatable: the parent's numbers differ from run to run. No key of ours is made of these.
        self._randoms += 1
        digest = hashlib.sha256(bytes(self.public_address) + self._randoms.to_bytes(8, "big")).digest()
        return hci.HCI_LE_Rand_ReturnParameters(status=Error.SUCCESS, random_number=digest[:8])

    # Scanning

    def on_advertisement(self, sender: VirtualController, heard: Advertisement, rssi_dbm: int) -> None:
        """Something was heard while scanning or initiating."""
        if heard.target is not None and heard.target not in (self.random_address, self.public_address):
            return
        filtered = self.le_scanning_filter_policy & 1 and heard.address not in self._accept_list
        if self.le_scan_enable and not filtered:
            for report in self.scanner.reports(heard, rssi_dbm):
                self.send_hci_packet(report)
        if self.pending_le_connection is not None and heard.connectable and self._wants(heard.address):
            self._connect(sender, heard.address)

    def on_hci_le_set_scan_parameters_command(self, command: hci.HCI_LE_Set_Scan_Parameters_Command) -> Status:
        result = super().on_hci_le_set_scan_parameters_command(command)
        if result.status == Error.SUCCESS:
            self.scanner.active = bool(command.le_scan_type)
        return result

    def on_hci_le_set_extended_scan_parameters_command(
        self, command: hci.HCI_LE_Set_Extended_Scan_Parameters_Command
    ) -> Status:
        if self.le_scan_enable:
            return Status(Error.COMMAND_DISALLOWED_ERROR)
        self.scanner.active = any(command.scan_types)
        return super().on_hci_le_set_extended_scan_parameters_command(command)

    def on_hci_le_set_scan_enable_command(self, command: hci.HCI_LE_Set_Scan_Enable_Command) -> Status:
        self.scanner.legacy_reports = True
        return self._scan(bool(command.le_scan_enable), bool(command.filter_duplicates))

    def on_hci_le_set_extended_scan_enable_command(
        self, command: hci.HCI_LE_Set_Extended_Scan_Enable_Command
    ) -> Status:
        self.scanner.legacy_reports = False
        return self._scan(bool(command.enable), bool(command.filter_duplicates))

    def _scan(self, enable: bool, filter_duplicates: bool) -> Status:
        self.le_scan_enable = enable
        self.filter_duplicates = self.scanner.filter_duplicates = filter_duplicates
        self.scanner.restart()
        self._update_listening()
        return Status(Error.SUCCESS)

    def _update_listening(self) -> None:
        self.air.listen(self, self.le_scan_enable or self.pending_le_connection is not None)

    # Accept list

    def on_hci_le_clear_filter_accept_list_command(
        self, _command: hci.HCI_LE_Clear_Filter_Accept_List_Command
    ) -> Status:
        self._accept_list.clear()
        return Status(Error.SUCCESS)

    def on_hci_le_add_device_to_filter_accept_list_command(
        self, command: hci.HCI_LE_Add_Device_To_Filter_Accept_List_Command
    ) -> Status:
        if len(self._accept_list) >= self.filter_accept_list_size and command.address not in self._accept_list:
            return Status(Error.MEMORY_CAPACITY_EXCEEDED_ERROR)
        self._accept_list[command.address] = None
        return Status(Error.SUCCESS)

    def on_hci_le_remove_device_from_filter_accept_list_command(
        self, command: hci.HCI_LE_Remove_Device_From_Filter_Accept_List_Command
    ) -> Status:
        self._accept_list.pop(command.address, None)
        return Status(Error.SUCCESS)

    # Advertising

    def wake_beacons(self) -> None:
        """Somebody has begun to listen."""
        self.le_legacy_advertiser.beacon.wake()
        for advertising_set in self.advertising_sets.values():
            cast(AdvertisingSet, advertising_set).beacon.wake()

    def on_hci_le_set_advertising_set_random_address_command(
        self, command: hci.HCI_LE_Set_Advertising_Set_Random_Address_Command
    ) -> Status:
        self._advertising_set(command.advertising_handle)
        return super().on_hci_le_set_advertising_set_random_address_command(command)

    def on_hci_le_set_extended_advertising_parameters_command(
        self, command: hci.HCI_LE_Set_Extended_Advertising_Parameters_Command
    ) -> hci.HCI_LE_Set_Extended_Advertising_Parameters_ReturnParameters:
        self._advertising_set(command.advertising_handle)
        return super().on_hci_le_set_extended_advertising_parameters_command(command)

    def on_hci_le_set_extended_advertising_enable_command(
        self, command: hci.HCI_LE_Set_Extended_Advertising_Enable_Command
    ) -> Status:
        for handle, duration in zip(command.advertising_handles, command.durations, strict=False):
            if handle in self.advertising_sets:
                self._advertising_set(handle).duration_s = duration / 100.0
        return super().on_hci_le_set_extended_advertising_enable_command(command)

    def _advertising_set(self, handle: int) -> AdvertisingSet:
        if handle not in self.advertising_sets:
            self.advertising_sets[handle] = AdvertisingSet(self, handle)
        return cast(AdvertisingSet, self.advertising_sets[handle])

    def _connectable_at(self, address: hci.Address) -> LegacyAdvertiser | AdvertisingSet | None:
        advertisers: list[LegacyAdvertiser | AdvertisingSet] = [self.le_legacy_advertiser]
        advertisers += [cast(AdvertisingSet, s) for s in self.advertising_sets.values()]
        for advertiser in advertisers:
            if advertiser.enabled and advertiser.address == address and advertiser.on_air().connectable:
                return advertiser
        return None

    # Connecting

    def connections(self) -> Iterator[VirtualConnection]:
        """The LE connections of this controller."""
        for connection in self.le_connections.values():
            yield cast(VirtualConnection, connection)

    def would_accept(self, own_address: hci.Address, peer_address: hci.Address) -> bool:
        """Whether a CONNECT_IND to `own_address` would be answered now."""
        return self._connectable_at(own_address) is not None and peer_address not in self.le_connections

    def on_hci_le_create_connection_command(self, command: hci.HCI_LE_Create_Connection_Command) -> None:
        self._initiate(command, super().on_hci_le_create_connection_command)

    def on_hci_le_extended_create_connection_command(
        self, command: hci.HCI_LE_Extended_Create_Connection_Command
    ) -> None:
        self._initiate(command, super().on_hci_le_extended_create_connection_command)

    def _initiate(self, command: Create, parent: Callable[[Create], None]) -> None:
        if not command.initiator_filter_policy and command.peer_address in self.le_connections:
            self._send_hci_command_status(Error.CONNECTION_ALREADY_EXISTS_ERROR, command.op_code)
            return
        parent(command)
        self._update_listening()

    def on_hci_le_create_connection_cancel_command(
        self, _command: hci.HCI_LE_Create_Connection_Cancel_Command
    ) -> Status:
        pending, self.pending_le_connection = self.pending_le_connection, None
        if pending is None:
            return Status(Error.COMMAND_DISALLOWED_ERROR)
        self._update_listening()
        # After the answer to this command, as Vol 4, Part E, 7.8.13 has it.
        asyncio.get_running_loop().call_soon(
            self._send_connection_complete, Error.UNKNOWN_CONNECTION_IDENTIFIER_ERROR, pending.peer_address
        )
        return Status(Error.SUCCESS)

    def _wants(self, address: hci.Address) -> bool:
        pending = self.pending_le_connection
        if pending is None or address in self.le_connections:
            return False
        if pending.initiator_filter_policy:
            return address in self._accept_list
        return bool(pending.peer_address == address)

    def _connect(self, peripheral: VirtualController, address: hci.Address) -> None:
        pending = self.pending_le_connection
        assert pending is not None
        if isinstance(pending, hci.HCI_LE_Extended_Create_Connection_Command):
            parameters = Parameters(
                pending.connection_interval_mins[0], pending.max_latencies[0], pending.supervision_timeouts[0]
            )
        else:
            parameters = Parameters(pending.connection_interval_min, pending.max_latency, pending.supervision_timeout)
        public = pending.own_address_type in _PUBLIC_OWN_ADDRESS
        own_address = self.public_address if public else self.random_address
        ends = self.air.join(self, own_address, peripheral, address, parameters)
        if ends is None:
            return
        self.pending_le_connection = None
        self._update_listening()
        near, far = ends
        peripheral.on_connected(far)
        self.on_connected(near)

    def on_connected(self, connection: VirtualConnection) -> None:
        """A connection has come about; `connection` is this controller's end of it."""
        self.le_connections[connection.peer_address] = connection
        self._send_connection_complete(Error.SUCCESS, connection.peer_address, connection)
        if connection.role != hci.Role.PERIPHERAL:
            return
        advertiser = self._connectable_at(connection.self_address)
        assert advertiser is not None
        advertiser.stop()
        if isinstance(advertiser, AdvertisingSet):
            self.send_hci_packet(
                hci.HCI_LE_Advertising_Set_Terminated_Event(
                    status=Error.SUCCESS,
                    advertising_handle=advertiser.handle,
                    connection_handle=connection.handle,
                    num_completed_extended_advertising_events=0,
                )
            )

    def _send_connection_complete(
        self, status: int, peer_address: hci.Address, connection: VirtualConnection | None = None
    ) -> None:
        parameters = connection.parameters if connection else Parameters(0, 0, 0)
        self.send_hci_packet(
            hci.HCI_LE_Connection_Complete_Event(
                status=status,
                connection_handle=connection.handle if connection else 0,
                role=connection.role if connection else hci.Role.CENTRAL,
                peer_address_type=peer_address.address_type,
                peer_address=peer_address,
                connection_interval=parameters.interval,
                peripheral_latency=parameters.latency,
                supervision_timeout=parameters.timeout,
                central_clock_accuracy=0,
            )
        )
