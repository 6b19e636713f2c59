"""The configuration file: what it may say, and one line for each thing that is wrong with it."""

from pathlib import Path

import pytest

from firmware.config import (
    BenchTable,
    BleTable,
    BrokerTable,
    ClockTable,
    Config,
    ConfigError,
    EmergencyTable,
    ModuleTable,
    SerialTable,
    VehicleTable,
    captured_in,
    read_config,
    read_password,
    read_provisioning,
)
from firmware.config import __doc__ as described
from firmware.wiring import CanTable, GnssTable
from tests.support.module_files import PROVISIONING, config, configuration


def test_an_empty_file_is_enough(tmp_path: Path) -> None:
    file = tmp_path / "sharebox.toml"
    file.write_text("")
    assert read_config(file) == Config(directory=str(tmp_path))
    assert read_config(file).broker is None


def test_the_description_is_a_file_that_works(tmp_path: Path) -> None:
    file = tmp_path / "sharebox.toml"
    file.write_text(str(described).partition("\n\n")[2])
    assert read_config(file) == Config(
        ModuleTable("provisioning.json", "state"),
        BleTable("virtual", 6402, "air.pcapng"),
        BrokerTable("127.0.0.1", 1883, "ca.pem", "module.pem", "module.key", home_assistant=False),
        VehicleTable("simulated", 48.1375, 11.5755),
        ClockTable(battery_backed=True),
        BenchTable(enabled=True, password_file="password", uplink="recorded"),
        (SerialTable("console", "pty", 115_200, "observe"),),
        str(tmp_path),
        EmergencyTable("127.0.0.1"),
    )


def test_a_capture_named_on_the_command_line_goes_before_that_of_the_file(tmp_path: Path) -> None:
    read = config(tmp_path, '[ble]\ncapture = "kept.pcapng"\n')
    assert captured_in(read, None) is read
    assert captured_in(read, tmp_path / "other.pcapng").ble.capture == str(tmp_path / "other.pcapng")


@pytest.mark.req("BEN-4")
def test_the_vehicle_may_be_a_trace(tmp_path: Path) -> None:
    read = config(tmp_path, '[vehicle]\nkind = "trace"\nfile = "drive.json"\nspeed = 2\nloop = true\n')
    assert read.vehicle == VehicleTable("trace", file="drive.json", speed=2.0, loop=True)
    for wrong in ('kind = "trace"', 'file = "drive.json"', 'kind = "trace"\nfile = "a"\nspeed = 0'):
        with pytest.raises(ConfigError, match=r"go together|speed"):
            config(tmp_path, f"[vehicle]\n{wrong}\n")


@pytest.mark.req("HW-1", "BLE-3")
def test_the_vehicle_may_be_a_real_one_with_the_simulated_car_for_what_is_missing(tmp_path: Path) -> None:
    text = '[vehicle]\nkind = "hardware"\nsimulate = ["gpio"]\n[vehicle.can]\n[vehicle.gnss]\ngpsd = "[::1]:2947"\n'
    with pytest.raises(ConfigError, match=r"at `\$\.vehicle\.gnss\.gpsd`"):
        config(tmp_path, text)
    vehicle = config(tmp_path, text.replace("[::1]", "localhost")).vehicle
    assert vehicle == VehicleTable(
        "hardware", can=CanTable(), gnss=GnssTable(gpsd="localhost:2947"), simulate=("gpio",)
    )
    assert config(tmp_path, '[module]\nwatchdog = "/dev/watchdog"\n').module.watchdog_s == 15


