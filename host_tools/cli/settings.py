"""Where a value comes from: flag, environment, project file, user file, default. In this order.

The project file is the nearest `shareboxctl.toml` upwards from the working directory; the user file lies in
`$XDG_CONFIG_HOME/sharebox/`. Paths in a file are relative to that file.
"""

import os
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import msgspec

from host_tools.cli.exits import CliError, Exit
from protocol.errors import one_line

FILE_NAME: Final = "shareboxctl.toml"
ENVIRONMENT_PREFIX: Final = "SHAREBOXCTL_"

DEFAULTS: Final[dict[str, str]] = {
    "link": "auto",
    "timeout": "10",
    "booking": "booking.json",
    "key": "holder.pem",
    "issuer": "issuer.pem",
    "provisioning": "provisioning.json",
    "owner_key": "owner-key.json",
    "dealer_key": "dealer-key.json",
    "shares": "shares.json",
    "revocations": "revocation-list.cose",
    "cars": "cars.json",
    "broker": "127.0.0.1:1883",
    "tls_ca": "",
    "tls_cert": "",
    "tls_key": "",
    "capture": "",
    "level": "",
    "password_file": "",
}
_PATHS: Final = frozenset(DEFAULTS) - {"link", "timeout", "broker", "level"}


class Value(msgspec.Struct, frozen=True):
    """A setting's value and where it came from, in words."""

    text: str
    origin: str


class Settings:
    """The layers, read once. `flags` holds what was given on the command line; None is: not given."""

    def __init__(
        self,
        flags: Mapping[str, str | None],
        environment: Mapping[str, str] = os.environ,
        directory: Path | None = None,
    ) -> None:
        self._flags = flags
        self._environment = environment
        self._files = [_read(path) for path in _files(directory or Path.cwd(), environment)]

    def value(self, name: str) -> Value:
        """The value of setting `name` and its origin. Raises CliError for a file that is wrong."""
        flag = self._flags.get(name)
        if flag is not None:
            return Value(flag, "the command line")
        variable = ENVIRONMENT_PREFIX + name.upper()
        if self._environment.get(variable):
            return Value(self._environment[variable], f"the variable {variable}")
        for path, table in self._files:
            if name in table:
                text = str(path.parent / table[name]) if name in _PATHS and table[name] else table[name]
                return Value(text, str(path))
        return Value(DEFAULTS[name], "the default")

    def text(self, name: str) -> str:
        """The value alone."""
        return self.value(name).text

    def path(self, name: str) -> Path:
        """The value as a path."""
        return Path(self.text(name)).expanduser()

    def seconds(self, name: str) -> float:
        """The value as a positive number of seconds. Raises CliError."""
        found = self.value(name)
        try:
            seconds = float(found.text)
        except ValueError:
            seconds = 0.0
        if not 0 < seconds <= 3600:
            raise CliError(
                Exit.CONFIGURATION,
                f"{name} is wrong: '{found.text}' (from {found.origin}) is not a number of seconds from 0 to 3600. "
                "Give one, such as 10.",
            )
        return seconds


def _files(directory: Path, environment: Mapping[str, str]) -> Iterator[Path]:
    for folder in (directory, *directory.parents):
        if (folder / FILE_NAME).is_file():
            yield folder / FILE_NAME
            break
    base = environment.get("XDG_CONFIG_HOME") or str(Path("~/.config").expanduser())
    user = Path(base) / "sharebox" / FILE_NAME
    if user.is_file():
        yield user


def _read(path: Path) -> tuple[Path, dict[str, str]]:
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise CliError(Exit.CONFIGURATION, f"{path} cannot be read: {error}. Correct it or remove it.") from None
    for name, value in table.items():
        if name not in DEFAULTS:
            raise CliError(Exit.CONFIGURATION, f"{path} is wrong: '{one_line(name)}' is no setting. {_meant(name)}")
        if isinstance(value, dict | list | bool):
            raise CliError(Exit.CONFIGURATION, f"{path} is wrong: '{name}' has to be text or a number. Correct it.")
    return path, {name: str(value) for name, value in table.items()}


def _meant(name: str) -> str:
    import difflib

    near = difflib.get_close_matches(name, DEFAULTS, n=1)
    return f"Did you mean '{near[0]}'?" if near else f"Settings are: {', '.join(DEFAULTS)}."
