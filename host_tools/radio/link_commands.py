"""What a virtual controller does with a connection it has: HCI commands and control packets of the peer.

Decides: reasons of disconnection, connection parameters, PHY, data length, signal strength.
Refuses to know: how the connection came about.
"""

from __future__ import annotations

from typing import cast

from bumble import controller as bc
from bumble import hci, ll

from host_tools.radio.connection import ACL_BYTES, Parameters, VirtualConnection

Error = hci.HCI_ErrorCode

_DATA_LENGTH_US = 2120  # for 251 octets on LE 1M
_RSSI_UNKNOWN = 127


class LinkCommands(bc.Controller):
    """The part of a `VirtualController` that works on existing connections."""

    def on_ll_control_pdu(self, sender_address: hci.Address, packet: ll.ControlPdu) -> None:
        connection = self._end(self.le_connections.get(sender_address))
        if connection is not None and isinstance(packet, ll.ConnectionUpdateInd):
            connection.parameters = Parameters(packet.interval, packet.latency, packet.timeout)
        super().on_ll_control_pdu(sender_address, packet)

    def on_le_disconnected(self, connection: bc.Connection, reason: int) -> None:
        cast(VirtualConnection, connection).close()
        super().on_le_disconnected(connection, reason)

    def link_lost(self, connection: VirtualConnection) -> None:
        """The peer was not heard for too long."""
        if self.le_connections.get(connection.peer_address) is connection:
            self.on_le_disconnected(connection, Error.CONNECTION_TIMEOUT_ERROR)
            connection.vanish()

    def on_hci_disconnect_command(self, command: hci.HCI_Disconnect_Command) -> None:
        connection = self._by_handle(command.connection_handle)
        if connection is None:
            self._send_hci_command_status(Error.UNKNOWN_CONNECTION_IDENTIFIER_ERROR, command.op_code)
            return
        self._send_hci_command_status(hci.HCI_COMMAND_STATUS_PENDING, command.op_code)
        connection.send_ll_control_pdu(ll.TerminateInd(command.reason))
        self.on_le_disconnected(connection, Error.CONNECTION_TERMINATED_BY_LOCAL_HOST_ERROR)

    def on_hci_le_connection_update_command(self, command: hci.HCI_LE_Connection_Update_Command) -> None:
        connection = self._by_handle(command.connection_handle)
        if connection is not None:
            connection.parameters = Parameters(
                command.connection_interval_max, command.max_latency, command.supervision_timeout
            )
        super().on_hci_le_connection_update_command(command)

    def on_hci_read_rssi_command(self, command: hci.HCI_Read_RSSI_Command) -> hci.HCI_Read_RSSI_ReturnParameters:
        connection = self._by_handle(command.handle)
        rssi_dbm = None if connection is None else connection.rssi_dbm()
        return hci.HCI_Read_RSSI_ReturnParameters(
            status=Error.UNKNOWN_CONNECTION_IDENTIFIER_ERROR if connection is None else Error.SUCCESS,
            handle=command.handle,
            rssi=_RSSI_UNKNOWN if rssi_dbm is None else rssi_dbm,
        )

    def on_hci_le_read_phy_command(self, command: hci.HCI_LE_Read_PHY_Command) -> hci.HCI_LE_Read_PHY_ReturnParameters:
        connection = self._by_handle(command.connection_handle)
        return hci.HCI_LE_Read_PHY_ReturnParameters(
            status=Error.UNKNOWN_CONNECTION_IDENTIFIER_ERROR if connection is None else Error.SUCCESS,
            connection_handle=command.connection_handle,
            tx_phy=hci.Phy(hci.Phy.LE_1M) if connection is None else connection.tx_phy,
            rx_phy=hci.Phy(hci.Phy.LE_1M) if connection is None else connection.rx_phy,
        )

    def on_hci_le_set_phy_command(self, command: hci.HCI_LE_Set_PHY_Command) -> None:
        connection = self._by_handle(command.connection_handle)
        if connection is None:
            self._send_hci_command_status(Error.UNKNOWN_CONNECTION_IDENTIFIER_ERROR, command.op_code)
            return
        self._send_hci_command_status(hci.HCI_COMMAND_STATUS_PENDING, command.op_code)
        tx_phy = connection.tx_phy if command.all_phys & 1 else _best_phy(command.tx_phys)
        rx_phy = connection.rx_phy if command.all_phys & 2 else _best_phy(command.rx_phys)
        changed = (tx_phy, rx_phy) != (connection.tx_phy, connection.rx_phy)
        connection.tx_phy, connection.rx_phy = tx_phy, rx_phy
        connection.peer.tx_phy, connection.peer.rx_phy = rx_phy, tx_phy
        for end in (connection, connection.peer) if changed else (connection,):
            end.controller.send_hci_packet(
                hci.HCI_LE_PHY_Update_Complete_Event(Error.SUCCESS, end.handle, end.tx_phy, end.rx_phy)
            )

    def on_hci_le_set_data_length_command(
        self, command: hci.HCI_LE_Set_Data_Length_Command
    ) -> hci.HCI_StatusAndConnectionHandleReturnParameters:
        connection = self._by_handle(command.connection_handle)
        if connection is not None:
            for end in (connection, connection.peer):
                end.controller.send_hci_packet(
                    hci.HCI_LE_Data_Length_Change_Event(
                        end.handle, ACL_BYTES, _DATA_LENGTH_US, ACL_BYTES, _DATA_LENGTH_US
                    )
                )
        return hci.HCI_StatusAndConnectionHandleReturnParameters(
            status=Error.UNKNOWN_CONNECTION_IDENTIFIER_ERROR if connection is None else Error.SUCCESS,
            connection_handle=command.connection_handle,
        )

    def _by_handle(self, handle: int) -> VirtualConnection | None:
        return self._end(self.find_le_connection_by_handle(handle))

    @staticmethod
    def _end(connection: bc.Connection | None) -> VirtualConnection | None:
        return cast(VirtualConnection, connection) if connection else None


def _best_phy(bits: int) -> hci.Phy:
    return hci.Phy(hci.Phy.LE_2M if bits & hci.PhyBit.LE_2M else hci.Phy.LE_1M)
