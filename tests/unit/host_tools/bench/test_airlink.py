"""A phone's link over virtual Bluetooth: finds the module each time, and says so when there is none."""

import pytest

from firmware.demo.rig import Rig
from host_tools.bench.airlink import AirLink
from host_tools.phone.client import Phone
from host_tools.phone.errors import NotFound
from host_tools.radio.devices import virtual_central


async def test_a_phone_opens_a_session_over_it_again_and_again() -> None:
    async with Rig() as rig:
        anna = rig.holder("anna")
        central = await virtual_central(rig.air, name="anna's phone")
        link = AirLink(central)
        phone = Phone(link, rig.book(anna, lasts_s=600)[1], anna.key, entropy=rig.entropy)
        for _ in range(2):
            assert (await phone.open()).granted
            assert link.payload > 20
            await phone.close()
        await central.power_off()


async def test_the_adapter_of_the_process_will_do() -> None:
    async with Rig() as rig:
        anna = rig.holder("anna")
        async with Phone(AirLink(), rig.book(anna, lasts_s=600)[1], anna.key, entropy=rig.entropy) as phone:
            assert phone.access.granted


async def test_a_module_that_is_not_there_or_left_out_is_not_found() -> None:
    async with Rig() as rig:
        link = AirLink(looking_s=2.0)
        await link.close()
        await link.connect(lambda _fragment: None, lambda: None)
        await link.close()
        link.leave_out()
        with pytest.raises(NotFound, match=r"no module was heard within 2 s"):
            await link.connect(lambda _fragment: None, lambda: None)
        await rig.shut_down()
