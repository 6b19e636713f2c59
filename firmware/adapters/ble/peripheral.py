"""One controller, powered: its connections become links, its packets become callbacks.

Decides: which channels a peer may speak on, how many centrals are served, how a link ends.
Refuses to know: how a controller is opened, what happens after it is lost, and what fragments mean.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Final

from bumble import core, hci
from bumble.device import Connection, Device, DeviceConfiguration
from bumble.host import Host

from firmware.adapters.ble import screen
from firmware.adapters.ble.advertising import Advertiser
from firmware.adapters.ble.identity import Identities
from firmware.adapters.ble.link import MAX_UNSENT_PACKETS, Link, look_again
from firmware.adapters.ble.parameters import Tempo
from firmware.adapters.ble.pulse import Pulse
from firmware.adapters.ble.table import GattTable
from firmware.adapters.ble.transport import PacketSink, PacketSource
from firmware.core.airtime import Airtime, Pace
from firmware.ports import Entropy, LinkId, LinkListener
from protocol import gatt

HANG_UP_S: Final = 2.0
"""Longest time for the controller to report a disconnection; after it the link counts as closed."""

log = logging.getLogger(__name__)


class _Device(Device):
    """Bumble's device with one way in: `receive(connection, channel, pdu)` instead of L2CAP, SMP and SDP."""

    receive: Callable[[Connection, int, bytes], None]

    def on_l2cap_pdu(self, connection_handle: int, cid: int, pdu: bytes) -> None:
        connection = self.connections.get(connection_handle)
        if connection is not None:
            self.receive(connection, cid, pdu)


class _Inlet:
    """Where packets come in. What Bumble raises for one packet stays with that packet."""

    def __init__(self, host: Host, saw: Callable[[bytes], None]) -> None:
        self._host = host
        self._saw = saw

    def on_packet(self, packet: bytes) -> None:
        self._saw(packet)
        try:
            self._host.on_packet(packet)
        except Exception:  # broad: one odd packet must not take the radio down
            log.exception("a packet from the Bluetooth controller was dropped: %s", packet[:32].hex())

    def on_transport_lost(self) -> None:
        try:
            self._host.on_transport_lost()  # type: ignore[no-untyped-call]
        except asyncio.InvalidStateError:
            log.debug("the controller went away between a command and its answer")


