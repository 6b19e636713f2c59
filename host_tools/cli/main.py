"""`shareboxctl`: the commands, and how every error becomes one line and an exit code.

The tree is in `commands`; what a command needs is imported when it runs, so that help and completion are quick.
"""

import os
import sys
from collections.abc import Callable, Iterable, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Final

from cyclopts import App, Group
from cyclopts.exceptions import CycloptsError, UnknownCommandError

from host_tools.cli.commands import COMMANDS, Branch, Leaf, reached
from host_tools.cli.exits import EPILOGUE, Exit
from host_tools.cli.output import json_line, print_data, print_talk, unread

_GROUPS: Final = Group("Commands", sort_key=1)


def build(whole: Callable[[str], bool] = lambda _name: False) -> App:
    """The whole command line. `whole(name)`: whether that command is to tell all that it has to say of itself, for
    which it has to be imported; else it has its one line of help."""
    app = App(
        name="shareboxctl",
        help="Talk to a car-sharing module over Bluetooth LE or a serial line, and run a bench for it.",
        help_epilogue=EPILOGUE,
        version=_version,
        help_format="markdown",
        group_commands=_GROUPS,
        suppress_keyboard_interrupt=False,  # `report` says it
    )
    _grow(app, COMMANDS, "", whole)
    return app


def _grow(app: App, tree: tuple[Leaf | Branch, ...], above: str, whole: Callable[[str], bool]) -> None:
    for one in tree:
        if isinstance(one, Leaf):
            app.command(one.function, name=one.name, help=None if whole(above + one.name) else one.text)
        else:
            branch = App(name=one.name, help=one.text, group_commands=_GROUPS)
            _grow(branch, one.below, f"{above}{one.name} ", whole)
            app.command(branch)


def _for(tokens: Sequence[str]) -> App:
    """For one run: the command that is asked for help tells everything."""
    if not {"--help", "-h"} & set(tokens):
        return build()
    asked = reached(tokens)
    return build(lambda name: name == asked)


def _version() -> str:
    try:
        return version("sharebox")
    except PackageNotFoundError:
        return "0 (not installed)"


def main(tokens: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code. `tokens` default to the command line's."""
    tokens = sys.argv[1:] if tokens is None else tokens
    try:
        result = _for(tokens)(list(tokens), exit_on_error=False, print_error=False, result_action="return_value")
    except BaseException as error:  # broad: every error becomes one line, a bug included
        return report(error, tokens)
    return int(result) if isinstance(result, int) else Exit.OK


async def run(tokens: Sequence[str]) -> int:
    """`main` inside a running event loop."""
    try:
        result = await _for(tokens).run_async(
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
        case SystemExit() if not isinstance(error.__context__, BrokenPipeError):
            return error.code if isinstance(error.code, int) else Exit.OK
        case BrokenPipeError() | SystemExit():  # the second is rich's way to say it, for help
            unread(sys.stdout)
            return Exit.UNREAD
        case KeyboardInterrupt() | CancelledError():
            trouble = Trouble(Exit.INTERRUPTED, "interrupted")
        case UnknownCommandError():
            trouble = Trouble(Exit.USAGE, _unknown(error.root_input_tokens or [], str(error)))
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
        try:
            print_data(json_line("error", fields))
        except BrokenPipeError:
            unread(sys.stdout)
    print_talk(f"shareboxctl: {trouble.line}")
    return trouble.exit_code


def _unknown(tokens: Sequence[str], message: str) -> str:
    """An unknown command, with what may have been meant; `message` names the ones there are."""
    from host_tools.cli.hints import hint, unknown
    from protocol.errors import one_line

    there = message[message.find("Available commands:") :] if "Available commands:" in message else ""
    meant = hint(tokens) or " ".join(there.split())
    return f'Unknown command "{one_line(unknown(tokens))}". {meant} Try --help.'.replace("  ", " ")


def _bug(error: Exception) -> str:
    what = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    return f"internal error: {what}. Set SHAREBOXCTL_DEBUG=1 to see where, and please report it."
