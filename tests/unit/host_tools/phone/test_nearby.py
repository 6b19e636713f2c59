"""Finding the car of a booking among those in range."""

import asyncio

import pytest
from bleak.backends.device import BLEDevice

from host_tools.phone.ble import BleakLink
from host_tools.phone.client import Phone
from host_tools.phone.errors import HandshakeRefused, LinkFailed, NotFound
from host_tools.phone.links import PhoneLink
from host_tools.phone.nearby import open_nearest
from protocol.errors import Code, refuse
from tests.support.car_park import car_park
from tests.support.module_peer import ModulePeer, PeerLink, seeded


@pytest.mark.req("ACC-12", "PRV-7")
async def test_among_several_cars_the_one_of_the_booking_is_found_and_the_others_see_no_token() -> None:
    peers = [ModulePeer(seed) for seed in (1, 2, 3)]
    mine = peers[2]
    async with car_park(*peers):
        phone = await open_nearest(lambda link: Phone(link, mine.booking_file(), mine.holder, entropy=seeded(7)))
        assert phone.is_open
        await phone.close()
    assert [len(peer.admitted) for peer in peers] == [0, 0, 1]


async def test_when_only_other_cars_are_in_range_the_phone_says_so() -> None:
    away = ModulePeer(9)
    async with car_park(ModulePeer(1), ModulePeer(2)):
        with pytest.raises(HandshakeRefused, match="the 2 modules in range are not the one") as caught:
            await open_nearest(lambda link: Phone(link, away.booking_file(), away.holder), timeout_s=5.0)
    assert caught.value.code is Code.WRONG_VEHICLE


async def test_with_nobody_in_range_the_search_ends_in_time() -> None:
    peer = ModulePeer()
    async with car_park():
        began = asyncio.get_running_loop().time()
        with pytest.raises(NotFound, match="no module was heard within 5 s"):
            await open_nearest(lambda link: Phone(link, peer.booking_file(), peer.holder), timeout_s=5.0)
        assert asyncio.get_running_loop().time() - began == pytest.approx(5.0, abs=0.2)


async def test_a_refusal_by_the_right_car_ends_the_search() -> None:
    peer = ModulePeer()
    peer.handshake_error = refuse(Code.TOO_MANY_HANDSHAKES)
    async with car_park(peer):
        with pytest.raises(HandshakeRefused) as caught:
            await open_nearest(lambda link: Phone(link, peer.booking_file(), peer.holder))
    assert not caught.value.wrong_module


async def test_a_module_that_cannot_be_connected_to_does_not_hide_the_right_one() -> None:
    mine = ModulePeer(2)
    absent = PeerLink(mine)
    absent.absent = True
    links: list[PhoneLink] = []

    def link_to(device: BLEDevice) -> PhoneLink:
        links.append(BleakLink(device) if links else absent)
        return links[-1]

    async with car_park(mine, ModulePeer(3), mine):
        phone = await open_nearest(
            lambda link: Phone(link, mine.booking_file(), mine.holder, entropy=seeded(7)), link_to=link_to
        )
        assert phone.is_open
        await phone.close()
    async with car_park(mine):
        with pytest.raises(LinkFailed, match="no answer in time"):
            await open_nearest(
                lambda link: Phone(link, mine.booking_file(), mine.holder),
                link_to=lambda _device: absent,
                timeout_s=2.0,
            )
