"""The environment files, as labgrid reads them: each class that they name is there, and is bound to what it needs."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.support import needs
from tests.support.command import ROOT

_READ = """
import json, sys
from labgrid import Environment
from labgrid.resource import NetworkSerialPort
from hil import drivers

env = Environment(sys.argv[1])
target = env.get_target("main")
driver = target.get_driver("StandDriver", activate=False)
power = target.get_driver("PowerProtocol", activate=False)
radio, line = driver.air, driver.line
far = [drivers.url(NetworkSerialPort(None, None, "pi", 4000, protocol=one)) for one in ("raw", "rfc2217")]
print(json.dumps({
    "features": sorted(env.get_target_features()),
    "power": type(power).__name__,
    "air": [type(radio.link).__name__, getattr(radio.link, "port", 0) or radio.link.adapter],
    "line": [type(line).__name__, str(line.port)],
    "files": driver.files.directory,
    "far": far,
}))
"""


def told(*arguments: str | Path, **variables: str) -> str:
    """What Python says with these arguments, where labgrid is."""
    ran = subprocess.run(
        [needs.PACKAGES["labgrid"] / "bin/python", *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), **variables},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def read(name: str, **variables: str) -> dict[str, object]:
    """What labgrid makes of one of the files."""
    found = json.loads(told("-W", "error", "-c", _READ, ROOT / "hil/environments" / name, **variables))
    assert isinstance(found, dict)
    return found


@pytest.mark.needs("labgrid")
def test_the_process_is_switched_by_killing_it_and_lies_where_the_variables_say(tmp_path: Path) -> None:
    found = read("process.yaml", LG_MODULE=str(tmp_path), LG_HUB_PORT="6499")
    assert found["power"] == "ModuleProcessDriver"
    assert found["air"] == ["Virtual", 6499]
    assert found["line"] == ["RawSerialPort", f"{tmp_path}/state/run/console"]
    assert found["files"] == str(tmp_path)
    assert found["features"] == ["bench", "simulated-car", "two-adapters"]


@pytest.mark.needs("labgrid")
@pytest.mark.req("HW-1")
def test_a_module_on_a_table_has_a_switch_on_the_network_a_usb_line_and_real_bluetooth() -> None:
    found = read("table.yaml")
    assert found["power"] == "NetworkPowerDriver"
    assert found["air"] == ["Automatic", "hci0"]
    assert found["line"] == ["USBSerialPort", "None"]  # until the adapter is plugged in
    assert found["far"] == ["socket://pi:4000", "rfc2217://pi:4000"]


@pytest.mark.needs("labgrid")
def test_what_the_table_has_not_leaves_tests_out_and_the_run_says_why(tmp_path: Path) -> None:
    bare = tmp_path / "bare.yaml"
    bare.write_text("targets: {main: {features: [simulated-car]}}")
    said = told("-m", "pytest", "hil/suite", "--collect-only", "-p", "no:cacheprovider", "--lg-env", str(bare))
    assert "hil/suite/test_01_power.py" in said
    assert "hil/suite/test_05_cutoff.py" not in said
    (cutoff,) = [line for line in said.splitlines() if "until_29_minutes" in line]
    assert cutoff.startswith("left out, for want of bench: ")
    assert "left out, for want of two-adapters: test_it_serves_three_centrals" in said
