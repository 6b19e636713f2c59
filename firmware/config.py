"""The TOML file of `sharebox run`: what it may say, and what is wrong with it in one line.

[module]
provisioning = "provisioning.json"   # made by `shareboxctl module init`; relative to this file
state_dir = "state"

[ble]
transport = "virtual"                # or tcp-client:HOST:PORT, tcp-server:, pty:, serial:, usb:0, hci-socket:0
hub_port = 6402                      # where other programs reach the virtual radio, on loopback

[broker]                             # leave the table out to work without a broker
host = "127.0.0.1"
port = 1883
tls_ca = "ca.pem"                    # these three for any broker that is not on loopback
tls_cert = "module.pem"
tls_key = "module.key"
home_assistant = false               # true: the car appears on Home Assistant's dashboard by itself

[clock]
battery_backed = true                # false on a Raspberry Pi without one: time comes from satellites or a phone

[vehicle]
kind = "simulated"
latitude = 48.1375                   # where the simulated car stands at first
longitude = 11.5755
"""

import tomllib
from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec

from protocol.errors import ProtocolError, one_line
from protocol.provisioning import Provisioning, decode_provisioning

Port = Annotated[int, msgspec.Meta(ge=1, le=65_535)]
PortOrAny = Annotated[int, msgspec.Meta(ge=0, le=65_535)]
Name = Annotated[str, msgspec.Meta(min_length=1)]
Latitude = Annotated[float, msgspec.Meta(ge=-90, le=90)]
Longitude = Annotated[float, msgspec.Meta(ge=-180, le=180)]

MAKE_ONE: Final = "`shareboxctl module init DIRECTORY` makes one"

STATE_FILE: Final = "module.db"
"""In `[module] state_dir`; the critical record, the reserve and damaged files lie beside it."""


class ConfigError(Exception):
    """A file is missing, unreadable or wrong: one line with what, why and what to do."""


class ModuleTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[module]`: paths, relative to the file."""

    provisioning: Name = "provisioning.json"
    state_dir: Name = "state"


class BleTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[ble]`: `transport` is "virtual" or a Bumble moniker; `hub_port` 0 picks a free port."""

    transport: Name = "virtual"
    hub_port: PortOrAny = 6402


class BrokerTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[broker]`. `home_assistant`: the module announces itself by MQTT discovery; the broker has to let it."""

    host: Name
    port: Port = 1883
    tls_ca: str = ""
    tls_cert: str = ""
    tls_key: str = ""
    home_assistant: bool = False


class ClockTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[clock]`: a computer without a battery-backed clock starts where it stopped, and must not be asked."""

    battery_backed: bool = True


class VehicleTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[vehicle]`: degrees, WGS 84; both or neither."""

    kind: Literal["simulated"] = "simulated"
    latitude: Latitude | None = None
    longitude: Longitude | None = None

    def __post_init__(self) -> None:
        if (self.latitude is None) != (self.longitude is None):
            raise ValueError("latitude and longitude go together")


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole file. `directory`: where it lies."""

    module: ModuleTable = ModuleTable()
    ble: BleTable = BleTable()
    broker: BrokerTable | None = None
    vehicle: VehicleTable = VehicleTable()
    clock: ClockTable = ClockTable()
    directory: str = "."

    def path(self, name: str) -> Path:
        """A path of the file, made absolute; empty stays empty."""
        return Path(self.directory, name).resolve()


def read_config(path: Path) -> Config:
    """The file at `path`. Raises ConfigError."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise ConfigError(f"{path}: {reason}; {MAKE_ONE}") from None
    if "directory" in table:
        raise ConfigError(f"{path}: unknown field `directory`; remove it")
    try:
        config = msgspec.convert(table, Config)
    except msgspec.ValidationError as error:
        raise ConfigError(
            f"{path}: {one_line(str(error))}; see `sharebox run --help` for what the file may say"
        ) from None
    return msgspec.structs.replace(config, directory=str(path.parent))


def read_provisioning(config: Config) -> Provisioning:
    """The provisioning file that the configuration names. Raises ConfigError."""
    path = config.path(config.module.provisioning)
    try:
        return decode_provisioning(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not a text file"
        raise ConfigError(f"{path}: {reason}; {MAKE_ONE}") from None
    except ProtocolError as error:
        raise ConfigError(f"{path}: {error.detail}; {MAKE_ONE}") from None
