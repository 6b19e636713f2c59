"""`shareboxctl bench capture`: what a capture says, by Wireshark's tshark and the dissector.

Decides which fields are shown. Refuses to read a capture itself.
"""

import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final

from cyclopts import Parameter

from host_tools.bench.dissector import DISSECTOR, install, plugin_folder
from host_tools.cli.exits import CliError, Exit
from host_tools.cli.options import SHOWN, Shown
from host_tools.cli.output import Output

LIMIT_S: Final = 600.0
FIELDS: Final = (
    "frame.number",
    "frame.time_epoch",
    "sharebox.direction",
    "_ws.col.Info",
    "sharebox.edhoc.message",
    "sharebox.record.counter",
    "sharebox.cbor",
)
_SEPARATOR: Final = "\x1f"
_MESSAGES: Final = (
    "sharebox.message.type || sharebox.info.version || (sharebox_serial && !sharebox) || _ws.expert && sharebox"
)


def capture(
    file: Path | None = None,
    /,
    *,
    keys: Annotated[Path | None, Parameter(help="Key log (SHAREBOX_KEYLOG) that opens the records.")] = None,
    only: Annotated[str, Parameter(help="Wireshark display filter; the messages by default.")] = _MESSAGES,
    dissector: Annotated[bool, Parameter(negative="", help="Print where the dissector is, for Wireshark.")] = False,
    install_: Annotated[
        bool, Parameter("--install", negative="", help="Copy the dissector to Wireshark's personal plugins.")
    ] = False,
    shown: Shown = SHOWN,
) -> None:
    """Show what a capture of radio or serial line says, with Wireshark's tshark.

    Parameters
    ----------
    file
        What `--capture` of shareboxctl or `sharebox run` wrote, or any capture of HCI.
    """
    output = shown.output()
    if install_:
        _install(output)
    elif dissector:
        output.result("dissector", {"path": str(DISSECTOR)}, str(DISSECTOR))
    elif file is None:
        raise CliError(Exit.USAGE, "no capture was named. Write `bench capture FILE`, or --dissector, or --install.")
    else:
        _show(file, keys, only, output)


def _install(output: Output) -> None:
    try:
        copy = install(plugin_folder())
    except OSError as error:
        line = f"{plugin_folder()}: {error.strerror}. Use `wireshark -X lua_script:{DISSECTOR}` instead."
        raise CliError(Exit.CONFIGURATION, line) from None
    output.result("dissector", {"path": str(copy)}, str(copy))
    output.say("Wireshark reads it from its next start on.")


def _show(file: Path, keys: Path | None, only: str, output: Output) -> None:
    tshark = shutil.which("tshark")
    if tshark is None:
        raise CliError(Exit.NOT_FOUND, "tshark is not installed. On Debian: sudo apt-get install tshark.")
    for path in (file, keys):
        if path is not None and not path.is_file():
            raise CliError(Exit.CONFIGURATION, f"{path}: there is no such file. Name a capture, and keys with --keys.")
    tokens = [tshark, "-X", f"lua_script:{DISSECTOR}", "-r", str(file), "-Y", only, "-T", "fields"]
    tokens += ["-E", f"separator={_SEPARATOR}", "-E", "occurrence=f"]
    if keys is not None:
        tokens += ["-o", f"sharebox.keylog:{keys.absolute()}"]
    for field in FIELDS:
        tokens += ["-e", field]
    with output.waiting("Reading the capture"):
        ran = subprocess.run(  # noqa: S603 - a program of the system, and no shell
            tokens, capture_output=True, text=True, errors="replace", timeout=LIMIT_S, check=False
        )
    _print(ran.stdout, output)
    if ran.returncode != 0:
        said = [line for line in ran.stderr.splitlines() if line.startswith("tshark: ")]
        why = said[-1].removeprefix("tshark: ").rstrip(".") if said else f"tshark ended with {ran.returncode}"
        raise CliError(Exit.CONFIGURATION, f"{file}: {why}. Is it a capture, and is the display filter right?")


def _print(text: str, output: Output) -> None:
    for line in text.splitlines():
        number, epoch, direction, info, message, counter, cbor = (line.split(_SEPARATOR) + [""] * len(FIELDS))[
            : len(FIELDS)
        ]
        fields: dict[str, object] = {
            "packet": int(number or 0),
            "time_s": float(epoch or 0),
            "from_module": None if direction == "" else direction == "1",
            "info": info,
            "handshake_message": int(message) if message else None,
            "counter": int(counter) if counter else None,
            "cbor": cbor or None,
        }
        at = datetime.fromtimestamp(float(epoch or 0), UTC).isoformat(" ", "milliseconds").removesuffix("+00:00")
        output.result("message", fields, f"{at}  {info}" + (f"  {cbor}" if cbor else ""))
