"""A thief's relay: one radio beside the car, one beside the phone, and a line between them that takes no side.

It forwards fragments as they are, in real time, and keeps a copy. It knows no key and understands nothing.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from types import TracebackType
from typing import Self

from firmware.adapters.ble.bumble_radio import BumbleRadio
from firmware.demo.rig import Holder, Rig
from host_tools.phone.ble import BleakLink, find_module
from host_tools.phone.client import Phone
from host_tools.phone.links import PhoneLink
from host_tools.phone.nearby import open_nearest
from host_tools.radio import bleak_backend
from host_tools.radio.air import VirtualAir
from host_tools.radio.controller import virtual_controller
from host_tools.radio.devices import virtual_central
from protocol.provisioning import BookingFile

SEARCH_S = 10.0


class Relay:
    """`async with` puts both ends on the air: a central on the car's, a peripheral that looks like the car on `far`.

    `delay_s`: how long a fragment is on its way between the two, in each direction.
    """

    def __init__(self, rig: Rig, far: VirtualAir, delay_s: float = 0.05) -> None:
        self.delay_s = delay_s
        self.to_module: list[bytes] = []
        self.to_phone: list[bytes] = []
        self.lost = asyncio.Event()
        """The module has hung up on the relay."""
        self.holding = False
        """True: what the phone writes is kept, and the car's link stays when the phone goes. See `let_go`."""
        self.held: list[bytes] = []
        self._rig = rig
        self._far = far
        self._stack = AsyncExitStack()
        self._line: asyncio.Queue[tuple[float, int, bytes | None]] = asyncio.Queue()
        self._back: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()
        self._peripheral: BumbleRadio
        self._beside_the_car: BleakLink | None = None
        self._phone_link = 0

    async def __aenter__(self) -> Self:
        self._central = await virtual_central(self._rig.air, name="relay, beside the car")
        self._stack.push_async_callback(self._central.power_off)
        controller = virtual_controller(self._far, "relay, beside the phone")
        self._peripheral = BumbleRadio(controller.attached, entropy=self._rig.entropy)
        await self._peripheral.start(self)
        self._stack.push_async_callback(self._peripheral.stop)
        for work in (self._forward(), self._backward()):
            task = asyncio.create_task(work)
            self._stack.push_async_callback(_ended, task)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    # ------------------------------------------------------------ beside the phone: a LinkListener
    def link_opened(self, link: int, payload: int) -> None:
        """A phone took the relay for the car."""
        self._phone_link = link

    def payload_changed(self, link: int, payload: int) -> None:
        """Both sides ask for the same."""

    def fragment_received(self, link: int, fragment: bytes) -> None:
        """The phone wrote."""
        self._line.put_nowait((self._due(), link, fragment))

    def link_closed(self, link: int) -> None:
        """The phone is gone, so the car's link is of no use."""
        self._line.put_nowait((self._due(), link, None))

    async def let_go(self) -> None:
        """Send the car what was held back, if it is still there."""
        held, self.held = self.held, []
        for fragment in held:
            if self._beside_the_car is not None:
                await self._beside_the_car.write(fragment)

    # ------------------------------------------------------------ the line
    def _due(self) -> float:
        return asyncio.get_running_loop().time() + self.delay_s

    async def _forward(self) -> None:
        while True:
            due_s, _, fragment = await self._line.get()
            await _until(due_s)
            if self.holding:
                self.held += [] if fragment is None else [fragment]
            elif fragment is None:
                await self._leave_the_car()
            else:
                car = self._beside_the_car or await self._reach_the_car()
                self.to_module.append(fragment)
                await car.write(fragment)

    async def _backward(self) -> None:
        while True:
            due_s, fragment = await self._back.get()
            await _until(due_s)
            self.to_phone.append(fragment)
            await self._peripheral.notify(self._phone_link, fragment)

    async def _reach_the_car(self) -> BleakLink:
        with bleak_backend.using(self._central, preferred_mtu=self._rig.att_mtu):
            found = await find_module(SEARCH_S)
            assert found is not None, "the relay does not stand beside the car"
            link = self._beside_the_car = BleakLink(found.device)
            await link.connect(self._heard, self._hung_up)
        return link

    async def _leave_the_car(self) -> None:
        link, self._beside_the_car = self._beside_the_car, None
        if link is not None:
            await link.close()

    def _heard(self, fragment: bytes) -> None:
        self._back.put_nowait((self._due(), fragment))

    def _hung_up(self) -> None:
        self._beside_the_car = None
        self.lost.set()


async def _until(due_s: float) -> None:
    await asyncio.sleep(max(0.0, due_s - asyncio.get_running_loop().time()))


async def _ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait({task})


@asynccontextmanager
async def distant_phone(rig: Rig, far: VirtualAir, holder: Holder, file: BookingFile) -> AsyncIterator[Phone]:
    """The holder's phone on an air that the module is not on, with a session to whatever answers there."""
    central = await virtual_central(far, name=holder.name)

    def new_phone(link: PhoneLink) -> Phone:
        return Phone(link, file, holder.key, entropy=rig.entropy)

    try:
        with bleak_backend.using(central, preferred_mtu=rig.att_mtu):
            phone = await open_nearest(new_phone)
            try:
                yield phone
            finally:
                await phone.close()
    finally:
        await central.power_off()
