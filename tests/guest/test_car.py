"""`sharebox run` as it would run in a car, and a driver with `shareboxctl` who comes back too late.

Relays on a chip, a bus by SocketCAN, a receiver on a line and a watchdog: all of them are the kernel's own.
"""

import asyncio
import datetime
import json
import os
import pty
import signal
import tty
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC
from pathlib import Path

import can
import pytest

from tests.support import vcan
from tests.support.can_car import CanCar
from tests.support.command import Ran, in_loop
from tests.support.gpio_sim import SimulatedChip, simulated_chip
from tests.support.programs import Program
from tests.support.sentences import gga, rmc

pytestmark = [pytest.mark.guest, pytest.mark.asyncio(loop_factories=["real"])]

UNLOCK, LOCK, IMMOBILISER, IGNITION = 5, 6, 4, 17
FILE = "sharebox.toml"
TABLES = """
[module]
provisioning = "provisioning.json"
watchdog = "/dev/watchdog"
watchdog_s = 10
[ble]
hub_port = 6499
[vehicle]
kind = "hardware"
[vehicle.gpio]
chip = "{chip}"
[vehicle.gpio.relays]
unlock = {{ line = 5, active_low = true }}
lock = {{ line = 6, active_low = true }}
immobiliser = {{ line = 4, active_low = true }}
[vehicle.gpio.inputs]
ignition = {{ line = 17, pull = "up" }}
[vehicle.can]
channel = "vcan8"
[vehicle.gnss]
device = "{receiver}"
"""


class Car:
    """What is at the other end of the wires: it unlocks and locks itself when its relays say so."""

    def __init__(self, chip: SimulatedChip, bus: can.BusABC, receiver: int) -> None:
        self.chip = chip
        self.talks = CanCar(bus)
        self._receiver = receiver
        self.pulses: list[str] = []
        self.sees_sky = True

    def energised(self, line: int) -> bool:
        return not self.chip.level(line)

    def turn_ignition(self, on: bool) -> None:
        """On the wire and on the bus."""
        self.chip.pull(IGNITION, on)
        self.talks.say("Power", IgnitionState=2 if on else 0)

    @asynccontextmanager
    async def alive(self) -> AsyncIterator[None]:
        tasks = [asyncio.create_task(work) for work in (self.talks.speak(), self._feel(), self._look_up())]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)

    async def _feel(self) -> None:
        before = dict.fromkeys((UNLOCK, LOCK), False)
        while True:
            for line in before:
                now = self.energised(line)
                if now and not before[line]:
                    self.pulses.append("unlock" if line == UNLOCK else "lock")
                    self.talks.say("Closures", Locks=float(line == LOCK))
                before[line] = now
            assert not all(before.values())
            await asyncio.sleep(0.05)

    async def _look_up(self) -> None:
        while True:
            at = datetime.datetime.now(UTC)
            time = at.strftime("%H%M%S.00")
            if self.sees_sky:
                os.write(self._receiver, rmc(time, date=at.strftime("%d%m%y")) + gga(time))
            await asyncio.sleep(1)


@contextmanager
def wires() -> Iterator[tuple[Car, str]]:
    """The car, and the tables of the file."""
    ours, line = pty.openpty()
    tty.setraw(line)
    with simulated_chip() as chip, vcan.vcan("vcan8"), can.Bus("vcan8", "socketcan", ignore_config=True) as bus:
        chip.pull(UNLOCK, True)
        chip.pull(LOCK, True)
        chip.pull(IMMOBILISER, True)
        yield Car(chip, bus, ours), TABLES.format(chip=chip.device, receiver=os.ttyname(line))
    os.close(ours)
    os.close(line)


def write(path: Path, text: str) -> None:
    path.write_text(text)


@pytest.mark.req("HW-1", "BLE-3", "ACC-1", "ACC-9", "CUT-2", "CUT-3", "TEL-7")
async def test_a_driver_who_comes_back_too_late_is_cut_off_when_the_car_is_parked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))

    async def ctl(*tokens: str) -> Ran:
        return await in_loop(capsys, *tokens)

    async def status() -> dict[str, object]:
        ran = await ctl("phone", "status", "--json")
        assert ran.code == 0, ran.err
        return json.loads(ran.out.splitlines()[-1])["vehicle"] or {}

    assert (await ctl("module", "init", ".", "--hub-port", "6499")).code == 0
    assert (await ctl("issuer", "booking", "--for", "2m")).code == 0
    with wires() as (car, tables):
        write(tmp_path / FILE, tables)
        module = await Program.start("firmware", "run", "--config", FILE, "--json", directory=tmp_path)
        try:
            await module.said("on the air")
            assert not car.energised(IMMOBILISER)
            async with car.alive():
                assert (await ctl("phone", "unlock")).code == 0
                assert (await ctl("phone", "drive")).code == 0
                assert car.energised(IMMOBILISER)
                car.turn_ignition(True)
                car.talks.say("Motion", Speed=80)
                await asyncio.sleep(5)
                seen = await status()
                assert (seen["ignition_on"], seen["locked"], seen["parked"]) == (True, False, False)
                assert "48.117300" in (await ctl("phone", "locate")).out

            # On the road for longer than it may be; meanwhile the bus is down, and back.
            vcan.switch("vcan8", False)
            await asyncio.sleep(33 * 60)
            assert car.energised(IMMOBILISER)
            vcan.switch("vcan8", True)
            async with car.alive():
                await asyncio.sleep(15)
                assert car.energised(IMMOBILISER)

                # The wire says off, and the speed is nought; but the bus says on.
                car.chip.pull(IGNITION, False)
                car.talks.say("Motion", Speed=0)
                await asyncio.sleep(30)
                assert car.energised(IMMOBILISER)
                car.turn_ignition(False)
                await asyncio.sleep(9)
                assert not car.energised(IMMOBILISER)
                refused = await ctl("phone", "unlock")
                assert (refused.code, "BOOKING_CUT_OFF" in refused.err) == (3, True), refused.err
            assert car.pulses == ["unlock"]
            module.signal(signal.SIGTERM)
            assert (await module.ended()).code == 0
        finally:
            await module.kill()
    warned = [json.loads(line)["event"] for line in module.err if '"warning"' in line]
    assert warned.count("a part of the car is out of reach, it is tried again") >= 1
