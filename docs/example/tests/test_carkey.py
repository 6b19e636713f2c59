"""The app's key against a module, with bleak and the key unchanged. Hours take no time: the clock is virtual."""

import asyncio

import pytest
from carkey import CarKey, Denied, NoCar

pytestmark = pytest.mark.asyncio


async def test_it_opens_the_car(sharebox_module, sharebox_booking):
    async with CarKey(sharebox_booking.json(), sharebox_booking.holder_private) as key:
        assert key.granted
        await key.unlock()
    assert (await sharebox_module.do("vehicle")).data["locked"] is False


async def test_it_is_refused_before_its_booking_begins(sharebox_module):
    booking = await sharebox_module.book("2h", starts_in="1h")
    async with CarKey(booking.json(), booking.holder_private) as key:
        assert not key.granted
        with pytest.raises(Denied, match="NOT_YET_VALID"):
            await key.unlock()


async def test_it_is_cut_off_half_an_hour_after_the_end(sharebox_module, sharebox_broker):
    booking = await sharebox_module.book("10m")
    async with CarKey(booking.json(), booking.holder_private) as key:
        await key.unlock()
    await asyncio.sleep(39 * 60)
    async with CarKey(booking.json(), booking.holder_private) as key:
        assert key.granted, "the grace is not over yet"
        await asyncio.sleep(2 * 60)
        with pytest.raises(NoCar):
            await key.unlock()
        assert "booking.cut_off" in sharebox_broker.events
        await key.connect()
        assert not key.granted
        assert key.why.rule == "CUT-2"


@pytest.mark.sharebox(mtu=23)
async def test_it_works_with_the_smallest_packets_that_bluetooth_has(sharebox_module, sharebox_booking):
    async with CarKey(sharebox_booking.json(), sharebox_booking.holder_private) as key:
        await key.unlock()


async def test_it_survives_a_lost_connection(sharebox_module, sharebox_booking):
    async with CarKey(sharebox_booking.json(), sharebox_booking.holder_private) as key:
        sharebox_module.lose_links()
        with pytest.raises(NoCar):
            await key.unlock()
        await key.connect()
        await key.unlock()


async def test_it_finds_its_own_car_among_two(sharebox_modules):
    mine, other = await sharebox_modules("mine"), await sharebox_modules("other")
    booking = await mine.book("1h")
    async with CarKey(booking.json(), booking.holder_private) as key:
        await key.unlock()
    locked = [(await car.do("vehicle")).data["locked"] for car in (mine, other)]
    assert locked == [False, True]


async def test_the_owner_does_not_see_where_the_driver_goes(sharebox_module, sharebox_phone, sharebox_broker):
    await sharebox_phone.unlock()
    await sharebox_broker.hears("booking.started")
    await asyncio.sleep(300)
    assert sharebox_broker.position is None
    await sharebox_phone.end_booking()
    await asyncio.sleep(5)
    assert sharebox_broker.position is not None


async def test_a_report_waits_for_the_network(sharebox_broker, sharebox_booking):
    sharebox_broker.down()
    async with CarKey(sharebox_booking.json(), sharebox_booking.holder_private) as key:
        await key.unlock()
    await asyncio.sleep(600)
    assert "booking.started" not in sharebox_broker.events
    sharebox_broker.up()
    await sharebox_broker.hears("booking.started")
