"""`sharebox check` says what the parts of a real car tell, and what is missing."""

import asyncio
import os
import pty
import tty
from collections.abc import Iterator
from pathlib import Path

import pytest

from firmware.checkup import Finding, check
from firmware.config import ConfigError
from tests.support.can_car import can_car
from tests.support.module_files import config
from tests.support.sentences import gga, rmc

pytestmark = [pytest.mark.req("HW-1"), pytest.mark.asyncio(loop_factories=["real"])]


@pytest.fixture
def receiver() -> Iterator[tuple[int, str]]:
    ours, line = pty.openpty()
    tty.setraw(line)
    yield ours, os.ttyname(line)
    os.close(ours)
    os.close(line)


async def found(directory: Path, text: str, seconds: float = 0.3) -> dict[str, Finding]:
    read = config(directory, text)
    return {finding.name: finding for finding in await check(read, seconds)}


async def test_what_the_bus_and_the_receiver_say_is_shown(tmp_path: Path, receiver: tuple[int, str]) -> None:
    text = (
        '[vehicle]\nkind = "hardware"\n[vehicle.can]\ninterface = "virtual"\nchannel = "checkup"\n'
        f'[vehicle.gnss]\ndevice = "{receiver[1]}"\n'
    )
    with can_car("checkup") as car:

        async def speak() -> None:
            for second in range(100_000):
                car.send()
                os.write(receiver[0], rmc(f"1200{second % 60:02d}.00") + gga(f"1200{second % 60:02d}.00"))
                await asyncio.sleep(0.02)

        speaking = asyncio.create_task(speak())
        for seconds in (0.7, 3, 10, 30):  # a machine may be slow
            findings = await found(tmp_path, text, seconds)
            if all(each.state == "ok" for each in findings.values()):
                break
        speaking.cancel()
        await asyncio.wait({speaking})
    assert {name: each.state for name, each in findings.items()} == {"can": "ok", "gnss": "ok"}
    assert "ignition_on false" in findings["can"].detail
    assert "speed_kmh 0.0" in findings["can"].detail
    assert findings["gnss"].detail.startswith('fix {"latitude_e7":481173000,')


async def test_what_says_nothing_is_noted_and_what_is_not_there_is_wrong(tmp_path: Path) -> None:
    findings = await found(
        tmp_path,
        '[module]\nwatchdog = "/dev/null"\n[vehicle]\nkind = "hardware"\n'
        '[vehicle.can]\ninterface = "virtual"\nchannel = "silence"\n'
        '[vehicle.gnss]\ndevice = "/dev/ttyNONE"\n'
        '[vehicle.gpio]\nchip = "/dev/gpiochip99"\nrelays = { immobiliser = { line = 5 } }\n',
    )
    assert list(findings) == ["gpio", "can", "gnss", "watchdog"]
    assert findings["can"].state == "note"
    assert findings["can"].detail.startswith("nothing about battery_mv, ")
    for name, why in (("gnss", "No such file"), ("gpio", "/dev/gpiochip99: No such file")):
        assert findings[name].state == "wrong"
        assert why in findings[name].detail
    assert findings["watchdog"] == Finding("watchdog", "ok", "/dev/null is there")


@pytest.mark.req("CUT-2")
async def test_a_car_that_can_never_be_parked_is_wrong(tmp_path: Path) -> None:
    text = '[vehicle]\nkind = "hardware"\n[vehicle.gnss]\ngpsd = "127.0.0.1:9"\n'
    findings = await found(tmp_path, text, 0.1)
    assert findings["parked"].detail.startswith("nothing tells ignition_on and speed_kmh, so the car is never parked")
    instead = await found(tmp_path, text.replace("[vehicle.gnss]", 'simulate = ["can"]\n[vehicle.gnss]'), 0.1)
    assert "parked" not in instead


async def test_a_watchdog_that_is_no_device_is_wrong(tmp_path: Path) -> None:
    text = f'[module]\nwatchdog = "{tmp_path}"\n[vehicle]\nkind = "hardware"\n[vehicle.gnss]\ngpsd = "127.0.0.1:9"\n'
    findings = await found(tmp_path, text, 0.1)
    assert findings["watchdog"].state == "wrong"
    assert "is no device" in findings["watchdog"].detail


async def test_a_simulated_car_has_nothing_to_be_checked(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is nothing to be checked"):
        await check(config(tmp_path), 0.1)