def test_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    read = config(tmp_path)
    assert read.path("state") == tmp_path / "state"
    assert read.path("/etc/module.pem") == Path("/etc/module.pem")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[module\n", "Expected ']' at the end of a table declaration"),
        ("[modul]\n", "unknown field `modul`"),
        ('"two\\nlines\\u001b[2J" = 1\n', "unknown field `two lines [2J`"),
        ('directory = "x"\n', "unknown field `directory`; remove it"),
        ("[ble]\nspeed = 1\n", "unknown field `speed` - at `$.ble`"),
        ('[ble]\nhub_port = "x"\n', "Expected `int`, got `str` - at `$.ble.hub_port`"),
        ("[ble]\nhub_port = 65536\n", "<= 65535 - at `$.ble.hub_port`"),
        ("[ble]\nhub_port = -1\n", ">= 0 - at `$.ble.hub_port`"),
        ('[ble]\ntransport = ""\n', "length >= 1 - at `$.ble.transport`"),
        ("[broker]\nport = 1883\n", "missing required field `host`"),
        ('[broker]\nhost = ""\n', "length >= 1 - at `$.broker.host`"),
        ('[broker]\nhost = "127.0.0.1"\nport = 0\n', ">= 1 - at `$.broker.port`"),
        ('[vehicle]\nkind = "real"\n', "'real' - at `$.vehicle.kind`"),
        ("[vehicle]\nlatitude = 90.1\nlongitude = 0\n", "<= 90.0 - at `$.vehicle.latitude`"),
        ("[vehicle]\nlatitude = 0\nlongitude = -180.1\n", ">= -180.0 - at `$.vehicle.longitude`"),
        ("[vehicle]\nlatitude = nan\nlongitude = 0\n", "at `$.vehicle.latitude`"),
        ("[vehicle]\nlatitude = 1.0\n", "latitude and longitude go together - at `$.vehicle`"),
        ('[vehicle]\nkind = "hardware"\n', 'kind = "hardware" goes together with [vehicle.gpio], [vehicle.can] or'),
        ("[vehicle.can]\n", 'kind = "hardware" goes together with [vehicle.gpio]'),
        ('[vehicle]\nsimulate = ["can"]\n', "without it, the whole car is simulated"),
        (
            '[vehicle]\nkind = "hardware"\nsimulate = ["can", "gnss"]\n[vehicle.can]\n',
            "can is either simulated or has a table - at `$.vehicle`",
        ),
        ('[vehicle]\nkind = "hardware"\nsimulate = ["radio"]\n[vehicle.can]\n', "'radio' - at `$.vehicle.simulate["),
        ('[module]\nwatchdog = "x"\n[bench]\nenabled = true\n', "leave out one of them"),
        ("[module]\nwatchdog_s = 3\n", ">= 4 - at `$.module.watchdog_s`"),
        ('[[serial]]\nname = "a"\n[[serial]]\nname = "a"\n', "each [[serial]] needs a `name` of its own"),
        ('[[serial]]\nname = "../a"\n', ".name`"),
        ('[[serial]]\nlevel = "root"\n', "'root' - at `$.serial["),
        ("[[serial]]\nbaud = 1\n", ">= 1200 - at `$.serial["),
        ("[[serial]]\n" * 9, "length <= 8 - at `$.serial`"),
        ('[bench]\nuplink = "satellite"\n', "'satellite' - at `$.bench.uplink`"),
    ],
)
def test_what_is_wrong_is_said_in_one_line_that_names_the_file(tmp_path: Path, text: str, complaint: str) -> None:
    file = configuration(tmp_path, text)
    with pytest.raises(ConfigError) as refused:
        read_config(file)
    assert str(refused.value).startswith(f"{file}: ")
    assert complaint in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("name", "complaint"),
    [("missing.toml", "No such file or directory"), (".", "Is a directory"), ("binary.toml", "can't decode byte")],
)
def test_a_file_that_can_not_be_read_says_how_to_make_one(tmp_path: Path, name: str, complaint: str) -> None:
    (tmp_path / "binary.toml").write_bytes(b"\xff")
    with pytest.raises(ConfigError, match=complaint) as refused:
        read_config(tmp_path / name)
    assert str(refused.value).endswith("; `shareboxctl module init DIRECTORY` makes one")


def test_the_provisioning_file_is_read(tmp_path: Path) -> None:
    assert read_provisioning(config(tmp_path)) == PROVISIONING


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("missing.json", "No such file or directory"),
        (".", "Is a directory"),
        ("binary.json", "not a text file"),
        ("sharebox.toml", "provisioning file: "),
    ],
)
def test_a_provisioning_file_that_does_not_do_says_how_to_make_one(tmp_path: Path, name: str, complaint: str) -> None:
    (tmp_path / "binary.json").write_bytes(b"\xff")
    read = config(tmp_path, f'[module]\nprovisioning = "{name}"\n')
    with pytest.raises(ConfigError, match=complaint) as refused:
        read_provisioning(read)
    assert str(refused.value).startswith(str((tmp_path / name).resolve()))
    assert str(refused.value).endswith("; `shareboxctl module init DIRECTORY` makes one")
    assert "\n" not in str(refused.value)


def test_an_error_in_the_provisioning_file_does_not_show_its_keys(tmp_path: Path) -> None:
    read = config(tmp_path)
    file = tmp_path / "provisioning.json"
    secret = PROVISIONING.handshake_private.hex()
    assert secret in file.read_text()
    file.write_text(file.read_text().replace(secret, secret + "z"))
    with pytest.raises(ConfigError) as refused:
        read_provisioning(read)
    assert secret not in str(refused.value)


@pytest.mark.req("BEN-1")
def test_the_password_is_the_first_line_of_its_file(tmp_path: Path) -> None:
    assert read_password(config(tmp_path)) is None
    (tmp_path / "password").write_text("open-sésame\nmore\n")
    with pytest.raises(ConfigError, match="chmod 600"):
        read_password(config(tmp_path, '[bench]\npassword_file = "password"\n'))
    (tmp_path / "password").chmod(0o600)
    assert read_password(config(tmp_path, '[bench]\npassword_file = "password"\n')) == "open-sésame"


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (None, "No such file"),
        (b"\xff\n", "not a text file"),
        (b"\n", "no password"),
        (b"open sesame\n", "no password"),
        (b"x" * 300, "no password"),
        (b"seven77\n", "8 to 256 characters"),
        (b"bell\a\a\a\a\n", "nothing invisible"),
        ("hard\u00a0blank\n".encode(), "no blanks"),
        (b'open"sesame\n', "no quotes"),
        (b"open\tsesame\n", "no blanks"),
        (b"open'sesame\n", "no quotes"),
        (b"--sesame\n", "`--`"),
    ],
)
def test_a_file_without_a_password_is_one_line(tmp_path: Path, content: bytes | None, complaint: str) -> None:
    if content is not None:
        (tmp_path / "password").write_bytes(content)
        (tmp_path / "password").chmod(0o600)
    with pytest.raises(ConfigError, match=complaint) as refused:
        read_password(config(tmp_path, '[bench]\npassword_file = "password"\n'))
    assert "\n" not in str(refused.value)
