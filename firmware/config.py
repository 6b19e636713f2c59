"""The TOML file of `sharebox run`: what it may say, and what is wrong with it in one line.

[module]
provisioning = "provisioning.json"   # made by `shareboxctl module init`; relative to this file
state_dir = "state"
watchdog = ""                        # "/dev/watchdog": a module that hangs is reset; never on a bench
watchdog_s = 15                      # after so long

[ble]
transport = "virtual"                # or tcp-client:HOST:PORT, tcp-server:, pty:, serial:, usb:0, hci-socket:0
hub_port = 6402                      # where other programs reach the virtual radio, on loopback
capture = "air.pcapng"               # keep what crosses the controller, for Wireshark; or air.btsnoop

[broker]                             # leave the table out to work without a broker
host = "127.0.0.1"
port = 1883
tls_ca = "ca.pem"                    # these three for any broker that is not on loopback
tls_cert = "module.pem"
tls_key = "module.key"
home_assistant = false               # true: the car appears on Home Assistant's dashboard by itself

[emergency]                          # where emergency calls go; without this table: to the same broker
host = "127.0.0.1"                   # and port, tls_ca, tls_cert, tls_key, as above

[clock]
battery_backed = true                # false on a Raspberry Pi without one: time comes from satellites or a phone

[vehicle]
kind = "simulated"
latitude = 48.1375                   # where the simulated car stands at first
longitude = 11.5755
# kind = "trace"                     # an OpenXC trace, or an NMEA recording, in place of what the car would tell
# file = "drive.json"
# speed = 1.0
# loop = false
# kind = "hardware"                  # relays, CAN bus and receiver: docs/hardware.md shows its tables

[bench]                              # for a module on a bench, never in a car
enabled = true                       # the desk on each serial line, a clock that can be moved, hands on the car
password_file = "password"           # its first line opens higher levels; without it nothing does
uplink = "recorded"                  # no broker: what would be sent is remembered; leave it out to use [broker]

[[serial]]                           # one table for each line, at most 8
name = "console"
device = "pty"                       # a pseudo-terminal with that name; or a UART such as /dev/ttyAMA0
baud = 115200
level = "observe"                    # or "operate", "service": where whoever is at the line begins
"""

import os
import tomllib
from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec

from firmware.wiring import PARTS, CanTable, GnssTable, GpioTable, PartName
from protocol.errors import ProtocolError, one_line
from protocol.provisioning import Provisioning, decode_provisioning

Port = Annotated[int, msgspec.Meta(ge=1, le=65_535)]
PortOrAny = Annotated[int, msgspec.Meta(ge=0, le=65_535)]
Name = Annotated[str, msgspec.Meta(min_length=1)]
LineName = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9][a-z0-9-]{0,31}$")]
Baud = Annotated[int, msgspec.Meta(ge=1200, le=4_000_000)]
Latitude = Annotated[float, msgspec.Meta(ge=-90, le=90)]
Longitude = Annotated[float, msgspec.Meta(ge=-180, le=180)]
Speed = Annotated[float, msgspec.Meta(ge=0.1, le=100)]
WatchdogSeconds = Annotated[int, msgspec.Meta(ge=4, le=300)]

MAKE_ONE: Final = "`shareboxctl module init DIRECTORY` makes one"

PTY: Final = "pty"
RECORDED: Final = "recorded"

LEAST_PASSWORD: Final = 8
MOST_PASSWORD: Final = 256

STATE_FILE: Final = "module.db"
"""In `[module] state_dir`; the critical record, the reserve and damaged files lie beside it."""


class ConfigError(Exception):
    """A file is missing, unreadable or wrong: one line with what, why and what to do."""


class ModuleTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[module]`: paths, relative to the file. `watchdog`: the computer's, which resets it when the module has hung for
    `watchdog_s`; empty: none."""

    provisioning: Name = "provisioning.json"
    state_dir: Name = "state"
    watchdog: str = ""
    watchdog_s: WatchdogSeconds = 15


class BleTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[ble]`: `transport` is "virtual" or a Bumble moniker; `hub_port` 0 picks a free port; `capture`: a file for what
    crosses the controller's HCI."""

    transport: Name = "virtual"
    hub_port: PortOrAny = 6402
    capture: str = ""


class EmergencyTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[emergency]`: a broker of the emergency centre's own."""

    host: Name
    port: Port = 1883
    tls_ca: str = ""
    tls_cert: str = ""
    tls_key: str = ""


class BrokerTable(EmergencyTable, frozen=True, forbid_unknown_fields=True):
    """`[broker]`. `home_assistant`: the module announces itself by MQTT discovery; the broker has to let it."""

    home_assistant: bool = False


class ClockTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[clock]`: a computer without a battery-backed clock starts where it stopped, and must not be asked."""

    battery_backed: bool = True


class VehicleTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[vehicle]`: where the simulated car stands at first, degrees, WGS 84; both or neither. `kind` "trace": what it
    tells comes from `file`, `speed` times as fast, again and again with `loop`. `kind` "hardware": a real one, made of
    the parts that have tables; the simulated car stands in for those that `simulate` names."""

    kind: Literal["simulated", "trace", "hardware"] = "simulated"
    latitude: Latitude | None = None
    longitude: Longitude | None = None
    file: str = ""
    speed: Speed = 1.0
    loop: bool = False
    gpio: GpioTable | None = None
    can: CanTable | None = None
    gnss: GnssTable | None = None
    simulate: tuple[PartName, ...] = ()

    def __post_init__(self) -> None:
        if (self.latitude is None) != (self.longitude is None):
            raise ValueError("latitude and longitude go together")
        if (self.kind == "trace") != bool(self.file):
            raise ValueError('kind = "trace" and `file` go together')
        there = {part for part in PARTS if getattr(self, part) is not None}
        if (self.kind == "hardware") != bool(there):
            raise ValueError('kind = "hardware" goes together with [vehicle.gpio], [vehicle.can] or [vehicle.gnss]')
        if self.simulate and not there:
            raise ValueError('`simulate` is for kind = "hardware"; without it, the whole car is simulated')
        if both := sorted(there & {*self.simulate}):
            raise ValueError(f"{both[0]} is either simulated or has a table")


class SerialTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[[serial]]`: a line for phones, and for the console when there is a bench. `level`: as `bench.levels`."""

    name: LineName = "console"
    device: Name = PTY
    baud: Baud = 115_200
    level: Literal["observe", "operate", "service"] = "observe"


class BenchTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[bench]`. `uplink`: "recorded" takes the broker's place."""

    enabled: bool = False
    password_file: str = ""
    uplink: Literal["", "recorded"] = ""


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole file. `directory`: where it lies."""

    module: ModuleTable = ModuleTable()
    ble: BleTable = BleTable()
    broker: BrokerTable | None = None
    vehicle: VehicleTable = VehicleTable()
    clock: ClockTable = ClockTable()
    bench: BenchTable = BenchTable()
    serial: Annotated[tuple[SerialTable, ...], msgspec.Meta(max_length=8)] = ()
    directory: str = "."
    emergency: EmergencyTable | None = None

    def __post_init__(self) -> None:
        names = [line.name for line in self.serial]
        if len(set(names)) < len(names):
            raise ValueError("each [[serial]] needs a `name` of its own")
        if self.module.watchdog and self.bench.enabled:
            raise ValueError("a bench's time can stand still, and a watchdog resets what does: leave out one of them")

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


def captured_in(config: Config, file: Path | None) -> Config:
    """The same with `[ble] capture` as `file` says, a path from the working directory; None: as it is."""
    if file is None:
        return config
    return msgspec.structs.replace(config, ble=msgspec.structs.replace(config.ble, capture=str(file.absolute())))


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


def read_password(config: Config) -> str | None:
    """What opens higher levels of the bench: the first line of its file; None without one. Raises ConfigError."""
    if not config.bench.password_file:
        return None
    path = config.path(config.bench.password_file)
    try:
        with path.open(encoding="utf-8") as file:
            if os.fstat(file.fileno()).st_mode & 0o077:
                raise ConfigError(f"{path}: others may read it; run `chmod 600 {path}`")
            password = file.readline(MOST_PASSWORD + 2).rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not a text file"
        raise ConfigError(f"{path}: {reason}; write a password into it, or leave out [bench] password_file") from None
    if wrong := _flaw(password):
        raise ConfigError(f"{path}: its first line is no password: it is {wrong}; write another")
    return password


def _flaw(password: str) -> str:
    """Why this can not be a password, in words that go after "it is"; empty: it can."""
    if not LEAST_PASSWORD <= len(password) <= MOST_PASSWORD:
        return f"not {LEAST_PASSWORD} to {MOST_PASSWORD} characters long"
    if not password.isprintable() or password.startswith("--") or any(each in "'\" " for each in password):
        return "not one that can be typed: no blanks, no quotes, nothing invisible, no `--` at its beginning"
    return ""
