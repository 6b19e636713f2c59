"""The desk: one line of text in, a result out; and news for whoever follows.

Decides who may do what (levels), and that nothing but a Result or a DeskError comes out. What each command does stands
in the tables that are given to it.
"""

from collections.abc import Callable, Sequence

import msgspec

from firmware.bench.grammar import Command, Grammar
from firmware.bench.levels import Level
from firmware.bench.results import DeskCode, DeskError, Happening, Result
from firmware.bench.room import Room
from firmware.bench.shelf import MemoryShelf, Shelf
from firmware.bench.stand import Stand
from firmware.bench.table import COMMANDS


class Desk:
    """All ways in share one. `shelf`: where states are saved; in memory if it is not said. `more`: commands beside
    those of `table`."""

    def __init__(self, stand: Stand, *, shelf: Shelf | None = None, more: Sequence[Command[Room]] = ()) -> None:
        self.grammar: Grammar[Room] = Grammar((*COMMANDS, *more))
        self.room = Room(stand, self.grammar, shelf or MemoryShelf())

    async def do(self, line: str, level: Level) -> Result:
        """Carry out one line for somebody at `level`. Raises DeskError and nothing else."""
        command, words = self.grammar.read(line)
        if level < command.level:
            raise DeskError(
                DeskCode.LEVEL,
                f"`{command.name}`: it takes the level {command.level.word}, and this is {level.word}. "
                f"Type `level {command.level.word}`.",
            )
        result = await command.run(self.room, words)
        return msgspec.structs.replace(result, kind=command.words[0])

    def complete(self, text: str, level: Level) -> list[str]:
        """What the unfinished last word of `text` may become; only what somebody at `level` may do."""
        return self.grammar.complete(text, level, self.room)

    def follow(self, listener: Callable[[Happening], None]) -> Callable[[], None]:
        """Hear the news from now on; call what is returned to stop."""
        return self.room.news.taps.add(listener)

    def prompt(self) -> str:
        """The state of things in a few words, for a console's prompt."""
        return self.room.prompt()
