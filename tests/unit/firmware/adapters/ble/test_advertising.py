"""What is on the air, under which address, and that it comes back."""

import asyncio
import itertools
import random

import pytest
from bumble import core, crypto, hci
from bumble.device import Device

from firmware.adapters.ble.advertising import Addresses, Advertiser, ControllerLost, advertisement, scan_response
from host_tools.radio.air import VirtualAir
from host_tools.radio.devices import virtual_device
from tests.support.radio_bench import RadioBench, find


@pytest.mark.req("BLE-1", "PRV-7")
def test_the_advertisement_is_flags_and_the_service_and_nothing_else() -> None:
    assert advertisement().hex(" ") == "02 01 06 11 07 47 78 c2 fb 96 d4 9a b2 df 4e 25 d4 00 00 80 70"
    assert scan_response() == b"\x09\x09Sharebox"


def test_an_address_is_a_resolvable_private_one_under_the_key() -> None:
    entropy = random.Random(3).randbytes
    key = random.Random(3).randbytes(16)
    addresses = Addresses(entropy)
    for _ in range(200):
        address = addresses.fresh()
        data = bytes(address)
        assert address.address_type == hci.Address.RANDOM_DEVICE_ADDRESS
        assert data[5] >> 6 == 0b01
        assert data[:3] == crypto.ah(key, data[3:])


@pytest.mark.parametrize("reserved", [b"\x00\x00\x00", b"\xff\xff\xff"])
def test_reserved_random_parts_are_not_used(reserved: bytes) -> None:
    addresses = Addresses(lambda count: reserved if count == 3 else bytes(count))
    assert bytes(addresses.fresh())[3:] == b"\x01\x00\x40"


# ---------------------------------------------------------------- on the air
async def advertised(bench: RadioBench, seconds: float) -> list[tuple[float, str]]:
    """(time, address) of every advertisement that a scanner hears."""
    scanner = await bench.central()
    bench.frames.clear()
    await scanner.start_scanning()
    await asyncio.sleep(seconds)
    await scanner.stop_scanning()
    return [(f.time_s, f.data[:6].hex()) for f in bench.frames if f.kind == "advertisement"]


async def test_it_advertises_every_100_ms_as_long_as_nobody_comes() -> None:
    async with RadioBench() as bench:
        heard = await advertised(bench, 60)
    gaps = [later - earlier for (earlier, _), (later, _) in itertools.pairwise(heard)]
    assert max(gaps) < 0.12
    assert len({address for _, address in heard}) == 1


async def test_the_interval_can_be_chosen() -> None:
    async with RadioBench(advertising_interval_ms=1000.0) as bench:
        heard = await advertised(bench, 30)
    assert 28 <= len(heard) <= 31


@pytest.mark.req("BLE-2")
@pytest.mark.parametrize("ending", ["central leaves", "module hangs up", "power fails"])
async def test_within_a_second_of_a_disappearance_it_is_back_on_the_air(ending: str) -> None:
    async with RadioBench() as bench:
        centrals = [await bench.connected() for _ in range(3)]
        last = centrals[-1]
        assert last.connection is not None
        assert last.device.radio is not None
        scanner = await bench.central()
        match ending:
            case "central leaves":
                await last.connection.disconnect()
            case "module hangs up":
                await bench.radio.hang_up(3)
            case _:
                bench.air.power_cut(last.device.radio)
        await bench.recorder.until("closed", 3)
        gone_s = asyncio.get_running_loop().time()
        assert await find(scanner, within_s=1.0) is not None
        assert asyncio.get_running_loop().time() - gone_s < 0.2


@pytest.mark.req("BLE-1")
async def test_it_goes_on_advertising_while_there_is_room_for_another_central() -> None:
    async with RadioBench() as bench:
        for _ in range(2):
            await bench.connected()
            assert await find(await bench.central(), within_s=0.3) is not None


@pytest.mark.req("PRV-7")
async def test_the_address_changes_every_quarter_of_an_hour_and_never_comes_back() -> None:
    async with RadioBench(advertising_interval_ms=5000.0) as bench:
        heard = await advertised(bench, 3 * 3600)
    addresses = [address for address, _ in itertools.groupby(address for _, address in heard)]
    assert len(addresses) == 12
    assert len(set(addresses)) == 12
    assert all(later - earlier < 5.2 for (earlier, _), (later, _) in itertools.pairwise(heard))


@pytest.mark.req("PRV-7")
async def test_the_address_stays_while_somebody_is_connected_and_changes_afterwards() -> None:
    async with RadioBench(advertising_interval_ms=1000.0) as bench:
        central = await bench.connected()
        assert central.connection is not None
        before = {address for _, address in await advertised(bench, 2000)}
        assert len(before) == 1
        assert await central.write(b"still here") == b"\x13"
        await central.connection.disconnect()
        await bench.recorder.until("closed", 1)
        after = {address for _, address in await advertised(bench, 10)}
        assert len(after) == 1
        assert before != after


@pytest.mark.req("PRV-7")
async def test_two_starts_share_no_address() -> None:
    heard: list[str] = []
    for seed in (1, 2):
        async with RadioBench(seed=seed) as bench:
            heard += {address for _, address in await advertised(bench, 5)}
    assert len(heard) == len(set(heard)) == 2


# ---------------------------------------------------------------- a controller that does not want to
class Reluctant(Device):
    """A device whose controller refuses to advertise `refusals` times, or never answers."""

    refusals = 0
    silent = False

    async def start_advertising(self, *_: object, **__: object) -> None:
        if self.silent:
            await asyncio.Event().wait()
        if self.refusals:
            self.refusals -= 1
            raise core.BaseBumbleError("memory capacity exceeded")
        self.legacy_advertiser = None


async def reluctant(*, refusals: int = 0, silent: bool = False) -> Advertiser:
    device = await virtual_device(VirtualAir())
    device.__class__ = type("ReluctantDevice", (Reluctant, type(device)), {"refusals": refusals, "silent": silent})
    advertiser = Advertiser(device, Addresses(random.Random(1).randbytes).fresh, 100.0, 900.0)
    advertiser.allow(True)
    return advertiser


async def test_a_controller_that_refuses_five_times_and_then_obeys_is_kept() -> None:
    advertiser = await reluctant(refusals=5)
    running = asyncio.create_task(advertiser.run())
    await asyncio.sleep(5)
    assert not running.done()
    advertiser.finish()
    await running


@pytest.mark.parametrize(("refusals", "silent", "why"), [(6, False, "memory capacity"), (0, True, "no answer")])
async def test_a_controller_that_goes_on_refusing_is_lost(refusals: int, silent: bool, why: str) -> None:
    advertiser = await reluctant(refusals=refusals, silent=silent)
    with pytest.raises(ControllerLost, match=why):
        await advertiser.run()
    assert asyncio.get_running_loop().time() < 15


async def test_finishing_ends_the_work_even_if_the_controller_is_silent() -> None:
    advertiser = await reluctant(silent=True)
    running = asyncio.create_task(advertiser.run())
    await asyncio.sleep(1)
    advertiser.finish()
    await running
    assert asyncio.get_running_loop().time() < 5
