"""01 Power: the module comes up by itself, and a plug that is pulled takes nothing back that was promised."""

import asyncio

import pytest

from hil.stand import Figure, Stand, lasted_s, until
from host_tools.phone.errors import NotFound
from protocol.errors import Code

pytestmark = pytest.mark.limit(240)

TIMEOUT_OF_A_LINK_S = 40.0


@pytest.mark.req("BLE-1")
async def test_a_module_that_gets_power_is_on_the_air_by_itself(stand: Stand, figure: Figure) -> None:
    await stand.power_off()
    await stand.power_on()
    figure("from power to the air", f"{await lasted_s(until(stand.hear)):.1f} s")


@pytest.mark.req("BLE-1")
async def test_a_module_without_power_is_not_heard(stand: Stand) -> None:
    await stand.power_on()
    await until(stand.hear)
    await stand.power_off()
    with pytest.raises(NotFound):
        await stand.hear()


@pytest.mark.req("PWR-1", "ACC-5", "BKG-1")
async def test_a_booking_goes_on_after_the_plug_was_pulled_in_the_middle_of_it(stand: Stand) -> None:
    async with stand.booked() as booking:
        async with stand.phone(booking) as phone:
            await phone.unlock()
            await stand.power_off()
            async with asyncio.timeout(TIMEOUT_OF_A_LINK_S):  # nobody says farewell
                await phone.closed.wait()
        await stand.power_on()
        async with stand.phone(booking) as phone:
            assert phone.access.granted
            await phone.lock()


@pytest.mark.req("PWR-1", "ACC-5", "BKG-2")
async def test_a_booking_that_has_ended_is_dead_after_the_plug_was_pulled(stand: Stand) -> None:
    async with stand.booked() as booking:
        await stand.free(booking)
        await stand.power_off()
        await stand.power_on()
        async with stand.phone(booking) as phone:
            assert phone.access.refusal is not None
            assert phone.access.refusal.code is Code.BOOKING_ENDED
