"""A controller that has gone is noticed also while nobody wants anything of it."""

import asyncio

import pytest
from bumble import core, hci
from bumble.device import Device

from firmware.adapters.ble.advertising import ControllerLost
from firmware.adapters.ble.pulse import ANSWER_S, EVERY_S, Pulse
from host_tools.radio.air import VirtualAir
from host_tools.radio.devices import virtual_device
from tests.support.radio_bench import RadioBench, find


class Answering(Device):
    """A device whose controller answers as `refusal` says: None for silence."""

    refusal: Exception | None = None
    asked = 0

    async def send_sync_command(self, *_: object, **__: object) -> None:
        self.asked += 1
        if self.refusal is None:
            await asyncio.Event().wait()
        else:
            raise self.refusal


async def answering(refusal: Exception | None) -> Answering:
    device = await virtual_device(VirtualAir())
    device.__class__ = type("AnsweringDevice", (Answering, type(device)), {"refusal": refusal})
    assert isinstance(device, Answering)
    return device


def now_s() -> float:
    return asyncio.get_running_loop().time()


@pytest.mark.req("BLE-2")
@pytest.mark.parametrize("refusal", [None, core.InvalidStateError("transport lost")])
async def test_silence_is_noticed(refusal: Exception | None) -> None:
    pulse = Pulse(await answering(refusal))
    with pytest.raises(ControllerLost, match="it does not answer"):
        await pulse.run()
    assert now_s() <= EVERY_S + ANSWER_S + 0.1


async def test_a_refusal_is_a_sign_of_life() -> None:
    device = await answering(hci.HCI_Error(hci.HCI_ErrorCode.UNKNOWN_HCI_COMMAND_ERROR))
    pulse = Pulse(device)
    running = asyncio.create_task(pulse.run())
    await asyncio.sleep(10 * EVERY_S + 1)
    assert (device.asked, running.done()) == (10, False)
    pulse.end()
    await running
    assert now_s() < 10 * EVERY_S + 2


async def test_a_hardware_error_is_believed_at_once_and_other_packets_say_nothing() -> None:
    pulse = Pulse(await answering(None))
    running = asyncio.create_task(pulse.run())
    await asyncio.sleep(1)
    for packet in (b"", b"\x04", bytes.fromhex("040e0401051000"), bytes.fromhex("0210000110")):
        pulse.saw(packet)
    await asyncio.sleep(1)
    assert not running.done()
    pulse.saw(bytes.fromhex("04100142"))
    with pytest.raises(ControllerLost, match="hardware error 42"):
        await running
    assert now_s() < 3


@pytest.mark.req("BLE-2")
async def test_a_controller_that_falls_silent_with_all_places_taken_is_opened_again() -> None:
    """Nothing is advertised then, so no command fails by itself."""
    async with RadioBench() as bench:
        for _ in range(3):
            await bench.connected()
        bench.air.power_cut(bench.controller)
        silent_s = now_s()
        await bench.recorder.until("closed")
        assert now_s() - silent_s <= EVERY_S + ANSWER_S + 1
        assert sorted(bench.recorder.all_of("closed")) == [(1,), (2,), (3,)]
        bench.air.restore(bench.controller)
        assert await find(await bench.central(), within_s=30) is not None


@pytest.mark.req("BLE-2")
async def test_a_controller_that_reports_a_hardware_error_is_reset_and_closes_each_link_once() -> None:
    async with RadioBench() as bench:
        await bench.connected()
        bench.controller.lose_everything()
        bench.controller.send_hci_packet(hci.HCI_Event(parameters=b"\x01", event_code=0x10))
        await bench.recorder.until("closed", 1)
        assert await find(await bench.central(), within_s=5) is not None
        await bench.connected()
        assert bench.recorder.all_of("closed") == [(1,)]
        assert bench.recorder.all_of("opened") == [(1, 20), (2, 20)]
