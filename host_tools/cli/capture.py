"""`shareboxctl bench capture`: what a capture says, by Wireshark's tshark and the dissector.

Decides which fields are shown. Refuses to read a capture itself.
"""

import shutil
import subprocess
import tempfile
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Annotated, Final

from cyclopts import Parameter

from host_tools.bench.dissector import DISSECTOR, install, plugin_folder
from host_tools.cli.exits import CliError, Exit
from host_tools.cli.options import SHOWN, Shown
from host_tools.cli.output import Output

LIMIT_S: Final = 600.0
MOST_SAID_BYTES: Final = 64 * 1024
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
        code, said = _run(tokens, lambda line: _print(line, output))
    if code is None:
        raise CliError(
            Exit.CONFIGURATION, f"{file}: tshark was not done within {LIMIT_S:g} s. Cut the capture into smaller files."
        )
    if code != 0:
        lines = [line for line in said.splitlines() if line.startswith("tshark: ")]
        why = lines[-1].removeprefix("tshark: ").rstrip(".") if lines else f"tshark ended with {code}"
        raise CliError(Exit.CONFIGURATION, f"{file}: {why}. Is it a capture, and is the display filter right?")


def _run(tokens: list[str], take: Callable[[str], None]) -> tuple[int | None, str]:
    """Each line of the output to `take` as it comes; the exit code, None when it took too long, and what the program
    said beside. However large the output is, no more than a line of it is held."""
    with tempfile.TemporaryFile() as beside, _started(tokens, beside) as running:
        late = threading.Event()

        def end() -> None:
            late.set()
            running.kill()

        timer = threading.Timer(LIMIT_S, end)
        timer.start()
        try:
            assert running.stdout is not None
            for line in running.stdout:
                if line.endswith("\n"):  # or it was ended in the middle of one
                    take(line.removesuffix("\n"))
            running.wait()
        finally:
            timer.cancel()
            running.kill()  # of no effect on one that has ended
        beside.seek(0)
        return None if late.is_set() else running.returncode, beside.read(MOST_SAID_BYTES).decode(errors="replace")


def _started(tokens: list[str], beside: IO[bytes]) -> "subprocess.Popen[str]":
    return subprocess.Popen(  # noqa: S603 - a program of the system, and no shell
        tokens, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=beside, text=True, errors="replace"
    )


def _print(line: str, output: Output) -> None:
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
