"""The configuration file: what it may say, and one line for each thing that is wrong with it."""

from pathlib import Path

import pytest

from firmware.config import (
    BleTable,
    BrokerTable,
    ClockTable,
    Config,
    ConfigError,
    ModuleTable,
    VehicleTable,
    read_config,
    read_provisioning,
)
from firmware.config import __doc__ as described
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
        BleTable("virtual", 6402),
        BrokerTable("127.0.0.1", 1883, "ca.pem", "module.pem", "module.key", home_assistant=False),
        VehicleTable("simulated", 48.1375, 11.5755),
        ClockTable(battery_backed=True),
        str(tmp_path),
    )


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
