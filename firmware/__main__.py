"""The command `sharebox`: the module as a program.

Exit codes: 0 done, or stopped as asked, 1 internal error, 2 usage, 3 the usage log is not whole, 4 no radio,
6 configuration, stored state or recording, 7 a replay came out otherwise, 130 interrupted,
141 whoever read the output has gone.
"""

import asyncio
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter
from cyclopts.exceptions import CycloptsError
from cyclopts.validators import Number

from firmware import VERSION
from protocol.errors import one_line

if TYPE_CHECKING:
    from collections.abc import Callable

    from firmware.logbook import Book

app = App(
    name="sharebox",
    help="An in-car sharing module as a program.",
    help_epilogue="Exit codes: 0 done, or stopped as asked, 1 internal error, 2 wrong usage, 3 the usage log is not "
    "whole, 4 no radio, 6 configuration, stored state or recording, 7 a replay came out otherwise, "
    "130 interrupted, 141 output no longer read.",
    version=VERSION,
)

log = App(name="log", help="The usage log: who had the car from when to when. The module may be running.")
app.command(log)

USAGE = 2
LOG_NOT_WHOLE = 3
NO_RADIO = 4
CONFIGURATION = 6
OTHERWISE = 7
INTERRUPTED = 130
UNREAD = 141


@app.command
def run(
    config: Annotated[Path, Parameter(name=["--config", "-c"])] = Path("sharebox.toml"),
    *,
    json: bool = False,
    capture: Path | None = None,
    record: Path | None = None,
    record_keys: bool = False,
) -> int:
    """Run the module until it is stopped (Ctrl-C).

    Parameters
    ----------
    config:
        TOML file: [module] provisioning, state_dir, watchdog, watchdog_s; [ble] transport, hub_port, capture; [broker]
        host, port, tls_ca, tls_cert, tls_key; [clock] battery_backed; [vehicle] kind, latitude, longitude, file, speed,
        loop, simulate; [vehicle.gpio] chip, relays, inputs; [vehicle.can] interface, channel, bitrate, dbc, signals;
        [vehicle.gnss] device, baud, gpsd; [bench] enabled, password_file, uplink; [[serial]] name, device, baud, level.
        `shareboxctl module init DIR` writes one.
    json:
        Log as JSON lines.
    capture:
        Keep what crosses the Bluetooth controller in this file, .pcapng or .btsnoop, for Wireshark.
    record:
        Record all that the module is told and does into this new file, for `sharebox replay`; in a directory, into a
        file of its own. Positions and random bytes are in it: nobody else may read it.
    record_keys:
        Put the module's private keys into the recording, so that it can be replayed without them. Test keys only.
    """
    from firmware import logs
    from firmware.bench.recordfile import RecordingFailed
    from firmware.config import ConfigError, captured_in, read_config
    from firmware.ports import RadioUnavailable, StoreFailed

    logs.configure(json=json)
    try:
        from firmware import app as wiring

        settings = captured_in(read_config(config), capture)
        with asyncio.Runner(loop_factory=wiring.loop_factory(settings)) as runner:
            runner.run(wiring.run(settings, logs.observe, record=record, record_keys=record_keys))
    except (ConfigError, RecordingFailed, StoreFailed, RadioUnavailable, BaseExceptionGroup) as error:
        configured = dict.fromkeys((ConfigError, RecordingFailed, StoreFailed), CONFIGURATION)
        return _failed(error, {**configured, RadioUnavailable: NO_RADIO})
    return 0


@app.command
def check(
    config: Annotated[Path, Parameter(name=["--config", "-c"])] = Path("sharebox.toml"),
    *,
    seconds: Annotated[float, Parameter(validator=Number(gte=0.1, lte=600))] = 5.0,
    json: bool = False,
) -> int:
    """Listen to a real car's parts for a while, and say what they tell and what is missing. No relay is moved.

    Exit code 6 when something is wrong. `note`: it works, and something is missing.

    Parameters
    ----------
    config:
        TOML file with [vehicle] kind = "hardware".
    seconds:
        So long. A receiver may need a minute for its first fix.
    json:
        Answer as JSON lines.
    """
    from firmware import checkup, logs
    from firmware.config import ConfigError, read_config

    logs.configure(json=False)
    try:
        findings = asyncio.run(checkup.check(read_config(config), seconds))
    except ConfigError as error:
        return _failed(error, {ConfigError: CONFIGURATION})
    for each in findings:
        words = {"name": each.name, "state": each.state, "detail": each.detail}
        sys.stdout.write((_json(dict(words)) if json else f"{each.state:5}  {each.name:8}  {each.detail}") + "\n")
    return CONFIGURATION if any(each.state == "wrong" for each in findings) else 0


