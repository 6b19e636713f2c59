"""How to name the way to a module, once for every tool: one grammar of links, and where modules leave their lines.

    auto                    this machine's Bluetooth
    ble:ADDRESS             the same, and the one module of that address
    virtual[:HOST:PORT]     the virtual radio of `sharebox run`
    serial:PATH, /dev/…     a serial line; serial:NAME is one that a running module has left in the runtime directory
    rfc2217://…, socket://… a serial line behind a network
    in-process              a module of one's own, where that makes sense

Knows names, and which of them a module holds; opens no line.
"""

import fcntl
import os
import re
import stat
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Final, TypeAlias

import msgspec

from protocol.errors import one_line

DEFAULT_HUB: Final = ("127.0.0.1", 6402)
MODULE_FILE: Final = "sharebox.toml"
FORMS: Final = "auto, virtual[:HOST:PORT], serial:PATH, rfc2217://…, socket://…, ble:ADDRESS or in-process"

_URL: Final = re.compile(r"(rfc2217|socket|loop|spy|alt)://.*")
_PATH: Final = re.compile(r"(/|\./|\.\./|~).*|COM\d+")
_ADDRESS: Final = re.compile(r"[0-9A-Fa-f]{2}(:[0-9A-Fa-f]{2}){5}|[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")


class LinkError(Exception):
    """No link is written like this, or there is none of that name. One line: what, why, what to do."""


class Automatic(msgspec.Struct, frozen=True):
    """This machine's Bluetooth, whatever module is in range. `adapter`: which one, such as "hci1"; empty: the first."""

    adapter: str = ""


class Bluetooth(msgspec.Struct, frozen=True):
    """This machine's Bluetooth, one module."""

    address: str


class Virtual(msgspec.Struct, frozen=True):
    """The hub of a virtual radio."""

    host: str
    port: int


class Serial(msgspec.Struct, frozen=True):
    """A serial line, as pyserial opens it."""

    url: str


class InProcess(msgspec.Struct, frozen=True):
    """A module in this process."""


Link: TypeAlias = Automatic | Bluetooth | Virtual | Serial | InProcess


def parse_link(text: str, environment: Mapping[str, str] = os.environ, directory: Path | None = None) -> Link:
    """The link that `text` names. Raises LinkError.

    `directory`: where to look upwards for the module's own file, for the names of its lines.
    """
    kind, colon, rest = text.partition(":")
    match kind:
        case "auto" | "in-process" if not colon:
            return Automatic() if kind == "auto" else InProcess()
        case "virtual":
            hub = _hub(rest) if colon else DEFAULT_HUB
            if hub is not None:
                return Virtual(*hub)
        case "ble" if _ADDRESS.fullmatch(rest):
            return Bluetooth(rest.upper())
        case "serial" if rest:
            return Serial(_line(rest, environment, directory))
        case _ if _URL.fullmatch(text):
            return Serial(text)
        case _ if _PATH.fullmatch(text):
            return Serial(str(Path(text).expanduser()))
    raise LinkError(f"'{one_line(text)}' is no link. Write {FORMS}.")


def _hub(text: str) -> tuple[str, int] | None:
    host, _, port = text.rpartition(":")
    return (host, int(port)) if host and port.isdecimal() and 0 < int(port) < 65536 else None


def _line(name: str, environment: Mapping[str, str], directory: Path | None) -> str:
    if "/" in name or _PATH.fullmatch(name):
        return str(Path(name).expanduser())
    found = lines_here(environment, directory)
    if name in found:
        return str(found[name])
    if Path(name).exists():
        return name
    there = f"There are: {', '.join(sorted(found))}" if found else "Start a module with `sharebox run`"
    raise LinkError(f"no module here has a line '{one_line(name)}'. {there}; or give a path, such as /dev/ttyUSB0.")


def lines_here(environment: Mapping[str, str] = os.environ, directory: Path | None = None) -> dict[str, Path]:
    """Name -> path of the serial lines that modules running here have made. First those of the nearest module, in the
    order of its file; that is the one whose file is nearest upwards from `directory`.

    They lie in its state directory and in `$XDG_RUNTIME_DIR/sharebox`. A name whose line no module holds is left out.
    """
    file = _nearest(directory or Path.cwd())
    own = _said(file)[0] if file is not None else []
    found: dict[str, Path] = {}
    for path in _left_here(environment, file):
        if _is_terminal(path) and is_held(path):
            found.setdefault(path.name, path)
    names = [*(name for name in own if name in found), *(name for name in found if name not in own)]
    return {name: found[name] for name in names}


def stale_lines(environment: Mapping[str, str] = os.environ, directory: Path | None = None) -> list[Path]:
    """What modules that were killed have left behind, in the places of `lines_here`. Whose terminals they are by now
    nobody knows."""
    left = _left_here(environment, _nearest(directory or Path.cwd()))
    return [path for path in left if is_stale(path)]


def is_stale(path: Path) -> bool:
    """Whether the line at `path` is there, and the module that made it is not."""
    return is_held(path) is False and path.is_symlink()


def is_held(path: Path) -> bool | None:
    """Whether the module that made the line at `path` is still there. None: no module made it."""
    try:
        number = os.open(
            path.with_name(f".{path.name}.lock"), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        )
    except (OSError, ValueError):  # ValueError: no file has such a name
        return None
    try:
        fcntl.flock(number, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(number)
    return False


def _left_here(environment: Mapping[str, str], file: Path | None) -> list[Path]:
    folders = [] if file is None else [file.parent / _said(file)[1] / "run"]
    if runtime := environment.get("XDG_RUNTIME_DIR"):
        folders.append(Path(runtime) / "sharebox")
    paths = [path for folder in folders if folder.is_dir() for path in sorted(folder.iterdir())]
    return [path for path in paths if not path.name.startswith(".")]


def own_lines(environment: Mapping[str, str] = os.environ, directory: Path | None = None) -> list[Path]:
    """Those of `lines_here` that the nearest module's own file names."""
    file = _nearest(directory or Path.cwd())
    found = lines_here(environment, directory)
    return [found[name] for name in _said(file)[0] if name in found] if file is not None else []


def _nearest(directory: Path) -> Path | None:
    files = (above / MODULE_FILE for above in (directory, *directory.parents))
    return next((file for file in files if file.is_file()), None)


def _said(file: Path) -> tuple[list[str], str]:
    """The names of its lines and its state directory. A file that cannot be read is the module's trouble, not ours."""
    try:
        table = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError):
        table = {}
    module, lines = table.get("module"), table.get("serial")
    state_dir = module.get("state_dir") if isinstance(module, dict) else None
    tables = [one for one in lines if isinstance(one, dict)] if isinstance(lines, list) else []
    names = [str(one.get("name", "console")) for one in tables]
    return names, state_dir if isinstance(state_dir, str) else "state"


def _is_terminal(path: Path) -> bool:
    try:
        return stat.S_ISCHR(path.stat().st_mode)
    except OSError:
        return False
