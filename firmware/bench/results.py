"""What the desk says: results, refusals and news. `data` is for programs and goes into JSON as it is."""

from enum import Enum, unique

import msgspec

from protocol.errors import one_line

Data = dict[str, object]


@unique
class DeskCode(Enum):
    """Why the desk did not do what it was told."""

    UNKNOWN = "UNKNOWN"
    """There is no such command."""
    USAGE = "USAGE"
    """There is, but not with these words after it."""
    LEVEL = "LEVEL"
    """It takes a higher level."""
    NOT_HERE = "NOT_HERE"
    """This bench has no such part."""
    FAILED = "FAILED"
    """It was tried, and did not work."""
    NO_POWER = "NO_POWER"
    """The module is off."""


class DeskError(Exception):
    """The only exception of the desk: a code, and one line with what, why and what to do."""

    def __init__(self, code: DeskCode, message: str) -> None:
        self.code = code
        self.message = one_line(message)
        super().__init__(self.message)


class Result(msgspec.Struct, frozen=True):
    """What a command gave. `kind`: the command's first word; `lines`: the same for people."""

    kind: str
    data: Data
    lines: tuple[str, ...] = ()


class Happening(msgspec.Struct, frozen=True):
    """News that nobody asked for at this moment. `at_ms`: UTC of the bench; `line`: the same for people."""

    at_ms: int
    kind: str
    data: Data
    line: str
