"""What the desk of a module answered, as every host tool holds it: a value, a refusal, and nothing that acts."""

import msgspec

from protocol.errors import one_line


class Answer(msgspec.Struct, frozen=True):
    """`data` for programs, `lines` for people. `kind` names what `data` is."""

    kind: str
    data: dict[str, object] = {}
    lines: tuple[str, ...] = ()


class ConsoleRefused(Exception):
    """The console said no. `code` is one of its own: UNKNOWN, USAGE, LEVEL, NOT_HERE, FAILED, NO_POWER; `str()` is one
    line: what, why, what to do."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(one_line(message))
        self.code = one_line(code)
