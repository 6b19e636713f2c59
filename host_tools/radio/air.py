"""The air between virtual controllers: who hears whom, how late, and what can go wrong.

Decides: signal strength and range, latency, faults, and which two ends make a connection.
Refuses to know: HCI, GATT, and why somebody moved.

Everything is a function of the event loop's clock and of the order of calls: on a `VirtualTimeLoop` the same
program gives the same frames at the same instants.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, cast

import msgspec
from bumble import controller as bc
from bumble import hci, ll
from bumble.link import LocalLink

from host_tools.radio.advertising import Advertisement
from host_tools.radio.connection import Parameters, VirtualConnection
from host_tools.radio.errors import RadioError

if TYPE_CHECKING:
    from host_tools.radio.controller import VirtualController

    SignalModel = Callable[[VirtualController, VirtualController], float | None]

DEFAULT_RSSI_DBM = -50.0
MAX_CONTROLLERS = 1024


class Frame(msgspec.Struct, frozen=True):
    """One packet that was received on the air. `data` of a control packet is its name."""

    time_s: float
    sender: str
    receiver: str
    kind: str  # "advertisement", "data", "control"
    data: bytes


class VirtualAir(LocalLink):
    """A piece of space with radios in it.

    Args:
        latency_s: time from sending to receiving, in seconds, for every pair and direction.
        rssi_dbm: signal strength at the second controller (receiver) of what the first (sender) sends; None
            means out of range. Called at every packet; after a change call `moved()` so that idle connections
            notice. Without it everybody hears everybody at -50 dBm.
        on_frame: called with every frame that is received; for tests that listen in.
        connection_events: packets of a connection go at its connection events only, as many as fit, and a radio with
            several connections shares its time among them. Without it they go at once, as fast as the hosts are.
    """

    def __init__(
        self,
        *,
        latency_s: float = 0.0,
        rssi_dbm: SignalModel | None = None,
        on_frame: Callable[[Frame], None] | None = None,
        connection_events: bool = False,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Bumble's has no annotations
        self.on_frame = on_frame
        self.connection_events = connection_events
        self._latency_s = latency_s
        self._latencies: dict[tuple[VirtualController, VirtualController], float] = {}
        self._rssi_dbm = rssi_dbm or (lambda _sender, _receiver: DEFAULT_RSSI_DBM)
        # Dictionaries, not sets: their order does not depend on memory addresses.
        self._present: dict[VirtualController, None] = {}
        self._listeners: dict[VirtualController, None] = {}
        self._apart: set[frozenset[VirtualController]] = set()
        self._named = 0

    # Who is there

    def add_controller(self, controller: bc.Controller) -> None:
        if getattr(controller, "air", None) is not self:
            raise RadioError("a VirtualAir takes virtual controllers only; use virtual_controller(air, name)")
        if len(self._present) >= MAX_CONTROLLERS:
            raise RadioError(f"this air is full: it holds {MAX_CONTROLLERS} controllers; remove one first")
        super().add_controller(controller)
        self._present[cast("VirtualController", controller)] = None

    def remove_controller(self, controller: bc.Controller) -> None:
        """Takes a controller off the air for good; its peers time out."""
        self.controllers.discard(controller)
        for present in [c for c in self._present if c is controller]:
            present.lose_everything()
            del self._present[present]
            self._listeners.pop(present, None)

    def new_address(self, *, public: bool = False) -> str:
        """An address (static random, or public) that nobody here was given before; the same in each run."""
        self._named += 1
        start = "00:5B:00" if public else "C0:5B:00"
        return start + "".join(f":{byte:02X}" for byte in self._named.to_bytes(3, "big"))

    # Propagation

    def reach(self, sender: VirtualController, receiver: VirtualController) -> int | None:
        """Signal strength of `sender` at `receiver` in dBm (-127..20), or None if it is not heard."""
        if not (sender.powered and receiver.powered):
            return None
        if sender not in self._present or receiver not in self._present:
            return None
        if self._apart and not self._apart.isdisjoint(
            (frozenset((sender,)), frozenset((receiver,)), frozenset((sender, receiver)))
        ):
            return None
        rssi_dbm = self._rssi_dbm(sender, receiver)
        return None if rssi_dbm is None else max(-127, min(20, round(rssi_dbm)))

    def latency(self, sender: VirtualController, receiver: VirtualController) -> float:
        """Seconds from `sender` to `receiver`."""
        return self._latencies.get((sender, receiver), self._latency_s)

    def set_latency(
        self,
        latency_s: float,
        sender: VirtualController | None = None,
        receiver: VirtualController | None = None,
    ) -> None:
        """Latency of one direction, or (without the two) of everything that has none of its own."""
        if sender is None or receiver is None:
            self._latency_s = latency_s
        else:
            self._latencies[sender, receiver] = latency_s

    def moved(self) -> None:
        """The answer of the signal model may have changed: connections out of range begin to time out."""
        for connection in list(self._connections()):
            connection.reach_changed()

    # Faults

    def power_cut(self, controller: VirtualController) -> None:
        """The controller goes dark at once, without a farewell. Peers notice at their supervision timeout."""
        controller.power_off()

    def restore(self, controller: VirtualController) -> None:
        """Power is back. The controller has forgotten everything; its host has to reset it."""
        controller.powered = True

    def out_of_range(self, one: VirtualController, other: VirtualController | None = None) -> None:
        """`one` no longer hears `other` nor is heard by it; without `other`: everybody else."""
        self._apart.add(frozenset((one,) if other is None else (one, other)))
        self.moved()

    def in_range(self, one: VirtualController, other: VirtualController | None = None) -> None:
        """Undoes `out_of_range` with the same arguments."""
        self._apart.discard(frozenset((one,) if other is None else (one, other)))
        self.moved()

    def drop(self, one: VirtualController, other: VirtualController | None = None) -> None:
        """The connections of `one` (with `other`, or all) are lost now: both ends report a timeout (0x08)."""
        for connection in list(one.connections()):
            peer = connection.peer
            if other is None or peer.controller is other:
                connection.controller.link_lost(connection)
                if not peer.closed:
                    peer.controller.link_lost(peer)

    # Advertising

    def has_listeners(self) -> bool:
        """Whether anybody scans or wants to connect."""
        return bool(self._listeners)

    def listen(self, controller: VirtualController, listening: bool) -> None:
        """A controller begins or ends to scan or to initiate."""
        if not listening:
            self._listeners.pop(controller, None)
        elif controller not in self._listeners:
            self._listeners[controller] = None
            for present in list(self._present):
                present.wake_beacons()

    def advertise(self, sender: VirtualController, advertisement: Advertisement) -> None:
        """One advertising event, to everybody who listens and is in range."""
        loop = asyncio.get_running_loop()
        for receiver in list(self._listeners):
            if receiver is sender or (rssi_dbm := self.reach(sender, receiver)) is None:
                continue
            loop.call_later(self.latency(sender, receiver), self._hear, sender, receiver, advertisement, rssi_dbm)

    def _hear(
        self,
        sender: VirtualController,
        receiver: VirtualController,
        advertisement: Advertisement,
        rssi_dbm: int,
    ) -> None:
        if receiver in self._listeners:
            self.sniff(sender, receiver, advertisement)
            receiver.on_advertisement(sender, advertisement, rssi_dbm)

    # Connections

    def join(
        self,
        central: VirtualController,
        central_address: hci.Address,
        peripheral: VirtualController,
        peripheral_address: hci.Address,
        parameters: Parameters,
    ) -> tuple[VirtualConnection, VirtualConnection] | None:
        """Both ends of a new connection, or None if the peripheral no longer answers.

        Atomic, as the CONNECT_IND 150 microseconds after an advertisement is: there is never one end only.
        """
        if self.reach(central, peripheral) is None or self.reach(peripheral, central) is None:
            return None
        if not peripheral.would_accept(peripheral_address, central_address):
            return None
        near = VirtualConnection(central, hci.Role.CENTRAL, central_address, peripheral_address, parameters)
        far = VirtualConnection(peripheral, hci.Role.PERIPHERAL, peripheral_address, central_address, parameters)
        near.peer, far.peer = far, near
        return near, far

    def sniff(
        self,
        sender: VirtualController,
        receiver: VirtualController,
        payload: Advertisement | bytes | ll.ControlPdu,
    ) -> None:
        """Tells whoever listens in."""
        if self.on_frame is None:
            return
        match payload:
            case Advertisement():
                kind, data = "advertisement", bytes(payload.address) + payload.data + payload.scan_response
            case bytes():
                kind, data = "data", payload
            case _:
                kind, data = "control", type(payload).__name__.encode()
        now = asyncio.get_running_loop().time()
        self.on_frame(Frame(now, sender.name, receiver.name, kind, data))

    def _connections(self) -> Iterator[VirtualConnection]:
        for controller in self._present:
            yield from controller.connections()