@app.command
def replay(
    file: Path,
    *,
    config: Annotated[Path | None, Parameter(name=["--config", "-c"])] = None,
    until: Annotated[int | None, Parameter(validator=Number(gte=1))] = None,
    json: bool = False,
) -> int:
    """Play a recording again through this version's gateway and core, and say where it first comes out otherwise.

    Parameters
    ----------
    file:
        What `sharebox run --record` or the bench's `record start` has written.
    config:
        The TOML file of the module that was recorded, for its private keys; by default ./sharebox.toml, if there is
        one. Not needed when the keys are in the recording. Without any, nothing is compared on the links.
    until:
        Stop after the line with this number, and show the module's state there.
    json:
        Print one JSON object.
    """
    from firmware import logs
    from firmware.bench import replaying
    from firmware.bench.recordfile import RecordingFailed
    from firmware.bench.recording import Recording
    from firmware.config import ConfigError, read_config, read_provisioning

    logs.configure(json=False)
    try:
        recording = Recording(file)
        keys = None if config else replaying.keys_in(recording.header)
        given = config or Path("sharebox.toml")
        if keys is None and (config or given.exists()):
            keys = read_provisioning(read_config(given))
            replaying.check_fits(recording.header, keys)
        outcome = replaying.play(recording, keys, until)
    except (ConfigError, RecordingFailed) as error:
        return _failed(error, {ConfigError: CONFIGURATION, RecordingFailed: CONFIGURATION})
    sys.stdout.write(_json(replaying.result(outcome)) if json else "\n".join(replaying.words(outcome)))
    sys.stdout.write("\n")
    return 0 if outcome.divergence is None else OTHERWISE


@app.command
def demo(*, json: bool = False, pace: Annotated[float, Parameter(validator=Number(gte=0, lte=10))] = 1.0) -> int:
    """Watch a booking from the first unlock to the cutoff, on virtual Bluetooth, with a real broker.

    Parameters
    ----------
    json:
        Print JSON lines instead of a live screen.
    pace:
        Time to read the live screen: 2 is twice as much, 0 is none.
    """
    from firmware.demo import play

    return play(json=json, pace=pace)


@app.command
def dashboard(
    *,
    scenario: str | None = None,
    port: Annotated[int, Parameter(validator=Number(gte=0, lte=65_535))] = 8080,
    show: Annotated[bool, Parameter(name="--open", negative="--no-open")] = True,
) -> int:
    """Show a module, its car and its people on a page of this computer, and play with them. Ctrl-C ends it.

    Parameters
    ----------
    scenario:
        A scenario that plays there: the name of one (`shareboxctl scenario list`), or a file.
    port:
        Of the loopback interface; 0 takes a free one.
    show:
        Open the page in the browser.
    """
    from firmware.dashboard import play

    return play(port=port, show=show, scenario=scenario)


@log.command
def verify(
    config: Annotated[Path, Parameter(name=["--config", "-c"])] = Path("sharebox.toml"), *, json: bool = False
) -> int:
    """Check that no entry of the usage log was altered, taken out or cut off.

    Parameters
    ----------
    config:
        The module's TOML file.
    json:
        Print one JSON object.
    """
    from firmware import logbook

    return _consult(config, lambda book: _json(logbook.verdict_object(book)) if json else logbook.verdict(book))


@log.command
def who(
    *,
    at: str,
    config: Annotated[Path, Parameter(name=["--config", "-c"])] = Path("sharebox.toml"),
    json: bool = False,
) -> int:
    """Say who had the car at a time.

    Parameters
    ----------
    at:
        The time in ISO 8601, such as 2026-10-30T12:00:00Z; without an offset it is UTC.
    config:
        The module's TOML file.
    json:
        Print one JSON object.
    """
    from firmware import logbook

    try:
        at_ms = logbook.moment(at)
    except ValueError as error:
        sys.stderr.write(f"sharebox: {error}\n")
        return USAGE
    return _consult(
        config, lambda book: _json(logbook.answer_object(book, at_ms)) if json else logbook.answer(book, at_ms)
    )


def _consult(config: Path, words: "Callable[[Book], str]") -> int:
    """Read the usage log and print `words` about it."""
    from firmware import logbook, logs
    from firmware.adapters.store.copies import read_copy
    from firmware.config import STATE_FILE, ConfigError, read_config, read_provisioning
    from firmware.ports import StoreFailed

    logs.configure(json=False)
    try:
        settings = read_config(config)
        module_id = read_provisioning(settings).module_id
        copy = read_copy(settings.path(settings.module.state_dir) / STATE_FILE)
        book = logbook.opened(module_id, copy.usage, copy.state, copy.vital)
    except (ConfigError, StoreFailed) as error:
        return _failed(error, {ConfigError: CONFIGURATION, StoreFailed: CONFIGURATION})
    sys.stdout.write(words(book) + "\n")
    return LOG_NOT_WHOLE if book.faults else 0


def _json(value: dict[str, object]) -> str:
    import msgspec

    return msgspec.json.encode(value).decode()


def _failed(error: BaseException, codes: dict[type[Exception], int]) -> int:
    """One line on standard error and the exit code; an error that is not expected goes on."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    for kind, code in codes.items():
        if isinstance(error, kind):
            sys.stderr.write(f"sharebox: {error}\n")
            return code
    raise error


def main(tokens: Sequence[str] | None = None) -> None:
    """Entry point of the console command: run it and exit. `tokens` default to the command line's."""
    try:
        given = sys.argv[1:] if tokens is None else list(tokens)
        result = app(given, exit_on_error=False, print_error=False, result_action="return_value")
        sys.stdout.flush()
    except CycloptsError as error:
        sys.stderr.write(f"sharebox: {one_line(' '.join(str(error).split()))} Try --help.\n")
        sys.exit(USAGE)
    except (BrokenPipeError, SystemExit) as error:  # the second is rich's way to say it, for help
        if isinstance(error, SystemExit) and not isinstance(error.__context__, BrokenPipeError):
            raise
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())  # nor is what is left written on the way out
        sys.exit(UNREAD)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    sys.exit(result if isinstance(result, int) else 0)


if __name__ == "__main__":
    main()
