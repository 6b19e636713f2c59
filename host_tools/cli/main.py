"""`shareboxctl`: the commands, and how every error becomes one line and an exit code.

Commands are named here and imported when they run, so that help and completion are quick.
"""

import os
import sys
from collections.abc import Iterable, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Final

from cyclopts import App, Group
from cyclopts.exceptions import CycloptsError

from host_tools.cli.exits import EPILOGUE, Exit
from host_tools.cli.output import json_line, print_data, print_talk

_HERE: Final = "host_tools.cli"
_CAR: Final = Group("The car of a booking", sort_key=1)
_BACKEND: Final = Group("Backend", sort_key=2)
_BENCH: Final = Group("Bench", sort_key=3)
_TOOL: Final = Group("This program", sort_key=4)

_CAR_COMMANDS: Final = {
    "scan": "Show the modules in range.",
    "status": "Show whether the booking opens the car now, and the state of the car.",
    "unlock": "Open the car.",
    "lock": "Close the car.",
    "drive": "Release the immobiliser; --off arms it again.",
    "end": "End the booking.",
    "locate": "Show where the car is.",
    "outcome": "Ask how an earlier command ended.",
    "put": "Hand a signed order, list or time to the module.",
    "nonce": "Fetch a nonce, to have the time signed for the module.",
    "set-time": "Give the module the time, signed by the development issuer.",
}
_ISSUE_COMMANDS: Final = {
    "booking": "Make a booking and write the file that a phone is given.",
    "end-order": "Sign an order that ends a booking.",
    "order": "Sign an order to the car from afar.",
    "subscription": "Sign what the owner has paid for.",
    "revocation-list": "Sign a list of withdrawn bookings.",
    "time": "Sign the time for a nonce of the module.",
}
_PKI_COMMANDS: Final = {
    "init": "Make an authority, a broker's certificate, and mosquitto.conf and acl for that broker.",
    "broker": "Make a new certificate for the broker.",
    "module": "Make a module's certificate, and print what its sharebox.toml has to say.",
    "client": "Make a certificate for a backend or a listener, and give it its rights.",
}


def build() -> App:
    """The whole command line."""
    app = App(
        name="shareboxctl",
        help="Talk to a car-sharing module over Bluetooth LE, and issue bookings for it on the bench.",
        help_epilogue=EPILOGUE,
        version=_version,
        help_format="markdown",
        group_commands=_TOOL,
        suppress_keyboard_interrupt=False,  # `report` says it
    )
    for name, text in _CAR_COMMANDS.items():
        app.command(f"{_HERE}.car:{name.replace('-', '_')}", name=name, help=text, group=_CAR)
    issue = App(name="issue", help="Sign bookings, orders, lists and times.", group=_BACKEND)
    for name, text in _ISSUE_COMMANDS.items():
        function = "time_attestation" if name == "time" else name.replace("-", "_")
        issue.command(f"{_HERE}.issue:{function}", name=name, help=text)
    app.command(issue)
    pki = App(name="pki", help="Make certificates for the broker, its modules and its clients.", group=_BACKEND)
    for name, text in _PKI_COMMANDS.items():
        pki.command(f"{_HERE}.pki:{name}", name=name, help=text)
    app.command(pki)
    text = "Send an order over MQTT, and wait for its answer."
    app.command(f"{_HERE}.send:send", name="send", help=text, group=_BACKEND)
    app.command(f"{_HERE}.watch:watch", name="watch", help="Follow what modules report over MQTT.", group=_BACKEND)
    app.command(f"{_HERE}.history:history", name="history", help="Show what `watch --save` has kept.", group=_BACKEND)
    key = App(name="key", help="Make and show private keys.", group=_BENCH)
    key.command(f"{_HERE}.keys:new", name="new", help="Make a private key that only you can read.")
    key.command(f"{_HERE}.keys:show", name="show", help="Show the public half of a key.")
    app.command(key)
    dev = App(name="dev", help="Set up a bench.", group=_BENCH)
    dev.command(
        f"{_HERE}.bench:init", name="init", help="Make a directory with issuer, module and phone, ready to run."
    )
    app.command(dev)
    app.command(
        f"{_HERE}.config:config", name="config", help="Show every setting and where it comes from.", group=_BENCH
    )
    app.register_install_completion_command(
        help="Install shell completion.", usage="Usage: shareboxctl --install-completion [OPTIONS]"
    )
    return app


def _version() -> str:
    try:
        return version("sharebox")
    except PackageNotFoundError:
        return "0 (not installed)"


def main(tokens: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code. `tokens` default to the command line's."""
    tokens = sys.argv[1:] if tokens is None else tokens
    try:
        result = build()(list(tokens), exit_on_error=False, print_error=False, result_action="return_value")
    except BaseException as error:  # broad: every error becomes one line, a bug included
        return report(error, tokens)
    return int(result) if isinstance(result, int) else Exit.OK


async def run(tokens: Sequence[str]) -> int:
    """`main` inside a running event loop."""
    try:
        result = await build().run_async(
            list(tokens), exit_on_error=False, print_error=False, result_action="return_value"
        )
    except BaseException as error:  # broad: every error becomes one line, a bug included
        return report(error, tokens)
    return int(result) if isinstance(result, int) else Exit.OK


def report(error: BaseException, tokens: Iterable[str]) -> int:
    """Show an error and return the exit code that belongs to it."""
    # Only an error needs these, and help shall be quick.
    from asyncio import CancelledError

    from host_tools.cli.troubles import Trouble, trouble_of

    match error:
        case SystemExit():
            return error.code if isinstance(error.code, int) else Exit.OK
        case BrokenPipeError():
            # Whoever read our output has had enough: say nothing more, not even on the way out.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return Exit.OK
        case KeyboardInterrupt() | CancelledError():
            trouble = Trouble(Exit.INTERRUPTED, "interrupted")
        case CycloptsError():
            trouble = Trouble(Exit.USAGE, f"{' '.join(str(error).split())} Try --help.")
        case Exception() if (expected := trouble_of(error)) is not None:
            trouble = expected
        case Exception() if not os.environ.get("SHAREBOXCTL_DEBUG"):
            trouble = Trouble(Exit.INTERNAL, _bug(error))
        case _:
            raise error
    if "--json" in tokens:
        fields: dict[str, object] = {"exit": int(trouble.exit_code), "message": trouble.line, **trouble.fields}
        print_data(json_line("error", fields))
    print_talk(f"shareboxctl: {trouble.line}")
    return trouble.exit_code


def _bug(error: Exception) -> str:
    what = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    return f"internal error: {what}. Set SHAREBOXCTL_DEBUG=1 to see where, and please report it."
