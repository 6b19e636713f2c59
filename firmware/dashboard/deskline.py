"""Which lines for the desk a page may pass on: nothing that reads or writes files.

A page is no place for them: whoever gets hold of it must not find out what is on the disk, or put something there, with
the rights of whoever started the dashboard.
"""

from typing import Any, Final

from firmware.bench.grammar import Grammar, split
from firmware.bench.results import DeskCode, DeskError

OF_FILES: Final = frozenset(
    {("record", "start"), ("record", "stop"), ("state", "load"), ("state", "save"), ("trace", "play")}
)


def check(line: str, grammar: Grammar[Any]) -> None:
    """Raises DeskError NOT_HERE, and UNKNOWN or USAGE as the grammar does."""
    command = grammar.find(split(line))
    if command.words in OF_FILES:
        raise DeskError(
            DeskCode.NOT_HERE,
            f"`{command.name}`: the dashboard reads and writes no files. Type it at the console of `sharebox run`.",
        )
