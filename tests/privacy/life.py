"""Lives the day of a schedule with the real module, on virtual time, before a real broker that records everything.

What was said when is told by marks that go through the same broker. Judges nothing.
"""

from contextlib import AbstractAsyncContextManager
from typing import Final

import msgspec

from firmware.demo.rig import Holder
from host_tools.phone.client import Phone
from protocol.provisioning import BookingFile
from protocol.telemetry import Channel
from protocol.tokens import Booking
from tests.privacy.schedule import Ending, Leg, Mishap, Stay
from tests.support.owners_view import OwnersView

LONG_S: Final = 7_200
SHORT_S: Final = 60
STATUS_EVERY_S: Final = 240
PARKED_AGAIN_S: Final = 7
"""A module that just started has to watch the car before it knows that it is parked."""


class Turn(msgspec.Struct):
    """Somebody's turn with the car, in the recording and in time. `place`: where the car stood at its end.

    `since` and `until` are marks right before it begins and right before it ends, `online` whether there was a network.
    `superseded`: the next booking ended it.
    """

    hidden: bool
    since: int
    begins_ms: int
    begins_online: bool
    until: int = 0
    ends_ms: int = 0
    ends_online: bool = False
    superseded: bool = False
    place: tuple[float, float] = (0.0, 0.0)


class Life:
    """`turns` and `returns` (marks right before the network came back) are what a judge needs to know."""

    def __init__(self, view: OwnersView) -> None:
        self.view = view
        self.turns: list[Turn] = []
        self.returns: list[int] = []
        self.outages = 0
        self.power_cuts = 0
        self._phone: Phone | None = None
        self._visit: AbstractAsyncContextManager[Phone] | None = None
        self._person: tuple[Holder, BookingFile]

    async def live(self, stays: tuple[Stay, ...]) -> None:
        """The whole day; in the end there is a network, and everything that may be told has been."""
        self.view.look()
        try:
            for stay in stays:
                await self._mishap(stay.before)
                await (self._with_the_key(stay) if stay.role is None else self._with_a_booking(stay))
                await self.view.drained()
        finally:
            await self._leave()
        if not self.view.online:
            await self._switch()
        await self.view.drained()

    # ------------------------------------------------------------ turns
    async def _with_the_key(self, stay: Stay) -> None:
        await self._begins(hidden=False)
        assert self.view.rig.vehicle.turn_ignition(True, with_key=True)
        for leg in stay.legs:
            await self._leg(leg)
            if leg is not stay.legs[-1]:
                assert self.view.rig.vehicle.turn_ignition(True, with_key=True)
        await self.view.drained()
        await self._ends()

    async def _with_a_booking(self, stay: Stay) -> None:
        assert stay.role is not None
        holder = self.view.rig.holder(stay.name, stay.role)
        short = stay.ending in (Ending.CUT_OFF, Ending.SUPERSEDED)
        booking, file = self.view.rig.book(holder, lasts_s=SHORT_S if short else LONG_S)
        self._person = holder, file
        if self.turns and not self.turns[-1].ends_ms:
            await self._ends()
            self.turns[-1].superseded = True
        await self._begins(hidden=stay.hidden)
        phone = await self._come()
        assert phone.access.granted, phone.access
        await phone.enable_drive()
        for leg in stay.legs:
            assert self.view.rig.vehicle.turn_ignition(True)
            await self._leg(leg)
        await self._over(stay.ending, booking)
        await self._leave()

    async def _over(self, ending: Ending, booking: Booking) -> None:
        match ending:
            case Ending.SUPERSEDED:
                await self.view.pass_by(max(0.0, booking.ends_at_s - self.view.rig.now_s) + 1)
            case Ending.CUT_OFF:
                await self._overrun(booking)
            case Ending.DRIVER:
                await self._ends()
                await self._here.end_booking()
            case Ending.MQTT if self.view.online:
                await self._ends()
                await self.view.order(self.view.rig.issuer.end_order(booking, now_s=self.view.rig.now_s))
            case Ending.CARRIED | Ending.MQTT:
                await self._ends()
                await self._here.put(self.view.rig.issuer.end_order(booking, now_s=self.view.rig.now_s))
        await self.view.pass_by(1)

    async def _overrun(self, booking: Booking) -> None:
        """Drive on until 30 minutes after the end, then park: the module cuts off."""
        phone = self._here
        assert self.view.rig.vehicle.turn_ignition(True)
        while self.view.rig.now_s <= booking.ends_at_s + 1_800:
            await self.view.drive(STATUS_EVERY_S)
            await phone.status()
        self.view.rig.vehicle.park()
        while self.view.rig.vehicle.snapshot().ignition_on:
            await self.view.pass_by(0.1)
        await self.view.pass_by(3)
        await self._ends()
        await phone.closed.wait()

    async def _leg(self, leg: Leg) -> None:
        first, second, third = leg.mishaps
        await self._mishap(first)
        await self.view.drive(leg.seconds / 2)
        await self._mishap(second)
        if leg.locates and self._phone is not None:
            await self._phone.locate()
        await self.view.drive(leg.seconds / 2)
        await self.view.park()
        await self._mishap(third)

    # ------------------------------------------------------------ marks
    async def _begins(self, *, hidden: bool) -> None:
        await self.view.drained()
        self.turns.append(Turn(hidden, await self.view.mark(), self._now_ms, self.view.online))

    async def _ends(self) -> None:
        """Called right before it ends, with the car parked."""
        await self.view.drained()
        turn, car = self.turns[-1], self.view.rig.vehicle.snapshot()
        turn.until, turn.ends_ms, turn.ends_online = await self.view.mark(), self._now_ms, self.view.online
        turn.place = car.latitude, car.longitude

    @property
    def _now_ms(self) -> int:
        return self.view.rig.clock.rtc().utc_ms

    # ------------------------------------------------------------ phones
    async def _come(self) -> Phone:
        self._visit = self.view.rig.phone(*self._person)
        self._phone = await self._visit.__aenter__()
        return self._phone

    async def _leave(self) -> None:
        if self._visit is not None:
            visit, self._visit, self._phone = self._visit, None, None
            await visit.__aexit__(None, None, None)

    @property
    def _here(self) -> Phone:
        assert self._phone is not None
        return self._phone

    # ------------------------------------------------------------ mishaps
    async def _mishap(self, mishap: Mishap) -> None:
        match mishap:
            case Mishap.NETWORK:
                await self._switch()
            case Mishap.POWER:
                self.power_cuts += 1
                there = self._visit is not None
                await self._leave()
                await self.view.reboot()
                if there:
                    await self._come()
                await self.view.pass_by(PARKED_AGAIN_S)
            case Mishap.NOTHING:
                pass

    async def _switch(self) -> None:
        if self.view.online:
            self.outages += 1
        else:
            self.returns.append(await self.view.mark())
        await self.view.switch()

    def channel(self, name: Channel) -> str:
        """The module's topic."""
        return self.view.topic(name)
