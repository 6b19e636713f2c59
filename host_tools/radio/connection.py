"""One end of a virtual BLE connection, and the way of its packets to the other end.

Decides: order (first in, first out in each direction), delay, what waits for a connection event or while the peer is
out of range, when a silent link is given up (supervision timeout), and when the host gets its buffers back.
Refuses to know: what the packets mean, and who is where (the air knows).
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from bumble import controller as bc
from bumble import hci, ll
from bumble.core import PhysicalTransport

if TYPE_CHECKING:
    from host_tools.radio.air import VirtualAir
    from host_tools.radio.controller import VirtualController

MAX_WAITING = 256
"""Packets one end may have on their way. Hosts have 64 buffers, so more is a host that ignores flow control."""

ACL_BYTES = 251
"""Longest ACL fragment handed to a host: the longest data length of Bluetooth 4.2 and later."""


PACKET_S = 0.0025
"""Air time of one full packet of 251 bytes on LE 1M with its acknowledgement and both gaps (Vol 6 Part B 4.1, 2.1)."""

MAX_PACKETS = 6
"""Full packets that go one way in one connection event at most: what phones allow."""


class Parameters(NamedTuple):
    """Connection parameters in the units of the HCI: 1.25 ms, events, 10 ms."""

    interval: int
    latency: int
    timeout: int

    @property
    def interval_s(self) -> float:
        """Connection interval in seconds."""
        return self.interval * 0.00125

    @property
    def timeout_s(self) -> float:
        """Supervision timeout in seconds."""
        return self.timeout / 100.0


class _Waiting(NamedTuple):
    due: float
    payload: bytes | ll.ControlPdu
    host_packets: int


class VirtualConnection(bc.Connection):
    """One end. `peer` is the other one; both ends are made by `VirtualAir.join`."""

    controller: VirtualController
    peer: VirtualConnection

    # The parent is a dataclass compared by value, which would recurse through controller and peer.
    __hash__ = object.__hash__

    def __eq__(self, other: object) -> bool:
        return self is other

    def __init__(
        self,
        controller: VirtualController,
        role: hci.Role,
        self_address: hci.Address,
        peer_address: hci.Address,
        parameters: Parameters,
    ) -> None:
        super().__init__(
            controller=controller,
            handle=controller.allocate_connection_handle(),
            role=role,
            self_address=self_address,
            peer_address=peer_address,
            link=controller.air,
            transport=PhysicalTransport.LE,
            link_type=hci.HCI_Connection_Complete_Event.LinkType.ACL,
        )
        self.parameters = parameters
        self.tx_phy = hci.Phy(hci.Phy.LE_1M)
        self.rx_phy = hci.Phy(hci.Phy.LE_1M)
        self.closed = False
        self._queue: deque[_Waiting] = deque()
        self._host_packets = 0
        self._last_due = 0.0
        self._began = asyncio.get_running_loop().time()
        self._event = 0.0
        self._event_used_s = 0.0
        self._delivery: asyncio.Handle | None = None
        self._supervision: asyncio.TimerHandle | None = None

    @property
    def air(self) -> VirtualAir:
        """Where the packets go."""
        return self.controller.air

    # From this end's controller

    def on_hci_acl_data_packet(self, packet: hci.HCI_AclDataPacket) -> None:
        # Unlike the parent: the buffer goes back to the host when its packet has been received by the peer,
        # so that a host with a peer out of range runs out of buffers, as it does on real hardware.
        self._host_packets += 1
        self.assembler.feed_packet(packet)

    def on_acl_pdu(self, pdu: bytes) -> None:
        host_packets, self._host_packets = self._host_packets, 0
        self._send(pdu, host_packets)

    def send_ll_control_pdu(self, packet: ll.ControlPdu) -> None:
        self._send(packet, 0)

    def close(self) -> None:
        """This end has heard or given the end of the connection. What it sent before is still on its way."""
        self.closed = True
        self._stop_supervision()

    def vanish(self) -> None:
        """This end is gone without a word, and so is what it had sent. The peer will time out."""
        self.close()
        self._queue.clear()
        if self._delivery is not None:
            self._delivery.cancel()
            self._delivery = None
        self.peer.supervise()

    # The air

    def rssi_dbm(self) -> int | None:
        """Signal strength of the peer at this end; None if it is out of range."""
        return self.air.reach(self.peer.controller, self.controller)

    def supervise(self) -> None:
        """The peer was not heard at this instant: the connection is lost if that lasts for the timeout."""
        if self.closed or self._supervision is not None:
            return
        loop = asyncio.get_running_loop()
        self._supervision = loop.call_later(self.parameters.timeout_s, self._on_supervision_timeout)

    def reach_changed(self) -> None:
        """Somebody moved, or a fault began or ended."""
        if self._in_reach():
            self._stop_supervision()
        else:
            self.supervise()
        self._pump()
        self.peer._pump()

    def _in_reach(self) -> bool:
        return not self.peer.closed and self.rssi_dbm() is not None

    def _stop_supervision(self) -> None:
        if self._supervision is not None:
            self._supervision.cancel()
            self._supervision = None

    def _on_supervision_timeout(self) -> None:
        self._supervision = None
        if not self.closed and not self._in_reach():
            self.controller.link_lost(self)

    def _send(self, payload: bytes | ll.ControlPdu, host_packets: int) -> None:
        if len(self._queue) >= MAX_WAITING:
            self.air.drop(self.controller, self.peer.controller)
            return
        latency_s = self.air.latency(self.controller, self.peer.controller)
        if self.air.connection_events:
            latency_s += self._until_event(payload)
        # Never before what was sent earlier, even if the latency has just been lowered.
        self._last_due = max(asyncio.get_running_loop().time() + latency_s, self._last_due)
        self._queue.append(_Waiting(self._last_due, payload, host_packets))
        self._pump()

    def _until_event(self, payload: bytes | ll.ControlPdu) -> float:
        """Seconds until the connection event in which there is room for `payload`, and its time on the air."""
        now = asyncio.get_running_loop().time()
        packets = 1 if isinstance(payload, ll.ControlPdu) else math.ceil(len(payload) / ACL_BYTES)
        interval_s = self.parameters.interval_s
        if self.role == hci.Role.CENTRAL:
            interval_s *= self.parameters.latency + 1  # the peripheral listens no more often
        shared = max(len(list(end.controller.connections())) for end in (self, self.peer))
        room_s = max(PACKET_S, min(MAX_PACKETS * PACKET_S, self.parameters.interval_s / max(shared, 1)))
        event = self._began + math.ceil((now - self._began) / interval_s) * interval_s
        if event > self._event:
            self._event, self._event_used_s = event, 0.0
        for _ in range(packets):
            if self._event_used_s + PACKET_S > room_s + 1e-9:
                self._event, self._event_used_s = self._event + interval_s, 0.0
            self._event_used_s += PACKET_S
        return self._event + self._event_used_s - now

    def _pump(self) -> None:
        if self._delivery is not None or not self._queue:
            return
        if self.air.reach(self.controller, self.peer.controller) is None:
            self.supervise()
            self.peer.supervise()
            return
        loop = asyncio.get_running_loop()
        due = self._queue[0].due
        self._delivery = loop.call_at(due, self._deliver) if due > loop.time() else loop.call_soon(self._deliver)

    def _deliver(self) -> None:
        self._delivery = None
        if not self._queue or self.air.reach(self.controller, self.peer.controller) is None:
            self._pump()
            return
        sent = self._queue.popleft()
        if sent.host_packets and not self.closed:
            self.controller.send_hci_packet(
                hci.HCI_Number_Of_Completed_Packets_Event(
                    connection_handles=[self.handle], num_completed_packets=[sent.host_packets]
                )
            )
        if not self.peer.closed:
            self.air.sniff(self.controller, self.peer.controller, sent.payload)
            self.peer.receive(sent.payload)
        self._pump()

    def receive(self, payload: bytes | ll.ControlPdu) -> None:
        """A packet of the peer has arrived."""
        if isinstance(payload, ll.ControlPdu):
            self.controller.on_ll_control_pdu(self.peer_address, payload)
            return
        for offset in range(0, len(payload), ACL_BYTES):
            fragment = payload[offset : offset + ACL_BYTES]
            boundary = hci.HCI_ACL_PB_CONTINUATION if offset else hci.HCI_ACL_PB_FIRST_FLUSHABLE
            self.controller.send_hci_packet(hci.HCI_AclDataPacket(self.handle, boundary, 0, len(fragment), fragment))
