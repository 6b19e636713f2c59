"""The rig: repeatable, bookable, restartable, and honest when the module does not come up."""

import asyncio
from collections.abc import Callable

import pytest

from firmware.adapters.store import MemoryStore
from firmware.core.events import Event
from firmware.demo.rig import BEGINS_S, Rig, seeded
from firmware.ports import Arrived, BrokerPort, Publication
from protocol import keys
from protocol.errors import Role
from protocol.messages import Phase
from protocol.provisioning import Provisioning
from protocol.tokens import Trust, verify_booking


def test_seeded_bytes_are_the_same_for_the_same_seed_and_never_twice() -> None:
    one, same, other = seeded("a"), seeded("a"), seeded("b")
    drawn = [one(16) for _ in range(100)]
    assert drawn == [same(16) for _ in range(100)]
    assert len(set(drawn)) == 100
    assert other(16) not in drawn
    assert [len(one(count)) for count in (1, 33)] == [1, 33]


async def a_short_trip(seed: str) -> list[tuple[float, Event]]:
    seen: list[tuple[float, Event]] = []
    loop = asyncio.get_running_loop()
    async with Rig(seed, observer=lambda event, *_: seen.append((loop.time(), event))) as rig:
        anna = rig.holder("Anna")
        async with rig.phone(anna, rig.book(anna, lasts_s=60)[1]) as phone:
            await phone.unlock()
            await asyncio.sleep(5)
    return seen


@pytest.mark.asyncio(loop_factories=["virtual"])
async def test_the_same_seed_gives_the_same_trace() -> None:
    began = asyncio.get_running_loop().time()
    one = [type(event) for _, event in await a_short_trip("same")]
    again = [type(event) for _, event in await a_short_trip("same")]
    assert one == again
    assert len(one) > 20
    assert asyncio.get_running_loop().time() - began < 60


async def test_a_booking_begins_a_minute_early_and_verifies() -> None:
    async with Rig() as rig:
        assert rig.now_s == BEGINS_S
        vip = rig.holder("Vera", Role.VIP)
        booking, file = rig.book(vip, lasts_s=600, starts_in_s=3600)
        assert (booking.not_before_s, booking.ends_at_s) == (BEGINS_S + 3540, BEGINS_S + 4200)
        issuer = rig.issuer.public
        trust = Trust(rig.provisioning.module_id, {keys.key_id(issuer): issuer})
        verified = verify_booking(file.token, trust)
        assert (verified.role, verified.user) == (Role.VIP, vip.user)
        assert verified.holder == keys.public_to_bytes(vip.key.public_key())


async def test_until_waits_for_an_instant_and_not_for_one_that_is_past() -> None:
    async with Rig() as rig:
        await rig.until(BEGINS_S + 100)
        assert rig.now_s == BEGINS_S + 100
        await rig.until(BEGINS_S)
        assert rig.now_s == BEGINS_S + 100


async def test_the_store_survives_a_reboot_and_time_goes_on() -> None:
    async with Rig() as rig:
        anna = rig.holder("Anna")
        _, file = rig.book(anna, lasts_s=600)
        async with rig.phone(anna, file) as phone:
            assert phone.access.granted
        await rig.shut_down()
        await rig.shut_down()
        await asyncio.sleep(60)
        await rig.boot()
        assert rig.pump.state.durable.trip.phase is Phase.ACTIVE
        async with rig.phone(anna, file) as phone:
            assert phone.access.granted


class Unwilling:
    """A `BrokerPort` that gives up."""

    async def run(self, connected: Callable[[], None], lost: Callable[[], None], received: Arrived) -> None:
        raise OSError("no network card")

    def publish(self, publication: Publication) -> "asyncio.Future[None]":
        raise AssertionError("never connected")

    def sever(self, why: str, *, last: bool = False) -> None:
        raise AssertionError("never connected")


async def test_the_broker_is_made_anew_at_each_boot_for_this_module() -> None:
    asked: list[Provisioning] = []

    class Absent(Unwilling):
        async def run(self, connected: Callable[[], None], lost: Callable[[], None], received: Arrived) -> None:
            await asyncio.Event().wait()

    def make(provisioning: Provisioning) -> BrokerPort:
        asked.append(provisioning)
        return Absent()

    async with Rig(broker=make) as rig:
        await rig.shut_down()
        await rig.boot()
        assert asked == [rig.provisioning] * 2


async def test_a_module_that_does_not_come_up_says_why() -> None:
    with pytest.raises(ExceptionGroup) as failed:
        async with Rig(broker=lambda _: Unwilling(), store=MemoryStore(capacity_records=10)):
            pass
    (cause,) = failed.value.exceptions
    assert str(cause) == "no network card"
    # It left nothing behind: the next one can have bleak.
    async with Rig() as rig:
        assert rig.pump.started.is_set()
