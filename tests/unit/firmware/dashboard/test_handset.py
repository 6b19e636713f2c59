"""One person's phone: the real client over the virtual radio, on virtual time."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from firmware.dashboard.handset import Handset
from firmware.demo.rig import Rig
from firmware.inprocess.bench import InProcessBench
from host_tools.phone.errors import PhoneError, Refused
from host_tools.phone.links import PhoneLink
from protocol.errors import Code
from protocol.messages import Phase

ASKS_EVERY_S = 5.0

Told = list[tuple[str, str]]


@asynccontextmanager
async def beside_a_car(
    *, lasts_s: int = 3600, every_s: float = ASKS_EVERY_S
) -> AsyncIterator[tuple[Rig, Handset, Told]]:
    """A module, and a phone with a booking that is not connected yet."""
    told: Told = []
    async with Rig("handset") as rig:
        bench = InProcessBench(rig)
        anna = rig.holder("Anna")
        handset = Handset(
            lambda: bench.link("anna"),
            anna.key,
            entropy=rig.entropy,
            now_ms=rig.clock.monotonic_ms,
            tell=lambda text, weight: told.append((text, weight)),
            every_s=lambda: every_s,
        )
        _, handset.file = rig.book(anna, lasts_s=lasts_s)
        try:
            yield rig, handset, told
        finally:
            await handset.close()
            await bench.close()


async def until(handset: Handset, holds: Callable[[], bool]) -> None:
    """Virtual time passes until it holds; for ten minutes at most."""
    async with asyncio.timeout(600):
        while not holds():
            await asyncio.sleep(0.1)


async def test_it_connects_keeps_asking_and_hangs_up() -> None:
    async with beside_a_car() as (rig, handset, told):
        assert not handset.wants
        await handset.connect()
        assert handset.wants
        assert handset.seen.link == "on"
        assert told == [("connected. Access granted: unlock, drive, lock, locate", "news")]
        await until(handset, lambda: handset.seen.position is not None)
        rig.vehicle.open_door(from_inside=True)
        await asyncio.sleep(2 * ASKS_EVERY_S)
        assert handset.seen.vehicle is not None
        assert handset.seen.vehicle.doors_open
        await handset.disconnect()
        assert (handset.seen.link, handset.seen.vehicle, handset.wants) == ("off", None, False)


async def test_its_presses_reach_the_car() -> None:
    async with beside_a_car() as (rig, handset, _):
        await handset.connect()
        await until(handset, lambda: handset.seen.vehicle is not None)
        await handset.slide()
        assert not rig.vehicle.snapshot().locked
        await until(handset, lambda: handset.seen.vehicle is not None and handset.seen.vehicle.locked is False)
        await handset.slide()
        assert rig.vehicle.snapshot().locked
        await handset.drive()
        assert rig.vehicle.turn_ignition(True)


async def test_a_refusal_stays_on_the_screen_until_the_next_press() -> None:
    async with beside_a_car() as (rig, handset, _):
        await handset.connect()
        await asyncio.sleep(6)
        rig.vehicle.open_door(from_inside=True)
        await asyncio.sleep(1)
        with pytest.raises(Refused):
            await handset.end()
        assert handset.seen.refusal is not None
        assert handset.seen.refusal.code is Code.END_NOT_POSSIBLE
        await asyncio.sleep(3 * ASKS_EVERY_S)
        assert handset.seen.refusal is not None
        rig.vehicle.close_door()
        await asyncio.sleep(6)
        await handset.end()
        assert handset.seen.ended is not None
        await until(handset, lambda: handset.seen.access is not None and not handset.seen.access.granted)


async def test_without_booking_or_connection_nothing_is_sent() -> None:
    async with beside_a_car() as (_, handset, _):
        with pytest.raises(PhoneError, match="the phone is not connected to the car"):
            await handset.unlock()
        handset.file = None
        with pytest.raises(PhoneError, match="it has no booking"):
            await handset.connect()


async def test_one_command_at_a_time() -> None:
    async with beside_a_car() as (_, handset, _):
        await handset.connect()
        first = asyncio.create_task(handset.unlock())
        await asyncio.sleep(0.01)
        with pytest.raises(PhoneError, match="unlock is under way"):
            await handset.lock()
        await first


async def test_after_a_loss_it_looks_for_the_car_again() -> None:
    async with beside_a_car() as (rig, handset, told):
        await handset.connect()
        await rig.shut_down()
        await until(handset, lambda: handset.seen.link == "lost")
        assert told[-1] == ("connection lost: the module hung up, or the radio lost it", "news")
        await asyncio.sleep(120)
        assert handset.seen.link in ("lost", "looking")
        await rig.boot()
        await until(handset, lambda: handset.seen.link == "on")


@pytest.mark.req("CUT-2", "ACC-10")
async def test_after_the_cutoff_it_is_told_why_and_what_to_do() -> None:
    async with beside_a_car(lasts_s=60, every_s=120) as (_, handset, told):
        await handset.connect()
        await asyncio.sleep(60 + 31 * 60)
        await until(handset, lambda: handset.seen.link == "on")
        assert handset.seen.access is not None
        assert (handset.seen.access.granted, handset.seen.access.phase) == (False, Phase.CUT_OFF)
        assert handset.seen.refusal is not None
        assert handset.seen.refusal.code is Code.BOOKING_CUT_OFF
        assert "request a new one" in handset.seen.refusal.remedy
        assert ("Access has ended: the booking was cut off.", "alert") in told


async def test_a_phone_that_is_not_the_bookings_is_refused_and_stays_away() -> None:
    async with beside_a_car() as (rig, handset, told):
        _, handset.file = rig.book(rig.holder("Somebody else"), lasts_s=3600)
        await handset.connect()
        assert handset.seen.link == "refused"
        assert handset.seen.refusal is not None
        await until(handset, lambda: not handset.wants)
        assert told[-1][0].startswith("no session: ")


async def test_a_fault_of_its_own_program_is_told_and_it_can_be_pressed_again() -> None:
    def broken() -> PhoneLink:
        raise OSError("no such adapter")

    told: Told = []
    async with beside_a_car() as (rig, works, _):
        handset = Handset(
            broken,
            rig.holder("Anna").key,
            entropy=rig.entropy,
            now_ms=rig.clock.monotonic_ms,
            tell=lambda text, weight: told.append((text, weight)),
            every_s=lambda: ASKS_EVERY_S,
        )
        handset.file = works.file
        for _ in range(2):
            async with asyncio.timeout(600):
                await handset.connect()
            assert (handset.seen.link, handset.wants) == ("off", False)
            assert told.pop() == ("the phone's program has failed: OSError('no such adapter')", "alert")
