"""The command `sharebox`: the module as a program.

Exit codes: 0 stopped as asked, 1 internal error, 2 usage, 4 no radio, 6 configuration or stored state,
130 interrupted.
"""

import asyncio
import sys
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter
from cyclopts.validators import Number

app = App(
    name="sharebox",
    help="An in-car sharing module as a program.",
    help_epilogue="Exit codes: 0 stopped as asked, 1 internal error, 2 wrong usage, 4 no radio, "
    "6 configuration or stored state, 130 interrupted.",
    version="0.1.0",
)

NO_RADIO = 4
CONFIGURATION = 6
INTERRUPTED = 130


@app.command
def run(
    config: Annotated[Path, Parameter(name=["--config", "-c"])] = Path("sharebox.toml"), *, json: bool = False
) -> int:
    """Run the module until it is stopped (Ctrl-C).

    Parameters
    ----------
    config:
        TOML file: [module] provisioning, state_dir; [ble] transport, hub_port; [broker] host, port, tls_ca,
        tls_cert, tls_key; [clock] battery_backed; [vehicle] kind, latitude, longitude.
        `shareboxctl dev init DIR` writes one.
    json:
        Log as JSON lines.
    """
    from firmware import logs
    from firmware.config import ConfigError, read_config
    from firmware.ports import RadioUnavailable, StoreFailed

    logs.configure(json=json)
    try:
        from firmware import app as wiring

        asyncio.run(wiring.run(read_config(config), logs.observe))
    except (ConfigError, StoreFailed, RadioUnavailable, BaseExceptionGroup) as error:
        return _failed(error, {ConfigError: CONFIGURATION, StoreFailed: CONFIGURATION, RadioUnavailable: NO_RADIO})
    return 0


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


def _failed(error: BaseException, codes: dict[type[Exception], int]) -> int:
    """One line on standard error and the exit code; an error that is not expected goes on."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    for kind, code in codes.items():
        if isinstance(error, kind):
            sys.stderr.write(f"sharebox: {error}\n")
            return code
    raise error


def main() -> None:
    """Entry point of the console command."""
    try:
        sys.exit(app())
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


if __name__ == "__main__":
    main()
