"""Which parts a module gets from its file."""

import sys
from pathlib import Path

import pytest

from firmware import app
from firmware.adapters.can import facts
from firmware.adapters.clocks import SystemClock
from firmware.config import ConfigError
from firmware.core.events import Action, VehicleSampled
from firmware.fittings import Fitted, fitted, parts
from firmware.hardware import HardwareVehicle
from firmware.simulated.vehicle import SIGNALS
from tests.support.command import ROOT
from tests.support.module_files import config

pytestmark = pytest.mark.req("HW-1", "BLE-3")

PINS = """[vehicle.gpio]
chip = "/dev/gpiochip99"
[vehicle.gpio.relays]
unlock = { line = 5 }
lock = { line = 6 }
immobiliser = { line = 13 }
[vehicle.gpio.inputs]
ignition = { line = 17, pull = "up" }
doors = [{ line = 27 }]
"""
BUS = '[vehicle.can]\ninterface = "virtual"\nchannel = "fittings"\n'
RECEIVER = '[vehicle.gnss]\ndevice = "/dev/ttyNONE"\n'


def fit(directory: Path, text: str, simulate: str = "") -> Fitted:
    read = config(directory, f'[vehicle]\nkind = "hardware"\nsimulate = [{simulate}]\n{text}')
    clock = SystemClock()
    return fitted(read, app.make_vehicle(read, clock), clock.monotonic_ms)


async def test_a_simulated_car_is_the_whole_car(tmp_path: Path) -> None:
    read, clock = config(tmp_path), SystemClock()
    simulated = app.make_vehicle(read, clock)
    assert fitted(read, simulated, clock.monotonic_ms) == (simulated, simulated)
    assert parts(read, clock.monotonic_ms) == {}


async def test_each_table_is_a_part(tmp_path: Path) -> None:
    read = config(tmp_path, f'[vehicle]\nkind = "hardware"\n{PINS}{BUS}{RECEIVER}')
    made = parts(read, lambda: 0)
    assert list(made) == ["gpio", "can", "gnss"]
    assert made["gpio"].gives == {"ignition_on", "doors_open", "immobilised"}
    assert made["gpio"].actions == {*Action} - {Action.FLASH, Action.OPEN_BOOT}
    assert made["can"].gives == SIGNALS - {"fix"}
    assert made["gnss"].gives == {"fix"}
    fits = fit(tmp_path, f"{PINS}{BUS}{RECEIVER}")
    assert fits.hands is None
    assert isinstance(fits.vehicle, HardwareVehicle)
    assert fits.vehicle.sample() == VehicleSampled()


async def test_a_receiver_may_be_behind_gpsd(tmp_path: Path) -> None:
    read = config(tmp_path, '[vehicle]\nkind = "hardware"\n[vehicle.gnss]\ngpsd = "127.0.0.1:2947"\n')
    assert list(parts(read, lambda: 0)) == ["gnss"]


@pytest.mark.parametrize(
    ("text", "simulate", "told", "moved"),
    [
        (BUS, '"gpio"', {"locked", "immobilised"}, True),
        (PINS, '"can"', {"speed_kmh", "fuel_pct", "keys_present"}, False),
        (PINS, '"can", "gnss"', {"speed_kmh", "fix"}, False),
        (BUS, '"gpio", "gnss"', {"locked", "fix"}, True),
    ],
)
async def test_the_simulated_car_stands_in_for_what_the_file_names(
    tmp_path: Path, text: str, simulate: str, told: set[str], moved: bool
) -> None:
    fits = fit(tmp_path, text, simulate)
    assert fits.hands is not None
    assert isinstance(fits.vehicle, HardwareVehicle)
    assert await fits.vehicle.actuate(Action.FLASH) is moved
    assert (fits.hands.snapshot().immobilised, fits.hands.hidden) == (True, frozenset())
    stand_in = fits.vehicle.part("simulated")
    assert told <= stand_in.gives
    assert ("locked" in stand_in.gives) is moved


async def test_another_cars_matrix_is_read_beside_the_file(tmp_path: Path) -> None:
    table = '[vehicle.can]\ndbc = "car.dbc"\n[vehicle.can.signals]\n"Vehicle.Speed" = { signal = "Wheels.Speed" }\n'
    with pytest.raises(ConfigError, match=r"^\[vehicle\.can\]: .*car\.dbc: No such file"):
        fit(tmp_path, table)
    (tmp_path / "car.dbc").write_text('VERSION ""\nBU_: X\nBO_ 1 Wheels: 2 X\n SG_ Speed : 0|16@1+ (1,0) [0|0] "" X\n')
    fits = fit(tmp_path, table)
    assert isinstance(fits.vehicle, HardwareVehicle)
    assert fits.vehicle.part("can").gives == {"speed_kmh"}
    with pytest.raises(ConfigError, match=r"no signal Wheels\.Pace; write MESSAGE\.SIGNAL"):
        fit(tmp_path, table.replace("Wheels.Speed", "Wheels.Pace"))


@pytest.mark.parametrize(("library", "text"), [("gpiod", PINS), ("can", BUS), ("cantools", BUS)])
async def test_a_library_that_is_not_installed_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, library: str, text: str
) -> None:
    for module in [
        name for name in sys.modules if name.startswith(("firmware.adapters.gpio", "firmware.adapters.can"))
    ]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(ConfigError, match=r"install what it needs: pip install 'sharebox\[hardware\]'") as refused:
        fit(tmp_path, text)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("number", [0, 1])
async def test_the_files_of_the_documentation_work(tmp_path: Path, number: int) -> None:
    page = (ROOT / "docs" / "hardware.md").read_text("utf-8")
    text = page.split("```toml\n")[number + 1].partition("```")[0]
    if number:
        (tmp_path / "car.dbc").write_text(
            'VERSION ""\nBU_: X\n'
            'BO_ 1 ABS_1: 2 X\n SG_ WheelSpeed : 0|16@1+ (0.01,0) [0|0] "m/s" X\n\n'
            'BO_ 2 BCM_1: 1 X\n SG_ KeyPosition : 0|3@1+ (1,0) [0|3] "" X\n\n'
            'BO_ 3 BCM_2: 1 X\n SG_ DoorFL : 0|1@1+ (1,0) [0|1] "" X\n\n'
            'BO_ 4 CLUSTER: 4 X\n SG_ Odo : 0|32@1+ (1,0) [0|0] "km" X\n'
        )
        text = f'[vehicle]\nkind = "hardware"\n{text}'
    made = parts(config(tmp_path, text), lambda: 0)
    assert list(made) == [["gpio", "can", "gnss"], ["can"]][number]
    assert {"ignition_on", "speed_kmh"} <= frozenset[str]().union(*(part.gives for part in made.values()))


def test_the_documentation_names_every_fact_and_how_long_it_lasts() -> None:
    page = (ROOT / "docs" / "hardware.md").read_text("utf-8")
    for fact, kind in facts.KINDS.items():
        name = fact if fact not in facts.DOORS else "Vehicle.Cabin.Door.{Row1,Row2}.{DriverSide,PassengerSide}.IsOpen"
        (row,) = [line for line in page.splitlines() if line.startswith("|") and f"`{name}`" in line]
        assert row.endswith(f"| {kind.lasts_ms / 1000:g} s | {kind.most_ms / 1000:g} s |"), row
