"""A controller that has gone is noticed also while nobody wants anything of it."""

import asyncio

import pytest
from bumble import hci

from firmware.adapters.ble.advertising import ControllerLost
from firmware.adapters.ble.pulse import ANSWER_S, EVERY_S, Pulse
from host_tools.radio.air import VirtualAir
from host_tools.radio.controller import VirtualController
from host_tools.radio.devices import RadioDevice, virtual_device
from tests.support.radio_bench import RadioBench, find


class Refusing(VirtualController):
    """A controller that does not know the question. `asked`: how often it came."""

    asked = 0

    def on_hci_read_local_version_information_command(
        self, _command: hci.HCI_Read_Local_Version_Information_Command
    ) -> hci.HCI_Read_Local_Version_Information_ReturnParameters:
        self.asked += 1
        return hci.HCI_Read_Local_Version_Information_ReturnParameters(
            hci.HCI_ErrorCode.UNKNOWN_HCI_COMMAND_ERROR, 0, 0, 0, 0, 0
        )


async def a_device(*, silent: bool = False) -> tuple[RadioDevice, VirtualController]:
    air = VirtualAir()
    device = await virtual_device(air)
    assert device.radio is not None
    if silent:
        air.power_cut(device.radio)
    return device, device.radio


def now_s() -> float:
    return asyncio.get_running_loop().time()


@pytest.mark.req("BLE-2")
async def test_silence_is_noticed() -> None:
    device, _ = await a_device(silent=True)
    with pytest.raises(ControllerLost, match="it does not answer"):
        await Pulse(device).run()
    assert now_s() <= EVERY_S + ANSWER_S + 0.1


async def test_a_transport_that_ends_between_question_and_answer_is_silence() -> None:
    device, _ = await a_device(silent=True)
    running = asyncio.create_task(Pulse(device).run())
    await asyncio.sleep(EVERY_S + 1)
    device.host.on_transport_lost()  # type: ignore[no-untyped-call]
    with pytest.raises(ControllerLost, match="it does not answer"):
        await running
    assert now_s() < EVERY_S + ANSWER_S


async def test_any_answer_is_a_sign_of_life() -> None:
    device, radio = await a_device()
    radio.__class__ = Refusing
    pulse = Pulse(device)
    running = asyncio.create_task(pulse.run())
    await asyncio.sleep(10 * EVERY_S + 1)
    assert isinstance(radio, Refusing)
    assert (radio.asked, running.done()) == (10, False)
    pulse.end()
    await running
    assert now_s() < 10 * EVERY_S + 2


async def test_a_hardware_error_is_believed_at_once_and_other_packets_say_nothing() -> None:
    device, _ = await a_device()
    pulse = Pulse(device)
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
