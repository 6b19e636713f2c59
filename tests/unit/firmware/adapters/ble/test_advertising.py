"""What is on the air, under which address, and that it comes back."""

import asyncio
import itertools
import random

import pytest
from bumble import core, hci
from bumble.device import Device

from firmware.adapters.ble.advertising import (
    INTERVAL_MS,
    PUT_OFF_S,
    Advertiser,
    ControllerLost,
    advertisement,
    scan_response,
)
from firmware.adapters.ble.identity import Identities
from firmware.core.airtime import Airtime, Pace
from host_tools.radio.air import VirtualAir
from host_tools.radio.controller import VirtualController, virtual_controller
from host_tools.radio.devices import virtual_device
from protocol import beacon
from tests.support.radio_bench import RadioBench, find

SECRET = bytes(range(16))
SLOW = Airtime(Pace.SLOW, 0)


@pytest.mark.req("BLE-1", "PRV-7")
def test_the_advertisement_is_flags_the_service_and_the_name_and_fills_the_packet() -> None:
    uuid = "47 78 c2 fb 96 d4 9a b2 df 4e 25 d4 00 00 80 70"
    name = "09 09 53 68 61 72 65 62 6f 78"
    assert advertisement().hex(" ") == f"02 01 06 11 07 {uuid} {name}"
    assert len(advertisement()) == 31


@pytest.mark.req("PRV-7")
def test_the_scan_response_is_the_beacon_of_the_service_and_fills_the_packet() -> None:
    response = scan_response(bytes(range(13)))
    assert response.hex(" ") == "1e 21 47 78 c2 fb 96 d4 9a b2 df 4e 25 d4 00 00 80 70 " + bytes(range(13)).hex(" ")
    assert len(response) == 31


# ---------------------------------------------------------------- on the air
async def advertised(bench: RadioBench, seconds: float) -> list[tuple[float, str]]:
    """(time, address and beacon) of every advertisement that can be heard."""
    ears = virtual_controller(bench.air, "ears")
    bench.frames.clear()
    bench.air.listen(ears, True)
    await asyncio.sleep(seconds)
    bench.air.listen(ears, False)
    return [
        (f.time_s, (f.data[:6] + f.data[-beacon.BEACON_BYTES :]).hex())
        for f in bench.frames
        if f.kind == "advertisement"
    ]


async def test_it_advertises_every_100_ms_as_long_as_nobody_comes() -> None:
    async with RadioBench() as bench:
        heard = await advertised(bench, 60)
    gaps = [later - earlier for (earlier, _), (later, _) in itertools.pairwise(heard)]
    assert max(gaps) < 0.12
    assert len({address for _, address in heard}) == 1


@pytest.mark.parametrize("pace", Pace)
async def test_the_interval_is_that_of_the_pace_that_is_advised(pace: Pace) -> None:
    async with RadioBench() as bench:
        await advertised(bench, 1)
        bench.radio.advise(Airtime(pace, 0))
        heard = await advertised(bench, 30)
    gaps = [later - earlier for (earlier, _), (later, _) in itertools.pairwise(heard)]
    assert gaps == pytest.approx([INTERVAL_MS[pace] / 1000] * len(gaps), abs=0.001)
    assert len(heard) >= 29


@pytest.mark.parametrize("legacy", [False, True])
async def test_a_change_of_pace_changes_nothing_else(legacy: bool) -> None:
    async with RadioBench(legacy=legacy) as bench:
        before = await advertised(bench, 1)
        bench.radio.advise(SLOW)
        after = await advertised(bench, 5)
    assert {who for _, who in before} == {who for _, who in after}


@pytest.mark.req("PRV-7", "OWN-4")
async def test_a_new_key_epoch_changes_address_and_beacon_at_once() -> None:
    async with RadioBench(radio_secret=SECRET, advice=Airtime(Pace.BRISK, 3)) as bench:
        (before,) = {who for _, who in await advertised(bench, 2)}
        bench.radio.advise(Airtime(Pace.BRISK, 4))
        (after,) = {who for _, who in await advertised(bench, 2)}
    assert before[:12] != after[:12]
    keys = [beacon.key_of(SECRET, epoch) for epoch in (3, 4)]
    heard = [bytes.fromhex(who[12:]) for who in (before, after)]
    assert [[beacon.is_of(key, one) for one in heard] for key in keys] == [[True, False], [False, True]]


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


