"""Exit codes of `shareboxctl`. Numbers never change meaning."""

from enum import IntEnum, unique
from typing import Final


@unique
class Exit(IntEnum):
    """What a script can tell from the exit code alone."""

    OK = 0
    INTERNAL = 1
    USAGE = 2
    REFUSED = 3
    NOT_FOUND = 4
    AUTHENTICATION = 5
    CONFIGURATION = 6
    INTERRUPTED = 130
    UNREAD = 141


MEANING: Final[dict[Exit, str]] = {
    Exit.OK: "done",
    Exit.INTERNAL: "internal error: a fault of the program itself",
    Exit.USAGE: "wrong usage: unknown command or option, missing or unreadable value",
    Exit.REFUSED: "refused by the module, or before it for the same reason: reason, rule and remedy are on standard "
    "error; or a self-test or a scenario's expectation failed",
    Exit.NOT_FOUND: "no module, no radio, no broker, or the connection was lost",
    Exit.AUTHENTICATION: "module and phone could not authenticate each other",
    Exit.CONFIGURATION: "a file is missing, unsafe or unreadable, or a setting is wrong",
    Exit.INTERRUPTED: "interrupted (Ctrl-C)",
    Exit.UNREAD: "whoever read the output has gone, and nothing more was done",
}

EPILOGUE: Final = (
    "Exit codes: 0 done, 1 internal error, 2 wrong usage, 3 refused or a test failed, "
    "4 not found or no connection, 5 not authenticated, 6 file or setting wrong, 130 interrupted, "
    "141 output no longer read."
)


class CliError(Exception):
    """An error of the command line itself: `exit` and one line with what, why and what to do."""

    def __init__(self, exit_code: Exit, line: str) -> None:
        super().__init__(line)
        self.exit_code = exit_code