class Peripheral:
    """The module's end of the air on one controller. `new_number` gives each link its number."""

    def __init__(
        self,
        source: PacketSource,
        sink: PacketSink,
        *,
        listener: LinkListener,
        new_number: Callable[[], LinkId],
        entropy: Entropy,
        radio_secret: bytes,
        address_lifetime_s: float,
        airtime: Airtime | None,
    ) -> None:
        host = Host()
        host.set_packet_sink(sink)
        self._identities = Identities(entropy, radio_secret, address_lifetime_s)
        if airtime is not None:
            self._identities.recognised_in(airtime.key_epoch)
        first = self._identities.fresh()
        self._device = _Device(
            config=DeviceConfiguration(
                name=gatt.LOCAL_NAME,
                address=first.address,
                irk=entropy(16),
                gap_service_enabled=False,
                gatt_service_enabled=False,
            ),
            host=host,
        )
        self._pulse = Pulse(self._device)
        source.set_packet_sink(_Inlet(host, self._pulse.saw))
        self._device.receive = self._receive
        self._table = GattTable(self._device, self._on_fragment, self._on_subscription)
        self._device.gatt_server = self._table
        self._device.on(Device.EVENT_CONNECTION, self._on_connection)
        self._device.on(Device.EVENT_CONNECTION_FAILURE, self._on_connection_failure)
        pace = Pace.BRISK if airtime is None else airtime.pace
        self._advertiser = Advertiser(self._device, self._identities, first, pace)
        self._listener = listener
        self._new_number = new_number
        self._by_connection: dict[Connection, Link] = {}
        self._by_number: dict[LinkId, Link] = {}
        self._tempi: dict[LinkId, Tempo] = {}
        self._turned_away: set[Connection] = set()
        self._chores: set[asyncio.Task[None]] = set()
        self._stopping = False

    # ------------------------------------------------------------ life
    async def power_on(self) -> None:
        """Reset the controller and get it ready. Raises what Bumble raises; bound the time around it."""
        await self._device.power_on()
        queue = self._device.host.le_acl_packet_queue
        assert queue is not None, "power_on sets the queue up"
        queue.on("flow", self._on_flow)

    async def advertise(self) -> None:
        """Keep on the air until `stop` or `abandon`. Raises ControllerLost when the controller refuses."""
        self._allow()
        await self._advertiser.run()

    async def watch(self) -> None:
        """Until `stop` or `abandon`. Raises ControllerLost when the controller is not there any more."""
        await self._pulse.run()

    async def stop(self) -> None:
        """Off the air, and hang up on everybody."""
        self._stopping = True
        self._advertiser.finish()
        await asyncio.gather(*(self._hang_up(link) for link in list(self._by_number.values())))
        await self.abandon()

    async def abandon(self) -> None:
        """The controller is gone, or has to go: every link is closed, without a word to anybody."""
        self._stopping = True
        self._advertiser.finish()
        self._pulse.end()
        for link in list(self._by_number.values()):
            self._close(link)
        if self._chores:
            await asyncio.wait(self._chores)

    # ------------------------------------------------------------ orders
    def advise(self, airtime: Airtime) -> None:
        """As RadioPort."""
        self._advertiser.advise(airtime.pace)
        if self._identities.recognised_in(airtime.key_epoch):
            self._advertiser.renew()

    async def notify(self, number: LinkId, fragment: bytes) -> None:
        """As RadioPort."""
        link = self._by_number.get(number)
        if link is not None:
            self._tempi[number].stir()
            await link.send(fragment, self._table.notify)

    async def hang_up(self, number: LinkId) -> None:
        """As RadioPort."""
        link = self._by_number.get(number)
        if link is not None:
            await self._hang_up(link)

    async def _hang_up(self, link: Link) -> None:
        first, link.leaving = not link.leaving, True
        try:
            async with asyncio.timeout(HANG_UP_S):
                if first:
                    await link.drain()
                    self._spawn(self._disconnect(link.connection))
                await link.closed.wait()
        except TimeoutError:
            log.warning("link %d did not end within %s s of being hung up on", link.number, HANG_UP_S)
            self._close(link)

    async def _disconnect(self, connection: Connection) -> None:
        if connection.handle not in self._device.connections:
            return
        try:
            async with asyncio.timeout(HANG_UP_S):
                await self._device.send_async_command(
                    hci.HCI_Disconnect_Command(
                        connection_handle=connection.handle,
                        reason=hci.HCI_ErrorCode.REMOTE_USER_TERMINATED_CONNECTION_ERROR,
                    )
                )
        except (core.BaseBumbleError, TimeoutError) as error:
            log.debug("disconnect refused: %s", error)

    # ------------------------------------------------------------ what the controller tells
    def _on_connection(self, connection: Connection) -> None:
        self._advertiser.ended()
        self._link_of(connection)
        self._allow()

    def _on_connection_failure(self, _error: core.BaseBumbleError) -> None:
        self._advertiser.ended()

    def _on_flow(self) -> None:
        for link in self._by_number.values():
            link.flow()

    def _link_of(self, connection: Connection) -> Link | None:
        """The link of `connection`, opened now if it is new: data may overtake the news of the connection."""
        link = self._by_connection.get(connection)
        if link is not None or self._stopping:
            return link
        if len(self._by_number) >= gatt.MAX_LINKS:
            if connection not in self._turned_away:
                self._turned_away.add(connection)
                connection.on(Connection.EVENT_DISCONNECTION, lambda _reason: self._turned_away.discard(connection))
                self._spawn(self._disconnect(connection))
            return None
        link = Link(self._new_number(), connection, self._on_stuck)
        self._by_connection[connection] = link
        self._by_number[link.number] = link
        connection.on(Connection.EVENT_DISCONNECTION, lambda _reason: self._on_disconnection(link))
        connection.on(Connection.EVENT_CONNECTION_ATT_MTU_UPDATE, lambda: self._on_mtu(link))
        tempo = self._tempi[link.number] = Tempo(self._device, connection)
        self._spawn(tempo.run())
        self._listener.link_opened(link.number, link.payload)
        return link

    def _on_mtu(self, link: Link) -> None:
        if link.number in self._by_number:
            self._listener.payload_changed(link.number, link.payload)

    def _on_stuck(self, link: Link) -> None:
        log.info("link %d takes nothing any more and is hung up", link.number)
        self._spawn(self._hang_up(link))

    def _on_disconnection(self, link: Link) -> None:
        # Bumble frees the places in the queue right after this callback.
        asyncio.get_running_loop().call_soon(self._after_loss, link.connection)
        self._close(link)

    def _close(self, link: Link) -> None:
        if self._by_number.pop(link.number, None) is None:
            return
        link.close()
        self._tempi.pop(link.number).close()
        self._allow()
        self._listener.link_closed(link.number)

    def _after_loss(self, connection: Connection) -> None:
        self._by_connection.pop(connection, None)
        queue = self._device.host.le_acl_packet_queue
        if queue is not None:
            look_again(queue)
        self._on_flow()

    def _allow(self) -> None:
        count = len(self._by_number)
        self._advertiser.allow(count < gatt.MAX_LINKS and not self._stopping, alone=not self._device.connections)

    # ------------------------------------------------------------ what a peer sends
    def _receive(self, connection: Connection, channel: int, pdu: bytes) -> None:
        link = self._link_of(connection)
        if link is None or link.closed.is_set():
            return
        match channel:
            case screen.ATT_CID:
                self._table.receive(connection, pdu)
            case screen.PAIRING_CID:
                self._answer(connection, channel, screen.screen_pairing(pdu))
            case screen.SIGNALLING_CID:
                self._answer(connection, channel, screen.screen_signalling(pdu))
            case _:
                pass
        if link.unsent > MAX_UNSENT_PACKETS:
            link.give_up()

    def _answer(self, connection: Connection, channel: int, verdict: screen.Answer | screen.Drop) -> None:
        if isinstance(verdict, screen.Answer):
            self._device.send_l2cap_pdu(connection.handle, channel, verdict.pdu)

    def _on_fragment(self, connection: Connection, fragment: bytes) -> None:
        link = self._by_connection.get(connection)
        if link is not None and not link.leaving:
            self._tempi[link.number].stir()
            self._listener.fragment_received(link.number, fragment)

    def _on_subscription(self, connection: Connection, on: bool) -> None:
        link = self._by_connection.get(connection)
        if link is not None:
            link.subscribed = on
            link.flow()

    def _spawn(self, chore: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(chore)
        self._chores.add(task)
        task.add_done_callback(self._chores.discard)
