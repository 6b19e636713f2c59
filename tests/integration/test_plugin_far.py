"""The plugin with a module that runs as a program of its own, over the serial line that it makes; and its capture."""

import signal
from pathlib import Path

import pytest

from firmware.inprocess.garage import Options, opened
from firmware.inprocess.module import NotHere
from host_tools.cli.main import run
from tests.support.programs import Program
from tests.support.wireshark import read

TABLES = """
[ble]
hub_port = 0

[bench]
enabled = true
uplink = "recorded"

[[serial]]
name = "desk"
level = "service"
"""

pytestmark = pytest.mark.asyncio(loop_factories=["real"])


@pytest.mark.req("BEN-2", "BEN-3", "CUT-1")
@pytest.mark.needs("tshark")
async def test_a_test_drives_a_module_over_its_serial_line(tmp_path: Path) -> None:
    assert await run(["module", "init", str(tmp_path / "bench"), "--json"]) == 0
    folder = tmp_path / "bench"
    file = folder / "sharebox.toml"
    file.write_text(file.read_text().partition("[ble]")[0] + TABLES)
    keys = folder / "keys"
    environment = {"XDG_RUNTIME_DIR": "", "SHAREBOX_KEYLOG": str(keys)}
    module = await Program.start("firmware", "run", "--capture", "air.pcapng", directory=folder, **environment)
    try:
        await module.said("on the air")
        options = Options(link=f"serial:{folder / 'state' / 'run' / 'desk'}", bench=folder)
        async with opened(options) as garage:
            car = await garage("car")
            booked = await car.book("10m")
            async with car.phone(booked) as phone:
                await phone.unlock()
            assert (await car.do("vehicle")).data["locked"] is False
            await car.wait("41m")
            async with car.phone(booked) as phone:
                assert phone.access.refusal is not None
                assert phone.access.refusal.rule == "CUT-2"
            with pytest.raises(NotHere):
                await garage("another")
            assert "desk: vehicle" in garage.told()[0][1]
        module.signal(signal.SIGTERM)
        assert (await module.ended()).code == 0
    finally:
        await module.kill()
    assert len(keys.read_text().splitlines()) == 2
    assert read(folder / "air.pcapng", ("frame.time_epoch",), only="bthci_cmd.opcode == 0x0c03") != []