@pytest.mark.req("BLE-2")
@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("pace", Pace)
async def test_in_every_pace_a_place_that_is_free_again_is_told_at_once(pace: Pace, legacy: bool) -> None:
    async with RadioBench(legacy=legacy) as bench:
        centrals = [await bench.connected() for _ in range(3)]
        bench.radio.advise(Airtime(pace, 0))
        bench.air.listen(virtual_controller(bench.air, "ears"), True)
        await asyncio.sleep(5)
        bench.frames.clear()
        assert centrals[0].connection is not None
        await centrals[0].connection.disconnect()
        gone_s = asyncio.get_running_loop().time()
        await asyncio.sleep(2)
        first_s = next(frame.time_s for frame in bench.frames if frame.kind == "advertisement")
        assert first_s - gone_s < 0.1


@pytest.mark.req("BLE-1")
async def test_it_goes_on_advertising_while_there_is_room_for_another_central() -> None:
    async with RadioBench() as bench:
        for _ in range(2):
            await bench.connected()
            assert await find(await bench.central(), within_s=0.3) is not None


@pytest.mark.req("PRV-7")
@pytest.mark.parametrize("connected", [False, True])
@pytest.mark.parametrize("legacy", [False, True])
async def test_address_and_beacon_change_together_within_a_quarter_of_an_hour(legacy: bool, connected: bool) -> None:
    """Also on a car whose owner's phone is connected all the time."""
    async with RadioBench(radio_secret=SECRET, advice=SLOW, legacy=legacy) as bench:
        owner = await bench.connected() if connected else None
        heard = await advertised(bench, 3600)
        if owner is not None:
            assert await owner.write(b"still here") == b"\x13"
    whole = [who for who, _ in itertools.groupby(who for _, who in heard)]
    assert len({who[:12] for who in whole}) == len({who[12:] for who in whole}) == len(whole)
    changes = [at for (_, one), (at, other) in itertools.pairwise(heard) if one != other]
    periods = [later - earlier for earlier, later in itertools.pairwise(changes)]
    assert min(periods) > 448
    assert max(periods) < 902
    assert len({round(period) for period in periods}) > len(periods) // 2, "a regular change is a mark of its own"
    assert max(later - earlier for (earlier, _), (later, _) in itertools.pairwise(heard)) < 1.1
    key = beacon.key_of(SECRET, 0)
    assert all(beacon.is_of(key, bytes.fromhex(who[12:])) for who in whole)


@pytest.mark.req("PRV-7")
async def test_a_module_without_a_secret_changes_likewise_and_nobody_knows_it() -> None:
    async with RadioBench(advice=SLOW) as bench:
        heard = {who for _, who in await advertised(bench, 3600)}
    assert len(heard) >= 4
    assert not any(beacon.is_of(b"", bytes.fromhex(who[12:])) for who in heard)


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
    identities = Identities(random.Random(1).randbytes, b"", 900.0)
    advertiser = Advertiser(device, identities, identities.fresh())
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


class Stubborn(VirtualController):
    """A controller that keeps its address while somebody is connected, against the specification."""

    def on_hci_le_set_random_address_command(
        self, command: hci.HCI_LE_Set_Random_Address_Command
    ) -> hci.HCI_StatusReturnParameters:
        if self.le_connections:
            return hci.HCI_StatusReturnParameters(hci.HCI_ErrorCode.COMMAND_DISALLOWED_ERROR)
        return super().on_hci_le_set_random_address_command(command)


@pytest.mark.req("PRV-7")
async def test_a_controller_that_keeps_its_address_while_connected_changes_it_when_it_may() -> None:
    """Address and beacon stay together, nobody is hung up on, and the last one's going ends it."""
    bench = RadioBench(radio_secret=SECRET, advice=SLOW, legacy=True)
    bench.controller.__class__ = Stubborn
    async with bench:
        central = await bench.connected()
        assert central.connection is not None
        before = {who for _, who in await advertised(bench, 3600)}
        assert len(before) == 1
        assert await central.write(b"still here") == b"\x13"
        await central.connection.disconnect()
        await bench.recorder.until("closed", 1)
        (after,) = {who for _, who in await advertised(bench, 10)}
        assert not before & {after}
        assert after[12:] not in {who[12:] for who in before}
        later = {who for _, who in await advertised(bench, 900 + PUT_OFF_S)}
        assert len(later) >= 2
