"""Finding the car of a booking among those in range."""

import asyncio
from collections.abc import Callable

import pytest
from bleak.backends.device import BLEDevice
from bumble import hci

from firmware.core.airtime import Airtime, Pace
from host_tools.phone.ble import BleakLink
from host_tools.phone.client import Phone
from host_tools.phone.errors import HandshakeRefused, LinkFailed, NotFound
from host_tools.phone.links import PhoneLink
from host_tools.phone.nearby import OWN_TRIES, RECOGNISE_S, open_nearest
from host_tools.radio.air import VirtualAir
from host_tools.radio.controller import VirtualController
from protocol.errors import Code, refuse
from tests.support.car_park import car_park
from tests.support.module_peer import ModulePeer, PeerLink, seeded


def now_s() -> float:
    return asyncio.get_running_loop().time()


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


# ---------------------------------------------------------------- recognising the own car
def opener(mine: ModulePeer) -> Callable[[PhoneLink], Phone]:
    return lambda link: Phone(link, mine.booking_file(), mine.holder, entropy=seeded(7))


@pytest.mark.req("PRV-7", "ACC-12")
@pytest.mark.parametrize("pace", Pace)
async def test_of_ten_modules_in_range_the_phone_connects_to_its_own_and_to_no_other(pace: Pace) -> None:
    peers = [ModulePeer(seed) for seed in range(1, 11)]
    async with car_park(*peers) as parked:
        mine = parked[6]
        for one in parked:
            one.radio.advise(Airtime(Pace.BRISK, 0))
        mine.radio.advise(Airtime(pace, 0))
        began = now_s()
        phone = await open_nearest(opener(mine.peer), beacon_key=mine.beacon_key)
        assert now_s() - began < 1.5
        assert [one.connected for one in parked] == [int(one is mine) for one in parked]
        await phone.close()


@pytest.mark.req("ACC-12")
@pytest.mark.parametrize("key", [b"another key 1234", b""])
async def test_a_car_that_is_not_recognised_is_found_by_trying(key: bytes) -> None:
    """A module without a secret, a file of another epoch, or a file without a key."""
    peers = [ModulePeer(seed) for seed in (1, 2, 3)]
    async with car_park(*peers) as parked:
        began = now_s()
        phone = await open_nearest(opener(peers[2]), beacon_key=key)
        assert phone.is_open
        assert now_s() - began < (RECOGNISE_S + 3 if key else 2.0)
        await phone.close()
    assert parked[2].connected == 1


class Mute(VirtualController):
    """A controller whose scan responses say nothing: as if they had not been heard."""

    def on_hci_le_set_extended_scan_response_data_command(
        self, command: hci.HCI_LE_Set_Extended_Scan_Response_Data_Command
    ) -> hci.HCI_StatusReturnParameters:
        command.scan_response_data = b""
        return super().on_hci_le_set_extended_scan_response_data_command(command)


@pytest.mark.req("ACC-12")
async def test_a_module_whose_beacon_was_not_heard_is_asked_before_one_that_is_somebody_elses() -> None:
    """Though it is the weaker one: it might be the own."""
    air = VirtualAir(rssi_dbm=lambda sender, _: -80.0 if sender.name == "module-1" else -40.0)
    async with car_park(ModulePeer(1), ModulePeer(2), air=air) as parked:
        mine = parked[0]
        mine.controller.__class__ = Mute
        mine.radio.advise(Airtime(Pace.SLOW, 0))
        phone = await open_nearest(opener(mine.peer), beacon_key=mine.beacon_key)
        await phone.close()
    assert [one.connected for one in parked] == [1, 0]


async def test_a_recorded_beacon_costs_one_handshake_and_opens_nothing() -> None:
    """Whoever sends it again is asked, cannot prove anything, and is left alone; the car is found all the same."""
    mine, thief = ModulePeer(1), ModulePeer(2)
    async with car_park(mine, thief) as parked:
        parked[1].radio.advise(Airtime(Pace.BRISK, 0))
        key = parked[1].beacon_key  # the thief's radio is the only one that this phone recognises
        phone = await open_nearest(opener(mine), beacon_key=key)
        assert phone.is_open
        await phone.close()
    assert [one.connected for one in parked] == [1, 1]
    assert thief.admitted == []


async def test_the_own_car_is_tried_again_when_the_link_breaks() -> None:
    mine = ModulePeer(2)
    absent = PeerLink(mine)
    absent.absent = True
    links: list[PhoneLink] = []

    def link_to(device: BLEDevice) -> PhoneLink:
        links.append(BleakLink(device) if len(links) == OWN_TRIES - 1 else absent)
        return links[-1]

    async with car_park(ModulePeer(1), mine, ModulePeer(3)) as parked:
        phone = await open_nearest(opener(mine), beacon_key=parked[1].beacon_key, link_to=link_to)
        assert phone.is_open
        assert [one.connected for one in parked] == [0, 1, 0]
        await phone.close()


async def test_an_own_car_that_cannot_be_reached_is_told_as_such() -> None:
    mine = ModulePeer(2)
    absent = PeerLink(mine)
    absent.absent = True
    tried: list[str] = []

    def link_to(device: BLEDevice) -> PhoneLink:
        tried.append(device.address)
        return absent

    async with car_park(mine) as parked:
        with pytest.raises(LinkFailed, match="no answer in time"):
            await open_nearest(opener(mine), beacon_key=parked[0].beacon_key, link_to=link_to, timeout_s=4.0)
    assert tried == [tried[0]] * OWN_TRIES
