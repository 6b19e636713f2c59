"""How often a central and the module meet."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from bumble import hci

from firmware.adapters.ble.parameters import ANSWER_S, BUSY, IDLE, IDLE_S, Wish
from host_tools.radio.controller import VirtualController
from tests.support.radio_bench import SIGNALLING_CID, RadioBench, RawCentral

UPDATE_REQUEST = 0x12


@pytest.fixture
async def bench() -> AsyncIterator[RadioBench]:
    async with RadioBench() as bench:
        yield bench


def parameters(central: RawCentral) -> tuple[float, int, float]:
    """As the central has them: interval in ms, latency, timeout in ms."""
    assert central.connection is not None
    now = central.connection.parameters
    return now.connection_interval, now.peripheral_latency, now.supervision_timeout


@pytest.mark.parametrize("wish", [BUSY, IDLE])
def test_what_is_asked_for_is_within_what_apple_allows_accessories(wish: Wish) -> None:
    """Accessory Design Guidelines, Bluetooth Low Energy, Connection Parameters."""
    least, most, latency, timeout_ms = wish
    assert latency <= 30
    assert 2_000 <= timeout_ms <= 6_000
    assert least >= 15
    assert least % 15 == 0
    assert most >= least + 15
    assert most * (latency + 1) <= 2_000
    assert most * (latency + 1) * 3 < timeout_ms


def test_in_the_units_of_the_specification_it_is_what_the_specification_allows() -> None:
    assert BUSY.numbers() == (12, 24, 0, 400)
    assert IDLE.numbers() == (72, 96, 4, 400)


@pytest.mark.req("BLE-2")
async def test_a_link_is_brisk_while_something_is_said_and_slow_while_nothing_is(bench: RadioBench) -> None:
    central = await bench.connected()
    await asyncio.sleep(1)
    assert parameters(central) == (30.0, 0, 4_000.0)
    await asyncio.sleep(IDLE_S - 2)
    await central.write(b"something")
    await asyncio.sleep(IDLE_S - 1)
    assert parameters(central) == (30.0, 0, 4_000.0)
    await asyncio.sleep(2)
    assert parameters(central) == (120.0, 4, 4_000.0)
    await asyncio.sleep(600)
    assert parameters(central) == (120.0, 4, 4_000.0)
    await central.write(b"something again")
    await asyncio.sleep(1)
    assert parameters(central) == (30.0, 0, 4_000.0)


async def test_what_the_module_says_counts_as_well(bench: RadioBench) -> None:
    central = await bench.connected()
    await central.subscribe()
    await asyncio.sleep(IDLE_S + 1)
    assert parameters(central)[1] == 4
    await bench.radio.notify(bench.link(), b"a push")
    await asyncio.sleep(1)
    assert parameters(central)[1] == 0


@pytest.mark.req("BLE-2")
@pytest.mark.parametrize("after_s", [0.5, 60.0])
async def test_a_half_open_link_is_gone_four_seconds_after_its_central(bench: RadioBench, after_s: float) -> None:
    central = await bench.connected()
    await asyncio.sleep(after_s)
    assert central.device.radio is not None
    bench.air.power_cut(central.device.radio)
    gone_s = asyncio.get_running_loop().time()
    await bench.recorder.until("closed", 1)
    assert asyncio.get_running_loop().time() - gone_s == pytest.approx(4.0, abs=0.01)
    await bench.connected()


# ---------------------------------------------------------------- who does not want to
class Refusing(VirtualController):
    """A controller that does not change parameters: `code` at once, or as the central's answer; None: silence."""

    code: int | None = None
    at_once = False
    asked = 0

    def on_hci_le_connection_update_command(self, command: hci.HCI_LE_Connection_Update_Command) -> None:
        self.asked += 1
        refused = self.code if self.at_once else None
        self._send_hci_command_status(hci.HCI_COMMAND_STATUS_PENDING if refused is None else refused, command.op_code)
        if refused is None and self.code is not None:
            self.send_hci_packet(
                hci.HCI_LE_Connection_Update_Complete_Event(self.code, command.connection_handle, 0, 0, 0)
            )


async def refused(code: int | None, *, at_once: bool = False) -> tuple[int, list[bytes]]:
    """How often such a controller is asked in a minute, and what the central hears of it."""
    bench = RadioBench()
    bench.controller.__class__ = type("ThisRefusing", (Refusing,), {"code": code, "at_once": at_once})
    async with bench:
        central = await bench.connected()
        await asyncio.sleep(IDLE_S / 2)
        assert await central.write(b"all the same") == b"\x13"
        await asyncio.sleep(IDLE_S + 2 * ANSWER_S)
        assert isinstance(bench.controller, Refusing)
        asked = bench.controller.asked
        assert await central.write(b"all the same") == b"\x13"
        await asyncio.sleep(1)
    heard = [pdu for pdu in central.received[SIGNALLING_CID] if pdu[0] == UPDATE_REQUEST]
    return asked, heard


@pytest.mark.parametrize("at_once", [False, True])
@pytest.mark.parametrize("code", [0x0C, 0x1A])
async def test_controllers_that_cannot_do_it_leave_it_to_the_hosts(code: int, at_once: bool) -> None:
    asked, heard = await refused(code, at_once=at_once)
    assert asked == 1
    assert [pdu.hex(" ") for pdu in heard] == [
        "12 01 08 00 0c 00 18 00 00 00 90 01",
        "12 02 08 00 48 00 60 00 04 00 90 01",
        "12 03 08 00 0c 00 18 00 00 00 90 01",
    ]


@pytest.mark.parametrize("code", [0x3B, None])
async def test_a_central_that_refuses_or_says_nothing_is_left_alone(code: int | None) -> None:
    asked, heard = await refused(code)
    assert asked == 2
    assert heard == []


async def test_the_radio_can_be_stopped_while_a_controller_owes_an_answer() -> None:
    bench = RadioBench()
    bench.controller.__class__ = Refusing
    async with bench:
        await bench.connected()
        began_s = asyncio.get_running_loop().time()
    assert asyncio.get_running_loop().time() - began_s < 1.0
