"""04 Booking: with a booking the phone opens, drives and closes the car; without one, nothing."""

import pytest

from hil.stand import Figure, Stand, lasted_s, stood
from host_tools.bench.bench import Bench
from host_tools.phone.errors import HandshakeRefused, Refused
from host_tools.phone.keyring import new_key
from protocol.errors import Code
from protocol.messages import Permission

pytestmark = pytest.mark.limit(180)


@pytest.mark.req("ACC-1", "ACC-10", "BKG-1")
async def test_a_driver_opens_the_car_makes_it_ready_to_drive_and_closes_it(stand: Stand, figure: Figure) -> None:
    async with stand.booked() as booking, stand.phone(booking) as phone:
        assert phone.access.granted
        figure("unlock", f"{await lasted_s(phone.unlock()) * 1000:.0f} ms")
        figure("release the immobiliser", f"{await lasted_s(phone.enable_drive()) * 1000:.0f} ms")
        figure("status", f"{await lasted_s(phone.status()) * 1000:.0f} ms")
        status = await phone.status()
        assert status.vehicle is not None
        assert status.vehicle.drive_enabled
        figure("lock", f"{await lasted_s(phone.lock()) * 1000:.0f} ms")


@pytest.mark.req("ACC-7")
async def test_a_command_that_is_repeated_is_carried_out_once(stand: Stand) -> None:
    async with stand.booked() as booking, stand.phone(booking) as phone:
        command_id = phone.new_command_id()
        await phone.unlock(command_id)
        assert (await phone.unlock(command_id)).already
        assert (await phone.outcome(command_id)).code is Code.OK
        await phone.lock()


@pytest.mark.req("ACC-2", "ACC-8")
async def test_a_permission_that_the_booking_lacks_is_named(stand: Stand) -> None:
    some = Permission.UNLOCK | Permission.LOCK
    async with stand.booked(permissions=some) as booking, stand.phone(booking) as phone:
        with pytest.raises(Refused) as no:
            await phone.enable_drive()
    assert no.value.refusal.code is Code.PERMISSION_MISSING
    assert "drive" in str(no.value)


@pytest.mark.req("ACC-6", "SEC-2")
async def test_somebody_elses_phone_is_not_let_in_with_a_booking(stand: Stand) -> None:
    await stand.power_on()
    stolen = stand.book()._replace(holder=new_key())
    with pytest.raises(HandshakeRefused) as no:
        async with stand.phone(stolen):
            pass
    assert no.value.code is Code.HOLDER_KEY_MISMATCH


@pytest.mark.req("ACC-1", "BKG-2", "BKG-3", "BKG-4")
@pytest.mark.lg_feature(["bench", "simulated-car"])
async def test_a_drive_from_the_first_unlock_to_the_receipt(stand: Stand, bench: Bench) -> None:
    async with stand.phone(stand.book()) as phone:
        await phone.unlock()
        await phone.enable_drive()
        for command in ("door open", "door close", "ignition on", "drive 30", "time move 60s"):
            await bench.control(command)
        with pytest.raises(Refused) as no:
            await phone.end_booking()
        assert no.value.refusal.code is Code.END_NOT_POSSIBLE
        await bench.control("park")
        await stood(phone)
        ended = await phone.end_booking()
        assert ended.receipt
        with pytest.raises(Refused) as dead:
            await phone.unlock()
        assert dead.value.refusal.code is Code.BOOKING_ENDED
