"""Modules on the air and a phone's radio in bleak: everything between a phone's code and `ModulePeer` is real."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from firmware.adapters.ble.bumble_radio import BumbleRadio
from firmware.core.airtime import Airtime, Pace
from firmware.ports import LinkId
from host_tools.radio import bleak_backend
from host_tools.radio.air import VirtualAir
from host_tools.radio.controller import VirtualController, virtual_controller
from host_tools.radio.devices import virtual_central
from protocol import beacon
from tests.support.module_peer import ModulePeer, PeerSession, seeded


class ParkedModule:
    """A `ModulePeer` behind the module's own radio adapter. `connected`: how often somebody has."""

    def __init__(self, air: VirtualAir, peer: ModulePeer, number: int) -> None:
        self.air = air
        self.peer = peer
        self.controller: VirtualController = virtual_controller(air, f"module-{number}")
        secret = seeded(200 + number)(beacon.SECRET_BYTES)
        self.beacon_key = beacon.key_of(secret, 0)
        self.radio = BumbleRadio(self.controller.attached, radio_secret=secret, entropy=seeded(100 + number))
        self.radio.advise(Airtime(Pace.BRISK, 0))
        self.connected = 0
        self.sessions: dict[LinkId, PeerSession] = {}
        self.opened = asyncio.Event()
        self._outgoing: asyncio.Queue[tuple[LinkId, bytes]] = asyncio.Queue()

    # ------------------------------------------------------------ LinkListener
    def link_opened(self, link: LinkId, payload: int) -> None:
        self.sessions[link] = PeerSession(self.peer, payload, lambda part: self._outgoing.put_nowait((link, part)))
        self.connected += 1
        self.opened.set()

    def payload_changed(self, link: LinkId, payload: int) -> None:
        self.sessions[link].payload = payload

    def fragment_received(self, link: LinkId, fragment: bytes) -> None:
        self.sessions[link].receive(fragment)

    def link_closed(self, link: LinkId) -> None:
        del self.sessions[link]

    async def hang_up(self) -> None:
        """The module hangs up on everybody."""
        for link in list(self.sessions):
            await self.radio.hang_up(link)

    async def notify(self) -> None:
        """Send what the sessions say, until cancelled."""
        while True:
            await self.radio.notify(*await self._outgoing.get())


@asynccontextmanager
async def car_park(
    *peers: ModulePeer, mtu: int = bleak_backend.LARGEST_MTU, air: VirtualAir | None = None
) -> AsyncIterator[list[ParkedModule]]:
    """The modules of `peers` on the air, and bleak on a central near them."""
    air = air or VirtualAir()
    parked = [ParkedModule(air, peer, number) for number, peer in enumerate(peers, 1)]
    central = await virtual_central(air)
    undo = bleak_backend.install(central, preferred_mtu=mtu)
    tasks = []
    try:
        for one in parked:
            await one.radio.start(one)
            tasks.append(asyncio.create_task(one.notify()))
        yield parked
    finally:
        undo()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for one in parked:
            await one.radio.stop()
        await central.power_off()
