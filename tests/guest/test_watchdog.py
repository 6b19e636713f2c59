"""The kernel's watchdog (softdog): it lets a module live that feeds it, and rests when it is told to.

That it resets the computer of a module that hangs would end the guest, too: docs/hardware.md says how to see it.
"""

import asyncio
import signal
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from firmware import app
from firmware.adapters.watchdog import Watchdog, WatchdogUnavailable
from firmware.config import ConfigError
from tests.support.module_files import config

pytestmark = [
    pytest.mark.guest,
    pytest.mark.req("HW-1"),
    pytest.mark.asyncio(loop_factories=["real"]),
]

DEVICE = "/dev/watchdog"


async def test_a_module_that_feeds_it_lives_and_then_it_rests() -> None:
    def step() -> None:
        watchdog.beat()

    watchdog = Watchdog(DEVICE, 4, step)
    with capture_logs() as logged:
        watchdog.open()
        task = asyncio.create_task(watchdog.run())
        await asyncio.sleep(12)
        with pytest.raises(WatchdogUnavailable, match="Device or resource busy"):
            Watchdog(DEVICE, 4, lambda: None).open()
        task.cancel()
        await asyncio.wait({task})
        watchdog.rest()
        await asyncio.sleep(12)
    assert [line["event"] for line in logged] == ["watchdog"]


async def test_a_whole_module_is_guarded_and_a_second_one_is_one_line(tmp_path: Path) -> None:
    text = f'[module]\nwatchdog = "{DEVICE}"\nwatchdog_s = 4\n[ble]\nhub_port = 0\n'
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    with capture_logs() as logged:
        running = asyncio.create_task(app.run(config(tmp_path / "one", text)))
        async with asyncio.timeout(60):
            while not any(line["event"] == "on the air" for line in logged):
                await asyncio.sleep(0.1)
        await asyncio.sleep(20)
        with pytest.raises(ConfigError, match=r"^\[module\] watchdog: /dev/watchdog: Device or resource busy; name a"):
            await app.run(config(tmp_path / "two", text))
        signal.raise_signal(signal.SIGTERM)
        await running
    assert not [line for line in logged if line["log_level"] == "error"]
    await asyncio.sleep(12)
