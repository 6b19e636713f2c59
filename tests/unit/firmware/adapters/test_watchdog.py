"""The watchdog is fed by a module that works. Its device is a pipe here; the kernel's own is tried in `tests/guest`."""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from firmware.adapters.watchdog import Watchdog, WatchdogUnavailable

pytestmark = pytest.mark.req("HW-1")


class Device:
    """A pipe with a name, and what was written into it."""

    def __init__(self, path: Path) -> None:
        os.mkfifo(path)
        self.path = str(path)
        self.fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        self.set_to: list[int] = []

    def grant(self, fd: int, seconds: int) -> int:
        self.set_to.append(seconds)
        return min(seconds, 16)

    def heard(self) -> bytes:
        """Since the last time."""
        try:
            return os.read(self.fd, 1000)
        except BlockingIOError:
            return b""


@pytest.fixture
def device(tmp_path: Path) -> Iterator[Device]:
    made = Device(tmp_path / "watchdog")
    yield made
    os.close(made.fd)


class Module:
    """Takes a step when it is asked to, unless it hangs."""

    def __init__(self, device: Device, seconds: int = 8) -> None:
        self.hangs = False
        self.watchdog = Watchdog(device.path, seconds, self._asked, set_up=device.grant)

    def _asked(self) -> None:
        if not self.hangs:
            self.watchdog.beat()


@asynccontextmanager
async def watched(module: Module) -> AsyncIterator[None]:
    module.watchdog.open()
    task = asyncio.create_task(module.watchdog.run())
    await asyncio.sleep(0.1)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait({task})


async def test_a_module_that_works_feeds_it_four_times_in_its_timeout(device: Device) -> None:
    module = Module(device)
    async with watched(module):
        await asyncio.sleep(8)
        assert device.heard() == b"\0" * 5
        assert device.set_to == [8]


async def test_a_module_that_hangs_does_not_and_one_that_comes_back_does(device: Device) -> None:
    module = Module(device)
    async with watched(module):
        await asyncio.sleep(4)
        module.hangs = True
        with capture_logs() as logged:
            await asyncio.sleep(4)
            device.heard()
            await asyncio.sleep(60)
        assert device.heard() == b""
        assert [line["log_level"] for line in logged] == ["error"]
        module.hangs = False
        await asyncio.sleep(4)
        assert device.heard() == b"\0"


async def test_a_module_that_is_still_booting_has_a_minute(device: Device) -> None:
    module = Module(device)
    module.hangs = True
    async with watched(module):
        await asyncio.sleep(59)
        assert len(device.heard()) == 30
        await asyncio.sleep(60)
        assert device.heard() == b""


async def test_an_end_in_good_order_puts_it_to_rest(device: Device) -> None:
    module = Module(device, seconds=60)
    with capture_logs() as logged:
        async with watched(module):
            device.heard()
            module.watchdog.rest()
            assert device.heard() == b"V"
            await asyncio.sleep(4)
        module.watchdog.rest()
    assert device.heard() == b""
    assert logged[0] == {
        "event": "the watchdog has a timeout of its own",
        "seconds": 16,
        "log_level": "warning",
    }


async def test_one_that_breaks_later_does_not_break_the_module(device: Device) -> None:
    module = Module(device)
    with capture_logs() as logged:
        async with watched(module):
            os.close(device.fd)
            await asyncio.sleep(2)
            module.watchdog.rest()
            device.fd = os.open(device.path, os.O_RDONLY | os.O_NONBLOCK)
    assert {line["why"] for line in logged if "why" in line} == {"Broken pipe"}


@pytest.mark.parametrize(("name", "why"), [("none", "No such file"), ("file", "ioctl"), (".", "Is a directory")])
async def test_what_is_no_watchdog_is_one_line(tmp_path: Path, name: str, why: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(WatchdogUnavailable, match=why) as refused:
        Watchdog(str(tmp_path / name), 15, lambda: None).open()
    assert str(refused.value).endswith("name a watchdog that nobody else feeds (RuntimeWatchdogSec of systemd)")
    assert "\n" not in str(refused.value)
