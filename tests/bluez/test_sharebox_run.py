"""`sharebox run` on an adapter of the kernel, as on a Raspberry Pi, and `shareboxctl` on another: the real programs."""

import asyncio
import json
import signal
from pathlib import Path

import pytest

from hil.guest.system_bus import SystemBus, system_bus
from hil.guest.vhci import Adapter, plugged_in
from host_tools.radio.air import VirtualAir
from tests.support.command import Ran
from tests.support.programs import Program

pytestmark = [pytest.mark.guest, pytest.mark.asyncio(loop_factories=["real"])]


async def ctl(directory: Path, *words: str) -> Ran:
    """One `shareboxctl`, over this machine's Bluetooth."""
    program = await Program.start("host_tools.cli", *words, directory=directory, XDG_CONFIG_HOME=str(directory))
    return await program.ended()


async def prepared(directory: Path, own: Adapter) -> None:
    """A bench whose module uses the adapter `own`, and whose tools use this machine's Bluetooth."""
    assert (await ctl(directory, "module", "init", ".")).code == 0
    file = directory / "sharebox.toml"
    before, _, rest = file.read_text().partition("[ble]")
    _, _, after = rest.partition("[vehicle]")
    head, _, _ = before.partition("[broker]")
    file.write_text(f'{head}[ble]\ntransport = "hci-socket:{own.number}"\n\n[vehicle]{after.partition("[bench]")[0]}')
    (directory / "shareboxctl.toml").unlink(missing_ok=True)
    assert (await ctl(directory, "issuer", "booking", "--for", "2h")).code == 0


async def off_the_system(bus: SystemBus, own: Adapter) -> None:
    """bluetoothd has lost it: it is the module's."""
    await bus.until_powered(own.name, None)


async def back_as(own: Adapter, number: int) -> None:
    """Plugged in again, as soon as the module has let go of the old one: until then the kernel keeps its number."""
    async with asyncio.timeout(30):
        own.plug_in()
        while own.number != number:
            own.unplug()
            await asyncio.sleep(0.2)
            own.plug_in()


@pytest.mark.req("BLE-1", "BLE-2", "BLE-3", "ACC-1")
async def test_the_module_takes_its_adapter_and_the_tools_use_the_other_one(tmp_path: Path) -> None:
    air = VirtualAir(latency_s=0.015)
    async with (
        system_bus() as bus,
        plugged_in(air, "desktop", "00:5B:FD:00:00:01") as desktop,
        plugged_in(air, "module", "00:5B:FD:00:00:02") as own,
    ):
        await bus.until_powered(desktop.name)
        await bus.until_powered(own.name)
        await prepared(tmp_path, own)
        module = await Program.start("firmware", "run", "--config", "sharebox.toml", "--json", directory=tmp_path)
        try:
            await module.said("in use by the system")
            await module.said("on the air")
            await off_the_system(bus, own)
            for words in (("scan",), ("unlock",), ("status",)):
                ran = await ctl(tmp_path, "phone", *words, "--json")
                assert ran.code == 0, (words, ran)
            number = own.number
            own.unplug()
            await module.said("the Bluetooth controller is lost")
            await back_as(own, number)
            await module.said("the Bluetooth controller is back")
            assert (await ctl(tmp_path, "phone", "unlock")).code == 0
            module.signal(signal.SIGTERM)
            ended = await module.ended()
            assert ended.code == 0
            assert json.loads(ended.err.splitlines()[-1])["event"] == "stopped"
            await bus.until_powered(own.name)
        finally:
            await module.kill()


@pytest.mark.req("BLE-3")
async def test_an_adapter_that_is_not_there_is_exit_code_4_and_one_line(tmp_path: Path) -> None:
    async with plugged_in(VirtualAir(), "module", "00:5B:FD:00:00:03") as own:
        await prepared(tmp_path, own)
    module = await Program.start("firmware", "run", "--config", "sharebox.toml", "--json", directory=tmp_path)
    ran = await module.ended()
    assert ran.code == 4
    assert "No such device; check that the kernel has an adapter of that number" in ran.err.splitlines()[-1]
