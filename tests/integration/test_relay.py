"""A relay between a phone and a distant car: what it can do (THR-1 of docs/threat-model.md), and what limits it.

The phone is on one air, the module on another; nothing but the relay is on both. Cryptography does not stop it, and
no test here pretends that it does.
"""

import asyncio
from collections.abc import AsyncIterator

import pytest

from firmware.core.links import IDLE_MS
from firmware.demo.rig import Holder, Rig
from host_tools.phone.errors import LinkClosed, NotFound, PhoneError
from host_tools.radio.air import VirtualAir
from protocol.errors import Code
from protocol.provisioning import BookingFile
from tests.support.relay import Relay, distant_phone
from tests.support.stranger import stranger


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    async with Rig("relay") as made:
        yield made


def booked(rig: Rig, lasts_s: int = 7200) -> tuple[Holder, BookingFile]:
    anna = rig.holder("Anna")
    return anna, rig.book(anna, lasts_s=lasts_s)[1]


@pytest.mark.req("SEC-2")
async def test_the_residual_risk_a_relay_in_real_time_carries_the_users_own_commands_to_the_distant_car(
    rig: Rig,
) -> None:
    anna, file = booked(rig)
    far = VirtualAir()
    with pytest.raises(NotFound):
        async with distant_phone(rig, far, anna, file):
            pass
    async with Relay(rig, far), distant_phone(rig, far, anna, file) as phone:
        assert phone.access.granted
        await phone.unlock()
        assert not rig.vehicle.snapshot().locked
        await phone.enable_drive()
        assert rig.vehicle.turn_ignition(True)


@pytest.mark.req("SEC-2", "ACC-3")
async def test_a_relay_moves_nothing_that_the_user_did_not_ask_for(rig: Rig) -> None:
    anna, file = booked(rig)
    far = VirtualAir()
    async with Relay(rig, far) as relay, distant_phone(rig, far, anna, file) as phone:
        assert phone.access.granted
        asked = len(relay.to_module)
        await asyncio.sleep(300)
        assert len(relay.to_module) == asked, "an open session says nothing by itself"
        car = rig.vehicle.snapshot()
        assert car.locked
        assert car.immobilised


@pytest.mark.req("SEC-2")
async def test_a_relayed_session_that_the_user_forgot_ends_after_ten_minutes(rig: Rig) -> None:
    anna, file = booked(rig)
    far = VirtualAir()
    async with Relay(rig, far) as relay, distant_phone(rig, far, anna, file):
        begins_s = asyncio.get_running_loop().time()
        async with asyncio.timeout(IDLE_MS / 1000 + 2):
            await relay.lost.wait()
        assert asyncio.get_running_loop().time() - begins_s > IDLE_MS / 1000 - 2
    assert rig.vehicle.snapshot().locked


@pytest.mark.req("SEC-2", "PRV-7")
async def test_what_a_relay_has_carried_tells_nothing_and_is_worth_nothing_afterwards(rig: Rig) -> None:
    anna, file = booked(rig)
    far = VirtualAir()
    async with Relay(rig, far) as relay, distant_phone(rig, far, anna, file) as phone:
        await phone.unlock()
        await phone.lock()
        position = await phone.locate()
    carried = b"".join(relay.to_module + relay.to_phone)
    known = [file.token[start : start + 16] for start in range(0, len(file.token) - 16, 16)]
    known += [file.module_id, anna.user, position.latitude_e7.to_bytes(4, "big")]
    assert not any(secret in carried for secret in known)
    async with stranger(rig) as thief:
        for fragment in relay.to_module[:4]:
            await thief.write(fragment)
            await thief.answer()
        async with asyncio.timeout(1):
            await thief.gone.wait()
    assert rig.vehicle.snapshot().locked


@pytest.mark.req("SEC-2")
@pytest.mark.parametrize(("after_s", "locked"), [(500, False), (620, True)])
async def test_the_residual_risk_a_command_that_a_relay_held_back_works_until_the_idle_session_ends(
    rig: Rig, after_s: int, locked: bool
) -> None:
    anna, file = booked(rig)
    far = VirtualAir()
    async with Relay(rig, far) as relay:
        async with distant_phone(rig, far, anna, file) as phone:
            relay.holding = True
            with pytest.raises(LinkClosed) as lost:
                await phone.unlock()
            assert lost.value.may_have_succeeded, "the phone says that the car may open, and to look"
        await asyncio.sleep(after_s)
        await relay.let_go()
        await asyncio.sleep(2)
        assert rig.vehicle.snapshot().locked is locked


@pytest.mark.req("CUT-2", "ACC-5")
async def test_a_relay_does_not_outlive_the_booking(rig: Rig) -> None:
    anna, file = booked(rig, lasts_s=60)
    far = VirtualAir()
    async with Relay(rig, far) as relay:
        async with distant_phone(rig, far, anna, file) as phone:
            for _ in range(6):
                await asyncio.sleep(300)
                await phone.status()
            async with asyncio.timeout(62):
                await relay.lost.wait()
        async with distant_phone(rig, far, anna, file) as phone:
            assert phone.access.refusal is not None
            assert phone.access.refusal.code is Code.BOOKING_CUT_OFF


@pytest.mark.req("SEC-2")
async def test_a_relay_that_takes_seconds_gets_no_session(rig: Rig) -> None:
    anna, file = booked(rig)
    far = VirtualAir()
    async with Relay(rig, far, delay_s=3.0):
        with pytest.raises((LinkClosed, PhoneError)):
            async with distant_phone(rig, far, anna, file):
                pass
    assert rig.vehicle.snapshot().locked
