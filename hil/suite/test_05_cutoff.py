"""05 Cutoff: half an hour after a booking's end, and only when the car is parked, the module takes access away.

With a bench the half hours pass at once. Without one they would be real, and these tests are left out.
"""

import asyncio
from typing import Final

import pytest

from hil.stand import Figure, Shown, Stand, lasted_s, make_phone, stood
from host_tools.bench.bench import Bench
from host_tools.phone.client import Phone
from protocol.errors import Code
from protocol.messages import Phase

pytestmark = [pytest.mark.limit(300), pytest.mark.lg_feature(["bench", "simulated-car"])]

BOOKED_S: Final = 300
GRACE_S: Final = 1800
STEP_MS: Final = 480_000
"""Shorter than the ten minutes after which a silent link is hung up."""
AT_ONCE_S: Final = 10.0
"""Of the bench's own time, in which a few seconds of the module's pass as well."""


class Overrun:
    """A booking that ends soon, on a module whose time is moved."""

    def __init__(self, stand: Stand, bench: Bench, now_ms: int) -> None:
        self.booking: Shown = stand.book(lasts_s=BOOKED_S, now_ms=now_ms)
        self._bench = bench
        self._ends_ms = now_ms // 1000 * 1000 + BOOKED_S * 1000

    def phone(self) -> Phone:
        """A fresh phone beside the bench."""
        return make_phone(self._bench.link("driver"), self.booking)

    async def until(self, after_end_s: float, phone: Phone) -> None:
        """Let the time pass, with a phone that speaks now and then."""
        wanted_ms = self._ends_ms + round(after_end_s * 1000)
        while (now_ms := await self._bench.utc_ms()) < wanted_ms:
            await self._bench.until(min(now_ms + STEP_MS, wanted_ms))
            if phone.is_open and await self._bench.utc_ms() < wanted_ms:
                await phone.status()


@pytest.fixture
async def overrun(stand: Stand, bench: Bench) -> Overrun:
    return Overrun(stand, bench, await bench.utc_ms())


async def is_cut_off(overrun: Overrun) -> bool:
    async with overrun.phone() as phone:
        refusal = phone.access.refusal
        return not phone.access.granted and refusal is not None and refusal.code is Code.BOOKING_CUT_OFF


@pytest.mark.req("CUT-1", "CUT-2")
async def test_a_parked_car_is_usable_until_29_minutes_and_a_half_and_cut_off_at_30(overrun: Overrun) -> None:
    async with overrun.phone() as phone:
        await phone.unlock()
        await overrun.until(GRACE_S - 30, phone)
        access = (await phone.status()).access
        assert (access.granted, access.phase) == (True, Phase.OVERDUE)
        assert 0 < access.cutoff_at_ms - access.now_ms <= 30_000
        await phone.lock()
        await overrun.until(GRACE_S, phone)
        async with asyncio.timeout(AT_ONCE_S):
            await phone.closed.wait()
    assert await is_cut_off(overrun)


@pytest.mark.req("CUT-3", "CUT-4")
async def test_a_car_that_drives_keeps_its_driver_until_it_is_parked(
    overrun: Overrun, bench: Bench, figure: Figure
) -> None:
    async with overrun.phone() as phone:
        await phone.unlock()
        await phone.enable_drive()
        await bench.control("ignition on")
        await bench.control("drive 30")
        await overrun.until(GRACE_S + 600, phone)
        access = (await phone.status()).access
        assert (access.granted, access.phase) == (True, Phase.CUTOFF_PENDING)
        await phone.unlock()
        await bench.control("park")
        async with asyncio.timeout(AT_ONCE_S):
            figure("hung up after the car was parked", f"{await lasted_s(phone.closed.wait()):.1f} s")
    assert await is_cut_off(overrun)


@pytest.mark.req("CUT-5", "PWR-1")
async def test_a_power_cut_neither_skips_the_cutoff_nor_brings_it_forward(overrun: Overrun, bench: Bench) -> None:
    async with overrun.phone() as phone:
        await phone.unlock()
        await overrun.until(GRACE_S - 600, phone)
    for command in ("power cut", "time move 5m", "power on"):
        await bench.control(command)
    async with overrun.phone() as phone:
        assert phone.access.phase is Phase.OVERDUE
        await stood(phone)
    for command in ("power cut", "time move 10m", "power on", "time move 10s"):
        await bench.control(command)
    assert await is_cut_off(overrun)


@pytest.mark.req("CUT-6")
async def test_after_a_cutoff_a_new_booking_works_at_once(stand: Stand, overrun: Overrun, bench: Bench) -> None:
    async with overrun.phone() as phone:
        await phone.unlock()
        await overrun.until(GRACE_S, phone)
        async with asyncio.timeout(AT_ONCE_S):
            await phone.closed.wait()
    fresh = stand.book(now_ms=await bench.utc_ms())
    async with make_phone(bench.link("driver"), fresh) as phone:
        assert phone.access.granted
        await phone.lock()
